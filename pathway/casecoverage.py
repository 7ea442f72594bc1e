"""What the cases of the book have seen: of every criterion, outcome, obligation and datum, and what is lacking.

A case that fails shows nothing. What must be seen is decided here, in `_must` and `_data_lacks`; a datum that no rule
reads stands in `kept-data.yaml` with the reason why it is kept all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pathway import messages, strict_yaml
from pathway.casebook import Result
from pathway.casefiles import AS_OF, CaseFile, Example, all_rules
from pathway.conditions import leaves
from pathway.errors import RuleBookError
from pathway.facts import Fact, Reason
from pathway.forms import VERDICTS, Stratum
from pathway.kleene import evaluate, reason_of
from pathway.rulebook import Rule, RuleBook, RuleSet

KEPT: Final = "kept-data.yaml"
"""The file, in a rules folder, of the data that no rule reads: `datum: why it is kept`."""

WORDS: Final = (*VERDICTS, "stale", "conflicting")
"""What can be seen of a criterion: its verdicts, a datum that is too old for it, sources that conflict."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One rule: how many cases it has, what they showed of it, what they must show, and what had a value in them."""

    rule: Rule
    cases: int
    words: frozenset[str]
    must: tuple[str, ...]
    valued: frozenset[str]

    @property
    def lacking(self) -> tuple[str, ...]:
        """What must be seen of the rule and was not."""
        return tuple(word for word in self.must if word not in self.words)


@dataclass(frozen=True, slots=True)
class SetSeen:
    """One rule set: its rules, the outcomes that its hit order came to, and its data with a value in some case."""

    rule_set: RuleSet
    rules: tuple[Seen, ...]
    outcomes: frozenset[str]
    data: Mapping[str, bool]

    def count(self, stratum: Stratum, word: str) -> tuple[int, int]:
        """Of how many rules of a stratum a word was seen, and of how many it must be."""
        rows = [one for one in self.rules if one.rule.stratum is stratum and word in one.must]
        return sum(word in one.words for one in rows), len(rows)


@dataclass(frozen=True, slots=True)
class DatumSeen:
    """One datum: the rules that read it, those that only name it in words, the rule sets that it chooses, its cases."""

    id: str
    read_by: tuple[str, ...]
    said_by: tuple[str, ...]
    chooses: tuple[str, ...]
    known: int
    unknown: int
    kept: str

    @property
    def used(self) -> bool:
        """Whether anything in the book would miss it."""
        return bool(self.read_by or self.said_by or self.chooses)

    @property
    def seen(self) -> bool:
        """Whether a case has it with a value; one that only chooses among rule sets stands in no case of a rule."""
        return bool(self.known or (self.chooses and not self.read_by))


@dataclass(frozen=True, slots=True)
class Coverage:
    """The whole report. `lacking` is empty where all that must be seen was seen."""

    sets: tuple[SetSeen, ...]
    data: tuple[DatumSeen, ...]
    lacking: tuple[RuleBookError, ...]


def kept(root: Path) -> Mapping[str, str]:
    """The data that no rule reads, and why each is kept; none where the folder has no such file."""
    path = root / KEPT
    return strict_yaml.read_file(path, root) if path.exists() else {}


def cover(book: RuleBook, files: Iterable[CaseFile], results: Iterable[Result], keep: Mapping[str, str]) -> Coverage:
    """What the cases showed that came out as they should. `keep` is what `kept` read."""
    failed = {(one.rule, one.name) for one in results if not one.passed}
    shown = {file.rule.id: [one for one in file.examples if (file.rule.id, one.name) not in failed] for file in files}
    rules = {rule.id: rule for rule in all_rules(book)}
    seen = {id_: _seen(rule, shown.get(id_, ())) for id_, rule in rules.items()}
    sets = tuple(_set_seen(one, seen, shown) for one in book.sets.values())
    data = tuple(_data(book, rules, shown, keep))
    lacks = (*(lack for one in seen.values() for lack in _rule_lacks(one)), *_set_lacks(sets), *_data_lacks(data, keep))
    return Coverage(sets, data, lacks)


def _seen(rule: Rule, examples: Sequence[Example]) -> Seen:
    words = {example.expect for example in examples}
    reasons = {reason for one in examples for reason in _reasons(rule, one)} if rule.role else ()
    words |= {str(reason) for reason in (Reason.STALE, Reason.CONFLICTING) if reason in reasons}
    valued = {id_ for one in examples for id_ in one.named if one.view[id_].known}
    return Seen(rule, len(examples), frozenset(words), tuple(_must(rule)), frozenset(valued))


def _reasons(rule: Rule, example: Example) -> Iterator[str]:
    """Why what the rule reads gave it no plain answer in a case."""
    when = example.listed.when if example.listed else rule.when
    return (reason_of(leaf, example.view[leaf.datum.id], AS_OF) for leaf in leaves(when))


