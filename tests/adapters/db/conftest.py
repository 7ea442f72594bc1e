"""A store on a real database: each test of it runs on a file of SQLite and on a PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adapters.db import SqlStore
from adapters.db.engine import make_engine
from tests.adapters.db.builders import opened
from tests.databases import BACKENDS, fresh, made_empty


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The database that a test runs on; a test of one only is parametrised with it."""
    return request.param


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database of this test is, on SQLite."""
    return tmp_path / "store" / "pathway.db"


@pytest.fixture
def bare(backend: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables, and on SQLite without a file."""
    with fresh(backend, tmp_path) as url:
        yield url


@pytest.fixture
def url(backend: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that is made and empty."""
    with made_empty(backend, tmp_path) as url:
        yield url


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


@pytest.fixture(scope="module", params=BACKENDS)
def shared_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """One store for all examples of a property; each example takes a patient of its own."""
    with made_empty(request.param, tmp_path_factory.mktemp("shared")) as url, opened(url) as store:
        yield store
