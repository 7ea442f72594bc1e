"""The views of letters: made from the last decision, read, signed off or taken back, printed as they are kept."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from flask import make_response, redirect, render_template, request, url_for
from werkzeug import Response

from adapters.http.auth import MAY, Area, needs
from adapters.http.pages.frame import blueprint, reader
from adapters.http.pages.frame import instant as shown_instant
from adapters.http.pages.letters.content import content_of
from adapters.http.pages.letters.model import decision_for, page_of
from adapters.http.pages.letters.render import rendered, standing, style_hashes
from adapters.http.pages.patient.views import shown
from adapters.http.pages.worklist.acting import refusal
from adapters.http.rooms import house
from pathway.chart import patient_key
from pathway.letters import Letter
from pathway.people import ActRefusedError, words

_POLICY: Final = "default-src 'none'; style-src {hashes}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@blueprint.post("/patients/<id>/letters")
@needs(*MAY[Area.ACT])
def make_letter(id: str) -> Response:
    """Make a letter from the last decision and keep it as preliminary; the same form sent twice is one letter."""
    own, form = house(), request.form
    key, replaces = patient_key(own.settings.source, id), form.get("replaces", "")
    try:
        remark = words(form.get("remark", ""))
        with own.store.read() as ledger:
            patient = ledger.survivor(key)
            record = decision_for(ledger, patient)
            said = content_of(ledger, own.book, patient, record, form["recipient"], own.settings.letterhead)
        document = rendered(said, form["letter"], reader(), own.clock.now(), remark, replaces)
        letter = own.service.correspondence.make(form["letter"], patient, record.id, document, reader(), replaces)
    except ActRefusedError as error:
        return make_response(shown(id, refused=f"Not done. {refusal(error)}"), 409)
    return _there(letter)


@blueprint.get("/letters/<uuid:id>")
@needs(*MAY[Area.PATIENT])
def letter(id: UUID) -> Response:
    """A letter as it is kept, and what can be done with it."""
    return _shown(str(id))


@blueprint.get("/letters/<uuid:id>/document")
@needs(*MAY[Area.PATIENT])
def letter_document(id: UUID) -> Response:
    """The document alone, byte for byte as it is kept: to be printed."""
    with house().store.read() as ledger:
        document = ledger.bytes_of(ledger.letter(str(id)).last.sha256)
    answer = make_response(document)
    answer.mimetype = "text/html"
    answer.headers["Content-Security-Policy"] = _POLICY.format(hashes=style_hashes(document))
    return answer


@blueprint.post("/letters/<uuid:id>")
@needs(*MAY[Area.ACT])
def act_on_letter(id: UUID) -> Response:
    """Sign a letter off, or take it back with a reason."""
    own, person, text = house(), reader(), request.form.get("text", "")
    desk = own.service.correspondence
    with own.store.read() as ledger:
        document = ledger.bytes_of(ledger.letter(str(id)).last.sha256)
    at = shown_instant(own.clock.now())
    try:
        if request.form["act"] == "sign":
            after = standing(document, f"Signed off by {person.author} on {at}.")
            done = desk.sign(str(id), after, person)
        else:
            why = words(text)
            after = standing(document, f"Taken back by {person.author} on {at}, not to be used: {why}")
            done = desk.withdraw(str(id), after, person, why)
    except ActRefusedError as error:
        return _shown(str(id), f"Not done. {refusal(error)}")
    return _there(done)


def _shown(id: str, refused: str = "") -> Response:
    with house().store.read() as ledger:
        page = page_of(ledger, id)
    return make_response(render_template("letter.html", page=page, refused=refused), 409 if refused else 200)


def _there(letter: Letter) -> Response:
    return redirect(url_for("pages.letter", id=letter.id), 303)  # type: ignore[return-value]
