"""A rule in words: when it holds, what follows, what it says, and what it rests on. For people, never read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from pathway import measure_forms
from pathway.conditions import Op, leaves
from pathway.forms import NOT_VERIFIED, Stratum
from pathway.rulebook import Rule, RuleSet
from pathway.vocabulary import Datum

_WORDS: Final[Mapping[str, str]] = {
    Op.AT_LEAST: "at least",
    Op.AT_MOST: "at most",
    Op.MORE_THAN: "more than",
    Op.LESS_THAN: "less than",
}
_JOINS: Final = {"all": "all of these:", "any": "at least one of these:", "not": "not this:"}


def show(rule: Rule, cases: int) -> str:
    """The rule as a page of plain text that ends without a line break. `cases` is how many cases it has."""
    raw = cast(Mapping[str, Any], rule.document or {})
    catalogue = ", ".join(raw.get("catalogue", ())) or "none"
    lines = [f"{rule.id}: {rule.title}", f"{kind(rule)}. Catalogue: {catalogue}", ""]
    lines += ["When", *when(rule), f"then {then(rule)}"]
    if "closed-by" in raw:
        lines += ["", "Closed when", *closed_when(rule)]
    if rule.overtaken_by:
        lines += ["", "Overtaken, not done, by", *(f"  {name}: {why}" for name, why in rule.overtaken_by.items())]
    if rule.checklist:
        lines += ["", "Checklist", *(f"  - {id}" for id in rule.checklist)]
    if rule.lasts_through:
        lines += ["", f"Once open it lasts through: {', '.join(rule.lasts_through)}"]
    lines += ["", "Says", *(f'  {part}: "{text}"' for part, text in rule.say.items())]
    lines += ["", "Parameters", *(_parameters(rule) or ["  none"])]
    sources = [
        f"  {one['label']} ({one['strength']}; {one['status']}, {one['read']})" for one in raw.get("evidence", ())
    ]
    lines += ["", "Sources", *(sources or ["  those of the criteria that it reads"]), "", f"Cases: {cases}"]
    return "\n".join(lines)


def when(rule: Rule) -> tuple[str, ...]:
    """The condition of a rule, a comparison a line, indented by how deep it stands."""
    return tuple(_condition(rule, cast(Mapping[str, Any], rule.document or {})["when"]))


def closed_when(rule: Rule) -> tuple[str, ...]:
    """What closes an obligation, in the same form; empty for other rules."""
    raw = cast(Mapping[str, Any], rule.document or {})
    return tuple(_condition(rule, raw["closed-by"])) if "closed-by" in raw else ()


def sentence(rule: Rule) -> str:
    """The condition of a rule on one line, its parts joined by and, or and not."""
    raw = cast(Mapping[str, Any], rule.document or {})
    names = {leaf.datum.id: leaf.datum for part in rule.conditions() for leaf in leaves(part)}
    return _joined(rule, names, raw["when"], alone=True)


def _joined(rule: Rule, names: Mapping[str, Datum], raw: Mapping[str, Any], *, alone: bool = False) -> str:
    ((key, body),) = raw.items()
    if key == "not":
        return f"not ({_joined(rule, names, body, alone=True)})"
    if key == "count" and "of" in body:
        held = rule.lists.get(body.get("listed-in", ""), tuple(body["of"]))
        items = "; ".join(_joined(rule, names, part) for name, part in body["of"].items() if name in held)
        return f"at least {_number(rule, body['at-least'])} of ({items})"
    if key not in _JOINS:
        return _comparison(rule, names[key], body)
    parts = (_joined(rule, names, part, alone=len(body) == 1) for part in body)
    text = f"; {'and' if key == 'all' else 'or'} ".join(parts)
    return text if alone or len(body) == 1 else f"({text})"


def kind(rule: Rule) -> str:
    """What a rule is and what it is about: `Criterion (gate), scope level`."""
    said = {
        Stratum.CRITERIA: f"Criterion ({rule.role})",
        Stratum.RECOMMENDATION: "Outcome",
        Stratum.OBLIGATIONS: f"Obligation, one {f'task per {rule.per}' if rule.task else 'card per episode of care'}",
    }[rule.stratum]
    return f"{said}, scope {rule.scope}"


def then(rule: Rule) -> str:
    """What follows where the condition holds."""
    if rule.stratum is Stratum.RECOMMENDATION:
        return f"the outcome {rule.outcome} is possible; the hit order decides"
    if rule.card:
        first = f" unless {' or '.join(rule.yields_to)} is open" if rule.yields_to else ""
        return f"the dismissible card {rule.card} is shown, indicator {rule.indicator}, and no task{first}"
    if rule.due is not None:
        times = "".join(f", {word} {said}" for key, word in _TIMES.items() if (said := _time(rule, key)))
        return f"task {rule.task} is open for the {rule.owner}, priority {rule.priority}{times}"
    asks = f", and asks: {rule.ask}" if rule.ask else ""
    return f"it is met; surely otherwise it is not met; else it is unknown{asks}"


_TIMES: Final = {"start": "from", "due": "due", "expires": "at an end", "opens-within": "opened no later than"}


def _time(rule: Rule, key: str) -> str:
    """A time of an obligation in words: `14 d after cement`; empty where the rule does not say it."""
    raw = (rule.document or {}).get(key)
    if raw is None:
        return ""
    number = rule.parameters[raw["duration"]]
    return f"{number.value} {number.unit} after {'it is asked for' if raw['after'] == 'asked' else raw['after']}"


def _parameters(rule: Rule) -> list[str]:
    return [f"  {p.id}: {p.value} {_unit(p.unit)} ({p.status}, set on {p.set_on})" for p in rule.parameters.values()]


def _condition(rule: Rule, raw: Mapping[str, Any]) -> list[str]:
    names = {leaf.datum.id: leaf.datum for part in rule.conditions() for leaf in leaves(part)}
    return list(_lines(rule, names, raw, "  "))


def _lines(rule: Rule, names: Mapping[str, Datum], raw: Mapping[str, Any], indent: str) -> Iterator[str]:
    ((key, body),) = raw.items()
    if key == "count" and "of" in body:
        yield from _count(rule, names, body, indent)
        return
    if key not in _JOINS:
        yield indent + _comparison(rule, names[key], body)
        return
    yield indent + _JOINS[key]
    for part in [body] if key == "not" else body:
        first, *rest = _lines(rule, names, part, indent + "  ")
        yield f"{indent}- {first.strip()}"
        yield from rest


def _count(rule: Rule, names: Mapping[str, Datum], body: Mapping[str, Any], indent: str) -> Iterator[str]:
    """A count as a list: how many it takes, each item under its name, and which of them hold here."""
    listed = f", as far as the rule set's list {body['listed-in']} names them" if "listed-in" in body else ""
    yield f"{indent}at least {_number(rule, body['at-least'])} of these{listed}:"
    held = rule.lists.get(body.get("listed-in", ""), tuple(body["of"]))
    for name, part in body["of"].items():
        if name not in held:
            yield f"{indent}- {name}: does not count, it is not in this rule set's list"
            continue
        first, *rest = _lines(rule, names, part, indent + "  ")
        yield f"{indent}- {name}: {first.strip()}"
        yield from rest


def _number(rule: Rule, raw: Any) -> str:
    return f"{rule.parameters[raw].value} ({raw})" if isinstance(raw, str) else str(raw)


def _comparison(rule: Rule, datum: Datum, body: Mapping[str, Any]) -> str:
    """One comparison: the datum's title, what is asked of it, and how old it may be."""
    given = dict(body)
    within, unconfirmed = given.pop("within", None), given.pop("unconfirmed", None)
    ((op, operand),) = given.items()
    text = f"{datum.title}: {_operand(rule, datum, op, operand)}"
    if within is not None:
        limit = rule.parameters[within]
        text += f", no older than {limit.value} {limit.unit} ({within})"
    return f"{text}, also where it is not confirmed" if unconfirmed else text


