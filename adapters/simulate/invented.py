"""The invented year: what arrives (`adapters.demo.year`), and what people do meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.demo.year import PROCEDURE_AT, year
from adapters.simulate.run import Arrival, Deed, Happening

_FIRST: Final = "after-cement.early-contact"
_THREE: Final = "after-cement.contact-three-months"
_SIX: Final = "after-cement.contact-six-months"
_TWELVE: Final = "after-cement.contact-twelve-months"
_REFERRAL: Final = "bone-health.osteoporosis-referral"


def happenings() -> tuple[Happening, ...]:
    """All of it, in order of time."""
    return tuple(sorted((*(Arrival(at, bundle) for at, bundle in year()), *_acts()), key=lambda one: one.at))


def _acts() -> Iterator[Deed]:
    """Calls that reach nobody at first, a task put off until the patient is back, one taken in hand and given back."""
    yield _act(-3.9, "candidacy.operator-review", "claim", "clinician")
    yield _act(
        -3.5, "candidacy.assess-flags", "complete", "clinician", outcome="done", text="Asked and examined: no red flag"
    )
    yield _act(-2.9, "pre-procedure.checklist", "claim")
    yield _act(-0.1, "pre-procedure.checklist", "complete", outcome="done", text="Gone through with the operator")
    yield _act(1.0, _FIRST, "claim")
    yield _act(1.1, _FIRST, "attempt", channel="phone", outcome="no-answer", until="2026-12-09")
    yield _act(7.0, _REFERRAL, "claim")
    yield _act(7.1, _REFERRAL, "comment", text="Clinic offers 21 January, patient agrees")
    yield _act(14.1, "bone-health.treatment", "comment", "clinician", text="Teeth first: dentist on 15 January")
    yield _act(78.0, _THREE, "snooze", until="2027-03-06", text="With her daughter until then")
    yield _act(184.0, _SIX, "attempt", channel="phone", outcome="no-answer", until="2027-06-11")
    yield _act(186.1, _SIX, "attempt", channel="phone", outcome="left-message", until="2027-06-14")
    yield _act(189.1, _SIX, "attempt", channel="letter", outcome="no-answer", until="2027-06-16")
    yield _act(352.0, _TWELVE, "claim")


def _act(days: float, rule: str, act: str, role: str = "coordinator", **said: Any) -> Deed:
    at: datetime = PROCEDURE_AT + timedelta(days=days)
    return Deed(at, rule, act, role, said)
