"""People: who is signed in, what their role lets them see, and that their forms are their own.

    from adapters.http import auth

    blueprint = auth.protect(Blueprint(…))          # every view of it must say whom it is for
    @blueprint.get("/patients/<id>")
    @auth.needs(*MAY[Area.PATIENT])                 # below the route; `@auth.public` for stylesheets
    def patient(id): person = auth.signed_in() …

In templates: `csrf_token()` for every form that is posted, `person` (or None), and `may("work-list")`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Flask, g
from flask_wtf import CSRFProtect
from flask_wtf.csrf import generate_csrf

from adapters.db.errors import StoreUnavailableError
from adapters.http.auth import demo, keys
from adapters.http.auth.gate import needs, protect, public, signed_in, visit
from adapters.http.auth.rights import MAY, Area, may
from adapters.http.auth.views import blueprint
from adapters.http.auth.visits import Visits
from adapters.settings import Settings

__all__ = ["MAY", "Area", "blueprint", "install", "may", "needs", "protect", "public", "signed_in"]


def install(app: Flask, settings: Settings) -> None:
    """Give an app sessions and form tokens. BadInputError if the secret key cannot be had."""
    app.secret_key = keys.secret_key(settings)
    app.session_interface = Visits(secure=urlsplit(settings.public_url).scheme == "https")
    app.config.update(
        WTF_CSRF_CHECK_DEFAULT=False,  # `protect` checks it for pages; the APIs read no cookie
        WTF_CSRF_TIME_LIMIT=None,  # a token lasts as long as its session
        WTF_CSRF_SSL_STRICT=False,  # asks for a Referer, which our pages keep to themselves
    )
    app.config.setdefault(demo.BIND, "")
    CSRFProtect(app)
    app.context_processor(_for_templates)
    app.jinja_env.globals["csrf_token"] = _csrf_token  # in macros too, which see no context


def _for_templates() -> dict[str, Any]:
    try:
        person = signed_in()
    except StoreUnavailableError:
        person = g.person = None  # the page that says so is shown all the same
    return {
        "csrf_token": _csrf_token,
        "person": person,
        "may": lambda area: person is not None and may(person.role, Area(area)),
    }


def _csrf_token() -> str:
    """The token of the present visit, whose cookie goes out with it."""
    visit().keep()
    return generate_csrf()
