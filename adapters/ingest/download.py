"""A file of a server, in pieces: what has come stays, and the next try goes on behind it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import requests
import urllib3

from adapters.fhir.client import NotRetrievedError
from adapters.ingest.server import ANSWER_SECONDS, Source
from adapters.jobs.kinds import Stop
from adapters.worker import ending

_NDJSON: Final = "application/fhir+ndjson"
_CHUNK: Final = 1 << 16
_AWAY: Final = "the server cannot be reached, or broke off"


def download(server: Source, url: str, path: Path, stop: Stop) -> bool:
    """Fetch a file behind what is there of it; whether it is whole. NotRetrievedError if the server breaks off.

    Where `stop` says so it ends with what has come. From a server that does not go on in the middle of a file it first
    fetches twice what was there, so that every try comes further; only the end of the process ends that sooner.
    """
    have = path.stat().st_size if path.exists() else 0
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.get(
                server.checked(url), headers=_headers(server, have), timeout=ANSWER_SECONDS, allow_redirects=False,
                stream=True,
            ) as answer:  # fmt: skip
                if answer.status_code == 416:  # nothing follows: it was whole
                    return True
                if answer.status_code not in (200, 206):
                    raise NotRetrievedError(f"the server answered {answer.status_code} to a file")
                goes_on = answer.status_code == 206
                return _written(answer, path, have if goes_on else 0, 0 if goes_on else 2 * have, stop)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError):
        raise NotRetrievedError(_AWAY) from None


def _headers(server: Source, have: int) -> Mapping[str, str]:
    headers = {"Accept": _NDJSON, "Accept-Encoding": "identity"}
    headers |= {"Authorization": f"Bearer {server.token}"} if server.token else {}
    return headers | ({"Range": f"bytes={have}-"} if have else {})


def _written(answer: requests.Response, path: Path, have: int, least: int, stop: Stop) -> bool:
    """Write what comes behind the first bytes of a file; whether its end came."""
    how = os.O_APPEND if have else os.O_TRUNC
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600), "wb") as file:
        while piece := answer.raw.read1(_CHUNK):  # read1 gives what has come; read would wait for a full chunk
            file.write(piece)
            have += len(piece)
            if ending.is_ending() or (stop() and have > least):
                return False
    _refuse_short(answer, have)
    return True


def _refuse_short(answer: requests.Response, have: int) -> None:
    """A body that ended early looks whole to who does not count."""
    told = answer.headers.get("Content-Range", "").rpartition("/")[2] or answer.headers.get("Content-Length", "")
    if told.isdigit() and have < int(told):
        raise NotRetrievedError("a file broke off")
