"""Pain after cement put into one word, what counts as a score of it, and what was done about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.demo.record import Record, concept
from adapters.fhir.pain_course import BAD, course
from adapters.fhir.reading import LEVEL
from pathway.facts import Fact, Reason
from tests.world import case_of, person

SCORES = st.integers(0, 20).map(lambda half: Decimal(half) / 2)
AFTER = st.lists(SCORES, min_size=1, max_size=6)


def of(record: Record, datum: str, level: str = "L1", event: int = -1) -> Fact:
    rows = [sheet for sheet in case_of(record).treated if sheet.level == level]
    return rows[event].facts[datum]


def cemented(days: float = 40, before: int | None = 8) -> Record:
    record = person().fracture("L1", days + 30)
    return (record if before is None else record.pain(before, days + 1)).cement("L1", days)


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        (8, [3], "responded"),
        (8, [Decimal("6.5")], "responded"),
        (8, [Decimal("6.6")], "unchanged"),
        (4, [Decimal("3.9")], "responded"),
        (4, [4], "unchanged"),
        (8, [8], "unchanged"),
        (6, [Decimal("7.5")], "worse"),
        (6, [Decimal("7.4")], "unchanged"),
        (8, [2, 2, 7], "returned"),
        (8, [2, Decimal("3.9")], "responded"),
        (8, [2, 4], "returned"),
        (8, [Decimal("2.6"), 4], "responded"),
        (8, [3, 9], "returned"),
        (8, [8, 9, 3], "responded"),
        (8, [2, 7, 2], "responded"),
        (8, [9, 9], "unchanged"),
        (8, [7, 10], "worse"),
    ],
)
def test_the_scores_after_cement_come_to_one_word(before: int, after: list[Decimal], word: str) -> None:
    assert course(Decimal(before), [Decimal(score) for score in after]) == word


@given(SCORES, AFTER, SCORES, SCORES)
def test_a_higher_last_score_never_makes_the_word_better(
    before: Decimal, earlier: Sequence[Decimal], one: Decimal, other: Decimal
) -> None:
    rank = {"responded": 0, "unchanged": 1, "worse": 2, "returned": 3}
    low, high = sorted((one, other))
    assert rank[course(before, [*earlier, low])] <= rank[course(before, [*earlier, high])]


@given(SCORES, AFTER, SCORES, st.integers(0, 6))
def test_one_more_earlier_score_never_takes_back_that_pain_fell_or_came_back(
    before: Decimal, after: list[Decimal], more: Decimal, place: int
) -> None:
    was, now = (
        course(before, after),
        course(before, [*after[: min(place, len(after) - 1)], more, *after[min(place, len(after) - 1) :]]),
    )
    assert now in {"returned": ("returned",), "responded": ("responded", "returned")}.get(
        was, ("responded", "returned", was)
    )


@pytest.mark.parametrize(
    ("days", "fall", "day"), [([39], 5, 1), ([39, 33], 5, 7), ([39, 33, 1], 5, 39)], ids=["day 1", "a week", "last"]
)
def test_the_fall_and_its_day_are_of_the_last_score(days: list[int], fall: int, day: int) -> None:
    record = cemented()
    for ago in days:
        record.pain(3, ago)
    assert (of(record, "pain-fall").value, of(record, "pain-day").value) == (fall, day)
    assert of(record, "pain-course").sources[0] == "Observation/p1-pain-1", "what it is compared with"
    assert of(record, "pain-course").detail == {"before": "8", "after": "3"}


LOOSE: dict[str, Callable[[], Record]] = {
    "nobody scored before": lambda: cemented(before=None).pain(7, 5),
    "nobody scored after": lambda: cemented(),
    "the score before is of two months ago": lambda: cemented(before=None).pain(8, 71).pain(7, 5),
    "the score after has no place": lambda: cemented().pain(7, 5, site=False),
    "the score before has no place": lambda: cemented(before=None).pain(8, 41, site=False).pain(7, 5),
    "the score after is preliminary": lambda: cemented().pain(7, 5, status="preliminary"),
    "the score after was taken back": lambda: cemented().pain(7, 5, status="entered-in-error"),
}


@pytest.mark.parametrize("why", LOOSE)
def test_without_a_score_before_and_after_with_its_place_nothing_is_known(why: str) -> None:
    for datum in ("pain-course", "pain-fall"):
        assert of(LOOSE[why](), datum).reason is Reason.NOT_RECORDED


@pytest.mark.parametrize("why", LOOSE)
def test_a_score_with_its_place_has_its_day_whether_or_not_one_came_before(why: str) -> None:
    assert of(LOOSE[why](), "pain-day").value == (35 if "before" in why else None)


def test_scores_on_movement_and_at_rest_are_not_compared() -> None:
    fact = of(cemented().pain(2, 5, moving=False), "pain-course")
    assert (fact.reason, fact.candidate) == (Reason.UNCONFIRMED, "responded")
    both = cemented().pain(2, 5, moving=False).pain(7, 5)
    assert of(both, "pain-course").value == "unchanged", "of one day the one on movement"


def told(later: int, *, before: int = 30, bad: int = 10, after: int = 9, rest: int | None = 5) -> Fact:
    """From 8 on movement before cement to 8 some days ago, and a score at rest since."""
    record = cemented(before)
    record = record if rest is None else record.pain(rest, before + 1, moving=False)
    return of(record.pain(8, bad).pain(later, after, moving=False), "pain-course")


def test_less_pain_at_rest_answers_no_pain_on_movement() -> None:
    assert (told(2).value, told(2).detail) == ("unchanged", {"before": "8", "after": "8"})
    assert told(2, rest=None).value == "unchanged", "nor does a rest that is compared with nothing"
    assert told(9).value == "worse", "but more pain at rest is heard"
    assert told(2, before=16).value == "responded", "bad in the first days"
    assert told(2, before=17).value == "unchanged", "bad on the seventh day"
    assert told(2, before=110, bad=95, after=5).value == "unchanged", "ninety days ago"
    assert told(2, before=110, bad=96, after=5).value == "responded", "ninety-one days ago"


def test_a_later_score_on_movement_ends_what_was_bad_on_movement() -> None:
    record = cemented(30).pain(5, 31, moving=False).pain(8, 10).pain(2, 9, moving=False).pain(3, 8)
    assert of(record, "pain-course").value == "responded"


def test_what_was_done_while_pain_was_less_was_not_done_about_this_pain() -> None:
    record = cemented(60, before=7).pain(7, 50).oedema("L1", False, 49)
    assert of(record, "imaged-for-pain").value is True
    assert of(record.pain(8, 20), "imaged-for-pain").value is True, "by one point"
    assert of(record.pain(9, 10), "imaged-for-pain").reason is Reason.NOT_RECORDED, "by two"
    assert of(record.oedema("L1", False, 9), "imaged-for-pain").value is True


def test_the_last_score_of_a_day_counts_in_whatever_order_they_come() -> None:
    record = cemented().pain(2, 20).pain(8, 5.3).pain(2, 5.2)
    assert of(record, "pain-course").value == "responded"
    record.resources[1:] = reversed(record.resources[1:])
    assert of(record, "pain-course").value == "responded"


def at(record: Record, level: str) -> Record:
    record.resources[-1]["bodySite"] = concept(LEVEL, level)
    return record


@pytest.mark.parametrize(("level", "word"), [("L1", "returned"), ("T12", "returned"), ("T4", "responded")])
def test_a_score_at_a_vertebra_far_away_says_nothing_of_this_one(level: str, word: str) -> None:
    assert of(at(cemented().pain(2, 20).pain(8, 5), level), "pain-course").value == word


def test_scores_after_the_next_procedure_are_of_that_one() -> None:
    record = cemented().pain(2, 20).pain(7, 11).fracture("T11", 12).cement("T11", 10).pain(1, 5)
    assert (of(record, "pain-course").value, of(record, "pain-day").value) == ("returned", 29)
    assert (of(record, "pain-course", "T11").value, of(record, "pain-fall", "T11").value) == ("responded", 6)


def test_function_after_cement_counts_from_the_procedure_on() -> None:
    record = cemented().disability(20, 41)
    assert of(record, "function-after-cement").reason is Reason.NOT_RECORDED
    record.disability(9, 10)
    assert (of(record, "function-after-cement").value, of(record, "function-day").value) == (9, 30)
    doubted = of(cemented().disability(9, 10, status="preliminary"), "function-day")
    assert (doubted.reason, doubted.candidate) == (Reason.UNCONFIRMED, 30)


# --- new pain, and the work-up

DONE: dict[str, tuple[str, Callable[[Record], object]]] = {
    "an MRI finding": ("imaged-for-pain", lambda r: r.oedema("T11", False, 2)),
    "a bone scan": (
        "imaged-for-pain",
        lambda r: r.finding("tracer-uptake", "present", 2, level="L3", technique="bone-scan"),
    ),
    "an MRI that was read": ("imaged-for-pain", lambda r: r.study("MR", 2).report(1)),
    "CRP": ("markers-for-pain", lambda r: r.lab("1988-5", 3, "mg/L", 2)),
    "a finding": ("markers-for-pain", lambda r: r.finding("inflammation-markers", "normal", 2)),
}
NOT_DONE: dict[str, tuple[str, Callable[[Record], object]]] = {
    "an MRI from before the pain": ("imaged-for-pain", lambda r: r.oedema("T11", False, 9)),
    "an MRI finding without its technique": (
        "imaged-for-pain",
        lambda r: r.finding("marrow-oedema", "absent", 2, level="T11"),
    ),
    "a CT": ("imaged-for-pain", lambda r: r.study("CT", 2).report(1)),
    "an MRI of the knee": ("imaged-for-pain", lambda r: r.study("MR", 2, spine=False).report(1)),
    "an order": ("imaged-for-pain", lambda r: r.order("spine-mri", 2)),
    "CRP from before the pain": ("markers-for-pain", lambda r: r.lab("1988-5", 3, "mg/L", 9)),
    "leucocytes": ("markers-for-pain", lambda r: r.lab("6690-2", 7, "10*3/uL", 2)),
}
BROKE_OUT: dict[str, Callable[[], Record]] = {
    "by scores": lambda: cemented().pain(2, 30).pain(7, 5).pain(8, 3),
    "told": lambda: cemented().finding("new-back-pain", "present", 5).finding("new-back-pain", "present", 3),
}


@pytest.mark.parametrize("how", BROKE_OUT)
@pytest.mark.parametrize("what", DONE)
def test_what_was_done_since_the_pain_began_counts(how: str, what: str) -> None:
    datum, add = DONE[what]
    record = BROKE_OUT[how]()
    assert of(record, datum).reason is Reason.NOT_RECORDED
    add(record)
    assert of(record, datum).value is True


@pytest.mark.parametrize("what", NOT_DONE)
def test_what_is_older_or_something_else_does_not_count(what: str) -> None:
    datum, add = NOT_DONE[what]
    record = BROKE_OUT["by scores"]()
    add(record)
    assert of(record, datum).reason is Reason.NOT_RECORDED


@pytest.mark.parametrize("add", [lambda r: r.study("MR", 2), lambda r: r.oedema("T11", True, 2)])
def test_a_study_that_nobody_has_stood_by_is_unconfirmed(add: Callable[[Record], Record]) -> None:
    record = add(BROKE_OUT["told"]())
    if record.resources[-1]["resourceType"] == "Observation":
        record.resources[-1]["status"] = "preliminary"
    assert of(record, "imaged-for-pain").reason is Reason.UNCONFIRMED


def test_new_pain_is_of_the_last_procedure_before_it_and_begins_anew_after_it_was_gone() -> None:
    record = cemented().fracture("T11", 12).cement("T11", 10).finding("new-back-pain", "present", 5)
    assert of(record, "new-back-pain").reason is Reason.NOT_RECORDED
    assert of(record, "new-back-pain", "T11").value is True
    again = cemented().finding("new-back-pain", "present", 30).oedema("T11", False, 28)
    assert of(again, "imaged-for-pain").value is True
    again.finding("new-back-pain", "absent", 20).finding("new-back-pain", "present", 5)
    assert of(again, "imaged-for-pain").reason is Reason.NOT_RECORDED


@pytest.mark.parametrize("word", BAD)
def test_every_word_that_asks_for_a_work_up_has_a_beginning(word: str) -> None:
    last = {"unchanged": 8, "worse": 10, "returned": 7}[word]
    record = (cemented().pain(2, 30) if word == "returned" else cemented()).pain(last, 12).oedema("T11", False, 11)
    assert (of(record, "pain-course").value, of(record, "imaged-for-pain").value) == (word, True)