def _must(rule: Rule) -> Iterator[str]:
    """A criterion needs every verdict and a conflict, staleness where it limits an age; others what they can come to.

    Any datum may be unknown for a conflict of its sources: a rule that reads it must have seen one.
    """
    if rule.stratum is Stratum.RECOMMENDATION:
        yield "applies"
        return
    if rule.stratum is Stratum.OBLIGATIONS:
        yield from ("open", "closed") if rule.closed_by is not None else ("open",)
        return
    yield from VERDICTS
    if any(leaf.within is not None for leaf in leaves(rule.when)):
        yield "stale"
    yield "conflicting"


def _set_seen(rule_set: RuleSet, seen: Mapping[str, Seen], shown: Mapping[str, Sequence[Example]]) -> SetSeen:
    rules = tuple(seen[rule.id] for rule in rule_set.rules())
    valued = {id_ for one in rules for id_ in one.valued}
    data = dict.fromkeys(id_ for rule in rule_set.rules() for id_ in rule.reads() if id_ in rule_set.vocabulary.data)
    return SetSeen(rule_set, rules, _reached(rule_set, shown), {id_: id_ in valued for id_ in data})


def _reached(rule_set: RuleSet, shown: Mapping[str, Sequence[Example]]) -> frozenset[str]:
    """The outcomes that the hit order picks in a case of an outcome's rule, so that none is hidden behind others.

    What a case does not name is tried with each verdict, the same throughout.
    """
    names = {id_ for rule in rule_set.recommendations for id_ in rule.reads()}
    found: set[str] = set()
    for rule in rule_set.recommendations:
        for example in (one for one in shown.get(rule.id, ()) if one.expect == "applies"):
            if rule.outcome in found:
                break
            own = {id_: example.view[id_] for id_ in example.named}
            views = ({id_: Fact(id_, rest) for id_ in names} | own for rest in ("unknown", "met", "not-met"))
            found |= {outcome for view in views if (outcome := _picked(rule_set, view))}
    return frozenset(found)


def _picked(rule_set: RuleSet, view: Mapping[str, Fact]) -> str:
    possible = {one.outcome for one in rule_set.recommendations if evaluate(one.when, view, AS_OF) is True}
    return next((outcome for outcome in rule_set.hit_order if outcome in possible), "")


def _data(
    book: RuleBook, rules: Mapping[str, Rule], shown: Mapping[str, Sequence[Example]], keep: Mapping[str, str]
) -> Iterator[DatumSeen]:
    reads = {id_: frozenset(rule.reads()) for id_, rule in rules.items()}
    says = {id_: _named(rule) for id_, rule in rules.items()}
    for datum in book.vocabulary.data:
        readers = tuple(sorted(id_ for id_, names in reads.items() if datum in names))
        sayers = tuple(sorted(id_ for id_, names in says.items() if datum in names and id_ not in readers))
        chooses = tuple(one.id for one in book.sets.values() if datum in one.applies_to)
        facts = [one.view[datum] for id_ in (*readers, *sayers) for one in shown.get(id_, ()) if datum in one.named]
        known = sum(fact.known for fact in facts)
        yield DatumSeen(datum, readers, sayers, chooses, known, len(facts) - known, keep.get(datum, ""))


def _named(rule: Rule) -> frozenset[str]:
    """The data that a rule's messages name."""
    return frozenset(field.partition(".")[0] for text in rule.say.values() for field in messages.FIELD.findall(text))


def _rule_lacks(seen: Seen) -> Iterator[RuleBookError]:
    where = f"{seen.rule.id.replace('.', '/')}.cases.yaml: {seen.rule.id}"
    for word in seen.lacking:
        yield RuleBookError(f"never seen {word}", where=where, fix="Add a case that shows it")


def _set_lacks(sets: Iterable[SetSeen]) -> Iterator[RuleBookError]:
    for one in sets:
        for outcome in one.rule_set.hit_order:
            if outcome not in one.outcomes:
                fix = f"Add a case to a rule of {outcome} that no outcome before it in the hit order takes"
                yield RuleBookError(f"outcome {outcome} is never reached", where=one.rule_set.id, fix=fix)


def _data_lacks(data: Iterable[DatumSeen], keep: Mapping[str, str]) -> Iterator[RuleBookError]:
    """A datum is used, or kept for a reason; one that a rule reads is seen with a value and without."""
    rows = {one.id: one for one in data}
    unread = [one.id for one in rows.values() if not one.used and not one.kept]
    if unread:
        fix = f"Say in {KEPT} why each is kept, or remove it"
        yield RuleBookError(f"no rule reads {', '.join(unread)}", where="vocabulary", fix=fix)
    for one in rows.values():
        where = f"vocabulary: {one.id}"
        for word, count in (("known", one.known), ("unknown", one.unknown)):
            if one.read_by and not count:
                yield RuleBookError(f"no case has it {word}", where=where, fix=f"Add one to {one.read_by[0]}")
    for id_ in keep:
        if id_ not in rows or rows[id_].used:
            what = "is read by a rule" if id_ in rows else "is not declared"
            yield RuleBookError(f"{id_} {what}", where=KEPT, fix="Take it off the list")
