"""The only door to durable-rules: its C engine, driven so that none of its known faults can reach a verdict.

What the faults are and why the driver is so: docs/adr/0003-engine-driver.md.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol, cast

import durable_rules_engine
import orjson

from pathway.compiler import READ, SHEET, SID, Shard
from pathway.errors import EngineError
from pathway.facts import Fact
from pathway.forks import renew_in_child
from pathway.vocabulary import Scope

Instance = tuple[Scope, Mapping[str, Fact]]
"""One instance of the rules of a scope: the scope and its view."""


class _CEngine(Protocol):
    """What we use of the C module: a ruleset has a handle, and a state is its memory of one batch."""

    error: type[Exception]

    def create_ruleset(self, name: str, definition: str, /) -> int: ...
    def delete_ruleset(self, handle: int, /) -> None: ...
    def assert_facts(self, handle: int, facts: str, /) -> tuple[int, int]: ...
    def start_action_for_state(self, handle: int, state: int, /) -> tuple[str, str] | None: ...
    def complete_and_start_action(self, handle: int, state: int, /) -> str | None: ...
    def get_state(self, handle: int, sid: str, /) -> str: ...
    def delete_state(self, handle: int, sid: str, /) -> None: ...


_c: Final = cast(_CEngine, durable_rules_engine)


class Engine:
    """Judges views by shards. Threads may share one; a forked child starts with handles of its own."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._shards = tuple(shards)
        self._closed = False
        self.forget()
        renew_in_child(self)

    def run(self, views: Sequence[Instance], as_of: datetime) -> list[dict[str, bool | None]]:
        """For each view the verdict of each statement of its scope: True met, False not met, None unknown.

        Raises EngineError where a statement is both, a sheet was passed over, or the engine refused a batch.
        """
        found: list[dict[str, bool | None]] = [
            {id_: None for shard in self._shards if shard.scope is scope for id_ in shard.statements}
            for scope, _ in views
        ]
        for place, shard in enumerate(self._shards):
            numbers = [n for n, (scope, _) in enumerate(views) if scope is shard.scope]
            if not numbers:  # the engine crashes on an empty batch
                continue
            sheets = [shard.project(views[n][1], as_of, at) for at, n in enumerate(numbers)]
            for rule, at in self._fire(place, sheets):
                if rule == READ:
                    continue
                row = found[numbers[at]]
                for id_, verdict in shard.rules[rule]:
                    if row[id_] is (not verdict):
                        raise EngineError("both met and not met", where=id_, why="its rules contradict each other")
                    row[id_] = verdict
        return found

    def close(self) -> None:
        """Give the engine's memory back once the batch under way is done; `run` is an error from then on."""
        with self._lock:
            self._closed = True
            while self._handles:
                _c.delete_ruleset(self._handles.popitem()[1])

    def forget(self) -> None:
        """Drop lock and handles untouched: in a forked child both may be in the middle of something."""
        self._lock = threading.Lock()
        self._handles: dict[int, int] = {}

    def _fire(self, place: int, sheets: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
        """The firings of one batch, each once and in order, as rule and number of the sheet."""
        batch = orjson.dumps(sheets).decode()
        with self._lock:
            if self._closed:
                raise EngineError("this engine is closed", fix="Take the one that replaced it")
            try:
                firings = _firings(self._handle(place), batch)
            except _c.error as fault:
                raise EngineError("the engine refused a batch", why=str(fault)) from fault
        if [number for rule, number in firings if rule == READ] != list(range(len(sheets))):
            raise EngineError("the engine passed over a sheet", fix="Do not decide; report it")
        return firings

    def _handle(self, place: int) -> int:
        """The handle of a shard, made when first needed and warmed by a sheet that fires only READ."""
        if place not in self._handles:
            handle = _c.create_ruleset(f"shard-{place}", orjson.dumps(self._shards[place].ruleset).decode())
            _drain(handle, _WARM)  # before an action has run, delete_state frees memory that it never got
            _c.delete_state(handle, SID)
            self._handles[place] = handle
        return self._handles[place]


_FIRING: Final = re.compile(rf'{{"([^"\\]+)":{{"{SHEET}":{{"id":([0-9]+),')
_WARM: Final = orjson.dumps([{"id": 0, "sid": SID, "go": 1}]).decode()


def _firings(handle: int, batch: str) -> list[tuple[str, int]]:
    """One batch in the only state of a handle, and the state deleted whatever happens."""
    try:
        messages = _drain(handle, batch)
    finally:
        _c.delete_state(handle, SID)
    # A firing repeats the whole sheet, as it was written: what is asked for stands at its beginning.
    begins = [_FIRING.match(message) for message in messages]
    firings = {begin.groups() for begin in begins if begin is not None}
    if None in begins:
        raise EngineError("a firing cannot be read", fix="Do not decide; report it")
    return sorted((rule, int(number)) for rule, number in firings)


def _drain(handle: int, batch: str) -> list[str]:
    code, state = _c.assert_facts(handle, batch)
    if code:
        raise EngineError("the engine did not take a sheet", why=f"return code {code}")
    _c.get_state(handle, SID)  # an error if the batch could not be read: then `state` is any place in memory
    messages: list[str] = []
    first = _c.start_action_for_state(handle, state)
    message = first[1] if first else None
    while message:
        messages.append(message)
        message = _c.complete_and_start_action(handle, state)
    return messages
