"""A rule in words: when it holds, what follows, what it says, and what it rests on. For people, never read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from pathway.conditions import Op, leaves
from pathway.forms import Stratum
from pathway.rulebook import Rule
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
    lines = [f"{rule.id}: {rule.title}", f"{_kind(rule)}. Catalogue: {catalogue}", ""]
    lines += ["When", *_condition(rule, raw["when"]), f"then {_then(rule)}"]
    if "closed-by" in raw:
        lines += ["", "Closed when", *_condition(rule, raw["closed-by"])]
    if rule.lasts_through:
        lines += ["", f"Once open it lasts through: {', '.join(rule.lasts_through)}"]
    lines += ["", "Says", *(f'  {part}: "{text}"' for part, text in rule.say.items())]
    lines += ["", "Parameters", *(_parameters(rule) or ["  none"])]
    sources = [
        f"  {one['label']} ({one['strength']}; {one['status']}, {one['read']})" for one in raw.get("evidence", ())
    ]
    lines += ["", "Sources", *(sources or ["  those of the criteria that it reads"]), "", f"Cases: {cases}"]
    return "\n".join(lines)


def _kind(rule: Rule) -> str:
    kind = {
        Stratum.CRITERIA: f"Criterion ({rule.role})",
        Stratum.RECOMMENDATION: "Outcome",
        Stratum.OBLIGATIONS: f"Obligation, one task per {rule.per}",
    }[rule.stratum]
    return f"{kind}, scope {rule.scope}"


def _then(rule: Rule) -> str:
    if rule.stratum is Stratum.RECOMMENDATION:
        return f"the outcome {rule.outcome} is possible; the hit order decides"
    if rule.due is not None:
        due = next(p for p in rule.parameters.values() if p.id == (rule.document or {})["due"]["duration"])
        number = f"{due.value} {due.unit} after {'it is asked for' if rule.due.after == 'asked' else rule.due.after}"
        return f"task {rule.task} is open for the {rule.owner}, priority {rule.priority}, due {number}"
    asks = f", and asks: {rule.ask}" if rule.ask else ""
    return f"it is met; surely otherwise it is not met; else it is unknown{asks}"


def _parameters(rule: Rule) -> list[str]:
    return [f"  {p.id}: {p.value} {_unit(p.unit)} ({p.status}, set on {p.set_on})" for p in rule.parameters.values()]


def _condition(rule: Rule, raw: Mapping[str, Any]) -> list[str]:
    names = {leaf.datum.id: leaf.datum for part in rule.conditions() for leaf in leaves(part)}
    return list(_lines(rule, names, raw, "  "))


def _lines(rule: Rule, names: Mapping[str, Datum], raw: Mapping[str, Any], indent: str) -> Iterator[str]:
    ((key, body),) = raw.items()
    if key not in _JOINS:
        yield indent + _comparison(rule, names[key], body)
        return
    yield indent + _JOINS[key]
    for part in [body] if key == "not" else body:
        first, *rest = _lines(rule, names, part, indent + "  ")
        yield f"{indent}- {first.strip()}"
        yield from rest


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
