"""The views of letters: made from the last decision, read, signed off or taken back, printed as they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from flask import make_response, redirect, render_template, request, url_for
from werkzeug import Response

from adapters.http.auth import MAY, Area, needs
from adapters.http.pages.frame import blueprint, reader
from adapters.http.pages.frame import instant as shown_instant
from adapters.http.pages.letters.content import content_of
from adapters.http.pages.letters.model import Page, decision_for, in_place_of, page_of
from adapters.http.pages.letters.render import asked_for, rendered, standing, style_hashes
from adapters.http.pages.patient.views import shown
from adapters.http.pages.worklist.acting import refusal
from adapters.http.rooms import house
from pathway.chart import patient_key
from pathway.letters import Letter
from pathway.people import ActRefusedError, OutOfTurnError, words

_POLICY: Final = "default-src 'none'; style-src {hashes}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@blueprint.post("/patients/<id>/letters")
@needs(*MAY[Area.ACT])
def make_letter(id: str) -> Response:
    """Make a letter from the last decision and keep it as preliminary; the same form sent twice is one letter."""
    try:
        letter, words_kept = _made(patient_key(house().settings.source, id), request.form)
        if not words_kept:  # the back button, and other words in the same form
            raise OutOfTurnError(
                "this form made a letter already, with other words", fix="Load the page again and make one in its place"
            )
    except ActRefusedError as error:
        told = shown(id, refused=f"Not done. {refusal(error)}", remark=request.form.get("remark", ""))
        return make_response(told, 409)
    return _there(letter)


def _made(key: str, form: Mapping[str, str]) -> tuple[Letter, bool]:
    """The letter of a form, made now or before, and whether it says what the form asks for."""
    own, new, replaces = house(), _id(form["letter"]), _id(form.get("replaces", ""))
    remark = words(form.get("remark", ""))
    with own.store.read() as ledger:
        patient = ledger.survivor(key)
        record = decision_for(ledger, patient)
        said = content_of(ledger, own.book, patient, record, form["recipient"], own.settings.letterhead)
        instead_of = in_place_of(ledger, patient, replaces)
    document = rendered(said, new, reader(), own.clock.now(), remark, instead_of)
    letter = own.service.correspondence.make(new, patient, record.id, document, reader(), replaces)
    with own.store.read() as ledger:
        kept = ledger.bytes_of(letter.made.sha256)
    return letter, asked_for(kept) == asked_for(document)


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
        page = page_of(ledger, str(id))
        document = ledger.bytes_of(page.letter.last.sha256)
    at = shown_instant(own.clock.now())
    try:
        if request.form["act"] == "sign":
            _refuse_unseen(page)
            after = standing(document, f"Signed off by {person.author} on {at}.")
            done = desk.sign(str(id), after, person)
        else:
            why = words(text)
            after = standing(document, f"Taken back by {person.author} on {at}, not to be used: {why}")
            done = desk.withdraw(str(id), after, person, why)
    except ActRefusedError as error:
        return _shown(str(id), f"Not done. {refusal(error)}")
    return _there(done)


def _refuse_unseen(page: Page) -> None:
    """Nobody signs over a record that came while the letter lay open."""
    if request.form.get("seen", page.seen) != page.seen:
        raise OutOfTurnError(
            "the record has moved on since you opened this letter", fix="Read what is new, then sign it or make another"
        )


def _id(given: str) -> str:
    """The id of a letter as addresses have it, whatever its case in a form."""
    return str(UUID(given)) if given else ""


def _shown(id: str, refused: str = "") -> Response:
    with house().store.read() as ledger:
        page = page_of(ledger, id)
    return make_response(render_template("letter.html", page=page, refused=refused), 409 if refused else 200)


def _there(letter: Letter) -> Response:
    return redirect(url_for("pages.letter", id=letter.id), 303)  # type: ignore[return-value]
