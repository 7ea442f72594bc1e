"""A visit: what Flask calls its session. The cookie holds a random token and nothing else.

While somebody is signed in, the database knows the token's sha256 (`adapters.db.accounts`). The CSRF token is made
from the cookie's, so neither fits without the other, and signing in changes both.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Any, Final

from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin

CSRF: Final = "csrf_token"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class Visit(dict[str, Any], SessionMixin):
    """One browser's visit. `wanted` says that the browser has to be given the token; empty `token`, taken from it."""

    def __init__(self, key: bytes, token: str, *, known: bool) -> None:
        super().__init__()
        self._key = key
        self.known = known
        self.wanted = False
        self._take(token)

    def _take(self, token: str) -> None:
        self.token = token
        self[CSRF] = hmac.new(self._key, token.encode(), hashlib.sha256).hexdigest()

    @property
    def sha256(self) -> str:
        """The hash of the token, under which the database may know it."""
        return hashlib.sha256(self.token.encode()).hexdigest()

    def keep(self) -> None:
        """Give the browser its token with the answer, if it has none yet."""
        self.wanted = self.wanted or not self.known

    def renew(self) -> None:
        """Take a new token: one that somebody else may have planted or seen is worth nothing afterwards."""
        self._take(secrets.token_urlsafe(32))
        self.wanted = True


class Visits(SessionInterface):
    """Opens visits from the cookie and sends the cookie where a visit asks for it."""

    def __init__(self, *, secure: bool) -> None:
        self._secure = secure
        self.cookie = "__Host-pathway" if secure else "pathway"

    def open_session(self, app: Flask, request: Request) -> Visit:
        """The visit of a request, a new one where the cookie is missing or not of our making."""
        sent = request.cookies.get(self.cookie, "")
        known = _TOKEN.fullmatch(sent) is not None
        key = str(app.secret_key).encode()
        return Visit(key, sent if known else secrets.token_urlsafe(32), known=known)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Lax: a link in a patient's record leads to us signed in; nothing that is posted from elsewhere is."""
        if isinstance(session, Visit) and session.wanted:
            response.set_cookie(
                self.cookie, session.token, httponly=True, samesite="Lax", secure=self._secure, path="/"
            )
