"""Why a task that has ended opens again: what ended it is withdrawn, or a later record contradicts it.

Growing old is neither: what has gone stale is asked for anew, as another task.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from pathway.care import DIED
from pathway.obligations import Obligation
from pathway.tasks import Task

_SETTLED: Final = frozenset({"done", "not-needed"})
"""What a person may have said that a record can contradict; that the patient declined or moved away it cannot."""


def reason_to_reopen(task: Task, wish: Obligation, withdrawn: Collection[str]) -> str:
    """The sentence that names the record for which an ended task opens again; empty where none speaks against its end.

    `withdrawn` are the references of the records that were entered in error, refuted or not done after all.
    """
    if task.emergency:
        return ""  # a new sign is a new emergency
    if task.by_person:
        return _against(task, wish) if task.outcome in _SETTLED or task.status == "rejected" else ""
    if task.outcome == DIED:
        return f"reopened: {_named(task.evidence)} no longer tells of a death"
    if task.status != "completed" and not task.evidence:
        return ""
    gone = [reference for reference in task.evidence if reference in withdrawn]
    return f"reopened: {_named(gone)}, which closed it, was withdrawn" if gone else _against(task, wish)


def _against(task: Task, wish: Obligation) -> str:
    """What speaks against the end now and was not known when it ended."""
    known = {*task.sources, *task.evidence}
    news = [reference for reference in wish.against if reference not in known]
    return f"reopened: {_named(news)} speaks against it" if news else ""


def _named(references: Collection[str]) -> str:
    return ", ".join(sorted(references))
