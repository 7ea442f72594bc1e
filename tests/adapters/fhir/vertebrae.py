"""What the tests of one vertebra share: two fractured ones, and their sheets."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.demo.record import Record
from pathway.facts import Fact, Reason, Value
from tests.world import case_of, person

ONSET = 30


def two() -> Record:
    return person().fracture("L1", ONSET).fracture("L3", ONSET)


def facts(record: Record, level: str = "L1") -> Mapping[str, Fact]:
    (sheet,) = (s for s in case_of(record).levels if s.level == level)
    return sheet.facts


def treated(record: Record, level: str = "L1") -> Mapping[str, Fact]:
    (sheet,) = (s for s in case_of(record).treated if s.level == level)
    return sheet.facts


def likely(fact: Fact, candidate: Value = True) -> bool:
    """Whether a fact is unconfirmed, and what it may be."""
    return fact.value is None and (fact.reason, fact.candidate) == (Reason.UNCONFIRMED, candidate)


def silent(fact: Fact) -> bool:
    return fact.reason is Reason.NOT_RECORDED
