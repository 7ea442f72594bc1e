"""The phone script as a caller uses it: asked, sent once, heard at once, corrected and taken back."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.bootstrap import House
from adapters.demo.record import Record
from adapters.http.contract import contract
from adapters.http.pages.calls import model, views
from adapters.http.pages.calls.questions import EMERGENCY, script
from pathway.tasks import Task
from tests.adapters.http.conftest import NOW, StandingClock
from tests.adapters.http.desks import Desk, Reader
from tests.adapters.http.people import form_token
from tests.world import ingest

pytestmark = pytest.mark.e2e  # pages of a whole house
NO = {
    "leg-weakness": "absent", "saddle-numbness": "absent", "bladder-or-bowel-trouble": "absent",
    "chest-check": "normal", "body-temperature": "36.8", "wound-check": "clean", "night-pain": "absent",
    "new-back-pain": "absent", "pain-score": "2", "disability-score": "0", "activity-advice": "yes",
    "three-messages": "present",
}  # fmt: skip


@pytest.fixture
def desk(house: House) -> Desk:
    """A coordinator of a house whose p-1 got cement two days ago and was well the day after."""
    record = Record("p-1", NOW, name="Anna Example").fracture("L1", 40).pain(8, 30).cement("L1", 2).well(1.5)
    earlier = StandingClock(NOW - timedelta(hours=1))
    ingest(replace(house, clock=earlier, service=replace(house.service, clock=earlier)), record)
    return Desk(house, "coordinator")


def tasks(house: House, **about: Any) -> list[Task]:
    with house.store.read() as ledger:
        found = ledger.find_tasks(patient="local|p-1")
    return [one for one in found if all(getattr(one, name) == value for name, value in about.items())]


def contact(house: House) -> Task:
    (found,) = tasks(house, rule="after-cement.early-contact")
    return found


def kept(house: House, kind: str) -> list[Mapping[str, Any]]:
    """The current resources of a type that calls left in the chart."""
    with house.store.read() as ledger:
        found = ledger.resources(kind, ["local|p-1"])
    return [one.body for _, one in found if one.id.startswith("pathway-call-")]


def said(house: House, code: str) -> list[tuple[str, str]]:
    """Status and answer of what calls say to a question."""
    rows = [one for one in kept(house, "Observation") if one["code"]["coding"][0]["code"] == code]
    return [(one["status"], one["valueCodeableConcept"]["coding"][0]["code"]) for one in rows]


def send(desk: Desk, task: Task, answers: Mapping[str, str], call: str = "", act: str = "keep", seen: str = "") -> Any:
    form = {
        "csrf_token": form_token(desk.client, "/rulesets"),
        "act": act,
        "call": call or str(uuid.uuid4()),
        **answers,
    }
    return desk.client.post(f"/tasks/{task.id}/calls", data=form | ({"seen": seen} if seen else {}))


def page_after(desk: Desk, answer: Any) -> Reader:
    assert answer.status_code == 303, answer.get_data(as_text=True)[:2000]
    return desk.read(answer.location)


def test_the_script_stands_on_the_contacts_page_danger_first_and_on_no_other(house: House, desk: Desk) -> None:
    page = desk.read(f"/tasks/{contact(house).id}")
    asked = [tag["name"] for tag in page.all("input") if tag.get("name") in NO]
    assert list(dict.fromkeys(asked)) == list(NO)
    assert "Stay on the line. Emergency: nerves or spinal cord may be under pressure" in page.text
    chosen = [tag for tag in page.all("input") if tag.get("type") == "radio" and "checked" in tag]
    assert {tag["value"] for tag in chosen} == {""}  # until somebody asks, nothing is answered
    (other,) = tasks(house, code="leak-check")
    assert not any(tag.get("name") in NO for tag in desk.read(f"/tasks/{other.id}").all("input"))


def test_weak_legs_are_an_emergency_at_once_and_the_contact_is_kept(house: House, desk: Desk) -> None:
    page = page_after(desk, send(desk, contact(house), {"leg-weakness": "present"}))
    (alarm,) = tasks(house, code="neurology-emergency")
    assert alarm.emergency
    assert alarm.due_at <= NOW + timedelta(hours=1)
    assert contact(house).status == "completed"
    assert "Stay on the line. Emergency" in page.text
    assert alarm.title in page.text
    assert "No emergency task stands behind this" not in page.text
    assert "This contact is completed: closed by evidence" in page.text


def test_all_well_closes_the_contact_and_asks_for_nothing(house: House, desk: Desk) -> None:
    before = {one.id for one in tasks(house)}
    page = page_after(desk, send(desk, contact(house), NO))
    assert contact(house).status == "completed"
    assert {one.id for one in tasks(house)} == before
    assert "No task came of the answers." in page.text
    assert "At once" not in page.text
    (encounter,) = kept(house, "Encounter")
    assert (encounter["status"], encounter["reasonReference"]) == (
        "finished",
        [{"reference": "Procedure/p-1-cement-1"}],
    )
    performers = {one["performer"][0]["identifier"]["value"] for one in kept(house, "Observation")}
    assert performers == {"coordinator"}
    assert len(kept(house, "Observation")) == len(NO)


def test_what_was_not_asked_stays_unknown(house: House, desk: Desk) -> None:
    page = page_after(desk, send(desk, contact(house), {"leg-weakness": "absent", "pain-score": "3"}))
    assert {one["code"]["coding"][0]["code"] for one in kept(house, "Observation")} == {"leg-weakness", "72514-3"}
    assert page.text.count("not asked: stays unknown") == len(NO) - 2
    assert contact(house).status == "completed"


def test_nothing_answered_is_no_contact(house: House, desk: Desk) -> None:
    answer = send(desk, contact(house), {})
    assert answer.status_code == 409
    assert "If nobody was reached, keep an attempt instead" in answer.get_data(as_text=True)
    assert kept(house, "Encounter") == []
    assert contact(house).status != "completed"


def test_no_call_is_kept_on_a_task_that_is_no_contact(house: House, desk: Desk) -> None:
    other = next(one for one in tasks(house) if one.code != "follow-up-contact")
    answer = send(desk, other, {"leg-weakness": "present"})
    assert answer.status_code == 409
    assert "This task is no contact" in answer.get_data(as_text=True)
    assert kept(house, "Encounter") == []


def test_sent_twice_it_is_one_call(house: House, desk: Desk) -> None:
    call, task = str(uuid.uuid4()), contact(house)
    answers = [send(desk, task, NO | {"leg-weakness": "present"}, call) for _ in range(2)]
    assert {answer.location for answer in answers} == {f"/tasks/{task.id}/calls/{call}"}
    assert len(kept(house, "Encounter")) == 1
    assert len(tasks(house, code="neurology-emergency")) == 1
    with house.store.read() as ledger:
        doors = [one.trigger for one in ledger.decisions("local|p-1")]
    assert doors.count("phone-script") == 1


def test_a_call_is_corrected_by_who_saw_it_and_by_nobody_else(house: House, desk: Desk) -> None:
    call, task = str(uuid.uuid4()), contact(house)
    page = page_after(desk, send(desk, task, {"night-pain": "present", "new-back-pain": "absent"}, call))
    (seen,) = {tag["value"] for tag in page.all("input") if tag.get("name") == "seen"}
    blind = send(desk, task, {"night-pain": "absent"}, call)
    assert (blind.status_code, said(house, "night-pain")) == (409, [("final", "present")])
    page_after(desk, send(desk, task, {"night-pain": "absent"}, call, seen=str(seen)))
    assert said(house, "night-pain") == [("corrected", "absent")]
    assert said(house, "new-back-pain") == [("entered-in-error", "absent")]  # it had not been asked after all
    late = send(desk, task, {"night-pain": "present"}, call, seen=str(seen))
    assert late.status_code == 409
    with house.store.read() as ledger:
        assert ledger.decisions("local|p-1")[0].actor == "coordinator"


def test_a_call_that_is_taken_back_opens_its_contact_and_leaves_the_emergency_to_a_clinician(
    house: House, desk: Desk
) -> None:
    call = str(uuid.uuid4())
    page_after(desk, send(desk, contact(house), {"chest-check": "symptoms"}, call))
    page = page_after(desk, send(desk, contact(house), {}, call, act="withdraw"))
    assert "Taken back by Coordinator Test (coordinator)" in page.text
    assert not contact(house).ended
    (alarm,) = tasks(house, code="chest-emergency")
    assert not alarm.ended
    assert send(desk, contact(house), NO, call).status_code == 409
    assert "taken back" in desk.read(f"/tasks/{contact(house).id}").text


def test_an_answer_counts_whatever_became_of_its_task(house: House, desk: Desk) -> None:
    """The form was open while a record closed the contact: a yes is heard all the same."""
    task = contact(house)
    record = Record("p-1", NOW).fracture("L1", 40).pain(8, 30).cement("L1", 2).well(1.5).contact(0.1)
    ingest(house, record)
    assert contact(house).status == "completed"
    page_after(desk, send(desk, task, {"saddle-numbness": "present"}))
    assert tasks(house, code="neurology-emergency")


def test_every_answer_that_warns_says_whether_anybody_else_was_told(house: House, desk: Desk) -> None:
    """At a late contact the rules make no emergency of the chest and no task of a fever: the caller has to tell."""
    record = Record("p-2", NOW).fracture("L1", 1540).cement("L1", 1500).well(1499)
    earlier = StandingClock(NOW - timedelta(hours=1))
    ingest(replace(house, clock=earlier, service=replace(house.service, clock=earlier)), record)
    with house.store.read() as ledger:
        (late,) = (one for one in ledger.tasks("local|p-2") if one.rule == "after-cement.contact-four-years")
    answers = {"leg-weakness": "present", "chest-check": "symptoms", "body-temperature": "39"}
    page = page_after(desk, send(desk, late, answers))
    assert "Emergency task" in page.text  # of the legs, which says nothing of the chest
    assert page.text.count("No emergency task stands behind this.") == 1
    assert page.text.count("No task came of this answer.") == 1
    early = page_after(desk, send(desk, contact(house), answers))
    assert "No emergency task stands" not in early.text
    assert "No task came of this answer" not in early.text


def test_an_emergency_that_was_answered_since_was_told_of(house: House, desk: Desk) -> None:
    page_after(desk, send(desk, contact(house), {"leg-weakness": "present"}, call := str(uuid.uuid4())))
    (alarm,) = tasks(house, code="neurology-emergency")
    answer = Desk(house, "clinician").act(alarm.id, "complete", alarm.version, outcome="done", text="MRI, operated on")
    assert answer.status_code == 303
    page = desk.read(f"/tasks/{contact(house).id}/calls/{call}")
    assert "No emergency task stands behind this" not in page.text
    assert "completed since" in page.text


def test_a_yes_that_comes_by_the_back_button_is_told_to_be_kept_nowhere(house: House, desk: Desk) -> None:
    call, task = str(uuid.uuid4()), contact(house)
    page_after(desk, send(desk, task, NO, call))
    again = send(desk, task, NO | {"saddle-numbness": "present"}, call)
    text = Reader(again.get_data(as_text=True)).text
    assert again.status_code == 409
    assert "What you sent, and is not kept" in text
    assert "Nobody has heard of this." in text
    assert text.count("Stay on the line. Emergency: this can be pressure on the nerves") >= 3  # above, and in the form
    page_after(desk, send(desk, task, {}, call, act="withdraw"))
    gone = send(desk, task, NO, call)
    assert gone.status_code == 409
    assert "This call was taken back" in gone.get_data(as_text=True)


def test_after_a_merge_the_page_shows_a_call_as_it_stands_now(house: House, desk: Desk) -> None:
    """The other record's key sorts first, and holds the correction; the call was kept under the one that sorts last."""
    call, task = str(uuid.uuid4()), contact(house)
    page = page_after(desk, send(desk, task, {"night-pain": "present"}, call))
    (seen,) = {tag["value"] for tag in page.all("input") if tag.get("name") == "seen"}
    other = Record("a-1", NOW, name="Anna Example")
    other.resources[0]["link"] = [{"other": {"reference": "Patient/p-1"}, "type": "replaces"}]
    ingest(house, other)
    page = page_after(desk, send(desk, task, {"night-pain": "absent"}, call, seen=str(seen)))
    assert "At once" not in page.text
    page = page_after(desk, send(desk, task, {}, call, act="withdraw"))
    assert "Taken back by Coordinator Test" in page.text
    assert desk.read(f"/tasks/{task.id}").text.count("Call of") == 1


