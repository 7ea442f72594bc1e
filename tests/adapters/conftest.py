"""What the tests of the edges share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.bootstrap import House
from tests.world import FixedClock, make_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house on a file database, whose clock stands until a test moves it."""
    made = make_house(tmp_path, FixedClock())
    yield made
    made.close()
