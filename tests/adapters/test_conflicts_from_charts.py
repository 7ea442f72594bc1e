"""Where the policies disagree, from bundles: section 16 of the catalogue as an ordinary chart can say it.

`tests/rules/test_conflicts.py` sets the facts by hand; here one Condition, films and scores have to lead there.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from adapters.demo.record import Record
from pathway.decide import decide
from pathway.episodes import EpisodeKind
from pathway.facts import Fact
from tests.rules.book import machines
from tests.rules.test_conflicts import MATRIX
from tests.world import case_of, person

pytestmark = pytest.mark.e2e


def chart(onset: float, pain: int, *, hot: bool = True, care: float | None = None, imaged: float = 3) -> Record:
    """A fracture of L1 that was coded once, at its onset; the film, the examination and the score are of these days."""
    record = person().encounter("AMB", 2, ended=1.9).fracture("L1", onset).tender("L1", True, 2)
    record.oedema("L1", hot, imaged).height_loss("L1", 25, 3).well(2).care(onset - 7 if care is None else care)
    record.finding("care-optimal", "yes", 2, level="L1").finding("physiotherapy-tolerance", "unable", 2)
    record.finding("team-discussion", "yes", 2).finding("surgical-rescue", "present", 2)
    return record.pain(pain, 8).pain(pain, 1)


def in_hospital() -> Record:
    return chart(14, 8, care=13).encounter("IMP", 3)


def myeloma() -> Record:
    record = person(age=66).fracture("L1", 20, "M84.58XA").condition("C90.00", 100).well(2).pain(5, 8).pain(5, 1)
    record.sins("L1", 8, 1).finding("surgeon-opinion", "yes", 1, level="L1")
    record.height_loss("L1", 25, 3).finding("posterior-wall", "intact", 3, level="L1", technique="ct")
    return record.finding("spinal-stenosis", "absent", 3, level="L1")


CHARTS: Mapping[str, Callable[[], Record]] = {
    "16 weeks, oedema, pain 8": lambda: chart(112, 8),
    "2 weeks, pain 8, in hospital": in_hospital,
    "8 weeks, pain 6, stable, one factor": lambda: chart(56, 6),
    "no oedema, old": lambda: chart(400, 7, hot=False),
    "myeloma, pain 5": myeloma,
}
COUNTED = frozenset({"rand-2018"})
"""Goes by counts that no ordinary chart holds; its column stands in tests/rules/test_conflicts.py."""


def outcomes(record: Record) -> dict[str, str]:
    named = [machine for machine in machines() if machine.rule_set.kind == "clinical"]
    rows = decide(case_of(record), named).body["levels"]
    assert {row["level"] for row in rows} == {"L1"}
    return {row["policy"]: row["outcome"] for row in rows}


@pytest.mark.parametrize("row", MATRIX)
def test_a_row_of_the_matrix_is_reached_from_an_ordinary_chart(row: str) -> None:
    found = outcomes(CHARTS[row]())
    cells = {policy: expected for policy, (_, expected) in MATRIX[row][1].items() if policy in found}
    assert {p: found[p] for p in cells.keys() - COUNTED} == {p: cells[p] for p in cells.keys() - COUNTED}


# --- one fracture, however long it stays hot


def facts(record: Record) -> Mapping[str, Fact]:
    (sheet,) = case_of(record).levels
    return sheet.facts


def episodes(record: Record) -> list[Any]:
    return [e for e in case_of(record).episodes if e.kind is EpisodeKind.FRACTURE]


@pytest.mark.parametrize("onset", [84, 87, 88, 100, 112, 180, 364])
def test_a_film_that_is_still_hot_is_of_the_fracture_on_record(onset: int) -> None:
    said = facts(chart(onset, 8))
    assert (said["days-since-onset"].value, said["fracture-cause"].value) == (onset, "osteoporotic")
    assert said["conservative-care-days"].value == onset - 7
    assert len(episodes(chart(onset, 8))) == 1


def test_a_film_that_is_hot_again_after_a_cold_one_is_of_a_new_fracture() -> None:
    assert len(episodes(chart(112, 8))) == 1
    assert len(episodes(chart(112, 8).oedema("L1", False, 60))) == 2
    assert len(episodes(chart(112, 8).oedema("L1", False, 60, "t1"))) == 1  # nothing adequate said that it was cold


def test_a_fracture_called_over_or_cemented_is_not_the_one_that_is_hot() -> None:
    resolved = chart(112, 8)
    resolved.resources[2]["clinicalStatus"]["coding"][0]["code"] = "resolved"
    assert len(episodes(resolved)) == 2
    assert len(episodes(chart(112, 8).cement("L1", 60))) == 2


def test_a_later_onset_at_the_same_vertebra_takes_the_film() -> None:
    twice = chart(112, 8).fracture("L1", 10)
    assert facts(twice)["days-since-onset"].value == 10
    assert len(episodes(twice)) == 2


def test_a_readmission_without_an_onset_beside_the_film_opens_no_second_one() -> None:
    again = chart(112, 8).fracture("L1", 4, "M80.08XD", stated=False)
    assert len(episodes(again)) == 1
    assert facts(again)["days-since-onset"].value == 112


# --- freshness: a fresh MRI decides over a scan


def acuity(*studies: tuple[str, bool, float]) -> Fact:
    record = person().fracture("L1", 80).tender("L1", True, 2).well(2).care(28).pain(8, 26).pain(8, 1)
    for technique, hot, days in studies:
        name = "marrow-oedema" if technique == "stir" else "tracer-uptake"
        record.finding(name, "present" if hot else "absent", days, level="L1", technique=technique)
    return facts(record)["acuity-imaging"]


@pytest.mark.parametrize(
    ("studies", "value"),
    [
        ([("stir", False, 2), ("bone-scan", True, 1)], "none"),
        ([("stir", True, 2), ("bone-scan", False, 1)], None),  # a later scan that finds nothing: in doubt
        ([("stir", True, 1), ("bone-scan", False, 2)], "oedema-or-uptake"),
        ([("stir", False, 29), ("spect-ct", True, 1)], "none"),
        ([("stir", False, 31), ("spect-ct", True, 1)], "oedema-or-uptake"),
        ([("stir", True, 60), ("bone-scan", False, 1)], "none"),
        ([("bone-scan", True, 5), ("stir", False, 1)], "none"),
        ([("bone-scan", True, 5)], "oedema-or-uptake"),
    ],
)
def test_a_fresh_mri_decides_over_a_scan_and_an_old_one_does_not(
    studies: list[tuple[str, bool, float]], value: str | None
) -> None:
    assert acuity(*studies).value == value


def tasks(record: Record) -> dict[str, list[str]]:
    named = [machine for machine in machines() if machine.rule_set.id == "candidacy"]
    body = decide(case_of(record), named).body
    return {o["rule"]: [str(line) for line in o["why"]] for o in body["obligations"] if o["state"] == "open"}


def unimaged() -> Record:
    return person().fracture("L1", 30).tender("L1", True, 2).well(2).care(28).pain(8, 26).pain(8, 1)


def test_a_negative_mri_asks_for_no_second_one_whatever_a_scan_says() -> None:
    record = unimaged().oedema("L1", False, 2)
    record.finding("tracer-uptake", "present", 1, level="L1", technique="bone-scan")
    assert "candidacy.order-spine-mri" not in tasks(record)


@pytest.mark.parametrize("answers", [["present"], ["present", "absent"]])
def test_where_mri_may_be_unsafe_the_scan_is_asked_for_and_its_words_do_not_begin_with_mri(answers: list[str]) -> None:
    record = unimaged()
    assert "candidacy.order-spine-mri" in tasks(record)
    for answer in answers:
        record.finding("mri-unsafe", answer, 1)
    found = tasks(record)
    assert "candidacy.order-spine-mri" not in found
    assert not any("Order MRI" in line for line in found["candidacy.order-bone-scan"])
