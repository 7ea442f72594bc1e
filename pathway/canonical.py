"""Canonical JSON (RFC 8785) and its hash: the same value gives the same bytes on every machine, for ever."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, cast

import orjson
import rfc8785

_PLAIN: Final = frozenset({str, int, bool, type(None)})


def canonical(value: Any) -> bytes:
    """The canonical bytes of a value made of mappings, sequences, strings, ints, booleans, None and Decimals.

    A Decimal becomes `{"decimal": "2.50"}` so that no digit is lost and no float is ever written; a float is refused.
    """
    fast = _fast(value)
    return rfc8785.dumps(_plain(value)) if fast is None else fast


def _fast(value: Any) -> bytes | None:
    """The same bytes from orjson, many times sooner; None for what it might write otherwise, or might not refuse.

    It sorts keys by code point, RFC 8785 by UTF-16 unit: the same among ASCII keys.
    """
    waiting = [value]
    seen: set[int] = set()  # a decision says the same row under many rule sets
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        kind = cast("type[Any]", type(one))
        if kind is dict:
            for key, part in one.items():
                if type(key) is not str or not key.isascii():
                    return None
                if type(part) not in _PLAIN:
                    waiting.append(part)
        elif kind is list or kind is tuple:
            waiting += [part for part in one if type(part) not in _PLAIN]
        elif kind is not Decimal and kind not in _PLAIN:
            return None
    try:
        return orjson.dumps(value, _decimal, orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)
    except TypeError:  # a large integer, half a surrogate pair: said by the slow way
        return None


def _decimal(value: Any) -> dict[str, str]:
    return {"decimal": format(value, "f")}


def parse(data: bytes) -> Any:
    """The value that `canonical` wrote, its Decimals as Decimals again."""
    return json.loads(data, object_hook=_revive)


def _revive(pairs: dict[str, Any]) -> Any:
    return Decimal(pairs["decimal"]) if set(pairs) == {"decimal"} else pairs


def sha256(data: bytes) -> str:
    """Lower-case hex sha256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def instant(at: datetime) -> str:
    """An instant as RFC 3339 in UTC, to the second or, where there are any, the microsecond."""
    if at.tzinfo is None:
        raise TypeError("an instant needs a time zone")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_instant(text: str) -> datetime:
    """The instant that `instant` wrote."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {"decimal": format(value, "f")}
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, float):
        raise TypeError("canonical JSON of this service holds no floats: use Decimal")
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(v) for v in cast(Sequence[Any], value)]
    return value
