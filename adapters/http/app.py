"""The Flask application: guards, errors and rooms put together around one house."""

from __future__ import annotations

from flask import Flask

from adapters.bootstrap import House
from adapters.fhir.client import normalised
from adapters.http import (
    auth,
    cds_hooks,
    contract,
    decisions,
    fhir_api,
    guard,
    health,
    logs,
    metrics,
    pages,
    problems,
    published_keys,
)
from adapters.http.cds_hooks.catalogue import services
from adapters.http.rooms import KEY


def create_app(house: House) -> Flask:
    """An application over a house; it keeps nothing of its own between requests.

    Raises PathwayError for a contract, a prefetch template or a listed server that cannot be used: now, not at a call.
    """
    logs.configure(house.settings.log_level)
    services(house.terms.site)
    for base in house.settings.fhir_servers:
        normalised(base, "PATHWAY_FHIR_SERVERS")
    app = Flask("pathway", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # openapi.yaml names every method
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.extensions[KEY] = house
    health.install(app, house)
    published_keys.install(app, house)
    metrics.install(app, house)
    guard.install(app, house.settings)
    problems.install(app)
    auth.install(app, house.settings)
    for room in (health, published_keys, metrics, fhir_api, decisions, cds_hooks, auth, pages):
        app.register_blueprint(room.blueprint)
    contract.install(app)
    return app
