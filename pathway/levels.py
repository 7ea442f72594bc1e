"""Vertebral levels: their order, their neighbours, and ranges of them.

A level is one vertebra, C1 to L5, counted from the head; S1 stands for the sacrum as a whole. `unspecified` is not a
level: it stands for a fracture or a procedure whose vertebra nobody has named, and is never joined to a named one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pathway.errors import BadInputError

LEVELS: Final[tuple[str, ...]] = (
    *(f"C{n}" for n in range(1, 8)),
    *(f"T{n}" for n in range(1, 13)),
    *(f"L{n}" for n in range(1, 6)),
    "S1",
)
UNSPECIFIED: Final = "unspecified"
_ORDER: Final = {level: place for place, level in enumerate(LEVELS, start=1)}


def order(level: str) -> int:
    """The place of a level from the head: C1 is 1, T1 is 8, L5 is 24, S1 is 25.

    Raises BadInputError for anything that is not a vertebral level.
    """
    try:
        return _ORDER[level]
    except KeyError:
        raise BadInputError(
            f"{level!r} is not a vertebral level" if len(level) < 12 else "not a vertebral level",
            fix="Use C1 to C7, T1 to T12, L1 to L5 or S1",
            code="value",
        ) from None


def neighbours(level: str) -> tuple[str, ...]:
    """The vertebrae directly above and below, where they exist."""
    place = order(level)
    return tuple(LEVELS[n - 1] for n in (place - 1, place + 1) if 1 <= n <= len(LEVELS))


def apart(one: str, other: str) -> int:
    """How many vertebrae lie from one to another: 0 for the same, 1 for neighbours."""
    return abs(order(one) - order(other))


def sort_key(level: str) -> int:
    """From head to tail, `unspecified` last."""
    return _ORDER.get(level, len(LEVELS) + 1)


@dataclass(frozen=True, slots=True)
class LevelRange:
    """The vertebrae that a code may mean, as orders from `lo` to `hi`, both included."""

    lo: int
    hi: int

    @classmethod
    def parse(cls, text: str) -> LevelRange:
        """`L1` or `T11-T12`."""
        first, _, last = text.partition("-")
        lo, hi = order(first), order(last or first)
        if lo > hi:
            raise BadInputError(f"the range {text!r} runs upwards", fix="Name the upper level first", code="value")
        return cls(lo, hi)

    @classmethod
    def of(cls, level: str) -> LevelRange:
        """One named level, or the whole spine for `unspecified`."""
        return WHOLE_SPINE if level == UNSPECIFIED else cls.parse(level)

    @property
    def level(self) -> str:
        """The level if the range names exactly one, else `unspecified`."""
        return LEVELS[self.lo - 1] if self.lo == self.hi else UNSPECIFIED

    def holds(self, level: str) -> bool:
        """Whether a named level lies in the range."""
        return self.lo <= order(level) <= self.hi

    def meet(self, other: LevelRange) -> LevelRange | None:
        """What both ranges allow, or None where they exclude each other."""
        lo, hi = max(self.lo, other.lo), min(self.hi, other.hi)
        return LevelRange(lo, hi) if lo <= hi else None

    def __str__(self) -> str:
        first, last = LEVELS[self.lo - 1], LEVELS[self.hi - 1]
        return first if self.lo == self.hi else f"{first}-{last}"


WHOLE_SPINE: Final = LevelRange(1, len(LEVELS))
