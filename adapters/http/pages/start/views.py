"""The view of the start page."""

from __future__ import annotations

from typing import Final

from flask import redirect, url_for
from werkzeug import Response

from adapters.http.auth import MAY, Area, needs
from adapters.http.pages.frame import blueprint, reader
from pathway.people import Role

DESKS: Final = {
    Role.COORDINATOR: "pages.worklist",
    Role.CLINICIAN: "pages.worklist",
    Role.AUDITOR: "pages.decisions",
    Role.ADMIN: "pages.rule_sets",
}


@blueprint.get("/")
@needs(*MAY[Area.START])
def start_page() -> Response:
    """To the desk of whoever is signed in."""
    return redirect(url_for(DESKS[reader().role]), 303)
