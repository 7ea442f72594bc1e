"""Hints: what is worth a thought while the chart is open, and no task for anybody.

An obligation that says `card` gives one while its condition holds. It rests on a sign that grows old, and whoever
opens the chart may dismiss it. Why, and what may never be one: docs/adr/0038-cards-that-are-no-tasks.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pathway.canonical import instant
from pathway.case import Case
from pathway.conditions import Leaf
from pathway.facts import Fact
from pathway.levels import sort_key
from pathway.obligations import Obligation, State
from pathway.rulebook import Rule
from pathway.sayings import Sayings
from pathway.strata import Judged, Ran
from pathway.wishes import coming_out


@dataclass(frozen=True, slots=True)
class Hint:
    """One card that is no task, about one patient. `why` are its sentences.

    `sign_at` is when the newest sign was, by which it is told from the next one, and `sources` its records.
    """

    rule: str
    release: str
    code: str
    title: str
    indicator: str
    levels: tuple[str, ...]
    why: tuple[str, ...]
    sign_at: datetime
    sources: tuple[str, ...]
    yields_to: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For canonical JSON."""
        return {
            "rule": self.rule, "release": self.release, "code": self.code, "title": self.title,
            "indicator": self.indicator, "levels": list(self.levels), "why": list(self.why),
            "signAt": instant(self.sign_at), "sources": list(self.sources),
        }  # fmt: skip


def hints_of(ran: Ran, case: Case, sayings: Sayings) -> Iterator[Hint]:
    """Every hint that a rule set states on a case, sheet by sheet."""
    rules = [rule for rule in ran.machine.rule_set.obligations if rule.card]
    for scope, rows in ran.asking.items() if rules else ():
        for row, holds in zip(rows, ran.holds[scope], strict=True):
            for rule in rules:
                if rule.scope is scope and holds[f"{rule.id}:when"]:
                    yield _hint(ran, case, rule, row, sayings)


def given(hints: Iterable[Hint], wishes: Sequence[Obligation]) -> tuple[Hint, ...]:
    """One hint for each rule, in order of rule, without those that yield to an obligation that is open."""
    pressing = {wish.rule for wish in wishes if wish.state is State.OPEN}
    merged: dict[str, Hint] = {}
    for hint in sorted(hints, key=lambda one: (one.rule, one.release, [sort_key(level) for level in one.levels])):
        if pressing.isdisjoint(hint.yields_to):
            known = merged.get(hint.rule)
            merged[hint.rule] = hint if known is None else _joined(known, hint)
    return tuple(merged.values())


def _hint(ran: Ran, case: Case, rule: Rule, row: Judged, sayings: Sayings) -> Hint:
    signs = _signs(rule, row, case)
    at = max((sign.at for sign in signs if sign.at is not None), default=case.as_of)
    return Hint(
        rule=rule.id, release=ran.machine.rule_set.release, code=rule.card, title=rule.title, indicator=rule.indicator,
        levels=(row.sheet.level,) if row.sheet.level else (), why=(sayings.sentence(rule.say["open"], [rule], row),),
        sign_at=at, sources=tuple(sorted({source for sign in signs if sign.at == at for source in sign.sources})),
        yields_to=rule.yields_to,
    )  # fmt: skip


def _signs(rule: Rule, row: Judged, case: Case) -> list[Fact]:
    """The facts that grow old and by which the condition holds now."""

    def grows_old(leaf: Leaf) -> bool:
        return leaf.within is not None

    return [row.view[leaf.datum.id] for leaf in filter(grows_old, coming_out(rule.when, row, case, as_=True))]


def _joined(one: Hint, other: Hint) -> Hint:
    """The same hint about two vertebrae; the newer sign tells it."""
    newer = max(one, other, key=lambda hint: hint.sign_at)
    same = [hint for hint in (one, other) if hint.sign_at == newer.sign_at]
    return replace(
        one,
        levels=tuple(sorted({*one.levels, *other.levels}, key=sort_key)),
        why=tuple(dict.fromkeys((*one.why, *other.why))),
        sign_at=newer.sign_at,
        sources=tuple(sorted({source for hint in same for source in hint.sources})),
    )
