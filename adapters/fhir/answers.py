"""From findings to a fact: what the latest of them say, if they agree and are confirmed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from adapters.fhir.findings import Finding, latest
from pathway.facts import Fact, Reason, Value, unknown

NEUROLOGY: Final[dict[str, str]] = {"normal": "normal", "deficit": "deficit", "cord-or-cauda-sign": "cord-or-cauda"}
HOLDS: Final[dict[str, Value]] = {"yes": True, "present": True, "no": False, "absent": False}
"""Answers of a statement; a boolean is read as present or absent."""
THERE: Final[dict[str, Value]] = {"present": True, "absent": False}
_WORSE: Final = ("normal", "deficit", "cord-or-cauda")


def answered(datum: str, values: Mapping[str, Value], rows: Iterable[Finding]) -> Fact:
    """A datum from the latest of some findings: its answer translated, unconfirmed or conflicting where it is."""
    last = latest([f for f in rows if f.answer in values])
    if not last:
        return unknown(datum)
    return agreed(datum, last, lambda finding: values[finding.answer])


def agreed(datum: str, last: Sequence[Finding], value: Callable[[Finding], Value], **detail: str) -> Fact:
    """One fact from findings of one instant: their value if they agree and are confirmed, else unknown and why."""
    given = {value(finding) for finding in last}
    first = last[0]
    sources = tuple(finding.source for finding in last)
    if len(given) > 1:
        return unknown(datum, Reason.CONFLICTING, at=first.at, sources=sources, detail=detail)
    answer = given.pop()
    if not all(finding.confirmed for finding in last):
        return unknown(datum, Reason.UNCONFIRMED, candidate=answer, at=first.at, sources=sources, detail=detail)
    return Fact(datum, answer, None, None, first.at, sources, detail)


def examined(rows: Sequence[Finding], datum: str) -> Fact:
    """The latest confirmed examination, the worst of its instant; a later unconfirmed one counts only if worse."""
    usable = [f for f in rows if f.answer in NEUROLOGY]
    last = max(latest([f for f in usable if f.confirmed]), key=_badness, default=None)
    doubtful = [f for f in usable if not f.confirmed and (last is None or f.at >= last.at)]
    feared = max(doubtful, key=_badness, default=None)
    if feared is not None and (last is None or _badness(feared) > _badness(last)):
        return unknown(
            datum, Reason.UNCONFIRMED, candidate=NEUROLOGY[feared.answer], at=feared.at, sources=[feared.source]
        )
    return Fact(datum, NEUROLOGY[last.answer], None, None, last.at, (last.source,)) if last else unknown(datum)


def _badness(finding: Finding) -> int:
    return _WORSE.index(NEUROLOGY[finding.answer])
