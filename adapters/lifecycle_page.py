"""The page about the life of a task, made from its tables: `python -m adapters.lifecycle_page [--check]`.

With `--check` nothing is written; the exit code is 1 if the page differs from the tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Final

from pathway.clockwork import PACE, STAGES
from pathway.lifecycle import CLINICAL, ENDS, MAY, MOVES, NONE, OPEN, PRESSING, Act, Role, Tick
from pathway.people import CARE_ENDS, CHANNELS, OUTCOMES, TRIED

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "task-lifecycle.md"
_HEAD: Final = """# The life of a task

Made from `pathway/lifecycle.py` by `python -m adapters.lifecycle_page`; a test holds it to the tables. What is not
listed here does not happen. The statuses are those of FHIR R4 Task. Whether a task is overdue is no status: its due
date tells.
"""
_TAIL: Final = """## Rules that no table shows

- What somebody holds, nobody else claims or ends: they give it back, or it is taken from them with a reason.
- An emergency is a clinician's. It is never put off, declined, expired or done in bulk; neither evidence nor the
  clock ends it. Claiming, trying or acknowledging it stops its timer; giving it back starts the timer again. Nothing
  that is done to an emergency makes the next ring later, but an answer.
- What a clinician or the operator has to do at once or soon (stat, asap), only a clinician puts off.
- Nothing that is open is silent: a late task is told of again and again until it ends. A new due date or priority sets
  the timer anew; what stays late is told of no later for it.
- Nothing that a person has, or wrote on, expires or is withdrawn. Nothing of the bone-health rules ever expires.
- What the clock or a person ended is asked for again only after what asked for it has gone and come back. What a person
  reopened is not closed again by the records that had closed it.
- While care has ended, nothing but emergencies is asked for about what was known then. After `died` and `hospice` that
  holds for new fractures too; after the other ends a new fracture or procedure asks anew.
- Each act names the version that was seen. Sent twice it is done once, and whoever comes second hears who was first.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_diagram(), "", *_moves(), "", *_rights(), "", *_words(), "", *_pace(), "", _TAIL])


def _diagram() -> Iterator[str]:
    """The open statuses in a frame, for most ends are reached from each of them."""
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield "    [*] --> open: ask"
    yield "    state open {"
    for source, end in product(OPEN, OPEN):
        if source != end and (names := _between((source,), end)):
            yield f"        {_name(source)} --> {_name(end)}: {names}"
    yield "    }"
    for end in ENDS:
        yield f"    open --> {end}: {_between(OPEN, end)}"
        yield f"    {end} --> open: {_between((end,), *OPEN)}"
    yield "```"


def _between(sources: Iterable[str], *ends: str) -> str:
    """What leads from any of some statuses to any of others."""
    found = (move.by for move in MOVES if set(move.sources) & set(sources) and set(move.to) & set(ends))
    return ", ".join(dict.fromkeys(found))


def _name(status: str) -> str:
    return status.replace("-", "_")


def _moves() -> Iterator[str]:
    yield "## What leads where"
    yield ""
    yield "| by | what | from | to | means |"
    yield "|---|---|---|---|---|"
    for move in MOVES:
        who = "a person" if isinstance(move.by, Act) else "the clock" if isinstance(move.by, Tick) else "the record"
        sources = ", ".join(move.sources) if move.sources != (NONE,) else "not made yet"
        yield f"| {who} | {move.by} | {sources} | {', '.join(move.to) or 'as it was'} | {move.means} |"


def _rights() -> Iterator[str]:
    yield "## Who may"
    yield ""
    yield "| act | to a task | to what presses | to an emergency |"
    yield "|---|---|---|---|"
    for act, may in MAY.items():
        pressing = may.ordinary if may.pressing is None else may.pressing
        yield f"| {act} | {_roles(may.ordinary)} | {_roles(pressing)} | {_roles(may.emergency)} |"
    yield ""
    yield f"What presses: {' and '.join(sorted(PRESSING))} work of a {' or an '.join(sorted(CLINICAL))}."


def _roles(roles: frozenset[Role]) -> str:
    return ", ".join(sorted(roles)) or "nobody"


def _words() -> Iterator[str]:
    yield "## Ends and attempts"
    yield ""
    yield "| outcome | status | ends all of a patient's care too |"
    yield "|---|---|---|"
    for outcome in OUTCOMES.values():
        why = " (with a reason)" if outcome.needs_text else ""
        yield f"| {outcome.display}{why} | {outcome.status} | {'yes' if outcome.code in CARE_ENDS else 'no'} |"
    yield ""
    yield f"An attempt to reach the patient is made {_listed(CHANNELS.values())}."
    yield f"What came of it: {_listed(TRIED.values())}."


def _listed(names: Iterable[str]) -> str:
    *most, last = (name.lower() for name in names)
    return f"{', '.join(most)} or {last}"


def _pace() -> Iterator[str]:
    minutes = int(PACE.answer.total_seconds() // 60)
    yield "## When somebody else hears of it"
    yield ""
    yield "Project defaults of 2026-11-23, awaiting a clinician's sign-off; a site sets its own"
    yield "([settings](settings.md))."
    yield ""
    yield f"- Stages: {', '.join(STAGES[1:])}, one at a time; what nobody holds and an emergency begin with the role."
    yield f"- An emergency that nobody acknowledged: after {minutes} minutes, and again; then the supervisor again"
    yield "  after an hour, two, four, and so on, once a day at least."
    yield f"- {PACE.attempts} attempts in a row without reaching the patient: at once, past whoever tried."
    yield "- A late task: counted from when it was due or from a planned next try, by its priority, as below. An"
    yield f"  emergency that somebody answered and nobody ended: {_span(PACE.grace)} after it was due, and again;"
    yield f"  then each {_span(PACE.pressing_again)}. A planned next try puts none of that off."
    yield ""
    yield "| priority | late: to the next stage after | the supervisor again after | put off or tried again at most |"
    yield "|---|---|---|---|"
    yield f"| routine | {_span(PACE.grace)} | {_span(PACE.late_again)} | {_span(PACE.longest_snooze)} |"
    yield f"| urgent | {_span(PACE.grace)} | {_span(PACE.late_again)} | {_span(PACE.longest_snooze_urgent)} |"
    yield f"| asap | {_span(PACE.grace_asap)} | {_span(PACE.pressing_again)} | {_span(PACE.longest_snooze_asap)} |"
    yield f"| stat | {_span(PACE.grace_stat)} | {_span(PACE.pressing_again)} | {_span(PACE.longest_snooze_stat)} |"


def _span(time: timedelta) -> str:
    """`1 hour`, `24 hours`, `2 days`: a day is 24 hours of the clock."""
    hours = int(time.total_seconds() // 3600)
    number, unit = (hours, "hour") if hours <= 24 else (time.days, "day")
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def main() -> int:
    """Write the page, or say whether it is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        PAGE.write_text(page())
        return 0
    return int(PAGE.read_text() != page())


if __name__ == "__main__":
    raise SystemExit(main())
