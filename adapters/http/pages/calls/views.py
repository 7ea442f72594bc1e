"""The views of calls: what was asked and answered is kept, shown with what came of it, corrected or taken back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from flask import make_response, redirect, render_template, request, url_for
from werkzeug import Response

from adapters.fhir.phone_call import Call, Kept, bundle, withdrawal
from adapters.http.auth import MAY, Area, needs
from adapters.http.events import decided
from adapters.http.guard import note
from adapters.http.pages.calls.model import CONTACT, asking, digest, page_of
from adapters.http.pages.calls.questions import script
from adapters.http.pages.frame import blueprint, reader
from adapters.http.pages.worklist.views import not_done
from adapters.http.rooms import house
from adapters.ingest.calls import kept_call, procedures_of, take
from pathway.chart import patient_id
from pathway.errors import NotFoundError
from pathway.tasks import Task

_NOTHING: Final = "Not done. Nothing was answered. If nobody was reached, keep an attempt instead."
_OTHERWISE: Final = (
    "Not done. This call is kept already, and stands otherwise than your form saw it. Look at it as it is now, then "
    "correct it."
)
_NO_CONTACT: Final = "Not done. This task is no contact: a call is kept on the contact that it was."
_GONE: Final = "Not done. This call was taken back. Keep a new one."


@blueprint.post("/tasks/<uuid:id>/calls")
@needs(*MAY[Area.ACT])
def keep_call(id: UUID) -> Response:
    """Keep a call, correct it, or take it back; whatever has become of its task, for what was said counts.

    The same form sent twice is one call. What others changed meanwhile is shown, never overwritten.
    """
    call = str(UUID(request.form["call"]))
    task, before = _found(str(id), call)
    answers = _answers(request.form)
    if request.form["act"] == "withdraw":
        return _withdraw(task, before)
    if task.code != CONTACT:
        return not_done(task.id, _NO_CONTACT)
    if not answers:
        return not_done(task.id, _NOTHING)
    if before is not None:  # what the script asks no more, its form cannot take back
        answers |= {name: said for name, said in before.answers.items() if name not in _names()}
    if before is None:
        at = house().clock.now()
        _take(task, bundle(_call(task, call, answers, at)))
    elif before.gone or before.answers != answers:
        if before.gone or request.form.get("seen") != digest(before.answers):
            return _shown(task, before, _GONE if before.gone else _OTHERWISE, answers)
        _take(task, bundle(_call(task, before.id, answers, before.at), before))
    return _there(task, call)


@blueprint.get("/tasks/<uuid:id>/calls/<uuid:call>")
@needs(*MAY[Area.PATIENT])
def one_call(id: UUID, call: UUID) -> Response:
    """One call: what to do at once, what came of it, every answer."""
    task, before = _found(str(id), str(call))
    return _shown(task, _there_is(before))


def _withdraw(task: Task, before: Kept | None) -> Response:
    before = _there_is(before)
    if not before.gone:
        _take(task, withdrawal(_call(task, before.id, before.answers, before.at)))
    return _there(task, before.id)


def _there_is(call: Kept | None) -> Kept:
    if call is None:
        raise NotFoundError("there is no such call", fix="Look for it on the page of its task")
    return call


def _answers(form: Mapping[str, str]) -> dict[str, str]:
    """What was answered, by finding; what was left open is not among it."""
    given = {name: form.get(name, "").strip().replace(",", ".") for name in _names()}
    return {name: answer for name, answer in given.items() if answer}


def _names() -> tuple[str, ...]:
    return tuple(question.finding for question in script().questions)


def _found(id: str, call: str) -> tuple[Task, Kept | None]:
    with house().store.read() as ledger:
        task = ledger.find_task(id)
        return task, kept_call(ledger, task, call)


def _call(task: Task, id: str, answers: Mapping[str, str], at: Any) -> Call:
    with house().store.read() as ledger:
        procedures = procedures_of(ledger, task)
    return Call(id, task.id, patient_id(task.patient), procedures, at, reader(), answers, script().version)


def _take(task: Task, sent: Mapping[str, Any]) -> None:
    made = take(house(), sent, task, reader())
    decided(made.decision, json.loads(made.decision.body))
    note(decision=made.decision.id, created=len(made.changes.created), updated=len(made.changes.updated))


def _there(task: Task, call: str) -> Response:
    return redirect(url_for("pages.one_call", id=task.id, call=call), 303)  # type: ignore[return-value]


def _shown(task: Task, kept: Kept, refused: str = "", sent: Mapping[str, str] | None = None) -> Response:
    with house().store.read() as ledger:
        page = page_of(ledger, task, kept, sent)
    html = render_template(
        "call.html", page=page, task=task, patient=patient_id(task.patient), ask=asking(kept), refused=refused
    )
    return make_response(html, 409 if refused else 200)
