"""Which media type goes out: FHIR JSON only; a browser that takes anything gets it too."""

from __future__ import annotations

from typing import Final

from flask import request
from werkzeug.exceptions import NotAcceptable

from adapters.http.problems import FHIR_JSON

JSON: Final = "application/json"
_OFFERED: Final = (FHIR_JSON, JSON)
_WILD: Final = frozenset({"*/*", "application/*"})
_FHIR_VERSION: Final = "4.0"
_FORMATS: Final = {"json": FHIR_JSON, FHIR_JSON: FHIR_JSON, JSON: JSON}


def fhir_answer(format_: str | None = None) -> str:
    """The media type to answer with, by `_format`, else by Accept; NotAcceptable (406) if none that we have will do."""
    if format_ is not None:
        # in an address the + of fhir+json is a blank
        name = format_.partition(";")[0].strip().replace(" ", "+")
        if name not in _FORMATS:
            raise NotAcceptable
        return _FORMATS[name]
    wanted = [(quality, *_wanted(text)) for text, quality in request.accept_mimetypes]
    if not wanted:
        return FHIR_JSON
    best: tuple[float, str] = (0, "")
    for quality, name, version in wanted:
        offered = FHIR_JSON if name in _WILD else name
        if offered in _OFFERED and version in ("", _FHIR_VERSION) and quality > best[0]:
            best = (quality, offered)
    if not best[1]:
        raise NotAcceptable
    return best[1]


def _wanted(text: str) -> tuple[str, str]:
    """One range of an Accept header as its name and the FHIR version that it asks for (R4, HTTP: fhirVersion)."""
    name, *parameters = (part.strip() for part in text.lower().split(";"))
    versions = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("fhirversion=")]
    return name, versions[0] if versions else ""
