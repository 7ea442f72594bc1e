"""From findings to a fact: what the latest of them say, if they agree and are confirmed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from adapters.fhir.findings import Finding, latest, warns
from pathway.facts import Fact, Reason, Value, unknown

NEUROLOGY: Final[dict[str, str]] = {"normal": "normal", "deficit": "deficit", "cord-or-cauda-sign": "cord-or-cauda"}
HOLDS: Final[dict[str, Value]] = {"yes": True, "present": True, "no": False, "absent": False}
"""Answers of a statement; a boolean is read as present or absent."""
THERE: Final[dict[str, Value]] = {"present": True, "absent": False}
_WORSE: Final = ("normal", "deficit", "cord-or-cauda")
_GRAVE: Final = frozenset({"anticoagulant", "cord-or-cauda-sign"})
"""Of two answers that warn, the worse."""
_BLOCKING: Final = frozenset({"something-else", "metastasis", "myeloma", "other-tumour"})
"""Answers that speak for caution and are no sign of danger by themselves."""
_MORE_IS_WORSE: Final = frozenset({"vertebral-height-loss", "sins-total"})


def answered(datum: str, values: Mapping[str, Value], rows: Iterable[Finding]) -> Fact:
    """A datum from the latest of some findings: its answer translated, unconfirmed or conflicting where it is.

    An answer that nobody has confirmed takes no confirmed warning back.
    """
    usable = [f for f in rows if f.answer in values]
    last = latest(usable)
    if not last:
        return unknown(datum)
    if not any(f.confirmed or warns(f) for f in last):
        sure = latest([f for f in usable if f.confirmed])
        last = sure if any(warns(f) for f in sure) else last
    return agreed(datum, last, lambda finding: values[finding.answer])


def agreed(datum: str, last: Sequence[Finding], value: Callable[[Finding], Value], **detail: str) -> Fact:
    """One fact from findings of one instant: their value if they agree and are confirmed, else unknown and why.

    Where they conflict, the one that warns is the candidate: an alert may not fall silent for a contradiction.
    """
    given = {value(finding) for finding in last}
    first = last[0]
    sources = tuple(dict.fromkeys(finding.source for finding in last))
    if len(given) > 1:
        worst = _worst_of(last)
        feared = None if worst is None else value(worst)
        return unknown(datum, Reason.CONFLICTING, candidate=feared, at=first.at, sources=sources, detail=detail)
    answer = given.pop()
    if not all(finding.confirmed for finding in last):
        return unknown(datum, Reason.UNCONFIRMED, candidate=answer, at=first.at, sources=sources, detail=detail)
    return Fact(datum, answer, None, None, first.at, sources, detail)


def _worst_of(rows: Sequence[Finding]) -> Finding | None:
    """The finding that warns most; of numbers of which more is worse the greatest. None where none of them warns."""
    numbers = [f for f in rows if f.code in _MORE_IS_WORSE and f.number is not None]
    if numbers:
        return max(numbers, key=lambda f: f.number or 0)
    warning = [f for f in rows if warns(f) or f.answer in _BLOCKING]
    return max(warning, key=lambda f: f.answer in _GRAVE, default=None)


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
