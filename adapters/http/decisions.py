"""Decisions: what was decided, and whether it comes out the same again."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from flask import Blueprint, Response

from adapters.fhir import strict_json
from adapters.http.rooms import house
from pathway.canonical import instant
from pathway.decisions import DecisionRecord

blueprint = Blueprint("decisions", __name__, url_prefix="/decisions")


@blueprint.get("/<uuid:id>")
def read(id: UUID) -> Response:
    """One decision; its body keeps the form in which it was hashed, decimals as `{"decimal": "2.50"}`."""
    with house().store.read() as ledger:
        record = ledger.decision(str(id))
    return _json(envelope(record) | {"body": json.loads(record.body)})


@blueprint.get("/<uuid:id>/replay")
def replay(id: UUID) -> Response:
    """The decision made again; the ReplayError of a difference becomes 409."""
    record = house().service.replay(str(id))
    return _json({"same": True, "sha256": record.body_sha256})


def envelope(record: DecisionRecord) -> dict[str, Any]:
    """Everything about a decision but its body."""
    body = {
        "id": record.id,
        "sequence": record.sequence,
        "decidedAt": instant(record.decided_at),
        "patient": record.patient,
        "asOf": instant(record.as_of),
        "trigger": record.trigger,
        "actor": record.actor,
        "serviceVersion": record.service_version,
        "hookInstance": record.hook_instance,
        "inputSha256": record.input_sha256,
        "bodySha256": record.body_sha256,
    }
    return {name: value for name, value in body.items() if value != ""}


def _json(body: dict[str, Any]) -> Response:
    return Response(strict_json.dumps(body), mimetype="application/json")
