"""One FHIR server, for as long as one row may take: requests that trust no answer and say what a failure means.

The rules of `adapters.fhir.client` hold here too: exactly the base that the site set, no redirects, nothing of the
environment, caps on bytes and seconds. No error holds an address, a token or what the server said.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

import requests
import urllib3

from adapters.fhir import strict_json
from adapters.fhir.client import MAX_BYTES, placed
from adapters.out.bounded import never_reached
from adapters.out.posting import Refused, TryLater
from adapters.out.retry_after import retry_after
from pathway.errors import BadInputError

Json = dict[str, Any]
CONNECT: Final = 3.0
_CHUNK: Final = 64 * 1024
_JSON: Final = "application/fhir+json"
_LOCATION: Final = re.compile(r"/([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/([A-Za-z0-9.-]{1,64}))?$")
_BUSY: Final = frozenset({408, 425, 429, 502, 503, 504})
_MOVED: Final = frozenset({409, 412})
_MEND: Final = "Mend what the server refuses, then requeue this row"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: the status, the body if it is a resource, and where a written resource is, in which version."""

    status: int
    body: Json = field(default_factory=dict[str, Any], repr=False)
    etag: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Remote:
    """A server with its base and a session of one's own, until `deadline` (of `time.monotonic`; `bounded.session`)."""

    base: str
    session: requests.Session
    deadline: float
    now: datetime
    token: str = field(default="", repr=False)

    def read(self, reference: str) -> Json | None:
        """One resource; None if it is not there, or no longer."""
        answer = self.ask("GET", reference, takes=(200, 404, 410))
        return _resource(answer) if answer.status == 200 else None

    def search(self, kind: str, query: Mapping[str, str]) -> Sequence[Json]:
        """The resources of a kind on the first page of a search."""
        answer = self.ask("GET", f"{kind}?{urlencode(query, quote_via=quote)}", takes=(200,))
        found = [body for _, body in placed(_resource(answer), "answer")]
        return [one for one in found if isinstance(one, dict) and one.get("resourceType") == kind]

    def ask(
        self, method: str, path: str, body: Json | None = None, headers: Mapping[str, str] | None = None,
        takes: Sequence[int] = (200, 201),
    ) -> Answer:  # fmt: skip
        """One request below the base. A status that the caller does not take is TryLater or Refused."""
        given = {"Accept": _JSON, "Accept-Encoding": "identity", **(headers or {})}
        if body is not None:
            given |= {"Content-Type": _JSON, "Prefer": "return=representation"}
        if self.token:
            given["Authorization"] = f"Bearer {self.token}"
        try:
            with self.session.request(
                method, f"{self.base}/{path}", data=None if body is None else strict_json.dumps(body), headers=given,
                timeout=(min(CONNECT, self._left()), self._left()), allow_redirects=False, stream=True,
            ) as answer:  # fmt: skip
                status = answer.status_code
                if status not in takes:
                    raise failure(status, retry_after(answer.headers.get("Retry-After", ""), self.now))
                return _answer(status, answer.headers, self._body(answer))
        # Their texts hold the address, and with it an id: none is kept.
        except (requests.ConnectTimeout, requests.ConnectionError) as error:
            raise _broken(reached=not never_reached(error)) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError):
            raise _broken(reached=True) from None

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TryLater("the server did not answer in time")
        return left

    def _body(self, answer: requests.Response) -> bytes:
        data = bytearray()
        while chunk := answer.raw.read1(_CHUNK):
            data += chunk
            self._left()
            if len(data) > MAX_BYTES:
                raise TryLater(f"the answer is longer than {MAX_BYTES} bytes")
        return bytes(data)


def failure(status: int, after: timedelta | None) -> TryLater | Refused:
    """What a status that nobody asked for means."""
    what = f"the server answered {status}"
    if status in _BUSY:
        return TryLater(what, after=after, counts=False)
    if status in _MOVED:
        return TryLater(what, why="somebody else was writing it", server=False)
    if status >= 500:
        return TryLater(what, after=after)
    if 300 <= status < 400:
        return TryLater(what, why="redirects are not followed", fix="Set PATHWAY_FHIR_WRITE_BASE to where it leads")
    if status == 401:  # about us and not about the row: parking each of them would help nobody
        return TryLater(what, fix="Check PATHWAY_FHIR_CLIENT_ID and that the server knows our key")
    return Refused(what, why="it will not take this as it is", fix=_MEND)


def version_of(resource: Mapping[str, Any]) -> str:
    """The version of a resource as its meta says it, else empty."""
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, Mapping) else None
    return version if isinstance(version, str) else ""


def _answer(status: int, headers: Mapping[str, str], data: bytes) -> Answer:
    try:
        body = strict_json.load(data, max_bytes=MAX_BYTES, where="answer") if data.strip() else {}
    except BadInputError:
        raise TryLater("the answer is not JSON, or was cut off") from None
    body = body if isinstance(body, dict) else {}
    located = _LOCATION.search(headers.get("Location") or headers.get("Content-Location") or "")
    etag = headers.get("ETag", "").removeprefix("W/").strip('"')
    own = body.get("id") if body.get("resourceType") not in (None, "OperationOutcome", "Bundle") else None
    return Answer(
        status, body, etag or version_of(body) or (located[3] if located else "") or "",
        own if isinstance(own, str) else located[2] if located else "",
    )  # fmt: skip


def _resource(answer: Answer) -> Json:
    if not isinstance(answer.body.get("resourceType"), str):
        raise TryLater("the answer is not FHIR JSON")
    return answer.body


def _broken(*, reached: bool) -> TryLater:
    if reached:
        return TryLater("the server did not answer in time, or broke off")
    return TryLater("the server cannot be reached", counts=False)
