"""A patient, a decision and a rule set, as people check them: everything that the decision rested on is there."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.bootstrap import House
from adapters.demo.patients import demo_patients
from adapters.demo.record import Record
from tests.adapters.http.builders import call, candidate, emergency, prefetch, unproven
from tests.adapters.http.conftest import NOW, opened_house
from tests.adapters.http.desks import Desk, Reader
from tests.world import ingest

pytestmark = pytest.mark.e2e  # pages of a whole house

Send = Callable[..., Any]


@pytest.fixture
def desk(house: House, send: Send) -> Desk:
    """An auditor of a house with one patient whose fracture nobody has shown to be fresh, cemented higher up before."""
    send(unproven("p1", NOW).fracture("T12", 200).cement("T12", 100).bundle())
    return Desk(house, "auditor")


def table(page: Reader, label: str) -> str:
    """The text of the table in the region of that name."""
    found = re.search(rf'aria-label="{label}[^"]*".*?</table>', page.html, re.DOTALL)
    assert found, label
    return Reader(found[0]).text


def decision(desk: Desk) -> str:
    return next(link for link in desk.read("/patients/p1").links("/records/") if "/answers/" not in link)


def answer(desk: Desk, policy: str = "candidacy", level: str = "L1") -> Reader:
    """The page of what carried one answer of the decision."""
    address = decision(desk)
    body = desk.client.get(address.replace("/records/", "/decisions/")).json["body"]
    rows = [*body["levels"], *body["treated"]]
    keys = [(row.get("policy") or row["ruleSet"], row["level"]) for row in rows]
    return desk.read(f"{address}/answers/{keys.index((policy, level)) + 1}")


def test_a_patient_page_tells_verdicts_what_decides_and_what_is_missing(desk: Desk) -> None:
    page = desk.read("/patients/p1")
    assert re.search(r"candidacy \d+\.\d+\.\d+ clinical, draft, acts", table(page, "Verdicts"))
    assert "insufficient data" in table(page, "Verdicts")
    assert "Tender at L1 on 2026-11-20" in page.text
    assert "study: not recorded. Show whether it is fresh: bone scan or SPECT-CT where MRI is unsafe" in page.text
    assert "MRI of the spine with a STIR or fat-suppressed sequence ready" in table(page, "Open tasks")
    assert "Fracture L1, since 2026-10-23 Condition/p1-fx-1" in page.text
    assert "Cement T12, done 2026-08-14 Procedure/p1-cement-1" in page.text


def test_coverage_stands_beside_the_clinical_verdict_and_never_before_it(house: House, send: Send) -> None:
    (record,) = [one for one in demo_patients(NOW) if one.id == "demo-documents-missing"]
    send(record.bundle())
    page = Desk(house, "auditor").read("/patients/demo-documents-missing")
    told = table(page, "Verdicts")
    assert re.search(r"candidacy [0-9.]+ clinical, draft, acts candidate", told)
    assert re.search(r"acts candidate .*coverage-cms-lcd-l\d+ [0-9.]+ coverage, draft documentation missing", told)
    assert "who pays: original medicare" in page.text
    (drawing,) = [svg for svg in page.all("svg") if svg.get("role") == "img"]
    assert "L1: candidate" in (drawing["aria-label"] or "")


def test_a_rule_set_that_did_not_decide_is_named_on_the_patients_page(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    off = "{rule-set: candidacy, set-on: 2026-11-20, by: [A. Person], reason: under review}"
    site.write_text(f"site: t\nstatus: draft\noff:\n  - {off}\n")
    with opened_house(tmp_path / "off.db", site_rules=site) as house:
        ingest(house, candidate("p1", NOW))
        page = Desk(house, "auditor").read("/patients/p1")
    assert "Did not decide: candidacy. Switched off at this site on 2026-11-20: under review" in page.text


def test_the_drawing_says_in_words_what_it_shows(desk: Desk) -> None:
    page = desk.read("/patients/p1")
    (drawing,) = [svg for svg in page.all("svg") if svg.get("role") == "img"]
    assert "L1: insufficient data, tender" in (drawing["aria-label"] or "")
    assert re.search(r"T12: [a-z ]+, cement", drawing["aria-label"] or "")


def test_what_a_hook_call_was_told_does_not_change_the_patients_page(desk: Desk) -> None:
    before = table(desk.read("/patients/p1"), "Verdicts")
    stranger = prefetch(Record("p1", NOW).fracture("T5", 3))
    answer = desk.client.post("/cds-services/candidacy", json=call("p1", prefetch=stranger))
    assert "T5" in answer.get_data(as_text=True)
    page = desk.read("/patients/p1")
    assert table(page, "Verdicts") == before
    assert "a hook call: not on the stored chart alone" in page.text


def test_a_patient_of_whom_nothing_is_known_is_not_there(desk: Desk) -> None:
    desk.read("/patients/p2", 404)


def test_tasks_that_ended_stay_to_be_seen(house: House, send: Send, desk: Desk) -> None:
    coordinator = Desk(house, "coordinator")
    id = desk.read("/patients/p1").links("/tasks/")[0].removeprefix("/tasks/")
    assert coordinator.act(id, "decline", text="moved away").status_code == 303
    assert "rejected: moved away" in table(desk.read("/patients/p1"), "Ended tasks")


def test_a_decision_page_holds_all_of_the_decision(desk: Desk, house: House) -> None:
    address = decision(desk)
    page = desk.read(address)
    raw = desk.client.get(address.replace("/records/", "/decisions/")).json
    for name in ("id", "inputSha256", "bodySha256", "actor"):
        assert raw[name] in page.text
    for release in raw["body"]["releases"]:
        row = f"{release['id']} {release['version']} {release['kind'].replace('-', ' ')} {release['status']}"
        assert f"{row} {release['sha256']}" in table(page, "Releases")
    rows = [*raw["body"]["levels"], *raw["body"]["treated"]]
    assert len(set(page.links(f"{address}/answers/"))) == len(rows)
    for number, row in enumerate(rows, start=1):
        one = desk.read(f"{address}/answers/{number}")
        assert row.get("outcome", "").replace("-", " ") in one.text
        for criterion in row["criteria"]:
            assert f"{criterion['verdict'].replace('-', ' ')} {criterion['message']}" in one.text
    for obligation in raw["body"]["obligations"]:
        assert obligation["title"] in table(page, "Obligations")
    for sheet in (raw["body"]["facts"]["patient"], *raw["body"]["facts"]["levels"]):
        for fact in sheet["facts"].values():
            assert all(source in page.text for source in fact.get("sources", ()))
    assert "Nothing: every record could be used." in page.text


def test_every_comparison_of_a_criterion_is_there_with_value_date_and_records(desk: Desk) -> None:
    gates = table(answer(desk), "Gates")
    assert "Spinal pain, 0 to 10: 7 2026-11-21 Observation/p1-pain-2 at least 5.00: met" in gates
    assert "Oedema or uptake by the latest adequate study: not recorded is oedema or uptake: unknown" in gates


def test_an_answer_that_the_decision_does_not_have_is_not_found(desk: Desk) -> None:
    desk.read(f"{decision(desk)}/answers/999", 404)


def test_the_page_of_an_answer_says_what_is_missing_what_it_turned_on_and_who_paid(desk: Desk) -> None:
    page = answer(desk)
    assert "Missing, and how to get it" in page.text
    assert re.search(r"It turned on: [^.]*Fresh fracture shown by marrow oedema or uptake", page.text)
    assert re.search(r"Rests on: NICE TA279 .* Funding of that work: ", page.text)
    assert "draft: not approved for clinical use" in page.text


def test_an_obligation_leads_to_the_task_as_it_stands_now(desk: Desk) -> None:
    page = desk.read(decision(desk))
    (task,) = {href for href in page.links("/tasks/") if "MRI" in desk.read(href).text}
    assert desk.read(task).links("/records/") == [decision(desk)]


def test_what_was_set_aside_is_told(house: House, send: Send) -> None:
    record = candidate("p1", NOW)
    record.resources[-1]["status"] = "no-such-status"
    send(record.bundle())
    desk = Desk(house, "auditor")
    assert "Observation.status is not one of" in desk.read(decision(desk)).text.partition("Set aside")[2]


def replay(desk: Desk, address: str) -> Any:
    token = re.search(r'name="csrf_token" value="([^"]+)"', desk.read(address).html)
    return desk.client.post(address, data={"csrf_token": token[1] if token else ""})


def test_a_replay_says_whether_the_bytes_are_the_same(desk: Desk, house: House) -> None:
    same = replay(desk, decision(desk))
    assert same.status_code == 200
    assert "Made again from its own facts and releases: the same bytes" in Reader(same.get_data(as_text=True)).text


def test_a_replay_that_differs_is_told_as_such(desk: Desk, house: House) -> None:
    address = decision(desk)
    with house.store.write() as ledger:
        known = ledger.decision(address.removeprefix("/records/"))
        body = json.loads(known.body)
        body["levels"][0]["reason"] = "something else"
        forged = json.dumps(body).encode()
        other = replace(known, id="00000000-0000-4000-8000-000000000001", body=forged)
        ledger.append_decision(other)
    answer = replay(desk, f"/records/{other.id}")
    assert answer.status_code == 409
    assert "it is not the same" in Reader(answer.get_data(as_text=True)).text


def test_only_who_may_replay_is_offered_it(house: House, desk: Desk) -> None:
    address = decision(desk)
    roles = ("auditor", "clinician", "coordinator")
    offered = {role: "Replay" in Desk(house, role).read(address).text for role in roles}
    assert offered == {"auditor": True, "clinician": True, "coordinator": False}
    coordinator = Desk(house, "coordinator")
    assert replay(coordinator, address).status_code == 403


def test_decisions_are_listed_newest_first_and_page_by_page(house: House, send: Send) -> None:
    for number in range(30):
        send(emergency(f"p{number}", NOW).bundle())
    desk = Desk(house, "auditor")
    first = desk.read("/records")
    assert first.text.index("p29") < first.text.index("p28")
    older = first.links("/records?before=")
    assert len(older) == 1
    both = first.links("/records/") + desk.read(older[0]).links("/records/")
    assert len(set(both)) == 30


def test_a_rule_set_tells_its_question_status_approvers_and_versions(desk: Desk) -> None:
    page = desk.read("/rulesets")
    assert "Candidacy for vertebral augmentation" in page.text
    assert "draft; decides today" in page.text
    one = desk.read("/rulesets/candidacy")
    assert "Approved by nobody yet" in one.text
    assert re.search(r"0\.1\.0 from 2026-\d\d-\d\d draft, frozen.*[0-9a-f]{64}", table(one, "Versions"))


def test_a_version_tells_every_rule_in_words_with_numbers_and_sources(desk: Desk, house: House) -> None:
    candidacy = house.book.sets["candidacy"]
    page = desk.read(f"/rulesets/candidacy/{candidacy.version}")
    for rule in candidacy.rules():
        assert f'id="{rule.id}"' in page.html
        for source in (rule.document or {}).get("evidence", ()):
            assert source["label"] in page.text
    assert "Oedema or uptake by the latest adequate study: oedema-or-uptake, no older than 30 d" in page.text
    assert "imaging-max-age 30 days project default 2026-11-22" in page.text
    assert candidacy.sha256 in page.text
    assert "date of birth used for adulthood" in page.text


def test_a_decision_leads_to_the_very_release_that_it_was_made_under(desk: Desk) -> None:
    links = [href for href in desk.read(decision(desk)).links("/rulesets/candidacy/") if "#" not in href]
    assert re.fullmatch(r"/rulesets/candidacy/\d+\.\d+\.\d+\?sha256=[0-9a-f]{64}", links[0])
    assert links[0].rpartition("=")[2] in desk.read(links[0]).text


@pytest.mark.parametrize(
    "address",
    ["/rulesets/nothing", "/rulesets/candidacy/9.9.9", f"/rulesets/candidacy/9.9.9?sha256={'0' * 64}", "/records/x"],
)
def test_what_does_not_exist_is_not_found(desk: Desk, address: str) -> None:
    desk.read(address, 404)


def test_a_hash_of_another_rule_set_is_not_shown_under_this_name(desk: Desk, house: House) -> None:
    other = house.book.sets["bone-health"]
    desk.read(f"/rulesets/candidacy/{other.version}?sha256={other.sha256}", 404)


def test_a_patient_whose_payer_is_not_concerned_has_a_page_all_the_same(tmp_path: Path) -> None:
    with opened_house(tmp_path / "paid.db", policies=("payer-6w",), acting_policy="") as house:
        ingest(house, candidate("p1", NOW).coverage("original-medicare"))
        assert "Vertebrae" in Desk(house, "auditor").read("/patients/p1").text
