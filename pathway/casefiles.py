"""Case files: named examples beside each rule, read into the views that the rule would see.

`<rule>.cases.yaml` holds `rule`, `base` (defaults of every case) and `cases`. A case has a `name` that is a sentence,
`facts`, for later strata `criteria` and `outcome`, `lists` where a rule set has shorter ones than the rule, `standing`
where the task is open already, `expect`, and `says` where the message itself is to be held. What a case does not name
is not recorded; a criterion that it does not name is unknown. Every fault names file, rule and case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast

from pathway import messages, strict_yaml
from pathway.conditions import SECONDS, Lists, leaves
from pathway.errors import BadInputError, RuleBookError
from pathway.facts import Fact, Interval, Reason, Sheet, Value, unknown
from pathway.forms import VERDICTS, Stratum
from pathway.rulebook import Rule, RuleBook, with_lists
from pathway.vocabulary import Datum, Kind, Scope, Vocabulary

AS_OF: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
"""The instant of every case. Cases speak of ages, so any would do; this one gives the dates in `says`."""

LEVEL: Final = "L1"
EXPECTED: Final[Mapping[Stratum, tuple[str, ...]]] = {
    Stratum.CRITERIA: VERDICTS,
    Stratum.RECOMMENDATION: ("applies", "silent"),
    Stratum.OBLIGATIONS: ("open", "closed", "silent"),
}
"""What a case of each stratum can expect. `closed`: the closing evidence is there; `open`: asked for and not closed."""


def expected(rule: Rule) -> tuple[str, ...]:
    """What a case of a rule can expect; a card has nothing that closes it."""
    return ("open", "silent") if rule.card else EXPECTED[rule.stratum]


_FILE_KEYS: Final = ("rule", "base", "cases")
_PART_KEYS: Final = ("facts", "criteria", "outcome")
_CASE_KEYS: Final = ("name", *_PART_KEYS, "lists", "standing", "expect", "says")
_FACT_KEYS: Final = ("value", "age", "unknown", "candidate", "detail")
_AGE: Final = re.compile(r"(\d+) ([a-z]+)")


@dataclass(frozen=True, slots=True)
class Example:
    """One case of a rule: what the rule sees, what of that the case names, what it must come to and, if held, say.

    `listed` is the rule as a rule set with the case's lists has it; None where it names no lists.
    """

    name: str
    view: Mapping[str, Fact]
    named: frozenset[str]
    expect: str
    says: str = ""
    standing: bool = False
    listed: Rule | None = None


@dataclass(frozen=True, slots=True)
class CaseFile:
    """All cases of one rule, and the file, as messages name it, that they stand in or are missing from."""

    rule: Rule
    where: str
    examples: tuple[Example, ...]


def read(root: Path, book: RuleBook) -> tuple[CaseFile, ...]:
    """The case file of every rule, in order of id; raises RuleBookError at the first that cannot be read."""
    return tuple(read_one(root, book.vocabulary, rule) for rule in all_rules(book))


def all_rules(book: RuleBook) -> tuple[Rule, ...]:
    """Every rule of every rule set once, in order of id; of one that rule sets have with other lists, the fullest."""
    rules: dict[str, Rule] = {}
    for rule in (rule for rule_set in book.sets.values() for rule in rule_set.rules()):
        known = rules.setdefault(rule.id, rule)
        if sum(map(len, rule.lists.values())) > sum(map(len, known.lists.values())):
            rules[rule.id] = rule
    return tuple(rules[id_] for id_ in sorted(rules))


def variants(book: RuleBook, rule: Rule) -> tuple[Lists, ...]:
    """The lists that rule sets have for a rule, other than its fullest."""
    found = [one.lists for rule_set in book.sets.values() for one in rule_set.rules() if one.id == rule.id]
    return tuple(lists for place, lists in enumerate(found) if lists != rule.lists and lists not in found[:place])


def read_one(root: Path, vocabulary: Vocabulary, rule: Rule) -> CaseFile:
    """The case file of one rule, without examples where there is none; raises RuleBookError for anything doubtful."""
    path = root / f"{rule.id.replace('.', '/')}.cases.yaml"
    where = path.relative_to(root).as_posix()
    if not path.exists():
        return CaseFile(rule, where, ())
    document = _known(strict_yaml.read_file(path, root), _FILE_KEYS, where)
    if document.get("rule") != rule.id:
        raise RuleBookError("the file is about another rule", where=where, fix=f"Write rule: {rule.id}")
    cases = document.get("cases")
    if not isinstance(cases, list) or not cases:
        raise RuleBookError("'cases' holds a list of cases", where=where, fix="Put each case on a line with a dash")
    base = _known(document.get("base", {}), _PART_KEYS, f"{where}: base")
    reader = _CaseReader(vocabulary, rule, where, base)
    return CaseFile(rule, where, tuple(reader.example(raw) for raw in cast(list[Any], cases)))


@dataclass(frozen=True, slots=True)
class _CaseReader:
    """Reads the cases of one rule on top of the file's defaults; only what rule or messages can see may be named."""

    vocabulary: Vocabulary
    rule: Rule
    where: str
    base: Mapping[str, Any]

    def example(self, raw: Any) -> Example:
        """One case from parsed YAML."""
        name = str(_mapping(raw, self.where).get("name", "a case without a name"))
        place = f"{self.where}: {self.rule.id}: {name}"
        body = _known(raw, _CASE_KEYS, place)
        expect, says = str(body.get("expect")), str(body.get("says", ""))
        if expect not in expected(self.rule):
            choices = ", ".join(expected(self.rule))
            raise RuleBookError(f"expect: {expect!r} is not known", where=place, fix=f"One of: {choices}")
        if says and expect == "silent":
            raise RuleBookError("a silent rule says nothing", where=place, fix="Leave out says")
        standing = body.get("standing", False)
        if standing not in ((False, True) if self.rule.task else (False,)):
            raise RuleBookError("only a task can stand open", where=place, fix="Write standing: true for an obligation")
        facts = self._facts(self._given("facts", body, place), place)
        verdicts = self._verdicts(self._given("criteria", body, place), place)
        outcome = self._outcome(body.get("outcome", self.base.get("outcome")), place)
        named = {**facts, **verdicts, **outcome}
        silent = {id_: Fact(id_, "unknown") for id_ in self._criteria()}
        view = {**self._sheets(facts.values(), place), **silent, **named}
        return Example(name, view, frozenset(named), expect, says, standing, self._listed(body, place))

    def _listed(self, body: Mapping[str, Any], place: str) -> Rule | None:
        """The rule as a rule set with these lists has it."""
        if "lists" not in body:
            return None
        given = _known(body["lists"], self.rule.lists, f"{place}: lists")
        return with_lists(self.rule, self.vocabulary, {name: tuple(items) for name, items in given.items()})

    def _given(self, key: str, body: Mapping[str, Any], place: str) -> dict[str, Any]:
        return {**_mapping(self.base.get(key, {}), place), **_mapping(body.get(key, {}), place)}

    def _facts(self, given: Mapping[str, Any], place: str) -> dict[str, Fact]:
        said = {field.partition(".")[0] for text in self.rule.say.values() for field in messages.FIELD.findall(text)}
        seen = [id_ for id_ in self.vocabulary.data if id_ in said or id_ in self.rule.reads()]
        allowed = [id_ for id_ in seen if self.rule.scope.sees(self.vocabulary[id_].scope)]
        _known(given, allowed, f"{place}: facts")
        return {id_: _fact(self.vocabulary[id_], raw, f"{place}: {id_}") for id_, raw in given.items()}

    def _criteria(self) -> tuple[str, ...]:
        return tuple(id_ for id_ in self.rule.reads() if id_ not in self.vocabulary.data and id_ != "outcome")

    def _verdicts(self, given: Mapping[str, Any], place: str) -> dict[str, Fact]:
        _known(given, self._criteria(), f"{place}: criteria")
        for id_, verdict in given.items():
            if verdict not in VERDICTS:
                raise RuleBookError(f"{id_} cannot be {verdict!r}", where=place, fix=f"One of: {', '.join(VERDICTS)}")
        return {id_: Fact(id_, verdict) for id_, verdict in given.items()}

    def _outcome(self, given: Any, place: str) -> dict[str, Fact]:
        compared = {leaf.datum.id: leaf.datum for part in self.rule.conditions() for leaf in leaves(part)}
        datum = compared.get("outcome")
        if datum is None and given is None:
            return {}
        if datum is None or given not in datum.values:
            fix = f"One of: {', '.join(datum.values)}" if datum else "Leave it out: the rule does not read it"
            raise RuleBookError(f"outcome {given!r} cannot stand here", where=place, fix=fix)
        return {"outcome": Fact("outcome", given)}

    def _sheets(self, facts: Iterable[Fact], place: str) -> dict[str, Fact]:
        """All facts that a rule of this scope sees, each checked by the door that real ones pass."""
        view: dict[str, Fact] = {}
        for scope in (scope for scope in Scope if self.rule.scope.sees(scope)):
            own = [fact for fact in facts if self.vocabulary[fact.datum].scope is scope]
            likely = [Fact(fact.datum, fact.candidate) for fact in own if fact.candidate is not None]
            try:
                Sheet.fill(self.vocabulary, scope, likely, instance=place)
                view |= Sheet.fill(self.vocabulary, scope, own, instance=place, level=LEVEL).facts
            except BadInputError as fault:
                raise RuleBookError(fault.what, where=place, fix=fault.fix) from None
        return view


