"""The key that signs CSRF tokens: set by the site, or made once and kept beside the database (0600)."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from adapters.settings import ROOT, Settings
from pathway.errors import BadInputError

FILE: Final = "secret-key"
LEAST: Final = 32


def secret_key(settings: Settings) -> str:
    """`PATHWAY_SECRET_KEY`, else the key in the file, which is made when it is missing.

    BadInputError for a set key that is too short, or a file that cannot be made or read.
    """
    chosen = settings.secret_key.get_secret_value()
    if chosen:
        if len(chosen) < LEAST:
            raise BadInputError(
                "the secret key is too short", where="PATHWAY_SECRET_KEY", fix=f"Use {LEAST} random characters or more"
            )
        return chosen
    path = _folder(settings) / FILE
    try:
        if not path.exists():
            _make(path)
        kept = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(
            "the secret key cannot be kept", where=str(path), why=type(error).__name__,
            fix="Check the rights of the folder, or set PATHWAY_SECRET_KEY",
        ) from None  # fmt: skip
    if len(kept) < LEAST:
        raise BadInputError("the kept secret key is damaged", where=str(path), fix="Delete the file; a new one is made")
    return kept


def _folder(settings: Settings) -> Path:
    """Beside the database where that is a file: every process that serves it shares the key."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(url.database).absolute().parent
    return ROOT / "var"


def _make(path: Path) -> None:
    """Written whole before it gets its name: of two processes that start at once, both read the first one's key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="ascii", delete=False) as fresh:  # 0600
        fresh.write(secrets.token_urlsafe(48))
    try:
        os.link(fresh.name, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(fresh.name)
