"""One event, many codes: a readmission that codes a known fracture anew opens no second one, and resets no onset."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from adapters.bootstrap import House
from adapters.demo.record import Record, concept
from adapters.fhir.reading import LEVEL
from pathway.episodes import Episode, EpisodeKind
from pathway.facts import Fact, Reason
from tests.world import NOW, FixedClock, case_of, ingest, person

FIRST, AGAIN = 40, 12


def stay(record: Record, encounter: str) -> Record:
    """Puts every diagnosis and finding that has none yet into an encounter."""
    for body in record.resources:
        if body["resourceType"] in ("Condition", "Observation") and "encounter" not in body:
            body["encounter"] = {"reference": f"Encounter/{encounter}"}
    return record


def unnamed(id: str = "p1") -> Record:
    """Osteoporosis and collapse at first, a wedge of T11-T12 four weeks later; nobody names the vertebra."""
    record = person(id).fracture("", FIRST).fracture("", FIRST - 1, "M48.50XA", stated=False)
    return stay(stay(record, "e1").fracture("", AGAIN, "S22.080A", stated=False), "e2")


def named(id: str = "p1") -> Record:
    """The same, and in each stay one code names T12."""
    record = stay(person(id).fracture("T12", FIRST).fracture("", FIRST - 1, "M48.50XA", stated=False), "e1")
    record.fracture("T12", AGAIN, "M80.08XD", stated=False).fracture("", AGAIN, "S22.080A", stated=False)
    return stay(record, "e2")


def imaged(id: str = "p1") -> Record:
    """The same without a named code: in each stay a film names T12."""
    record = unnamed(id).oedema("T12", True, FIRST - 2).during("e1")
    return record.oedema("T12", True, AGAIN - 1).during("e2")


def encounter_of(body: Mapping[str, Any]) -> str:
    return body.get("encounter", {}).get("reference", "")


def fractures(episodes: Iterable[Episode]) -> list[Episode]:
    return [episode for episode in episodes if episode.kind is EpisodeKind.FRACTURE]


def delivered(house: House, record: Record, rows: Sequence[Sequence[dict[str, Any]]]) -> list[set[str]]:
    """The ids of the fractures after each delivery; the last one must be what the whole chart says at once."""
    seen: list[set[str]] = []
    kept: list[Episode] = []
    for row in rows:
        part = copy.copy(record)
        part.resources = [record.resources[0], *row]
        kept = decided(house, part)
        seen.append({episode.id for episode in kept})
    assert kept == [replace(whole, id=kept[0].id) for whole in fractures(case_of(record).episodes)]
    return seen


def decided(house: House, record: Record) -> list[Episode]:
    """A record through the door, and the fractures of the decision on it."""
    body = json.loads(ingest(house, record).decision.body)
    return fractures(Episode.from_json(row) for row in body["facts"]["episodes"])


@pytest.mark.parametrize(
    ("record", "levels", "place"),
    [(unnamed(), ("unspecified",), "T11-T12"), (named(), ("T12",), ""), (imaged(), ("T12",), "")],
    ids=["no vertebra named", "one code of each stay names it", "a film of each stay names it"],
)
def test_one_event_as_m80_m48_and_s22_on_readmission_is_one_episode_with_the_earliest_supported_onset(
    record: Record, levels: tuple[str, ...], place: str
) -> None:
    head, *rest = record.resources
    for order in permutations(rest):
        shuffled = copy.copy(record)
        shuffled.resources = [head, *order]
        (episode,) = fractures(case_of(shuffled).episodes)
        assert (episode.levels, episode.range, episode.onset_stated) == (levels, place, True)
        assert episode.onset_at == NOW - timedelta(days=FIRST)
        assert len(episode.sources) == len(rest)
    (sheet,) = case_of(record).levels
    assert sheet.facts["days-since-onset"].value == FIRST


@pytest.mark.e2e
@pytest.mark.parametrize("made", [unnamed, named, imaged])
def test_one_event_in_several_deliveries_of_any_order_ends_as_one_episode_under_an_id_that_it_had(
    house: House, made: Callable[[str], Record]
) -> None:
    for number, turns in enumerate(permutations(range(1, len(made("p").resources)))):
        if number % 5 == 0:  # every record comes first once, and last
            record = made(f"p{number}")
            seen = delivered(house, record, [[record.resources[turn]] for turn in turns])
            assert seen[-1] <= set.union(*seen[:-1])


@pytest.mark.e2e
@pytest.mark.parametrize("made", [unnamed, named, imaged])
def test_a_readmission_weeks_later_finds_the_episode_of_the_first_stay(
    house: House, made: Callable[[str], Record]
) -> None:
    record = made("p1")
    stays = [[r for r in record.resources if encounter_of(r) == name] for name in ("Encounter/e1", "Encounter/e2")]
    before, after = delivered(house, record, stays)
    assert before == after


# --- what stays open, because the record does not say


def readmitted(code: str = "S22.080A", level: str = "", *, stated: bool = False) -> Record:
    """T12 at first; a stay of its own later, whose code names a pair, a region or nothing."""
    return stay(stay(person().fracture("T12", FIRST), "e1").fracture(level, AGAIN, code, stated=stated), "e2")


@pytest.mark.parametrize("code", ["S22.080A", "M48.54XA", "M48.50XA"])
def test_a_readmission_whose_code_allows_one_current_fracture_is_of_that_one(code: str) -> None:
    (one,) = fractures(case_of(readmitted(code)).episodes)
    assert (one.levels, one.onset_at) == (("T12",), NOW - timedelta(days=FIRST))
    assert len(one.sources) == 2


@pytest.mark.parametrize("code", ["S22.080A", "M48.50XA"])
def test_one_that_states_an_onset_of_its_own_may_be_the_neighbour_so_it_is_asked_for(code: str) -> None:
    known, open_ = fractures(case_of(readmitted(code, stated=True)).episodes)
    assert (known.levels, known.onset_at) == (("T12",), NOW - timedelta(days=FIRST))
    assert (open_.levels, open_.onset_at) == (("unspecified",), NOW - timedelta(days=AGAIN))


def test_a_readmission_that_may_be_of_either_of_two_fractures_is_asked_for() -> None:
    record = readmitted().fracture("T11", FIRST)
    assert [e.levels for e in fractures(case_of(record).episodes)] == [("T11",), ("T12",), ("unspecified",)]


def test_a_readmission_long_after_the_last_word_of_a_fracture_is_asked_for() -> None:
    record = person().fracture("T12", 200).fracture("", AGAIN, "S22.080A", stated=False)
    assert [e.levels for e in fractures(case_of(record).episodes)] == [("T12",), ("unspecified",)]


def test_once_its_vertebra_is_named_it_is_the_known_fracture_or_the_neighbours() -> None:
    (one,) = fractures(case_of(readmitted(level="T12")).episodes)
    assert (one.levels, one.onset_at) == (("T12",), NOW - timedelta(days=FIRST))
    assert [e.levels for e in fractures(case_of(readmitted(level="T11")).episodes)] == [("T11",), ("T12",)]


@pytest.mark.e2e
def test_naming_the_vertebra_of_the_readmission_keeps_the_episode_on_which_the_work_hangs(
    house: House,
) -> None:
    record = readmitted()
    stay(record.fracture("", AGAIN, "M48.50XA", stated=False), "e2")
    (known,) = decided(house, record)
    assert known.levels == ("T12",)
    for body in record.resources[2:]:
        body["bodySite"] = [concept(LEVEL, "T12")]
    assert isinstance(house.clock, FixedClock)
    house.clock.forward(hours=1)
    assert [e.id for e in decided(house, record)] == [known.id]


def test_a_pair_that_excludes_the_vertebra_of_its_own_stay_is_another_fracture() -> None:
    record = stay(person().fracture("T12", FIRST).fracture("", FIRST, "S22.050A"), "e1")
    assert [e.levels for e in fractures(case_of(record).episodes)] == [("T12",), ("unspecified",)]


def test_a_film_of_two_vertebrae_leaves_the_code_of_its_stay_without_one() -> None:
    record = stay(person().fracture("", FIRST).oedema("T12", True, FIRST).oedema("L1", True, FIRST), "e1")
    assert [e.levels for e in fractures(case_of(record).episodes)] == [("T12",), ("L1",), ("unspecified",)]


# --- the cause of one event with a traumatic and an osteoporotic code


def cause(record: Record) -> Fact:
    (sheet,) = case_of(record).levels
    return sheet.facts["fracture-cause"]


def test_an_injury_code_says_that_there_was_an_injury_and_not_how_much_of_one() -> None:
    """S22.080A is given for a fall from a chair as for one from a roof; M80.08 says that the bone was weak."""
    for record in (unnamed(), named()):
        assert cause(record).value == "osteoporotic"
    alone = person().fracture("", AGAIN, "S22.080A")
    assert cause(alone).reason is Reason.NOT_RECORDED


def test_a_stated_force_against_the_osteoporotic_code_of_one_event_conflicts() -> None:
    record = named().finding("fracture-mechanism", "high-energy", AGAIN, level="T12")
    assert cause(record).reason is Reason.CONFLICTING
    low = named().finding("fracture-mechanism", "low-energy", AGAIN, level="T12")
    assert cause(low).value == "osteoporotic"


def test_a_tumour_code_of_the_readmission_against_the_osteoporotic_one_conflicts() -> None:
    record = named()
    stay(record.fracture("T12", AGAIN, "M84.58XA", stated=False), "e2")
    assert cause(record).reason is Reason.CONFLICTING
    assert len(fractures(case_of(record).episodes)) == 1


PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
CPT = "http://www.ama-assn.org/go/cpt"
BILLED: list[tuple[str, list[tuple[str, float, str, str]], int]] = [
    ("the hospital a day after the surgeon", [("L1", 6, "22514", CPT), ("", 5, "0QU03JZ", PCS)], 1),
    ("the surgeon a day after the hospital", [("L1", 5, "22514", CPT), ("", 6, "0QU03JZ", PCS)], 1),
    ("with a reposition", [("L1", 6, "22514", CPT), ("", 5, "0QU03JZ", PCS), ("", 5, "0QS03ZZ", PCS)], 1),
    ("two vertebrae", [("L1", 6, "22514", CPT), ("L2", 6, "22515", CPT), ("", 5, "0QU03JZ", PCS)], 1),
    ("of one system there were two", [("L1", 6, "22514", CPT), ("L2", 5, "22514", CPT)], 2),
    ("another place", [("T12", 6, "22513", CPT), ("", 5, "0QU03JZ", PCS)], 2),
    ("two days apart", [("L1", 7, "22514", CPT), ("", 5, "0QU03JZ", PCS)], 2),
    ("two operations in both", [(v, d, c, s) for v, d in (("L1", 6), ("L3", 5))
                                for c, s in (("22514", CPT), ("0QU03JZ", PCS))], 2),
]  # fmt: skip


@pytest.mark.parametrize(("codes", "count"), [row[1:] for row in BILLED], ids=[row[0] for row in BILLED])
def test_one_operation_that_two_code_systems_date_a_day_apart_is_one(
    codes: list[tuple[str, float, str, str]], count: int
) -> None:
    record = person().fracture("L1", 30)
    for level, days, code, system in codes:
        record.cement(level, days, code, system)
    with_hours = [e for e in case_of(record).episodes if e.kind is EpisodeKind.PROCEDURE]
    for body in record.resources:
        if body["resourceType"] == "Procedure":
            body["performedDateTime"] = body["performedDateTime"][:10]
    for rows in permutations(record.resources[2:]):
        record.resources[2:] = rows
        found = [e for e in case_of(record).episodes if e.kind is EpisodeKind.PROCEDURE]
        assert len(found) == count
    if count == 1:
        assert len(with_hours) == 2, "an hour is no slip of a clerk"