def _operand(rule: Rule, datum: Datum, op: str, operand: Any) -> str:
    if op == Op.RECORDED:
        return "recorded" if operand else "not recorded"
    if isinstance(operand, bool):
        return "yes" if operand else "no"
    if isinstance(operand, list):
        return " or ".join(str(code) for code in cast(list[Any], operand))
    parameter = rule.parameters.get(operand) if isinstance(operand, str) and op in _WORDS else None
    number = f"{parameter.value} {_unit(parameter.unit)} ({parameter.id})" if parameter else str(operand)
    return f"{_WORDS[op]} {number}" if op in _WORDS else number


def _unit(unit: str) -> str:
    """A UCUM annotation such as `{score}` as a plain word."""
    return unit.strip("{}")


def show_set(rule_set: RuleSet) -> str:
    """A rule set as a page of plain text: its question, whose it is and where it holds, its rules, what is open."""
    header = cast(Mapping[str, Any], rule_set.document["ruleset"])
    lines = [f"{rule_set.release}: {rule_set.title} ({rule_set.kind}, {rule_set.status})", rule_set.question, ""]
    if "basis" in header:
        lines += [*_basis(header["basis"]), ""]
    if rule_set.lcd:
        lines += [f"LCD {rule_set.lcd}", f"Contractor: {_known(header['contractor'])}"]
        lines += [f"Jurisdiction {_known(one, one['states'])}" for one in header["jurisdiction"]]
    lines += [f"Concerns: {header['concerns']}"] if "concerns" in header else []
    lines += [f"Applies where {name} is: {', '.join(values)}" for name, values in rule_set.applies_to.items()]
    lines += [f"List {name}: {', '.join(items)}" for name, items in header.get("lists", {}).items()]
    lines += [f"Hit order: {', '.join(rule_set.hit_order)}"] if rule_set.hit_order else []
    lines += _measures(header)
    lines += ["", "Rules", *(f"  {rule.id}: {rule.title}" for rule in rule_set.rules())]
    evidence = cast(list[Mapping[str, str]], header.get("evidence", []))
    lines += ["", "Sources"] if evidence else []
    lines += [f"  {one['label']} ({one['strength']}; {one['status']}, {one['read']})" for one in evidence]
    questions = cast(list[str], header.get("open-questions", []))
    lines += ["", "Open questions", *(f"  - {question}" for question in questions)] if questions else []
    return "\n".join(lines)


