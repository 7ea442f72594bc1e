"""The course of one patient, from where they stand to a day, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from adapters.bootstrap import House
from adapters.settings import Settings
from adapters.simulate import invented
from adapters.simulate.run import Happening, go_through
from adapters.simulate.scratch import copy_patient, scratch
from adapters.simulate.tell import told
from pathway.canonical import instant
from pathway.episodes import EpisodeKind
from pathway.errors import BadInputError


def course(
    settings: Settings, patient: str, stored: str, to_come: Sequence[Happening], now: datetime, until: datetime
) -> Iterator[str]:
    """The lines. `stored` is the database that the patient is in; empty for the invented year.

    BadInputError for an end that lies before the beginning; NotFoundError for a patient of whom nothing is stored.
    """
    if not stored:
        to_come = (*invented.happenings(), *to_come)
        now = min(one.at for one in to_come)
    if until <= now:
        raise BadInputError("the time ends before it begins", where="--until", fix=f"Name a day after {instant(now)}")
    with scratch(settings, now) as (house, clock):
        if stored:
            patient = copy_patient(stored, house.settings.database_url, patient)
        moments = tuple(go_through(house, clock, patient, to_come, until))
        with house.store.read() as ledger:
            tasks = ledger.tasks(patient)
        yield from _head(patient, now, until)
        yield from told(moments, tasks, ZoneInfo(settings.time_zone), _cemented_at(house, patient))


def _head(patient: str, now: datetime, until: datetime) -> Iterator[str]:
    yield f"{patient} from {instant(now)} to {instant(until)}"
    yield "Simulated: the rules are drafts, not approved for clinical use; nothing was stored or sent."
    yield ""


def _cemented_at(house: House, patient: str) -> datetime | None:
    with house.store.read() as ledger:
        found = [one.onset_at for one in ledger.episodes(patient) if one.kind is EpisodeKind.PROCEDURE]
    return min(found, default=None)
