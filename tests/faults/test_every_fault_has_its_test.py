"""The list of faults in OPERATIONS.md, each with a test that bears its number."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FAULTS = (*range(1, 19), 26)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_a_test_of_its_name(fault: int) -> None:
    named = re.compile(r"^def test_\w+", re.MULTILINE)
    files = list(Path(__file__).parent.glob(f"test_fault_{fault:02}_*.py"))
    assert files, f"no tests/faults/test_fault_{fault:02}_….py"
    assert all(named.search(file.read_text(encoding="utf-8")) for file in files)
