"""What people do to letters: make one from a decision, sign it off, take it back; each once, with who and when."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from pathway.errors import NotFoundError
from pathway.keeping import post_letter
from pathway.letters import Letter, LetterStep, Step, standing_now
from pathway.lifecycle import ACTORS, Role
from pathway.people import NotYoursError, OutOfTurnError, Person, words
from pathway.ports import Clock, Ledger, Store


@dataclass(frozen=True, slots=True)
class Correspondence:
    """Letters over a store. `channels` are what the house has to tell others by; what goes is read when it goes."""

    store: Store
    clock: Clock
    channels: Collection[str] = field(default=frozenset())

    def make(self, id: str, patient: str, decision: str, document: bytes, person: Person, replaces: str = "") -> Letter:
        """Keep a letter as preliminary; the same id again is the letter that is there.

        OutOfTurnError unless it takes the place of the letter that stands, or none does: two people who make one at the
        same time make one letter.
        """
        if person.role not in ACTORS:
            raise NotYoursError("your role makes no letters", fix="Ask a coordinator or a clinician")
        with self.store.write() as ledger:
            ledger.hold(patient)
            letters = ledger.letters(patient)
            known = next((one for one in letters if one.id == id), None)
            if known is not None:
                return known
            if _is_taken(ledger, id):
                raise OutOfTurnError("this form made a letter about another patient", fix="Load the page again")
            stands = standing_now(letters)
            if replaces != (stands.id if stands else ""):
                raise OutOfTurnError(
                    "the letters about this patient stand otherwise than your form saw",
                    why="somebody made one, signed one or took one back", fix="Load the page again, and look at them",
                )  # fmt: skip
            ledger.append_letter_step(LetterStep(
                id, 1, patient, Step.MADE, self.clock.now(), person.name, person.role, person.display, decision,
                ledger.keep_bytes(document), replaces,
            ))  # fmt: skip
            return ledger.letter(id)

    def sign(self, id: str, document: bytes, person: Person) -> Letter:
        """Sign a preliminary letter off: from now on it counts, goes out, and replaces the one before it.

        Only a clinician does. Signed twice it is signed once; OutOfTurnError where it was replaced or taken back.
        """
        if person.role is not Role.CLINICIAN:
            raise NotYoursError("only a clinician signs a letter off", fix="Ask a clinician to read and sign it")
        with self.store.write() as ledger:
            letter = _held(ledger, id)
            if letter.standing == "signed":
                return letter
            if letter.standing != "preliminary":
                raise OutOfTurnError(f"this letter is {letter.standing}", fix="Sign the letter that stands")
            return self._step(ledger, letter, Step.SIGNED, document, person)

    def withdraw(self, id: str, document: bytes, person: Person, text: str) -> Letter:
        """Take a letter back as entered in error, with a reason. A signed one only a clinician takes back."""
        if person.role not in ACTORS:
            raise NotYoursError("your role takes no letters back", fix="Ask a coordinator or a clinician")
        if not words(text):
            raise OutOfTurnError("a reason is missing", fix="Say why the letter is taken back")
        with self.store.write() as ledger:
            letter = _held(ledger, id)
            if letter.signed and person.role is not Role.CLINICIAN:
                raise NotYoursError("only a clinician takes a signed letter back", fix="Ask a clinician")
            if letter.withdrawn:
                return letter
            return self._step(ledger, letter, Step.WITHDRAWN, document, person, words(text))

    def _step(
        self, ledger: Ledger, letter: Letter, step: Step, document: bytes, person: Person, text: str = ""
    ) -> Letter:
        now = self.clock.now()
        ledger.append_letter_step(replace(
            letter.made, sequence=letter.last.sequence + 1, step=step, at=now, actor=person.name, role=person.role,
            display=person.display, sha256=ledger.keep_bytes(document), text=text,
        ))  # fmt: skip
        changed = ledger.letter(letter.id)
        for one in (changed, *map(ledger.letter, changed.before)):
            post_letter(ledger, one, self.channels, now)
        return changed


def _is_taken(ledger: Ledger, id: str) -> bool:
    try:
        ledger.letter(id)
    except NotFoundError:
        return False
    return True


def _held(ledger: Ledger, id: str) -> Letter:
    """A letter that nobody else writes on until this transaction ends."""
    patient = ledger.letter(id).made.patient
    for key in (patient, ledger.survivor(patient)):
        ledger.hold(key)
    return ledger.letter(id)
