"""The long text of a card, in GitHub Markdown: for each level the verdict, what it rests on and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from adapters.http.cds_hooks.beside import beside
from adapters.http.cds_hooks.guidance import NOT_APPROVED, Guidance, Row, name, verdict
from adapters.http.cds_hooks.markdown import plain
from pathway.canonical import parse_instant
from pathway.conditions import All, AnyOf, Condition, Leaf, leaves
from pathway.facts import Fact, Reason
from pathway.kleene import View, evaluate
from pathway.messages import REASONS
from pathway.rulebook import RuleSet

MOST_FACTS: Final = 3
TELLING: Final = ("shared.fresh-fracture", "shared.tender-at-level", "shared.severe-spinal-pain")
"""Shown first where more criteria carry a verdict than there is room for: they prove the guilty vertebra."""

FIRST: Final = frozenset({"record-pain", "examine-spine"})
LATER: Final = frozenset({"order-spine-mri"})
"""What is asked for at the bedside comes before what needs a scanner: no MRI of a back that does not hurt."""
_LOOK: Final = "Look in the record"
_WORDS: Final[Mapping[str, str]] = {reason.value: words for reason, words in REASONS.items()}
_NO_TIME: Final = parse_instant("2000-01-01T00:00:00Z")  # verdicts have no age


def detail(guidance: Guidance, rows: Sequence[Row]) -> str:
    """The whole text. `rows` are the levels to speak of, each under one policy, the most pressing first."""
    return "\n".join(_lines(guidance, rows))


def _lines(guidance: Guidance, rows: Sequence[Row]) -> Iterator[str]:
    if guidance.drafts:
        yield f"**Draft rules: {NOT_APPROVED}.**"
        yield ""
    for obligation in guidance.emergencies:
        yield f"**{plain(obligation['title'])}.** {'. '.join(plain(why) for why in obligation.get('why', ()))}."
        yield ""
    for row in rows:
        yield from _level(guidance, row)
    yield from beside(guidance, rows)
    yield from _not_looked_at(guidance)


def _level(guidance: Guidance, row: Row) -> Iterator[str]:
    yield f"### {name(row)}: {verdict(row)}"
    yield ""
    yield f"{plain(row['reason'])}. Policy {plain(guidance.release(row['policy']))}."
    yield ""
    rule_set = guidance.rule_sets[row["policy"]]
    for message in carrying(rule_set, row):
        yield f"- {plain(message)}"
    missing = list(_missing(rule_set, row))
    if missing:
        yield ""
        yield "Missing, and what waits for it:"
        yield ""
        yield from (f"- {text}" for text in missing)
    if row["notAssessed"]:
        yield ""
        yield f"Not assessed, and what is found there could change this: {_not_assessed(row)}."
    following = [o["title"] for o in guidance.following if row["level"] in o.get("levels", ())]
    if following:
        yield ""
        yield f"Next: {'; '.join(plain(title) for title in following)}."
    yield ""


def carrying(rule_set: RuleSet, row: Row) -> list[str]:
    """The messages of the criteria that carry the verdict, at most three; what is unknown stands under what is missing.

    Where the verdict is that data are missing, they are what is known of the criteria that prove a level.
    """
    by_id = {criterion["id"]: criterion for criterion in row["criteria"]}
    known = {id: criterion for id, criterion in by_id.items() if criterion["verdict"] != "unknown"}
    ids = list(TELLING) if row["outcome"] == "insufficient-data" else _ids(rule_set, row, by_id)
    ids = [id for id in ids if id in known]
    ordered = [*(id for id in TELLING if id in ids), *(id for id in ids if id not in TELLING)]
    return [known[id]["message"] for id in ordered[:MOST_FACTS]]


def _ids(rule_set: RuleSet, row: Row, by_id: Mapping[str, Row]) -> list[str]:
    """The criteria that the rules which gave the outcome turned on, in their order: what failed, or else what held.

    A rule also compares what must not be so for it to apply; that explains nothing beside a criterion that failed.
    """
    view = {id: Fact(id, criterion["verdict"]) for id, criterion in by_id.items()}
    found: list[str] = []
    for rule in rule_set.recommendations:
        if rule.outcome == row["outcome"] and evaluate(rule.when, view, _NO_TIME):
            held = [leaf.datum.id for leaf in _borne_by(rule.when, view)]
            failed = [id for id in held if by_id[id]["verdict"] == "not-met"]
            found += failed or held
    return list(dict.fromkeys(found))


def _borne_by(condition: Condition, view: View) -> Iterator[Leaf]:
    """The comparisons on which a condition that holds rests; of alternatives, those of the ones that hold."""
    match condition:
        case All(parts):
            for part in parts:
                yield from _borne_by(part, view)
        case AnyOf(parts):
            for part in parts:
                if evaluate(part, view, _NO_TIME):
                    yield from _borne_by(part, view)
        case _:
            yield from leaves(condition)


def _missing(rule_set: RuleSet, row: Row) -> Iterator[str]:
    """One line for each thing to do: what to do, the data it would give, why they are missing, what waits for them."""
    by_request: dict[str, list[Row]] = {}
    bedside = any(item["ask"] in FIRST for item in row["missing"])
    for item in sorted(row["missing"], key=lambda item: item["ask"] in LATER):
        # What could not be fetched may well be on record: nobody is asked to record it again.
        request = _LOOK if item["reason"] == Reason.NOT_RETRIEVED else item["say"]
        first = "If pain and examination point here: " if bedside and item["ask"] in LATER else ""
        by_request.setdefault(first + request, []).append(item)
    for request, items in by_request.items():
        told = "; ".join(f"{plain(rule_set.vocabulary[item['datum']].title)}: {plain(_why(item))}" for item in items)
        waiting = "; ".join(plain(title) for title in _waiting(rule_set, row, {item["datum"] for item in items}))
        yield f"**{plain(request)}.** {told}." + (f" Needed for: {waiting}." if waiting else "")


def _not_assessed(row: Row) -> str:
    """What was not looked at, on one line, once for each thing to do: most often it is plainly not recorded."""
    ending = f": {REASONS[Reason.NOT_RECORDED]}"
    by_ask = {item["ask"]: item["message"] for item in reversed(row["notAssessed"])}
    return "; ".join(plain(message.removesuffix(ending)) for message in reversed(by_ask.values()))


def _why(item: Row) -> str:
    return _WORDS.get(item["reason"]) or item["reason"].replace("-", " ")


def _waiting(rule_set: RuleSet, row: Row, data: set[str]) -> list[str]:
    """The titles of the undecided criteria that read one of these data."""
    unknown = {criterion["id"] for criterion in row["criteria"] if criterion["verdict"] == "unknown"}
    return [rule.title for rule in rule_set.criteria if rule.id in unknown and data & set(rule.reads())]


def _not_looked_at(guidance: Guidance) -> Iterator[str]:
    """What this answer could not take into account."""
    for item in guidance.gaps:
        yield f"- Could not be retrieved: {plain(item['where'])} ({plain(item['why'])}). What rests on it is unknown."
    for entry in guidance.resting:
        yield f"- Not assessed, as the rule set did not run: {plain(entry['ruleSet'])} ({plain(entry['why'])})."
    invalid = sum(1 for item in guidance.body["setAside"] if item["code"] == "invalid")
    if invalid:
        yield f"- {invalid} record{'s' if invalid > 1 else ''} could not be used; the decision lists them."
