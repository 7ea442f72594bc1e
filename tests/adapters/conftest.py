"""What the tests of the edges share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.bootstrap import House
from tests.databases import BACKENDS, made_empty
from tests.world import FixedClock, log_as_it_was, make_house


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """A command that a test runs in its own process leaves no log behind."""
    with log_as_it_was():
        yield


@pytest.fixture(params=BACKENDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database: a file, and then one on a server."""
    with made_empty(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house on a file database, whose clock stands until a test moves it."""
    made = make_house(tmp_path, FixedClock())
    yield made
    made.close()
