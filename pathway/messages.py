"""Messages of rules: sentences that name fields. No logic: `{level}`, `{datum}`, and parts of a datum.

`{datum.date}`, `{datum.reason}` why it is not known, `{datum.told}` its value with what keeps that from counting.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from pathway.errors import RuleBookError
from pathway.facts import Fact, Reason
from pathway.levels import UNSPECIFIED

FIELD: Final = re.compile(r"\{([a-z0-9][a-z0-9.-]*)\}")

REASONS: Final[Mapping[Reason, str]] = {
    Reason.NOT_RECORDED: "not recorded",
    Reason.STALE: "too old",
    Reason.CONFLICTING: "sources conflict",
    Reason.UNPARSEABLE: "recorded, but not readable",
    Reason.UNCONFIRMED: "recorded, but not confirmed",
    Reason.NOT_RETRIEVED: "could not be retrieved",
}

WHY: Final = ".reason}"
TOLD: Final = ".told}"
"""The parts of a field that say so where a rule found the datum too old."""

UNNAMED: Final = "an unnamed vertebra"
_SILENT: Final = frozenset({"note"})
"""Fields that add something or nothing; every other missing field says so."""


def place_of(level: str) -> str:
    """A level as a sentence names it."""
    return UNNAMED if level == UNSPECIFIED else level


def render(template: str, view: Mapping[str, Fact], level: str, stale: frozenset[str] = frozenset()) -> str:
    """The sentence with its fields filled in. `stale` names data that this rule found too old."""

    said: list[str] = []
    for before, field in _pieces(template):
        said.append(before)
        if field:
            said.append(_field(field, view, level, stale))
    text = "".join(said)
    return text[:1].upper() + text[1:] if level == UNNAMED else text


def too_old(template: str, comparisons: Iterable[tuple[str, str, bool | None]]) -> frozenset[str]:
    """The data that a message calls too old, from each comparison's datum, reason and verdict.

    A `told` value by which a comparison still holds is not: what is feared warns at any age.
    """
    rows = tuple(comparisons)
    counted = {datum for datum, _, verdict in rows if verdict and f"{{{datum}{TOLD}" in template}
    return frozenset(datum for datum, reason, _ in rows if reason == Reason.STALE) - counted


def _field(field: str, view: Mapping[str, Fact], level: str, stale: frozenset[str]) -> str:
    name, _, part = field.partition(".")
    if name == "level":
        return level
    whole = view.get(field)
    fact = whole or view.get(name)
    if fact is None or whole is not None or not part:
        return _value(fact)
    return _part(fact, part, level, name in stale)


@lru_cache(maxsize=4096)  # more than all messages of a rule book
def _pieces(template: str) -> tuple[tuple[str, str], ...]:
    """A message as the words before each field, and the field; the last one is none."""
    words = FIELD.split(template)
    return tuple(zip(words[::2], [*words[1::2], ""], strict=True))


def _value(fact: Fact | None) -> str:
    if fact is None or (fact.value is None and fact.candidate is None):
        return "not recorded"
    value = fact.value if fact.value is not None else fact.candidate
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _part(fact: Fact, part: str, level: str, stale: bool) -> str:
    if part == "date":
        return fact.at.date().isoformat() if fact.at else "an unknown date"
    if part == "reason":
        if stale and fact.at is not None:
            return f"{REASONS[Reason.STALE]}, of {fact.at.date().isoformat()}"
        words = REASONS[fact.reason] if fact.reason else "recorded"
        return f"{words} ({fact.detail['why']})" if "why" in fact.detail else words
    if part == "told":
        return _told(fact, level, stale)
    if part in fact.detail:
        return fact.detail[part]
    return "" if part in _SILENT else (level if part == "place" else "not recorded")


def _told(fact: Fact, level: str, stale: bool) -> str:
    """A value as it is said; one that is too old or not confirmed never without saying so."""
    if fact.known and not stale:
        return _value(fact)
    why = _part(fact, "reason", level, stale)
    return why if fact.value is None and fact.candidate is None else f"{_value(fact)}, {why}"


def check(template: str, names: Iterable[str], where: str) -> None:
    """Raise RuleBookError if a message names a field that its rule cannot see."""
    known = {"level", "outcome", *names}
    for found in FIELD.finditer(template):
        if found.group(1) not in known and found.group(1).partition(".")[0] not in known:
            raise RuleBookError(
                f"the message names {found.group(1)!r}", where=where, fix="Name level or a datum that the rule reads"
            )
