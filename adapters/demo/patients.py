"""The demo's patients: one for each outcome and some for what tempts one to get it wrong. All invented."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from adapters.demo.ordinary import ordinary_patients
from adapters.demo.record import Record


def demo_patients(now: datetime) -> Iterator[Record]:
    """Eighteen charts as of `now` (use the start of a day: the same day gives the same bytes)."""
    yield _settled("demo-candidate", now, "Anna Example").care(28).pain(8, 26).pain(7, 1)
    yield _settled("demo-defer", now, "Bela Example", onset=5).care(4).pain(7, 1)
    yield _out_of_scope(now)
    yield _infected(now)
    yield _healed(now)
    yield _deficit(now)
    yield _unnamed(now)
    yield _two_fractures(now)
    yield _tender_beside_fresh(now)
    yield _stale(now)
    yield _leak(now)
    yield _wrong_level(now)
    yield _covered(now)
    yield _documents_missing(now)
    yield from ordinary_patients(now)


def _settled(
    id: str, now: datetime, name: str, *, level: str = "L1", onset: float = 30, gender: str = "female"
) -> Record:
    """A fresh, tender fracture with every gate answered; pain and care are left to the caller."""
    record = Record(id, now, name=name, gender=gender).encounter("AMB", 2, ended=1.9).fracture(level, onset)
    return record.tender(level, True, 2).oedema(level, True, min(3, onset)).height_loss(level, 25, 3).well(2)


def _out_of_scope(now: datetime) -> Record:
    """Fell from a ladder: a high-energy fracture."""
    record = Record("demo-out-of-scope", now, name="Carl Example", gender="male", age=41).encounter("AMB", 3, ended=2.9)
    record.fracture("L2", 6, "S32.020A").finding("fracture-mechanism", "high-energy", 6)
    return record.tender("L2", True, 3).oedema("L2", True, 3).well(3).pain(8, 3)


def _infected(now: datetime) -> Record:
    """Everything speaks for it, but there is discitis."""
    record = _settled("demo-contraindicated", now, "Dora Example", level="L3").care(29).pain(8, 25).pain(8, 1)
    return record.condition("M46.46", 1)


def _healed(now: datetime) -> Record:
    """An old, healed T12: yesterday's STIR shows no oedema, so nobody asks for another."""
    record = Record("demo-old-healed", now, name="Emil Example", gender="male", age=81).encounter("AMB", 2, ended=1.9)
    record.fracture("T12", 400).fracture("T12", 30).tender("T12", True, 2).oedema("T12", False, 1)
    return record.height_loss("T12", 40, 1).well(2).care(28).pain(6, 25).pain(6, 1)


def _deficit(now: datetime) -> Record:
    """Weak legs: an emergency, with or without a procedure."""
    record = Record("demo-deficit", now, name="Fritz Example", gender="male", age=78).encounter("IMP", 1)
    record.fracture("T11", 9).tender("T11", True, 1).oedema("T11", True, 1).care(8).pain(8, 7).pain(8, 1)
    return record.finding("neurological-examination", "deficit", 0.2).finding("infection-screen", "absent", 1)


def _unnamed(now: datetime) -> Record:
    """As most charts are: two codes for one fracture, no vertebra named, nothing else coded."""
    record = Record("demo-unnamed-level", now, name="Gerda Example", age=83).encounter("IMP", 8, ended=4)
    return record.fracture("", 8, "M48.50XA", status="resolved").fracture("", 8, "M80.08", status="resolved")


def _two_fractures(now: datetime) -> Record:
    """T12 and L2 are both deformed; only L2 hurts and only L2 is fresh."""
    record = _settled("demo-two-fractures", now, "Hanna Example", level="L2").care(27).pain(8, 24).pain(8, 1)
    return record.fracture("T12", 700).height_loss("T12", 45, 3).tender("T12", False, 2).oedema("T12", False, 3)


def _tender_beside_fresh(now: datetime) -> Record:
    """L1 is healed and tender, L2 is fresh and does not hurt: neither is a candidate, and somebody examines again."""
    record = Record("demo-tender-beside-fresh", now, name="Ida Example", age=77).encounter("AMB", 2, ended=1.9)
    record.fracture("L1", 500).height_loss("L1", 35, 3).tender("L1", True, 2).oedema("L1", False, 3)
    record.fracture("L2", 30).height_loss("L2", 20, 3).tender("L2", False, 2).oedema("L2", True, 3)
    return record.well(2).care(28).pain(7, 25).pain(7, 1)


def _stale(now: datetime) -> Record:
    """Painful and tender, but the MRI is seven weeks old: freshness is unknown, and a new one is asked for."""
    record = Record("demo-stale-mri", now, name="Jost Example", gender="male", age=69).encounter("AMB", 2, ended=1.9)
    record.fracture("L4", 55).tender("L4", True, 2).oedema("L4", True, 50).well(2)
    return record.care(50).pain(8, 48).pain(8, 1)


def _leak(now: datetime) -> Record:
    """L1 cemented yesterday; the operator saw cement in epidural veins; the referral is placed, not kept."""
    record = _settled("demo-leak", now, "Karla Example", onset=33).care(31).pain(8, 30).pain(8, 2)
    record.cement("L1", 1).leak_statement("L1", 0.9, leaks=["epidural-veins"])
    record.finding("neurological-examination", "normal", 0.8).finding("chest-check", "normal", 0.8)
    return record.referral("active", 1)


def _wrong_level(now: datetime) -> Record:
    """L2 was proven, the record says that L1 was cemented: the operator is asked at once."""
    record = _settled("demo-wrong-level", now, "Lena Example", level="L2").care(28).pain(8, 26).pain(8, 2)
    return record.cement("L1", 0.5)


def _covered(now: datetime) -> Record:
    """Original Medicare in California: a candidate whose coverage stands beside it, with every document there."""
    record = _insured("demo-covered", now, "Olga Example").encounter("AMB", 0.1).place("CA").height_loss("L1", 31, 2.5)
    record.finding("kyphotic-deformity", "present", 3, level="L1").finding("care-optimal", "present", 2, level="L1")
    record.finding("osteoporosis-education", "present", 2).finding("treatment-programme", "present", 2)
    record.finding("bone-density-referral", "present", 2).finding("cement-allergy", "absent", 2)
    record.finding("coagulation-check", "normal", 2)
    for flag in ("spinal-instability", "neural-impingement", "retropulsion"):
        record.finding(flag, "absent", 2, level="L1")
    return record


def _documents_missing(now: datetime) -> Record:
    """Original Medicare in Ohio, in hospital with severe pain: care goes on while two documents are still missing."""
    record = _insured("demo-documents-missing", now, "Piotr Example", gender="male").encounter("IMP", 1).place("OH")
    return record.pain(9, 0.5).finding("bone-density-referral", "present", 0.5)


def _insured(id: str, now: datetime, name: str, *, gender: str = "female") -> Record:
    """A candidate whom Original Medicare insures, with the statement that it is this fracture that hurts."""
    record = _settled(id, now, name, gender=gender).coverage("original-medicare").care(28).pain(7, 26).pain(7, 1)
    return record.finding("pain-attribution", "this-fracture", 2, level="L1")
