"""Charts as ordinary care writes them: nobody wrote "no infection", yet each can reach a verdict. All invented."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from adapters.demo.record import SNOMED, Record

NO_KNOWN_ALLERGY = "716186003"


def ordinary_patients(now: datetime) -> Iterator[Record]:
    """Three candidates by what is usually recorded, one of them on apixaban, and one for whom all is in order."""
    yield _ward(now)
    yield _clinic(now)
    yield _myeloma(now)
    yield _in_order(now)


def _ward(now: datetime) -> Record:
    """In hospital and kept in bed: two days of analgesics have not helped."""
    record = Record("demo-ordinary-ward", now, name="Quirin Example", gender="male", age=84).encounter("IMP", 3)
    record.fracture("T12", 3).tender("T12", True, 1).oedema("T12", True, 2).height_loss("T12", 30, 2)
    record.well(1).allergy(NO_KNOWN_ALLERGY, 3, SNOMED).finding("mobility", "bed-bound", 1)
    return record.care(3).pain(9, 2.5).pain(9, 0.5)


def _clinic(now: datetime) -> Record:
    """Five weeks of tablets and a brace; takes apixaban, and nobody has planned yet what becomes of it."""
    record = Record("demo-ordinary-apixaban", now, name="Rita Example", age=79).encounter("AMB", 1, ended=0.9)
    record.fracture("L1", 38).tender("L1", True, 1).oedema("L1", True, 4).height_loss("L1", 28, 4)
    record.well(1).allergy(NO_KNOWN_ALLERGY, 300, SNOMED).care(36).care(30, "brace").pain(8, 34).pain(7, 1)
    record.medicine("Apixaban 5 mg tablet", 200).lab("6301-6", 1.1, "{INR}", 2).lab("777-3", 231, "10*3/uL", 2)
    return record.order("vertebral-augmentation", 1, levels=["L1"])


def _myeloma(now: datetime) -> Record:
    """Myeloma at L2, painful and by its score no longer reliable; a spinal surgeon was asked."""
    record = Record("demo-ordinary-myeloma", now, name="Simon Example", gender="male", age=66)
    record.encounter("AMB", 1, ended=0.9).condition("C90.00", 90).fracture("L2", 20, "M84.58XA")
    record.height_loss("L2", 45, 5).well(1).allergy(NO_KNOWN_ALLERGY, 90, SNOMED).sins("L2", 9, 5)
    record.attest({"surgeon-opinion": "yes"}, 2, level="L2")
    return record.pain(8, 12).pain(8, 1)


def _in_order(now: datetime) -> Record:
    """Ordered, told, examined: one signed statement answers most of what has to be in order before cement."""
    record = Record("demo-in-order", now, name="Tessa Example", age=72).encounter("AMB", 0.3, ended=0.2)
    record.fracture("L3", 40).tender("L3", True, 0.5).oedema("L3", True, 4).height_loss("L3", 22, 4).well(0.5)
    record.care(38).pain(8, 36).pain(7, 0.5).allergy(NO_KNOWN_ALLERGY, 200, SNOMED)
    record.order("vertebral-augmentation", 1, levels=["L3"]).referral("active", 2).consent(0.5)
    record.lab("6301-6", 1.0, "{INR}", 2).lab("777-3", 260, "10*3/uL", 2)
    record.lab("8310-5", 36.7, "Cel", 0.5)
    signs = ("spinal-instability", "neural-impingement", "retropulsion", "intravertebral-cleft", "cortical-defect")
    record.attest(dict.fromkeys((*signs, "atypical-pattern"), "absent"), 1, level="L3")
    return record.attest(
        {
            "antithrombotic": "none", "bleeding-risk": "absent", "coagulation-check": "normal",
            "inflammation-markers": "normal", "cardiopulmonary-disease": "absent", "prone-and-sedation": "tolerated",
            "surgical-rescue": "yes", "team-discussion": "yes", "antibiotic-prophylaxis": "yes",
        }, 0.5,
    )  # fmt: skip
