"""The use cases: ingest, assess, replay. Each is one read or one transaction, with everything it needs passed in."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pathway import __version__
from pathway.canonical import parse, sha256
from pathway.case import Case
from pathway.chart import ChartResource, SetAside, manifest
from pathway.decide import decide, obligations_of
from pathway.decisions import Decision, DecisionRecord
from pathway.episodes import person_episode
from pathway.errors import NotFoundError, ReplayError
from pathway.ports import Clock, FactBuilder, Ledger, Store, Stored, Submission
from pathway.reconcile import Changes, Task, reconcile
from pathway.rulebook import from_document
from pathway.strata import Machine


@dataclass(frozen=True, slots=True)
class Delivery:
    """One patient's resources out of one submission, with the canonical bytes of each, and what was set aside."""

    patient: str
    resources: tuple[tuple[ChartResource, bytes], ...]
    set_aside: tuple[SetAside, ...] = ()


@dataclass(frozen=True, slots=True)
class Ingested:
    """What came of a delivery: what was stored of each resource, the decision, and the tasks that changed."""

    stored: tuple[tuple[str, Stored], ...]
    decision: DecisionRecord
    changes: Changes


@dataclass(frozen=True, slots=True)
class Assessment:
    """A decision that is not stored yet: the case, the decision, and the manifest of what it was made from."""

    case: Case
    decision: Decision
    inputs: bytes


@dataclass(frozen=True, slots=True)
class Service:
    """The use cases over a store, a fact builder and compiled rule sets. Threads may share it."""

    store: Store
    facts: FactBuilder
    machines: tuple[Machine, ...]
    clock: Clock

    def ingest(self, delivery: Delivery, submission: Submission, raw: bytes, actor: str) -> Ingested:
        """Keep a delivery, decide, and bring the tasks to the desired state: all in one transaction, or nothing."""
        with self.store.write() as ledger:
            ledger.keep_bytes(raw)
            ledger.keep_submission(replace(submission, set_aside=(*submission.set_aside, *delivery.set_aside)))
            stored = tuple(
                (resource.reference, ledger.put_resource(delivery.patient, resource, body))
                for resource, body in delivery.resources
            )
            record, changes = self._decide_and_reconcile(ledger, delivery, submission, actor)
        return Ingested(stored, record, changes)

    def _decide_and_reconcile(
        self, ledger: Ledger, delivery: Delivery, submission: Submission, actor: str
    ) -> tuple[DecisionRecord, Changes]:
        patient, now = delivery.patient, self.clock.now()
        version = ledger.chart_version(patient)
        tasks, chart = ledger.tasks(patient), ledger.chart(patient)
        ledger.keep_bytes(manifest(chart))
        case = self.facts.build(patient, chart, now, ledger.episodes(patient), standing(tasks), delivery.set_aside)
        decision = decide(case, self.machines)
        record = self._record(case, decision, now, trigger=submission.door, actor=actor)
        self._append(ledger, record)
        wishes = obligations_of(decision.body)
        ledger.save_episodes(patient, case.episodes)
        person = person_episode(patient, now)
        if any(wish.episode == person.id for wish in wishes) and all(task.episode != person.id for task in tasks):
            ledger.save_episodes(patient, [person])
        changes = reconcile(patient, wishes, tasks, record.id, now)
        for task in changes.created:
            ledger.save_task(task, expect_version=0)
        for task in changes.updated:
            ledger.save_task(task, expect_version=task.version - 1)
        ledger.mark_decided(patient, version)
        return record, changes

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
            case = self.facts.build(patient, chart, as_of, (), (), set_aside)
            return Assessment(case, decide(case, self.machines), manifest(chart))
        with self.store.read() as ledger:
            stored = {resource.reference: resource for resource in ledger.chart(patient)}
            episodes, tasks = ledger.episodes(patient), ledger.tasks(patient)
        together = list({**stored, **merged}.values())
        case = self.facts.build(patient, together, as_of, episodes, standing(tasks), set_aside)
        return Assessment(case, decide(case, self.machines), manifest(together))

    def log(
        self, made: Assessment, inputs: Sequence[tuple[ChartResource, bytes]], *,
        trigger: str, actor: str, hook_instance: str = "",
    ) -> DecisionRecord:  # fmt: skip
        """Store a decision that changes no task (a hook's, or one asked for by hand), with the input it came from."""
        with self.store.write() as ledger:
            for _, body in inputs:
                ledger.keep_bytes(body)
            ledger.keep_bytes(made.inputs)
            record = self._record(made.case, made.decision, self.clock.now(), trigger, actor, hook_instance)
            self._append(ledger, record)
        return record

    def _append(self, ledger: Ledger, record: DecisionRecord) -> None:
        for machine in self.machines:
            rule_set = machine.rule_set
            ledger.keep_release(rule_set.id, rule_set.version, rule_set.sha256, rule_set.body)
        ledger.append_decision(record)

    def _record(
        self, case: Case, decision: Decision, at: datetime, trigger: str, actor: str, hook_instance: str = ""
    ) -> DecisionRecord:
        body = decision.to_bytes()
        return DecisionRecord(
            id=str(uuid.uuid4()), decided_at=at, patient=case.patient, as_of=case.as_of, trigger=trigger, actor=actor,
            service_version=__version__, input_sha256=case.input_sha256, body_sha256=sha256(body), body=body,
            hook_instance=hook_instance,
        )  # fmt: skip

    def replay(self, decision_id: str) -> DecisionRecord:
        """Make a stored decision again from its own facts under its own releases; ReplayError if a byte differs."""
        with self.store.read() as ledger:
            record = ledger.decision(decision_id)
            body = parse(record.body)
            bodies = [ledger.release(release["sha256"]) for release in body["releases"]]
        where = f"decision {decision_id}"
        rule_sets = [from_document(parse(frozen)) for frozen in bodies]
        for release, rule_set in zip(body["releases"], rule_sets, strict=True):
            if rule_set.sha256 != release["sha256"]:
                raise ReplayError("a stored release does not have the hash that the decision names", where=where)
        if not rule_sets:
            raise NotFoundError("the decision names no release", where=where)
        case = Case.from_decision(rule_sets[0].vocabulary, body)
        again = decide(case, [Machine(rule_set) for rule_set in rule_sets]).to_bytes()
        if again != record.body or sha256(again) != record.body_sha256:
            raise ReplayError(
                "the decision does not come out the same again", where=where,
                why="the stored bytes, the release or the code that decides has changed",
                fix="Keep the record, and compare the two with the service version in its envelope",
            )  # fmt: skip
        return record


def standing(tasks: Sequence[Task]) -> tuple[str, ...]:
    """The obligations that stand open as tasks, as `decide` is told of them."""
    return tuple(sorted({f"{task.episode}/{task.rule}" for task in tasks if not task.ended}))
