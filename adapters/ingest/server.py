"""The FHIR server whose records are taken in: asked as strictly as during a hook, page by page, with its own clock."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urljoin

import requests
import urllib3

from adapters.bootstrap import House
from adapters.fhir import strict_json
from adapters.fhir.client import LATE, MAX_BYTES, FhirServer, NotRetrievedError, normalised
from adapters.ingest import pages
from adapters.ingest.pages import Refused
from adapters.out import backend_services, bounded
from adapters.out.posting import TryLater
from adapters.screen import server as charted
from adapters.screen.charts import Chart
from pathway.errors import BadInputError

ANSWER_SECONDS: Final = 8.0
"""How long one request may take: with it in flight a round still ends in time."""
MAX_PAGES: Final = 10_000
GIANT_BYTES: Final = 32 * 1024 * 1024
"""How long a page of one resource may be: what is longer than MAX_BYTES is not read, but its bytes are kept."""
FINAL: Final = frozenset({400, 404, 410, 422})
"""What a server answers for good; anything else may be mended by time, or by who runs it."""
_ANSWERED: Final = re.compile(r"answered (\d{3})$")
_OPERATION: Final = "/$export"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered: its status, its headers by name, and its body as bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def at(self) -> datetime | None:
        """The server's own time, where it tells it."""
        try:
            found = parsedate_to_datetime(self.headers.get("Date", ""))
        except ValueError:
            return None
        return found.astimezone(UTC) if found.tzinfo else None

    def json(self) -> Mapping[str, Any]:
        """The body as one resource; NotRetrievedError if it is none."""
        try:
            value = strict_json.load(self.body, max_bytes=MAX_BYTES, where="answer")
        except BadInputError:
            value = None
        if not isinstance(value, Mapping):
            raise NotRetrievedError("the answer is not FHIR JSON")
        return value


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search, the server's time when it gave it, and what on it cannot be read."""

    resources: tuple[Mapping[str, Any], ...]
    at: datetime | None
    refused: tuple[Refused, ...] = ()


class TooLongError(NotRetrievedError):
    """The answer is longer than was allowed for; asked for less, the server may give it."""


class Source(FhirServer):
    """The server for one piece of work; each request has its own few seconds."""

    def pages(self, query: str, most: int = MAX_BYTES) -> Iterator[Page]:
        """A search, page by page, each of up to `most` bytes; what cannot be read on one is set apart.

        NotRetrievedError as soon as one cannot be had; TooLongError if it was for its length.
        """
        link = f"{self.base}/{query}"
        for _ in range(MAX_PAGES):
            answer = self.ask("GET", link, most=most)
            if answer.status != 200:
                raise NotRetrievedError(f"the server answered {answer.status}")
            page = pages.read(answer.body, most)
            found = (body for body in page.resources if body.get("resourceType") != "OperationOutcome")
            yield Page(tuple(found), answer.at, page.refused)
            if not page.onward:
                return
            link = urljoin(f"{self.base}/", page.onward)
        raise NotRetrievedError(f"the answer has more than {MAX_PAGES} pages")

    def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None,
        most: int = MAX_BYTES,
    ) -> Answer:  # fmt: skip
        """One request at an address of this server, whatever its status. NotRetrievedError if there is no answer."""
        sent = {"Accept": "application/fhir+json", "Accept-Encoding": "identity", **(headers or {})}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        until = time.monotonic() + ANSWER_SECONDS
        try:
            with (
                bounded.session(until) as session,
                session.request(
                    method, self.checked(url), headers=sent, data=body, timeout=ANSWER_SECONDS,
                    allow_redirects=False, stream=True,
                ) as answer,
            ):  # fmt: skip
                return Answer(answer.status_code, answer.headers, _read(answer, until, most))
        # Their texts hold the URL, and with it perhaps a patient: none is kept.
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError):
            late = time.monotonic() >= until
            raise NotRetrievedError(LATE if late else "the server cannot be reached, or broke off") from None

    def checked(self, url: str) -> str:
        """An address of this server in the form that was checked; NotRetrievedError for any other."""
        address, mark, query = url.partition("?")
        plain = address.removesuffix(_OPERATION)
        known, mark, query = self._checked(f"{plain}{mark}{query}").partition("?")
        return f"{known}{address.removeprefix(plain)}{mark}{query}"


def _read(answer: requests.Response, until: float, most: int) -> bytes:
    data = bytearray()
    while chunk := answer.raw.read1(64 * 1024):
        data += chunk
        if time.monotonic() > until:
            raise NotRetrievedError("the answer did not end in time")
        if len(data) > most:
            raise TooLongError(f"the answer is longer than {most} bytes")
    return bytes(data)


def source(house: House, base: str) -> Source:
    """The server at a base, with our token for it."""
    return Source(base, float("inf"), token(house, base))


def known_base(house: House, url: str) -> str:
    """A base in its one form; BadInputError unless it is listed (PATHWAY_FHIR_SERVERS) or the one that is polled."""
    polled = house.settings.poll_base
    if polled and normalised(url, "base") == normalised(polled, "PATHWAY_POLL_BASE"):
        return normalised(url, "base")
    return charted.base_of(url, house.settings)


def charts(house: House, base: str, ids: Sequence[str]) -> Iterator[Chart]:
    """The whole charts of patients by id, from a server."""
    return charted.read(base, ids, token(house, base), house.terms.site)


def answered(why: str) -> int:
    """The status that a fault tells of; 0 where there was no answer."""
    found = _ANSWERED.search(why)
    return int(found[1]) if found else 0


def not_taken(house: House, base: str, why: str) -> None:
    """Ask for another token the next time, if a server did not take ours."""
    if answered(why) == 401:
        backend_services.forget(house.settings, base)


def token(house: House, base: str) -> str:
    """The access token for the server that is polled or written to; empty where the site has no client id there.

    NotRetrievedError where it cannot be had now.
    """
    settings = house.settings
    ours = {normalised(one) for one in (settings.poll_base, settings.fhir_write_base) if one}
    if not settings.fhir_client_id or base not in ours:
        return ""
    until = time.monotonic() + ANSWER_SECONDS
    with bounded.session(until) as session:
        try:
            return backend_services.token(settings, base, session, until)
        except TryLater as fault:
            raise NotRetrievedError("no access token could be had", why=fault.what) from fault
