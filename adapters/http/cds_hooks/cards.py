"""One card for a call: the verdicts on the levels that are a current matter, or an emergency; otherwise no card.

Beside it stand the cards of hints (`hints`).

Where the rules that would give a verdict did not run, the card says that nobody looked.

Card: CDS Hooks 2.0.1, Card Attributes. What is absent is left out: no null, no empty string, list or object.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.fhir.reading import LEVEL, ORDER
from adapters.fhir.terminology import BASE
from adapters.fhir.validate import check_written
from adapters.http.cds_hooks.detail import detail
from adapters.http.cds_hooks.guidance import NOT_APPROVED, Guidance, Row, name, verdict
from pathway.chart import patient_id
from pathway.levels import UNSPECIFIED, sort_key

Json = dict[str, Any]

CURRENT: Final = "candidacy.spoken-of-lately"
SUMMARY: Final = 139  # "under 140 characters"
POLICY: Final = f"{BASE}/CodeSystem/policy"
OVERRIDE: Final = f"{BASE}/CodeSystem/override-reason"
PRESSING: Final = (
    "candidate", "needs-specialist-review", "insufficient-data", "contraindicated", "defer", "not-a-candidate",
    "out-of-scope",
)  # fmt: skip
_ACT: Final = frozenset({"candidate", "needs-specialist-review"})
"""Outcomes that ask somebody to act; the others inform."""
ORDERS: Final = {"order-spine-mri": ("spine-mri", "MRI of the spine", "Order MRI of the spine (STIR)")}
"""What can be ordered to get missing data, by the task that asks for it: code and display of our system, label."""
OVERRIDES: Final = (
    ("planned-already", "Already planned or done"),
    ("patient-declines", "The patient declines"),
    ("record-wrong", "The record is wrong or not up to date"),
    ("judged-otherwise", "Clinical judgement differs"),
    ("not-now", "Not what this visit is about"),
)
HINT_OVERRIDES: Final = (
    ("other-cause", "Considered; another cause explains it"),
    ("record-wrong", "The record is wrong or not up to date"),
    ("judged-otherwise", "Clinical judgement differs"),
    ("not-now", "Not what this visit is about"),
)
REASONS: Final = frozenset(code for code, _ in (*OVERRIDES, *HINT_OVERRIDES))
EMERGENCY, VERDICT, NOT_ASSESSED, HINT = "emergency", "verdict", "not-assessed", "hint"
"""What a card is, in counts."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A card, what it is, and the rule or policy that gave it."""

    kind: str
    rule: str
    card: Json


def cards(guidance: Guidance, decision_id: str, public_url: str) -> list[Json]:
    """The card of a decision, or none where there is nothing to say. `public_url`: where people reach us, for links."""
    return [one.card for one in shown(guidance, decision_id, public_url)]


def shown(guidance: Guidance, decision_id: str, public_url: str) -> list[Shown]:
    """As `cards`, with what each of them is."""
    rows = _current(guidance)
    if guidance.emergencies:
        return [Shown(EMERGENCY, guidance.emergencies[0]["rule"], _card(guidance, rows, decision_id, public_url))]
    if rows:
        policy = f"{rows[0]['policy']}: {rows[0]['outcome']}"
        return [Shown(VERDICT, policy, _card(guidance, rows, decision_id, public_url))]
    if _unjudged(guidance):
        names = ", ".join(entry["ruleSet"] for entry in guidance.resting)
        return [Shown(NOT_ASSESSED, names, _nobody_looked(guidance, decision_id, public_url))]
    return []


def _card(guidance: Guidance, rows: Sequence[Row], decision_id: str, public_url: str) -> Json:
    policy = rows[0]["policy"] if rows else guidance.emergencies[0]["release"].partition("|")[0]
    suggestions = _suggestions(guidance, decision_id)
    card: Json = {
        "uuid": _uuid(decision_id, "card"),
        "summary": _summary(guidance, rows),
        "detail": detail(guidance, rows),
        "indicator": _indicator(guidance, rows),
        "source": source(guidance, policy, public_url),
        "suggestions": suggestions,
        "selectionBehavior": "any" if suggestions else "",
        "overrideReasons": overrides(OVERRIDES),
        "links": full_decision(decision_id, public_url),
    }
    return {key: value for key, value in card.items() if value not in ("", [])}


def overrides(reasons: Sequence[tuple[str, str]]) -> list[Json]:
    """Why a card may be overridden, as codings."""
    return [{"code": code, "system": OVERRIDE, "display": text} for code, text in reasons]


def full_decision(decision_id: str, public_url: str) -> list[Json]:
    """The link to the page of a decision; none where nobody can reach us."""
    link = {"label": "The decision in full", "url": f"{public_url}/records/{decision_id}", "type": "absolute"}
    return [link] if public_url else []


def drafts_line(guidance: Guidance) -> list[str]:
    """That the rules are drafts, as a card begins, where any is."""
    return [f"**Draft rules: {NOT_APPROVED}.**", ""] if guidance.drafts else []


