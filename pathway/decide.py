"""`decide`: facts and releases in, decision out.

Pure: no clock, no network, no chance. Same bytes in, same bytes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any

from pathway.applicability import choose
from pathway.canonical import instant, parse_instant
from pathway.case import Case
from pathway.decisions import FIRST, FORM, Decision
from pathway.forms import CONSIDERATIONS
from pathway.hints import Hint, given, hints_of
from pathway.missing import Wanted
from pathway.obligations import Item, Obligation, State, asked_once, merge
from pathway.panel import Panel
from pathway.rulebook import Rule, RuleSet
from pathway.sayings import Sayings
from pathway.strata import Judged, Machine, Ran
from pathway.vocabulary import Scope
from pathway.wishes import wishes_of

ENGINE = "durable-rules 2.0.28"


def decide(
    case: Case, machines: Sequence[Machine], not_run: Sequence[Mapping[str, str]] = (), *,
    acting: str = "", form: int = FORM,
) -> Decision:  # fmt: skip
    """The decision on a case under compiled rule sets, in their given order.

    Its body holds `asOf`, `releases`, `facts`, `levels` (each level under each policy), `treated`, `considerations`,
    `obligations`, `hints` where there are any, `setAside`, `inputSha256` and, after the first, its `form`; replay
    starts from `facts` and gives the same bytes. `acting` is the clinical rule set whose obligations count; the others
    give verdicts alone, and none takes its place where it did not run; without it all of them act. `notRun` names the
    configured rule sets that did not decide, where there are any; `valueSets` is the hash of the code tables. Raises
    EngineError if a machine was closed before; closed meanwhile, it finishes.
    """
    with ExitStack() as uses:
        for one in (machines,) if isinstance(machines, Panel) else machines:
            uses.enter_context(one.in_use())
        return Decision(_body(case, machines, not_run, acting, form))


def _body(
    case: Case, machines: Sequence[Machine], not_run: Sequence[Mapping[str, str]], acting: str, form: int
) -> dict[str, Any]:
    levels: list[dict[str, Any]] = []
    treated: list[dict[str, Any]] = []
    weighed: list[dict[str, Any]] = []
    wishes: list[Obligation] = []
    hints: list[Hint] = []
    choice = choose(case, machines, not_run)
    sayings = Sayings(case, form, machines.twins if isinstance(machines, Panel) else {})
    for ran in _run(case, machines, choice.machines, acting):
        rule_set = ran.machine.rule_set
        if rule_set.kind == CONSIDERATIONS:
            weighed += _weighed(ran, sayings)
            continue
        levels += [_level(ran, place, sayings, form) for place in range(len(ran.picks))]
        treated += [_treated(ran, row, sayings) for row in ran.judged[Scope.TREATED_LEVEL]]
        wishes += wishes_of(ran, case, sayings, form)
        hints += hints_of(ran, case, sayings)
    merged = asked_once(merge(wishes, form))
    body: dict[str, Any] = {
        "asOf": instant(case.as_of),
        "patient": case.patient,
        "engine": ENGINE,
        "releases": [_release(machine) for machine in machines],
        "facts": case.facts_json(),
        "levels": levels,
        "treated": [row for row in treated if row["criteria"]],
        "obligations": [wish.to_json() for wish in merged],
        "setAside": [item.to_json() for item in case.set_aside],
        "inputSha256": case.input_sha256,
    }
    if acting:
        body["acting"] = acting
    if shown := given(hints, merged):
        body["hints"] = [hint.to_json() for hint in shown]
    if weighed:
        body["considerations"] = weighed
    if choice.families:
        body["choices"] = list(choice.families)
    if not_run:
        body["notRun"] = [dict(one) for one in not_run]
    if case.value_sets:
        body["valueSets"] = case.value_sets
    if form != FIRST:
        body["form"] = form
    return body


def _run(case: Case, machines: Sequence[Machine], chosen: Sequence[Machine], acting: str) -> Iterable[Ran]:
    """The chosen rule sets on the case: together where they sit at a panel, else each by itself."""
    asks = [not acting or m.rule_set.kind != "clinical" or m.rule_set.id == acting for m in chosen]
    if isinstance(machines, Panel):
        return machines.run(case, chosen, asks)
    return (machine.run(case, asks=one) for machine, one in zip(chosen, asks, strict=True))


def obligations_of(body: Mapping[str, Any]) -> tuple[Obligation, ...]:
    """The obligations of a decision body, for the reconciler."""
    return tuple(
        Obligation(
            rule=raw["rule"], release=raw["release"], code=raw["code"], title=raw["title"], episode=raw["episode"],
            state=State(raw["state"]), levels=tuple(raw.get("levels", ())), anchor=raw["anchor"],
            due_at=parse_instant(raw["due"]), owner=raw["owner"], priority=raw["priority"],
            focus=raw["focus"], why=tuple(raw.get("why", ())), sources=tuple(raw.get("sources", ())),
            evidence=tuple(raw.get("evidence", ())), items=tuple(Item(**item) for item in raw.get("items", ())),
            start_at=_instant(raw, "start"), expires_at=_instant(raw, "expires"), by_day=raw.get("byDay", False),
            anchor_at=_instant(raw, "anchorAt"),
            overtaken=raw.get("overtaken", ""),
            against=tuple(raw.get("against", ())),
        )
        for raw in body["obligations"]
    )  # fmt: skip


def _instant(raw: Mapping[str, Any], key: str) -> datetime | None:
    return parse_instant(raw[key]) if key in raw else None


def _release(machine: Machine) -> dict[str, str]:
    chosen = machine.rule_set
    said = {"id": chosen.id, "version": chosen.version, "kind": chosen.kind, "status": chosen.status}
    layer = {"base": chosen.site["base"], "site": chosen.site["sha256"]} if chosen.site else {}
    return {**said, "sha256": chosen.sha256, **layer}


def _level(ran: Ran, place: int, sayings: Sayings, form: int) -> dict[str, Any]:
    """One level under one policy: outcome, criteria with their messages, what is missing, what was not assessed."""
    rule_set = ran.machine.rule_set
    row, pick = ran.judged[Scope.LEVEL][place], ran.picks[place]
    rules = ran.machine.rules
    said = sayings.criteria(rules.values(), row)
    wanted = _wanted(ran, place, form)
    missing: dict[str, dict[str, str]] = {}
    for datum, id in wanted.data:
        if datum not in missing:
            missing[datum] = sayings.missing(rules[id], datum, rule_set.vocabulary, row)
    return {
        "level": row.sheet.level,
        "episode": row.sheet.episode,
        "policy": rule_set.id,
        **_apart(rule_set),
        "outcome": pick.outcome,
        "reason": sayings.sentence(pick.say["reason"], (), row),
        "criteria": said,
        "missing": list(missing.values()),
        "notAssessed": _not_assessed([rules[id] for id in wanted.flags], row, sayings),
    }


def _wanted(ran: Ran, place: int, form: int) -> Wanted:
    """What could change the outcome of a level."""
    search = ran.machine.search
    assert search is not None, "a rule set with outcomes knows what is missing"
    return (search.first_wanted_at if form == FIRST else search.wanted_at)(ran.states[place])


def _not_assessed(flags: Sequence[Rule], row: Judged, sayings: Sayings) -> list[dict[str, str]]:
    said = sayings.criteria(flags, row)
    return [{"id": rule.id, "message": one["message"], "ask": rule.ask} for rule, one in zip(flags, said, strict=True)]


def _apart(chosen: RuleSet) -> dict[str, str]:
    """What sets other verdicts apart from the clinical ones: their kind, and the determination that coverage reads."""
    lcd = {"lcd": chosen.lcd} if chosen.lcd else {}
    return {} if chosen.kind == "clinical" else {"kind": chosen.kind, **lcd}


def _treated(ran: Ran, row: Judged, sayings: Sayings) -> dict[str, Any]:
    own = [rule for rule in ran.machine.rule_set.criteria if rule.scope is Scope.TREATED_LEVEL]
    return {
        "level": row.sheet.level,
        "episode": row.sheet.episode,
        "ruleSet": ran.machine.rule_set.id,
        "criteria": sayings.criteria(own, row),
    }


def _weighed(ran: Ran, sayings: Sayings) -> Iterable[dict[str, Any]]:
    """What a rule set of considerations lists: for a level its own and the person's, for a treated one its own.

    A rule set that says nothing of levels lists the person's once, and only beside a vertebra.
    """
    rules = ran.machine.rule_set.criteria
    treated = [rule for rule in rules if rule.scope is Scope.TREATED_LEVEL]
    others = [rule for rule in rules if rule.scope is not Scope.TREATED_LEVEL]
    alone = all(rule.scope is Scope.PATIENT for rule in others)
    anybody = ran.judged[Scope.LEVEL] or ran.judged[Scope.TREATED_LEVEL]
    rows = (ran.judged[Scope.PATIENT] if anybody else ()) if alone else ran.judged[Scope.LEVEL]
    for own, sheets in ((others, rows), (treated, ran.judged[Scope.TREATED_LEVEL])):
        for row in sheets if own else ():
            yield {
                "level": row.sheet.level,
                "episode": row.sheet.episode,
                "instance": row.sheet.instance,
                "ruleSet": ran.machine.rule_set.id,
                "criteria": sayings.criteria(own, row),
            }
