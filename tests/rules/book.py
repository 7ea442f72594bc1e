"""The shipped rules, loaded once for all tests, and copies of their folder to break."""

import shutil
from functools import cache
from pathlib import Path

from pathway import rulebook
from pathway.casefiles import CaseFile, all_rules, read
from pathway.forms import Stratum
from pathway.rulebook import Rule
from pathway.strata import Machine

RULES = Path(__file__).parents[2] / "rules"
BOOK = rulebook.load(RULES)
CANDIDACY = BOOK.sets["candidacy"]
ALL = all_rules(BOOK)
FILES: dict[str, CaseFile] = {file.rule.id: file for file in read(RULES, BOOK)}


def of(stratum: Stratum) -> list[Rule]:
    """All rules of one stratum."""
    return [rule for rule in ALL if rule.stratum is stratum]


@cache
def machines() -> tuple[Machine, ...]:
    """Every rule set, compiled once."""
    return tuple(Machine(rule_set) for rule_set in BOOK.sets.values())


def copy(folder: Path) -> Path:
    """A copy of the rules folder that a test may break."""
    return Path(shutil.copytree(RULES, folder / "rules"))


def edit(root: Path, file: str, old: str, new: str) -> None:
    """Replace the first occurrence of a text that must be there."""
    path = root / file
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{file} no longer says {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
