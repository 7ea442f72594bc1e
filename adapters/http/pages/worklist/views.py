"""The views of the work list: the list, one task, and what a person does to it."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from flask import make_response, redirect, render_template, request, url_for
from werkzeug import Response

from adapters.http.auth import MAY, Area, needs
from adapters.http.pages.calls.model import CONTACT, asking, earlier
from adapters.http.pages.frame import blueprint, is_part, reader, zone
from adapters.http.pages.worklist.acting import DONE, ENDING, STAYS_OPEN, choices, refusal, said_in
from adapters.http.pages.worklist.filters import OWNERS, PRIORITIES, Filters, read
from adapters.http.pages.worklist.model import Full, Page, full, work_list
from adapters.http.rooms import house
from pathway.errors import ChartMovedError
from pathway.lifecycle import Act
from pathway.people import ActRefusedError
from pathway.ports import Ledger

FILTERED: Final = {"priorities": PRIORITIES, "owners": OWNERS}


@blueprint.get("/worklist")
@needs(*MAY[Area.WORK_LIST])
def worklist() -> str:
    """The open tasks in their bands."""
    filters = read(request.args)
    with house().store.read() as ledger:
        page = page_of(ledger, filters)
        opened = _full(ledger, filters.open) if filters.open in page.ids else None
        said = _said(ledger)
    return render_template(
        "worklist.html", page=page, filters=filters, opened=opened, said=said, **FILTERED, **choices()
    )


@blueprint.get("/tasks/<uuid:id>")
@needs(*MAY[Area.PATIENT])
def task(id: UUID) -> str:
    """One task with its reasons and its history; for htmx the row of the list, in full or in short."""
    filters = read(request.args)
    with house().store.read() as ledger:
        it = _full(ledger, str(id))
        said = _said(ledger)
    if is_part():
        return _row(it, filters, unfold=bool(filters.open))
    return _page(it, filters, said=said)


@blueprint.post("/tasks/<uuid:id>")
@needs(*MAY[Area.ACT])
def act_on_task(id: UUID) -> Response:
    """Do one act; then the row as it stands, or the page again. Somebody else's change is shown, never overwritten."""
    act, filters = Act(request.form["act"]), read(request.form)
    refused = ""
    try:
        said = said_in(request.form, act)
        house().service.desk.act(str(id), act, reader(), int(request.form["version"]), said)
    except (ActRefusedError, ChartMovedError) as error:
        refused = f"Not done. {refusal(error)}"
    if is_part():
        return _part(str(id), act, filters, refused)
    if refused:
        return _refused(str(id), filters, refused)
    told = {"done": act.value, "task": str(id)}
    if request.form.get("from") == "task":
        return redirect(f"{url_for('pages.task', id=id)}?{urlencode(told)}", 303)
    anchor = "" if act in ENDING else f"#task-{id}"
    return redirect(f"{url_for('pages.worklist')}?{urlencode(filters.query(open='') | told)}{anchor}", 303)


def not_done(id: str, why: str) -> Response:
    """The page of a task with why nothing was done to it."""
    return _refused(id, Filters(), why)


def page_of(ledger: Ledger, filters: Filters) -> Page:
    """The page of the list that the filters name, as its reader sees it now."""
    return work_list(ledger, filters, reader(), house().clock.now(), zone())


def _refused(id: str, filters: Filters, refused: str) -> Response:
    """The task as it stands, with what was written kept, so that nothing has to be typed twice."""
    with house().store.read() as ledger:
        it = _full(ledger, id)
    return make_response(_page(it, filters, refused=refused, text=request.form.get("text", "")), 409)


def _page(it: Full, filters: Filters, **told: str) -> str:
    """The page of a task; on that of a contact, the script of the call and the calls that were kept."""
    asked = it.row.task.code == CONTACT
    with house().store.read() as ledger:
        calls = earlier(ledger, it.row.task) if asked else ()
    return render_template(
        "task.html", it=it, row=it.row, filters=filters, ask=asking() if asked else None, calls=calls, **told,
        **choices(),
    )  # fmt: skip


def _part(id: str, act: Act, filters: Filters, refused: str) -> Response:
    """The row for htmx, with the counts of the bands and what is said aloud."""
    with house().store.read() as ledger:
        it = _full(ledger, id)
        page = page_of(ledger, filters)
    said = refused or f"{DONE[act]}: {it.row.task.title}"
    row = _row(it, filters, unfold=bool(refused) or act in STAYS_OPEN, refused=refused)
    return make_response(row + render_template("_counts.html", page=page, said=said), 409 if refused else 200)


def _row(it: Full, filters: Filters, *, unfold: bool, refused: str = "") -> str:
    return render_template(
        "_row.html", row=it.row, it=it if unfold else None, filters=filters, refused=refused,
        **(choices() if unfold else {}),
    )  # fmt: skip


def _full(ledger: Ledger, id: str) -> Full:
    own = house()
    return full(ledger, own.book, ledger.find_task(id), reader(), own.clock.now(), zone(), own.service.pace)


def _said(ledger: Ledger) -> str:
    """What the act before this page came to."""
    done, id = request.args.get("done", ""), request.args.get("task", "")
    if not done or not id:
        return ""
    return f"{DONE[Act(done)]}: {ledger.find_task(id).title}"
