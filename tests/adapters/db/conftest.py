"""A store on a real SQLite file."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adapters.db import SqlStore, upgrade
from adapters.db.engine import make_engine
from tests.adapters.db.builders import opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database of this test is."""
    return tmp_path / "store" / "pathway.db"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that is made and empty, to be copied."""
    path = tmp_path_factory.mktemp("made") / "pathway.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def url(path: Path, made: Path) -> str:
    """The URL of a database that is made and empty."""
    path.parent.mkdir(mode=0o700)
    shutil.copy(made, path)
    return f"sqlite:///{path}"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """The engine below `store`, for tests that look or meddle there."""
    engine = make_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> SqlStore:
    """An empty store."""
    return SqlStore(engine)


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """One store for all examples of a property; each example takes a patient of its own."""
    url = f"sqlite:///{tmp_path_factory.mktemp('shared')}/pathway.db"
    upgrade(url)
    with opened(url) as store:
        yield store
