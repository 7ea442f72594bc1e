"""The views of CDS Hooks: discovery, the call, feedback on cards, and what a browser asks first (CORS)."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, g, request

from adapters.fhir import strict_json
from adapters.fhir.client import origin
from adapters.http.cds_hooks.answer import answer
from adapters.http.cds_hooks.call import read_call
from adapters.http.cds_hooks.catalogue import services
from adapters.http.cds_hooks.feedback import take
from adapters.http.negotiation import JSON
from adapters.http.rooms import house

blueprint = Blueprint("cds_hooks", __name__, url_prefix="/cds-services")
_PREFLIGHT_SECONDS: Final = "600"


@blueprint.get("")
def discover() -> Response:
    """The services offered."""
    return _json({"services": [service.to_json() for service in services(house().terms.site).values()]})


@blueprint.post("/<service>")
def call(service: str) -> Response:
    """One hook call."""
    made = read_call(service, request.get_data(cache=False), house().settings.max_body_bytes, house().terms.site)
    return _json({"cards": answer(house(), made, g.began)})


@blueprint.post("/<service>/feedback")
def feedback(service: str) -> Response:
    """What clinicians answered to cards; the same answer may come again."""
    take(house(), service, request.get_data(cache=False))
    return Response(status=200)


@blueprint.route("", methods=["OPTIONS"])
@blueprint.route("/<service>", methods=["OPTIONS"], endpoint="preflight_call")
@blueprint.route("/<service>/feedback", methods=["OPTIONS"], endpoint="preflight_feedback")
def preflight(service: str = "") -> Response:
    """What a browser may send: the headers that say so are added to every answer here."""
    return Response(status=204)


@blueprint.after_request
def _cors(response: Response) -> Response:
    """Let in the pages of listed FHIR servers, and our own; answers hold what the stored chart says of a patient.

    Discovery holds nothing of anyone: any page may read it.
    """
    asked = request.headers.get("Origin", "")
    public = request.url_rule is not None and request.url_rule.rule == "/cds-services"
    response.headers["Vary"] = "Origin"
    if asked and (public or origin(asked) in _origins()):
        response.headers["Access-Control-Allow-Origin"] = "*" if public else asked
        response.headers["Access-Control-Allow-Methods"] = "GET" if public else "POST"
        response.headers["Access-Control-Allow-Headers"] = "authorization, content-type"
        response.headers["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS
    return response


def _origins() -> set[str | None]:
    settings = house().settings
    return {origin(url) for url in (*settings.fhir_servers, settings.public_url)} - {None}


def _json(body: dict[str, Any]) -> Response:
    return Response(strict_json.dumps(body), mimetype=JSON)
