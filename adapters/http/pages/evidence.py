"""What stands behind a task or a verdict: the rule, the facts that it read with their sources, what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from pathway.canonical import parse
from pathway.decisions import DecisionRecord
from pathway.facts import Interval, Reason
from pathway.messages import REASONS
from pathway.ports import Ledger
from pathway.rulebook import Rule, RuleBook, RuleSet, from_document
from pathway.tasks import Task
from pathway.vocabulary import Datum, Vocabulary

Json = Mapping[str, Any]
_WORDS: Final[Mapping[str, str]] = {reason.value: words for reason, words in REASONS.items()}
_NOT_RECORDED: Final[Json] = {"unknown": Reason.NOT_RECORDED.value}


@dataclass(frozen=True, slots=True)
class Shown:
    """One fact in words: what it is, its value or why there is none, when it was true, which records say so."""

    datum: str
    title: str
    value: str
    known: bool
    at: str
    sources: tuple[str, ...]
    place: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """One datum that is missing: why, and how it is got."""

    title: str
    reason: str
    ask: str


@dataclass(frozen=True, slots=True)
class Citation:
    """One source of a rule: where it stands, how strong it is, and when it was read and how."""

    label: str
    strength: str
    status: str
    read: str


@dataclass(frozen=True, slots=True)
class Why:
    """Why a task exists: the rule, what it says of this patient, the facts behind it and what they leave open."""

    rule: str
    title: str
    release: str
    rule_set: str
    version: str
    sha256: str
    draft: bool
    sentences: tuple[str, ...]
    facts: tuple[Shown, ...]
    gaps: tuple[Gap, ...]
    citations: tuple[Citation, ...]
    decision: str


def why(ledger: Ledger, book: RuleBook, task: Task) -> Why:
    """Everything behind a task, from the decision that last changed it and the release that it was made under."""
    body: Json = parse(ledger.decision(task.decision).body)
    id, _, version = task.release.partition("|")
    release = next(release for release in body["releases"] if release["id"] == id)
    rule_set = under(ledger, book, release["sha256"])
    rule = next(rule for rule in rule_set.rules() if rule.id == task.rule)
    told = facts_of(rule_set, rule, body, task.levels)
    return Why(
        rule=rule.id, title=rule.title, release=task.release, rule_set=id, version=version, sha256=release["sha256"],
        draft=release["status"] == "draft", sentences=task.why, facts=tuple(fact for fact in told if fact.known),
        gaps=tuple(_gaps(rule_set, rule, body, task.levels, told)), citations=citations(rule_set, rule),
        decision=task.decision,
    )  # fmt: skip


def under(ledger: Ledger, book: RuleBook, sha256: str) -> RuleSet:
    """The rule set with a hash: the working one if it is that, else the release as it was stored with a decision."""
    working = next((one for one in book.sets.values() if one.sha256 == sha256), None)
    return working or from_document(parse(ledger.release(sha256)))


def all_under(ledger: Ledger, book: RuleBook, body: Json) -> dict[str, RuleSet]:
    """The rule sets that a decision was made under, by id."""
    return {release["id"]: under(ledger, book, release["sha256"]) for release in body["releases"]}


def latest(ledger: Ledger, patient: str, most: int) -> tuple[tuple[DecisionRecord, ...], DecisionRecord | None]:
    """The newest decisions about a patient, and the newest of them that rests on the stored chart.

    A hook's rests on what its caller sent along; it is taken only where there is no other.
    """
    found = ledger.decisions(patient, most)
    own = ledger.decision_on_chart(patient)  # a chart that is opened often has many hooks' decisions before it
    return found, own or next(iter(found), None)


def citations(rule_set: RuleSet, rule: Rule) -> tuple[Citation, ...]:
    """The sources of a rule; where it has none of its own, those of the criteria that it reads. Each once."""
    own = _evidence(rule)
    below = [item for read in _criteria(rule_set, rule) for item in _evidence(read)]
    return tuple(dict.fromkeys(own or below))


def facts_of(rule_set: RuleSet, rule: Rule, body: Json, levels: Iterable[str]) -> tuple[Shown, ...]:
    """The facts that a rule and what it rests on read, about a patient and some levels, unknown ones too."""
    chosen = frozenset(levels)
    rules = [rule, *_behind(rule_set, rule, body, chosen)]
    below = [read for one in rules for read in (one, *_criteria(rule_set, one))]
    names = dict.fromkeys(name for one in below for name in one.reads() if name in rule_set.vocabulary.data)
    sheets = [sheet for sheet in sheets_of(body) if not sheet.get("level") or sheet["level"] in chosen]
    return tuple(
        shown(rule_set.vocabulary[name], sheet["facts"].get(name, _NOT_RECORDED), place(sheet))
        for name in names
        for sheet in sheets
        if holds(rule_set.vocabulary[name], sheet)
    )


def sheets_of(body: Json) -> list[Json]:
    """All sheets of a decision: the patient's, each level's, each treated level's."""
    facts = body["facts"]
    return [facts["patient"], *facts["levels"], *facts["treated"]]


