"""Obligations: the desired state. What ought to be open or closed for this patient now, and why.

An obligation is not a task: it says what should be so. `reconcile` compares it with the tasks that exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from pathway.canonical import instant
from pathway.levels import sort_key


class State(StrEnum):
    """Whether an obligation still asks for something."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Obligation:
    """One thing that ought to be done about one episode.

    `due_at` follows from `anchor` (an event's instant, or `asked` when the clock starts with the task). `why` are the
    sentences behind it, `sources` the references they rest on, `evidence` what closed it.
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
        }  # fmt: skip
        return {key: value for key, value in body.items() if value != []}


def merge(obligations: Iterable[Obligation]) -> tuple[Obligation, ...]:
    """One obligation per key: wishes from several levels of one episode become one; it is open while any of them is.

    The earliest due date and all reasons are kept. The order is by key, so it never depends on chance.
    """
    merged: dict[str, Obligation] = {}
    for wish in sorted(obligations, key=lambda o: (o.key, [sort_key(level) for level in o.levels])):
        known = merged.get(wish.key)
        merged[wish.key] = wish if known is None else _joined(known, wish)
    return tuple(merged[key] for key in sorted(merged))


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
    )
