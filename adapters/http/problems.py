"""Every failure on the wire is an OperationOutcome: what is wrong, where, why, and how to mend it.

    BadInputError        400, or 413 for `too-long`      StoreUnavailableError   503, Retry-After
    MissingDataError     412                             HTTPException           its own status
    NotFoundError        404                             anything else           500 with the id under which
    ReplayError          409                                                     the log names the fault
    ChartMovedError      409

No answer holds a stack trace, and none repeats a value that was sent.
"""

from __future__ import annotations

import traceback
from http import HTTPStatus
from typing import Any, Final

import structlog
from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from adapters.db.errors import StoreUnavailableError
from adapters.fhir import strict_json
from adapters.http.guard import request_id
from pathway.errors import (
    BadInputError,
    ChartMovedError,
    MissingDataError,
    NotFoundError,
    PathwayError,
    ReplayError,
)

Json = dict[str, Any]
FHIR_JSON: Final = "application/fhir+json"
RETRY_SECONDS: Final = "5"

_LOG = structlog.get_logger("pathway.http")
_KINDS: Final[tuple[tuple[type[PathwayError], int, str], ...]] = (
    (MissingDataError, 412, "incomplete"),
    (NotFoundError, 404, "not-found"),
    (ReplayError, 409, "conflict"),
    (ChartMovedError, 409, "conflict"),
    (StoreUnavailableError, 503, "transient"),
)
_ISSUE: Final = {404: "not-found", 405: "not-supported", 406: "not-supported", 413: "too-long", 415: "not-supported"}
_FIX: Final = {
    400: "See openapi.yaml for what is accepted",
    404: "GET /fhir/metadata and openapi.yaml list what exists",
    405: "The Allow header lists the methods of this address",
    406: "Accept application/fhir+json or application/json",
    413: "Send it in parts",
    415: "Send application/fhir+json or application/json",
}


def outcome(code: str, what: str, *, where: str = "", why: str = "", fix: str = "", expression: str = "") -> Json:
    """An OperationOutcome of one error. `code` is an issue type of R4, `expression` a FHIRPath into what was sent."""
    told = {"Where": where, "Why": why, "Fix": fix}
    issue: Json = {"severity": "error", "code": code, "details": {"text": what}}
    if any(told.values()):
        issue["diagnostics"] = " ".join(f"{name}: {text.rstrip('.')}." for name, text in told.items() if text)
    if expression:
        issue["expression"] = [expression]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def fhir(body: Json, status: int = 200, media_type: str = FHIR_JSON) -> Response:
    """A FHIR resource as an answer."""
    return Response(strict_json.dumps(body), status, mimetype=media_type)


def install(app: Flask) -> None:
    """Answer every error of the app as above."""
    app.register_error_handler(PathwayError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unforeseen)


def _ours(error: PathwayError) -> Response:
    if isinstance(error, BadInputError) and not isinstance(error, MissingDataError):
        status, code = (413 if error.code == "too-long" else 400), error.code
    else:
        known = [(status, code) for kind, status, code in _KINDS if isinstance(error, kind)]
        if not known:
            return _unforeseen(error)
        status, code = known[0]
    answer = fhir(outcome(code, error.what, where=error.where, why=error.why, fix=error.fix), status)
    if status == 503:
        answer.headers["Retry-After"] = RETRY_SECONDS
    return answer


def _http(error: HTTPException) -> Response:
    """Werkzeug's own errors: only their status speaks, their texts may repeat what was sent."""
    status = error.code or 500
    what = HTTPStatus(status).phrase
    answer = fhir(outcome(_ISSUE.get(status, "invalid"), what, fix=_FIX.get(status, "")), status)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return answer


def _unforeseen(error: Exception) -> Response:
    """A fault of ours. The log gets its kind and its place; its text stays out, for it may hold a value."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-6:]]
    _LOG.error("failed", request_id=request_id(), error=type(error).__name__, places=places)
    what = "this service failed; nothing was decided"
    why = f"a fault of ours, in the log under {request_id()}"
    return fhir(outcome("exception", what, why=why, fix="Give that id to whoever runs this service"), 500)
