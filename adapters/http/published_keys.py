"""The public half of the key by which FHIR servers know this service (SMART Backend Services), for them to fetch."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Flask, Response, current_app

from adapters.bootstrap import House
from adapters.fhir import strict_json
from adapters.out import backend_services

blueprint = Blueprint("published_keys", __name__)
_KEYS: Final = "pathway.published_keys"


@blueprint.get("/.well-known/jwks.json")
def jwks() -> Response:
    """The key set; without keys where the site has set none up."""
    return Response(current_app.extensions[_KEYS], mimetype="application/json")


def install(app: Flask, own: House) -> None:
    """Read the key once, when the app begins; BadInputError if the file holds none."""
    app.extensions[_KEYS] = strict_json.dumps(backend_services.key_set(own.settings))
