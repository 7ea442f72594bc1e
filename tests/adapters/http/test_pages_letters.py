"""A referral letter as people meet it: made, signed, printed, replaced, taken back; and as a DocumentReference."""

import base64
import hashlib
import re
import uuid
from dataclasses import replace
from typing import Any

import pytest
from fhir.resources.R4B.documentreference import DocumentReference

from adapters.bootstrap import House
from adapters.demo.record import Record
from adapters.http.app import create_app
from adapters.http.pages.letters.content import TOLD, content_of
from pathway.canonical import canonical, parse
from pathway.keeping import FHIR
from pathway.letters import Letter
from pathway.people import NotYoursError, Person, Role
from tests.adapters.http.builders import call, prefetch
from tests.adapters.http.conftest import NOW, MakeHouse
from tests.adapters.http.desks import Desk, Reader
from tests.adapters.http.people import form_token
from tests.world import ingest

pytestmark = pytest.mark.e2e  # pages of a whole house


def treated(id: str = "p-1") -> Record:
    """Cement at L1 three weeks ago for osteoporosis; a drug prescribed, no density, no laboratory; and a secret."""
    record = Record(id, NOW, name="Anna <Example>").fracture("L1", 40).tender("L1", True, 30).oedema("L1", True, 31)
    record.pain(8, 30).cement("L1", 20).well(19).pain(3, 2).finding("fracture-cause", "osteoporotic", 30, level="L1")
    record.medicine("Alendronate 70 mg tablet", 5, code="M05BA04", system="http://www.whocc.no/atc")
    record.condition("F32.9", 100)
    record.resources[0]["identifier"] = [
        {"system": "https://hospital.example/mrn", "value": "MRN-4711", "type": {"text": "Hospital number"}}
    ]
    return record


@pytest.fixture
def ward(make_house: MakeHouse) -> House:
    """A house with a letterhead and one treated patient."""
    house = make_house(letterhead="Spine Unit, 1 Example Street")
    ingest(house, treated())
    return house


def make(desk: Desk, id: str = "", patient: str = "p-1", **fields: str) -> Any:
    """The form of a letter, sent."""
    form = {
        "csrf_token": form_token(desk.client, "/rulesets"), "letter": id or str(uuid.uuid4()),
        "recipient": "fracture-liaison-service", **fields,
    }  # fmt: skip
    return desk.client.post(f"/patients/{patient}/letters", data=form)


def made(desk: Desk, **fields: str) -> str:
    answer = make(desk, **fields)
    assert answer.status_code == 303, answer.get_data(as_text=True)[:1500]
    return answer.location.rpartition("/")[2]


def act(desk: Desk, id: str, what: str, **fields: str) -> Any:
    form = {"csrf_token": form_token(desk.client, "/rulesets"), "act": what, **fields}
    return desk.client.post(f"/letters/{id}", data=form)


def document(desk: Desk, id: str) -> bytes:
    answer = desk.client.get(f"/letters/{id}/document")
    assert answer.status_code == 200
    return answer.get_data()


def letter(house: House, id: str) -> Letter:
    with house.store.read() as ledger:
        return ledger.letter(id)


