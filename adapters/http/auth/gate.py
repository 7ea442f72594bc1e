"""The gate: who is signed in, and which views let them in.

A view of a protected blueprint says with `needs` or `public` whom it is for. One that says neither lets nobody in.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import wraps
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, current_app, g, redirect, request, session, url_for
from flask_wtf.csrf import CSRFError

from adapters.db.accounts import Session
from adapters.db.errors import StoreUnavailableError
from adapters.http.auth.visits import Visit
from adapters.http.guard import note
from adapters.http.rooms import house
from pathway.errors import BadInputError, PathwayError
from pathway.people import NotYoursError, Person, Role

IDLE: Final = timedelta(minutes=15)
ABSOLUTE: Final = timedelta(hours=12)
SEEN_EVERY: Final = timedelta(minutes=1)
"""A session's last use is written at most this often; so long before its time it may end for idleness."""
CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
ROLES: Final = "pathway_roles"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_PUBLIC: Final[frozenset[Role]] = frozenset()
View = TypeVar("View", bound=Callable[..., Any])


def visit() -> Visit:
    """The present visit."""
    return cast(Visit, session)


def signed_in() -> Person | None:
    """Who is signed in, asked once for each request; None where the session is unknown, too old, or its account is off.

    An account that is disabled, or has another role now, counts at once.
    """
    if "person" not in g:
        g.person = _look_up()
    return g.person


def _look_up() -> Person | None:
    if not visit().known:
        return None
    now, key = house().clock.now(), visit().sha256
    with house().store.accounts(write=False) as accounts:
        found = accounts.session(key)
    if found is None or not _lasts(found, now):
        return None
    if now - found.seen_at >= SEEN_EVERY:
        # where nothing can be written the list can still be read: unseen, a session only ends the sooner
        with suppress(StoreUnavailableError), house().store.accounts(write=True) as accounts:
            accounts.see_session(key, now)
    note(role=found.account.role.value)
    return found.account.person


def _lasts(found: Session, now: Any) -> bool:
    return found.account.enabled and now - found.seen_at < IDLE and now - found.began_at < ABSOLUTE


def needs(*roles: Role) -> Callable[[View], View]:
    """Let only these roles in: `@needs(*MAY[Area.PATIENT])`, below the route.

    Others are sent to sign in and come back; the wrong role is refused (403).
    """
    allowed = frozenset(roles)

    def guarded(view: View) -> View:
        @wraps(view)
        def asked(*args: Any, **kwargs: Any) -> Any:
            person = signed_in()
            if person is None:
                return to_sign_in()
            if person.role not in allowed:
                raise NotYoursError(
                    "this page is not open to your role", why=f"you are signed in as {person.role}",
                    fix="Sign out, and in with an account that may see it",
                )  # fmt: skip
            return view(*args, **kwargs)

        setattr(asked, ROLES, allowed)
        return asked  # type: ignore[return-value]

    return guarded


def public(view: View) -> View:
    """Let everybody in: only for what shows nothing about anybody."""
    setattr(view, ROLES, _PUBLIC)
    return view


def protect(blueprint: Blueprint) -> Blueprint:
    """Guard the pages of a blueprint: every view says whom it is for, and every form carries its token."""
    blueprint.before_request(_refuse_undeclared)
    blueprint.before_request(_refuse_foreign_forms)
    blueprint.after_request(_for_pages)
    return blueprint


def _refuse_undeclared() -> None:
    if not hasattr(current_app.view_functions[request.endpoint or ""], ROLES):
        raise PathwayError("a page without rights", fix="Say with `needs` or `public` whom it is for")


def _refuse_foreign_forms() -> None:
    """Token first, and what the browser says of where the form stood; a browser without Sec-Fetch-Site says nothing."""
    if request.method in _SAFE:
        return
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise _stale("it was sent from another site")
    try:
        current_app.extensions["csrf"].protect()
    except CSRFError:
        raise _stale("it was opened before you signed in or out, or does not come from this service") from None


def _stale(why: str) -> BadInputError:
    return BadInputError(
        "this form is out of date, and nothing was changed", why=why,
        fix="Load the page again and repeat what you did", code="security",
    )  # fmt: skip


def _for_pages(answer: Response) -> Response:
    answer.headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
    answer.headers.add("Vary", "Cookie")
    return answer


def to_sign_in() -> Response:
    """To the sign-in, and for a page that was read, back to it; htmx is told to move the whole page."""
    where = url_for("auth.sign_in")
    if request.headers.get("HX-Request") == "true":
        return Response(status=403, headers={"HX-Redirect": where})
    if request.method in _SAFE:
        query = f"?{request.query_string.decode('latin-1')}" if request.query_string else ""
        then = quote(request.path) + query
        where = f"{where}?{urlencode({'next': then})}" if then != "/" else where
    return redirect(where, 303)  # type: ignore[return-value]
