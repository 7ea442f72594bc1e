"""The views of what could not be read."""

from __future__ import annotations

from uuid import UUID

from flask import make_response, redirect, render_template, request, url_for
from werkzeug import Response

from adapters.http.auth import MAY, Area, needs
from adapters.http.pages.frame import blueprint, reader
from adapters.http.pages.unread.model import OPEN, page_of
from adapters.http.pages.worklist.acting import refusal
from adapters.http.rooms import house
from adapters.ingest.unread import dismiss, retry
from pathway.errors import BadInputError

_SAID = {"retry": "It could be read now", "dismiss": "Set aside"}


@blueprint.get("/unread")
@needs(*MAY[Area.UNREAD])
def unread() -> str:
    """What waits to be read, the oldest first."""
    return _shown(said=_SAID.get(request.args.get("done", ""), ""))


@blueprint.post("/unread/<uuid:id>")
@needs(*MAY[Area.UNREAD])
def act_on_unread(id: UUID) -> Response:
    """Read it again, or set it aside with a reason. What still cannot be read says why, as it stands now."""
    act, person = request.form["act"], reader()
    try:
        if act == "retry":
            row = retry(house(), str(id), person.name)
        else:
            row = dismiss(house(), str(id), person.name, request.form.get("text", ""))
    except BadInputError as error:
        return make_response(_shown(refused=f"Not done. {refusal(error)}"), 409)
    if row.state == OPEN:
        return make_response(_shown(refused=f"It still cannot be read. {row.why[:1].upper()}{row.why[1:]}."), 409)
    return redirect(url_for("pages.unread", done=act), 303)  # type: ignore[return-value]


def _shown(said: str = "", refused: str = "") -> str:
    with house().store.unread(write=False) as found:
        page = page_of(found, request.args.get("after", ""))
    return render_template("unread.html", page=page, said=said, refused=refused)
