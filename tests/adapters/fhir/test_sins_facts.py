"""SINS: what is scored narrows the interval, what is not leaves it open; a total outweighs parts no younger."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.demo.record import Record
from adapters.fhir.sins_facts import PARTS, location
from pathway.facts import Fact, Interval, Reason
from pathway.levels import LEVELS
from tests.adapters.fhir.vertebrae import ONSET, facts, likely, silent, two
from tests.world import person, read

FULL = {
    "sins-pain": "mechanical", "tumour-lesion": "lytic", "sins-alignment": "new-deformity",
    "sins-collapse": "over-half", "sins-posterolateral": "bilateral",
}  # fmt: skip
ANSWERED = st.fixed_dictionaries({}, optional={code: st.sampled_from(list(PARTS[code])) for code in PARTS})
PLACES = st.sampled_from(LEVELS)


def sins(record: Record, level: str = "L1") -> Fact:
    return facts(record, level)["sins"]


def scored(answers: Mapping[str, str], level: str = "L1", *, seed: int | None = None) -> Fact:
    rows = list(answers.items())
    if seed is not None:
        random.Random(seed).shuffle(rows)
    record = person().fracture(level, ONSET)
    for code, answer in rows:
        record.finding(code, answer, 1, level=level)
    return sins(record, level)


def ends(fact: Fact) -> tuple[int, int]:
    """The interval of a score; nothing recorded is any score."""
    value = fact.value if fact.known else Interval(0, 18)
    assert isinstance(value, Interval)
    return value.lo, value.hi


# --- the parts as Fisher 2010 has them


@pytest.mark.parametrize(
    ("levels", "points"),
    [
        (["C1", "C2", "C7", "T1", "T2", "T11", "T12", "L1", "L5"], 3),
        (["C3", "C4", "C5", "C6", "L2", "L3", "L4"], 2),
        (["T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10"], 1),
    ],
)
def test_the_place_counts_by_how_the_spine_moves_there(levels: list[str], points: int) -> None:
    assert {location(level) for level in levels} == {Interval(points, points)}


def test_the_sacrum_as_a_whole_is_junctional_above_and_rigid_below() -> None:
    assert location("S1") == Interval(0, 3)
    assert [level for level in LEVELS if location(level).lo != location(level).hi] == ["S1"]


def test_the_least_and_the_most_that_can_be_scored_are_the_published_ones() -> None:
    assert sum(max(points.values()) for points in PARTS.values()) + 3 == 18
    assert all(min(points.values()) == 0 for points in PARTS.values())


def test_every_part_scored_is_one_number() -> None:
    assert ends(sins(two().attest(FULL, 1, level="L1"))) == (16, 16)
    assert ends(scored(FULL)) == (16, 16)
    assert scored(FULL).detail == {}
    assert ends(scored({code: list(PARTS[code])[-1] for code in PARTS}, "T5")) == (1, 1)


def test_each_missing_part_counts_from_its_least_to_its_most_and_is_named() -> None:
    fact = scored({"sins-pain": "mechanical", "tumour-lesion": "lytic"})
    assert ends(fact) == (8, 18)
    assert fact.detail["missing"] == "alignment, collapse, posterolateral"
    assert ends(scored({"tumour-lesion": "blastic"}, "T5")) == (1, 14)


def test_without_a_part_or_a_total_nothing_is_known_though_the_place_is() -> None:
    assert silent(sins(two()))
    assert silent(sins(two().finding("sins-pain", "mechanical", 1, level="L3")))
    assert silent(sins(two().finding("sins-pain", "mechanical", 1)))


# --- in every combination


@pytest.mark.slow
def test_all_combinations_lie_in_the_bounds_and_add_up() -> None:
    for answers in product(*([(code, a) for a in PARTS[code]] for code in PARTS)):
        fact = scored(dict(answers))
        assert ends(fact) == (points := 3 + sum(PARTS[code][answer] for code, answer in answers), points)


@settings(max_examples=40)
@given(ANSWERED, PLACES, st.data())
def test_knowing_one_part_more_never_widens_the_score(answers: dict[str, str], level: str, data: st.DataObject) -> None:
    fewer = dict(answers)
    if answers:
        del fewer[data.draw(st.sampled_from(sorted(answers)))]
    (lo, hi), (least, most) = ends(scored(answers, level)), ends(scored(fewer, level))
    assert 0 <= least <= lo <= hi <= most <= 18


@settings(max_examples=40)
@given(ANSWERED, PLACES, st.integers(0, 99))
def test_the_order_of_the_parts_never_matters(answers: dict[str, str], level: str, seed: int) -> None:
    one, other = scored(answers, level), scored(answers, level, seed=seed)
    assert (one.value, one.at, set(one.sources)) == (other.value, other.at, set(other.sources))


# --- each part: latest, unconfirmed, conflicting


@pytest.mark.parametrize("code", PARTS)
def test_the_latest_answer_of_a_part_counts_and_a_doubtful_one_leaves_it_open(code: str) -> None:
    most, *_, least = PARTS[code]

    def part(*rows: tuple[str, float, str]) -> tuple[int, int]:
        record = person().fracture("L1", ONSET)
        for other, answer in FULL.items():
            if other != code:
                record.finding(other, answer, 3, level="L1")
        for answer, days, status in rows:
            record.finding(code, answer, days, level="L1", status=status)
        return ends(sins(record))

    rest = 3 + sum(PARTS[other][answer] for other, answer in FULL.items() if other != code)
    top = rest + PARTS[code][most]
    assert part((least, 9, "final"), (most, 1, "final")) == (top, top)
    assert part((most, 9, "final"), (least, 1, "final")) == (rest, rest)
    assert part((most, 1, "preliminary")) == (rest, top)
    assert part((most, 1, "final"), (least, 1, "final")) == (rest, top)
    assert part((most, 1, "entered-in-error")) == (rest, top)


def test_a_part_from_before_this_fracture_says_nothing_but_the_lesion_does() -> None:
    assert silent(sins(two().finding("sins-alignment", "normal", 60, level="L1")))
    assert ends(sins(two().finding("tumour-lesion", "lytic", 60, level="L1"))) == (5, 18)


def test_a_sum_is_as_old_as_its_oldest_part() -> None:
    record = two().finding("sins-pain", "mechanical", 9, level="L1").finding("tumour-lesion", "lytic", 1, level="L1")
    assert sins(record).at == facts(two().finding("sins-pain", "mechanical", 9, level="L1"))["sins"].at


# --- totals


def test_a_total_as_late_as_the_last_part_outweighs_them_and_an_older_one_does_not() -> None:
    parts = two().finding("sins-pain", "mechanical", 3, level="L1")
    assert ends(sins(parts.sins("L1", 9, 3))) == (9, 9)
    assert ends(sins(parts.sins("L1", 10, 1))) == (10, 10)
    older = two().sins("L1", 9, 4).finding("sins-pain", "mechanical", 3, level="L1")
    assert ends(sins(older)) == (6, 18)
    doubtful = two().sins("L1", 9, 4).finding("sins-pain", "mechanical", 3, level="L1", status="preliminary")
    assert ends(sins(doubtful)) == (9, 9)


def test_a_total_alone_is_the_score_of_its_vertebra_the_latest_of_several() -> None:
    assert ends(sins(two().sins("L1", 0, 1))) == (0, 0)
    assert ends(sins(two().sins("L1", 18, 1))) == (18, 18)
    assert ends(sins(two().sins("L1", 5, 9).sins("L1", 12, 1))) == (12, 12)
    assert silent(sins(two().sins("L3", 5, 1)))
    assert sins(two().sins("L1", 5, 1).sins("L1", 12, 1)).reason is Reason.CONFLICTING
    assert likely(sins(two().sins("L1", 12, 1, status="preliminary")), Interval(12, 12))


@pytest.mark.parametrize(("total", "why"), [("-1", "plausible"), ("19", "plausible"), ("7.5", "a whole number")])
def test_a_total_that_the_score_cannot_be_is_set_aside_at_the_door(total: str, why: str) -> None:
    record = two().sins("L1", 9, 1)
    del record.resources[-1]["valueInteger"]
    record.resources[-1]["valueQuantity"] = {"value": float(total), "code": "{score}"}
    (refused,) = (entry for entry in read(record).entries if not entry.accepted)
    assert why in refused.why
    assert silent(sins(record))


@pytest.mark.parametrize(("total", "accepted"), [(18, True), (19, False)])
def test_an_attested_total_is_looked_at_like_any_other(total: int, accepted: bool) -> None:
    record = two().attest({"sins-total": "normal"}, 1, level="L1")
    (part,) = record.resources[-1]["component"]
    del part["valueCodeableConcept"]
    part["valueInteger"] = total
    assert [entry.accepted for entry in read(record).entries][-1] is accepted
    assert sins(record).known is accepted


def test_a_fracture_without_a_vertebra_has_no_score() -> None:
    record = person().fracture("", ONSET).finding("sins-pain", "mechanical", 1)
    assert silent(facts(record, "unspecified")["sins"])
