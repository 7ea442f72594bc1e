"""How much the rules ask of the people who work with them: cards for each chart that is opened, tasks for each patient.

An invented population, of whom nobody was cemented; each chart is opened once, through the same door as a record
system's. The same arguments and rules give the same report.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid5

from flask.testing import FlaskClient

from adapters.bootstrap import House
from adapters.demo.population import population
from adapters.demo.record import Record
from adapters.fhir import strict_json
from adapters.http.app import create_app
from adapters.http.cds_hooks.cards import HINT, shown
from adapters.http.cds_hooks.catalogue import HookService, services
from adapters.http.cds_hooks.guidance import Guidance
from adapters.settings import Settings
from adapters.simulate.scratch import scratch
from pathway.canonical import parse, parse_instant
from pathway.chart import patient_key
from pathway.errors import PathwayError
from pathway.rulebook import RuleSet

AS_OF: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""The instant of a report where none is named, so that two are alike: the population is made, and the rules are those
in force, as of it."""
_USER: Final = "Practitioner/burden"
_CALLS: Final = UUID("6f2d7a50-4c55-5a0e-9a83-3a7f0f6f3c11")
_TYPE: Final = re.compile(r"[A-Za-z]+")
Pair = tuple[str, str]


@dataclass(slots=True)
class Burden:
    """What a population costs. Cards are counted by what they are and the rule that gave them; tasks by the kind of the
    rule set and the rule: those to be done now, `later` those whose time has not begun. `people` are patients by what
    they have or get, each once.
    """

    seed: int
    as_of: datetime = AS_OF
    patients: int = 0
    people: Counter[str] = field(default_factory=Counter[str])
    cards: Counter[Pair] = field(default_factory=Counter[Pair])
    tasks: Counter[Pair] = field(default_factory=Counter[Pair])
    later: Counter[Pair] = field(default_factory=Counter[Pair])

    def per_hundred(self, count: int) -> float:
        """So many for each hundred patients, whose charts were opened once each."""
        return round(100 * count / self.patients, 1) if self.patients else 0.0

    def to_json(self) -> dict[str, Any]:
        """For JSON, most frequent first."""
        return {
            "seed": self.seed, "patients": self.patients, "asOf": self.as_of.isoformat(),
            "people": dict(sorted(self.people.items())),
            "cardsPer100Opens": self.per_hundred(self.cards.total()),
            "tasksPer100Patients": self.per_hundred(self.tasks.total()),
            "laterPer100Patients": self.per_hundred(self.later.total()),
            "cards": self._rows(self.cards), "tasks": self._rows(self.tasks), "later": self._rows(self.later),
        }  # fmt: skip

    def _rows(self, counts: Counter[Pair]) -> list[dict[str, Any]]:
        return [
            {"kind": kind, "rule": rule, "count": count, "per100": self.per_hundred(count)}
            for (kind, rule), count in ordered(counts)
        ]


def ordered(counts: Counter[Pair]) -> list[tuple[Pair, int]]:
    """Counts with the most frequent first, and by name where they are as frequent."""
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


def burden(settings: Settings, patients: int, seed: int, as_of: datetime = AS_OF) -> Burden:
    """The report, made in a database of its own that is gone afterwards. PathwayError where a call is not answered."""
    found = Burden(seed, as_of)
    quiet = settings.model_copy(update={"log_level": "warning"})  # or each chart would write two lines of a log
    with scratch(quiet, as_of) as (house, _):
        client = create_app(house).test_client()
        service = next(iter(services(house.terms.site).values()))
        rule_sets = {one.id: one for one in house.rules.look(as_of).rule_sets}
        for record in population(patients, as_of, seed, cemented=False):
            _count(found, _opened(client, service, record), _decision(house, record), rule_sets)
    return found


def _opened(client: FlaskClient, service: HookService, record: Record) -> Sequence[Mapping[str, Any]]:
    """The cards that somebody sees who opens the chart."""
    body = {
        "hook": service.hook, "hookInstance": str(uuid5(_CALLS, record.id)),
        "context": {"userId": _USER, "patientId": record.id}, "prefetch": dict(_prefetch(service, record)),
    }  # fmt: skip
    answer = client.post(f"/cds-services/{service.id}", data=strict_json.dumps(body), content_type="application/json")
    if answer.status_code != 200:
        raise PathwayError(f"a chart could not be opened: {answer.status}", where=record.id)
    return answer.get_json()["cards"]


def _prefetch(service: HookService, record: Record) -> Iterator[tuple[str, Any]]:
    """A chart as a client sends it: every key asked and answered."""
    for key, template in service.prefetch.items():
        kind = _TYPE.match(template)
        own = [one for one in record.resources if kind is not None and one["resourceType"] == kind[0]]
        entries = [{"resource": one} for one in own]
        yield key, own[0] if key == "patient" else {"resourceType": "Bundle", "type": "searchset", "entry": entries}


def _decision(house: House, record: Record) -> Mapping[str, Any]:
    with house.store.read() as ledger:
        (made, *_) = ledger.decisions(patient_key(house.settings.source, record.id), limit=1)
    return parse(made.body)


def _count(
    found: Burden, cards: Sequence[Mapping[str, Any]], body: Mapping[str, Any], rule_sets: Mapping[str, RuleSet]
) -> None:
    guidance = Guidance(body, {release["id"]: rule_sets[release["id"]] for release in body["releases"]})
    kinds = [(one.kind, one.rule) for one in shown(guidance, _NO_DECISION, "")]
    kinds += [(HINT, hint["rule"]) for hint in body.get("hints", ())]
    if len(kinds) != len(cards):
        raise PathwayError("the cards are not those of the decision", where=str(body["patient"]))
    tasks, later = list[Pair](), list[Pair]()
    for wish in body["obligations"]:
        if wish["state"] == "open":
            waits = "start" in wish and parse_instant(wish["start"]) > found.as_of
            (later if waits else tasks).append((guidance.kind(wish["release"].partition("|")[0]), wish["rule"]))
    found.patients += 1
    found.cards.update(kinds)
    found.tasks.update(tasks)
    found.later.update(later)
    found.people.update(name for name, has in (("fracture", body["levels"]), ("card", kinds), ("task", tasks)) if has)


_NO_DECISION: Final = str(UUID(int=0))
