"""What the page of a letter shows: the letter as it is kept, how it stands, and whether the record has moved on."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from adapters.http.pages.evidence import latest
from adapters.http.pages.letters.render import article
from pathway.chart import patient_id
from pathway.decisions import DecisionRecord
from pathway.errors import NotFoundError
from pathway.letters import Letter
from pathway.people import OutOfTurnError
from pathway.ports import Ledger


@dataclass(frozen=True, slots=True)
class Page:
    """A letter: `newer` says that a later decision stands behind its patient."""

    letter: Letter
    patient: str
    text: Markup
    newer: bool


def page_of(ledger: Ledger, id: str) -> Page:
    """The page of a letter; NotFoundError if there is none."""
    letter = ledger.letter(id)
    patient = ledger.survivor(letter.made.patient)
    _, record = latest(ledger, patient, 25)
    newer = record is not None and record.sequence > ledger.decision(letter.made.decision).sequence
    return Page(letter, patient_id(patient), article(ledger.bytes_of(letter.last.sha256)), newer)


def decision_for(ledger: Ledger, patient: str) -> DecisionRecord:
    """The decision that a letter is made from: the last one on the stored chart."""
    if not ledger.chart_version(patient):
        raise NotFoundError("nothing is stored of this patient", fix="Look for the patient on the work list")
    _, record = latest(ledger, patient, 25)
    if record is None or record.hook_instance:
        raise OutOfTurnError("nothing was decided on the stored chart yet", fix="Wait a moment, then try again")
    return record
