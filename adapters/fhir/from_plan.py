"""From plan to wire: tasks and episodes as FHIR R4 Task and CarePlan, and search results.

What is not known is left out: FHIR has no empty elements. Everything written here passes `validate.check_written`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from adapters.fhir.terminology import BASE
from pathway.canonical import instant
from pathway.care import CareWord, end_of_care
from pathway.chart import patient_id
from pathway.clockwork import told
from pathway.episodes import Episode, EpisodeKind
from pathway.history import attempt_words
from pathway.levels import UNSPECIFIED
from pathway.obligations import Item
from pathway.people import OUTCOMES
from pathway.tasks import EXPIRED, Task

Json = dict[str, Any]

TASK_KEY: Final = f"{BASE}/task-key"
EPISODE: Final = f"{BASE}/episode"
DECISION: Final = f"{BASE}/decision"
TASK_CODE: Final = f"{BASE}/CodeSystem/task"
TASK_PART: Final = f"{BASE}/CodeSystem/task-part"
ROLE: Final = f"{BASE}/CodeSystem/role"
STANDING: Final = f"{BASE}/CodeSystem/task-standing"
OUTCOME: Final = f"{BASE}/CodeSystem/task-outcome"
ACCOUNT: Final = f"{BASE}/account"

INTENT: Final = "plan"
"""R4 binds Task.intent and CarePlan.intent as required. `order` is an authorisation by someone who may order; a rule
may not. `proposal` would be a mere suggestion; these are worked on. So: an intention without an authorisation."""


DRAFT: Final = "Draft rules: not approved for clinical use"
"""Stands in what others show of us, unless the release that it is of is among the approved ones."""


def task(it: Task, approved: Collection[str] = ()) -> Json:
    """A task as R4 Task. Who does it is a role until a person takes it; whether it is overdue, its due date tells."""
    return _present({
        "resourceType": "Task",
        "id": it.id,
        "meta": {"versionId": str(it.version), "lastUpdated": instant(it.modified_at)},
        "identifier": [{"system": TASK_KEY, "value": it.key}],
        "instantiatesCanonical": f"{BASE}/PlanDefinition/{it.release}",
        "groupIdentifier": {"system": EPISODE, "value": it.episode},
        "status": it.status,
        "statusReason": {"text": it.status_reason} if it.status_reason else None,
        "businessStatus": _concept(STANDING, _standing(it)),
        "intent": INTENT,
        "priority": it.priority,
        "code": {**_concept(TASK_CODE, it.code), "text": it.title},
        "description": _description(it, approved),
        "focus": {"reference": it.focus},
        "for": {"reference": f"Patient/{patient_id(it.patient)}"},
        "executionPeriod": _present({
            "start": instant(it.start_at or it.authored_at),
            "end": instant(it.ended_at or it.modified_at) if it.ended else None,
        }),
        "authoredOn": instant(it.authored_at),
        "lastModified": instant(it.modified_at),
        "performerType": [{**_concept(ROLE, role), "text": role} for role in _roles(it)],
        "owner": _holder(it),
        "note": _notes(it),
        "restriction": {"period": {"end": instant(it.due_at)}},
        "input": _inputs(it),
        "output": _outputs(it),
    })  # fmt: skip


def _standing(it: Task) -> str:
    """How the task stands, finer than its status and never dependent on the time of asking."""
    if not it.ended:
        return "put-off" if it.status == "on-hold" else "escalated" if it.stage else "open"
    if it.by_person:
        return "closed-by-person"
    if it.outcome == EXPIRED:
        return "expired"
    return "closed-by-evidence" if it.status == "completed" else "withdrawn"


def _roles(it: Task) -> tuple[str, ...]:
    """Whom it is for; once it is escalated so far, also who stands behind them."""
    return (it.owner, told(it.stage)) if told(it.stage) == "supervisor" and not it.ended else (it.owner,)


def _notes(it: Task) -> list[Json]:
    """What people wrote on it, each attempt to reach the patient, and who answered an emergency: in order of time."""
    answered = [(it.acknowledged_at, it.acknowledged_by, "Acknowledged")] if it.acknowledged_at else []
    told_of = [
        *((note.at, note.author, note.text) for note in it.notes),
        *((attempt.at, attempt.author, attempt_words(attempt)) for attempt in it.attempts),
        *answered,
    ]
    return [
        {"authorString": author, "time": instant(at), "text": text}
        for at, author, text in sorted(told_of, key=lambda note: note[0])
    ]


def _description(it: Task, approved: Collection[str]) -> str:
    named = [_place(level) for level in it.levels]
    text = f"{it.title}: {', '.join(named)}" if named else it.title
    return text if it.release in approved else f"{text}. {DRAFT}"


def _inputs(it: Task) -> list[Json]:
    """Why the task exists: the sentences, its checklist, the records behind them, the decision that asked for it."""
    return [
        *(_part("why", {"valueString": sentence}) for sentence in it.why),
        *(_part("item", {"valueString": _item(item)}) for item in it.items),
        *(_part("source", {"valueReference": {"reference": source}}) for source in it.sources),
        _part("decision", {"valueIdentifier": {"system": DECISION, "value": it.decision}}),
    ]


def _item(item: Item) -> str:
    """A line of a checklist: its mark, how it stands, and what would settle it."""
    mark = "[x]" if item.done else "[ ]"
    return f"{mark} {item.message}. {item.ask}" if item.ask else f"{mark} {item.message}"


def _outputs(it: Task) -> list[Json]:
    """What came of it: the records that closed it, or how a person or the clock ended it."""
    ended = [_part("outcome", {"valueCodeableConcept": _concept(OUTCOME, it.outcome)})] if it.outcome else []
    return [_part("evidence", {"valueReference": {"reference": source}}) for source in it.evidence] + ended


def _holder(it: Task) -> Json | None:
    """Whoever claimed or ended it: a person of this service, of whom there is no resource."""
    if not it.holder:
        return None
    identifier = {"system": ACCOUNT, "value": it.holder}
    return {"type": "Practitioner", "identifier": identifier, "display": it.holder_display}


def _part(code: str, value: Json) -> Json:
    return {"type": _concept(TASK_PART, code), **value}


def care_plan(
    episode: Episode, patient: str, tasks: Iterable[Task], said: Sequence[CareWord] = (), approved: Collection[str] = ()
) -> Json:  # fmt: skip
    """An episode as R4 CarePlan: the Conditions that it is about, and one activity for each of its tasks.

    It closes when its tasks have: completed where something was done, revoked where care ended or nothing came of it.
    A reopened task opens it again. `tasks` may be all of the patient's; `said` is what people said about their care.
    """
    own = sorted((t for t in tasks if t.episode == episode.id), key=lambda t: (t.due_at, t.key))
    end = end_of_care(said, episode.id)
    status = _plan_status(own, end)
    moments: list[datetime] = [t.modified_at for t in own] + ([end.at] if end else [])
    changed = max(moments, default=None)
    over = changed if status != "active" else None
    return _present({
        "resourceType": "CarePlan",
        "id": episode.id,
        "meta": {"lastUpdated": instant(changed)} if changed else None,
        "identifier": [{"system": EPISODE, "value": episode.id}],
        "instantiatesCanonical": sorted({f"{BASE}/PlanDefinition/{t.release}" for t in own}),
        "status": status,
        "intent": INTENT,
        "title": _title(episode),
        "description": DRAFT if any(t.release not in approved for t in own) else None,
        "subject": {"reference": f"Patient/{patient_id(patient)}"},
        "period": _present({"start": instant(episode.onset_at), "end": instant(over) if over else None}),
        "addresses": [{"reference": s} for s in episode.sources if s.startswith("Condition/")],
        "supportingInfo": [{"reference": s} for s in episode.sources if not s.startswith("Condition/")],
        "activity": [_activity(t) for t in own],
        "note": [_end_note(end)] if end else [],
    })  # fmt: skip


def _plan_status(own: Sequence[Task], end: CareWord | None) -> str:
    """R4 request-status: `revoked` is a plan that was ended before it was completed."""
    if any(not t.ended for t in own) or not (own or end):
        return "active"
    return "completed" if end is None and any(t.status == "completed" for t in own) else "revoked"


def _activity(it: Task) -> Json:
    """A task in its plan: how it ended and by whom, the records that show it."""
    if not it.ended:
        return {"reference": {"reference": f"Task/{it.id}"}}
    who = it.holder_display if it.by_person else ""
    told_of = f"{it.status_reason or it.status}{f' ({who})' if who else ''}"
    return _present(
        {
            "outcomeCodeableConcept": [{**_concept(OUTCOME, it.outcome), "text": told_of}] if it.outcome else None,
            "outcomeReference": [{"reference": source} for source in it.evidence],
            "progress": [{"time": instant(it.ended_at or it.modified_at), "text": told_of}],
            "reference": {"reference": f"Task/{it.id}"},
        }
    )


def _end_note(end: CareWord) -> Json:
    """By whose word, when and why care ended."""
    text = f"{OUTCOMES[end.outcome].display}: {end.text}"
    return {"authorString": f"{end.display} ({end.role})", "time": instant(end.at), "text": text}


def _title(episode: Episode) -> str:
    """What the episode is, in the reader's words."""
    about = {
        EpisodeKind.FRACTURE: "Fracture", EpisodeKind.PROCEDURE: "Cement procedure", EpisodeKind.PERSON: "The person",
    }[episode.kind]  # fmt: skip
    places = ", ".join(_place(level) for level in episode.levels)
    return f"{about}: {places}" if places else about


def _place(level: str) -> str:
    return "vertebra not named" if level == UNSPECIFIED else level


def searchset(base: str, resources: Sequence[Json], links: Mapping[str, str]) -> Json:
    """Resources as the page of a search: `links` are `self` and, where there is more, `next`."""
    entries = [
        {"fullUrl": f"{base}/{r['resourceType']}/{r['id']}", "resource": r, "search": {"mode": "match"}}
        for r in resources
    ]
    link = [{"relation": relation, "url": url} for relation, url in links.items()]
    return _present({"resourceType": "Bundle", "type": "searchset", "link": link, "entry": entries})


def _concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def _present(body: Json) -> Json:
    """Without what is absent: None and empty lists."""
    return {key: value for key, value in body.items() if value is not None and value != []}
