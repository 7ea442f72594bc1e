"""The use cases: ingest, catch up, assess, replay. Each is one read or one transaction, with all it needs passed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from pathway.canonical import parse, sha256
from pathway.case import Case
from pathway.chart import ChartResource, SetAside, manifest
from pathway.clockwork import PACE, Pace
from pathway.cohort import Line, cohort
from pathway.correspondence import Correspondence
from pathway.decide import decide
from pathway.deciding import Decider, placed
from pathway.decisions import Decision, DecisionRecord, form_of
from pathway.desk import Desk
from pathway.errors import NotFoundError, ReplayError
from pathway.ground import UTC
from pathway.intake import Delivery as Delivery
from pathway.intake import Ingested as Ingested
from pathway.intake import Intake
from pathway.leases import RulesInForce, Tell, silent
from pathway.logbook import append, enveloped, is_logged
from pathway.ports import Clock, FactBuilder, Ledger, Store, Submission
from pathway.rechecks import Rechecks
from pathway.rulebook import RuleSet, from_document
from pathway.strata import Machine
from pathway.vocabulary import Vocabulary
from pathway.waking import wake


@dataclass(frozen=True, slots=True)
class Assessment:
    """A decision that is not stored yet: the case, the decision, the rule sets that made it, the manifest of what it
    was made from, and that chart.
    """

    case: Case
    decision: Decision
    inputs: bytes
    rule_sets: tuple[RuleSet, ...]
    chart: Sequence[ChartResource]


@dataclass(frozen=True, slots=True)
class Service:
    """The use cases over a store, a fact builder and the rules in force. Threads may share it.

    `acting` is the clinical rule set whose obligations become tasks; empty, those of every one do. `pace` is how long
    tasks may rest, `channels` what the house has to tell others by, `zone` the facility's. What was over before
    `live_from` makes no task but emergencies. `tell` hears of patients who could not be decided on and
    of tasks that could not be moved.
    """

    store: Store
    facts: FactBuilder
    rules: RulesInForce
    clock: Clock
    acting: str = ""
    pace: Pace = PACE
    channels: frozenset[str] = frozenset()
    zone: ZoneInfo = UTC
    live_from: datetime | None = None
    tell: Tell = silent

    @property
    def machines(self) -> Sequence[Machine]:
        """The compiled rule sets of the present, in order, to be looked at: whoever decides leases them."""
        return self.rules.look(self.clock.now()).machines

    @property
    def decider(self) -> Decider:
        """What decides on stored patients."""
        return Decider(
            self.facts, self.rules, self.clock, self.acting, self.zone, self.live_from, self.pace, self.channels
        )

    def ingest(self, delivery: Delivery, submission: Submission, raw: bytes, actor: str) -> Ingested:
        """Keep a delivery, decide, and bring the tasks to the desired state: all in one transaction, or nothing."""
        return Intake(self.store, self.decider).take(delivery, submission, raw, actor)

    def catch_up(self, limit: int = 100, stop: Callable[[], bool] = lambda: False) -> int:
        """Decide again on whoever lags behind their chart, or where time may have changed something; how many."""
        return Rechecks(self.store, self.decider, self.tell).catch_up(limit, stop)

    def cohort(self) -> Iterator[Line]:
        """Who was treated or had broken a vertebra before the service went live, and what they lack; by patient."""
        return cohort(self.store, self.live_from)

    @property
    def desk(self) -> Desk:
        """Where people act on tasks."""
        return Desk(self.store, self.clock, self.pace, self.channels)

    @property
    def correspondence(self) -> Correspondence:
        """Where people make letters, sign them and take them back."""
        return Correspondence(self.store, self.clock, self.channels)

    def wake(self, limit: int = 500, stop: Callable[[], bool] = lambda: False) -> int:
        """Do what the clock has to do to tasks by now, emergencies first; how many were moved or put off."""
        return wake(self.store, self.clock.now(), self.pace, self.channels, limit, stop, self.tell)

    def assess(
        self,
        patient: str,
        chart: Sequence[ChartResource],
        as_of: datetime,
        set_aside: Sequence[SetAside] = (),
        *,
        overlay: bool = False,
    ) -> Assessment:
        """A decision on a chart at an instant, stored nowhere. `overlay` lays it over the patient's stored chart."""
        merged = {resource.reference: resource for resource in chart}
        if not overlay:
            return self._assessed(self.facts.build(patient, chart, as_of, (), (), set_aside), chart)
        with self.store.read() as ledger:
            if patient != (patient := ledger.survivor(patient)):
                merged = {name: resource for name, resource in merged.items() if resource.type != "Patient"}
            stored = {resource.reference: resource for resource in ledger.chart(patient)}
            episodes, tasks, keys = ledger.episodes(patient), ledger.tasks(patient), ledger.keys_of(patient)
        together = list({**stored, **merged}.values())
        case = self.facts.build(patient, together, as_of, episodes, (), set_aside)
        return self._assessed(placed(case, episodes, tasks, keys)[0], together)

    def _assessed(self, case: Case, chart: Sequence[ChartResource]) -> Assessment:
        with self.rules.lease(self.clock.now()) as armed:
            case = armed.sees(case)
            decision = decide(case, armed.machines, armed.not_run, acting=self.acting)
            return Assessment(case, decision, manifest(chart), armed.rule_sets, chart)

    def log(
        self, made: Assessment, inputs: Sequence[tuple[ChartResource, bytes]], *,
        trigger: str, actor: str, hook_instance: str = "",
    ) -> DecisionRecord:  # fmt: skip
        """Store a decision that changes no task (a hook's, or one asked for by hand), with the input it came from."""
        record = enveloped(made.case, made.decision, self.clock.now(), trigger, actor, hook_instance)

        def work(ledger: Ledger) -> None:
            for _, body in inputs:
                ledger.keep_bytes(body)
            ledger.keep_bytes(made.inputs)
            append(ledger, record, made.rule_sets)

        self.store.run(work, lambda ledger: is_logged(ledger, record.id))
        return record

    def replay(self, decision_id: str) -> DecisionRecord:
        """Make a stored decision again from its own facts under its own releases; ReplayError if a byte differs."""
        with self.store.read() as ledger:
            record = ledger.decision(decision_id)
            body = parse(record.body)
            frozen = {release["sha256"]: ledger.release(release["sha256"]) for release in body["releases"]}
        where = f"decision {decision_id}"
        if any(sha256(document) != digest for digest, document in frozen.items()):
            raise ReplayError("a stored release does not have the hash that the decision names", where=where)
        if not frozen:
            raise NotFoundError("the decision names no release", where=where)
        with self.rules.stored({digest: partial(_read, document) for digest, document in frozen.items()}) as machines:
            vocabulary = Vocabulary.union(machine.rule_set.vocabulary for machine in machines)
            case = Case.from_decision(vocabulary, body)
            not_run, acting = body.get("notRun", ()), body.get("acting", "")
            again = decide(case, machines, not_run, acting=acting, form=form_of(body)).to_bytes()
        if again != record.body or sha256(again) != record.body_sha256:
            raise ReplayError(
                "the decision does not come out the same again", where=where,
                why="the stored bytes, the release or the code that decides has changed",
                fix="Keep the record, and compare the two with the service version in its envelope",
            )  # fmt: skip
        return record


def _read(document: bytes) -> RuleSet:
    return from_document(parse(document))
