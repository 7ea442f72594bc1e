"""What a patient's page shows: each vertebra under each policy, what is missing, tasks, decisions and episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from adapters.http.cds_hooks.detail import carrying
from adapters.http.pages.evidence import all_under, latest, reason_words, sheets_of, shown
from adapters.http.pages.patient.cares import Care, cares_of
from adapters.http.pages.patient.names import names_of
from adapters.http.pages.patient.spine import Spine, spine
from adapters.http.pages.weighing import Weighed, of_level, weighed
from adapters.http.pages.worklist.rows import Row, level_words, rows_of
from pathway.canonical import parse
from pathway.chart import patient_key
from pathway.decisions import DecisionRecord
from pathway.episodes import Episode
from pathway.errors import NotFoundError
from pathway.levels import sort_key
from pathway.people import Person
from pathway.ports import Ledger
from pathway.rulebook import RuleBook, RuleSet

Json = Mapping[str, Any]
DECISIONS: Final = 25
QUIET: Final = frozenset({"not-applicable", "met", "ready"})
"""Outcomes of coverage and safety after which nothing has to be got."""
ABOUT: Final = ("age", "deceased", "hospitalised", "neurology", "infection", "pain-score", "self-report")
"""What is shown of the person beside the name, where it is known."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One rule set that gave verdicts: what it rests on, who paid for that work, and whether it acts."""

    id: str
    version: str
    sha256: str
    kind: str
    status: str
    acts: bool
    basis: Json


@dataclass(frozen=True, slots=True)
class Verdict:
    """One vertebra under one policy: the outcome, its reason, what carries it, what is missing and how to get it.

    `number` is that of its own page in the decision.
    """

    policy: Policy
    number: int
    outcome: str
    reason: str
    carrying: tuple[str, ...]
    missing: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Level:
    """One vertebra with its verdicts in the order of the policies; None where a policy does not speak of it."""

    name: str
    verdicts: tuple[Verdict | None, ...]
    considerations: tuple[Json, ...]

    @property
    def told(self) -> tuple[Verdict, ...]:
        """The verdicts to tell of at length: those that act or ask for something; other policies stand in the table."""
        known = (verdict for verdict in self.verdicts if verdict is not None)
        return tuple(
            one for one in known
            if one.policy.acts or (one.policy.kind != "clinical" and one.outcome not in QUIET)
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Page:
    """A patient. `decision` is the one that the verdicts come from; None before anything was decided."""

    id: str
    name: str
    about: tuple[tuple[str, str], ...]
    policies: tuple[Policy, ...]
    levels: tuple[Level, ...]
    weighed: tuple[Weighed, ...]
    choices: tuple[Json, ...]
    not_run: tuple[Json, ...]
    spine: Spine | None
    open: tuple[Row, ...]
    ended: tuple[Row, ...]
    episodes: tuple[Episode, ...]
    decisions: tuple[DecisionRecord, ...]
    decision: DecisionRecord | None
    care: tuple[Care, ...]


def patient_page(
    ledger: Ledger, book: RuleBook, source: str, id: str, reader: Person, now: datetime, zone: ZoneInfo
) -> Page:
    """The page of a patient; NotFoundError where nothing was ever stored or decided about them."""
    key = patient_key(source, id)
    decisions, decision = latest(ledger, key, DECISIONS)
    tasks = ledger.tasks(key)
    if decision is None and not tasks and not ledger.chart_version(key):
        raise NotFoundError("there is no such patient here", fix="Look for the patient on the work list")
    body: Json = parse(decision.body) if decision else {"releases": [], "levels": []}
    rule_sets = all_under(ledger, book, body)
    policies = _policies(body, rule_sets)
    levels = tuple(_levels(body, policies, rule_sets))
    rows = rows_of(ledger, sorted(tasks, key=lambda t: (t.due_at, t.key)), reader, now, zone)
    return Page(
        id=id, name=names_of(ledger, [key]).get(key, ""), about=_about(body, rule_sets),
        policies=policies, levels=levels, weighed=weighed(body, rule_sets),
        choices=tuple(body.get("choices", ())), not_run=tuple(body.get("notRun", ())),
        spine=spine(body, policies[0].id) if policies else None,
        open=tuple(row for row in rows if not row.task.ended),
        ended=tuple(sorted((r for r in rows if r.task.ended), key=lambda r: r.task.modified_at, reverse=True)),
        episodes=tuple(sorted(ledger.episodes(key), key=lambda e: (e.onset_at, e.id))),
        decisions=decisions, decision=decision, care=cares_of(ledger, key, zone),
    )  # fmt: skip


def _policies(body: Json, rule_sets: Mapping[str, RuleSet]) -> tuple[Policy, ...]:
    """The rule sets that gave verdicts: the acting one, the other clinical ones, then those of other kinds.

    A payer that is not concerned at any vertebra has no row; the decision holds it.
    """
    speaking = {row["policy"] for row in body["levels"] if "lcd" in row or row["outcome"] != "not-applicable"}
    acting = body.get("acting")
    found = [
        Policy(
            r["id"], r["version"], r["sha256"], r["kind"], r["status"],
            r["kind"] == "clinical" and acting in (None, r["id"]),
            rule_sets[r["id"]].document["ruleset"].get("basis", {}),
        )
        for r in body["releases"]
        if r["id"] in speaking
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda policy: (not policy.acts, policy.kind != "clinical")))


def _levels(body: Json, policies: Sequence[Policy], rule_sets: Mapping[str, RuleSet]) -> list[Level]:
    rows = {(row["level"], row["policy"]): (n, row) for n, row in enumerate(body["levels"], start=1)}
    names = sorted({level for level, _ in rows}, key=sort_key)
    return [
        Level(
            level_words([name]),
            tuple(
                _verdict(policy, *rows[name, policy.id], rule_sets[policy.id]) if (name, policy.id) in rows else None
                for policy in policies
            ),
            tuple(of_level(body, name)),
        )
        for name in names
    ]


def _verdict(policy: Policy, number: int, row: Json, rule_set: RuleSet) -> Verdict:
    missing = {
        f"{item['say']}.": f"{rule_set.vocabulary[item['datum']].title}: {reason_words(item['reason'])}"
        for item in reversed(row["missing"])
    }
    return Verdict(
        policy=policy, number=number, outcome=row["outcome"], reason=row["reason"],
        carrying=tuple(carrying(rule_set, row)),
        missing=tuple((what, ask) for ask, what in reversed(missing.items())),
    )  # fmt: skip


def _about(body: Json, rule_sets: Mapping[str, RuleSet]) -> tuple[tuple[str, str], ...]:
    """What is known of the person as a whole."""
    if not rule_sets:
        return ()
    vocabulary = next(iter(rule_sets.values())).vocabulary
    facts = sheets_of(body)[0]["facts"]
    told = [shown(vocabulary[name], facts[name]) for name in ABOUT if name in facts and name in vocabulary.data]
    return tuple((fact.title, fact.value) for fact in told if fact.known)
