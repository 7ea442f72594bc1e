"""One act on several tasks: each is done or refused on its own, and the page says which and why."""

from __future__ import annotations

from dataclasses import dataclass

from flask import make_response, render_template, request
from werkzeug import Response

from adapters.http.auth import MAY, Area, needs
from adapters.http.pages.frame import blueprint, reader
from adapters.http.pages.worklist.acting import DONE, choices, refusal, said_in
from adapters.http.pages.worklist.filters import read
from adapters.http.pages.worklist.views import FILTERED, page_of
from adapters.http.rooms import house
from pathway.chart import patient_id
from pathway.desk import Answer
from pathway.errors import NotFoundError
from pathway.lifecycle import Act
from pathway.people import ActRefusedError
from pathway.ports import Ledger


@dataclass(frozen=True, slots=True)
class Result:
    """What came of the act on one task: done, or why not; empty names where there is no such task."""

    id: str
    title: str
    patient: str
    done: bool
    said: str


@blueprint.post("/worklist/acts")
@needs(*MAY[Area.ACT])
def act_on_many() -> Response:
    """Do it to each chosen task as it was seen, then show the list as it stands with a result for each.

    409 if none of them was done: what was chosen is still to do.
    """
    act, filters = Act(request.form["act"]), read(request.form)
    chosen = [(id, int(version)) for id, _, version in (one.partition(":") for one in request.form.getlist("task"))]
    answers: tuple[Answer, ...] = ()
    said = "" if chosen else "Not done. No task was chosen. Tick some, then say what to do with them."
    try:
        answers = house().service.desk.act_on_many(chosen, act, reader(), said_in(request.form, act))
    except ActRefusedError as error:
        said = f"Not done. {refusal(error)}"
    with house().store.read() as ledger:
        results = [_result(ledger, answer, act) for answer in answers]
        page = page_of(ledger, filters)
    done = sum(result.done for result in results)
    html = render_template(
        "worklist.html", page=page, filters=filters, opened=None, said=said, results=results, done=done, **FILTERED,
        **choices(),
    )  # fmt: skip
    return make_response(html, 200 if done else 409)


def _result(ledger: Ledger, answer: Answer, act: Act) -> Result:
    said = DONE[act] if answer.refused is None else refusal(answer.refused)
    try:
        task = answer.task or ledger.find_task(answer.task_id)
    except NotFoundError:
        return Result(answer.task_id, "", "", False, said)
    return Result(task.id, task.title, patient_id(task.patient), answer.refused is None, said)
