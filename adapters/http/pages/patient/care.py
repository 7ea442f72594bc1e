"""The end of a patient's care here, and that it goes on."""

from __future__ import annotations

from flask import make_response, redirect, request, url_for
from werkzeug import Response

from adapters.http.auth import MAY, Area, needs
from adapters.http.pages.frame import blueprint, reader
from adapters.http.pages.patient.views import shown
from adapters.http.pages.worklist.acting import refusal
from adapters.http.rooms import house
from pathway.chart import patient_key
from pathway.people import ActRefusedError


@blueprint.post("/patients/<id>/care")
@needs(*MAY[Area.ACT])
def end_care(id: str) -> Response:
    """End all tasks of a patient or of an episode with one honest outcome, or let care go on; then the page again."""
    desk, patient = house().service.desk, patient_key(house().settings.source, id)
    episode, text = request.form.get("episode", ""), request.form.get("text", "")
    try:
        if request.form["act"] == "resume":
            desk.resume_care(patient, episode, reader(), text)
        else:
            desk.end_care(patient, episode, request.form.get("outcome", ""), reader(), text)
    except ActRefusedError as error:
        return make_response(shown(id, refused=f"Not done. {refusal(error)}"), 409)
    return redirect(url_for("pages.patient", id=id, _anchor="care"), 303)  # type: ignore[return-value]
