"""Rule sets that judge a case together: what several of them have in common is judged once, and each gets its verdicts.

What is in common is told by content (the condition with its bounds, ages and lists, and the declaration of every datum
in it), never by name alone. The verdicts are those that each rule set comes to alone.
Why, and what it saves: docs/adr/0022-many-policies-one-judgement.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

from pathway.case import Case
from pathway.common import EVERYBODY, Common, Group, renamed, verdict_datum
from pathway.comparisons import Comparisons, places
from pathway.completions import State, state_of
from pathway.errors import EngineDisagreementError
from pathway.facts import Fact
from pathway.lent import Lent
from pathway.messages import FIELD
from pathway.missing import States
from pathway.rulebook import Rule
from pathway.strata import OUTCOME, Judged, Machine, Ran, wishes, with_outcomes
from pathway.verdicts import Verdict
from pathway.vocabulary import Datum, Scope

Rows = Mapping[Scope, Sequence[Judged]]
"""Every sheet as the whole panel sees it, under the names of the panel."""
Words = dict[str, str]
"""Verdicts in words, by the name that a statement has in the panel."""


@dataclass(frozen=True, slots=True)
class _Seat:
    """One rule set at the panel: its groups, and under which name in the panel each of its statements is judged.

    `criteria` are by the scope that sees them, `own` those of exactly one scope; it is `plain` if it knows each of
    them by the panel's name. `asking` is the group of its obligations.
    """

    machine: Machine
    group: Group
    asking: Group
    outcome: str
    plain: bool
    criteria: Mapping[Scope, tuple[tuple[str, str], ...]]
    own: Mapping[Scope, frozenset[str]]
    picks: Mapping[str, str]
    wishes: Mapping[Scope, tuple[tuple[str, str], ...]]
    states: Callable[[Sequence[State]], States]


class Panel(Lent, Sequence[Machine]):
    """Compiled rule sets in their order, and what judges them together. Threads may share it, forked children too.

    Those that are chosen by payer and place each keep apart what they alone have: where one is not chosen, nothing is
    judged for it. `twins` leads a criterion, by its identity, to the number of all that say the same of it.
    """

    def __init__(self, machines: Iterable[Machine]) -> None:
        self._machines = tuple(machines)
        self._strata = self._criteria, self._recommend, self._oblige = Common(), Common(), Common()
        self._looks: dict[Group, Comparisons[State]] = {}
        # What everybody takes in comes first, so that a chosen rule set finds it there.
        inner = sorted(range(len(self._machines)), key=lambda n: _apart(self._machines[n]))
        seats = {n: self._seat(n, self._machines[n]) for n in inner}
        self._seats = {id(machine): seats[n] for n, machine in enumerate(self._machines)}
        for stratum in self._strata:
            stratum.compile()
        self._words = {name: {word.value: Fact(name, word.value) for word in Verdict} for name in self._criteria.names}
        self.twins = _twins(self._machines)
        super().__init__(", ".join(machine.rule_set.release for machine in self._machines))

    @overload
    def __getitem__(self, index: int) -> Machine: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Machine]: ...
    def __getitem__(self, index: int | slice) -> Machine | Sequence[Machine]:
        return self._machines[index]

    def __len__(self) -> int:
        return len(self._machines)

    def run(self, case: Case, chosen: Sequence[Machine], asks: Sequence[bool]) -> list[Ran]:
        """The strata of the chosen rule sets, in their order, each closed for all before the next.

        `asks` says for each whether its obligations are judged too.
        """
        seats = [self._seats[id(machine)] for machine in chosen]
        groups = tuple(dict.fromkeys([EVERYBODY, *(seat.group for seat in seats)]))
        try:
            rows = self._judge_criteria(case, groups)
            fired = self._judge_outcomes(case, groups, rows[Scope.LEVEL])
            picks = [_picked(seat, fired) for seat in seats]
            asking = [one for one, asked in zip(zip(seats, picks, strict=True), asks, strict=True) if asked]
            holds = self._judge_obligations(case, rows, asking)
        except EngineDisagreementError as fault:
            for seat in seats:
                seat.machine.count(0, len(_statements(seat).intersection(fault.about)))
            raise
        stand = {group: self._stand(case, group, rows) for group in groups if group in self._looks}
        return [
            _ran(seat, rows, picked, stand.get(seat.group, []), holds if asked else {})
            for seat, picked, asked in zip(seats, picks, asks, strict=True)
        ]

    def _judge_criteria(self, case: Case, groups: Sequence[Group]) -> Rows:
        """Stratum one: for each sheet the verdicts that its scope sees, those of the person and the level with it."""
        person: Words = {}
        by_level: dict[str, Words] = {}
        judged: dict[Scope, list[Judged]] = {}
        for scope in Scope:
            rows = case.views(scope)
            found = self._criteria.judge(groups, scope, [view for _, view in rows], case.as_of)
            judged[scope] = []
            for (sheet, view), verdicts in zip(rows, found, strict=True):
                own = {name: verdict.value for name, verdict in verdicts.items()}
                words = {**person, **by_level.get(sheet.level, {}), **own}
                facts = {name: self._words[name][word] for name, word in words.items()}
                judged[scope].append(Judged(sheet, {**view, **facts}, words))
                if scope is Scope.PATIENT:
                    person = own
                elif scope is Scope.LEVEL:
                    by_level[sheet.level] = own
        return judged

    def _judge_outcomes(self, case: Case, groups: Sequence[Group], levels: Sequence[Judged]) -> list[set[str]]:
        """Stratum two: for each level the recommendation rules that fired."""
        found = self._recommend.judge(groups, Scope.LEVEL, [row.view for row in levels], case.as_of)
        return [{name for name, verdict in row.items() if verdict is Verdict.MET} for row in found]

    def _judge_obligations(
        self, case: Case, rows: Rows, asking: Sequence[tuple[_Seat, Sequence[Rule]]]
    ) -> dict[Scope, list[set[str]]]:
        """Stratum three: for each sheet the conditions of obligations that hold."""
        groups = tuple(dict.fromkeys([EVERYBODY, *(seat.asking for seat, _ in asking)]))
        holds: dict[Scope, list[set[str]]] = {}
        for scope in Scope:
            views = [row.view for row in rows[scope]]
            if scope is Scope.LEVEL:
                views = [
                    {**view, **{seat.outcome: Fact(OUTCOME, picks[place].outcome) for seat, picks in asking if picks}}
                    for place, view in enumerate(views)
                ]
            found = self._oblige.judge(groups, scope, views, case.as_of)
            holds[scope] = [{name for name, verdict in row.items() if verdict is Verdict.MET} for row in found]
        return holds

    def _stand(self, case: Case, group: Group, rows: Rows) -> list[list[State]]:
        return [self._looks[group].on(row.view, case.as_of) for row in rows[Scope.LEVEL]]

    def _free(self) -> None:
        for stratum in self._strata:
            stratum.close()

    def _seat(self, number: int, machine: Machine) -> _Seat:
        """Give every statement of a rule set its name in the panel."""
        chosen = machine.rule_set
        group, asking = (str(number) if apart else EVERYBODY for apart in _apart(machine))
        criteria = [(r, self._criteria.name(group, r.id, r.scope, r.when)) for r in chosen.criteria]
        names = {rule.id: verdict_datum(name, rule.scope) for rule, name in criteria}
        outcome = f"{OUTCOME}@{number}"

        def name(datum: Datum) -> Datum:
            return replace(datum, id=outcome) if datum.id == OUTCOME else names.get(datum.id, datum)

        picks = {
            r.id: self._recommend.name(group, r.id, r.scope, renamed(r.when, name)) for r in chosen.recommendations
        }
        asked = [
            (wish, scope, self._oblige.name(asking, wish, scope, renamed(when, name)))
            for wish, scope, when in wishes(chosen)
        ]
        numbers: tuple[int, ...] = ()
        if machine.search is not None:
            looks = self._looks.setdefault(group, Comparisons(state_of))
            numbers = tuple(looks.number(leaf) for leaf in machine.search.leaves)
        return _Seat(
            machine, group, asking, outcome, all(rule.id == named for rule, named in criteria),
            {scope: tuple((r.id, name) for r, name in criteria if scope.sees(r.scope)) for scope in Scope},
            {scope: frozenset(name for r, name in criteria if r.scope is scope) for scope in Scope},
            picks,
            {scope: tuple((wish, name) for wish, own, name in asked if own is scope) for scope in Scope},
            places(numbers),
        )  # fmt: skip


def _picked(seat: _Seat, fired: Sequence[set[str]]) -> list[Rule]:
    if seat.machine.search is None:
        return []
    return [seat.machine.pick([rule for rule, name in seat.picks.items() if name in row]) for row in fired]


def _ran(
    seat: _Seat, rows: Rows, picks: Sequence[Rule], stand: Sequence[list[State]], holds: Mapping[Scope, list[set[str]]]
) -> Ran:
    """What all this is to one rule set, under its own names."""
    judged = rows if seat.plain else {scope: [_own(seat, scope, row) for row in rows[scope]] for scope in Scope}
    evaluations = sum(len(rows[scope]) * len(seat.own[scope]) for scope in Scope) + len(picks) * len(seat.picks)
    evaluations += sum(len(rows[scope]) * len(seat.wishes[scope]) for scope in holds)
    seat.machine.count(evaluations, 0)
    return Ran(
        seat.machine, judged, picks,
        [seat.states(row) for row in stand] if picks else [],
        with_outcomes(judged, picks) if holds else {},
        {
            scope: [{wish: name in row for wish, name in seat.wishes[scope]} for row in found]
            for scope, found in holds.items()
        },
    )  # fmt: skip


def _own(seat: _Seat, scope: Scope, row: Judged) -> Judged:
    """A sheet for a rule set that knows a criterion by another name than the panel."""
    words = {rule: row.verdicts[name] for rule, name in seat.criteria[scope]}
    facts = {rule: seat.machine.said[rule][word] for rule, word in words.items()}
    return Judged(row.sheet, {**row.view, **facts}, words)


def _apart(machine: Machine) -> tuple[bool, bool]:
    """Whether a rule set is judged only where it is chosen, and whether its obligations are only where it acts."""
    chosen = bool(machine.rule_set.applies_to)
    return chosen, chosen or machine.rule_set.kind == "clinical"


def _statements(seat: _Seat) -> set[str]:
    wished = (name for rows in seat.wishes.values() for _, name in rows)
    return {*(name for names in seat.own.values() for name in names), *seat.picks.values(), *wished}


def _twins(machines: Iterable[Machine]) -> dict[int, int]:
    """Criteria of the same id, condition and messages; one whose message names another rule's verdict stands alone."""
    numbers: dict[object, int] = {}
    twins: dict[int, int] = {}
    for machine in machines:
        for rule in machine.rule_set.criteria:
            named = {field for text in rule.say.values() for field in FIELD.findall(text)}
            alone: object = id(rule) if named & {OUTCOME, *machine.said} else None
            content = (rule.id, rule.when, tuple(sorted(rule.say.items())), rule.ask, alone)
            twins[id(rule)] = numbers.setdefault(content, len(numbers))
    return twins
