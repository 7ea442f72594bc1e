"""What the tests of the workers share: a quiet log."""

import pytest

from tests.world import silence_logs


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    silence_logs()