def place(sheet: Json) -> str:
    """Which vertebra a sheet is about; empty for the patient's."""
    level = sheet.get("level", "")
    return "not named" if level == "unspecified" else level


def holds(datum: Datum, sheet: Json) -> bool:
    """Whether a sheet is of the datum's scope."""
    scope = "patient" if not sheet.get("level") else "treated-level" if "@" in sheet["instance"] else "level"
    return datum.scope.value == scope


def shown(datum: Datum, fact: Json, where: str = "") -> Shown:
    """A fact of a decision body in words."""
    reason = str(fact.get("unknown", ""))
    value = reason_words(reason) if reason else in_words(datum, fact.get("value"))
    if reason and "candidate" in fact:
        value += f" ({in_words(datum, fact['candidate'])})"
    told = [text for name, text in sorted(fact.get("detail", {}).items()) if name not in ("place", "range")]
    told = [text for text in told if text not in value]
    return Shown(
        datum=datum.id, title=datum.title, value=", ".join((value, *told)), known=not reason,
        at=str(fact.get("at", "")), sources=tuple(fact.get("sources", ())), place=where,
    )  # fmt: skip


def in_words(datum: Datum, value: Any) -> str:
    """A value as people write it, with its unit."""
    if value is None:
        return "no value"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        value = Interval(value["lo"], value["hi"])
    if isinstance(value, str):
        return value.replace("-", " ")
    number = format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)
    return quantity(number, datum.unit)


def quantity(number: str, ucum: str) -> str:
    """A number with its UCUM unit as it is read; `{score}` and its like say nothing that the title does not."""
    said = {"1": "", "a": "years", "d": "days", "h": "hours", "wk": "weeks", "mo": "months"}
    word = "" if ucum.startswith("{") else said.get(ucum, ucum)
    return f"{number} {word.removesuffix('s') if number == '1' else word}".strip()


def reason_words(reason: str) -> str:
    """Why a value is unknown, in words."""
    return _WORDS.get(reason) or reason.replace("-", " ")


def datum_title(vocabulary: Vocabulary, id: str) -> str:
    """The title of a datum, or its id where the vocabulary of that day does not have it."""
    return vocabulary.data[id].title if id in vocabulary.data else id


def _gaps(rule_set: RuleSet, rule: Rule, body: Json, levels: Sequence[str], told: Sequence[Shown]) -> Iterator[Gap]:
    """What the rule itself lacks, and what could still change the outcome, where somebody can be asked for it."""
    wanted = {name for read in (rule, *_criteria(rule_set, rule)) for name in read.reads()}
    rows = (row for row in body["levels"] if row["policy"] == rule_set.id and row["level"] in levels)
    wanted |= {item["datum"] for row in rows for item in row["missing"]}
    for fact in told:
        ask = rule_set.vocabulary[fact.datum].ask
        if fact.datum in wanted and not fact.known and ask:
            yield Gap(fact.title, fact.value, rule_set.vocabulary.asks[ask].say)


def _behind(rule_set: RuleSet, rule: Rule, body: Json, levels: frozenset[str]) -> list[Rule]:
    """The rules that gave the outcome which a rule turns on, if it turns on one."""
    if "outcome" not in rule.reads():
        return []
    rows = (row for row in body["levels"] if row["policy"] == rule_set.id and row["level"] in levels)
    given = {row["outcome"] for row in rows}
    return [one for one in rule_set.recommendations if one.outcome in given]


def _criteria(rule_set: RuleSet, rule: Rule) -> list[Rule]:
    names = set(rule.reads())
    return [criterion for criterion in rule_set.criteria if criterion.id in names]


def _evidence(rule: Rule) -> list[Citation]:
    raw = (rule.document or {}).get("evidence", ())
    return [Citation(item["label"], item["strength"], item["status"], str(item["read"])) for item in raw]
