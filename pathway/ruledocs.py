"""Pages made from the rule book: an index of all rules in words, and what an integrator must know of every datum.

Both are Markdown and depend on nothing but the book, so that the same book gives the same bytes on any day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from pathway import prose, strict_yaml
from pathway.casefiles import all_rules
from pathway.errors import RuleBookError
from pathway.forms import Stratum
from pathway.rulebook import VOCABULARY, Rule, RuleBook, RuleSet
from pathway.vocabulary import Datum, Kind, Scope

CATALOGUE: Final = "catalogue.yaml"
"""The file, in a rules folder, of the catalogue's rows and of those that no rule implements."""

_ABOUT: Final = {
    Scope.PATIENT: "the person",
    Scope.LEVEL: "one vertebra",
    Scope.TREATED_LEVEL: "one cemented vertebra of one procedure",
}
_STRATA: Final = {
    Stratum.CRITERIA: "criteria",
    Stratum.RECOMMENDATION: "rules of outcomes",
    Stratum.OBLIGATIONS: "obligations",
}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The rows of the catalogue with a title each, and why those are not rules that no rule implements."""

    rows: Mapping[str, str]
    not_covered: Mapping[str, str]

    def faults(self, book: RuleBook) -> Iterator[RuleBookError]:
        """Rows that are neither covered nor explained, and explanations of rows that are covered or do not exist."""
        covered = rows_of(book)
        for row in self.rows:
            if row not in covered and row not in self.not_covered:
                fix = f"Name it under catalogue of its rule, or say in {CATALOGUE} why no rule implements it"
                yield RuleBookError(f"row {row} is neither covered nor explained", where=CATALOGUE, fix=fix)
        for row in self.not_covered:
            if row in covered or row not in self.rows:
                what = f"row {row} is covered by {covered[row][0]}" if row in covered else f"there is no row {row}"
                yield RuleBookError(what, where=CATALOGUE, fix="Take it off not-covered")


@dataclass(frozen=True, slots=True)
class Subject:
    """One file of the vocabulary: what it is about, in its own words, and the data that it declares."""

    name: str
    about: str
    data: tuple[str, ...]


def read_catalogue(root: Path) -> Catalogue:
    """The catalogue of a rules folder; empty where it has none."""
    path = root / CATALOGUE
    found = strict_yaml.read_file(path, root) if path.exists() else {}
    return Catalogue(found.get("rows", {}), found.get("not-covered") or {})


def read_subjects(root: Path) -> tuple[Subject, ...]:
    """The files of the vocabulary, in order of name, each with the comment that it begins with."""
    return tuple(_subject(path, root) for path in sorted((root / VOCABULARY).glob("*.yaml")))


def _subject(path: Path, root: Path) -> Subject:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    about = first.removeprefix("#").strip() if first.startswith("#") else ""
    return Subject(path.stem, about, tuple(strict_yaml.read_file(path, root).get("data") or ()))


def rows_of(book: RuleBook) -> dict[str, tuple[str, ...]]:
    """Which rules implement each row of the catalogue that a rule names, by row."""
    found: dict[str, list[str]] = {}
    for rule in all_rules(book):
        for row in _raw(rule).get("catalogue", ()):
            found.setdefault(row, []).append(rule.id)
    return {row: tuple(ids) for row, ids in sorted(found.items())}


def anchor(id_: str) -> str:
    """The fragment of a heading that is an id, as Markdown is commonly shown."""
    return id_.replace(".", "")


def rule_index(book: RuleBook, cases: Mapping[str, int], catalogue: Catalogue) -> str:
    """The page of all rules. `cases` is how many cases each rule has, by id."""
    rules = all_rules(book)
    lines = ["# All rules", "", _made("rules", "rules docs"), ""]
    lines += [
        f"{len(book.sets)} rule sets, {len(rules)} rules, {sum(cases.values())} cases. A rule stands once, however"
    ]
    lines += ["many rule sets take it in. What a source's status means: [rules](rules.md).", "", "## Rule sets"]
    first: dict[str, RuleSet] = {}
    for rule_set in book.sets.values():
        lines += ["", *_set(rule_set), *_rules_of(rule_set, first.setdefault(rule_set.family or rule_set.id, rule_set))]
    lines += ["", "## Rules"]
    takers = {rule.id: [one.id for one in book.sets.values() if rule.id in _ids(one)] for rule in rules}
    for rule in rules:
        lines += ["", *_rule(rule, cases.get(rule.id, 0), takers[rule.id])]
    lines += ["", "## The catalogue's rows", "", *_rows(catalogue, rows_of(book))]
    return "\n".join(lines) + "\n"


def _made(source: str, command: str) -> str:
    return f"Made from `{source}/` by `pathway {command}`; do not edit it by hand."


def _ids(rule_set: RuleSet) -> frozenset[str]:
    return frozenset(rule.id for rule in rule_set.rules())


def _raw(rule: Rule) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], rule.document or {})


def _set(rule_set: RuleSet) -> Iterator[str]:
    header = cast(Mapping[str, Any], rule_set.document["ruleset"])
    yield f"### {rule_set.id}"
    yield ""
    yield f"**{rule_set.title}.** {rule_set.kind}, version {rule_set.version}, {rule_set.status}. {rule_set.question}"
    yield ""
    if rule_set.lcd:
        yield f"- LCD {rule_set.lcd}, of the family {rule_set.family}"
    yield from (f"- applies where {datum} is {', '.join(values)}" for datum, values in rule_set.applies_to.items())
    basis = cast(Mapping[str, str], header.get("basis", {}))
    if basis:
        yield f"- rests on {citation(basis)}; funding: {basis.get('funding', 'not stated')}"
    yield from (f"- source: {citation(one)}" for one in header.get("evidence", ()))
    if not basis and "evidence" not in header:
        yield f"- source: {_plain(str(header['sources'].get('citation', 'those of its rules')))}"
    if rule_set.hit_order:
        yield f"- outcomes, the first that is possible counts: {', '.join(rule_set.hit_order)}"


def _rules_of(rule_set: RuleSet, first: RuleSet) -> Iterator[str]:
    """The rules of a rule set by what they are; of a family's other members, in what they differ from its first."""
    if rule_set is not first:
        own, others = _ids(rule_set), _ids(first)
        more, less = [r.id for r in rule_set.rules() if r.id not in others], [id_ for id_ in others if id_ not in own]
        yield f"- rules: those of [{first.id}](#{anchor(first.id)})" + (f", and {_links(more)}" if more else "")
        if less:
            yield f"- without {_links(sorted(less))}"
        return
    for stratum, name in _STRATA.items():
        ids = [rule.id for rule in rule_set.rules() if rule.stratum is stratum]
        if ids:
            yield f"- {name}: {_links(ids)}"


