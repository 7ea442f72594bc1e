"""What carried an answer: each criterion with the recorded facts behind it, gates first, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.http.pages.decision.model import rows_of
from adapters.http.pages.evidence import datum_title, in_words, reason_words, under
from adapters.http.pages.worklist.rows import level_words
from pathway.canonical import instant, parse
from pathway.chart import patient_id
from pathway.decisions import DecisionRecord
from pathway.errors import NotFoundError
from pathway.ports import Ledger
from pathway.rulebook import RuleBook
from pathway.trace import Comparison as Compared
from pathway.trace import TracedRule, TracedSheet, explain_decision
from pathway.vocabulary import Vocabulary

Json = Mapping[str, Any]
ROLES: Final = {
    "gate": "Gates: each has to hold",
    "flag": "Flags: each is looked at",
    "note": "Noted, deciding nothing",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of a criterion: what was compared, with what, how it ended, and the records it rests on."""

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
    verdict: str
    message: str
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One vertebra under one rule set. `turned_on` are the criteria that the outcome's rule compared."""

    record: DecisionRecord
    patient: str
    level: str
    release: Json
    question: str
    basis: Json
    outcome: str
    reason: str
    turned_on: tuple[str, ...]
    groups: tuple[tuple[str, tuple[Criterion, ...]], ...]
    missing: tuple[tuple[str, str, str], ...]
    not_assessed: tuple[str, ...]


def answer_page(ledger: Ledger, book: RuleBook, id: str, number: int) -> Page:
    """The page of an answer, read with the release that it was made under; NotFoundError if there is none."""
    record = ledger.decision(id)
    body: Json = parse(record.body)
    rows = rows_of(body)
    if not 0 < number <= len(rows):
        raise NotFoundError("the decision has no such answer", fix="Open the decision and choose one")
    row = rows[number - 1]
    release = next(one for one in body["releases"] if one["id"] == (row.get("policy") or row["ruleSet"]))
    rule_set = under(ledger, book, release["sha256"])
    treated = "ruleSet" in row
    # The sheets of a cemented vertebra under one rule set are told apart by their order.
    beside = [one for one in body["treated"] if treated and one["ruleSet"] == row["ruleSet"]]
    alone = {**body, "levels": [] if treated else [row], "treated": beside, "considerations": [], "hints": []}
    trace = explain_decision(alone, [rule_set])
    traced = trace.treated[alone["treated"].index(row)] if treated else trace.levels[0]
    header: Json = rule_set.document["ruleset"]
    return Page(
        record=record, patient=patient_id(record.patient), level=level_words([row["level"]]), release=release,
        question=rule_set.question, basis=header.get("basis", {}), outcome=traced.outcome,
        reason=row.get("reason", ""), turned_on=_turned_on(traced), groups=tuple(_groups(traced)),
        missing=tuple(
            (datum_title(rule_set.vocabulary, item["datum"]), reason_words(item["reason"]), item["say"])
            for item in row.get("missing", ())
        ),
        not_assessed=tuple(item["message"] for item in row.get("notAssessed", ())),
    )  # fmt: skip


def _turned_on(traced: TracedSheet) -> tuple[str, ...]:
    """The titles of the criteria that the rules behind the outcome found as they say."""
    titles = {one.rule.id: one.rule.title for one in traced.criteria}
    held = [c.datum for rule in traced.outcome_rules for c in rule.comparisons if c.verdict == "met"]
    return tuple(dict.fromkeys(titles[id] for id in held if id in titles))


def _groups(traced: TracedSheet) -> list[tuple[str, tuple[Criterion, ...]]]:
    vocabulary = traced.rule_set.vocabulary
    found = [
        (title, tuple(_criterion(one, vocabulary) for one in traced.criteria if one.rule.role == role))
        for role, title in ROLES.items()
    ]
    return [(title, criteria) for title, criteria in found if criteria]


def _criterion(traced: TracedRule, vocabulary: Vocabulary) -> Criterion:
    return Criterion(
        id=traced.rule.id, title=traced.rule.title, verdict=traced.verdict, message=traced.message,
        comparisons=tuple(dict.fromkeys(_comparison(item, vocabulary) for item in traced.comparisons)),
    )  # fmt: skip


def _comparison(item: Compared, vocabulary: Vocabulary) -> Comparison:
    datum, fact = vocabulary[item.datum], item.fact
    value = fact.value if fact.value is not None else fact.candidate
    told = in_words(datum, value) if value is not None else ""
    if item.reason:
        told = f"{reason_words(item.reason)} ({told})" if told else reason_words(item.reason)
    return Comparison(
        title=datum.title, test=item.test.replace("-", " "), value=told, at=instant(fact.at) if fact.at else "",
        verdict=item.verdict, sources=item.sources,
    )  # fmt: skip
