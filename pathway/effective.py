"""The effective period of a release: the days on which it may decide, both ends included (FHIR effectivePeriod)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, cast

from pathway.errors import RuleBookError

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Period:
    """From a day to a day, both included; without an end it holds until a higher version does."""

    start: date
    end: date | None = None

    def holds(self, day: date) -> bool:
        """Whether the day lies in the period."""
        return self.start <= day and (self.end is None or day <= self.end)

    def __str__(self) -> str:
        return f"from {self.start}" + (f" to {self.end}" if self.end else "")

    @classmethod
    def read(cls, raw: Any, where: str) -> Period:
        """The period in a header's `effective: {from: day, to: day}`; RuleBookError for anything else."""
        form = "Write {from: 2026-11-22} or {from: 2026-11-22, to: 2027-03-31}"
        ends = cast(Mapping[str, Any], raw if isinstance(raw, Mapping) else {})
        if "from" not in ends or not ends.keys() <= {"from", "to"}:
            raise RuleBookError("effective says from which day, and perhaps to which", where=where, fix=form)
        start = read_day(ends["from"], where, form)
        end = read_day(ends["to"], where, form) if "to" in ends else None
        if end is not None and end < start:
            raise RuleBookError("the effective period ends before it begins", where=where, fix=form)
        return cls(start, end)


def read_day(raw: Any, where: str, fix: str = "Write 2026-11-22") -> date:
    """A day that is written as a day; RuleBookError for anything else."""
    try:
        if isinstance(raw, str) and _DAY.fullmatch(raw):
            return date.fromisoformat(raw)
    except ValueError:
        pass
    raise RuleBookError(f"{raw!r} is no day", where=where, fix=fix)
