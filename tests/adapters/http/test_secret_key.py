"""The key that signs forms: the site's, or made once, kept from others, and shared by all who serve one database."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.http.auth.keys import FILE, secret_key
from adapters.settings import Settings
from pathway.errors import BadInputError


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(_env_file=None, database_url=f"sqlite:///{folder}/new/x.db", **more)


def test_it_is_made_once_beside_the_database_for_its_owner_alone(tmp_path: Path) -> None:
    first = secret_key(settings(tmp_path))
    path = tmp_path / "new" / FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(first) >= 43
    assert secret_key(settings(tmp_path)) == first
    assert [file.name for file in path.parent.iterdir()] == [FILE]


def test_starters_at_once_all_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: secret_key(settings(tmp_path)), range(16)))
    assert len(keys) == 1


def test_two_databases_have_two(tmp_path: Path) -> None:
    assert secret_key(settings(tmp_path / "a")) != secret_key(settings(tmp_path / "b"))


def test_the_sites_own_key_wins_and_leaves_no_file(tmp_path: Path) -> None:
    chosen = "k" * 40
    assert secret_key(settings(tmp_path, secret_key=SecretStr(chosen))) == chosen
    assert not (tmp_path / "new").exists()


def test_a_key_that_is_too_short_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="too short") as refused:
        secret_key(settings(tmp_path, secret_key=SecretStr("MARKER")))
    assert "MARKER" not in str(refused.value)
    assert "MARKER" not in repr(settings(tmp_path, secret_key=SecretStr("MARKER")))


def test_a_damaged_file_is_named_and_no_key_is_made_up(tmp_path: Path) -> None:
    secret_key(settings(tmp_path))
    (tmp_path / "new" / FILE).write_text("")
    with pytest.raises(BadInputError, match="damaged"):
        secret_key(settings(tmp_path))
