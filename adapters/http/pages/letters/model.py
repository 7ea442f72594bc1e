"""What the page of a letter shows: the letter as it is kept, how it stands, and whether the record has moved on."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from adapters.http.pages.letters.render import article
from pathway.chart import patient_id
from pathway.decisions import DecisionRecord
from pathway.errors import NotFoundError
from pathway.letters import Letter
from pathway.people import OutOfTurnError
from pathway.ports import Ledger


@dataclass(frozen=True, slots=True)
class Page:
    """A letter: `seen` is the decision that stands behind its patient now, `newer` that it is a later one."""

    letter: Letter
    patient: str
    text: Markup
    newer: bool
    seen: str


def page_of(ledger: Ledger, id: str) -> Page:
    """The page of a letter; NotFoundError if there is none."""
    letter = ledger.letter(id)
    patient = ledger.survivor(letter.made.patient)
    made = ledger.decision(letter.made.decision)
    last = ledger.decision_on_chart(patient) or made
    text = article(ledger.bytes_of(letter.last.sha256))
    return Page(letter, patient_id(patient), text, last.sequence > made.sequence, last.id)


def decision_for(ledger: Ledger, patient: str) -> DecisionRecord:
    """The decision that a letter is made from: the last one on the stored chart."""
    if not ledger.chart_version(patient):
        raise NotFoundError("nothing is stored of this patient", fix="Look for the patient on the work list")
    record = ledger.decision_on_chart(patient)
    if record is None:
        raise OutOfTurnError("nothing was decided on the stored chart yet", fix="Wait a moment, then try again")
    return record


def in_place_of(ledger: Ledger, patient: str, replaces: str) -> str:
    """The letter that its readers may have, of which a new one says that it takes its place; a draft they never saw."""
    found = next((one for one in ledger.letters(patient) if one.id == replaces), None)
    if found is None or found.signed:
        return replaces
    return next(iter(found.before), "")
