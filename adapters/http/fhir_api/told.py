"""What a subscription of ours tells: kept and answered at once, or put off when too much is waiting."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response, request

from adapters.http.guard import note
from adapters.http.problems import fhir, outcome
from adapters.http.rooms import house
from adapters.ingest.subscription import PAUSE, check, hear


def told(data: bytes, reference: str = "") -> Response:
    """Answer a notification: 202 when it is kept, 429 when it is put off."""
    check(house(), request.headers.get("Authorization", ""))
    heard = hear(house(), data, reference)
    note(kept=heard.kept)
    if not heard.put_off:
        return Response(status=HTTPStatus.ACCEPTED)
    body = outcome("throttled", "too much is waiting to be taken in", fix="Tell it later; this server will be asked")
    answer = fhir(body, HTTPStatus.TOO_MANY_REQUESTS)
    answer.headers["Retry-After"] = str(int(PAUSE.total_seconds()))
    return answer
