"""The case book: every case run by engine and evaluator, and what the cases of a rule must cover before it may ship."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, cast

from pathway import forms, messages
from pathway.casefiles import AS_OF, LEVEL, CaseFile, Example, all_rules, expected, read_one, variants
from pathway.compiler import Statement
from pathway.conditions import Leaf, Lists, leaves
from pathway.errors import PathwayError, RuleBookError
from pathway.facts import Interval, Reason, Value
from pathway.forms import Stratum
from pathway.kleene import explain, usable
from pathway.rulebook import VOCABULARY, Rule, RuleBook, bounds
from pathway.verdicts import Judge, Verdict
from pathway.vocabulary import NUMERIC, Datum, Vocabulary
from pathway.weakness import too_weak

_SENTENCE: Final = re.compile(r"[A-Z0-9]\S*(?: \S+){2,}(?<!\.)")


@dataclass(frozen=True, slots=True)
class Result:
    """How one case came out."""

    rule: str
    where: str
    name: str
    expected: str
    found: str

    @property
    def passed(self) -> bool:
        """Whether the rule did what its case expects."""
        return self.expected == self.found

    def sentence(self) -> str:
        """The case on one line, with what was expected where it came out otherwise."""
        line = f"{self.where}: {self.rule}: {self.name}"
        return line if self.passed else f"{line}: expected {self.expected!r}, found {self.found!r}"


def run(file: CaseFile) -> tuple[Result, ...]:
    """Every case of a file, judged by engine and evaluator; EngineDisagreementError where the two differ."""
    if not file.examples:  # the engine takes no empty batch
        return ()
    rule = file.rule
    conditions = list(dict.fromkeys(_as_listed(file, example).when for example in file.examples))
    statements = [Statement(f"{rule.id}:when/{place}", rule.scope, when) for place, when in enumerate(conditions)]
    if rule.closed_by is not None:
        statements.append(Statement(f"{rule.id}:closed", rule.scope, rule.closed_by))
    judge = Judge(statements)
    try:
        rows = judge.judge(rule.scope, [example.view for example in file.examples], AS_OF)
    finally:
        judge.close()
    places = [conditions.index(_as_listed(file, example).when) for example in file.examples]
    return tuple(
        _result(file, example, answer(rule, example, row[f"{rule.id}:when/{place}"], row.get(f"{rule.id}:closed")))
        for example, place, row in zip(file.examples, places, rows, strict=True)
    )


def _as_listed(file: CaseFile, example: Example) -> Rule:
    """The rule as the rule set of a case has it."""
    return example.listed or file.rule


def answer(rule: Rule, example: Example, when: Verdict, closed: Verdict | None) -> str:
    """What a rule comes to in a case, in the words of `expected`, by the verdicts of its conditions."""
    if rule.stratum is Stratum.CRITERIA:
        return when.value
    if rule.stratum is Stratum.RECOMMENDATION:
        return "applies" if when is Verdict.MET else "silent"
    if closed is Verdict.MET:
        return "closed"
    lasting = example.standing and _outcome(example) in rule.lasts_through
    return "open" if when is Verdict.MET or lasting else "silent"


def _outcome(example: Example) -> Value | None:
    return example.view["outcome"].value if "outcome" in example.view else None


def _result(file: CaseFile, example: Example, found: str) -> Result:
    rule, expected = file.rule, example.expect
    if found == expected and example.says:
        part = found if found in rule.say else "reason"
        because = explain(_as_listed(file, example).when, example.view, AS_OF)
        stale = messages.too_old(rule.say[part], ((b.datum, b.reason, b.verdict) for b in because))
        expected, found = example.says, messages.render(rule.say[part], example.view, LEVEL, stale)
    return Result(rule.id, file.where, example.name, expected, found)


def check(root: Path, book: RuleBook) -> tuple[PathwayError, ...]:
    """All that keeps the rules of a folder from shipping: strays, weak conditions, bad messages, and lacking cases."""
    rules = all_rules(book)
    strays = _strays(root, {rule.id for rule in rules})
    faults = (fault for rule in rules for fault in check_rule(root, book.vocabulary, rule, variants(book, rule)))
    return (*strays, *_policies(book), *too_weak(book), *faults)


def _policies(book: RuleBook) -> Iterator[PathwayError]:
    """Clinical rule sets that do not say what they rest on, and who paid for that."""
    for rule_set in book.sets.values():
        try:
            forms.check_policy(rule_set.document["ruleset"])
        except RuleBookError as fault:
            yield fault


def check_rule(root: Path, vocabulary: Vocabulary, rule: Rule, used: Iterable[Lists] = ()) -> tuple[PathwayError, ...]:
    """All that keeps one rule from shipping. `used` are the lists that rule sets have for it beside its fullest."""
    unsayable = tuple(_unsayable(rule, vocabulary))
    if unsayable:
        return unsayable
    try:
        file = read_one(root, vocabulary, rule)
        failed = (result for result in run(file) if not result.passed)
        return (*gaps(file, used), *(RuleBookError(one.sentence(), fix="Mend the rule or the case") for one in failed))
    except PathwayError as fault:
        return (fault,)


def gaps(file: CaseFile, used: Iterable[Lists] = ()) -> tuple[RuleBookError, ...]:
    """What the cases of a rule leave untried, each with the case to write; `used` as for `check_rule`."""
    rule, place = file.rule, f"{file.where}: {file.rule.id}"
    if not file.examples:
        return (RuleBookError("the rule has no cases", where=place, fix=f"Write {file.where}"),)
    shown = {example.expect for example in file.examples}
    found = [
        *_name_gaps(file),
        *((f"no case expects {word}", "Add one") for word in expected(rule) if word not in shown),
        *(gap for name in rule.reads() for gap in _unknown_gaps(file, name)),
        *(gap for part in rule.conditions() for leaf in leaves(part) for gap in _age_gaps(file, leaf)),
        *(gap for leaf in bounds(rule) for gap in _bound_gaps(file, leaf)),
        *(gap for outcome in rule.lasts_through for gap in _lasting_gaps(file, outcome)),
        *(gap for lists in used for gap in _list_gaps(file, lists)),
    ]
    reasons = {fact.reason for example in file.examples for fact in example.view.values()}
    if rule.stratum is Stratum.CRITERIA and Reason.CONFLICTING not in reasons:
        found.append(("no case has sources that conflict", "Add one with {unknown: conflicting}"))
    return tuple(RuleBookError(what, where=place, fix=fix) for what, fix in dict.fromkeys(found))


_Gap = tuple[str, str]
"""What is missing, and the fix."""


def _name_gaps(file: CaseFile) -> Iterator[_Gap]:
    seen: set[str] = set()
    for example in file.examples:
        if not _SENTENCE.fullmatch(example.name):
            yield f"the name {example.name!r} is no sentence", "Say what happens in three words or more, without a stop"
        if example.name.casefold() in seen:
            yield f"the name {example.name!r} stands twice", "Say what differs"
        seen.add(example.name.casefold())


def _unknown_gaps(file: CaseFile, name: str) -> Iterator[_Gap]:
    """A datum counts where a case names it as unknown; a criterion where a case gives it that verdict."""
    facts = [example.view[name] for example in file.examples if name in example.named]
    if name != "outcome" and all(fact.known and fact.value != Verdict.UNKNOWN for fact in facts):
        yield f"no case says that {name} is unknown", "Add one, with the reason: {unknown: not-recorded}"


def _age_gaps(file: CaseFile, leaf: Leaf) -> Iterator[_Gap]:
    """A limit of age needs a case exactly at it and one beyond."""
    if leaf.within is None:
        return
    facts = [example.view[leaf.datum.id] for example in file.examples]
    ages = {AS_OF - fact.at for fact in facts if fact.known and fact.at is not None}
    limit = timedelta(seconds=leaf.within)
    if limit not in ages:
        yield f"no case has {leaf.datum.id} exactly as old as it may be", f"Add one of {limit}"
    if not any(age > limit for age in ages):
        yield f"no case has {leaf.datum.id} too old", f"Add one older than {limit}"


def _bound_gaps(file: CaseFile, leaf: Leaf) -> Iterator[_Gap]:
    """A bound needs cases at it and one step to either side, as far as such values are plausible."""
    datum = leaf.datum
    values = [usable(leaf, example.view[datum.id], AS_OF)[0] for example in file.examples]
    tried = {_point(datum, value) for value in values if value is not None}
    for step, words in ((0, "at"), (-1, "just below"), (1, "just above")):
        number = Decimal(cast(int, leaf.operand) + step).scaleb(-datum.places)
        if datum.plausible(number) and number not in tried:
            yield f"no case has {datum.id} {words} its bound", f"Add one with {number} {datum.unit}"


def _lasting_gaps(file: CaseFile, outcome: str) -> Iterator[_Gap]:
    """An outcome that an open task lasts through needs a case with the task and one without."""
    for standing in (True, False):
        if not any(one.standing is standing and _outcome(one) == outcome for one in file.examples):
            words = "stands open" if standing else "does not stand yet"
            yield f"no case has {outcome} while the task {words}", f"Add one with standing: {str(standing).lower()}"


def _list_gaps(file: CaseFile, lists: Lists) -> Iterator[_Gap]:
    """Lists that a rule set has need cases that come out differently by them, one at least to each side."""
    found = {one.expect for one in file.examples if one.listed is not None and one.listed.lists == lists}
    for word in ("met", "not-met"):
        if word not in found:
            shown = "; ".join(f"{name}: [{', '.join(items)}]" for name, items in lists.items())
            yield f"no case with the lists of a rule set expects {word}", f"Add one with lists: {{{shown}}}"


def _point(datum: Datum, value: Value) -> Decimal | None:
    """A usable value as one number; None where it is none."""
    if isinstance(value, Interval):
        return Decimal(value.lo) if value.lo == value.hi else None
    return Decimal(value) if datum.kind in NUMERIC and isinstance(value, int | Decimal) else None


def _unsayable(rule: Rule, vocabulary: Vocabulary) -> Iterator[RuleBookError]:
    """Messages that name what an instance of the rule cannot see."""
    where = f"{rule.id.replace('.', '/')}.yaml: {rule.id}"
    names = [*rule.reads(), *(d.id for d in vocabulary.data.values() if rule.scope.sees(d.scope))]
    for text in rule.say.values():
        try:
            messages.check(text, names, where)
        except RuleBookError as fault:
            yield fault


def _strays(root: Path, rules: Iterable[str]) -> Iterator[RuleBookError]:
    """Case files without a rule, and rules that no rule set takes in: nothing would ever run them."""
    for path in sorted(set(root.glob("*/*.yaml")) - set((root / VOCABULARY).glob("*.yaml"))):
        id_ = f"{path.parent.name}.{path.name.removesuffix('.yaml').removesuffix('.cases')}"
        if path.name != "ruleset.yaml" and id_ not in rules:
            where, fix = f"{path.relative_to(root).as_posix()}: {id_}", "Name it in a ruleset.yaml, or delete the file"
            yield RuleBookError("no rule set runs this rule", where=where, fix=fix)
