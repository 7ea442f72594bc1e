"""Passwords: hashed with argon2id, checked in the same time whether or not there is an account."""

from __future__ import annotations

import threading
import unicodedata
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pathway.errors import BadInputError

LEAST: Final = 15
"""Characters; NIST SP 800-63B-4 asks for as many where a password stands alone."""
MOST: Final = 256
_HASHER: Final = PasswordHasher()
_AT_ONCE: Final = threading.BoundedSemaphore(2)  # one hash takes 64 MiB


def hashed(password: str, name: str) -> str:
    """The hash of a new password for the account of a name; BadInputError if it is too short, too long or the name."""
    plain = _normal(password)
    if not LEAST <= len(plain) <= MOST:
        raise BadInputError(
            f"a password has {LEAST} to {MOST} characters", where="password", fix="Several words make a good one"
        )
    if name in plain.casefold() and len(plain) < LEAST + len(name):
        raise BadInputError("the password is little more than the name", where="password", fix="Choose another")
    if len(set(plain)) < 5:
        raise BadInputError("the password repeats a few characters", where="password", fix="Choose another")
    with _AT_ONCE:
        return _HASHER.hash(plain)


def fits(kept: str, password: str) -> bool:
    """Whether a password is the one of a hash. Without a hash it takes as long, and the answer is no."""
    plain = _normal(password)
    with _AT_ONCE:
        try:
            right = _HASHER.verify(kept or _nobodys(), plain[: MOST + 1])
        except (VerificationError, InvalidHashError):
            return False
    return right and kept != ""


def rehashed(password: str) -> str:
    """A password that is right, hashed with today's settings."""
    with _AT_ONCE:
        return _HASHER.hash(_normal(password))


def outdated(kept: str) -> bool:
    """Whether a hash was made with weaker settings than today's."""
    return _HASHER.check_needs_rehash(kept)


def _normal(password: str) -> str:
    """One form for what keyboards write in several (NIST SP 800-63B-4: NFKC)."""
    return unicodedata.normalize("NFKC", password)


@cache
def _nobodys() -> str:
    return _HASHER.hash("nobody signs in with this")
