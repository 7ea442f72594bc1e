"""The next instant at which time alone may change a decision: until then nobody has to make it again.

Time reaches a decision in five ways: a fact grows too old for a rule (`within`), a count of days comes to a bound, the
time in which an obligation opens is over, what the chart says of itself changes (`Case.turns_at`), and a release comes
to its last day. That another release comes into force is no rule set's to know: `Rechecks` notices it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from pathway.calendar import start_of_day
from pathway.case import Case
from pathway.conditions import Leaf, Op, leaves
from pathway.effective import Period
from pathway.facts import Fact
from pathway.rulebook import Due, RuleSet
from pathway.vocabulary import Scope

UTC: Final = ZoneInfo("UTC")
_DAY: Final = timedelta(days=1)
_RIGHT_AFTER: Final = timedelta.resolution
_REACHED: Final = {
    Op.AT_LEAST: (0,), Op.LESS_THAN: (0,), Op.MORE_THAN: (1,), Op.AT_MOST: (1,), Op.IS: (0, 1),
}  # fmt: skip
"""How far beyond its bound a growing count turns a comparison."""


def next_change(case: Case, rule_sets: Iterable[RuleSet], zone: ZoneInfo = UTC) -> datetime | None:
    """An instant after `case.as_of` before which outcomes and obligations stay as they are; None if they always do.

    It may come too early, never too late: nothing but the words of reasons, which count days, differs until then.
    `zone` is the facility's, by whose days releases hold.
    """
    releases = [_Release(one.sha256, one) for one in rule_sets]
    ends = (_end(one.rule_set, zone) for one in releases)
    instants = (*_instants(case, [_watched(one) for one in releases]), *ends)
    return min((at for at in instants if at is not None and at > case.as_of), default=None)


def _end(rule_set: RuleSet, zone: ZoneInfo) -> datetime | None:
    """The instant after the last day on which a release may decide."""
    last = Period.read(rule_set.document["ruleset"]["effective"], rule_set.release).end
    return start_of_day(last + _DAY, zone) if last is not None else None


@dataclass(frozen=True, slots=True)
class _Release:
    """A rule set, told from others by its hash alone."""

    sha256: str
    rule_set: RuleSet = field(compare=False)


@dataclass(frozen=True, slots=True)
class _Watched:
    """What time can reach in a rule set: its comparisons by scope, and the bounds within which obligations open."""

    leaves: Mapping[Scope, Mapping[tuple[object, ...], Leaf]]
    bounds: Sequence[Due]


@lru_cache(maxsize=256)
def _watched(release: _Release) -> _Watched:
    by_scope: dict[Scope, dict[tuple[object, ...], Leaf]] = {scope: {} for scope in Scope}
    bounds: list[Due] = []
    for rule in release.rule_set.rules():
        for leaf in (leaf for part in rule.conditions() for leaf in leaves(part)):
            counted = leaf.op in _REACHED and type(leaf.operand) is int
            if leaf.within is not None or counted:
                by_scope[rule.scope][leaf.datum.id, leaf.op, leaf.operand, leaf.within] = leaf
        bounds += [one for one in (rule.expires, rule.opens_within) if one is not None and one.after != "asked"]
    return _Watched(by_scope, bounds)


def _instants(case: Case, watched: Sequence[_Watched]) -> Iterator[datetime]:
    if case.turns_at is not None:
        yield case.turns_at
    for seconds in {bound.seconds for one in watched for bound in one.bounds}:
        for episode in case.episodes:
            yield episode.onset_at + timedelta(seconds=seconds)
    for scope in Scope:
        found = {key: leaf for one in watched for key, leaf in one.leaves[scope].items()}
        for _, view in case.views(scope):
            for leaf in found.values():
                if fact := view.get(leaf.datum.id):  # a name that is no datum is a criterion, and follows from data
                    yield from _turns(leaf, fact)


def _turns(leaf: Leaf, fact: Fact) -> Iterator[datetime]:
    """When one comparison on a fact may come out otherwise."""
    if leaf.within is not None and fact.at is not None:
        yield fact.at + timedelta(seconds=leaf.within) + _RIGHT_AFTER  # exactly as old as allowed still counts
    if fact.since is not None and isinstance(leaf.operand, int):
        for more in _REACHED.get(leaf.op, ()):
            yield fact.since + (leaf.operand + more) * _DAY
