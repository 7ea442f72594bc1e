"""A checklist: which criteria it may name, how its items come together, and that the task's items follow the facts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pathway.canonical import parse
from pathway.errors import RuleBookError
from pathway.obligations import Item, Obligation, State, merge
from pathway.reconcile import Changes, reconcile
from pathway.rulebook import from_document
from tests.rules.book import BOOK
from tests.unit.test_reconcile import NOW, run, wish

DONE = Item("s.inr", "met", "INR 1.1")
OPEN = Item("s.inr", "unknown", "INR not known", "Order INR")
BAD = Item("s.inr", "not-met", "INR 3.2")


def change(id_: str, **keys: Any) -> Callable[[dict[str, Any]], None]:
    """Other keys for one rule of a release document."""

    def made(document: dict[str, Any]) -> None:
        next(rule for rule in document["rules"] if rule["id"] == id_).update(keys)

    return made


LIST, WEIGHED = "pre-procedure.checklist", "considerations.cleft"
NOT_SEEN = ["shared.adult"]
TASK = next(r.document for r in BOOK.sets["pre-procedure"].obligations if r.id == "pre-procedure.mend-order-code")
TRAPS: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (change(LIST, checklist=["pre-procedure.irn"]), "the checklist names 'pre-procedure.irn', which it cannot see"),
    (change(LIST, checklist=NOT_SEEN), "the checklist names 'shared.adult', which it cannot see"),
    (change(LIST, checklist=["pre-procedure.inr"] * 2), "the checklist names a criterion twice"),
    (change("candidacy.neurology-emergency", scope="patient", checklist=["pre-procedure.posterior-wall-seen"]),
     "'pre-procedure.posterior-wall-seen', which it cannot see. Name criteria of pre-procedure of scope patient"),
    (change("pre-procedure.inr", checklist=["pre-procedure.platelets"]), "only an obligation has a checklist"),
    (change(WEIGHED, role="flag", ask="describe-fracture"), "a rule set of considerations decides and asks for nothi"),
    (lambda document: document["rules"].append(TASK), "a rule set of considerations decides and asks for nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("slip", "says"), TRAPS, ids=[says[:45] for _, says in TRAPS])
def test_the_rule_book_refuses_what_nobody_could_tick_off(slip: Callable[[dict[str, Any]], object], says: str) -> None:
    weighed = "of considerations" in says
    document = parse(BOOK.sets["considerations" if weighed else "pre-procedure"].body)
    slip(document)
    with pytest.raises(RuleBookError) as fault:
        from_document(document)
    assert says in str(fault.value)


def items(*wishes: Obligation) -> tuple[Item, ...]:
    (one,) = merge(wishes)
    return one.items


@pytest.mark.parametrize("order", [1, -1])
def test_an_item_that_is_open_on_one_level_is_open(order: int) -> None:
    one, other = wish(items=(DONE,)), wish(levels=("L2",), items=(OPEN,))
    assert items(*[one, other][::order]) == (OPEN,)
    assert items(*[one, replace(other, items=(BAD,))][::order]) == (BAD,)


def test_what_speaks_against_it_outweighs_what_is_not_recorded_and_both_levels_are_heard() -> None:
    worse = replace(BAD, message="INR 4")
    assert items(wish(items=(OPEN,)), wish(levels=("L2",), items=(BAD,))) == (BAD,)
    assert items(wish(items=(BAD,)), wish(levels=("L2",), items=(worse,)))[0].message == "INR 3.2; INR 4"


def test_the_items_stay_in_their_written_order() -> None:
    listed = (Item("s.z", "met", "z"), Item("s.a", "unknown", "a"))
    assert items(wish(items=listed), wish(levels=("L2",), items=listed)) == listed


def test_two_rule_sets_that_ask_for_the_same_make_one_task_in_whatever_order() -> None:
    one, other = wish(release="b|1"), wish(release="a|1", state=State.CLOSED)
    assert merge([one, other]) == merge([other, one])
    (joined,) = merge([one, other])
    assert (joined.state, joined.release) == (State.OPEN, "a|1")
    assert len(run([joined], [])) == 1


def test_an_item_that_changes_updates_the_task_and_nothing_else_of_it() -> None:
    (task,) = tasks = run([wish(items=(OPEN,))], [])
    assert task.items == (OPEN,)
    held = [replace(task, holder="nurse-1", by_person=True, status="accepted", due_at=NOW + timedelta(days=9))]
    (changed,) = run([wish(items=(DONE,))], held)
    assert changed == replace(held[0], items=(DONE,), version=2, modified_at=NOW)
    assert reconcile("p", [wish(items=(OPEN,))], tasks, "other", NOW) == Changes()


def test_what_a_person_ended_keeps_the_items_it_ended_with() -> None:
    (task,) = run([wish(items=(OPEN,))], [])
    ended = replace(task, status="completed", by_person=True)
    assert run([wish(items=(DONE,))], [ended]) == [ended]


def test_evidence_that_closes_a_task_leaves_its_last_items() -> None:
    tasks = run([wish(items=(OPEN,))], [])
    (closed,) = run([wish(state=State.CLOSED, items=(DONE,))], tasks)
    assert (closed.status, closed.items) == ("completed", (DONE,))