def _fact(datum: Datum, raw: Any, place: str) -> Fact:
    """A fact from its value alone (known, and of this instant) or from its parts."""
    plain = not isinstance(raw, Mapping) or set(cast(Mapping[str, Any], raw)) == {"lo", "hi"}
    body: Mapping[str, Any] = {"value": raw} if plain else _known(raw, _FACT_KEYS, place)
    if ("value" in body) == ("unknown" in body) or ("candidate" in body and "value" in body):
        fix = "Write value, or unknown and perhaps candidate"
        raise RuleBookError("a fact has a value, or is unknown", where=place, fix=fix)
    detail = {key: str(text) for key, text in _mapping(body.get("detail", {}), place).items()}
    at = _at(str(body["age"]), place) if "age" in body else AS_OF
    if "value" in body:
        return Fact(datum.id, _value(datum, body["value"], place), at=at, detail=detail)
    if body["unknown"] not in list(Reason):
        fix = f"One of: {', '.join(Reason)}"
        raise RuleBookError(f"unknown: {body['unknown']!r} is no reason", where=place, fix=fix)
    likely = _value(datum, body["candidate"], place) if "candidate" in body else None
    dated = "age" in body or likely is not None
    return unknown(datum.id, Reason(body["unknown"]), candidate=likely, at=at if dated else None, detail=detail)


