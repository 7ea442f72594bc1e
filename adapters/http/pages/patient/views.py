"""The view of a patient."""

from __future__ import annotations

import uuid
from typing import Final

from flask import render_template

from adapters.http.auth import MAY, Area, needs
from adapters.http.pages.frame import blueprint, reader, zone
from adapters.http.pages.letters.content import RECIPIENTS
from adapters.http.pages.patient.model import patient_page
from adapters.http.rooms import house
from pathway.chart import patient_key
from pathway.letters import standing_now
from pathway.people import CARE_ENDS, OUTCOMES

ENDS: Final = tuple(outcome for code, outcome in OUTCOMES.items() if code in CARE_ENDS)
"""How care may end, in the order in which outcomes are offered."""


@blueprint.get("/patients/<id>")
@needs(*MAY[Area.PATIENT])
def patient(id: str) -> str:
    """Where a patient stands."""
    return shown(id)


def shown(id: str, refused: str = "", remark: str = "") -> str:
    """The page of a patient, with why something was not done."""
    at, source = house().clock.now(), house().settings.source
    with house().store.read() as ledger:
        page = patient_page(ledger, house().book, source, id, reader(), at, zone())
        letters = ledger.letters(patient_key(source, id))
    return render_template(
        "patient.html", page=page, refused=refused, care_ends=ENDS, letters=letters, new_letter=str(uuid.uuid4()),
        stands=standing_now(letters), recipients=RECIPIENTS, remark=remark,
    )  # fmt: skip
