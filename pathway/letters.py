"""Letters to others about a patient: made from a decision, signed off, replaced or taken back; nothing is overwritten.

A letter is a row of steps. Each names the document as it stood then, by its hash. A letter ends no task.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pathway.lifecycle import Role


class Step(StrEnum):
    """What was done to a letter."""

    MADE = "made"
    SIGNED = "signed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class LetterStep:
    """One step of a letter: which, when, by whom, and the document after it (`sha256`).

    `decision` is what the letter was made from, `replaces` the letter before it or empty; all steps say the same.
    `text` is why it was withdrawn.
    """

    letter: str
    sequence: int
    patient: str
    step: Step
    at: datetime
    actor: str
    role: Role
    display: str
    decision: str
    sha256: str
    replaces: str = ""
    text: str = ""

    @property
    def author(self) -> str:
        """Whoever did it, as they sign."""
        return f"{self.display} ({self.role})"


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as it stands: its steps in order, and the letter that was signed in its place, if one was."""

    steps: tuple[LetterStep, ...]
    replaced_by: str = ""

    @property
    def id(self) -> str:
        """Its id, by which it is also a DocumentReference."""
        return self.made.letter

    @property
    def made(self) -> LetterStep:
        """How it began."""
        return self.steps[0]

    @property
    def last(self) -> LetterStep:
        """How it stands: its last step."""
        return self.steps[-1]

    @property
    def signed(self) -> LetterStep | None:
        """By whom and when it was signed off, if it was."""
        return next((one for one in self.steps if one.step is Step.SIGNED), None)

    @property
    def withdrawn(self) -> LetterStep | None:
        """By whom, when and why it was taken back, if it was."""
        return next((one for one in self.steps if one.step is Step.WITHDRAWN), None)

    @property
    def standing(self) -> str:
        """`preliminary`, `signed`, `replaced` or `withdrawn`."""
        if self.withdrawn:
            return "withdrawn"
        return "replaced" if self.replaced_by else "signed" if self.signed else "preliminary"


def letters_of(steps: Iterable[LetterStep]) -> tuple[Letter, ...]:
    """The letters that steps tell of, the latest first.

    One is replaced by a letter in its place that was signed and not taken back; a preliminary one already by a letter
    that was made in its place.
    """
    found: dict[str, list[LetterStep]] = {}
    for step in sorted(steps, key=lambda one: (one.letter, one.sequence)):
        found.setdefault(step.letter, []).append(step)
    plain = {id: Letter(tuple(own)) for id, own in found.items()}
    told = (Letter(one.steps, _successor(one, plain)) for one in plain.values())
    return tuple(sorted(told, key=lambda one: (one.made.at, one.id), reverse=True))


def _successor(letter: Letter, others: Mapping[str, Letter]) -> str:
    after = [one for one in others.values() if one.made.replaces == letter.id and one.withdrawn is None]
    counts = [one for one in after if one.signed or letter.signed is None]
    return max(counts, key=lambda one: (one.made.at, one.id)).id if counts else ""
