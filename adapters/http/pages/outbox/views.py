"""The views of what could not be sent."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from werkzeug import Response

from adapters.http.auth import MAY, Area, needs
from adapters.http.pages.frame import blueprint
from adapters.http.pages.outbox.model import page_of
from adapters.http.rooms import house
from adapters.worker import doorbell


@blueprint.get("/outbox")
@needs(*MAY[Area.OUTBOX])
def outbox() -> str:
    """What was laid aside after it failed, by key."""
    with house().store.outbox(write=False) as found:
        page = page_of(found, request.args.get("after", ""))
    said = "On its way again" if request.args.get("done") else ""
    return render_template("outbox.html", page=page, said=said)


@blueprint.post("/outbox")
@needs(*MAY[Area.OUTBOX])
def requeue() -> Response:
    """Let one row, or all, be tried again. What is on its way already stays so."""
    key, now = request.form.get("key", ""), house().clock.now()
    with house().store.outbox(write=True) as found:
        if key:
            found.requeue(key, now)
        else:
            found.requeue_all(now)
    doorbell.ring("drain")
    return redirect(url_for("pages.outbox", done="requeue"), 303)  # type: ignore[return-value]
