"""The view of one answer."""

from __future__ import annotations

from uuid import UUID

from flask import render_template

from adapters.http.auth import MAY, Area, needs
from adapters.http.pages.answer.model import answer_page
from adapters.http.pages.frame import blueprint
from adapters.http.rooms import house


@blueprint.get("/records/<uuid:id>/answers/<int:number>")
@needs(*MAY[Area.DECISION])
def answer(id: UUID, number: int) -> str:
    """What carried one answer of a decision."""
    with house().store.read() as ledger:
        page = answer_page(ledger, house().book, str(id), number)
    return render_template("answer.html", page=page)