def served(desk: Desk, address: str) -> Any:
    answer = desk.client.get(f"/fhir/{address}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.json


def test_a_letter_says_what_it_must_and_no_more(ward: House) -> None:
    desk = Desk(ward, "coordinator")
    id = made(desk, remark="Please see her soon.")
    text = Reader(document(desk, id).decode()).text
    for words in (
        "To: Fracture liaison service. From: Spine Unit, 1 Example Street", "Example>, Anna", "1952-01-01",
        "Hospital number MRN-4711", "L1: broken since 2026-10-13", "L1: cemented on 2026-11-02",
        "Technique: L1: kyphoplasty", "osteoporotic", "Spinal pain after cement, 0 to 10: L1: 3, 2026-11-20",
        "prescribed (Alendronate 70 mg tablet)", "Order bone densitometry", "Please see her soon.",
        "Draft rules: not approved for clinical use", "Coordinator Test (coordinator)", "bone-health 0.",
        "Preliminary: not signed off", letter(ward, id).made.decision,
    ):  # fmt: skip
        assert words in text, words
    assert "F32" not in text  # a diagnosis that is none of the recipient's business
    assert "pregnan" not in text.lower()
    assert b"<Example>" not in document(desk, id)


def test_every_datum_that_a_letter_names_is_declared(ward: House) -> None:
    names = [name for data in TOLD.values() for same in data for name in same]
    assert [name for name in names if name not in ward.vocabulary.data] == []


def test_of_drugs_it_tells_what_speaks_against_and_what_cannot_be_judged_yet(ward: House) -> None:
    said = {
        "denosumab": ("not-met", "Denosumab: something speaks against it"), "romosozumab": ("unknown", "held back"),
        "zoledronic-acid": ("met", "Nothing speaks against it"), "risk-leak": ("not-met", "A leak"),
    }  # fmt: skip
    with ward.store.read() as ledger:
        record = ledger.decisions("local|p-1")[0]
        body = parse(record.body)
        criteria = [{"id": f"bone-treatment.{id}", "verdict": v, "message": m} for id, (v, m) in said.items()]
        own = [row for row in body["considerations"] if row.get("ruleSet") != "bone-treatment"]
        body["considerations"] = [*own, {"level": "", "ruleSet": "bone-treatment", "criteria": criteria}]
        with create_app(ward).test_request_context("/"):
            told = content_of(ledger, ward.book, "local|p-1", replace(record, body=canonical(body)), "bone-clinic")
    assert told.recipient == "Bone clinic"
    assert told.against == ("Denosumab: something speaks against it",)
    assert [name.rpartition(".")[2].lower() for name in told.held_back] == ["romosozumab"]


def test_a_letter_counts_when_a_clinician_has_signed_it_and_ends_no_task(ward: House) -> None:
    desk, clinician = Desk(ward, "coordinator"), Desk(ward, "clinician")
    id = made(desk)
    before = document(desk, id)
    refused = act(desk, id, "sign")
    assert (refused.status_code, letter(ward, id).standing) == (409, "preliminary")
    with ward.store.read() as ledger:
        tasks = ledger.tasks("local|p-1")
    assert [act(clinician, id, "sign").status_code for _ in range(2)] == [303, 303]
    after = document(desk, id)
    assert letter(ward, id).standing == "signed"
    assert len(letter(ward, id).steps) == 2
    assert b"Signed off by Clinician Test (clinician) on 2026-11-22 12:00." in after
    strip = re.compile(rb'<p class="standing">.*?</p>')
    assert strip.sub(b"", before) == strip.sub(b"", after)
    with ward.store.read() as ledger:
        assert ledger.tasks("local|p-1") == tasks


def test_the_document_keeps_its_own_style_and_may_load_nothing(ward: House) -> None:
    desk = Desk(ward, "auditor")
    id = made(Desk(ward, "coordinator"))
    answer = desk.client.get(f"/letters/{id}/document")
    style = re.search(rb"<style>(.*?)</style>", answer.get_data(), re.DOTALL)
    assert style
    hashed = base64.b64encode(hashlib.sha256(style[1]).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{hashed}'; ")
    assert "script" not in policy
    assert "style-src 'self'" in desk.client.get(f"/letters/{id}").headers["Content-Security-Policy"]


def test_sent_twice_it_is_one_letter_and_a_later_one_takes_its_place(ward: House) -> None:
    desk, clinician = Desk(ward, "coordinator"), Desk(ward, "clinician")
    id = str(uuid.uuid4())
    assert {make(desk, id).location for _ in range(2)} == {f"/letters/{id}"}
    act(clinician, id, "sign")
    later = made(desk, replaces=id)
    assert letter(ward, id).standing == "signed"  # until the later one is signed, too
    act(clinician, later, "sign")
    assert (letter(ward, id).standing, letter(ward, id).replaced_by) == ("replaced", later)
    assert act(clinician, id, "sign").status_code == 409
    assert make(desk, replaces=id).status_code == 409
    assert "replaced" in desk.read("/patients/p-1").text


def test_a_letter_is_taken_back_with_a_reason_and_says_so(ward: House) -> None:
    desk, clinician = Desk(ward, "coordinator"), Desk(ward, "clinician")
    id = made(desk)
    assert act(desk, id, "withdraw").status_code == 409
    act(clinician, id, "sign")
    assert act(desk, id, "withdraw", text="wrong patient").status_code == 409
    assert act(clinician, id, "withdraw", text="wrong <patient>").status_code == 303
    assert letter(ward, id).standing == "withdrawn"
    assert "not to be used: wrong &lt;patient&gt;" in document(desk, id).decode()
    assert served(desk, f"DocumentReference/{id}")["status"] == "entered-in-error"


def test_the_id_of_another_patient_s_letter_makes_none(ward: House) -> None:
    ingest(ward, treated("p-2"))
    desk = Desk(ward, "coordinator")
    id = made(desk)
    answer = make(desk, id, patient="p-2")
    assert answer.status_code == 409
    assert "a letter about another patient" in answer.get_data(as_text=True)
    assert letter(ward, id).made.patient == "local|p-1"


def test_a_patient_of_whom_nothing_is_stored_gets_no_letter(ward: House) -> None:
    assert make(Desk(ward, "coordinator"), patient="nobody").status_code == 404


def test_a_letter_is_a_document_reference_as_it_stands(ward: House) -> None:
    desk, clinician = Desk(ward, "coordinator"), Desk(ward, "clinician")
    first = made(desk)
    one = served(desk, f"DocumentReference/{first}")
    DocumentReference.model_validate(one)
    assert (one["status"], one["docStatus"]) == ("current", "preliminary")
    assert one["subject"] == {"reference": "Patient/p-1"}
    assert one["type"]["coding"] == [{"system": "http://loinc.org", "code": "57133-1", "display": "Referral note"}]
    (attached,) = (part["attachment"] for part in one["content"])
    data = base64.b64decode(attached["data"])
    assert data == document(desk, first)
    assert base64.b64decode(attached["hash"]) == hashlib.sha1(data, usedforsecurity=False).digest()
    assert attached["size"] == len(data)
    act(clinician, first, "sign")
    second = made(desk, replaces=first)
    act(clinician, second, "sign")
    bundle = served(desk, "DocumentReference?patient=p-1")
    found = {entry["resource"]["id"]: entry["resource"] for entry in bundle["entry"]}
    assert {id: (one["status"], one["docStatus"]) for id, one in found.items()} == {
        first: ("superseded", "final"), second: ("current", "final"),
    }  # fmt: skip
    assert found[second]["relatesTo"][0]["target"]["reference"] == f"DocumentReference/{first}"
    assert found[second]["authenticator"]["display"] == "Clinician Test (clinician)"
    assert served(desk, "DocumentReference?patient=nobody").get("entry", []) == []
    missing = desk.client.get(f"/fhir/DocumentReference/{uuid.uuid4()}")
    assert missing.status_code == 404
    kinds = {one["type"] for one in served(desk, "metadata")["rest"][0]["resource"]}
    assert "DocumentReference" in kinds


def test_two_records_that_are_one_person_keep_their_letters(ward: House) -> None:
    desk = Desk(ward, "coordinator")
    id = made(desk)
    other = treated("p-2")
    other.resources[0]["link"] = [{"other": {"reference": "Patient/p-1"}, "type": "replaces"}]
    ingest(ward, other)
    with ward.store.read() as ledger:
        assert [one.id for one in ledger.letters("local|p-2")] == [id]
    assert served(desk, f"DocumentReference/{id}")["subject"] == {"reference": "Patient/p-2"}


def test_a_corrected_draft_takes_the_place_of_the_letter_before_it_too(ward: House) -> None:
    """Signed, then a draft in its place, then a better one in the draft's: the first one is superseded."""
    desk, clinician = Desk(ward, "coordinator"), Desk(ward, "clinician")
    act(clinician, first := made(desk), "sign")
    draft = made(desk, replaces=first)
    last = made(desk, replaces=draft)
    act(clinician, last, "sign")
    assert (letter(ward, first).standing, letter(ward, first).replaced_by) == ("replaced", last)
    assert served(desk, f"DocumentReference/{first}")["status"] == "superseded"
    (target,) = (one["target"] for one in served(desk, f"DocumentReference/{last}")["relatesTo"])
    assert target["reference"] == f"DocumentReference/{first}"  # whoever has the first never saw the draft
    assert f"It takes the place of letter {first}." in Reader(document(desk, last).decode()).text
    act(clinician, last, "withdraw", text="wrong recipient")
    assert letter(ward, first).standing == "signed"


def test_a_letter_that_is_replaced_is_another_version(ward: House) -> None:
    desk, clinician = Desk(ward, "coordinator"), Desk(ward, "clinician")
    act(clinician, first := made(desk), "sign")
    before = served(desk, f"DocumentReference/{first}")["meta"]["versionId"]
    act(clinician, made(desk, replaces=first), "sign")
    assert served(desk, f"DocumentReference/{first}")["meta"]["versionId"] != before


def test_two_people_who_make_a_letter_at_the_same_time_make_one(ward: House) -> None:
    desk = Desk(ward, "coordinator")
    first = made(desk)
    refused = make(desk, remark="Her <daughter> drives.")  # from a page that was loaded before
    assert refused.status_code == 409
    assert "Her &lt;daughter&gt; drives.</textarea>" in refused.get_data(as_text=True)  # nothing is typed twice
    second = made(desk, replaces=first)
    assert make(desk, replaces=first).status_code == 409
    assert [letter(ward, id).standing for id in (first, second)] == ["replaced", "preliminary"]


def test_other_words_in_a_form_that_made_its_letter_are_not_lost_in_silence(ward: House) -> None:
    desk, id = Desk(ward, "coordinator"), str(uuid.uuid4())
    assert make(desk, id, remark="Soon.").status_code == 303
    for other in ({"remark": "Soon, she fell again."}, {"remark": "Soon.", "recipient": "bone-clinic"}, {}):
        again = make(desk, id, **other)
        assert again.status_code == 409, other
        assert "made a letter already, with other words" in again.get_data(as_text=True)
    assert make(desk, id.upper(), remark="Soon.").location == f"/letters/{id}"


def test_a_chart_that_is_opened_often_still_gives_a_letter_that_is_up_to_date(ward: House) -> None:
    record = treated()
    for _ in range(30):
        body = call(record.id, prefetch=prefetch(record), hookInstance=str(uuid.uuid4()))
        assert create_app(ward).test_client().post("/cds-services/candidacy", json=body).status_code == 200
    desk = Desk(ward, "coordinator")
    id = made(desk)
    with ward.store.read() as ledger:
        assert ledger.decision(letter(ward, id).made.decision).hook_instance == ""
    assert "The record has moved on since" not in desk.read(f"/letters/{id}").text


def test_nobody_signs_over_a_record_that_came_while_the_letter_lay_open(ward: House) -> None:
    clinician = Desk(ward, "clinician")
    id = made(Desk(ward, "coordinator"))

    def seen() -> str:
        (found,) = (tag["value"] for tag in clinician.read(f"/letters/{id}").all("input") if tag.get("name") == "seen")
        return str(found)

    before = seen()
    ingest(ward, treated().finding("fracture-cause", "tumour", 0.1, level="L1"))
    assert act(clinician, id, "sign", seen=before).status_code == 409
    assert letter(ward, id).standing == "preliminary"
    assert "The record has moved on since" in clinician.read(f"/letters/{id}").text
    assert act(clinician, id, "sign", seen=seen()).status_code == 303


def test_a_letter_says_that_its_patient_died(ward: House) -> None:
    record = treated("p-3")
    record.resources[0]["deceasedDateTime"] = "2026-11-20"
    ingest(ward, record)
    desk = Desk(ward, "coordinator")
    answer = make(desk, patient="p-3")
    assert "Died 2026-11-20" in Reader(document(desk, answer.location.rpartition("/")[2]).decode()).text


def test_what_others_have_of_a_letter_is_told_to_be_written_again(ward: House) -> None:
    """A letter in its place, and a merge of its patient: both change what the server holds of it."""
    service = replace(ward.service, channels=frozenset({FHIR}))
    own = replace(ward, service=service)
    desk, clinician = Desk(own, "coordinator"), Desk(own, "clinician")

    def waiting() -> dict[str, int]:
        with own.store.outbox(write=False) as outbox:
            rows = outbox.rows("pending", limit=1000)
        return {row.key.partition("/")[2]: row.wanted for row in rows if row.key.startswith("DocumentReference/")}

    act(clinician, first := made(desk), "sign")
    draft = made(desk, replaces=first)
    act(clinician, last := made(desk, replaces=draft), "sign")
    assert waiting() == {first: 2, last: 1}
    other = treated("p-2")
    other.resources[0]["link"] = [{"other": {"reference": "Patient/p-1"}, "type": "replaces"}]
    ingest(own, other)
    assert waiting() == {first: 3, last: 2}


def test_who_may_only_look_takes_no_letter_back(ward: House) -> None:
    id = made(Desk(ward, "coordinator"))
    with pytest.raises(NotYoursError):
        ward.service.correspondence.withdraw(id, b"x", Person("a", Role.AUDITOR, "A."), "why")
