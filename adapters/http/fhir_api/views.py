"""The views of the FHIR API."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, g, request

from adapters.fhir.capability import capability_statement
from adapters.fhir.from_plan import care_plan, searchset, task
from adapters.http.fhir_api.search import (
    SEARCHES,
    care_plan_by_id,
    care_plans,
    letter_by_id,
    letters,
    page_links,
    task_by_id,
    tasks,
)
from adapters.http.fhir_api.submission import submit
from adapters.http.fhir_api.told import told
from adapters.http.negotiation import fhir_answer
from adapters.http.problems import fhir
from adapters.http.rooms import house, own_url
from pathway import __version__

blueprint = Blueprint("fhir", __name__, url_prefix="/fhir")
_BASE: Final = "/fhir"


@blueprint.before_request
def _asked() -> None:
    """Settle the answer's media type before anything is done."""
    g.media_type = fhir_answer(g.query.get("_format"))


@blueprint.post("")
def take_in() -> Response:
    """A Bundle, or one resource: kept, decided on, and answered for entry by entry."""
    return _answer(submit(house(), request.get_data(cache=False)))


@blueprint.post("/subscription")
def hear() -> Response:
    """A notification of a subscription of ours, with or without the resource."""
    return told(request.get_data(cache=False))


@blueprint.put("/subscription/<type>/<id>")
def hear_resource(type: str, id: str) -> Response:
    """A notification as an update of the resource itself, as R4 has it."""
    return told(request.get_data(cache=False), f"{type}/{id}")


@blueprint.get("/metadata")
def metadata() -> Response:
    """The CapabilityStatement."""
    return _answer(capability_statement(_base(), __version__, house().clock.now(), SEARCHES))


@blueprint.get("/Task")
def search_tasks() -> Response:
    """Tasks by due date."""
    with house().store.read() as ledger:
        found, more = tasks(ledger, house().settings.source, g.query)
    approved = house().approved
    return _page([task(one, approved) for one in found], more)


@blueprint.get("/Task/<id>")
def read_task(id: str) -> Response:
    """One task, its version as ETag."""
    with house().store.read() as ledger:
        found = task_by_id(ledger, id)
    answer = _answer(task(found, house().approved))
    answer.set_etag(str(found.version), weak=True)
    answer.last_modified = found.modified_at
    return answer


@blueprint.get("/CarePlan")
def search_care_plans() -> Response:
    """The care plans of one patient."""
    with house().store.read() as ledger:
        found, more = care_plans(ledger, house().settings.source, g.query)
    approved = house().approved
    return _page([care_plan(*one, approved=approved) for one in found], more)


@blueprint.get("/CarePlan/<id>")
def read_care_plan(id: str) -> Response:
    """One care plan."""
    with house().store.read() as ledger:
        found = care_plan_by_id(ledger, id)
    return _answer(care_plan(*found, approved=house().approved))


@blueprint.get("/DocumentReference")
def search_letters() -> Response:
    """The letters about one patient."""
    with house().store.read() as ledger:
        found, more = letters(ledger, house().settings.source, g.query)
    return _page(list(found), more)


@blueprint.get("/DocumentReference/<id>")
def read_letter(id: str) -> Response:
    """One letter with its document, its version as ETag."""
    with house().store.read() as ledger:
        found = letter_by_id(ledger, id)
    answer = _answer(found)
    answer.set_etag(found["meta"]["versionId"], weak=True)
    return answer


def _page(resources: list[dict[str, Any]], more: bool) -> Response:
    return _answer(searchset(_base(), resources, page_links(f"{own_url()}{request.path}", g.query, more)))


def _base() -> str:
    return f"{own_url()}{_BASE}"


def _answer(body: dict[str, Any]) -> Response:
    return fhir(body, media_type=g.media_type)
