"""What the tests of ingestion share: a house, records as other systems hold them, and files of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.bootstrap import House
from tests.world import FixedClock, make_house, silence_logs


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    silence_logs()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = make_house(tmp_path, FixedClock(), export_folder=tmp_path / "exports")
    yield made
    made.close()
