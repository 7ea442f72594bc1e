"""A hook call: the request body, held against the contract and read into what the service needs of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.fhir import strict_json
from adapters.fhir.site_codes import NO_SITE_CODES, SiteCodes
from adapters.http.cds_hooks.catalogue import HookService, services
from adapters.http.contract import held
from adapters.http.guard import note
from pathway.errors import BadInputError, NotFoundError


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one service. The token is for `server` alone: it is stored nowhere and printed by nothing."""

    service: HookService
    instance: str
    patient_id: str
    user_id: str
    prefetch: Mapping[str, Any]
    encounter_id: str = ""
    server: str = ""
    token: str = field(default="", repr=False)


def read_call(service_id: str, data: bytes, max_bytes: int, site: SiteCodes = NO_SITE_CODES) -> Call:
    """The call that a body makes. NotFoundError for no such service, BadInputError for a body that is not its hook's.

    Members that are null or empty strings count as absent: clients send them for what they do not have.
    """
    hooks = offered(service_id, site)
    body = strict_json.load(data, max_bytes=max_bytes, where="body")
    if isinstance(body, Mapping):
        body = filled(body)
        if isinstance(context := body.get("context"), Mapping):
            body["context"] = filled(context)
        if isinstance(body.get("hook"), str) and body["hook"] not in hooks:
            raise BadInputError(
                "this service does not answer that hook", where="body.hook",
                fix=f"Call it for {', '.join(sorted(hooks))}", code="not-supported",
            )  # fmt: skip
    held(body)
    return _call(hooks[body["hook"]], body)


def offered(service_id: str, site: SiteCodes = NO_SITE_CODES) -> Mapping[str, HookService]:
    """The services of an id by their hooks; NotFoundError where there is none."""
    hooks = {hook: service for (id, hook), service in services(site).items() if id == service_id}
    if not hooks:
        raise NotFoundError("there is no such service", fix="GET /cds-services lists what is offered")
    return hooks


def _call(service: HookService, body: Mapping[str, Any]) -> Call:
    context, grant = body["context"], body.get("fhirAuthorization", {})
    patient_id = _bare(context["patientId"])
    if _bare(grant.get("patient", patient_id)) != patient_id:
        raise BadInputError(
            "the access token is for another patient than the context",
            where="body.fhirAuthorization.patient", code="business-rule",
            fix="Send a token for the patient of the context",
        )  # fmt: skip
    return Call(
        service=service, instance=body["hookInstance"], patient_id=patient_id, user_id=context["userId"],
        prefetch=body.get("prefetch", {}), encounter_id=context.get("encounterId", "").removeprefix("Encounter/"),
        server=body.get("fhirServer", ""), token=grant.get("access_token", ""),
    )  # fmt: skip


def filled(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that hold something."""
    return {name: value for name, value in members.items() if value not in (None, "")}


def _bare(patient: str) -> str:
    """A patient's id without its type, which some clients send and the specification does not ask for; counted."""
    bare = patient.removeprefix("Patient/")
    if bare != patient:
        note(patient_id_with_type=1)
    return bare
