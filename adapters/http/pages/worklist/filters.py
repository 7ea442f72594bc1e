"""What narrows the work list. It lives in the address, so a view can be kept, and it holds no word of a patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from pathway.tasks import Task

PRIORITIES: Final[Mapping[str, str]] = {"stat": "At once", "asap": "As soon as possible", "urgent": "Urgent",
                                        "routine": "Routine"}  # fmt: skip
"""FHIR's request priorities, the most pressing first, in words."""

OWNERS: Final = ("on-call", "clinician", "operator", "coordinator", "nurse")


@dataclass(frozen=True, slots=True)
class Filters:
    """A view of the list; what is empty does not narrow. `page` counts from 1, `open` is a task shown in full."""

    priority: str = ""
    owner: str = ""
    mine: bool = False
    patient: str = ""
    page: int = 1
    open: str = ""

    def query(self, **changed: object) -> dict[str, str]:
        """This view as the parameters of an address, with changes; a change of what is shown begins on page 1."""
        wanted = replace(self, **({"page": 1} | changed if changed.keys() - {"open"} else changed))  # type: ignore[arg-type]
        told = {
            "priority": wanted.priority, "owner": wanted.owner, "mine": "yes" if wanted.mine else "",
            "patient": wanted.patient, "page": str(wanted.page) if wanted.page > 1 else "", "open": wanted.open,
        }  # fmt: skip
        return {name: value for name, value in told.items() if value}

    def hold(self, task: Task, patient: str, holder: bool) -> bool:
        """Whether a task belongs to this view; `holder` says that it is the reader's own."""
        return (
            self.priority in ("", task.priority)
            and self.owner in ("", task.owner)
            and self.patient in ("", patient)
            and (holder or not self.mine)
        )

    @property
    def narrow(self) -> bool:
        """Whether anything is left out."""
        return bool(self.priority or self.owner or self.mine or self.patient)


def read(given: Mapping[str, str]) -> Filters:
    """The filters of an address or a form that was held against the contract; what it does not name is passed over."""
    return Filters(
        priority=given.get("priority", ""), owner=given.get("owner", ""), mine=given.get("mine") == "yes",
        patient=given.get("patient", ""), page=int(given.get("page") or 1), open=given.get("open", ""),
    )  # fmt: skip
