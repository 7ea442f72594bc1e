"""JSON that means one thing only: read strictly, written deterministically, decimals with every digit they came with.

Other readers accept what people then read differently: a key given twice, NaN, half a surrogate pair, 2.50 as 2.5. Here
each is a BadInputError that says where it stands and never what it holds, and no input, however deep, wide or long, can
exhaust the stack or the memory beyond its own size.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import accumulate
from json.encoder import encode_basestring
from typing import Any, Final, NoReturn

from pathway.errors import BadInputError

MAX_DEPTH: Final = 64
MAX_WIDTH: Final = 50_000
MAX_BITS: Final = 63
MAX_DIGITS: Final = 60  # of a decimal, as written; FHIR asks for 18
MAX_EXPONENT: Final = 308  # of a double; beyond it other readers see infinity

_STRING_OR_BRACKET: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\.", re.DOTALL)
_NOT_BRACKET: Final = bytes(set(range(256)) - set(b"[]{}"))
_STEP: Final = [(byte in b"[{") - (byte in b"]}") for byte in range(256)]
_NOT_TEXT: Final = re.compile("[\x00\ud800-\udfff]")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class _Refused:
    """Stands in the parsed value where something was refused, until the walk finds its path."""

    def __init__(self, what: str, fix: str, key: str = "") -> None:
        self.what, self.fix, self.key = what, fix, key


def load(data: bytes, *, max_bytes: int, where: str) -> Any:
    """The value of a JSON text: dict, list, str, int, Decimal, bool or None; a UTF-8 byte order mark is dropped.

    Raises BadInputError for what is not strictly JSON (RFC 8259), duplicate keys, numbers that lose digits elsewhere,
    NUL, lone surrogates, more than `max_bytes`, MAX_DEPTH levels or MAX_WIDTH members. `where` names the source.
    """
    if len(data) > max_bytes:
        raise BadInputError(f"longer than {max_bytes} bytes", where=where, fix="Send it in parts", code="too-long")
    text = _decode(data, where)
    _refuse_depth(data, where)
    refused: list[_Refused] = []
    try:
        value = _decoder(refused).decode(text)
    except json.JSONDecodeError as fault:  # its msg is a fixed phrase and holds nothing of the text
        what = f"not JSON at line {fault.lineno}, column {fault.colno}: {fault.msg.removesuffix(' at')}"
        raise BadInputError(what, where=where, fix="Send one JSON value", code="structure") from None
    # Without an escape there is no NUL and no surrogate, without commas no width: most input is not walked at all.
    if refused or b"\\u" in data or data.count(b",") >= MAX_WIDTH:
        _refuse_first(value, where)
    return value


def load_ndjson(data: bytes, *, max_line_bytes: int = 10_000_000, where: str = "ndjson") -> NdjsonLines:
    """The lines of newline-delimited JSON, as pairs of line number (from 1) and value; blank lines are passed over.

    A bad line raises BadInputError when it is reached, naming its number, and does not end the iteration: call `next`
    again to hold back that line and go on with the rest.
    """
    return NdjsonLines(data, max_line_bytes, where)


class NdjsonLines(Iterator[tuple[int, Any]]):
    """The iterator of `load_ndjson`; a class and not a generator, because a generator ends at its first error."""

    def __init__(self, data: bytes, max_line_bytes: int, where: str) -> None:
        self._lines = enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1)
        self._max_line_bytes = max_line_bytes
        self._where = where

    def __next__(self) -> tuple[int, Any]:
        for number, line in self._lines:
            if line.strip():
                return number, load(line, max_bytes=self._max_line_bytes, where=f"{self._where}:{number}")
        raise StopIteration


def _decode(data: bytes, where: str) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise BadInputError("encoded as UTF-16 or UTF-32", where=where, fix="Encode it as UTF-8", code="structure")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise BadInputError(
            f"not UTF-8 at byte {fault.start}", where=where, fix="Encode it as UTF-8", code="structure"
        ) from None


def _refuse_depth(data: bytes, where: str) -> None:
    """Count brackets outside strings before anything is parsed, so that no input reaches the stack's limit.

    What is not JSON may be counted wrongly, but only after the place at which the parser gives up.
    """
    outside = b"".join(_ESCAPE.sub(b"", data).split(b'"')[::2]).translate(None, _NOT_BRACKET)
    if max(accumulate(map(_STEP.__getitem__, outside)), default=0) <= MAX_DEPTH:
        return
    depth, place = 0, ""
    for token in _STRING_OR_BRACKET.finditer(data):
        depth += _STEP[token[0][0]]
        if depth > MAX_DEPTH:
            place = f" at byte {token.start()}"
            break
    raise BadInputError(
        f"nested deeper than {MAX_DEPTH} levels{place}", where=where, fix="Nest it less deeply", code="too-costly"
    )


def _decoder(refused: list[_Refused]) -> json.JSONDecoder:
    """A decoder whose refusals are noted in `refused` and stand as markers in the value."""

    def refuse(what: str, fix: str, key: str = "") -> _Refused:
        refused.append(_Refused(what, fix, key))
        return refused[-1]

    def integer(text: str) -> int | _Refused:
        # Length first: turning a million digits into an int takes minutes.
        if len(text) <= 20 and (number := int(text)).bit_length() <= MAX_BITS:
            return number
        return refuse(f"an integer of more than {MAX_BITS} bits", "Send a smaller number, or a string")

    def decimal(text: str) -> Decimal | _Refused:
        try:
            if len(text) <= MAX_DIGITS and abs((number := Decimal(text)).adjusted()) <= MAX_EXPONENT:
                return number
        except InvalidOperation:
            pass
        return refuse("a decimal of too many digits or too large an exponent", "Round it to what was measured")

    def constant(_: str) -> _Refused:
        return refuse("NaN or Infinity, which are not JSON", "Leave the element out, or say why it is absent")

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Refused:
        made = dict(pairs)
        if len(made) == len(pairs):
            return made
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        return refuse("a key given twice", "Keep one of the two", twice)

    return json.JSONDecoder(parse_int=integer, parse_float=decimal, parse_constant=constant, object_pairs_hook=members)


def _refuse_first(value: Any, where: str) -> None:
    """Raise for the first refused thing in the value, with its path."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, _Refused):
            _refuse(node.what, _join(path, node.key) if node.key else path, where, node.fix)
        if isinstance(node, str) and _NOT_TEXT.search(node):
            _refuse("a NUL or half a surrogate pair in a string", path, where, "Send whole characters")
        if isinstance(node, (dict, list)) and len(node) > MAX_WIDTH:
            _refuse(f"more than {MAX_WIDTH} members", path, where, "Send it in parts", code="too-long")
        if isinstance(node, dict):
            if any(_NOT_TEXT.search(key) for key in node):
                _refuse("a NUL or half a surrogate pair in a key", path, where, "Send whole characters")
            waiting.extend((_join(path, key), child) for key, child in reversed(node.items()))
        elif isinstance(node, list):
            waiting.extend((f"{path}[{n}]", node[n]) for n in reversed(range(len(node))))