def test_a_call_is_taken_back_whole_though_the_script_asks_less_now(
    house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, task = str(uuid.uuid4()), contact(house)
    page_after(desk, send(desk, task, {"leg-weakness": "present", "night-pain": "absent"}, call))
    fewer = replace(script(), questions=tuple(one for one in script().questions if one.finding != "leg-weakness"))
    for module in (views, model):
        monkeypatch.setattr(module, "script", lambda: fewer)
    (seen,) = {
        tag["value"] for tag in desk.read(f"/tasks/{task.id}/calls/{call}").all("input") if tag["name"] == "seen"
    }
    page_after(desk, send(desk, task, {"night-pain": "present"}, call, seen=str(seen)))
    assert said(house, "leg-weakness") == [("final", "present")]  # a correction of what is asked says nothing of it
    page_after(desk, send(desk, task, {}, call, act="withdraw"))
    assert said(house, "leg-weakness") == [("entered-in-error", "present")]


def test_the_id_of_a_call_is_one_whatever_its_case(house: House, desk: Desk) -> None:
    page_after(desk, send(desk, contact(house), NO, str(uuid.uuid4()).upper()))


def test_who_may_not_act_keeps_no_call(house: House, desk: Desk) -> None:
    answer = send(Desk(house, "auditor"), contact(house), {"leg-weakness": "present"})
    assert answer.status_code == 403
    assert kept(house, "Encounter") == []
    assert "Send the script" not in Desk(house, "auditor").read(f"/tasks/{contact(house).id}").text


def test_the_form_the_contract_and_the_code_lists_say_the_same(house: House) -> None:
    form = contract().document["components"]["schemas"]["CallForm"]["properties"]
    asked = {question.finding: question for question in script().questions}
    assert set(form) - {"csrf_token", "act", "call", "seen"} == set(asked)
    for name, question in asked.items():
        if question.choices:
            assert form[name]["enum"] == [choice.code for choice in question.choices]
            assert {choice.code for choice in question.choices} <= set(local_codes("answer"))
        if name not in ("pain-score", "body-temperature"):
            assert name in local_codes("finding")


def local_codes(name: str) -> list[str]:
    from adapters.settings import ROOT
    from pathway import strict_yaml

    return [one["code"] for one in strict_yaml.read_file(ROOT / "fhir_profiles/local-codes.yaml", ROOT)[name]]


def test_what_is_said_at_once_orders_no_drug_and_softens_no_emergency() -> None:
    for question in script().questions:
        words = question.then.lower()
        assert "indicated" not in words
        assert not {"mg", "heparin", "dexamethasone", "antibiotic", "prescribe"} & set(words.replace(",", " ").split())
        if any(choice.alarm == EMERGENCY for choice in question.choices):
            assert "relative" not in words
            assert words.startswith("stay on the line. emergency:")
        if any(choice.alarm for choice in question.choices):
            assert question.then
        assert question.sources
