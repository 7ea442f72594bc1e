"""SMART Backend Services, as a client: a short-lived token for a signed statement of who we are (private_key_jwt).

The key is ES384 or RS384 (`pathway key make`); servers verify by what `/.well-known/jwks.json` publishes. A token is
kept in memory until shortly before it ends, goes to its own base and nowhere else, and is in no log and no error.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jwt
import requests
import urllib3
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from adapters.fhir import strict_json
from adapters.out.posting import TryLater
from adapters.setting_forms import web_address
from adapters.settings import Settings
from pathway.errors import BadInputError

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
LIFE: Final = 240
"""Seconds until a signed statement ends; the profile allows five minutes at most."""
EARLY: Final = 30
"""Seconds before its end that a token is no longer used."""
_MOST: Final = 64 * 1024
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_CONNECT: Final = 3.0


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    until: float


_TOKENS: dict[tuple[str, str, str], _Token] = {}
_LOCK: Final = threading.Lock()


def make_key(path: Path, algorithm: str = "ES384") -> str:
    """Make a private key in a new file that only its owner reads; its key id. BadInputError if the file is there."""
    key: Key = (
        ec.generate_private_key(ec.SECP384R1()) if algorithm == "ES384" else rsa.generate_private_key(65537, 3072)
    )
    body = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(body)
    except OSError as error:
        why = "it exists" if isinstance(error, FileExistsError) else type(error).__name__
        raise BadInputError("the key cannot be written", where=str(path), why=why, fix="Name a new file") from None
    return str(public_key(key)["kid"])


def read_key(path: Path) -> Key:
    """The private key in a file. BadInputError if it holds none that we may use."""
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        key = None
    good = isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048
    good = good or (isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP384R1))
    if not good or not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise BadInputError(
            "there is no key for ES384 or RS384 in this file", where="PATHWAY_FHIR_CLIENT_KEY",
            fix="Make one with: pathway key make FILE",
        )  # fmt: skip
    return key


def public_key(key: Key) -> dict[str, Any]:
    """The public half as a JSON Web Key; its id is its RFC 7638 thumbprint."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        found: Mapping[str, Any] = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        needed, algorithm = ("crv", "kty", "x", "y"), "ES384"
    else:
        found = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        needed, algorithm = ("e", "kty", "n"), "RS384"
    plain = {name: found[name] for name in needed}
    thumb = hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).digest()
    kid = base64.urlsafe_b64encode(thumb).decode().rstrip("=")
    return {**plain, "alg": algorithm, "use": "sig", "key_ops": ["verify"], "kid": kid}


def key_set(settings: Settings) -> dict[str, Any]:
    """What we publish: the public half of our key, or no key."""
    path = settings.fhir_client_key
    return {"keys": [public_key(read_key(path))] if path else []}


def token(settings: Settings, base: str, session: requests.Session, deadline: float) -> str:
    """A token for a base, from memory or asked for; empty where the site named no client id.

    TryLater where it cannot be had now, or is refused: that is about us and not about what we send.
    """
    if not settings.fhir_client_id:
        return ""
    if settings.fhir_client_key is None:
        raise TryLater("there is no key to ask for a token with", fix="Set PATHWAY_FHIR_CLIENT_KEY")
    name = _name(settings, base)
    if not _LOCK.acquire(timeout=max(deadline - time.monotonic(), 0)):
        raise TryLater("the token server did not answer in time", counts=False)
    try:
        known = _TOKENS.get(name)
        if known is None or known.until <= time.monotonic():
            known = _TOKENS[name] = _asked_for(settings, base, session, deadline)
    finally:
        _LOCK.release()
    return known.value


def forget(settings: Settings, base: str) -> None:
    """Ask for another token next time: the server did not take this one."""
    _TOKENS.pop(_name(settings, base), None)  # not held up by one who is asking


def _name(settings: Settings, base: str) -> tuple[str, str, str]:
    return base, settings.fhir_client_id, settings.fhir_client_scope


def _asked_for(settings: Settings, base: str, session: requests.Session, deadline: float) -> _Token:
    assert settings.fhir_client_key is not None
    url = settings.fhir_token_url or _discovered(base, session, deadline)
    form = {
        "grant_type": "client_credentials",
        "scope": settings.fhir_client_scope,
        "client_assertion_type": _ASSERTION,
        "client_assertion": assertion(read_key(settings.fhir_client_key), settings.fhir_client_id, url),
    }
    began = time.monotonic()
    answer = _asked(session, "POST", url, deadline, form)
    value, life = answer.get("access_token"), answer.get("expires_in", 300)
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value:
        raise TryLater("the token server gave no token", counts=False)
    seconds = float(life) if isinstance(life, int | float) and 0 < life < 86_400 else 300.0
    return _Token(value, began + max(seconds - EARLY, seconds / 2))


def assertion(key: Key, client: str, url: str) -> str:
    """A statement, signed by our key, that the token server at a URL may believe once."""
    about = public_key(key)
    at = int(time.time())  # the token server compares it with its own clock, so no other will do
    claims = {"iss": client, "sub": client, "aud": url, "iat": at, "exp": at + LIFE, "jti": str(uuid.uuid4())}
    return jwt.encode(claims, key, algorithm=about["alg"], headers={"kid": about["kid"]})


def _discovered(base: str, session: requests.Session, deadline: float) -> str:
    """Where a FHIR server says that tokens are given; only over https, or on this machine."""
    url = _asked(session, "GET", f"{base}/.well-known/smart-configuration", deadline).get("token_endpoint")
    try:
        if isinstance(url, str) and url:
            return web_address(url)
    except ValueError:
        pass
    raise TryLater("the server does not say where tokens are given", fix="Set PATHWAY_FHIR_TOKEN_URL", counts=False)


def _asked(
    session: requests.Session, method: str, url: str, deadline: float, form: Mapping[str, str] | None = None
) -> Mapping[str, Any]:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TryLater("the token server did not answer in time", counts=False)
    try:
        with session.request(
            method, url, data=form, timeout=(min(_CONNECT, left), left), allow_redirects=False, stream=True,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        ) as answer:  # fmt: skip
            data, status = _read(answer, deadline), answer.status_code
    # Their texts hold the address, and could hold what was sent.
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError):
        raise TryLater("the token server cannot be reached, or broke off", counts=False) from None
    if status != 200:
        fix = "Check PATHWAY_FHIR_CLIENT_ID, and that the server knows our key" if 400 <= status < 500 else ""
        raise TryLater(f"the token server answered {status}", fix=fix, counts=False)
    try:
        found = strict_json.load(data, max_bytes=_MOST, where="token")
    except BadInputError:
        found = None
    if not isinstance(found, Mapping):
        raise TryLater("the token server's answer is not JSON", counts=False)
    return found


def _read(answer: requests.Response, deadline: float) -> bytes:
    data = bytearray()
    while len(data) <= _MOST and (chunk := answer.raw.read1(_MOST)):
        data += chunk
        if time.monotonic() > deadline:
            raise TryLater("the token server did not answer in time", counts=False)
    return bytes(data)
