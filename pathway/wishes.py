"""From rules to wishes: which obligations a rule set states on one sheet, for when, and what speaks against an end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from pathway.case import Case
from pathway.chart import patient_id
from pathway.conditions import All, AnyOf, Condition, Leaf, Not, Op, leaves
from pathway.decisions import SECOND
from pathway.episodes import person_episode_id
from pathway.kleene import fold, reason_of, verdict_of
from pathway.obligations import Item, Obligation, State
from pathway.rulebook import Due, Rule
from pathway.sayings import Sayings
from pathway.strata import Judged, Machine, Ran


def wishes_of(ran: Ran, case: Case, sayings: Sayings, form: int) -> Iterator[Obligation]:
    """Every obligation that a rule set states on a case, sheet by sheet, in a decision of that form; no hint is one."""
    for scope, rows in ran.asking.items():
        for row, holds in zip(rows, ran.holds[scope], strict=True):
            for rule in ran.machine.rule_set.obligations:
                if rule.scope is scope and not rule.card:
                    wish = _wish(ran.machine, case, rule, row, holds, sayings, form)
                    if wish is not None:
                        yield wish


def _wish(
    machine: Machine, case: Case, rule: Rule, row: Judged, holds: Mapping[str, bool], sayings: Sayings, form: int
) -> Obligation | None:  # fmt: skip
    """Open while its condition holds; closed by evidence if it is asked for now or stands open as a task.

    One that stands open also lasts through the outcomes that its rule names: data grown old withdraw no task. Nor does
    its time: past that, no new one opens, and the one that stands is ended by the clock or by people.
    """
    when = holds[f"{rule.id}:when"]
    if not when and not case.standing:
        return None
    episode = person_episode_id(case.patient) if rule.per == "patient" else row.sheet.episode
    closed = holds.get(f"{rule.id}:closed", False)
    outcome = row.view.get("outcome")
    lasting = closed or (outcome is not None and outcome.value in rule.lasts_through)
    standing = f"{episode}/{rule.id}" in case.standing
    if not episode or not (when or (lasting and standing)):
        return None
    if not standing and _over(case, rule, row):
        return None
    assert rule.due is not None, "the rule book gives every obligation its due"
    names = [name for name in machine.reads[rule.id] if name in row.view]
    facts = [row.view[name] for name in names]
    criteria = [c for c in machine.below[rule.id] if c.id in row.view]
    below = [row.view[name] for c in criteria for name in machine.reads[c.id]]
    sources = tuple(sorted({source for fact in (*facts, *below) for source in fact.sources}))
    later = form > SECOND
    return Obligation(
        rule=rule.id, release=machine.rule_set.release, code=rule.task, title=rule.title, episode=episode,
        state=State.CLOSED if closed else State.OPEN, levels=(row.sheet.level,), anchor=rule.due.after,
        due_at=_instant(case, rule.due, row), owner=rule.owner,
        priority=rule.priority, focus=_focus(case, row), why=_why(machine, rule, row, closed, criteria, sayings),
        sources=sources,
        evidence=_evidence(machine, rule, row, case, sources, form) if closed else (),
        items=_items(machine, rule, row, case, sayings),
        start_at=_instant(case, rule.start, row) if rule.start else None,
        expires_at=_instant(case, rule.expires, row) if rule.expires else None,
        by_day=later and rule.due.by_day,
        anchor_at=_anchor(case, rule.due, row) if later and rule.due.by_day else None,
        against=_against(machine, rule, row, case) if later and not closed else (),
        overtaken=_overtaken(rule, row, case) if closed else "",
    )  # fmt: skip


def _evidence(
    machine: Machine, rule: Rule, row: Judged, case: Case, sources: tuple[str, ...], form: int
) -> tuple[str, ...]:  # fmt: skip
    """The records that close a task: those of the comparisons by which it is closed. All, if these have no record."""
    if form <= SECOND or rule.closed_by is None:
        return sources
    return _cited(machine, rule.closed_by, row, case, as_=True) or sources


def _overtaken(rule: Rule, row: Judged, case: Case) -> str:
    """Why a closed task is not asked for any more although nobody did it; empty if it was done."""

    def told(leaf: Leaf) -> bool | None:
        return verdict_of(leaf, row.view[leaf.datum.id], case.as_of)

    if rule.closed_by is None or fold(
        rule.closed_by, lambda leaf: leaf.datum.id not in rule.overtaken_by and told(leaf)
    ):
        return ""
    closing = {leaf.datum.id for leaf in leaves(rule.closed_by) if told(leaf)}
    return next((why for name, why in rule.overtaken_by.items() if name in closing), "")


def _over(case: Case, rule: Rule, row: Judged) -> bool:
    """Whether the time in which a rule opens anything has passed."""
    return any(bound and _instant(case, bound, row) <= case.as_of for bound in (rule.expires, rule.opens_within))


def _instant(case: Case, time: Due, row: Judged) -> datetime:
    return _anchor(case, time, row) + timedelta(seconds=time.seconds)


def _anchor(case: Case, time: Due, row: Judged) -> datetime:
    """The instant of the event that a time counts from: the task's own beginning, the onset, or the cement."""
    episode = case.episode(row.sheet.episode)
    return episode.onset_at if time.after in ("onset", "cement") and episode is not None else case.as_of


