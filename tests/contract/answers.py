"""A test client that holds every answer against openapi.yaml: its status, its media type, and the shape of its JSON."""

from __future__ import annotations

from functools import cache
from typing import Any

from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException

from adapters.fhir import strict_json
from adapters.http.contract import Operation, contract

ANYWHERE = {400, 404, 405, 500}
"""What any address may answer, of ours or not."""


class Held(FlaskClient):
    """Fails the test whose app answers what the contract does not promise."""

    def open(self, *args: Any, **given: Any) -> Any:
        answer = super().open(*args, **given)
        called = _operation(self, answer.request.path, answer.request.method)
        if called is not None:
            check(called, answer.status_code, answer.mimetype, answer)
        else:
            assert answer.status_code in ANYWHERE, f"{answer.status_code} at an address of no operation"
        return answer


def check(called: Operation, status: int, media_type: str, answer: Any) -> None:
    """One answer of one operation."""
    place = f"{called.method} {called.path}: {status}"
    promised = called.answers.get(str(status), called.answers.get("default"))
    assert promised is not None, f"{place} is not in the contract"
    content = promised.get("content", {})
    if not content or called.method == "HEAD":
        return
    assert media_type in content or "*/*" in content, f"{place} came as {media_type}"
    if media_type.endswith("json") and answer.get_data():
        schema = content[media_type]["schema"]
        faults = _compiled(strict_json.dumps(schema))(answer.json)
        assert not faults, f"{place}: {faults[0].message[:300]}"


@cache
def _compiled(schema: bytes) -> Any:
    return contract().compiled(strict_json.load(schema, max_bytes=100_000, where="schema"))


def _operation(client: FlaskClient, path: str, method: str) -> Operation | None:
    adapter = client.application.url_map.bind("localhost")
    try:
        endpoint, _ = adapter.match(path, method)
    except HTTPException:
        return None
    operations = client.application.extensions.get("pathway.operations", {})
    return operations.get((endpoint, "GET" if method == "HEAD" else method))
