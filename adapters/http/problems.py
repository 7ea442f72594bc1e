"""Every failure on the wire is an OperationOutcome: what is wrong, where, why, and how to mend it.

    BadInputError        400, or 413 for `too-long`      StoreUnavailableError   503, Retry-After
    NotYoursError        403                             NotInForceError         503, Retry-After
    NotFoundError        404                             HTTPException           its own status
    MissingDataError     412                             anything else           500 with the id under which
    ReplayError, ChartMovedError, OutOfTurnError  409                            the log names the fault

A browser that asks a page gets the same four things as a page. No answer holds a stack trace, and none repeats a value
that was sent.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any, Final

import structlog
from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response as BaseResponse

from adapters.db.errors import StoreUnavailableError
from adapters.fhir import strict_json
from adapters.http.contract import HTML, operation
from adapters.http.guard import request_id
from adapters.http.metrics import metrics
from adapters.places import places_of
from pathway.errors import (
    BadInputError,
    ChartMovedError,
    MissingDataError,
    NotFoundError,
    NotInForceError,
    PathwayError,
    ReplayError,
)
from pathway.people import NotYoursError, OutOfTurnError

Json = dict[str, Any]
FHIR_JSON: Final = "application/fhir+json"
RETRY_SECONDS: Final = "5"

_LOG = structlog.get_logger("pathway.http")
_KINDS: Final[tuple[tuple[type[PathwayError], int, str], ...]] = (
    (MissingDataError, 412, "incomplete"),
    (NotFoundError, 404, "not-found"),
    (ReplayError, 409, "conflict"),
    (ChartMovedError, 409, "conflict"),
    (NotYoursError, 403, "forbidden"),
    (OutOfTurnError, 409, "conflict"),
    (NotInForceError, 503, "processing"),
    (StoreUnavailableError, 503, "transient"),
)
_ISSUE: Final = {
    401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported", 406: "not-supported", 408: "timeout",
    409: "conflict", 413: "too-long", 415: "not-supported", 431: "too-long", 500: "exception", 501: "not-supported",
    503: "transient",
}  # fmt: skip
_FIX: Final = {
    400: "See openapi.yaml for what is accepted",
    404: "GET /fhir/metadata and openapi.yaml list what exists",
    405: "The Allow header lists the methods of this address",
    406: "Accept application/fhir+json or application/json",
    413: "Send it in parts",
    431: "Send fewer or shorter headers, and a shorter address",
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


@dataclass(frozen=True, slots=True)
class Problem:
    """One failure as it is told: the status, an issue type of R4, and the sentence in its parts."""

    status: int
    code: str
    what: str
    where: str = ""
    why: str = ""
    fix: str = ""


def install(app: Flask) -> None:
    """Answer every error of the app as above."""
    app.register_error_handler(PathwayError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unforeseen)


def answered(problem: Problem) -> Response:
    """A failure in the form that its caller reads."""
    answer = _page(problem) if _wants_page() else None
    if answer is None:
        told = outcome(problem.code, problem.what, where=problem.where, why=problem.why, fix=problem.fix)
        answer = fhir(told, problem.status)
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = RETRY_SECONDS
    return answer


def _wants_page() -> bool:
    """Whether a browser asks for a page, or for what does not exist: pages are for people, the rest for programs."""
    called = operation()
    if called is not None and not called.is_page:
        return False
    offered = [FHIR_JSON, "application/json", HTML]  # the first is for whoever takes anything
    return request.headers.get("HX-Request") == "true" or request.accept_mimetypes.best_match(offered) == HTML


def _page(problem: Problem) -> Response | None:
    """The failure as a page; None where the page itself fails, for it may need the database that is away."""
    try:
        body = render_template("error.html", **asdict(problem), request_id=request_id())
    except Exception as error:  # whatever it is, the first failure is the one to tell
        _log("failed", error)
        return None
    return Response(body, problem.status, mimetype=HTML)


def _ours(error: PathwayError) -> Response:
    if isinstance(error, StoreUnavailableError):
        metrics().store_unavailable.inc()
        _log("store-unavailable", error.__cause__ or error)
    if isinstance(error, BadInputError) and not isinstance(error, MissingDataError):
        status, code = (413 if error.code == "too-long" else 400), error.code
    else:
        known = [(status, code) for kind, status, code in _KINDS if isinstance(error, kind)]
        if not known:
            return _unforeseen(error)
        status, code = known[0]
    return answered(Problem(status, code, error.what, error.where, error.why, error.fix))


def _http(error: HTTPException) -> BaseResponse:
    """Werkzeug's own errors: only their status speaks, their texts may repeat what was sent."""
    status = error.code or 500
    if status < HTTPStatus.BAD_REQUEST:
        return error.get_response()  # a redirect
    answer = answered(Problem(status, _ISSUE.get(status, "invalid"), HTTPStatus(status).phrase, fix=_fix(status)))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return answer


def refused(status: int) -> Json:
    """The OperationOutcome of a status alone, for what no app has seen."""
    return outcome(_ISSUE.get(status, "invalid"), HTTPStatus(status).phrase, fix=_FIX.get(status, ""))


def _fix(status: int) -> str:
    called = operation()
    if status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE and called is not None:
        return f"Send {' or '.join(called.bodies)}"
    return _FIX.get(status, "")


def _unforeseen(error: Exception) -> Response:
    """A fault of ours. The log gets its kind and its place; its text stays out, for it may hold a value."""
    _log("failed", error)
    return answered(
        Problem(
            500, "exception", "this service failed; nothing was decided",
            why=f"a fault of ours, in the log under {request_id()}", fix="Give that id to whoever runs this service",
        )
    )  # fmt: skip


def _log(event: str, error: BaseException) -> None:
    _LOG.error(event, request_id=request_id(), error=type(error).__name__, places=places_of(error))