def _against(machine: Machine, rule: Rule, row: Judged, case: Case) -> tuple[str, ...]:
    """The records that say the opposite of what closes a task. What is not recorded, or not done yet, says nothing."""
    return _cited(machine, rule.closed_by, row, case, as_=False, only=_speaks) if rule.closed_by else ()


def _speaks(leaf: Leaf) -> bool:
    return leaf.op is not Op.RECORDED and not leaf.datum.progress


def _cited(
    machine: Machine, condition: Condition, row: Judged, case: Case, *, as_: bool,
    only: Callable[[Leaf], bool] = lambda _: True,
) -> tuple[str, ...]:  # fmt: skip
    """The records of the comparisons by which a condition surely came out so, those of its criteria among them."""
    found: set[str] = set()
    for leaf in filter(only, coming_out(condition, row, case, as_=as_)):
        found.update(row.view[leaf.datum.id].sources)
        criterion = machine.rules.get(leaf.datum.id)
        if criterion is not None and row.verdicts.get(criterion.id) in ("met", "not-met"):
            met = row.verdicts[criterion.id] == "met"
            below = filter(only, coming_out(criterion.when, row, case, as_=met))
            found.update(source for one in below for source in row.view[one.datum.id].sources)
    return tuple(sorted(found))


def coming_out(condition: Condition, row: Judged, case: Case, *, as_: bool) -> Iterator[Leaf]:
    """The comparisons that surely came out for a condition, or against it; under a `not`, the other way round."""
    match condition:
        case Leaf():
            if verdict_of(condition, row.view[condition.datum.id], case.as_of) is as_:
                yield condition
        case Not(part):
            yield from coming_out(part, row, case, as_=not as_)
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from coming_out(part, row, case, as_=as_)


def _items(machine: Machine, rule: Rule, row: Judged, case: Case, sayings: Sayings) -> tuple[Item, ...]:
    """The checklist of an obligation, in its written order."""
    if not rule.checklist:
        return ()
    return tuple(_item(machine, machine.rules[id], row, case, sayings) for id in rule.checklist)


def _item(machine: Machine, rule: Rule, row: Judged, case: Case, sayings: Sayings) -> Item:
    """One criterion as a line of a checklist; what it still lacks is asked for, by the rule's word or the datum's."""
    verdict, vocabulary = row.verdicts[rule.id], machine.rule_set.vocabulary
    lacking = [leaf.datum for leaf in leaves(rule.when) if reason_of(leaf, row.view[leaf.datum.id], case.as_of)]
    asks = [rule.ask or vocabulary[datum.id].ask for datum in lacking] if verdict != "met" else []
    ask = next(filter(None, asks), "")
    (said,) = sayings.criteria([rule], row)
    return Item(rule.id, verdict, said["message"], vocabulary.asks[ask].say if ask else "")


def _why(
    machine: Machine, rule: Rule, row: Judged, closed: bool, criteria: Sequence[Rule], sayings: Sayings
) -> tuple[str, ...]:
    """The rule's sentence; and for what is still unknown, the request in words."""
    said = sayings.sentence(rule.say["closed" if closed else "open"], (rule, *criteria), row)
    asks = machine.rule_set.vocabulary.asks
    open_asks: Iterable[str] = (
        asks[c.ask].say for c in criteria if not closed and c.ask and row.verdicts.get(c.id) == "unknown"
    )
    return tuple(dict.fromkeys((said, *open_asks)))


def _focus(case: Case, row: Judged) -> str:
    """The record that a task is about: the first source of its episode, else the patient."""
    episode = case.episode(row.sheet.episode)
    if episode is not None and episode.sources:
        return episode.sources[0]
    return f"Patient/{patient_id(case.patient)}"
