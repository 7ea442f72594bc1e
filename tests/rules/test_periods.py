"""After cement: when each task begins, is due and ends, what closes it, and what does not."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.demo.record import ATC, ORDER, Record, concept
from adapters.fhir.deliver import Reader
from adapters.fhir.terminology import Terminology
from adapters.fhir.to_facts import ChartReader
from pathway import rulebook
from pathway.case import Case
from pathway.decide import decide, obligations_of
from pathway.decisions import SECOND, Decision
from pathway.errors import RuleBookError
from pathway.obligations import Obligation, State
from pathway.strata import Machine
from tests.rules.book import BOOK, copy, edit

CEMENT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
CONTACTS = {
    "early-contact": (1, 3, 13),
    "visit-two-to-four-weeks": (14, 28, 76),
    "contact-three-months": (77, 105, 167),
    "contact-six-months": (168, 196, 350),
    "contact-twelve-months": (351, 393, 547),
}
YEARLY = {  # from which day a contact is of it, from which it is asked for, when it is due, when it ends
    "contact-two-years": (548, 716, 758, 912),
    "contact-three-years": (913, 1081, 1123, 1277),
    "contact-four-years": (1278, 1446, 1488, 1642),
    "contact-five-years": (1643, 1811, 1853, 2007),
}
BONE = ("osteoporosis-referral", "work-up", "treatment")


@cache
def terms() -> Terminology:
    return Terminology.load()


@cache
def machines() -> tuple[Machine, ...]:
    return tuple(Machine(BOOK.sets[name]) for name in ("after-cement", "bone-health"))


def cemented(day: float, add: Callable[[Record], object] = lambda record: None) -> tuple[Record, datetime]:
    """A cemented L1, so many days later, with what a test adds; days of the record count back from then."""
    at = CEMENT + timedelta(days=day)
    record = Record("p1", at).fracture("L1", day + 30).tender("L1", True, day + 1).oedema("L1", True, day + 2)
    record.cement("L1", day)
    add(record)
    return record, at


def case(record: Record, at: datetime, standing: Iterable[str] = (), zone: str = "UTC") -> Case:
    parcel = Reader("test", at, terms(), BOOK.vocabulary).submission(json.dumps(record.bundle()).encode(), "x")
    (delivery,) = parcel.deliveries
    assert not delivery.set_aside
    reader = ChartReader(BOOK.vocabulary, terms(), ZoneInfo(zone))
    found = reader.build(delivery.patient, [one for one, _ in delivery.resources], at)
    procedure = next(e.id for e in found.episodes if e.kind == "procedure")
    stood = [f"{procedure}/{rule}" for rule in standing]
    return reader.build(delivery.patient, [one for one, _ in delivery.resources], at, (), stood)


def decision(day: float, add: Callable[[Record], object] = lambda record: None, **how: Any) -> Decision:
    return decide(case(*cemented(day, add), **how), machines())


def wishes(day: float, add: Callable[[Record], object] = lambda record: None, **how: Any) -> Mapping[str, Obligation]:
    return {w.rule.partition(".")[2]: w for w in obligations_of(decision(day, add, **how).body)}


@pytest.mark.parametrize(("rule", "days"), CONTACTS.items(), ids=list(CONTACTS))
def test_every_contact_is_there_from_the_first_day_with_its_period(rule: str, days: tuple[int, int, int]) -> None:
    wish = wishes(0.1)[rule]
    assert (wish.start_at, wish.due_at, wish.expires_at) == tuple(CEMENT + timedelta(days=day) for day in days)
    assert (wish.state, wish.by_day) == (State.OPEN, True)


def test_the_periods_of_the_contacts_follow_each_other_without_a_gap() -> None:
    spans = sorted((days[0], days[-1]) for days in (*CONTACTS.values(), *YEARLY.values()))
    assert [later[0] - earlier[1] for earlier, later in pairwise(spans)] == [1] * 8


@pytest.mark.parametrize(("rule", "days"), YEARLY.items(), ids=list(YEARLY))
def test_a_yearly_contact_is_asked_for_six_weeks_before_it_is_due(rule: str, days: tuple[int, int, int, int]) -> None:
    """So nobody has tasks of years to come, and a procedure heard of late makes none of years gone by."""
    begins, asked, due, ends = days
    assert rule not in wishes(asked - 0.1)
    wish = wishes(asked)[rule]
    assert (wish.due_at, wish.expires_at) == (CEMENT + timedelta(days=due), CEMENT + timedelta(days=ends))
    assert rule in wishes(ends - 0.1)
    assert rule not in wishes(ends)

    def kept(day: int) -> State:
        return wishes(asked, lambda record: record.contact(asked - day))[rule].state

    assert (kept(begins - 1), kept(begins)) == (State.OPEN, State.CLOSED)


@pytest.mark.parametrize(("rule", "days"), CONTACTS.items(), ids=list(CONTACTS))
def test_a_contact_whose_time_is_over_is_not_asked_for_anew(rule: str, days: tuple[int, int, int]) -> None:
    """So a procedure that is heard of late makes no contact that was due long ago."""
    assert rule in wishes(days[2] - 0.1)
    assert rule not in wishes(days[2])


def test_a_contact_that_stands_is_left_to_the_clock_when_its_time_is_over() -> None:
    wish = wishes(20, standing=["after-cement.early-contact"])["early-contact"]
    assert (wish.state, wish.expires_at) == (State.OPEN, CEMENT + timedelta(days=13))


@pytest.mark.parametrize("rule", BONE)
def test_care_of_the_bone_that_was_asked_for_never_ends_by_itself(rule: str) -> None:
    """A procedure of years ago opens none; a task that stands then stays until evidence or people end it."""
    assert wishes(1825.9)[rule].expires_at is None
    assert rule not in wishes(1826)
    assert wishes(4000, standing=[f"bone-health.{rule}"])[rule].state is State.OPEN


def test_an_observation_is_counted_in_hours() -> None:
    wish = wishes(0.1)["observation"]
    assert (wish.due_at, wish.expires_at) == (CEMENT + timedelta(hours=2), CEMENT + timedelta(hours=24))
    assert not wish.by_day


LABORATORY = ("17861-6", "2777-1", "6768-6", "1751-7", "2160-0", "62292-8", "3016-3")


def laboratory(record: Record, codes: Iterable[str] = LABORATORY, status: str = "final") -> Record:
    for code in codes:
        record.lab(code, 1, "mg/dL", 1, status=status)
    return record


def drug(record: Record, kind: str, status: str, code: str = "M05BA04") -> Record:
    return record.medicine("", 1, code=code, system=ATC, kind=kind, status=status)


def dxa(record: Record, status: str = "final") -> Record:
    return record.lab("38267-1", -3, "{Tscore}", 1, status=status)


CLOSES: Mapping[str, tuple[str, Callable[[Record], object]]] = {
    "a visit that was kept": ("visit-two-to-four-weeks", lambda r: r.contact(1)),
    "a call that was kept": ("visit-two-to-four-weeks", lambda r: r.contact(1, "VR")),
    "an appointment that was fulfilled": ("visit-two-to-four-weeks", lambda r: r.appointment(1, "fulfilled")),
    "a referral that was kept": ("osteoporosis-referral", lambda r: r.referral("completed", 10)),
    "bone density and laboratory": ("work-up", lambda r: laboratory(dxa(r))),
    "a drug handed out": ("treatment", lambda r: drug(r, "MedicationDispense", "completed")),
    "a drug given": ("treatment", lambda r: drug(r, "MedicationAdministration", "completed", "M05BA08")),
    "a drug that is taken": ("treatment", lambda r: drug(r, "MedicationStatement", "active")),
}


@pytest.mark.parametrize("said", CLOSES)
def test_evidence_closes_a_task_and_is_named(said: str) -> None:
    rule, add = CLOSES[said]
    wish = wishes(20, add)[rule]
    assert wish.state is State.CLOSED
    assert wish.evidence


DOES_NOT_CLOSE: Mapping[str, tuple[str, Callable[[Record], object]]] = {
    "an appointment that is booked": ("visit-two-to-four-weeks", lambda r: r.appointment(-2)),
    "an appointment that was missed": ("visit-two-to-four-weeks", lambda r: r.appointment(1, "noshow")),
    "a visit that is cancelled": ("visit-two-to-four-weeks", lambda r: r.contact(1, status="cancelled")),
    "a visit of the first days": ("visit-two-to-four-weeks", lambda r: r.contact(10)),
    "a visit that is about something else": ("visit-two-to-four-weeks", lambda r: r.encounter("AMB", 1, ended=0.9)),
    "a stay that began with the follow-up": ("visit-two-to-four-weeks", lambda r: r.contact(1, "IMP")),
    "a contact before the cement": ("early-contact", lambda r: r.contact(20.5)),
    "a referral that is placed": ("osteoporosis-referral", lambda r: r.referral("active", 10)),
    "orders for bone density": ("work-up", lambda r: laboratory(r.order("bone-density", 1))),
    "a bone density that is preliminary": ("work-up", lambda r: laboratory(dxa(r, "preliminary"))),
    "a laboratory that lacks one result": ("work-up", lambda r: laboratory(dxa(r), LABORATORY[1:])),
    "a laboratory that was taken back": ("work-up", lambda r: laboratory(dxa(r), status="entered-in-error")),
    "a prescription": ("treatment", lambda r: drug(r, "MedicationRequest", "active")),
    "a drug that was declined": ("treatment", lambda r: drug(r, "MedicationDispense", "declined")),
    "a drug by its name alone": (
        "treatment", lambda r: r.medicine("Alendronate 70 mg", 1, kind="MedicationDispense", status="completed"),
    ),
    "a drug of an ATC code that nobody confirmed": (
        "treatment", lambda r: drug(r, "MedicationDispense", "completed", "H05AA02"),
    ),
    "another drug": ("treatment", lambda r: drug(r, "MedicationDispense", "completed", "N02BE01")),
}  # fmt: skip


@pytest.mark.parametrize("said", DOES_NOT_CLOSE)
def test_what_was_only_wanted_closes_nothing(said: str) -> None:
    rule, add = DOES_NOT_CLOSE[said]
    assert wishes(20 if rule != "early-contact" else 2, add)[rule].state is State.OPEN


def test_a_contact_by_its_code_belongs_to_the_last_procedure_before_it() -> None:
    def coded(record: Record) -> None:
        record.encounter("AMB", 1, ended=0.9).resources[-1]["type"] = [concept(ORDER, "follow-up-contact")]

    assert wishes(20, coded)["visit-two-to-four-weeks"].state is State.CLOSED


def test_a_contact_of_another_procedure_is_not_of_this_one() -> None:
    def twice(record: Record) -> None:
        record.cement("L3", 18).contact(1)  # the contact names the second

    found = [w for w in obligations_of(decision(20, twice).body) if w.rule == "after-cement.visit-two-to-four-weeks"]
    assert {w.levels: (w.state, bool(w.overtaken)) for w in found} == {
        ("L1",): (State.CLOSED, True),
        ("L3",): (State.CLOSED, False),
    }, "the first was not kept: the second overtakes it"


def test_the_day_of_a_contact_is_the_facilitys_own_day() -> None:
    """13 days and a half later, and in Auckland on the fourteenth day."""
    add: Callable[[Record], object] = lambda record: record.contact(0.1)  # noqa: E731
    assert wishes(13.2, add)["visit-two-to-four-weeks"].state is State.OPEN
    assert wishes(13.2, add, zone="Pacific/Auckland")["visit-two-to-four-weeks"].state is State.CLOSED


def test_evidence_that_is_withdrawn_leaves_the_task_open() -> None:
    def withdrawn(record: Record) -> None:
        record.contact(1).resources[-1]["status"] = "entered-in-error"

    assert wishes(20, withdrawn)["visit-two-to-four-weeks"].state is State.OPEN


def test_what_speaks_against_an_end_is_named_and_a_step_on_the_way_is_none() -> None:
    def clean(record: Record) -> Record:
        record.leak_statement("L1", 0.9).finding("chest-check", "normal", 0.8).referral("active", 0.9)
        return record.finding("neurological-examination", "normal", 0.8)

    assert wishes(1, clean)["leak-check"].state is State.CLOSED
    found = wishes(1, lambda record: clean(record).finding("neurological-examination", "deficit", 0.2))
    assert found["leak-check"].state is State.OPEN
    assert found["leak-check"].against == ("Observation/p1-neurological-examination-2",)
    assert found["osteoporosis-referral"].against == ()


def test_what_was_merely_not_stated_speaks_against_nothing() -> None:
    assert wishes(1, lambda record: record.finding("chest-check", "normal", 0.8))["leak-check"].against == ()


def test_a_period_survives_the_record_and_a_decision_of_an_earlier_form_says_nothing_of_it() -> None:
    made = decision(1)
    (wish,) = [w for w in made.body["obligations"] if w["rule"] == "after-cement.early-contact"]
    assert (wish["start"], wish["expires"], wish["byDay"]) == ("2026-11-24T10:00:00Z", "2026-12-06T10:00:00Z", True)
    assert wish["anchorAt"] == "2026-11-23T10:00:00Z"
    assert [w.to_json() for w in obligations_of(made.body)] == made.body["obligations"]
    earlier = decide(case(*cemented(1)), machines(), form=SECOND)
    assert not any({"byDay", "anchorAt", "against"} & set(w) for w in earlier.body["obligations"])


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("ends: {value: 13, unit: d", "ends: {value: 13, unit: h", "counted in days and in hours"),
        ("due-by: {value: 3,", "due-by: {value: 30,", "out of order"),
        ("expires: {after: cement", "expires: {after: onset", "two events"),
        ("owner: nurse", "opens-within: {after: cement, duration: ends}\nowner: nurse", "bounds nothing"),
    ],
)
def test_a_period_that_cannot_be_kept_is_refused(tmp_path: Path, old: str, new: str, fault: str) -> None:
    root = copy(tmp_path)
    edit(root, "after-cement/early-contact.yaml", old, new)
    with pytest.raises(RuleBookError, match=fault) as caught:
        rulebook.load(root)
    assert caught.value.where == "after-cement.early-contact"
    assert caught.value.fix


def test_pain_from_before_the_cement_is_no_answer_to_it() -> None:
    def items(add: Callable[[Record], object]) -> list[str]:
        items = wishes(20, add)["visit-two-to-four-weeks"].items
        return [item.verdict for item in items if item.id == "after-cement.pain-responded"]

    assert items(lambda record: record.pain(8, 21)) == ["unknown"]
    assert items(lambda record: record.pain(8, 21).pain(2, 1)) == ["met"]
    assert items(lambda record: record.pain(8, 21).pain(4, 1)) == ["not-met"]
