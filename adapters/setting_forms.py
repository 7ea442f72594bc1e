"""The forms that settings may have, beyond their types: a check gives the value back, or raises ValueError.

No message repeats the value: it may hold a password.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

SECRET: Final = 16
"""The shortest secret that signs anything, in characters."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_BROKERS: Final = frozenset({"amqp", "amqps", "redis", "rediss"})
_MAIL_SCHEMES: Final = frozenset({"smtp", "smtp+starttls", "smtps"})
_MAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_PLAIN: Final = re.compile(r"[!-\[\]-~]*")  # no blank, no backslash: what others decode differently


def web_address(url: str) -> str:
    """An address to post to: https, on this machine http too; no name, no password, no query."""
    parts, port = _split(url)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    plain = _PLAIN.fullmatch(url) and not ("@" in parts.netloc or "?" in url or "#" in url)
    if url and not (safe and plain and parts.hostname and port is not None):
        raise ValueError("not an address such as https://calls.clinic.example/pathway, without a name or a query")
    return url


def mail_server(url: str) -> str:
    """A mail server; a password only where the connection is encrypted."""
    parts, port = _split(url)
    known = parts.scheme in _MAIL_SCHEMES and parts.hostname and port
    if url and not (known and _PLAIN.fullmatch(url) and parts.path in ("", "/") and "?" not in url and "#" not in url):
        raise ValueError("not a mail server such as smtp://127.0.0.1:25 or smtps://user:password@mail.example:465")
    if parts.scheme == "smtp" and "@" in parts.netloc:
        raise ValueError("a password goes over smtp+starttls:// or smtps:// only")
    return url


def mail_address(address: str) -> str:
    """One address that mail goes to or comes from, without a display name."""
    if address and not _MAIL.fullmatch(address):
        raise ValueError("not a mail address such as on-call@clinic.example")
    return address


def long_enough(secret: SecretStr) -> SecretStr:
    """A secret that cannot be guessed by trying."""
    if 0 < len(secret.get_secret_value()) < SECRET:
        raise ValueError(f"shorter than {SECRET} characters")
    return secret


def _split(url: str) -> tuple[SplitResult, int | None]:
    """The parts of an address and its port, 0 where it names none; None where it is no address."""
    try:
        parts = urlsplit(url)
        return parts, parts.port or 0
    except ValueError:
        return urlsplit(""), None


def message_broker(url: SecretStr) -> SecretStr:
    """The address of a message broker that celery and we know."""
    parts, port = _split(url.get_secret_value())
    ours = parts.scheme in _BROKERS and parts.hostname and port is not None
    if url.get_secret_value() and not ours and not url.get_secret_value().startswith("sqla+sqlite:///"):
        raise ValueError("not a broker such as amqp://user:password@rabbit.example//pathway or redis://cache.example/0")
    return url
