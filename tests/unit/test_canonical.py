"""Canonical JSON: one value, one sequence of bytes."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
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
