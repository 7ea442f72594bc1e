"""`decide`: facts and releases in, decision out.

Pure: no clock, no network, no chance. Same bytes in, same bytes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pathway.canonical import instant
from pathway.case import Case
from pathway.completions import open_data
from pathway.decisions import Decision
from pathway.episodes import person_episode_id
from pathway.facts import Fact
from pathway.kleene import Because, explain
from pathway.messages import render
from pathway.obligations import Obligation, State, merge
from pathway.rulebook import Rule
from pathway.strata import Judged, Machine
from pathway.vocabulary import Scope

ENGINE = "durable-rules 2.0.28"


def decide(case: Case, machines: Sequence[Machine]) -> Decision:
    """The decision on a case under compiled rule sets, in their given order.

    Its body holds `asOf`, `releases`, `facts`, `levels` (each level under each clinical policy), `treated`,
    `obligations`, `setAside` and `inputSha256`; replay starts from `facts` and gives the same bytes.
    """
    levels: list[dict[str, Any]] = []
    treated: list[dict[str, Any]] = []
    wishes: list[Obligation] = []
    for machine in machines:
        judged = machine.criteria(case)
        if machine.rule_set.recommendations:
            picks = machine.outcomes(case, judged[Scope.LEVEL])
            rows = list(zip(judged[Scope.LEVEL], picks, strict=True))
            levels += [_level(machine, case, row, pick) for row, pick in rows]
            judged[Scope.LEVEL] = tuple(_with_outcome(row, pick) for row, pick in rows)
        treated += [_treated(machine, case, row) for row in judged[Scope.TREATED_LEVEL]]
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
    return Decision(body)


def obligations_of(body: Mapping[str, Any]) -> tuple[Obligation, ...]:
    """The obligations of a decision body, for the reconciler."""
    return tuple(
        Obligation(
            rule=raw["rule"], release=raw["release"], code=raw["code"], title=raw["title"], episode=raw["episode"],
            state=State(raw["state"]), levels=tuple(raw.get("levels", ())), anchor=raw["anchor"],
            due_at=datetime.fromisoformat(raw["due"]), owner=raw["owner"], priority=raw["priority"],
            focus=raw["focus"], why=tuple(raw.get("why", ())), sources=tuple(raw.get("sources", ())),
            evidence=tuple(raw.get("evidence", ())),
        )
        for raw in body["obligations"]
    )  # fmt: skip


def _release(machine: Machine) -> dict[str, str]:
    chosen = machine.rule_set
    said = {"id": chosen.id, "version": chosen.version, "kind": chosen.kind, "status": chosen.status}
    return {**said, "sha256": chosen.sha256}


def _with_outcome(row: Judged, pick: Rule) -> Judged:
    return Judged(row.sheet, {**row.view, "outcome": Fact("outcome", pick.outcome)}, row.verdicts)


def _level(machine: Machine, case: Case, row: Judged, pick: Rule) -> dict[str, Any]:
    """One level under one policy: outcome, criteria with their reasons, what is missing, what was not assessed."""
    rules = machine.rule_set.criteria
    deciding = machine.deciding(tuple((rule.id, row.verdicts[rule.id]) for rule in rules if rule.role != "note"))
    said = {rule.id: _criterion(rule, row, case) for rule in rules}
    missing: dict[str, dict[str, str]] = {}
    not_assessed: list[dict[str, str]] = []
    for rule in rules:
        if rule.id not in deciding:
            continue
        if rule.role == "flag":
            not_assessed.append({"id": rule.id, "message": said[rule.id]["message"], "ask": rule.ask})
            continue
        for datum in open_data(rule.when, row.view, case.as_of):
            missing.setdefault(datum, _missing(machine, rule, datum, row, said[rule.id]["because"]))
    return {
        "level": row.sheet.level,
        "episode": row.sheet.episode,
        "policy": machine.rule_set.id,
        "outcome": pick.outcome,
        "reason": render(pick.say["reason"], row.view, row.sheet.level),
        "criteria": list(said.values()),
        "missing": list(missing.values()),
        "notAssessed": not_assessed,
    }


def _missing(
    machine: Machine, rule: Rule, datum: str, row: Judged, because: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    fact = row.view[datum]
    reasons = {item["datum"]: item.get("reason") for item in because}
    reason = reasons.get(datum) or (fact.reason.value if fact.reason else "partly-known")
    ask = machine.rule_set.vocabulary[datum].ask or rule.ask
    return {"datum": datum, "reason": reason, "ask": ask, "say": machine.rule_set.vocabulary.asks[ask].say}


def _treated(machine: Machine, case: Case, row: Judged) -> dict[str, Any]:
    own = [rule for rule in machine.rule_set.criteria if rule.scope is Scope.TREATED_LEVEL]
    return {
        "level": row.sheet.level,
        "episode": row.sheet.episode,
        "ruleSet": machine.rule_set.id,
        "criteria": [_criterion(rule, row, case) for rule in own],
    }


def _criterion(rule: Rule, row: Judged, case: Case) -> dict[str, Any]:
    verdict = row.verdicts[rule.id]
    because = explain(rule.when, row.view, case.as_of)
    return {
        "id": rule.id,
        "verdict": verdict,
        "message": render(rule.say[verdict], row.view, row.sheet.level, _stale(because)),
        "because": [_because(item) for item in because],
    }


def _because(item: Because) -> dict[str, Any]:
    """One comparison as it went. Values stand in the facts; here stands which comparison, and how it ended."""
    verdict = {True: "met", False: "not-met", None: "unknown"}[item.verdict]
    body: dict[str, Any] = {"datum": item.datum, "test": f"{item.op} {item.operand}", "verdict": verdict}
    if item.reason:
        body["reason"] = item.reason
    if item.fact.sources:
        body["sources"] = sorted(set(item.fact.sources))
    return body


def _stale(because: Iterable[Because]) -> frozenset[str]:
    """The data that a rule finds too old."""
    return frozenset(item.datum for item in because if item.reason == "stale")


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
    names = [name for name in rule.reads() if name in row.view]
    facts = [row.view[name] for name in names]
    criteria = [c for c in machine.rule_set.criteria if c.id in names]
    below = [row.view[name] for c in criteria for name in c.reads()]
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
    because = (item for read in (rule, *criteria) for item in explain(read.when, row.view, case.as_of))
    said = render(rule.say["closed" if closed else "open"], row.view, row.sheet.level, _stale(because))
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
    return f"Patient/{case.patient.partition('|')[2]}"
