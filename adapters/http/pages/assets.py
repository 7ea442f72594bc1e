"""Static files, each under a name that holds the hash of its bytes: a browser may keep it for ever.

htmx is served from the installed package; no copy of it lives here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "static"
FOR_EVER: Final = "public, max-age=31536000, immutable"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@cache
def served() -> Mapping[str, tuple[bytes, str]]:
    """Bytes and media type of each file, by the name under which it is served."""
    return {name: (body, _TYPES[Path(name).suffix]) for name, body in _named().values()}


def asset(plain: str) -> str:
    """`pathway.css` as the name under which it is served."""
    return _named()[plain][0]


@cache
def _named() -> Mapping[str, tuple[str, bytes]]:
    bodies = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir())}
    bodies["htmx.js"] = files("js_lib_htmx").joinpath("static", "htmx", "htmx.min.js").read_bytes()
    return {plain: (_hashed(plain, body), body) for plain, body in bodies.items()}


def _hashed(plain: str, body: bytes) -> str:
    path = Path(plain)
    return f"{path.stem}-{sha256(body).hexdigest()[:12]}{path.suffix}"
