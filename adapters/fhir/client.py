"""Reading an EHR's FHIR server during a hook: only a server that is listed, within a time budget, trusting no answer.

A base is compared whole after normalising (scheme, host, port, path), never by its beginning. Redirects are not
followed, `next` links only on the same base; bytes, pages and seconds are capped; proxies and passwords of the
environment are ignored. The bearer token goes to its own base and nowhere else, and no error or log ever holds it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from adapters.fhir import strict_json
from pathway.errors import BadInputError, PathwayError

MAX_BYTES: Final = 5 * 1024 * 1024
MAX_PAGES: Final = 20
PAGE: Final = "200"  # _count that we ask for: few round trips, and an answer well below MAX_BYTES
LATE: Final = "no answer within the time that a hook call has"
_CHUNK: Final = 64 * 1024
_PORTS: Final = {"http": 80, "https": 443}
_PRINTABLE: Final = re.compile(r"[!-~]*")
_PLAIN_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)*")  # no escapes, no backslash: what others decode differently


class NotRetrievedError(PathwayError):
    """The server did not give what was asked; says how it failed and never what it said."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The resources that came, with the place of each, and what is missing of them: empty if nothing is."""

    resources: tuple[tuple[str, Any], ...]
    gap: str = ""


def normalised(url: str, where: str = "") -> str:
    """A FHIR base in its one form, such as `https://ehr.example:443/fhir`; BadInputError for what cannot be a base."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    path = parts.path.rstrip("/")
    plain = _PLAIN_PATH.fullmatch(path) and not {".", ".."} & set(path.split("/"))
    if parts.scheme not in _PORTS or not host or "@" in parts.netloc or parts.query or parts.fragment or not plain:
        fix = "Write https://host/path, with nothing after the path"
        raise BadInputError("not the base of a FHIR server", where=where, fix=fix)
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}:{port or _PORTS[parts.scheme]}{path}"


def one_form(url: str) -> str:
    """A base in its one form, for comparing; what cannot be a base stays as it is."""
    try:
        return normalised(url)
    except BadInputError:
        return url


def origin(url: str) -> str | None:
    """The scheme, host and port of a base or of a web page's origin; None for what is neither."""
    try:
        return "/".join(normalised(url).split("/")[:3])
    except BadInputError:
        return None


def listed(url: str, servers: Iterable[str]) -> str | None:
    """The base that a URL names, if it is exactly one of the listed servers; None for any other."""
    try:
        base = normalised(url)
    except BadInputError:
        return None
    return base if base in {normalised(server) for server in servers} else None


@dataclass(frozen=True, slots=True)
class FhirServer:
    """One listed server for one hook call, or one patient. `deadline` is an instant of `time.monotonic`.

    Threads may share it.
    """

    base: str
    deadline: float
    token: str = field(default="", repr=False)
    max_pages: int = MAX_PAGES

    def fetch(self, query: str, where: str) -> Fetched:
        """What a read (`Patient/1`) or a search (`Condition?patient=1`) gives, all of its pages. Never raises."""
        url = f"{self.base}/{query}"
        return self.follow(f"{url}&_count={PAGE}" if "?" in query else url, where)

    def follow(self, link: str, where: str) -> Fetched:
        """The page under a link of this server, and all pages after it. Never raises: what failed is the gap."""
        found: list[tuple[str, Any]] = []
        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxy and no .netrc: they would see the token, or replace it
                for page in self._pages(session, link):
                    found += placed(page, f"{where}[{len(found)}]")
        except NotRetrievedError as fault:
            return Fetched(tuple(found), fault.what)
        return Fetched(tuple(found))

    def _pages(self, session: requests.Session, link: str) -> Iterator[Mapping[str, Any]]:
        for _ in range(self.max_pages):
            page = self._get(session, link)
            if page.get("resourceType") == "OperationOutcome":
                raise NotRetrievedError("the server answered with an OperationOutcome")
            yield page
            onward = next_link(page)
            if not onward:
                return
            link = urljoin(f"{self.base}/", onward)
        raise NotRetrievedError(f"the answer has more than {self.max_pages} pages")

    def _get(self, session: requests.Session, url: str) -> Mapping[str, Any]:
        url = self._checked(url)
        headers = {"Accept": "application/fhir+json", "Accept-Encoding": "identity"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            with session.get(url, headers=headers, timeout=self._left(), allow_redirects=False, stream=True) as answer:
                if answer.status_code != 200:
                    raise NotRetrievedError(f"the server answered {answer.status_code}")
                data = self._body(answer)
        # Their texts hold the URL, and with it the patient: none is kept.
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError):
            late = time.monotonic() >= self.deadline
            raise NotRetrievedError(LATE if late else "the server cannot be reached, or broke off") from None
        return _resource(data)

    def _checked(self, url: str) -> str:
        """A URL of this server in the very form that was checked: the base, or an address below it, and its query."""
        address, mark, query = url.partition("?")
        try:
            plain = normalised(address)
        except BadInputError:
            plain = ""
        ours = plain == self.base or plain.startswith(f"{self.base}/")
        if not ours or not _PRINTABLE.fullmatch(query):
            raise NotRetrievedError("the next page is not on the same server")
        return f"{plain}{'/' if address.endswith('/') else ''}{mark}{query}"

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise NotRetrievedError(LATE)
        return left

    def _body(self, answer: requests.Response) -> bytes:
        data = bytearray()
        while chunk := answer.raw.read1(_CHUNK):  # read1 gives what has come; read would wait for a full chunk
            data += chunk
            self._left()
            if len(data) > MAX_BYTES:
                raise NotRetrievedError(f"the answer is longer than {MAX_BYTES} bytes")
        return bytes(data)


def _resource(data: bytes) -> Mapping[str, Any]:
    try:
        value = strict_json.load(data, max_bytes=MAX_BYTES, where="answer")
    except BadInputError:
        value = None
    if not isinstance(value, Mapping) or not isinstance(value.get("resourceType"), str):
        raise NotRetrievedError("the answer is not FHIR JSON")
    return value


def next_link(bundle: Mapping[str, Any]) -> str:
    """The URL of the page after a Bundle; empty where it is the last or no Bundle."""
    links = bundle.get("link")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, Mapping) and link.get("relation") == "next" and isinstance(link.get("url"), str):
            return link["url"]
    return ""


def placed(answer: Mapping[str, Any], where: str) -> list[tuple[str, Any]]:
    """The resources of a Bundle, or the one resource itself, each with its place; outcomes of a search are no data."""
    if answer.get("resourceType") != "Bundle":
        return [(where, answer)]
    entries = answer.get("entry")
    rows = enumerate(entries if isinstance(entries, list) else ())
    bodies = ((f"{where}.entry[{n}]", e.get("resource") if isinstance(e, Mapping) else e) for n, e in rows)
    return [
        (place, body)
        for place, body in bodies
        if body is not None and not (isinstance(body, Mapping) and body.get("resourceType") == "OperationOutcome")
    ]
