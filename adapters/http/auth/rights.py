"""Who may see and do what: one table. Views name a row of it; a test holds every role against every route."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pathway.people import ACTORS, Role


class Area(StrEnum):
    """A part of the service that a view belongs to."""

    START = "start"
    WORK_LIST = "work-list"
    ACT = "act"
    PATIENT = "patient"
    DECISION = "decision"
    RULE_SETS = "rule-sets"
    ACCOUNTS = "accounts"
    OUTBOX = "outbox"
    UNREAD = "unread"
    COHORT = "cohort"
    MEASURES = "measures"


_EVERYBODY: Final = frozenset(Role)
MAY: Final[Mapping[Area, frozenset[Role]]] = MappingProxyType({
    Area.START: _EVERYBODY,  # where each role is sent on to what is theirs; no patient's data
    Area.WORK_LIST: ACTORS,
    Area.ACT: ACTORS,
    Area.PATIENT: ACTORS | {Role.AUDITOR},
    Area.DECISION: ACTORS | {Role.AUDITOR},
    Area.RULE_SETS: _EVERYBODY,
    Area.ACCOUNTS: frozenset({Role.ADMIN}),
    Area.OUTBOX: ACTORS | {Role.ADMIN},  # an admin mends servers and addresses: ids of tasks, no patient's
    Area.UNREAD: ACTORS,
    Area.COHORT: ACTORS | {Role.AUDITOR},
    Area.MEASURES: ACTORS | {Role.AUDITOR},  # to count anew changes nothing of anybody
})  # fmt: skip
"""An admin sees no patient's data; an auditor sees all of it and changes nothing."""


def may(role: Role, area: Area) -> bool:
    """Whether a role may enter an area."""
    return role in MAY[area]
