"""The cohort report: what the record asks for about events from before the service went live.

It makes no tasks of them but emergencies: their contacts would be overdue on the first day. Here they stand as a list,
the gaps in osteoporosis care among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pathway.canonical import parse
from pathway.care import still_owed
from pathway.decide import obligations_of
from pathway.deciding import DECEASED, over_before, turned_out
from pathway.episodes import Episode, EpisodeKind, person_episode_id
from pathway.obligations import Obligation, State
from pathway.ports import Ledger, Store
from pathway.tasks import ON_CALL, Task

BONE_HEALTH: Final = "bone-health"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is lacking, of a fracture or a procedure from before: asked of nobody, and no task.

    `since` is the instant of the event, `due_at` when it would have been due. `bone_health` marks a gap in the care of
    the disease itself; `owner` is the role that it would be for.
    """

    patient: str
    kind: EpisodeKind
    levels: tuple[str, ...]
    since: datetime
    code: str
    title: str
    why: str
    owner: str
    due_at: datetime
    bone_health: bool
    rule: str
    release: str


def cohort(store: Store, live_from: datetime | None) -> Iterator[Line]:
    """What is withheld, by patient, the gaps in osteoporosis care first; nothing where no day of go-live is set.

    Patients are read one after the other, so that any number of them can be listed.
    """
    if live_from is None:
        return
    with store.read() as ledger:
        patients = ledger.patients()
    for patient in patients:
        with store.read() as ledger:
            yield from _of(ledger, patient, live_from)


def _of(ledger: Ledger, patient: str, live_from: datetime) -> Sequence[Line]:
    decision = ledger.head(patient).decision
    if not decision:
        return ()
    body = parse(ledger.decision(decision).body)
    seen = tuple(map(Episode.from_json, body["facts"]["episodes"]))
    same = turned_out(ledger.episodes(patient), seen, ledger.keys_of(patient))
    words = ledger.care_words(patient)
    owed = still_owed(obligations_of(body), words, same, ledger.chart(patient) if words else ())
    found = lines(body, seen, owed, ledger.tasks(patient), live_from)
    return sorted(found, key=lambda line: (not line.bone_health, line.due_at))


def lines(
    body: Mapping[str, Any], seen: Sequence[Episode], wishes: Sequence[Obligation], tasks: Sequence[Task],
    live_from: datetime,
) -> Iterator[Line]:  # fmt: skip
    """The lines of one patient, from the decision that their tasks follow; nothing is lacking to the dead.

    `seen` are the decision's episodes.
    """
    if body["facts"]["patient"]["facts"].get(DECEASED, {}).get("value") is True:
        return
    episodes = {one.id: one for one in seen}
    if seen:  # what is asked for the person as a whole stands under the last of what befell them
        episodes[person_episode_id(body["patient"])] = max(seen, key=lambda one: (one.onset_at, one.id))
    withheld = over_before(body["patient"], seen, live_from)
    made = {f"{task.episode}/{task.rule}" for task in tasks}
    kinds = {f"{release['id']}|{release['version']}": release["kind"] for release in body["releases"]}
    for wish in wishes:
        asked = wish.state is State.OPEN and wish.owner != ON_CALL and wish.key not in made
        if asked and wish.episode in withheld:
            episode = episodes[wish.episode]
            yield Line(
                body["patient"], episode.kind, wish.levels, episode.onset_at, wish.code, wish.title,
                "; ".join(wish.why), wish.owner, wish.due_at, kinds.get(wish.release) == BONE_HEALTH, wish.rule,
                wish.release,
            )  # fmt: skip
