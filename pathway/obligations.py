"""Obligations: the desired state. What ought to be open or closed for this patient now, and why.

An obligation is not a task: it says what should be so. `reconcile` compares it with the tasks that exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from pathway.canonical import instant
from pathway.decisions import FORM, THIRD
from pathway.levels import sort_key


class State(StrEnum):
    """Whether an obligation still asks for something."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a checklist: a criterion, its verdict and message, and in words how to get what it lacks, if known.

    It is done where the criterion is met, and open otherwise: `not-met` speaks against it, `unknown` is not recorded.
    """

    id: str
    verdict: str
    message: str
    ask: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do about it."""
        return self.verdict == "met"

    def to_json(self) -> dict[str, str]:
        """For canonical JSON, without an empty `ask`."""
        body = {"id": self.id, "verdict": self.verdict, "message": self.message}
        return {**body, "ask": self.ask} if self.ask else body


@dataclass(frozen=True, slots=True)
class Obligation:
    """One thing that ought to be done about one episode.

    `due_at` follows from `anchor` (an event's instant, or `asked` when the clock starts with the task). `why` are the
    sentences behind it, `sources` the references they rest on, `evidence` what closed it, `items` its checklist.

    Its period runs from `start_at` (at once if none) to `expires_at` (no end if none). `by_day` says that these and the
    due date were counted in days: each means the local day that holds its instant, the start from its beginning, the
    others to its end; `anchor_at` is the instant from whose local day they count. Otherwise they were counted in hours
    and mean the instant. `against` are the references that speak against its having been done: they may reopen a task
    that had ended. `overtaken` says of a closed one that nobody did it and why it is not asked for any more.
    """

    rule: str
    release: str
    code: str
    title: str
    episode: str
    state: State
    levels: tuple[str, ...]
    anchor: str
    due_at: datetime
    owner: str
    priority: str
    focus: str
    why: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()
    start_at: datetime | None = None
    expires_at: datetime | None = None
    by_day: bool = False
    anchor_at: datetime | None = None
    against: tuple[str, ...] = ()
    overtaken: str = ""

    @property
    def key(self) -> str:
        """Episode and rule: the same wish always has the same key, whatever version wished it."""
        return f"{self.episode}/{self.rule}"

    def to_json(self) -> dict[str, Any]:
        """For canonical JSON; empty parts are left out."""
        body = {
            "rule": self.rule, "release": self.release, "code": self.code, "title": self.title,
            "episode": self.episode, "state": self.state.value, "levels": list(self.levels), "anchor": self.anchor,
            "due": instant(self.due_at), "owner": self.owner, "priority": self.priority, "focus": self.focus,
            "why": list(self.why), "sources": list(self.sources), "evidence": list(self.evidence),
            "items": [item.to_json() for item in self.items], "against": list(self.against),
        }  # fmt: skip
        return {key: value for key, value in body.items() if value != []} | self._period()

    def _period(self) -> dict[str, Any]:
        """What a rule says of its period, where it says anything: rules from before there were any give no keys."""
        times = {"start": self.start_at, "expires": self.expires_at, "anchorAt": self.anchor_at}
        said: dict[str, Any] = {name: instant(at) for name, at in times.items() if at is not None}
        said |= {"byDay": True} if self.by_day else {}
        return said | ({"overtaken": self.overtaken} if self.overtaken else {})


def merge(obligations: Iterable[Obligation], form: int = FORM) -> tuple[Obligation, ...]:
    """One obligation per key: wishes from several levels of one episode become one; it is open while any of them is.

    What is settled of one level says nothing of one that is open (up to the third form it was told with it). The
    earliest due date and all reasons are kept. The order is by key, so it never depends on chance. Where several
    rule sets ask for the same, the task is that of the first by name, in whatever order they are configured.
    """
    merged: dict[str, Obligation] = {}
    for wish in sorted(obligations, key=lambda o: (o.key, o.release, [sort_key(level) for level in o.levels])):
        known = merged.get(wish.key)
        if known is None:
            merged[wish.key] = wish
        elif form > THIRD and known.state is not wish.state:
            merged[wish.key] = known if known.state is State.OPEN else replace(wish, release=known.release)
        else:
            merged[wish.key] = _joined(known, wish)
    return tuple(merged[key] for key in sorted(merged))


def asked_once(obligations: Iterable[Obligation]) -> tuple[Obligation, ...]:
    """The obligations, of which no other repeats what an open checklist asks for."""
    wishes = tuple(obligations)
    lists = {wish.key: [item.ask for item in wish.items] for wish in wishes if wish.state is State.OPEN}
    return tuple(
        replace(wish, why=tuple(line for line in wish.why if not _asked_elsewhere(line, wish.key, lists)))
        for wish in wishes
    )


def _asked_elsewhere(line: str, key: str, lists: Mapping[str, Sequence[str]]) -> bool:
    return any(line in ask for other, asks in lists.items() if other != key for ask in asks)


def _joined(one: Obligation, other: Obligation) -> Obligation:
    still_open = State.OPEN in (one.state, other.state)
    return replace(
        one,
        state=State.OPEN if still_open else State.CLOSED,
        levels=tuple(sorted({*one.levels, *other.levels}, key=sort_key)),
        due_at=min(one.due_at, other.due_at),
        why=tuple(dict.fromkeys((*one.why, *other.why))),
        sources=tuple(sorted({*one.sources, *other.sources})),
        evidence=tuple(sorted({*one.evidence, *other.evidence})),
        items=_items((*one.items, *other.items)),
        start_at=_earliest(one.start_at, other.start_at),
        expires_at=_latest(one.expires_at, other.expires_at),
        anchor_at=min(one, other, key=lambda wish: wish.due_at).anchor_at,
        against=tuple(sorted({*one.against, *other.against})),
        overtaken="" if still_open else one.overtaken or other.overtaken,
    )


def _earliest(*instants: datetime | None) -> datetime | None:
    """The first of the instants; none where one of them is none, for that begins at once."""
    known = [at for at in instants if at is not None]
    return min(known) if len(known) == len(instants) else None


def _latest(*instants: datetime | None) -> datetime | None:
    """The last of the instants; none where one of them is none, for that has no end."""
    known = [at for at in instants if at is not None]
    return max(known) if len(known) == len(instants) else None


_WORST: Final = ("not-met", "unknown", "met")


def _items(items: Iterable[Item]) -> tuple[Item, ...]:
    """Each item once, as it stands where it stands worst: one that is open on one level is open."""
    by_id: dict[str, list[Item]] = {}
    for item in items:
        by_id.setdefault(item.id, []).append(item)
    return tuple(_worst(same) for same in by_id.values())


def _worst(same: list[Item]) -> Item:
    verdict = min((item.verdict for item in same), key=_WORST.index)
    said = [item for item in same if item.verdict == verdict]
    asks = dict.fromkeys(item.ask for item in said if item.ask)
    return Item(said[0].id, verdict, "; ".join(dict.fromkeys(item.message for item in said)), "; ".join(asks))
