"""What a decision's page shows: envelope, releases, what each rule set says of each vertebra, facts, what followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.http.pages.evidence import (
    Shown,
    all_under,
    holds,
    place,
    sheets_of,
    shown,
)
from adapters.http.pages.weighing import Weighed, of_level, weighed
from adapters.http.pages.worklist.rows import level_words
from pathway.canonical import parse
from pathway.chart import patient_id
from pathway.decisions import DecisionRecord
from pathway.levels import sort_key
from pathway.ports import Ledger
from pathway.rulebook import RuleBook
from pathway.tasks import Task
from pathway.vocabulary import Vocabulary

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One vertebra, or one treated vertebra, under one rule set: what came out, and the number of its own page.

    `outcome` is empty where the set gives none.
    """

    number: int
    release: Json
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class Vertebra:
    """What all rule sets say of one vertebra, clinical ones first, and what its considerations list."""

    name: str
    answers: tuple[Answer, ...]
    considerations: tuple[Json, ...]


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
    acting: str
    releases: tuple[Json, ...]
    vertebrae: tuple[Vertebra, ...]
    weighed: tuple[Weighed, ...]
    choices: tuple[Json, ...]
    not_run: tuple[Json, ...]
    wishes: tuple[Wish, ...]
    hints: tuple[Json, ...]
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
        acting=str(body.get("acting", "")),
        releases=tuple(body["releases"]), vertebrae=tuple(vertebrae(body)),
        weighed=weighed(body, rule_sets),
        choices=tuple(body.get("choices", ())), not_run=tuple(body.get("notRun", ())),
        wishes=tuple(_wish(raw, tasks) for raw in body["obligations"]), hints=tuple(_hints(body)),
        facts=tuple(_facts(sheet, vocabulary) for sheet in sheets_of(body)), aside=tuple(body["setAside"]),
    )  # fmt: skip


def rows_of(body: Json) -> list[Json]:
    """All answers of a decision in their order: levels under each rule set, then treated levels. Numbered from 1."""
    return [*body["levels"], *body["treated"]]


def vertebrae(body: Json) -> Iterator[Vertebra]:
    """Each vertebra with its answers; the acting policy leads, then clinical ones, then those of other kinds."""
    releases = {release["id"]: release for release in body["releases"]}
    answers: dict[str, list[Answer]] = {}
    for number, row in enumerate(rows_of(body), start=1):
        release = releases[row.get("policy") or row["ruleSet"]]
        answer = Answer(number, release, row.get("outcome", ""), row.get("reason", ""))
        answers.setdefault(row["level"], []).append(answer)
    for level in sorted(answers, key=sort_key):
        ordered = sorted(answers[level], key=lambda one: _leads(body, one.release))
        yield Vertebra(level_words([level]), tuple(ordered), tuple(of_level(body, level)))


def _leads(body: Json, release: Json) -> tuple[bool, bool]:
    return release["id"] != body.get("acting"), release["kind"] != "clinical"


def _wish(raw: Json, tasks: Mapping[str, Task]) -> Wish:
    return Wish(
        title=raw["title"], rule=raw["rule"], state=raw["state"], levels=level_words(raw.get("levels", ())),
        due=raw["due"], owner=raw["owner"], priority=raw["priority"], why=tuple(raw.get("why", ())),
        task=tasks.get(f"{raw['episode']}/{raw['rule']}"),
    )  # fmt: skip


def _hints(body: Json) -> Iterator[Json]:
    """The cards that are no tasks, their levels in words."""
    for raw in body.get("hints", ()):
        yield {**raw, "levels": level_words(raw["levels"])}


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
