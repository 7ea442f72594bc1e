"""`decide`: facts and releases in, decision out.

Pure: no clock, no network, no chance. Same bytes in, same bytes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

from pathway.applicability import choose
from pathway.canonical import instant, parse_instant
from pathway.case import Case
from pathway.chart import patient_id
from pathway.conditions import leaves
from pathway.decisions import FIRST, FORM, Decision
from pathway.episodes import person_episode_id
from pathway.facts import Fact, Reason
from pathway.kleene import PARTLY_KNOWN, reason_of
from pathway.messages import render
from pathway.obligations import Obligation, State, merge
from pathway.rulebook import Rule, RuleSet
from pathway.strata import Judged, Machine
from pathway.trace import comparisons
from pathway.vocabulary import Scope

ENGINE = "durable-rules 2.0.28"


def decide(
    case: Case, machines: Sequence[Machine], not_run: Sequence[Mapping[str, str]] = (), *, form: int = FORM
) -> Decision:
    """The decision on a case under compiled rule sets, in their given order.

    Its body holds `asOf`, `releases`, `facts`, `levels` (each level under each clinical policy), `treated`,
    `obligations`, `setAside`, `inputSha256` and, after the first, its `form`; replay starts from `facts` and gives
    the same bytes. `notRun` names the configured rule sets that did not decide, where there are any; `valueSets` is
    the hash of the code tables. Raises EngineError if a machine was closed before; closed meanwhile, it finishes.
    """
    with ExitStack() as uses:
        for machine in machines:
            uses.enter_context(machine.in_use())
        return Decision(_body(case, machines, not_run, form))


def _body(case: Case, machines: Sequence[Machine], not_run: Sequence[Mapping[str, str]], form: int) -> dict[str, Any]:
    levels: list[dict[str, Any]] = []
    treated: list[dict[str, Any]] = []
    wishes: list[Obligation] = []
    choice = choose(case, machines, not_run)
    for machine in choice.machines:
        judged = machine.criteria(case)
        if machine.rule_set.recommendations:
            picks = machine.outcomes(case, judged[Scope.LEVEL])
            rows = list(zip(judged[Scope.LEVEL], picks, strict=True))
            levels += [_level(machine, case, row, pick, form) for row, pick in rows]
            judged[Scope.LEVEL] = tuple(_with_outcome(row, pick) for row, pick in rows)
        treated += [_treated(machine, case, row, form) for row in judged[Scope.TREATED_LEVEL]]
        wishes += _wishes(machine, case, judged)
    body: dict[str, Any] = {
        "asOf": instant(case.as_of),
        "patient": case.patient,
        "engine": ENGINE,
        "releases": [_release(machine) for machine in machines],
        "facts": case.facts_json(),
        "levels": levels,
        "treated": [row for row in treated if row["criteria"]],
        "obligations": [wish.to_json() for wish in merge(wishes)],
        "setAside": [item.to_json() for item in case.set_aside],
        "inputSha256": case.input_sha256,
    }
    if choice.families:
        body["choices"] = list(choice.families)
    if not_run:
        body["notRun"] = [dict(one) for one in not_run]
    if case.value_sets:
        body["valueSets"] = case.value_sets
    if form != FIRST:
        body["form"] = form
    return body


def obligations_of(body: Mapping[str, Any]) -> tuple[Obligation, ...]:
    """The obligations of a decision body, for the reconciler."""
    return tuple(
        Obligation(
            rule=raw["rule"], release=raw["release"], code=raw["code"], title=raw["title"], episode=raw["episode"],
            state=State(raw["state"]), levels=tuple(raw.get("levels", ())), anchor=raw["anchor"],
            due_at=parse_instant(raw["due"]), owner=raw["owner"], priority=raw["priority"],
            focus=raw["focus"], why=tuple(raw.get("why", ())), sources=tuple(raw.get("sources", ())),
            evidence=tuple(raw.get("evidence", ())),
        )
        for raw in body["obligations"]
    )  # fmt: skip


def _release(machine: Machine) -> dict[str, str]:
    chosen = machine.rule_set
    said = {"id": chosen.id, "version": chosen.version, "kind": chosen.kind, "status": chosen.status}
    layer = {"base": chosen.site["base"], "site": chosen.site["sha256"]} if chosen.site else {}
    return {**said, "sha256": chosen.sha256, **layer}


def _with_outcome(row: Judged, pick: Rule) -> Judged:
    return Judged(row.sheet, {**row.view, "outcome": Fact("outcome", pick.outcome)}, row.verdicts)


def _level(machine: Machine, case: Case, row: Judged, pick: Rule, form: int) -> dict[str, Any]:
    """One level under one policy: outcome, criteria with their messages, what is missing, what was not assessed."""
    rules = {rule.id: rule for rule in machine.rule_set.criteria}
    said = {rule.id: _criterion(rule, row, case, form) for rule in rules.values()}
    assert machine.search is not None, "a rule set with outcomes knows what is missing"
    find = machine.search.first_wanted if form == FIRST else machine.search.wanted
    wanted = find(row.view, case.as_of)
    missing: dict[str, dict[str, str]] = {}
    for datum, id in wanted.data:
        if datum not in missing:
            missing[datum] = _missing(machine, rules[id], datum, row, case, form)
    return {
        "level": row.sheet.level,
        "episode": row.sheet.episode,
        "policy": machine.rule_set.id,
        **_coverage(machine.rule_set),
        "outcome": pick.outcome,
        "reason": render(pick.say["reason"], row.view, row.sheet.level),
        "criteria": list(said.values()),
        "missing": list(missing.values()),
        "notAssessed": [{"id": id, "message": said[id]["message"], "ask": rules[id].ask} for id in wanted.flags],
    }


def _coverage(chosen: RuleSet) -> dict[str, str]:
    """What sets a verdict about coverage apart from the clinical ones: its kind, and the determination it reads."""
    return {"kind": chosen.kind, "lcd": chosen.lcd} if chosen.lcd else {}


def _missing(machine: Machine, rule: Rule, datum: str, row: Judged, case: Case, form: int) -> dict[str, str]:
    fact, vocabulary = row.view[datum], machine.rule_set.vocabulary
    reasons = [reason_of(leaf, fact, case.as_of) for leaf in leaves(rule.when) if leaf.datum.id == datum]
    reason = reasons[-1] if form == FIRST else next(filter(None, reasons), "")
    reason = reason or (fact.reason.value if fact.reason else PARTLY_KNOWN)
    ask = vocabulary[datum].ask or rule.ask
    return {"datum": datum, "reason": reason, "ask": ask, "say": vocabulary.asks[ask].say}


def _treated(machine: Machine, case: Case, row: Judged, form: int) -> dict[str, Any]:
    own = [rule for rule in machine.rule_set.criteria if rule.scope is Scope.TREATED_LEVEL]
    return {
        "level": row.sheet.level,
        "episode": row.sheet.episode,
        "ruleSet": machine.rule_set.id,
        "criteria": [_criterion(rule, row, case, form) for rule in own],
    }


def _criterion(rule: Rule, row: Judged, case: Case, form: int) -> dict[str, Any]:
    verdict = row.verdicts[rule.id]
    said = {"id": rule.id, "verdict": verdict, "message": _said(rule.say[verdict], [rule], row, case)}
    if form == FIRST:
        return {**said, "because": [item.to_json() for item in comparisons(rule.when, row.view, case.as_of)]}
    return said


def _said(template: str, rules: Iterable[Rule], row: Judged, case: Case) -> str:
    """A sentence with its fields; the data that one of the rules finds too old are looked for if it speaks of them."""
    stale: frozenset[str] = frozenset()
    if ".reason}" in template:
        asked = (leaf for rule in rules for leaf in leaves(rule.when))
        stale = frozenset(
            leaf.datum.id for leaf in asked if reason_of(leaf, row.view[leaf.datum.id], case.as_of) == Reason.STALE
        )
    return render(template, row.view, row.sheet.level, stale)


def _wishes(machine: Machine, case: Case, judged: Mapping[Scope, tuple[Judged, ...]]) -> Iterable[Obligation]:
    for scope, rows in judged.items():
        for row, holds in zip(rows, machine.obligations(case, scope, rows), strict=True):
            for rule in machine.rule_set.obligations:
                if rule.scope is scope:
                    wish = _wish(machine, case, rule, row, holds)
                    if wish is not None:
                        yield wish


def _wish(machine: Machine, case: Case, rule: Rule, row: Judged, holds: Mapping[str, bool]) -> Obligation | None:
    """Open while its condition holds; closed by evidence if it is asked for now or stands open as a task.

    One that stands open also lasts through the outcomes that its rule names: data grown old withdraw no task.
    """
    episode = person_episode_id(case.patient) if rule.per == "patient" else row.sheet.episode
    closed = holds.get(f"{rule.id}:closed", False)
    outcome = row.view.get("outcome")
    lasting = closed or (outcome is not None and outcome.value in rule.lasts_through)
    if not episode or not (holds[f"{rule.id}:when"] or (lasting and f"{episode}/{rule.id}" in case.standing)):
        return None
    assert rule.due is not None, "the rule book gives every obligation its due"
    names = [name for name in machine.reads[rule.id] if name in row.view]
    facts = [row.view[name] for name in names]
    criteria = [c for c in machine.rule_set.criteria if c.id in names]
    below = [row.view[name] for c in criteria for name in machine.reads[c.id]]
    sources = tuple(sorted({source for fact in (*facts, *below) for source in fact.sources}))
    return Obligation(
        rule=rule.id, release=machine.rule_set.release, code=rule.task, title=rule.title, episode=episode,
        state=State.CLOSED if closed else State.OPEN, levels=(row.sheet.level,), anchor=rule.due.after,
        due_at=_anchor(case, rule.due.after, row) + timedelta(seconds=rule.due.seconds), owner=rule.owner,
        priority=rule.priority, focus=_focus(case, row), why=_why(machine, rule, row, closed, criteria, case),
        sources=sources, evidence=sources if closed else (),
    )  # fmt: skip


def _why(
    machine: Machine, rule: Rule, row: Judged, closed: bool, criteria: Sequence[Rule], case: Case
) -> tuple[str, ...]:
    """The rule's sentence; and for what is still unknown, the request in words."""
    said = _said(rule.say["closed" if closed else "open"], (rule, *criteria), row, case)
    asks = machine.rule_set.vocabulary.asks
    open_asks = [asks[c.ask].say for c in criteria if not closed and c.ask and row.verdicts.get(c.id) == "unknown"]
    return tuple(dict.fromkeys((said, *open_asks)))


def _anchor(case: Case, event: str, row: Judged) -> datetime:
    """The instant that a due date counts from: the task's own beginning, the onset, or the cement."""
    episode = case.episode(row.sheet.episode)
    return episode.onset_at if event in ("onset", "cement") and episode is not None else case.as_of


def _focus(case: Case, row: Judged) -> str:
    """The record that a task is about: the first source of its episode, else the patient."""
    episode = case.episode(row.sheet.episode)
    if episode is not None and episode.sources:
        return episode.sources[0]
    return f"Patient/{patient_id(case.patient)}"
