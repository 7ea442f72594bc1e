"""Deciding on a stored patient: from the chart to the tasks, in one open transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from pathway.canonical import parse
from pathway.care import lifted, still_owed
from pathway.case import Case
from pathway.chart import ChartResource, SetAside, manifest
from pathway.clockwork import PACE, Pace, set_going
from pathway.decide import decide, obligations_of
from pathway.decisions import Decision, DecisionRecord
from pathway.episodes import Episode, joined, person_episode, person_episode_id
from pathway.ground import UTC, Ground
from pathway.history import record_event
from pathway.horizon import next_change
from pathway.keeping import keep_task
from pathway.leases import RulesInForce
from pathway.logbook import append, enveloped
from pathway.obligations import Obligation
from pathway.ports import Clock, FactBuilder, Ledger
from pathway.reconcile import Changes, reconcile
from pathway.rulebook import RuleSet
from pathway.tasks import Task

DECEASED: Final = "deceased"


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of deciding: the decision that the tasks follow now, and the tasks that changed."""

    record: DecisionRecord
    changes: Changes


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked for a decision, through which door, and under which id it is logged."""

    id: str
    trigger: str
    actor: str
    set_aside: tuple[SetAside, ...] = ()


@dataclass(frozen=True, slots=True)
class Decider:
    """Decides on stored patients and brings their tasks to the desired state.

    `acting` is the clinical rule set whose obligations become tasks; empty, those of every one do. Episodes that were
    over before `live_from` make no task but emergencies, what presses, and what rests on a record from after.
    `channels` are what others are told by (`keeping`).
    """

    facts: FactBuilder
    rules: RulesInForce
    clock: Clock
    acting: str = ""
    zone: ZoneInfo = UTC
    live_from: datetime | None = None
    pace: Pace = PACE
    channels: frozenset[str] = frozenset()

    def decide(self, ledger: Ledger, patient: str, asked: Asked) -> Decided:
        """Decide on a patient, log it, and bring the tasks to the desired state. Hold the patient before."""
        found = self._find(ledger, patient, asked)
        return self._keep(ledger, patient, asked, found)

    def decide_again(self, ledger: Ledger, patient: str, asked: Asked) -> Decided | None:
        """Decide because time went by, or other rules came; None, with nothing logged, if that changes no outcome and
        nothing that holds people to a task.

        Either way it is noted when time may change something next. Otherwise as `decide`.
        """
        found = self._find(ledger, patient, asked)
        if found.last and found.at_rest and _says(ledger, found.last) == concluded(found.decision.body):
            ledger.mark_decided(patient, found.version, found.recheck_at)
            return None
        return self._keep(ledger, patient, asked, found)

    def _find(self, ledger: Ledger, patient: str, asked: Asked) -> _Found:
        now, head = self.clock.now(), ledger.head(patient)
        tasks, chart, stored = ledger.tasks(patient), ledger.chart(patient), ledger.episodes(patient)
        case = self.facts.build(patient, chart, now, stored, (), asked.set_aside)
        case, same = placed(case, stored, tasks, ledger.keys_of(patient))
        with self.rules.lease(now) as armed:
            case = armed.sees(case)
            decision = decide(case, armed.machines, armed.not_run, acting=self.acting)
        wishes = obligations_of(decision.body)
        words = ledger.care_words(patient)
        owed = still_owed(wishes, words, same, chart)
        own = spoken_for(tasks, owed, armed.rule_sets, same)
        resting = frozenset(wish.key for wish in wishes) - {wish.key for wish in owed}
        ground = replace(self._ground(case, same), resting=resting, lifted=lifted(tasks, words, same))
        changes = reconcile(patient, owed, own, asked.id, now, ground)
        return _Found(
            head.chart_version,
            head.decision,
            case,
            chart,
            tasks,
            decision,
            armed.rule_sets,
            changes,
            next_change(case, armed.rule_sets, self.zone),
        )

    def _ground(self, case: Case, same: Mapping[str, str]) -> Ground:
        """What the record says beside the wishes."""
        death = case.person.facts.get(DECEASED)
        died = next(iter(death.sources), "") if death is not None and death.value is True else ""
        return Ground(
            withdrawn=frozenset(case.withdrawn), died=died, same=same, zone=self.zone,
            before_us=over_before(case.patient, case.episodes, self.live_from), recent=recent(case, self.live_from),
        )  # fmt: skip

    def _keep(self, ledger: Ledger, patient: str, asked: Asked, found: _Found) -> Decided:
        now = self.clock.now()
        ledger.keep_bytes(manifest(found.chart))
        record = enveloped(found.case, found.decision, now, asked.trigger, asked.actor, id=asked.id)
        append(ledger, record, found.rule_sets)
        ledger.save_episodes(patient, found.case.episodes)
        person = person_episode(patient, now)
        if any(task.episode == person.id for task in found.changes.created):
            ledger.save_episodes(patient, [person])
        known = {task.key: task for task in found.tasks}
        for task in (*found.changes.created, *found.changes.updated):
            before, after = known.get(task.key), set_going(known.get(task.key), task, self.pace, now)
            keep_task(ledger, before, after, record_event(before, after), self.channels, now)
        ledger.mark_decided(patient, found.version, found.recheck_at, record.id)
        return Decided(record, found.changes)


@dataclass(frozen=True, slots=True)
class _Found:
    """What deciding found, before any of it is stored. `last` is the decision that the tasks follow, if any."""

    version: int
    last: str
    case: Case
    chart: Sequence[ChartResource]
    tasks: Sequence[Task]
    decision: Decision
    rule_sets: Sequence[RuleSet]
    changes: Changes
    recheck_at: datetime | None

    @property
    def at_rest(self) -> bool:
        """Whether no task is made, and none changes in what it holds people to; words that follow the facts may."""
        before = {task.key: _held_to(task) for task in self.tasks}
        return not self.changes.created and all(before[task.key] == _held_to(task) for task in self.changes.updated)


def _held_to(task: Task) -> tuple[object, ...]:
    """What people go by in a task: whether and why it stands as it does, how pressing, for when, and what is lacking.

    Its title, reasons and messages are words: they count days, and differ at each look.
    """
    lines = tuple((item.id, item.verdict) for item in task.items)
    return task.ended, task.status_reason, task.priority, task.start_at, task.due_at, task.expires_at, lines


def _says(ledger: Ledger, decision: str) -> tuple[tuple[str, ...], ...]:
    return concluded(parse(ledger.decision(decision).body))


def concluded(body: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """What a decision comes to: the outcome of each level under each policy, what ought to be open or closed, and the
    cards that are no tasks.
    """
    levels = [("level", row["level"], row["episode"], row["policy"], row["outcome"]) for row in body["levels"]]
    wishes = [("wish", row["episode"], row["rule"], row["state"]) for row in body["obligations"]]
    hints = [("hint", row["rule"], *row["levels"]) for row in body.get("hints", ())]
    return tuple(sorted([*levels, *wishes, *hints]))


def over_before(patient: str, episodes: Sequence[Episode], live_from: datetime | None) -> frozenset[str]:
    """The episodes that were over when the service went live: nothing was recorded of them since.

    The person's own, on which the `per: patient` tasks hang, is one of them where all others are.
    """
    over = {e.id for e in episodes if live_from is not None and max(e.onset_at, e.last_at) < live_from}
    whole = {person_episode_id(patient)} if over and len(over) == len(episodes) else set[str]()
    return frozenset(over | whole)


def recent(case: Case, live_from: datetime | None) -> frozenset[str]:
    """The records that are of the time since the service went live."""
    return frozenset(name for name, at in case.dated.items() if live_from is not None and at >= live_from)


def turned_out(stored: Sequence[Episode], seen: Sequence[Episode], keys: Sequence[str]) -> dict[str, str]:
    """The episodes that turned out to be another, each with that one: of fractures, procedures, and merged persons."""
    own, *others = (person_episode_id(key) for key in keys)
    return joined(stored, seen) | dict.fromkeys(others, own)


def placed(
    case: Case, stored: Sequence[Episode], tasks: Sequence[Task], keys: Sequence[str]
) -> tuple[Case, dict[str, str]]:
    """A case among what is stored of its patient: with the obligations that stand open; and `turned_out` of it."""
    same = turned_out(stored, case.episodes, keys)
    return replace(case, standing=standing(tasks, same)), same


def standing(tasks: Sequence[Task], same: Mapping[str, str]) -> tuple[str, ...]:
    """The obligations that stand open as tasks, as `decide` is told of them; `same` as in `ground.Ground`."""
    return tuple(sorted({f"{same.get(task.episode, task.episode)}/{task.rule}" for task in tasks if not task.ended}))


def spoken_for(
    tasks: Sequence[Task], wishes: Sequence[Obligation], rule_sets: Sequence[RuleSet], same: Mapping[str, str]
) -> tuple[Task, ...]:
    """The tasks that a decision says something about.

    A rule that is switched off, or whose rule set did not decide, asks for nothing and withdraws nothing: its tasks
    stay as they are, people's to end.
    """
    wished = {wish.key for wish in wishes}
    ran = {rule_set.id for rule_set in rule_sets}
    judged = {rule.id for rule_set in rule_sets for rule in rule_set.obligations}
    off = {rule for rule_set in rule_sets for rule in rule_set.site.get("off", {})} - judged

    def silent(task: Task) -> bool:
        return task.rule in off or (task.rule not in judged and task.rule_set not in ran)

    return tuple(
        task for task in tasks
        if f"{same.get(task.episode, task.episode)}/{task.rule}" in wished or not silent(task)
    )  # fmt: skip
