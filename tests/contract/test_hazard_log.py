"""What the hazard log says is held by tests is: each file that it names is there, each hazard has its number once."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOG = (ROOT / "docs/hazard-log.md").read_text(encoding="utf-8")
LINES = re.findall(r"^\| (H-\d\d) \|.*\|$", LOG, re.MULTILINE)


def test_each_hazard_has_a_number_of_its_own() -> None:
    assert len(LINES) > 20
    assert sorted(set(LINES)) == LINES


def test_every_test_that_a_hazard_leans_on_exists() -> None:
    named = re.findall(r"`(tests/[^`]+)`", LOG)
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_hazard_says_how_grave_it_is_and_what_is_left() -> None:
    rows = [line.strip("|").split("|") for line in LOG.splitlines() if line.startswith("| H-")]
    assert [row[0] for row in rows if len(row) != 7 or not all(cell.strip() for cell in row)] == []
    assert [row[3] for row in rows if not re.match(r" (grave|serious|slight)", row[3])] == []
