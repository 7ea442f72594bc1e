"""What holds for every request: an id, a host that is ours, headers for browsers, one line in the log without data."""

from __future__ import annotations

import time
import uuid
from typing import Final
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, current_app, g, request

from adapters.http.metrics import NOWHERE, metrics
from adapters.settings import Settings
from pathway.errors import BadInputError

_LOG = structlog.get_logger("pathway.http")
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_HOSTS: Final = "PATHWAY_HOSTS"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",  # addresses hold patient ids
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def install(app: Flask, settings: Settings) -> None:
    """Guard every request of the app."""
    app.config[_HOSTS] = LOOPBACK | {urlsplit(settings.public_url).hostname}
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.before_request(_begin)
    app.after_request(_end)


def request_id() -> str:
    """The id of the present request, on the answer as X-Request-Id and on every line of the log about it."""
    if "request_id" not in g:
        g.request_id = str(uuid.uuid4())
    return g.request_id


def note(**what: int | float | str) -> None:
    """Add to the log line of the present request: counts, times and names, never data."""
    g.setdefault("notes", {}).update(what)


def _begin() -> None:
    """Refuse a host that is not ours: a page elsewhere could have its own name lead to us (DNS rebinding)."""
    g.began = time.monotonic()
    try:
        name = urlsplit(f"//{request.headers.get('Host', '')}").hostname
    except ValueError:
        name = None
    if name is None or name not in current_app.config[_HOSTS]:
        raise BadInputError(
            "this service does not go by that name", where="Host", fix="Use the address that PATHWAY_PUBLIC_URL names"
        )


def _end(answer: Response) -> Response:
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    answer.headers["X-Request-Id"] = request_id()
    # The route, not the address, and no method of one's own making: both could hold a patient's data.
    route = request.url_rule.rule if request.url_rule else NOWHERE
    method = request.method if request.method in METHODS else "-"
    spent = time.monotonic() - g.get("began", time.monotonic())
    metrics().answered(route, method, answer.status_code, spent)
    _LOG.info(
        "request", request_id=request_id(), method=method, route=route, status=answer.status_code,
        ms=round(spent * 1000, 1), **g.get("notes", {}),
    )  # fmt: skip
    return answer