def _rule(rule: Rule, cases: int, takers: Sequence[str]) -> Iterator[str]:
    raw = _raw(rule)
    rows = ", ".join(raw.get("catalogue", ())) or "none"
    yield f"### {rule.id}"
    yield ""
    yield f"**{_plain(rule.title)}.** {prose.kind(rule)}. Cases: {cases}. Catalogue: {rows}. In {', '.join(takers)}."
    yield ""
    yield f"- when {_plain(prose.sentence(rule))}"
    yield f"- then {prose.then(rule)}"
    sources = [citation(one) for one in raw.get("evidence", ())]
    yield f"- sources: {'; '.join(sources) or 'those of the criteria that it reads'}"


def citation(one: Mapping[str, str]) -> str:
    """A citation in words: what it is, how strong, and whether it was read first hand and when."""
    return f"{_plain(one['label'])} ({one['strength']}; {one['status']}, {one['read']})"


def _rows(catalogue: Catalogue, covered: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield "| row | says | rules |"
    yield "|---|---|---|"
    for row in (*catalogue.rows, *(row for row in covered if row not in catalogue.rows)):
        why, says = catalogue.not_covered.get(row, ""), catalogue.rows.get(row, "beyond candidacy and safety")
        found = _links(covered[row]) if row in covered else f"none: {why}" if why else "**none, and nobody said why**"
        yield f"| {row} | {_cell(says)} | {_cell(found)} |"


def _links(ids: Iterable[str], page: str = "") -> str:
    return ", ".join(f"[{id_}]({page}#{anchor(id_)})" for id_ in ids)


def data_page(book: RuleBook, subjects: Sequence[Subject], codes: Mapping[str, str], kept: Mapping[str, str]) -> str:
    """The integrator's page. `codes` define our findings; `kept` says why a datum that no rule reads stays."""
    readers: dict[str, list[str]] = {}
    for rule in all_rules(book):
        for name in rule.reads():
            readers.setdefault(name, []).append(rule.id)
    lines = ["# Every datum", "", _made("rules/vocabulary", "rules docs"), ""]
    lines += [
        "What Pathway can know of a person: how each datum is found in FHIR, what counts as a recorded no, and what"
    ]
    lines += ["becomes of several sources. What no source says is unknown, never no. Examples of resources stand in"]
    lines += [
        "[what to send](what-to-send.md); codes of a site's own are mapped as [codes](codes.md) says. A code written"
    ]
    lines += ["`finding#x` is of the CodeSystem `finding`; its value, unless it is a number, is an `answer`."]
    for subject in subjects:
        lines += ["", f"## {subject.name}", "", subject.about]
        for id_ in subject.data:
            lines += ["", *_datum(book, book.vocabulary[id_], readers.get(id_, ()), codes, kept)]
    return "\n".join(lines) + "\n"


def _datum(
    book: RuleBook, datum: Datum, readers: Sequence[str], codes: Mapping[str, str], kept: Mapping[str, str]
) -> Iterator[str]:
    yield f"### {datum.id}"
    yield ""
    yield f"**{_plain(datum.title)}**, of {_ABOUT[datum.scope]}: {shape(datum)}."
    yield ""
    yield f"- found: {_plain(datum.found)}"
    if datum.id in codes:
        yield f"- send: Observation `finding#{datum.id}`: {_plain(codes[datum.id])}"
    yield f"- a recorded no: {_plain(datum.negative)}"
    yield f"- several sources: {_plain(datum.combine)}"
    if datum.progress:
        yield "- a lesser value is a step on the way: it speaks against nothing"
    asked = book.vocabulary.asks[datum.ask].say if datum.ask else "the rule that reads it says how, or nobody is asked"
    yield f"- while missing: {_plain(asked)}"
    chosen = [one.id for one in book.sets.values() if datum.id in one.applies_to]
    if chosen:
        yield f"- chooses among: {', '.join(chosen)}"
    if readers or not chosen:
        yield f"- read by: {_links(readers, 'rule-index.md') or 'no rule; ' + kept.get(datum.id, 'nobody said why')}"


def shape(datum: Datum) -> str:
    """What values a datum has, in words."""
    unit = "" if datum.unit in ("", "1") else f" {datum.unit.strip('{}')}"
    if datum.kind is Kind.BOOLEAN:
        return "yes or no"
    if datum.kind is Kind.CODE:
        return f"one of {', '.join(datum.values)}"
    kind = {
        Kind.INTEGER: "a whole number",
        Kind.DECIMAL: f"a number of {datum.places} decimal places",
        Kind.INTERVAL: "a whole number, or from one to another where it is known in part",
    }[datum.kind]
    return f"{kind}, {datum.lo} to {datum.hi}{unit}"


def _plain(text: str) -> str:
    """Text that Markdown shows as it stands."""
    for sign in ("<", "*", "_"):
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
