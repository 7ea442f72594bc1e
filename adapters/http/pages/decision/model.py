"""What a decision's page shows: envelope, releases, every criterion with its comparisons, facts, and what followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.http.pages.evidence import (
    Shown,
    all_under,
    datum_title,
    holds,
    in_words,
    place,
    reason_words,
    sheets_of,
    shown,
)
from adapters.http.pages.worklist.model import level_words
from pathway.canonical import instant, parse
from pathway.chart import patient_id
from pathway.decisions import DecisionRecord
from pathway.ports import Ledger
from pathway.reconcile import Task
from pathway.rulebook import RuleBook, RuleSet
from pathway.trace import Comparison as Compared
from pathway.trace import TracedRule, TracedSheet, explain_decision
from pathway.vocabulary import Vocabulary

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of a criterion: what was compared, with what, and how it ended."""

    title: str
    test: str
    value: str
    at: str
    verdict: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion as it came out."""

    id: str
    title: str
    role: str
    verdict: str
    message: str
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One vertebra, or one treated vertebra, under one rule set. `outcome` is empty where the set gives none."""

    level: str
    release: Json
    outcome: str
    reason: str
    criteria: tuple[Criterion, ...]
    missing: tuple[tuple[str, str, str], ...]
    not_assessed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """One obligation, and the task that it stands for."""

    title: str
    rule: str
    state: str
    levels: str
    due: str
    owner: str
    priority: str
    why: tuple[str, ...]
    task: Task | None


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts about the person or one vertebra; `silent` are the titles of the data that are plainly not recorded."""

    title: str
    told: tuple[Shown, ...]
    silent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A decision from end to end."""

    record: DecisionRecord
    patient: str
    engine: str
    releases: tuple[Json, ...]
    answers: tuple[Answer, ...]
    choices: tuple[Json, ...]
    not_run: tuple[Json, ...]
    wishes: tuple[Wish, ...]
    facts: tuple[Facts, ...]
    aside: tuple[Json, ...]


def decision_page(ledger: Ledger, book: RuleBook, id: str) -> Page:
    """The page of a decision, read with the releases that it was made under; NotFoundError if there is none."""
    record = ledger.decision(id)
    body: Json = parse(record.body)
    rule_sets = all_under(ledger, book, body)
    vocabulary = Vocabulary.union(one.vocabulary for one in rule_sets.values())
    tasks = {f"{task.episode}/{task.rule}": task for task in ledger.tasks(record.patient)}
    return Page(
        record=record, patient=patient_id(record.patient), engine=str(body.get("engine", "")),
        releases=tuple(body["releases"]), answers=tuple(_answers(body, rule_sets)),
        choices=tuple(body.get("choices", ())), not_run=tuple(body.get("notRun", ())),
        wishes=tuple(_wish(raw, tasks) for raw in body["obligations"]),
        facts=tuple(_facts(sheet, vocabulary) for sheet in sheets_of(body)), aside=tuple(body["setAside"]),
    )  # fmt: skip


def _answers(body: Json, rule_sets: Mapping[str, RuleSet]) -> Iterator[Answer]:
    """Clinical answers before those of other kinds, as they stand in the body otherwise."""
    trace = explain_decision(body, list(rule_sets.values()))
    releases = {release["id"]: release for release in body["releases"]}
    rows = [*zip(body["levels"], trace.levels, strict=True), *zip(body["treated"], trace.treated, strict=True)]
    for row, traced in sorted(rows, key=lambda pair: pair[1].rule_set.kind != "clinical"):
        yield _answer(row, releases[traced.rule_set.id], traced)


def _answer(row: Json, release: Json, traced: TracedSheet) -> Answer:
    vocabulary = traced.rule_set.vocabulary
    return Answer(
        level=level_words([traced.level]), release=release, outcome=traced.outcome, reason=row.get("reason", ""),
        criteria=tuple(_criterion(rule, vocabulary) for rule in traced.criteria),
        missing=tuple(
            (datum_title(vocabulary, item["datum"]), reason_words(item["reason"]), item["say"])
            for item in row.get("missing", ())
        ),
        not_assessed=tuple(item["message"] for item in row.get("notAssessed", ())),
    )  # fmt: skip


def _criterion(traced: TracedRule, vocabulary: Vocabulary) -> Criterion:
    return Criterion(
        id=traced.rule.id, title=traced.rule.title, role=traced.rule.role, verdict=traced.verdict,
        message=traced.message,
        comparisons=tuple(dict.fromkeys(_comparison(item, vocabulary) for item in traced.comparisons)),
    )  # fmt: skip


def _comparison(item: Compared, vocabulary: Vocabulary) -> Comparison:
    datum, fact = vocabulary[item.datum], item.fact
    value = fact.value if fact.value is not None else fact.candidate
    told = in_words(datum, value) if value is not None else ""
    if item.reason:
        told = f"{reason_words(item.reason)} ({told})" if told else reason_words(item.reason)
    return Comparison(
        title=datum.title,
        test=item.test.replace("-", " "),
        value=told,
        at=instant(fact.at) if fact.at else "",
        verdict=item.verdict,
        sources=item.sources,
    )


def _wish(raw: Json, tasks: Mapping[str, Task]) -> Wish:
    return Wish(
        title=raw["title"], rule=raw["rule"], state=raw["state"], levels=level_words(raw.get("levels", ())),
        due=raw["due"], owner=raw["owner"], priority=raw["priority"], why=tuple(raw.get("why", ())),
        task=tasks.get(f"{raw['episode']}/{raw['rule']}"),
    )  # fmt: skip


def _facts(sheet: Json, vocabulary: Vocabulary) -> Facts:
    own = [datum for datum in vocabulary.data.values() if holds(datum, sheet)]
    given: Sequence[str] = list(sheet["facts"])
    return Facts(
        title=_sheet_title(sheet),
        told=tuple(shown(datum, sheet["facts"][datum.id]) for datum in own if datum.id in given),
        silent=tuple(datum.title for datum in own if datum.id not in given),
    )


def _sheet_title(sheet: Json) -> str:
    if not sheet.get("level"):
        return "The person"
    return f"Cement at {place(sheet)}" if "@" in sheet["instance"] else place(sheet).capitalize()
