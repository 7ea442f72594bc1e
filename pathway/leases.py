"""Compiled rule sets on loan: who decides borrows those of the day, and newer ones are swapped in between two calls.

A call keeps what it borrowed until it is done; what nobody needs any more is closed when its last borrower is gone.
So a release, a site layer or midnight changes the rules without a restart, and no call is dropped.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, tzinfo
from typing import Final, Generic, Protocol, TypeVar

from pathway.case import Case
from pathway.errors import NotInForceError
from pathway.forks import renew_in_child
from pathway.in_force import Rules, Selection, Trouble
from pathway.lent import Lent
from pathway.panel import Panel
from pathway.rulebook import RuleSet
from pathway.strata import Machine
from pathway.vocabulary import Vocabulary

RETRY: Final = 10
IDLE: Final = 16
"""How many compiled rule sets that are not in force are kept for the next replay."""


class Tell(Protocol):
    """Told of an event about the rules: its name, and what it is about."""

    def __call__(self, event: str, **about: str) -> object: ...


T = TypeVar("T", bound=Lent)


class Pool(Generic[T]):
    """What is compiled, by a key, each compiled once; of those that nobody has, the oldest are closed."""

    def __init__(self, idle: int) -> None:
        self._idle = idle
        self._kept: OrderedDict[str, T] = OrderedDict()
        self._users: dict[str, int] = {}
        self.forget()
        renew_in_child(self)

    def forget(self) -> None:
        """Begin with a lock of its own."""
        self._lock = threading.Lock()

    def borrow(self, key: str, make: Callable[[], T]) -> T:
        """What has that key; it is made only where it is not there yet."""
        with self._lock:
            if key in self._kept:
                return self._taken(key)
        made = make()
        with self._lock:
            if key in self._kept:  # another thread was faster
                made.close()
            else:
                self._kept[key] = made
            return self._taken(key)

    def give_back(self, keys: Iterable[str]) -> None:
        """Done with what was borrowed under these keys, each once."""
        with self._lock:
            for key in keys:
                self._users[key] -= 1
            idle = [key for key in self._kept if not self._users[key]]
            closing = {key: self._kept.pop(key) for key in idle[: max(0, len(idle) - self._idle)]}
            for key in closing:
                del self._users[key]
        for one in closing.values():
            one.close()

    def __len__(self) -> int:
        return len(self._kept)

    def _taken(self, key: str) -> T:
        self._kept.move_to_end(key)
        self._users[key] = self._users.get(key, 0) + 1
        return self._kept[key]


def silent(event: str, **about: str) -> None:
    """Tells nobody."""


@dataclass(slots=True, eq=False)
class Armed:
    """What decides on one day: compiled rule sets, those that do not run, and what together they declare.

    `borrowed` are the hashes of the rule sets on loan.
    """

    day: date
    machines: Panel
    selection: Selection
    vocabulary: Vocabulary
    exact: bool
    borrowed: list[str] = field(repr=False)
    calls: int = 0
    retired: bool = False

    @property
    def not_run(self) -> tuple[Mapping[str, str], ...]:
        """The configured rule sets that do not decide, and why."""
        return self.selection.not_run

    @property
    def rule_sets(self) -> tuple[RuleSet, ...]:
        """The rule sets that decide, in order."""
        return self.selection.rule_sets

    @property
    def key(self) -> str:
        """Under which the panel is on loan: the rule sets and their order."""
        return _key(self.rule_sets)

    def taken(self) -> Armed:
        """Count one more call."""
        self.calls += 1
        return self

    def sees(self, case: Case) -> Case:
        """The case as these rule sets can read it back: without data that none of them declares."""
        return case if self.exact else case.within(self.vocabulary)


class RulesInForce:
    """The rules of the day, compiled and on loan. Threads share one; a forked child goes on with its own copy.

    The disk is looked at no oftener than every `look_every` seconds, and as long as there is trouble it is read anew
    every `RETRY` looks. `tell` is told of every change and of every trouble.
    """

    def __init__(
        self, rules: Rules, zone: tzinfo, *, look_every: float = 1.0, tell: Tell = silent,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.rules = rules
        self.machines = Pool[Machine](IDLE)
        self.panels = Pool[Panel](0)
        self._zone, self._look_every, self._tell, self._elapsed = zone, look_every, tell, elapsed
        self._current: Armed | None = None
        self._marks: tuple[object, ...] = ()
        self._look_at = self._retry_at = 0.0
        self.forget()
        renew_in_child(self)

    def forget(self) -> None:
        """Begin with locks of its own."""
        self._lock, self._building = threading.Lock(), threading.Lock()

    @property
    def trouble(self) -> tuple[Trouble, ...]:
        """What is wrong with the rules, as of the last look."""
        current = self._current
        return current.selection.trouble if current else ()

    def look(self, now: datetime) -> Armed:
        """What decides at an instant, to be looked at and not to decide with; raises as `Rules.select`."""
        armed = self._take(self._day(now))
        self._give(armed)
        return armed

    @contextmanager
    def lease(self, now: datetime) -> Generator[Armed]:
        """What decides at an instant, for as long as the call lasts; NotInForceError where no rule set does."""
        armed = self._take(self._day(now))
        try:
            if not armed.machines:
                why = "; ".join(reason["why"] for reason in armed.not_run)
                fix = "`pathway rules list` shows which release holds when"
                raise NotInForceError(f"no rule set decides on {armed.day}", why=why, fix=fix)
            yield armed
        finally:
            self._give(armed)

    @contextmanager
    def stored(self, rule_sets: Mapping[str, Callable[[], RuleSet]]) -> Generator[tuple[Machine, ...]]:
        """The machines of stored rule sets, by hash and in order: for a replay, which brings its own rules."""
        borrowed: dict[str, Machine] = {}
        try:
            for sha256, make in rule_sets.items():
                borrowed[sha256] = self.machines.borrow(sha256, _compiling(make))
            yield tuple(borrowed.values())
        finally:
            self.machines.give_back(borrowed)

    def close(self) -> None:
        """Let go of the rules of the day; a later call arms them anew."""
        self._swap(None)

    def _day(self, now: datetime) -> date:
        return now.astimezone(self._zone).date()

    def _take(self, day: date) -> Armed:
        """The armed rules of a day, counting one more call on them."""
        with self._lock:
            current = self._of(day)
            # While somebody else looks, the others go on with what they have: nobody waits for a compilation,
            # unless there is nothing for this day yet.
            if current and (self._elapsed() < self._look_at or self._building.locked()):
                return current.taken()
        with self._building:
            current, marks = self._of(day), self.rules.marks()
            again = current is not None and current.selection.trouble and self._elapsed() >= self._retry_at
            if current is None or again or marks != self._marks:
                self._renew(day, current, marks)
            self._look_at = self._elapsed() + self._look_every
            with self._lock:
                current = self._of(day)
                assert current is not None, "whoever swaps holds the lock for building"
                return current.taken()

    def _renew(self, day: date, current: Armed | None, marks: tuple[object, ...]) -> None:
        """Arm anew; whatever a file may do to that, what decides on this day already goes on."""
        try:
            self._swap(self._arm(day))
            self._marks, self._retry_at = marks, self._elapsed() + RETRY * self._look_every
        except Exception as fault:
            if current is None:
                raise
            self._tell("rules-trouble", about="the rules", what=f"they cannot be read: {type(fault).__name__}")

    def _of(self, day: date) -> Armed | None:
        current = self._current
        return current if current is not None and current.day == day else None

    def _give(self, armed: Armed) -> None:
        with self._lock:
            armed.calls -= 1
            over = armed.retired and not armed.calls
        if over:
            self._let_go(armed)

    def _let_go(self, armed: Armed) -> None:
        self.panels.give_back([armed.key])
        self.machines.give_back(armed.borrowed)

    def _swap(self, armed: Armed | None) -> None:
        """Put other rules in force; the old ones go when their last call ends."""
        with self._lock:
            old, self._current = self._current, armed
            over = old is not None and not old.calls
            if old is not None:
                old.retired = True
        if old is not None and over:
            self._let_go(old)

    def _arm(self, day: date) -> Armed:
        """Select and compile; whatever goes wrong, nothing stays borrowed."""
        before = self._current.selection if self._current else None
        borrowed: dict[str, Machine] = {}

        def prove(rule_set: RuleSet) -> None:
            if rule_set.sha256 not in borrowed:
                borrowed[rule_set.sha256] = self.machines.borrow(rule_set.sha256, lambda: Machine(rule_set))

        try:
            selection = self.rules.select(day, before, prove)
            vocabulary = Vocabulary.union(one.vocabulary for one in selection.rule_sets)
            exact = vocabulary.covers(self.rules.declared)
            machines = [borrowed[one.sha256] for one in selection.rule_sets]
            panel = self.panels.borrow(_key(selection.rule_sets), lambda: Panel(machines))
        except BaseException:
            self.machines.give_back(borrowed)
            raise
        self._report(before or replace(selection, trouble=()), selection)
        return Armed(day, panel, selection, vocabulary, exact, list(borrowed))

    def _report(self, before: Selection, after: Selection) -> None:
        """Tell what changed."""
        old = {one.id: one.sha256 for one in before.rule_sets}
        new = {one.id: one.sha256 for one in after.rule_sets}
        names = {one.id: one.release for one in (*before.rule_sets, *after.rule_sets)}
        for id_ in sorted(old.keys() | new.keys()):
            if old.get(id_) != new.get(id_):
                now = names[id_] if id_ in new else "none"
                self._tell("rules-changed", rule_set=id_, release=now, sha256=new.get(id_, ""), before=old.get(id_, ""))
        for trouble in after.trouble:
            if trouble not in before.trouble:
                self._tell("rules-trouble", about=trouble.about, what=trouble.what)
        for about in sorted({one.about for one in before.trouble} - {one.about for one in after.trouble}):
            self._tell("rules-mended", about=about)


def _key(rule_sets: Sequence[RuleSet]) -> str:
    return " ".join(one.sha256 for one in rule_sets)


def _compiling(make: Callable[[], RuleSet]) -> Callable[[], Machine]:
    return lambda: Machine(make())
