"""Fractures after cement: which lies how far from it, what lies between, how many came, and what sank again."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.demo.record import Record
from adapters.fhir.new_fracture_facts import sandwich
from pathway.facts import Fact, Interval, Reason
from pathway.levels import LEVELS, UNSPECIFIED, apart, neighbours, order
from tests.world import case_of, person

LEVEL = st.sampled_from(LEVELS)
SOME = st.lists(LEVEL, max_size=8)


def at(record: Record, datum: str, level: str) -> Fact:
    (sheet,) = (sheet for sheet in case_of(record).levels if sheet.level == level)
    return sheet.facts[datum]


def of(record: Record, datum: str) -> Fact:
    return case_of(record).person.facts[datum]


def sunk(record: Record, level: str = "L1") -> Fact:
    (sheet,) = (sheet for sheet in case_of(record).treated if sheet.level == level)
    return sheet.facts["recollapse"]


def two() -> Record:
    """T12 and L1 cemented four weeks ago."""
    return person().fracture("T12", 60).fracture("L1", 60).cement("T12", 28).cement("L1", 28)


@pytest.mark.parametrize(
    ("level", "word", "cemented"),
    [
        ("T11", "adjacent", "T12"),
        ("L2", "adjacent", "L1"),
        ("T10", "two-away", "T12"),
        ("L3", "two-away", "L1"),
        ("T9", "elsewhere", "T12"),
        ("L5", "elsewhere", "L1"),
    ],
)
def test_a_fracture_that_began_after_cement_has_its_distance_from_it(level: str, word: str, cemented: str) -> None:
    fact = at(two().fracture(level, 2), "next-to-cement", level)
    assert (fact.value, fact.detail["cemented"], fact.sources) == (word, cemented, ("Condition/p1-fx-3",))
    assert fact.at is not None
    assert fact.at.isoformat() == "2026-11-20T12:00:00+00:00", "its onset"


def test_between_two_cemented_vertebrae_both_are_named() -> None:
    record = person().fracture("T11", 90).cement("T11", 80).fracture("L1", 60).cement("L1", 50).fracture("T12", 3)
    assert at(record, "next-to-cement", "T12").detail["cemented"] == "T11 and L1"
    assert at(record, "sandwiched", "T12").value == "between"
    assert at(record, "sandwiched", "T11").value == "bounds"


NOT_AFTER: dict[str, tuple[str, Callable[[], Record]]] = {
    "it began before the cement": ("T11", lambda: two().fracture("T11", 29)),
    "it is the cemented one": ("L1", two),
    "it is the cemented one, dated by a claim after its operation": (
        "L1",
        lambda: person().fracture("T12", 60).fracture("L1", 26).cement("T12", 28).cement("L1", 28),
    ),
    "no cement is on record": ("T11", lambda: person().fracture("T12", 60).fracture("T11", 2)),
    "an old deformity is seen by chance": ("T11", lambda: two().height_loss("T11", 30, 2)),
    "a deformity is measured by other means": (
        "T11",
        lambda: two().height_loss("T11", 10, 40, "mri").height_loss("T11", 30, 2, "ct"),
    ),
}


@pytest.mark.parametrize("why", NOT_AFTER)
def test_a_fracture_that_did_not_begin_after_cement_elsewhere_has_none(why: str) -> None:
    level, record = NOT_AFTER[why]
    assert at(record(), "next-to-cement", level).reason is Reason.NOT_RECORDED


@pytest.mark.parametrize(
    "doubtful",
    [
        lambda r: r.fracture("T11", 2, stated=False),
        lambda r: r.fracture("T11", 2, verification="provisional"),
        lambda r: r.fracture("T11", 2, stated=False).oedema("T11", True, 1),
    ],
)
def test_without_a_sure_onset_the_distance_is_unconfirmed(doubtful: Callable[[Record], Record]) -> None:
    fact = at(doubtful(two()), "next-to-cement", "T11")
    assert (fact.reason, fact.candidate) == (Reason.UNCONFIRMED, "adjacent")


@pytest.mark.parametrize(
    "shown",
    [
        lambda r: r.oedema("T11", True, 2),
        lambda r: r.height_loss("T11", 0, 40).height_loss("T11", 25, 2),
        lambda r: r.height_loss("T11", 20, 40, "ct").height_loss("T11", 25, 2, "ct"),
    ],
)
def test_a_first_sign_in_images_after_cement_is_as_good(shown: Callable[[Record], Record]) -> None:
    assert at(shown(two()), "next-to-cement", "T11").value == "adjacent"


@given(LEVEL, LEVEL)
def test_distance_is_the_same_from_both_ends(one: str, other: str) -> None:
    assert apart(one, other) == apart(other, one)
    assert (apart(one, other) == 1) is (other in neighbours(one))
    assert (apart(one, other) == 0) is (one == other)


@given(SOME, st.randoms(use_true_random=False))
def test_a_sandwich_lies_only_between_two_cemented_vertebrae(cemented: list[str], rng: random.Random) -> None:
    between, bounds = sandwich(cemented)
    for level in between:
        above = [other for other in cemented if 1 <= order(level) - order(other) <= 2]
        below = [other for other in cemented if 1 <= order(other) - order(level) <= 2]
        assert above
        assert below
        assert level not in cemented
    assert bounds <= set(cemented)
    assert bool(between) is bool(bounds)
    rng.shuffle(cemented)
    assert sandwich([*cemented, UNSPECIFIED, *cemented]) == (between, bounds), "neither order nor doubles matter"


@pytest.mark.parametrize(
    ("cemented", "between"),
    [
        (["T11", "L1"], {"T12"}),
        (["T10", "L1"], {"T11", "T12"}),
        (["T9", "L1"], set()),
        (["T12", "L1"], set()),
        (["T8", "T10", "T12"], {"T9", "T11"}),
    ],
)
def test_one_or_two_vertebrae_make_a_sandwich_and_three_do_not(cemented: list[str], between: set[str]) -> None:
    assert sandwich(cemented)[0] == between


def test_with_cement_in_an_unnamed_vertebra_no_sandwich_is_not_sure() -> None:
    assert at(person().cement("L1", 9).cement("", 40), "sandwiched", "L1").reason is Reason.UNCONFIRMED
    assert at(person().cement("L1", 9), "sandwiched", "L1").value == "neither"


# --- how many


COUNTS: dict[str, tuple[tuple[int, int], tuple[int, int], Callable[[], Record]]] = {
    "two at first": ((2, 2), (0, 0), two),
    "a third after cement": ((3, 3), (1, 1), lambda: two().fracture("T11", 2)),
    "two more within three months": ((4, 4), (2, 2), lambda: two().fracture("T11", 20).fracture("L3", 2)),
    "two more, ninety-two days apart": (
        (3, 3),
        (2, 2),
        lambda: person().fracture("L1", 200).cement("L1", 190).fracture("T11", 102).fracture("L3", 10),
    ),
    "two more, ninety-three days apart": (
        (3, 3),
        (1, 1),
        lambda: person().fracture("L1", 200).cement("L1", 190).fracture("T11", 103).fracture("L3", 10),
    ),
    "a code without its vertebra": ((2, 3), (0, 1), lambda: two().fracture("", 2)),
    "a suspected one": ((2, 3), (0, 1), lambda: two().fracture("T11", 2, verification="provisional")),
    "one without an onset": ((3, 3), (0, 1), lambda: two().fracture("T11", 2, stated=False)),
    "the same coded again without an onset, much later": (
        (1, 2),
        (0, 1),
        lambda: person().fracture("L1", 300).cement("L1", 290).fracture("L1", 5, stated=False),
    ),
    "one through a tumour": ((2, 2), (0, 0), lambda: two().fracture("T11", 2, "M84.58XA")),
}


@pytest.mark.parametrize("what", COUNTS)
def test_fractures_are_counted_from_the_sure_ones_to_all_that_may_be(what: str) -> None:
    every, late, record = COUNTS[what]
    assert of(record(), "fracture-episodes").value == Interval(*every)
    assert of(record(), "fractures-in-three-months").value == Interval(*late)


def test_without_a_fracture_there_is_no_number() -> None:
    assert of(person().cement("L1", 9), "fracture-episodes").reason is Reason.NOT_RECORDED


def test_a_review_counts_if_it_is_signed_and_later_than_the_last_fracture() -> None:
    assert of(two().fracture("T11", 9).finding("cluster-review", "yes", 2), "cluster-review").value is True
    assert of(two().finding("cluster-review", "yes", 12).fracture("T11", 9), "cluster-review").reason is Reason.STALE
    loose = two().finding("cluster-review", "yes", 2)
    del loose.resources[-1]["performer"]
    assert of(loose, "cluster-review").reason is Reason.UNCONFIRMED


# --- the cemented vertebra


def one() -> Record:
    return person().fracture("L1", 90).height_loss("L1", 20, 61, "radiograph").cement("L1", 60)


SUNK: dict[str, Callable[[], Record]] = {
    "a finding": lambda: one().finding("recollapse", "present", 5, level="L1"),
    "a finding of the only vertebra": lambda: one().finding("recollapse", "present", 5),
    "a cleft that cement left open": lambda: one().finding("intravertebral-cleft", "present", 5, level="L1"),
    "five points more on films of one technique": lambda: (
        one().height_loss("L1", 10, 50, "radiograph").height_loss("L1", 15, 5, "radiograph")
    ),
}
NOT_SUNK: dict[str, Callable[[], Record]] = {
    "nobody looked": one,
    "a cleft before cement": lambda: one().finding("intravertebral-cleft", "present", 61, level="L1"),
    "height from before cement": lambda: one().height_loss("L1", 30, 5, "radiograph"),
    "four points more": lambda: one().height_loss("L1", 10, 50, "ct").height_loss("L1", 14, 5, "ct"),
    "films of two techniques": lambda: one().height_loss("L1", 10, 50, "ct").height_loss("L1", 30, 5, "mri"),
    "another vertebra": lambda: one().finding("recollapse", "present", 5, level="T4"),
}


@pytest.mark.parametrize("what", SUNK)
def test_a_sign_after_cement_shows_that_it_sank_until_a_surgeon_looked(what: str) -> None:
    assert sunk(SUNK[what]()).value == "seen"
    early = SUNK[what]().finding("surgeon-opinion", "yes", 6, level="L1")
    assert sunk(early).value == "seen", "from before the sign"
    assert sunk(early.finding("surgeon-opinion", "yes", 1, level="L1")).value == "reviewed"


@pytest.mark.parametrize("what", NOT_SUNK)
def test_what_is_older_or_less_shows_nothing(what: str) -> None:
    assert sunk(NOT_SUNK[what]()).reason is Reason.NOT_RECORDED


def sunk_by(*films: tuple[int, float, str]) -> Record:
    record = one()
    for loss, days, technique in films:
        record.height_loss("L1", loss, days, technique)
    return record


SANK = ((10, 50, "radiograph"), (20, 40, "radiograph"))


@pytest.mark.parametrize("look", [("surgeon-opinion", "yes", "reviewed"), ("recollapse", "absent", "none")])
def test_what_sinks_on_after_somebody_looked_is_seen_anew(look: tuple[str, str, str]) -> None:
    code, answer, word = look
    looked = sunk_by(*SANK).finding(code, answer, 30, level="L1")
    assert sunk(looked).value == word
    assert sunk(looked.height_loss("L1", 24, 20, "radiograph")).value == word, "four points on"
    assert sunk(looked.height_loss("L1", 40, 19, "ct")).value == word, "by another technique"
    assert sunk(looked.height_loss("L1", 45, 18, "ct")).value == "seen", "two films since, of one technique"
    again = sunk_by(*SANK).finding(code, answer, 30, level="L1").height_loss("L1", 25, 5, "radiograph")
    assert sunk(again).value == "seen", "five points on"
    assert sunk(again.finding("surgeon-opinion", "yes", 1, level="L1")).value == "reviewed"


STUDIES: dict[str, tuple[Callable[[Record], object], bool]] = {
    "an MRI since": (lambda r: r.oedema("L3", False, 2), True),
    "a bone scan since": (lambda r: r.finding("tracer-uptake", "absent", 2, level="L3", technique="bone-scan"), True),
    "the MRI that showed it": (lambda r: r.oedema("L3", False, 5), True),
    "an MRI of before": (lambda r: r.oedema("L3", False, 6), False),
    "an MRI of another vertebra": (lambda r: r.oedema("T4", False, 2), False),
    "an MRI without its technique": (lambda r: r.finding("marrow-oedema", "absent", 2, level="L3"), False),
    "an order": (lambda r: r.order("spine-mri", 2), False),
}


@pytest.mark.parametrize("what", STUDIES)
def test_only_a_study_since_it_lost_height_shows_something_of_it(what: str) -> None:
    add, counts = STUDIES[what]
    record = two().height_loss("L3", 0, 40).height_loss("L3", 25, 5)
    assert at(record, "studied-since-height-loss", "L3").reason is Reason.NOT_RECORDED
    add(record)
    assert (at(record, "studied-since-height-loss", "L3").value is True) is counts
    assert at(record, "next-to-cement", "L3").value == "two-away"


def test_a_later_film_that_shows_nothing_takes_it_back_and_an_unnamed_one_of_two_is_unconfirmed() -> None:
    for what in ("a finding", "five points more on films of one technique"):
        assert sunk(SUNK[what]().finding("recollapse", "absent", 1, level="L1")).value == "none"
    fact = sunk(two().finding("recollapse", "present", 5))
    assert (fact.reason, fact.candidate) == (Reason.UNCONFIRMED, "seen")