def _refuse(what: str, path: str, where: str, fix: str, code: str = "structure") -> NoReturn:
    raise BadInputError(f"{what}, at {path or 'the top'}", where=where, fix=fix, code=code)


def _join(path: str, key: str) -> str:
    name = key if _NAME.fullmatch(key) else "?"  # a key from outside may hold anything, a name too
    return f"{path}.{name}" if path else name


def dumps(value: Any) -> bytes:
    """The value as compact UTF-8 JSON with sorted keys; a Decimal keeps its digits, so equal bytes mean equal content.

    Raises TypeError for what JSON cannot hold and ValueError for NaN, a lone surrogate or more than MAX_DEPTH levels.
    """
    return _render(value, MAX_DEPTH).encode()


def _render(value: Any, levels_left: int) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, (Decimal, float)):
        if not math.isfinite(value):
            raise ValueError("NaN and Infinity are not JSON")
        return str(value)
    if not isinstance(value, (Mapping, Sequence)) or isinstance(value, (bytes, bytearray)):
        raise TypeError(f"JSON cannot hold a {type(value).__name__}")
    if levels_left == 0:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, Sequence):
        return f"[{','.join(_render(item, levels_left - 1) for item in value)}]"
    if not all(isinstance(key, str) for key in value):
        raise TypeError("a JSON object has strings as keys")
    members = (f"{encode_basestring(key)}:{_render(value[key], levels_left - 1)}" for key in sorted(value))
    return f"{{{','.join(members)}}}"
