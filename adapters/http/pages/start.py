"""What the start page shows: for each stored patient the verdict of the latest decision, and what is open."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from adapters.fhir.from_plan import patient_id
from adapters.http.cds_hooks.catalogue import services
from adapters.http.cds_hooks.detail import carrying
from adapters.settings import Settings
from pathway.decisions import DecisionRecord
from pathway.ports import Ledger
from pathway.reconcile import ENDED, Task
from pathway.rulebook import RuleSet

MOST: Final = 200
LOOK_BACK: Final = 50
OPEN: Final = tuple(sorted({"draft", "requested", "received", "accepted", "ready", "in-progress", "on-hold"} - ENDED))


@dataclass(frozen=True, slots=True)
class Verdict:
    """One vertebra under one policy: the facts that carry the outcome, or what is missing."""

    level: str
    outcome: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One patient: verdicts, what is open, and what comes next. `late` says that its due date has passed."""

    id: str
    verdicts: tuple[Verdict, ...]
    open: int
    next: str
    due: str
    late: bool
    urgent: bool
    decision: str


@dataclass(frozen=True, slots=True)
class Page:
    """The lines, how many patients there are, whether the rules are drafts, and what the example call needs."""

    lines: tuple[Line, ...]
    patients: int
    drafts: bool
    zone: str
    example: str


def start(ledger: Ledger, settings: Settings, rule_sets: Mapping[str, RuleSet], now: datetime) -> Page:
    """The page as of now; the first patients by id where there are very many."""
    keys = ledger.patients()
    zone = ZoneInfo(settings.time_zone)
    lines: list[Line] = []
    drafts = False
    for key in keys[:MOST]:
        latest = _latest(ledger, key)
        body = json.loads(latest[0].body) if latest else {"levels": [], "releases": []}
        drafts = drafts or any(release["status"] == "draft" for release in body["releases"])
        tasks = ledger.find_tasks(patient=key, statuses=OPEN)
        lines.append(_line(key, body, latest[0].id if latest else "", tasks, rule_sets, now, zone))
    example = _example(lines[0].id if lines else "example")
    return Page(tuple(lines), len(keys), drafts or not lines, settings.time_zone, example)


def _latest(ledger: Ledger, key: str) -> tuple[DecisionRecord, ...]:
    """The latest decision on the stored chart, if there is one: a hook's rests on what its caller sent along."""
    latest = ledger.decisions(key, 1)
    if latest and latest[0].hook_instance:
        latest = tuple(d for d in ledger.decisions(key, LOOK_BACK) if not d.hook_instance)[:1] or latest
    return latest


def _line(
    key: str,
    body: Mapping[str, Any],
    decision: str,
    tasks: tuple[Task, ...],
    rule_sets: Mapping[str, RuleSet],
    now: datetime,
    zone: ZoneInfo,
) -> Line:
    """Tasks come by due date; an emergency is next whatever its date."""
    following = min((t for t in tasks), key=lambda t: (t.priority != "stat", t.due_at, t.key), default=None)
    return Line(
        id=patient_id(key),
        verdicts=tuple(
            Verdict(_level(row["level"]), row["outcome"].replace("-", " "), _reasons(rule_sets, row))
            for row in body["levels"]
        ),
        open=len(tasks),
        next=following.title if following else "",
        due=following.due_at.astimezone(zone).strftime("%Y-%m-%d %H:%M") if following else "",
        late=following is not None and following.due_at < now,
        urgent=following is not None and following.priority == "stat",
        decision=decision,
    )


def _reasons(rule_sets: Mapping[str, RuleSet], row: Mapping[str, Any]) -> tuple[str, ...]:
    """What carries the verdict, or the requests that would settle it; the rule's own words where neither is known."""
    asked = tuple(dict.fromkeys(f"Missing: {item['say']}" for item in row["missing"]))
    if row["outcome"] == "insufficient-data":
        return asked[:3] or (row["reason"],)
    policy = rule_sets.get(row["policy"])
    return tuple(carrying(policy, row)) if policy else (row["reason"],)


def _level(level: str) -> str:
    return "not named" if level == "unspecified" else level


def _example(patient: str) -> str:
    """The body of a hook call that adds nothing to what is stored about a patient."""
    (service,) = services().values()
    call = {
        "hook": service.hook,
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/example", "patientId": patient},
        "prefetch": dict.fromkeys(service.prefetch),
    }
    return json.dumps(call, indent=1)
