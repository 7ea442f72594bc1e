"""Letters to others about a patient: made from a decision, signed off, replaced or taken back; nothing is overwritten.

A letter is a row of steps. Each names the document as it stood then, by its hash. A letter ends no task.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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
    """A letter as it stands: its steps in order, and the letter that was signed in its place, if one was.

    `before` are the signed letters in whose place it is, the nearest first: a draft between them never left the house.
    """

    steps: tuple[LetterStep, ...]
    replaced_by: str = ""
    before: tuple[str, ...] = ()

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

    One is replaced by a letter in its place that was signed and not taken back, whatever became of drafts between the
    two; a preliminary one already by a letter that was made in its place.
    """
    found: dict[str, list[LetterStep]] = {}
    for step in sorted(steps, key=lambda one: (one.letter, one.sequence)):
        found.setdefault(step.letter, []).append(step)
    plain = {id: Letter(tuple(own)) for id, own in found.items()}
    told = (Letter(one.steps, _successor(one, plain), tuple(_before(one, plain))) for one in plain.values())
    return tuple(sorted(told, key=lambda one: (one.made.at, one.id), reverse=True))


def standing_now(letters: Iterable[Letter]) -> Letter | None:
    """The letter in whose place a new one is made: the latest that stands and has no draft in its place yet."""
    standing = [one for one in letters if one.standing in ("preliminary", "signed")]
    drafted = {id for one in standing for id in (one.made.replaces, *one.before)}
    return next((one for one in standing if one.id not in drafted), None)


def _successor(letter: Letter, others: Mapping[str, Letter]) -> str:
    after = [one for one in _after(letter.id, others) if one.withdrawn is None]
    counts = [one for one in after if one.signed or letter.signed is None]
    return max(counts, key=lambda one: (one.made.at, one.id)).id if counts else ""


def _after(id: str, others: Mapping[str, Letter]) -> Iterator[Letter]:
    """The letters that were made in the place of one, and in theirs."""
    for one in others.values():
        if one.made.replaces == id:
            yield one
            yield from _after(one.id, others)


def _before(letter: Letter, others: Mapping[str, Letter]) -> Iterator[str]:
    while (earlier := others.get(letter.made.replaces)) is not None:
        if earlier.signed:
            yield earlier.id
        letter = earlier
