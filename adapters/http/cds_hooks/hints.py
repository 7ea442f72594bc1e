"""Cards of hints: one for each, dismissible, and told from the next by the episode of care that it is shown in.

One that somebody overrode is not shown again in that episode of care. An emergency and a verdict are other cards, with
ids of their own, which no feedback takes away.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from adapters.fhir.reading import happened
from adapters.fhir.terminology import BASE
from adapters.http.cds_hooks.cards import (
    HINT,
    HINT_OVERRIDES,
    Json,
    Shown,
    cut,
    drafts_line,
    full_decision,
    overrides,
    source,
)
from adapters.http.cds_hooks.guidance import Guidance, Row
from adapters.http.cds_hooks.markdown import plain
from pathway.canonical import parse_instant
from pathway.chart import ChartResource
from pathway.levels import UNSPECIFIED

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, f"{BASE}/cds-services/hint")


def hints(
    guidance: Guidance,
    chart: Sequence[ChartResource],
    encounter: str,
    zone: ZoneInfo,
    decision_id: str,
    public_url: str,
) -> list[Shown]:
    """A card for each hint of a decision. `encounter` is the call's id of one, or empty; `chart` was decided on."""
    rows: Sequence[Row] = guidance.body.get("hints", ())
    ids = (_uuid(guidance, row, chart, encounter, zone) for row in rows)
    return [
        Shown(HINT, row["rule"], _card(guidance, row, id, decision_id, public_url))
        for row, id in zip(rows, ids, strict=True)
    ]


def _card(guidance: Guidance, row: Row, id: str, decision_id: str, public_url: str) -> Json:
    rule_set = row["release"].partition("|")[0]
    levels = [level for level in row["levels"] if level != UNSPECIFIED]
    card: Json = {
        "uuid": id,
        "summary": cut(f"{row['title']}: {', '.join(levels)}" if levels else row["title"]),
        "detail": "\n".join([*drafts_line(guidance), *_said(row), "", f"{plain(guidance.release(rule_set))}."]),
        "indicator": row["indicator"],
        "source": source(guidance, rule_set, public_url),
        "overrideReasons": overrides(HINT_OVERRIDES),
        "links": full_decision(decision_id, public_url),
    }
    return {key: value for key, value in card.items() if value != []}


def _said(row: Row) -> list[str]:
    return [f"{plain(why)}." for why in row["why"]] + ["", "No task comes of this; it may be dismissed."]


def _uuid(guidance: Guidance, row: Row, chart: Sequence[ChartResource], encounter: str, zone: ZoneInfo) -> str:
    """The same for the same patient, rule and episode of care, for ever."""
    episode = f"Encounter/{encounter}" if encounter else _episode_of_sign(row, chart, zone)
    return str(uuid.uuid5(_NAMESPACE, f"{guidance.body['patient']}/{row['rule']}/{episode}"))


def _episode_of_sign(row: Row, chart: Sequence[ChartResource], zone: ZoneInfo) -> str:
    """The encounter in which the newest sign was recorded; where none is named, its day."""
    own = [resource.body for resource in chart if resource.reference in row["sources"]]
    dated = [(when.latest, str(body["id"]), body) for body in own if (when := happened(body, zone))]
    newest = max(dated, key=lambda one: one[:2], default=None)
    found = _encounter_of(newest[2]) if newest else ""
    return found or parse_instant(row["signAt"]).astimezone(zone).date().isoformat()


def _encounter_of(body: Mapping[str, Any]) -> str:
    """`Encounter/id`, of a reference that may be absolute or name a version; empty where the resource names none."""
    given = body.get("encounter")
    reference = given.get("reference", "") if isinstance(given, Mapping) else ""
    _, named, id = str(reference).rpartition("Encounter/")
    return f"Encounter/{id.partition('/')[0]}" if named else ""
