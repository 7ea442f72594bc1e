"""Vertebral levels: order, neighbours, ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathway.errors import BadInputError
from pathway.levels import LEVELS, UNSPECIFIED, WHOLE_SPINE, LevelRange, neighbours, order, sort_key

levels = st.sampled_from(LEVELS)
ranges = st.tuples(st.integers(1, 25), st.integers(1, 25)).map(lambda p: LevelRange(min(p), max(p)))


def test_the_spine_has_its_order() -> None:
    assert [order(x) for x in ("C1", "C7", "T1", "T12", "L1", "L5", "S1")] == [1, 7, 8, 19, 20, 24, 25]


@pytest.mark.parametrize("level", ["L6", "T13", "l1", "", "unspecified", "a very long text that is no level"])
def test_what_is_no_vertebra_is_refused_with_a_fix_and_long_texts_are_not_echoed(level: str) -> None:
    with pytest.raises(BadInputError, match="C1 to C7") as fault:
        order(level)
    assert "very long" not in str(fault.value)


@given(levels)
def test_neighbours_are_mutual_and_next_to_each_other(level: str) -> None:
    for other in neighbours(level):
        assert level in neighbours(other)
        assert abs(order(level) - order(other)) == 1


def test_neighbours_cross_from_chest_to_loin_and_end_at_the_ends() -> None:
    assert neighbours("T12") == ("T11", "L1")
    assert neighbours("C1") == ("C2",)
    assert neighbours("S1") == ("L5",)


@given(ranges, ranges)
def test_what_two_ranges_share_lies_in_both(one: LevelRange, other: LevelRange) -> None:
    shared = one.meet(other)
    both = {x for x in LEVELS if one.holds(x) and other.holds(x)}
    assert both == ({x for x in LEVELS if shared.holds(x)} if shared else set())


@given(ranges)
def test_a_range_reads_back_what_it_writes(place: LevelRange) -> None:
    assert LevelRange.parse(str(place)) == place


def test_only_a_range_of_one_names_a_level() -> None:
    assert LevelRange.parse("L1").level == "L1"
    assert LevelRange.parse("T11-T12").level == UNSPECIFIED == WHOLE_SPINE.level


def test_a_range_that_runs_upwards_is_refused() -> None:
    with pytest.raises(BadInputError, match="upper level first"):
        LevelRange.parse("L1-T12")


def test_unspecified_sorts_last() -> None:
    assert sorted([UNSPECIFIED, "L1", "T12", "S1"], key=sort_key) == ["T12", "L1", "S1", UNSPECIFIED]
