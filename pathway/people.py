"""People: who they are, what they say, how they end things, and how they are told that something was not done.

PathwayError
└── ActRefusedError         what, why, fix
    ├── NotYoursError       this role may not do this
    └── OutOfTurnError      the task does not stand so that this can be done
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from pathway.errors import PathwayError
from pathway.lifecycle import ACTORS as ACTORS
from pathway.lifecycle import Act as Act
from pathway.lifecycle import Role as Role

MOST_TEXT: Final = 2000
"""The longest comment or reason, in characters."""
_NO_CONTROL: Final = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*")
"""What a string of FHIR R4 may hold: of the control characters only tab and line ends."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in: `name` is the account's, `display` how people call them."""

    name: str
    role: Role
    display: str

    @property
    def author(self) -> str:
        """How they sign what they write."""
        return f"{self.display} ({self.role})"


@dataclass(frozen=True, slots=True)
class Said:
    """What a person says with an act; each act reads its own part of it.

    `outcome` is how the task ended (`OUTCOMES`) or what came of an attempt (`TRIED`), `channel` how it was tried
    (`CHANNELS`), `until` when a snooze ends or the patient is tried again, `to` who is given the task.
    """

    text: str = ""
    outcome: str = ""
    channel: str = ""
    until: datetime | None = None
    to: Person | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """An honest end: its code in the local list `task-outcome`, how people call it, the FHIR R4 status it leads to."""

    code: str
    display: str
    status: str
    needs_text: bool = False


OUTCOMES: Final[Mapping[str, Outcome]] = MappingProxyType({
    outcome.code: outcome
    for outcome in (
        Outcome("done", "Done", "completed"),
        Outcome("not-needed", "Not needed", "cancelled", needs_text=True),
        Outcome("declined-by-patient", "Declined by the patient", "cancelled"),
        Outcome("unreachable", "Patient not reached", "failed", needs_text=True),
        Outcome("transferred", "Care transferred", "cancelled"),
        Outcome("hospice", "In hospice care", "cancelled"),
        Outcome("died", "Died", "cancelled"),
    )
})  # fmt: skip
"""R4 Task.status: `completed` as planned, `failed` attempted but not completed, `cancelled` not completed."""

CHANNELS: Final[Mapping[str, str]] = MappingProxyType({
    "phone": "By telephone", "message": "By message", "letter": "By letter", "visit": "By visit",
})  # fmt: skip
TRIED: Final[Mapping[str, str]] = MappingProxyType({
    "reached": "Reached", "no-answer": "No answer", "wrong-number": "Wrong number or address",
    "left-message": "Left a message", "refused": "Does not want to talk",
})  # fmt: skip
"""What came of an attempt. After `reached` and `refused` the patient has been spoken to."""
CARE_ENDS: Final = frozenset({"declined-by-patient", "unreachable", "transferred", "hospice", "died"})
"""The outcomes that may end all of a patient's tasks, or all of an episode's."""


class ActRefusedError(PathwayError):
    """An act that was not done, and nothing was changed."""


class NotYoursError(ActRefusedError):
    """This role may not do this to this task."""


class OutOfTurnError(ActRefusedError):
    """The task does not stand so that this can be done, or somebody else holds it."""


def words(text: str) -> str:
    """What somebody wrote, without blanks around it; empty if nobody can see any of it (zero width, direction)."""
    text = text.strip()
    if len(text) > MOST_TEXT:
        raise OutOfTurnError(f"the text is longer than {MOST_TEXT} characters", fix="Shorten it")
    if not _NO_CONTROL.fullmatch(text):
        raise OutOfTurnError("the text holds a control character", why="FHIR has no room for it", fix="Write it anew")
    return text if any(unicodedata.category(character)[0] not in "CZ" for character in text) else ""


def when(at: datetime) -> str:
    """An instant in the words of a message."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
