"""A population of invented patients for screening and benches: most have no fracture, and no two records say the same.

A patient follows from the seed and a number alone: the first hundred of a million are the first hundred of a hundred.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from adapters.demo.record import Record

SEED: Final = 2026
_LEVELS: Final = ("T7", "T8", "T11", "T12", "T12", "L1", "L1", "L1", "L2", "L3", "L4")
_CODES: Final = ("M80.08XA", "M80.08XA", "M80.08XA", "M80.88XA")
_UNNAMED: Final = ("M48.50XA", "M80.08XA", "M48.56XA")
_PAYERS: Final = ("original-medicare", "original-medicare", "medicare-advantage", "")
_STATES: Final = ("CA", "FL", "OH", "TX", "NY")
_OTHERS: Final = ("I10", "E11.9", "J44.9", "N18.3", "I48.91", "M17.11", "E78.5", "H25.9")
_TABLETS: Final = ("Paracetamol 500 mg", "Amlodipine 5 mg", "Apixaban 5 mg", "Alendronic acid 70 mg", "Ramipril 5 mg")
Rng = random.Random


def population(count: int, now: datetime, seed: int = SEED, *, cemented: bool = True) -> Iterator[Record]:
    """So many patients as of `now`, one after the other; the same arguments give the same bytes."""
    return (inhabitant(number, now, seed, cemented=cemented) for number in range(count))


def inhabitant(number: int, now: datetime, seed: int = SEED, *, cemented: bool = True) -> Record:
    """The patient with a number: some 10 to 60 resources; nobody was cemented unless some may have been."""
    rng = Rng(f"{seed}/{number}")
    shares = {kind: share for kind, share in _KINDS.items() if cemented or kind is not _cemented}
    (kind,) = rng.choices(list(shares), list(shares.values()))
    gender = rng.choice(("female", "female", "male"))
    record = Record(f"pop-{number:07}", now, name=f"P{number:07} Example", gender=gender, age=rng.randint(58, 93))
    _visit(record, rng)
    kind(record, rng)
    _background(record, rng)
    return record


def _visit(record: Record, rng: Rng) -> None:
    """The latest encounter, mostly with its state, and who pays."""
    seen = rng.uniform(0.5, 60)
    record.encounter("IMP" if rng.random() < 0.15 else "AMB", seen, ended=seen * 0.9)
    if rng.random() < 0.8:
        record.place(rng.choice(_STATES))
    if payer := rng.choice(_PAYERS):
        record.coverage(payer)


def _unfractured(record: Record, rng: Rng) -> None:
    """No fracture on record; the bones may be known to be thin, and the back may hurt."""
    if rng.random() < 0.3:
        record.condition("M81.0", rng.uniform(100, 3000))
    if rng.random() < 0.3:
        record.pain(rng.randint(2, 8), rng.uniform(1, 90))


def _unnamed(record: Record, rng: Rng) -> None:
    """A fracture as most charts have it: a code, no vertebra, little else."""
    record.fracture("", rng.uniform(2, 300), rng.choice(_UNNAMED))
    if rng.random() < 0.4:
        record.referral(rng.choice(("active", "completed")), rng.uniform(1, 60))


def _fresh(record: Record, rng: Rng) -> None:
    """One to three fractures of the last months, each known in part."""
    for level in sorted({rng.choice(_LEVELS) for _ in range(rng.choice((1, 1, 1, 2, 3)))}):
        record.fracture(level, rng.uniform(3, 90), rng.choice(_CODES))
        _examined(record, level, rng)
    if rng.random() < 0.6:
        record.well(rng.uniform(0.5, 6))
    record.care(rng.uniform(2, 60)).pain(rng.randint(4, 10), rng.uniform(10, 40)).pain(rng.randint(2, 10), 1)


def _examined(record: Record, level: str, rng: Rng) -> None:
    if rng.random() < 0.7:
        record.tender(level, rng.random() < 0.8, rng.uniform(0.5, 10))
    if rng.random() < 0.6:
        record.oedema(level, rng.random() < 0.7, rng.uniform(0.5, 50), rng.choice(("stir", "stir", "t1")))
    if rng.random() < 0.5:
        record.height_loss(level, rng.choice((15, 22, 28, 35, 45, 60)), rng.uniform(1, 30))


def _candidate(record: Record, rng: Rng) -> None:
    """Painful, tender and fresh after weeks of care, with every gate answered."""
    level, onset = rng.choice(_LEVELS), rng.uniform(25, 50)
    record.fracture(level, onset).tender(level, True, 2).oedema(level, True, 3).height_loss(level, 28, 3).well(2)
    record.care(onset - 2).pain(rng.randint(7, 10), onset - 4).pain(rng.randint(7, 9), 1)


def _old(record: Record, rng: Rng) -> None:
    """Healed long ago; whether anybody saw to the bones differs."""
    record.fracture(rng.choice(_LEVELS), rng.uniform(300, 3000), rng.choice(_CODES))
    if rng.random() < 0.5:
        record.referral(rng.choice(("active", "completed")), rng.uniform(30, 400))


def _cemented(record: Record, rng: Rng) -> None:
    """Cement some days to two years ago; some operators stated leaks, some said nothing."""
    level, days = rng.choice(_LEVELS), rng.choice((rng.uniform(0.5, 30), rng.uniform(30, 700)))
    record.fracture(level, days + rng.uniform(10, 60)).oedema(level, True, days + 3)
    record.cement(level if rng.random() < 0.9 else "", days, rng.choice(("22514", "22511")))
    if rng.random() < 0.6:
        record.leak_statement(level, days * 0.95, ["epidural-veins"] if rng.random() < 0.15 else ())
    if rng.random() < 0.5:
        record.finding("neurological-examination", "normal", days * 0.9)
        record.finding("chest-check", "normal", days * 0.9)


def _tumour(record: Record, rng: Rng) -> None:
    """Myeloma with a broken vertebra, scored or not."""
    level = rng.choice(_LEVELS)
    record.condition("C90.00", rng.uniform(60, 700)).fracture(level, rng.uniform(5, 60), "M84.58XA")
    record.pain(rng.randint(5, 10), 1)
    if rng.random() < 0.6:
        record.sins(level, rng.randint(4, 14), rng.uniform(1, 20))


def _deficit(record: Record, rng: Rng) -> None:
    """A fresh fracture and weak legs."""
    level = rng.choice(_LEVELS)
    record.fracture(level, rng.uniform(2, 20)).tender(level, True, 1).oedema(level, True, 1).pain(8, 1)
    record.finding("neurological-examination", "deficit", rng.uniform(0.1, 0.9))


_KINDS: Final[dict[Callable[[Record, Rng], None], float]] = {
    _unfractured: 55, _unnamed: 12, _fresh: 12, _candidate: 3, _old: 8, _cemented: 6.5, _tumour: 3, _deficit: 0.5,
}  # fmt: skip
"""Each kind of patient with its share, in per cent: invented too, so that every path is taken often."""


def _background(record: Record, rng: Rng) -> None:
    """What any chart holds beside: other diseases, tablets, laboratory, old scores."""
    for code in rng.sample(_OTHERS, rng.randint(0, 5)):
        record.condition(code, rng.uniform(100, 4000))
    for tablet in rng.sample(_TABLETS, rng.randint(0, 4)):
        record.medicine(tablet, rng.uniform(20, 900))
    for _ in range(rng.randint(0, 12)):
        record.lab("777-3", rng.randint(90, 420), "10*3/uL", rng.uniform(1, 1500))
    for _ in range(rng.randint(0, 20)):
        record.pain(rng.randint(0, 8), rng.uniform(60, 1500), site=rng.random() < 0.5)
    if rng.random() < 0.5:
        record.allergy("716186003", rng.uniform(30, 2000), "http://snomed.info/sct")