def _at(age: str, place: str) -> datetime | None:
    """When a fact of that age was true; None where it is undated."""
    if age == "undated":
        return None
    found = _AGE.fullmatch(age)
    if found is None or found[2] not in SECONDS:
        fix = f"Write a whole number of {', '.join(SECONDS)}; or undated"
        raise RuleBookError(f"age {age!r} is no length of time", where=place, fix=fix)
    return AS_OF - timedelta(seconds=int(found[1]) * SECONDS[found[2]])


def _value(datum: Datum, raw: Any, place: str) -> Value:
    """A value in the datum's Python type, where YAML writes another; what is wrong with it the sheet says."""
    if datum.kind is Kind.INTERVAL:
        ends = _known(raw if isinstance(raw, Mapping) else {"lo": raw, "hi": raw}, ("lo", "hi"), place)
        if {type(end) for end in ends.values()} == {int} and len(ends) == 2:
            return Interval(ends["lo"], ends["hi"])
    if datum.kind is Kind.DECIMAL and isinstance(raw, int | Decimal) and not isinstance(raw, bool):
        try:
            datum.scaled(raw)
        except ValueError as fault:
            raise RuleBookError(str(fault), where=place, fix="Use fewer decimal places") from None
        return Decimal(raw)
    return cast(Value, raw)


def _known(raw: Any, keys: Iterable[str], where: str) -> Mapping[str, Any]:
    """A mapping that holds none but the known keys."""
    body, known = _mapping(raw, where), tuple(keys)
    for key in body:
        if key not in known:
            raise RuleBookError(f"{key!r} is not known here", where=where, fix=f"Known: {', '.join(known)}")
    return body


def _mapping(raw: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise RuleBookError("key: value lines are wanted here", where=where, fix="Write them, or leave the key out")
    return cast(Mapping[str, Any], raw)
