"""What views reach for: the house that the app was made for, and the address under which it is reached."""

from __future__ import annotations

from typing import Final

from flask import current_app, request

from adapters.bootstrap import House

KEY: Final = "pathway"


def house() -> House:
    """The house of the present app."""
    return current_app.extensions[KEY]


def own_url() -> str:
    """Our address without a slash at its end: the one that is set, else the one that was called."""
    return (house().settings.public_url or request.host_url).rstrip("/")
