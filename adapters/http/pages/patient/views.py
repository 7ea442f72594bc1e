"""The view of a patient."""

from __future__ import annotations

from flask import render_template

from adapters.http.auth import MAY, Area, needs
from adapters.http.pages.frame import blueprint, reader, zone
from adapters.http.pages.patient.model import patient_page
from adapters.http.rooms import house


@blueprint.get("/patients/<id>")
@needs(*MAY[Area.PATIENT])
def patient(id: str) -> str:
    """Where a patient stands."""
    at, source = house().clock.now(), house().settings.source
    with house().store.read() as ledger:
        page = patient_page(ledger, house().book, source, id, reader(), at, zone())
    return render_template("patient.html", page=page)
