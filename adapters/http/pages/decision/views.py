"""The views of decisions."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from flask import Response, make_response, render_template, request

from adapters.http.auth import MAY, Area, needs
from adapters.http.pages.decision.model import decision_page
from adapters.http.pages.frame import blueprint
from adapters.http.rooms import house
from pathway.errors import ReplayError
from pathway.people import Role

PAGE: Final = 25


@blueprint.get("/records")
@needs(*MAY[Area.DECISION])
def decisions() -> str:
    """The latest decisions, whoever they are about."""
    before = int(request.args.get("before", 0))
    with house().store.read() as ledger:
        found = ledger.latest_decisions(PAGE + 1, before)
    return render_template("decisions.html", records=found[:PAGE], more=len(found) > PAGE, before=before)


@blueprint.get("/records/<uuid:id>")
@needs(*MAY[Area.DECISION])
def decision(id: UUID) -> str:
    """One decision from end to end."""
    return _page(str(id))


@blueprint.post("/records/<uuid:id>")
@needs(Role.AUDITOR, Role.CLINICIAN)
def replay(id: UUID) -> Response:
    """The decision made again, and whether it came out the same to the byte."""
    try:
        record = house().service.replay(str(id))
        said, status = f"Made again from its own facts and releases: the same bytes, sha256 {record.body_sha256}.", 200
    except ReplayError as error:
        said, status = f"Made again, it is not the same: {error.what}. Keep the record and tell whoever runs this.", 409
    return make_response(_page(str(id), said, status == 200), status)


def _page(id: str, said: str = "", same: bool = True) -> str:
    with house().store.read() as ledger:
        page = decision_page(ledger, house().book, id)
    return render_template("decision.html", page=page, said=said, same=same)
