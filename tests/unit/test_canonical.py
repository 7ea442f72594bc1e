"""Canonical JSON: one value, one sequence of bytes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from pathway.canonical import canonical, instant, parse, parse_instant

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | text
    | st.decimals(allow_nan=False, allow_infinity=False, places=2),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(text.filter(lambda k: k != "decimal"), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(plain)
def test_what_was_written_is_read_back(value: object) -> None:
    assert parse(canonical(value)) == value


@given(st.dictionaries(text, st.integers(0, 9), max_size=8), st.randoms())
def test_the_order_of_keys_never_changes_a_byte(value: dict[str, int], chance: object) -> None:
    items = list(value.items())
    chance.shuffle(items)  # type: ignore[attr-defined]
    assert canonical(dict(items)) == canonical(value)


def test_the_last_digit_of_a_decimal_survives() -> None:
    assert canonical(Decimal("2.50")) == b'{"decimal":"2.50"}'
    assert str(parse(canonical({"x": Decimal("2.50")}))["x"]) == "2.50"


def test_floats_are_refused() -> None:
    with pytest.raises(TypeError, match="Decimal"):
        canonical({"x": 1.5})


def test_instants_are_utc_whatever_zone_they_came_in() -> None:
    at = datetime(2026, 11, 22, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    assert instant(at) == "2026-11-22T12:00:00Z"
    assert parse_instant(instant(at)) == at
    with pytest.raises(TypeError, match="zone"):
        instant(datetime(2026, 11, 22, tzinfo=UTC).replace(tzinfo=None))


everything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-(2**53), 2**53) | st.text(max_size=12) | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=6),
    max_leaves=16,
)
"""Also what is refused: integers beyond 2^53, floats, half surrogate pairs."""


@given(everything)
def test_the_bytes_are_those_of_rfc_8785_and_so_is_what_is_refused(value: object) -> None:
    expected = written(rfc8785.dumps, value)
    if holds_a_float(value):
        assert written(canonical, value) is None
    else:
        assert written(canonical, value) == expected


def test_keys_are_sorted_by_utf_16_units_not_by_code_points() -> None:
    """U+10000 is written with the units D800 DC00, so it stands before U+E000."""
    assert canonical({"\ue000": 1, "\U00010000": 2}) == '{"\U00010000":2,"\ue000":1}'.encode()


@pytest.mark.parametrize("number", [2**53 - 1, -(2**53) + 1])
def test_an_integer_that_every_json_reader_keeps_is_written(number: int) -> None:
    assert canonical([number]) == f"[{number}]".encode()
    with pytest.raises(ValueError, match="safe integer"):
        canonical([number + (1 if number > 0 else -1)])


def written(write: Callable[[object], bytes], value: object) -> bytes | None:
    try:
        return write(value)
    except (ValueError, TypeError):
        return None


def holds_a_float(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(holds_a_float, value.values()))
    return isinstance(value, float) or (isinstance(value, list) and any(map(holds_a_float, value)))
