"""Obligations: the desired state. What ought to be open or closed for this patient now, and why.

An obligation is not a task: it says what should be so. `reconcile` compares it with the tasks that exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from pathway.canonical import instant
from pathway.levels import sort_key


class State(StrEnum):
    """Whether an obligation still asks for something."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a checklist: a criterion, its verdict and message, and in words how to get what it lacks, if known.

    It is done where the criterion is met, and open otherwise: `not-met` speaks against it, `unknown` is not recorded.
    """

    id: str
    verdict: str
    message: str
    ask: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do about it."""
        return self.verdict == "met"

    def to_json(self) -> dict[str, str]:
        """For canonical JSON, without an empty `ask`."""
        body = {"id": self.id, "verdict": self.verdict, "message": self.message}
        return {**body, "ask": self.ask} if self.ask else body


@dataclass(frozen=True, slots=True)
class Obligation:
    """One thing that ought to be done about one episode.

    `due_at` follows from `anchor` (an event's instant, or `asked` when the clock starts with the task). `why` are the
    sentences behind it, `sources` the references they rest on, `evidence` what closed it, `items` its checklist.
    """

    rule: str
    release: str
    code: str
    title: str
    episode: str
    state: State
    levels: tuple[str, ...]
    anchor: str
    due_at: datetime
    owner: str
    priority: str
    focus: str
    why: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()

    @property
    def key(self) -> str:
        """Episode and rule: the same wish always has the same key, whatever version wished it."""
        return f"{self.episode}/{self.rule}"

    def to_json(self) -> dict[str, Any]:
        """For canonical JSON; empty parts are left out."""
        body = {
            "rule": self.rule, "release": self.release, "code": self.code, "title": self.title,
            "episode": self.episode, "state": self.state.value, "levels": list(self.levels), "anchor": self.anchor,
            "due": instant(self.due_at), "owner": self.owner, "priority": self.priority, "focus": self.focus,
            "why": list(self.why), "sources": list(self.sources), "evidence": list(self.evidence),
            "items": [item.to_json() for item in self.items],
        }  # fmt: skip
        return {key: value for key, value in body.items() if value != []}


def merge(obligations: Iterable[Obligation]) -> tuple[Obligation, ...]:
    """One obligation per key: wishes from several levels of one episode become one; it is open while any of them is.

    The earliest due date and all reasons are kept. The order is by key, so it never depends on chance. Where several
    rule sets ask for the same, the task is that of the first by name, in whatever order they are configured.
    """
    merged: dict[str, Obligation] = {}
    for wish in sorted(obligations, key=lambda o: (o.key, o.release, [sort_key(level) for level in o.levels])):
        known = merged.get(wish.key)
        merged[wish.key] = wish if known is None else _joined(known, wish)
    return tuple(merged[key] for key in sorted(merged))


def asked_once(obligations: Iterable[Obligation]) -> tuple[Obligation, ...]:
    """The obligations, of which no other repeats what an open checklist asks for."""
    wishes = tuple(obligations)
    lists = {wish.key: [item.ask for item in wish.items] for wish in wishes if wish.state is State.OPEN}
    return tuple(
        replace(wish, why=tuple(line for line in wish.why if not _asked_elsewhere(line, wish.key, lists)))
        for wish in wishes
    )


def _asked_elsewhere(line: str, key: str, lists: Mapping[str, Sequence[str]]) -> bool:
    return any(line in ask for other, asks in lists.items() if other != key for ask in asks)


def _joined(one: Obligation, other: Obligation) -> Obligation:
    still_open = State.OPEN in (one.state, other.state)
    return replace(
        one,
        state=State.OPEN if still_open else State.CLOSED,
        levels=tuple(sorted({*one.levels, *other.levels}, key=sort_key)),
        due_at=min(one.due_at, other.due_at),
        why=tuple(dict.fromkeys((*one.why, *other.why))),
        sources=tuple(sorted({*one.sources, *other.sources})),
        evidence=tuple(sorted({*one.evidence, *other.evidence})),
        items=_items((*one.items, *other.items)),
    )


_WORST: Final = ("not-met", "unknown", "met")


def _items(items: Iterable[Item]) -> tuple[Item, ...]:
    """Each item once, as it stands where it stands worst: one that is open on one level is open."""
    by_id: dict[str, list[Item]] = {}
    for item in items:
        by_id.setdefault(item.id, []).append(item)
    return tuple(_worst(same) for same in by_id.values())


def _worst(same: list[Item]) -> Item:
    verdict = min((item.verdict for item in same), key=_WORST.index)
    said = [item for item in same if item.verdict == verdict]
    asks = dict.fromkeys(item.ask for item in said if item.ask)
    return Item(said[0].id, verdict, "; ".join(dict.fromkeys(item.message for item in said)), "; ".join(asks))