def _unjudged(guidance: Guidance) -> bool:
    """Whether no verdict leads because the rule set that would have given it did not run."""
    return bool(guidance.resting) and not any(guidance.rule_sets[id].recommendations for id in guidance.acting)


def _nobody_looked(guidance: Guidance, decision_id: str, public_url: str) -> Json:
    """A card that says so: no card at all would read as nothing to say."""
    names = ", ".join(entry["ruleSet"] for entry in guidance.resting)
    url = {"url": f"{public_url}/"} if public_url else {}
    return {
        "uuid": _uuid(decision_id, "card"),
        "summary": cut(f"Not assessed: no rules in force for {names}"),
        "detail": detail(guidance, []),
        "indicator": "info",
        "source": {"label": "Pathway", **url},
    }


def _current(guidance: Guidance) -> list[Row]:
    """The levels that are a current matter, under the acting policy, the most pressing first.

    Other policies stand beside it; verdicts of other kinds answer another question and are not mixed in.
    """
    rows: Sequence[Row] = [row for row in guidance.body["levels"] if row["policy"] in guidance.acting]
    met = {row["level"] for row in rows for c in row["criteria"] if c["id"] == CURRENT and c["verdict"] == "met"}
    order = list(guidance.rule_sets)
    return sorted(
        (row for row in rows if row["level"] in met),
        key=lambda row: (PRESSING.index(row["outcome"]), sort_key(row["level"]), order.index(row["policy"])),
    )


def _summary(guidance: Guidance, rows: Sequence[Row]) -> str:
    """What matters most first; cut where it would be too long."""
    parts = [obligation["title"] for obligation in guidance.emergencies[:1]]
    if rows:
        parts.append(f"{name(rows[0])}: {verdict(rows[0])}")
        more = len({row["level"] for row in rows}) - 1
        parts += [f"{more} more level{'s' if more > 1 else ''}"] if more else []
    return cut(" · ".join(parts))


def cut(text: str) -> str:
    """Text as long as a summary may be."""
    return text if len(text) <= SUMMARY else f"{text[: SUMMARY - 1]}…"


def _indicator(guidance: Guidance, rows: Sequence[Row]) -> str:
    if guidance.emergencies:
        return "critical"
    return "warning" if any(row["outcome"] in _ACT for row in rows) else "info"


def source(guidance: Guidance, policy: str, public_url: str) -> Json:
    """Whose card it is: ours, whether by drafts, and which rule set speaks."""
    said: Json = {
        "label": f"Pathway, draft rules: {NOT_APPROVED}" if guidance.drafts else "Pathway",
        "topic": {"system": POLICY, "code": policy, "display": guidance.rule_sets[policy].title},
    }
    return said | ({"url": f"{public_url}/"} if public_url else {})


def _suggestions(guidance: Guidance, decision_id: str) -> list[Json]:
    """What can be ordered to get data that decide, where the rules ask for it now: one order for all its levels."""
    asked: dict[str, list[Row]] = {}
    for obligation in guidance.body["obligations"]:
        if obligation["state"] == "open" and obligation["code"] in ORDERS:
            asked.setdefault(obligation["code"], []).append(obligation)
    return [
        {
            "label": ORDERS[code][2],
            "uuid": _uuid(decision_id, code),
            "actions": [
                {
                    "type": "create",
                    "description": f"{ORDERS[code][2]}: {', '.join(_levels(obligations)) or 'spine'}",
                    "resource": _order(guidance.body, code, obligations),
                }
            ],
        }
        for code, obligations in asked.items()
    ]


def _levels(obligations: Sequence[Row]) -> list[str]:
    levels = {level for obligation in obligations for level in obligation.get("levels", ())}
    return sorted(levels - {UNSPECIFIED}, key=sort_key)


def _order(body: Mapping[str, Any], code: str, obligations: Sequence[Row]) -> Json:
    """A proposal for the clinician to sign, never an order: R4 ServiceRequest, checked before it goes out."""
    order, display, _ = ORDERS[code]
    reasons = sorted({o["focus"] for o in obligations if o["focus"].startswith(("Condition/", "Observation/"))})
    request: Json = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "proposal",
        "priority": obligations[0]["priority"],
        "code": {"coding": [{"system": ORDER, "code": order, "display": display}], "text": display},
        "subject": {"reference": f"Patient/{patient_id(body['patient'])}"},
        "bodySite": [
            {"coding": [{"system": LEVEL, "code": level, "display": level}]} for level in _levels(obligations)
        ],
        "reasonReference": [{"reference": reason} for reason in reasons],
    }
    request = {key: value for key, value in request.items() if value != []}
    check_written(request)
    return request


def _uuid(decision_id: str, part: str) -> str:
    """The same card and suggestion of the same decision has the same id for ever: feedback finds them again."""
    return str(uuid.uuid5(uuid.UUID(decision_id), part))