def _measures(header: Mapping[str, Any]) -> list[str]:
    """What is measured, by which criteria, and what none computes."""
    lines: list[str] = []
    for one in measure_forms.measures_of(header):
        runs = f", runs for {one.runs_for} d" if one.runs_for is not None else ""
        lines.append(f"  {one.id} ({one.catalogue}): {one.title}. Counts {one.counts}s{runs}")
        lines.append(f"    denominator: {' and '.join(one.denominator) or 'all of them'}")
        lines += [f"    excluded: {' or '.join(one.exclusions)}"] if one.exclusions else []
        lines += [f"    numerator: {one.numerator}", f"    not seen: {one.unseen}"]
    lines += [f"  {one.catalogue}, {one.title}: not computed. {one.why}" for one in measure_forms.not_computed(header)]
    return ["Measures", *lines] if lines else []


def _basis(basis: Mapping[str, str]) -> tuple[str, str]:
    """What a policy rests on, and who paid for that work."""
    funding = basis["funding"].replace("-", " ") if basis["funding"] == NOT_VERIFIED else basis["funding"]
    said = f"{basis['strength']}; {basis['status']}, {basis['read']}"
    return f"Rests on: {basis['label']} ({said})", f"Funding of that work: {funding}"


def _known(part: Mapping[str, str], more: str = "") -> str:
    """A statement of the header with how it is known."""
    return f"{part['name']}{f': {more}' if more else ''} ({part['status'].replace('-', ' ')}: {part['from']})"
