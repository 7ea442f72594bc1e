"""The phone script: its questions in the order of danger, as `questions.yaml` has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

from pathway import strict_yaml

FILE: Final = Path(__file__).parent / "questions.yaml"
EMERGENCY: Final = "emergency"


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to choose: its code, what the caller reads, and how urgent it makes the call, if it does."""

    code: str
    say: str
    alarm: str = ""


@dataclass(frozen=True, slots=True)
class Number:
    """An answer in numbers: its bounds and step, both bounds among them; it warns at `start` and above, if it does."""

    low: int
    high: int
    step: str
    unit: str
    hint: str
    alarm: str
    start: int | None


@dataclass(frozen=True, slots=True)
class Question:
    """One question: the finding that its answer records, its words, and what to do at once when the answer warns."""

    finding: str
    ask: str
    choices: tuple[Choice, ...]
    number: Number | None
    then: str
    sources: tuple[str, ...]

    def alarm(self, answer: str) -> str:
        """How urgent an answer makes the call: `emergency`, `today`, or empty."""
        if self.number is not None:
            warns = self.number.start is not None and bool(answer) and Decimal(answer) >= self.number.start
            return self.number.alarm if warns else ""
        return next((choice.alarm for choice in self.choices if choice.code == answer), "")

    def words(self, answer: str) -> str:
        """An answer as people read it; none is no `no`."""
        if not answer:
            return "not asked: stays unknown"
        if self.number is not None:
            return f"{answer} {self.number.unit}"
        return next((choice.say for choice in self.choices if choice.code == answer), answer)


@dataclass(frozen=True, slots=True)
class Script:
    """The whole script, with the version of its wording."""

    version: str
    status: str
    before: str
    nobody: str
    questions: tuple[Question, ...]


@cache
def script() -> Script:
    """The script of this house. RuleBookError or KeyError for a file that is none."""
    read = strict_yaml.read_file(FILE, FILE.parent)
    asked = tuple(_question(raw) for raw in read["questions"])
    return Script(str(read["version"]), read["status"], read["before"], read["nobody"], asked)


def _question(raw: Mapping[str, Any]) -> Question:
    choices = tuple(Choice(one["code"], one["say"], one.get("alarm", "")) for one in raw.get("answers", ()))
    return Question(
        raw["finding"], raw["ask"], choices, _number(raw["number"]) if "number" in raw else None, raw.get("then", ""),
        tuple(source["label"] for source in raw["sources"]),
    )  # fmt: skip


def _number(raw: Mapping[str, Any]) -> Number:
    return Number(
        raw["low"], raw["high"], raw["step"], raw["unit"], raw.get("hint", ""), raw.get("alarm", ""), raw.get("from")
    )
