"""The use cases: ingest, assess, replay. Each is one read or one transaction, with everything it needs passed in."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from pathway import __version__
from pathway.canonical import parse, sha256
from pathway.case import Case
from pathway.chart import ChartResource, SetAside, manifest
from pathway.decide import decide, obligations_of
from pathway.decisions import Decision, DecisionRecord, form_of
from pathway.episodes import person_episode
from pathway.errors import ChartMovedError, NotFoundError, ReplayError
from pathway.leases import RulesInForce
from pathway.obligations import Obligation
from pathway.people import Act, Person, act_event, record_event
from pathway.people import act as acted
from pathway.ports import Clock, FactBuilder, Ledger, Store, Stored, Submission
from pathway.reconcile import Changes, Task, reconcile
from pathway.rulebook import RuleSet, from_document
from pathway.strata import Machine
from pathway.vocabulary import Vocabulary


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
    """A decision that is not stored yet: the case, the decision, the rule sets that made it, and the manifest of what
    it was made from.
    """

    case: Case
    decision: Decision
    inputs: bytes
    rule_sets: tuple[RuleSet, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """The use cases over a store, a fact builder and the rules in force. Threads may share it.

    `acting` is the clinical rule set whose obligations become tasks; empty, those of every one do.
    """

    store: Store
    facts: FactBuilder
    rules: RulesInForce
    clock: Clock
    acting: str = ""

    @property
    def machines(self) -> Sequence[Machine]:
        """The compiled rule sets of the present, in order, to be looked at: whoever decides leases them."""
        return self.rules.look(self.clock.now()).machines

    def ingest(self, delivery: Delivery, submission: Submission, raw: bytes, actor: str) -> Ingested:
        """Keep a delivery, decide, and bring the tasks to the desired state: all in one transaction, or nothing.

        The store may run it again: nothing outside the transaction happens, and the decision's id is chosen once.
        """
        self.rules.look(self.clock.now())  # what is to be compiled anew is not compiled inside the transaction
        decision_id = str(uuid.uuid4())

        def work(ledger: Ledger) -> Ingested:
            ledger.hold(delivery.patient)
            ledger.keep_bytes(raw)
            ledger.keep_submission(replace(submission, set_aside=(*submission.set_aside, *delivery.set_aside)))
            stored = tuple(
                (resource.reference, ledger.put_resource(delivery.patient, resource, body))
                for resource, body in delivery.resources
            )
            record, changes = self._decide_and_reconcile(ledger, delivery, submission, actor, decision_id)
            return Ingested(stored, record, changes)

        return self.store.run(work, lambda ledger: _is_logged(ledger, decision_id))

    def _decide_and_reconcile(
        self, ledger: Ledger, delivery: Delivery, submission: Submission, actor: str, decision_id: str
    ) -> tuple[DecisionRecord, Changes]:
        patient, now = delivery.patient, self.clock.now()
        version = ledger.chart_version(patient)
        tasks, chart = ledger.tasks(patient), ledger.chart(patient)
        ledger.keep_bytes(manifest(chart))
        case = self.facts.build(patient, chart, now, ledger.episodes(patient), standing(tasks), delivery.set_aside)
        with self.rules.lease(now) as armed:
            case = armed.sees(case)
            decision = decide(case, armed.machines, armed.not_run, acting=self.acting)
        record = replace(self._record(case, decision, now, trigger=submission.door, actor=actor), id=decision_id)
        self._append(ledger, record, armed.rule_sets)
        wishes = obligations_of(decision.body)
        ledger.save_episodes(patient, case.episodes)
        person = person_episode(patient, now)
        if any(wish.episode == person.id for wish in wishes) and all(task.episode != person.id for task in tasks):
            ledger.save_episodes(patient, [person])
        changes = reconcile(patient, wishes, spoken_for(tasks, wishes, armed.rule_sets), record.id, now)
        before = {task.key: task for task in tasks}
        for task in (*changes.created, *changes.updated):
            ledger.save_task(task, expect_version=task.version - 1)
            if event := record_event(before.get(task.key), task):
                ledger.append_task_event(event)
        ledger.mark_decided(patient, version)
        return record, changes

    def act_on_task(
        self, task_id: str, act: Act, person: Person, expect_version: int, text: str = "", outcome: str = ""
    ) -> Task:
        """Do what a person wants to a task that they saw in one version, and append it to the task's history.

        ActRefusedError for what they may not do; ChartMovedError, saying who changed it, if the task is another
        version now: sent twice, an act is done once. NotFoundError if there is no such task.
        """
        try:
            with self.store.write() as ledger:
                task = ledger.find_task(task_id)
                if task.version != expect_version:
                    raise ChartMovedError("the task changed", where=f"Task/{task_id}")
                changed = acted(task, act, person, self.clock.now(), text, outcome)
                ledger.save_task(changed, expect_version)
                ledger.append_task_event(act_event(task, changed, act, person, text, outcome))
        except ChartMovedError as moved:
            raise self._moved(task_id, expect_version) from moved
        return changed

    def _moved(self, task_id: str, seen: int) -> ChartMovedError:
        """Says what became of a task since it was seen in a version."""
        with self.store.read() as ledger:
            since = [e for e in ledger.task_events(ledger.find_task(task_id).key) if e.version > seen]
        why = since[-1].sentence() if since else "a new decision changed its reasons or its date"
        return ChartMovedError(
            "this task changed since you saw it, and nothing was done", where=f"Task/{task_id}", why=why,
            fix="Look at it again, then decide",
        )  # fmt: skip

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
            stored = {resource.reference: resource for resource in ledger.chart(patient)}
            episodes, tasks = ledger.episodes(patient), ledger.tasks(patient)
        together = list({**stored, **merged}.values())
        return self._assessed(
            self.facts.build(patient, together, as_of, episodes, standing(tasks), set_aside), together
        )

    def _assessed(self, case: Case, chart: Sequence[ChartResource]) -> Assessment:
        with self.rules.lease(self.clock.now()) as armed:
            case = armed.sees(case)
            decision = decide(case, armed.machines, armed.not_run, acting=self.acting)
            return Assessment(case, decision, manifest(chart), armed.rule_sets)

    def log(
        self, made: Assessment, inputs: Sequence[tuple[ChartResource, bytes]], *,
        trigger: str, actor: str, hook_instance: str = "",
    ) -> DecisionRecord:  # fmt: skip
        """Store a decision that changes no task (a hook's, or one asked for by hand), with the input it came from."""
        record = self._record(made.case, made.decision, self.clock.now(), trigger, actor, hook_instance)

        def work(ledger: Ledger) -> None:
            for _, body in inputs:
                ledger.keep_bytes(body)
            ledger.keep_bytes(made.inputs)
            self._append(ledger, record, made.rule_sets)

        self.store.run(work, lambda ledger: _is_logged(ledger, record.id))
        return record

    def _append(self, ledger: Ledger, record: DecisionRecord, rule_sets: Sequence[RuleSet]) -> None:
        for rule_set in rule_sets:
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


def spoken_for(tasks: Sequence[Task], wishes: Sequence[Obligation], rule_sets: Sequence[RuleSet]) -> tuple[Task, ...]:
    """The tasks that a decision says something about.

    A rule that is switched off, or whose rule set did not decide, asks for nothing and withdraws nothing: its tasks
    stay as they are, people's to end.
    """
    wished = {wish.key for wish in wishes}
    ran = {rule_set.id for rule_set in rule_sets}
    judged = {rule.id for rule_set in rule_sets for rule in rule_set.obligations}
    off = {rule for rule_set in rule_sets for rule in rule_set.site.get("off", {})} - judged

    def silent(task: Task) -> bool:
        return task.rule in off or (task.rule not in judged and task.release.partition("|")[0] not in ran)

    return tuple(task for task in tasks if f"{task.episode}/{task.rule}" in wished or not silent(task))


def standing(tasks: Sequence[Task]) -> tuple[str, ...]:
    """The obligations that stand open as tasks, as `decide` is told of them."""
    return tuple(sorted({f"{task.episode}/{task.rule}" for task in tasks if not task.ended}))


def _is_logged(ledger: Ledger, decision_id: str) -> bool:
    try:
        ledger.decision(decision_id)
    except NotFoundError:
        return False
    return True
