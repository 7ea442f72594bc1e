"""Strict JSON: nothing is read in two ways, nothing is lost, nothing brings the reader down."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.fhir.strict_json import MAX_DEPTH, MAX_WIDTH, dumps, load, load_ndjson
from pathway.errors import BadInputError

SECRET = "Jane Roe"


def read(data: bytes) -> Any:
    return load(data, max_bytes=10_000_000, where="body")


def refusal(data: bytes) -> BadInputError:
    with pytest.raises(BadInputError) as caught:
        read(data)
    return caught.value


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not JSON at line 1, column 1"),
    "only space": (b" \n", "not JSON"),
    "an end missing": (b'{"a":[1', "not JSON at line 1, column 8"),
    "a comma too many": (b"[1,\n]", "not JSON at line"),
    "two values": (b"{} {}", "Extra data"),
    "single quotes": (b"{'a':1}", "not JSON"),
    "a leading zero": (b"[01]", "not JSON"),
    "a leading plus": (b"[+1]", "not JSON"),
    "a bare fraction": (b"[.5]", "not JSON"),
    "a comment": (b"[1] // x", "not JSON"),
    "a raw line feed in a string": (b'["a\nb"]', "not JSON"),
    "a raw NUL in a string": (b'["\x00"]', "not JSON"),
    "NaN": (b'{"a":[1,NaN]}', "NaN or Infinity, which are not JSON, at a[1]"),
    "Infinity": (b"Infinity", "at the top"),
    "minus Infinity": (b'{"v":-Infinity}', "at v"),
    "a key twice": (b'{"entry":[{"status":"a","status":"b"}]}', "a key given twice, at entry[0].status"),
    "a key twice, once escaped": (b'{"a":1,"\\u0061":2}', "a key given twice, at a"),
    "an integer of 64 bits": (b'{"n":9223372036854775808}', "more than 63 bits, at n"),
    "a negative integer of 64 bits": (b'{"n":-9223372036854775808}', "more than 63 bits, at n"),
    "a decimal beyond a double": (b'{"n":[1e309]}', "too large an exponent, at n[0]"),
    "a decimal beyond Decimal": (b"[1e99999999999999999999]", "too large an exponent, at [0]"),
    "a decimal of 61 characters": (b"[0." + b"1" * 59 + b"]", "too many digits"),
    "an escaped NUL": (b'{"a":"x\\u0000"}', "a NUL or half a surrogate pair in a string, at a"),
    "half a surrogate pair": (b'["\\ud83d"]', "half a surrogate pair in a string, at [0]"),
    "the halves the wrong way round": (b'["\\ude00\\ud83d"]', "half a surrogate pair"),
    "half a surrogate pair in a key": (b'{"b":{"\\ud83d":1}}', "in a key, at b"),
    "a surrogate in UTF-8": (b'["\xed\xa0\x80"]', "not UTF-8 at byte 2"),
    "Latin-1": (b'["\xe9"]', "not UTF-8 at byte 2"),
    "UTF-16": ('{"a":1}'.encode("utf-16"), "UTF-16"),
    "65 levels": (b"[" * 65 + b"]" * 65, "deeper than 64 levels at byte 64"),
    "65 levels behind a string of brackets": (b'["[[\\"[[",' + b"[" * 64 + b"]" * 65, "deeper than 64 levels"),
    "65 objects": (b'{"a":' * 65 + b"1" + b"}" * 65, "deeper than 64 levels"),
    "an array too wide": (b"[" + b"0," * MAX_WIDTH + b"0]", "more than 50000 members, at the top"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_strict_json_is_refused_with_its_place(case: str) -> None:
    data, says = REFUSED[case]
    fault = refusal(data)
    assert says in fault.what
    assert fault.where == "body"
    assert fault.fix
    assert fault.code in {"structure", "too-long", "too-costly"}


TAKEN: dict[str, tuple[bytes, Any]] = {
    "a byte order mark": (b"\xef\xbb\xbf[1]", [1]),
    "a whole surrogate pair": (b'["\\ud83d\\ude00"]', ["\U0001f600"]),
    "an escaped backslash before u0000": (b'["\\\\u0000"]', ["\\u0000"]),
    "brackets in a string": (b'["' + b"[" * 100 + b'"]', ["[" * 100]),
    "a quote and brackets in a string": (b'["\\"' + b"[" * 100 + b'"]', ['"' + "[" * 100]),
    "64 levels": (b"[" * 63 + b"{}" + b"]" * 63, None),
    "an integer of 63 bits": (b"[9223372036854775807,-9223372036854775807]", [2**63 - 1, 1 - 2**63]),
    "members up to the limit": (b"[" + b"0," * (MAX_WIDTH - 1) + b"0]", [0] * MAX_WIDTH),
    "one key in two objects": (b'[{"a":1},{"a":2}]', [{"a": 1}, {"a": 2}]),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_is_strict_json_is_taken(case: str) -> None:
    data, value = TAKEN[case]
    got = read(data)
    assert value is None or got == value


def test_a_decimal_keeps_its_digits_and_an_integer_stays_one() -> None:
    value = read(b'{"a":2.50,"b":2,"c":0.10,"d":1E-7}')
    assert {name: (type(number), str(number)) for name, number in value.items()} == {
        "a": (Decimal, "2.50"),
        "b": (int, "2"),
        "c": (Decimal, "0.10"),
        "d": (Decimal, "1E-7"),
    }
    assert dumps(value) == b'{"a":2.50,"b":2,"c":0.10,"d":1E-7}'


def test_size_is_checked_before_anything_is_read() -> None:
    assert load(b'"abc"', max_bytes=5, where="") == "abc"
    with pytest.raises(BadInputError, match="longer than 4 bytes") as caught:
        load(b"\xff" * 5, max_bytes=4, where="")
    assert caught.value.code == "too-long"


@pytest.mark.parametrize(
    "data",
    [
        f'{{"{SECRET}":1,"{SECRET}":2}}',
        f'{{"a":["{SECRET}\\u0000"]}}',
        f'{{"{SECRET}":[NaN]}}',
        f'{{"a":"{SECRET}}}',
        f'["{SECRET}" "x"]',
        f'{{"{SECRET}\\ud800":1}}',
        '{"a":123456789012345678901234567890}',
    ],
)
def test_a_refusal_never_repeats_what_was_sent(data: str) -> None:
    told = str(refusal(data.encode()))
    assert SECRET not in told
    assert "1234567" not in told


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 5_000_000,
        b'{"a":' * 1_000_000,
        b'["' + b'\\"' * 2_000_000,
        b"[" * 70 + b'"' + b'\\"' * 2_000_000,
        b'\\"' + b'["' * 2_000_000,
        b"9" * 5_000_000,
        b"0." + b"9" * 5_000_000,
        b"\\" * 5_000_000,
        b'"' * 5_000_000,
    ],
    ids=lambda data: f"{data[:12].decode()}x{len(data)}",
)
def test_no_bomb_takes_the_stack_or_the_time(data: bytes) -> None:
    started = time.perf_counter()
    refusal(data)
    assert time.perf_counter() - started < 5  # each takes well under half a second


# --- lines


def test_ndjson_gives_line_numbers_and_passes_over_blank_lines() -> None:
    data = b'\xef\xbb\xbf{"a":1}\r\n\n  \n{"b":2.0}'
    assert list(load_ndjson(data)) == [(1, {"a": 1}), (4, {"b": Decimal("2.0")})]
    assert list(load_ndjson(b"")) == []


def test_a_bad_line_is_named_and_the_rest_can_still_be_read() -> None:
    lines = load_ndjson(b'1\n{"a":\n3\n' + b"4" * 20 + b"\n5", max_line_bytes=10, where="upload")
    got: list[Any] = []
    while True:
        try:
            got.append(next(lines))
        except BadInputError as fault:
            got.append(fault.where)
        except StopIteration:
            break
    assert got == [(1, 1), "upload:2", (3, 3), "upload:4", (5, 5)]


# --- writing

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
# Decimals as they are measured: up to 16 digits, trailing zeros included, at least one place after the point.
MEASURED = st.builds(lambda n, places: Decimal(n).scaleb(-places), st.integers(-(10**16), 10**16), st.integers(1, 12))
NUMBERS = st.integers(1 - 2**63, 2**63 - 1) | MEASURED
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=30,
)


@given(VALUES)
@example({"b": [Decimal("2.50"), True, None], "a": "\u2028\x7f\ufeff\U0001f600"})
def test_what_is_written_is_read_back_the_same(value: Any) -> None:
    data = dumps(value)
    assert read(data) == value
    assert dumps(read(data)) == data


@given(VALUES)
def test_the_standard_reader_reads_the_same(value: Any) -> None:
    assert json.loads(dumps(value), parse_float=Decimal) == value


@given(st.binary(max_size=60) | st.text('[]{}",:\\u0123.eE-+tfn d8').map(str.encode))
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        value = read(data)
    except BadInputError:
        return
    assert read(dumps(value)) == value
    assert json.loads(data.removeprefix(b"\xef\xbb\xbf"), parse_float=Decimal) == value, (
        "and so does the standard reader"
    )


@given(st.dictionaries(TEXT, VALUES, max_size=8), st.randoms())
def test_the_order_of_keys_changes_no_byte(value: dict[str, Any], shuffled: Any) -> None:
    items = list(value.items())
    shuffled.shuffle(items)
    assert dumps(dict(items)) == dumps(value)


def test_other_digits_are_other_bytes() -> None:
    assert dumps(Decimal("2.50")) != dumps(Decimal("2.5"))


NOT_JSON = [Decimal("NaN"), Decimal("Infinity"), float("nan"), "\ud800", ["\udfff"], {"\ud800": 1}]


@pytest.mark.parametrize("value", NOT_JSON)
def test_what_json_cannot_say_is_not_written(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- UnicodeEncodeError is one, with a message of its own
        dumps(value)


@pytest.mark.parametrize("value", [b"x", {1: 2}, {"a": object()}, {1, 2}])
def test_what_json_has_no_type_for_is_not_written(value: Any) -> None:
    with pytest.raises(TypeError):
        dumps(value)


def test_writing_stops_at_the_depth_at_which_reading_does() -> None:
    deep: Any = []
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    assert read(dumps(deep)) == deep
    with pytest.raises(ValueError, match="64 levels"):
        dumps([deep])
