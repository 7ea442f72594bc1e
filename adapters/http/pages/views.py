"""The views of pages."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from flask import Blueprint, Response, render_template

from adapters.http.pages.start import start
from adapters.http.rooms import house, own_url

FOLDER: Final = Path(__file__).parent
blueprint = Blueprint(
    "pages",
    __name__,
    root_path=str(FOLDER),
    template_folder="templates",
    static_folder="static",
    static_url_path="/static",
)


@blueprint.get("/")
def start_page() -> str:
    """The stored patients and where each stands."""
    with house().store.read() as ledger:
        page = start(ledger, house().settings, house().book.sets, house().clock.now())
    return render_template("start.html", page=page, base=own_url())


@blueprint.get("/livez")
def livez() -> Response:
    """The process answers; nothing else is asked."""
    return Response("ok", mimetype="text/plain")
