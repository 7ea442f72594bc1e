"""What a call gives: the card, what it says and offers; and that nothing but the log changes."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from adapters.bootstrap import House
from adapters.demo.record import Record
from adapters.fhir.validate import check_written
from adapters.http.app import create_app
from adapters.http.cds_hooks.cards import cards
from adapters.http.cds_hooks.gaps import SILENCE
from adapters.http.cds_hooks.guidance import Guidance
from adapters.http.cds_hooks.markdown import plain
from adapters.http.contract import contract
from tests.adapters.http.builders import INSTANCE, TYPES, Json, call, candidate, emergency, hollow, prefetch, unproven
from tests.adapters.http.conftest import NOW, MakeHouse, opened_house

Ask = Callable[..., list[Json]]


@pytest.fixture
def ask(client: FlaskClient) -> Ask:
    """`ask(record, without=…)`: the cards on a chart that comes whole in prefetch, less some keys."""

    def post(record: Record, *without: str) -> list[Json]:
        sent = {key: value for key, value in prefetch(record).items() if key not in without}
        answer = client.post("/cds-services/candidacy", json=call(record.id, prefetch=sent))
        assert answer.status_code == 200, answer.get_data(as_text=True)
        contract().body("Cards", answer.json, "answer")
        assert not any(hollow(card) for card in answer.json["cards"])
        return answer.json["cards"]

    return post


def stored(house: House, patient: str = "local|p1") -> Any:
    """All that a call must leave alone."""
    with house.store.read() as ledger:
        return ledger.chart(patient), ledger.chart_version(patient), ledger.episodes(patient), ledger.find_tasks()


def test_a_candidate_is_a_warning_with_the_three_facts_that_prove_the_level(ask: Ask) -> None:
    (card,) = ask(candidate("p1", NOW))
    assert (card["summary"], card["indicator"]) == ("L1: candidate", "warning")
    verdict = card["detail"].partition("### Other policies")[0]
    assert [line for line in verdict.splitlines() if line.startswith("- ")] == [
        "- Fresh: marrow oedema at L1 on 2026-11-19 (STIR MRI)",
        "- Tender at L1 on 2026-11-20",
        "- Spinal pain 7 of 10 on 2026-11-21",
    ]


def test_what_decides_is_told_by_the_rule_that_held_and_by_no_other_of_the_same_outcome(ask: Ask) -> None:
    """A fresh, tender fracture that is cemented already: that alone is why, whatever else would hold of it."""
    (card,) = ask(candidate("p1", NOW).cement("L1", 1))
    verdict = card["detail"].partition("### L1: not a candidate")[2].partition("### ")[0]
    said = verdict.partition("Missing, and")[0].partition("Not assessed")[0]
    assert [line for line in said.splitlines() if line.startswith("- ")] == [
        "- L1 was cemented on 2026-11-21: follow-up holds, pain again is for a specialist"
    ]


def test_every_card_says_that_the_rules_are_drafts_where_anyone_looks(ask: Ask) -> None:
    (card,) = ask(candidate("p1", NOW))
    assert card["source"]["label"] == "Pathway, draft rules: not approved for clinical use"
    assert card["detail"].startswith("**Draft rules: not approved for clinical use.**")
    assert re.search(r"Policy candidacy \d+\.\d+\.\d+ \(draft: not approved for clinical use\)\.", card["detail"])


def test_the_most_pressing_level_leads_and_the_others_are_counted(ask: Ask) -> None:
    record = candidate("p1", NOW, level="L2").fracture("T12", 40).tender("T12", False, 2).oedema("T12", False, 3)
    (card,) = ask(record)
    assert card["summary"] == "L2: candidate · 1 more level"
    assert card["detail"].index("### L2: candidate") < card["detail"].index("### T12: not a candidate")


def test_an_emergency_is_critical_and_leads(ask: Ask) -> None:
    (card,) = ask(emergency("p1", NOW))
    assert card["indicator"] == "critical"
    assert card["summary"].startswith("Emergency: neurological sign")
    assert "imaging and spinal surgery now" in card["detail"].split("###")[0]


def test_an_emergency_speaks_also_where_no_level_is_a_current_matter(ask: Ask) -> None:
    record = Record("p1", NOW).fracture("T11", 700).finding("neurological-examination", "deficit", 0.2)
    (card,) = ask(record)
    assert (card["indicator"], "###" in card["detail"]) == ("critical", False)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(Record("p1", NOW), id="no fracture at all"),
        pytest.param(Record("p1", NOW).fracture("L1", 400), id="an old one that nobody speaks of"),
        pytest.param(Record("p1", NOW).height_loss("L1", 30, 3), id="a deformity seen by chance"),
    ],
)
def test_no_card_where_no_level_is_a_current_matter(ask: Ask, record: Record) -> None:
    assert ask(record) == []


def test_where_freshness_is_all_that_is_missing_an_mri_is_offered_as_a_proposal(ask: Ask) -> None:
    (card,) = ask(unproven("p1", NOW))
    assert (card["summary"], card["indicator"], card["selectionBehavior"]) == ("L1: insufficient data", "info", "any")
    (suggestion,) = card["suggestions"]
    (action,) = suggestion["actions"]
    assert (suggestion["label"], action["type"]) == ("Order MRI of the spine (STIR)", "create")
    check_written(action["resource"])
    assert action["resource"] == {
        "resourceType": "ServiceRequest", "status": "draft", "intent": "proposal", "priority": "urgent",
        "code": {
            "coding": [{
                "system": "https://pathway.example/fhir/CodeSystem/order", "code": "spine-mri",
                "display": "MRI of the spine",
            }],
            "text": "MRI of the spine",
        },
        "subject": {"reference": "Patient/p1"},
        "bodySite": [{
            "coding": [{"system": "https://pathway.example/fhir/CodeSystem/level", "code": "L1", "display": "L1"}],
        }],
        "reasonReference": [{"reference": "Condition/p1-fx-1"}],
    }  # fmt: skip


def test_one_mri_is_offered_for_all_levels_that_want_one(ask: Ask) -> None:
    record = unproven("p1", NOW).fracture("T12", 20).tender("T12", True, 2)
    (card,) = ask(record)
    ((action,),) = [suggestion["actions"] for suggestion in card["suggestions"]]
    assert [site["coding"][0]["code"] for site in action["resource"]["bodySite"]] == ["T12", "L1"]
    assert action["description"] == "Order MRI of the spine (STIR): T12, L1"


def test_no_mri_is_offered_before_pain_and_examination_are_known(ask: Ask) -> None:
    (card,) = ask(Record("p1", NOW).fracture("L1", 30))
    assert "suggestions" not in card
    assert "selectionBehavior" not in card
    wanted = [line for line in card["detail"].splitlines() if line.startswith("- **")]
    assert wanted[-1].startswith("- **If pain and examination point here: Show whether it is fresh")


def test_what_is_missing_is_told_once_for_each_thing_to_do_with_why_it_matters(ask: Ask) -> None:
    (card,) = ask(Record("p1", NOW).fracture("L1", 30))
    (pain,) = [line for line in card["detail"].splitlines() if "72514" in line]
    assert "Spinal pain, 0 to 10: not recorded; Change of pain since onset: not recorded." in pain
    assert "Needed for: Severe spinal pain, located and dated; Pain is not settling by itself" in pain


def test_what_comes_next_is_told_for_its_level(ask: Ask) -> None:
    (card,) = ask(candidate("p1", NOW))
    (following,) = [line for line in card["detail"].splitlines() if line.startswith("Next: ")]
    assert "Operator's review of a candidate" in following


@pytest.mark.parametrize("key", sorted({*TYPES} - {"patient", "conditions", "observations"}))
def test_what_could_not_be_had_is_named(ask: Ask, key: str) -> None:
    (card,) = ask(candidate("p1", NOW), key)
    assert f"Could not be retrieved: {key} (not sent; no fhirServer was named)" in card["detail"]


def test_nobody_is_a_candidate_while_it_is_not_known_whether_the_vertebra_was_cemented(ask: Ask) -> None:
    assert ask(candidate("p1", NOW))[0]["summary"] == "L1: candidate"
    (card,) = ask(candidate("p1", NOW), "procedures")
    assert card["summary"] == "L1: insufficient data"
    (look,) = [line for line in card["detail"].splitlines() if "Look in the record" in line]
    assert "Cement at this vertebra since onset: could not be retrieved" in look
    assert "Cement at this vertebra before onset: could not be retrieved" in look


def test_cement_that_is_on_record_stays_so_though_newer_procedures_could_not_be_had(
    client: FlaskClient, ask: Ask, send: Callable[..., Any]
) -> None:
    send(candidate("p1", NOW).cement("L1", 1).bundle())
    (card,) = ask(candidate("p1", NOW), "procedures")
    assert card["summary"] == "L1: not a candidate"


def test_an_unknown_stay_in_hospital_is_unknown_and_not_a_no(ask: Ask, house: House, send: Callable[..., Any]) -> None:
    send(candidate("p1", NOW).bundle())
    ask(candidate("p1", NOW), "encounters")
    with house.store.read() as ledger:
        body = json.loads(ledger.decisions("local|p1")[0].body)
    assert body["facts"]["patient"]["facts"]["hospitalised"] == {"unknown": "not-retrieved"}


@pytest.mark.parametrize(("key", "datum"), [("requests", "levels-planned"), ("allergies", "cement-allergy")])
def test_a_plan_or_an_allergy_that_could_not_be_had_is_unknown_and_not_derived_or_denied(
    ask: Ask, house: House, key: str, datum: str
) -> None:
    def known(*without: str) -> Json:
        ask(candidate("p1", NOW).finding("cement-allergy", "absent", 1), *without)
        with house.store.read() as ledger:
            return json.loads(ledger.decisions("local|p1")[0].body)["facts"]["patient"]["facts"][datum]

    assert "value" in known()
    assert known(key) == {"unknown": "not-retrieved"}


def test_every_fact_that_speaks_from_silence_is_thought_of(opened: House) -> None:
    """A death is read from the Patient, and that key is required: it has no gaps."""
    said = {d.id for d in opened.vocabulary.data.values() if "statement about the record" in d.negative}
    named = {  # their silence is not the only way to a no
        "hospitalised", "cement-allergy", "levels-planned", "contrast-allergy", "antibiotic-allergy", "antithrombotic",
        "antithrombotic-plan", "antithrombotic-restart", "coagulopathy",
    }  # fmt: skip
    on_demand = {name for name in said if name.startswith("score-at-")}  # of measures: no call of a hook fills them
    assert said - {"deceased"} - on_demand | named == set().union(*SILENCE.values())


def test_links_and_source_lead_to_the_public_address_only_where_there_is_one(make_house: MakeHouse) -> None:
    for public, has in (("https://pathway.example/", True), ("", False)):
        client = create_app(make_house(public_url=public)).test_client()
        body = call("p1", prefetch=prefetch(candidate("p1", NOW)))
        (card,) = client.post("/cds-services/candidacy", json=body).json["cards"]
        assert ("links" in card, "url" in card["source"]) == (has, has)
        if has:
            (link,) = card["links"]
            assert link["type"] == "absolute"
            path = link["url"].removeprefix("https://pathway.example")
            assert client.get(path).location == f"/sign-in?next={quote(path, safe='')}"  # a page, for people
            assert client.get(path.replace("/records/", "/decisions/")).json["hookInstance"] == INSTANCE


def test_override_reasons_are_offered(ask: Ask) -> None:
    (card,) = ask(candidate("p1", NOW))
    assert len({reason["code"] for reason in card["overrideReasons"]}) == 5


def test_a_call_is_logged_with_its_input_and_replays(client: FlaskClient, ask: Ask, house: House) -> None:
    ask(candidate("p1", NOW))
    with house.store.read() as ledger:
        (record,) = ledger.decisions("local|p1")
        for reference, sha256 in json.loads(ledger.bytes_of(record.input_sha256)):
            resource = json.loads(ledger.bytes_of(sha256))
            assert reference == f"{resource['resourceType']}/{resource['id']}"
    assert (record.trigger, record.actor, record.hook_instance) == ("patient-view", "Practitioner/u1", INSTANCE)
    assert client.get(f"/decisions/{record.id}/replay").json["same"] is True


def test_a_call_that_knows_gaps_replays_too(client: FlaskClient, ask: Ask, house: House) -> None:
    ask(candidate("p1", NOW), "procedures", "encounters")
    with house.store.read() as ledger:
        (record,) = ledger.decisions("local|p1")
    assert client.get(f"/decisions/{record.id}/replay").status_code == 200


def test_a_call_stores_nothing_in_the_chart_and_makes_no_task(ask: Ask, house: House) -> None:
    before = stored(house)
    assert ask(emergency("p1", NOW))
    assert stored(house) == before


def test_prefetch_lies_over_the_stored_chart(client: FlaskClient, house: House, send: Callable[..., Any]) -> None:
    send(unproven("p1", NOW).bundle())
    before = stored(house)
    mri = Record("p1", NOW).oedema("L1", True, 1).resources[-1]
    sent = dict.fromkeys(prefetch(Record("p1", NOW))) | {"observations": mri}
    (card,) = client.post("/cds-services/candidacy", json=call("p1", prefetch=sent)).json["cards"]
    assert card["summary"] == "L1: candidate"
    assert stored(house) == before


def guidance(opened: House, record: Record) -> Guidance:
    """What a card is written from, for a chart of its own."""
    good, _ = opened.reader(NOW).resources(("x", resource) for resource in record.resources)
    made = opened.service.assess("local|p1", [resource for resource, _ in good], NOW)
    return Guidance(made.decision.body, {m.rule_set.id: m.rule_set for m in opened.service.machines})


def test_the_same_decision_gives_the_same_card_id_and_another_one_another(opened: House) -> None:
    known = guidance(opened, unproven("p1", NOW))
    (one,), (again,), (other,) = (cards(known, id, "") for id in (INSTANCE, INSTANCE, INSTANCE[:-1] + "b"))
    assert one == again
    assert one["uuid"] != other["uuid"]
    assert one["suggestions"][0]["uuid"] != other["suggestions"][0]["uuid"]


def test_a_policy_that_did_not_run_is_named_and_never_answered_with_silence(tmp_path: Path) -> None:
    """A site that switches candidacy off: the hook says that nobody looked, and why."""
    site = tmp_path / "site.yaml"
    site.write_text(
        "site: t\nstatus: draft\noff:\n"
        "  - {rule-set: candidacy, set-on: 2026-11-20, by: [A. Person], reason: under revision}\n"
    )
    record = candidate("p1", NOW)
    sent = call(record.id, prefetch=prefetch(record))
    with opened_house(tmp_path / "house.db", site_rules=site) as house:
        answer = create_app(house).test_client().post("/cds-services/candidacy", json=sent)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    contract().body("Cards", answer.json, "answer")
    (card,) = answer.json["cards"]
    assert not hollow(card)
    assert (card["indicator"], card["source"]["label"]) == ("info", "Pathway")
    assert card["summary"] == "Not assessed: no rules in force for candidacy"
    assert "candidacy (switched off at this site on 2026-11-20: under revision)" in card["detail"]


def test_a_rule_set_at_rest_beside_one_that_judges_is_named_on_its_card_and_makes_none(opened: House) -> None:
    resting = [{"ruleSet": "after-cement", "code": "switched-off", "why": "switched off at this site"}]
    judged, silent = guidance(opened, candidate("p1", NOW)), guidance(opened, Record("p2", NOW))
    (card,) = cards(Guidance(judged.body | {"notRun": resting}, judged.rule_sets), INSTANCE, "")
    assert "after-cement (switched off at this site)" in card["detail"]
    assert cards(Guidance(silent.body | {"notRun": resting}, silent.rule_sets), INSTANCE, "") == []


def test_a_coverage_verdict_is_not_mixed_in(opened: House) -> None:
    known = guidance(opened, candidate("p1", NOW))
    payer = {"id": "payer", "version": "1", "kind": "coverage", "status": "active"}
    row = known.body["levels"][0] | {"policy": "payer", "outcome": "met"}
    body = known.body | {"releases": [payer, *known.body["releases"]], "levels": [row, *known.body["levels"]]}
    (card,) = cards(Guidance(body, {"payer": known.rule_sets["candidacy"], **known.rule_sets}), INSTANCE, "")
    assert card["summary"] == "L1: candidate"
    verdicts, _, coverage = card["detail"].partition("### Coverage")
    assert "**met**" not in verdicts
    assert "- L1: **met** by" in coverage


def insured(place: str, payer: str = "original-medicare") -> Record:
    """A candidate in hospital with severe pain, in a US state, with a payer."""
    record = candidate("p1", NOW).encounter("IMP", 1).place(place).coverage(payer).pain(9, 0.5)
    return record.finding("pain-attribution", "this-fracture", 1, level="L1")


def test_coverage_stands_below_the_verdict_with_its_number_and_that_it_is_a_draft(opened: House) -> None:
    (card,) = cards(guidance(opened, insured("OH")), INSTANCE, "")
    (plain_card,) = cards(guidance(opened, candidate("p1", NOW)), INSTANCE, "")
    verdict, _, coverage = card["detail"].partition(
        "### Coverage: what the payer asks for, no reason for or against care"
    )
    assert "### L1: candidate" in verdict
    assert "- L1: **documentation missing** by LCD L38201." in coverage
    assert "Instruct the patient to take part in an osteoporosis programme" in coverage
    assert re.search(r"coverage-cms-lcd-l38201 [0-9.]+ \(draft: not approved for clinical use\)", coverage)
    assert (card["summary"], card["indicator"]) == (plain_card["summary"], plain_card["indicator"])
    assert card["source"]["topic"]["code"] == "candidacy"


def section(card: Json, title: str) -> str:
    """The lines of a card's detail under a heading that begins so."""
    found = re.search(rf"^### {title}[^\n]*\n\n(.*?)(?=\n\n###|\Z)", card["detail"], re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


def test_other_policies_stand_beside_with_source_and_funding_and_never_lead(ask: Ask) -> None:
    (card,) = ask(candidate("p1", NOW))
    beside = section(card, "Other policies, side by side; they ask for nothing here")
    assert re.search(r"- L1: \*\*needs specialist review\*\* by rand-2018 [0-9.]+ \([^)]*device maker", beside)
    assert re.search(r"\*\*not a candidate\*\* by aaos-2010-vertebroplasty [0-9.]+ \(AAOS guideline", beside)
    assert card["summary"] == "L1: candidate"
    assert card["source"]["topic"]["code"] == "candidacy"


def test_what_is_open_before_cement_is_said_once_it_is_ordered_and_apixaban_is_named_by_its_plan(ask: Ask) -> None:
    (quiet,) = ask(candidate("p1", NOW))
    assert section(quiet, "Before cement") == ""
    ordered = candidate("p1", NOW).order("vertebral-augmentation", 1, levels=["L1"]).medicine("Apixaban 5 mg", 90)
    (card,) = ask(ordered.lab("6301-6", 1.1, "{INR}", 1))
    before = section(card, "Before cement")
    assert "- L1: **not ready**" in before
    assert "record whether to hold or continue it" in before


def test_the_card_lists_only_what_of_this_patient_is_to_be_weighed(ask: Ask) -> None:
    (card,) = ask(candidate("p1", NOW).finding("kyphotic-deformity", "present", 3, level="L1"))
    weighed = section(card, "To weigh; the choice is the operator")
    assert "Kyphotic deformity at L1" in weighed
    assert "balloon" not in weighed


def test_another_payer_is_one_line_and_an_unknown_one_none(opened: House) -> None:
    (card,) = cards(guidance(opened, insured("OH", "medicare-advantage")), INSTANCE, "")
    assert "- Not applicable: Who pays: medicare advantage." in card["detail"]
    (card,) = cards(guidance(opened, candidate("p1", NOW).coverage("original-medicare")), INSTANCE, "")
    assert "- Insufficient data: Where care is given is not known" in card["detail"]
    (card,) = cards(guidance(opened, candidate("p1", NOW)), INSTANCE, "")
    assert "### Coverage" not in card["detail"]


def test_approved_rules_are_not_called_drafts(opened: House) -> None:
    known = guidance(opened, candidate("p1", NOW))
    releases = [release | {"status": "active"} for release in known.body["releases"]]
    (card,) = cards(Guidance(known.body | {"releases": releases}, known.rule_sets), INSTANCE, "")
    assert "draft" not in json.dumps(card).lower()


def test_a_summary_is_cut_below_140_characters(opened: House) -> None:
    long = {
        "releases": [{"id": "candidacy", "version": "1", "kind": "clinical", "status": "draft"}],
        "levels": [], "setAside": [],
        "obligations": [{
            "state": "open", "priority": "stat", "title": "word " * 40, "release": "candidacy|1", "code": "x",
            "rule": "x",
            "levels": [],
        }],
    }  # fmt: skip
    (card,) = cards(Guidance(long, {"candidacy": opened.service.machines[0].rule_set}), INSTANCE, "")
    assert len(card["summary"]) == 139


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, as it is: 7 of 10 (2026-11-22)", "plain, as it is: 7 of 10 (2026-11-22)"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("a & b &lt;", "a &amp; b &amp;lt;"),
        ("[click](http://evil.example)", r"\[click\](http:\//evil.example)"),
        ("![x](//evil.example/x.png)", r"\!\[x\](//evil.example/x.png)"),
        ("**bold** _it_ `code` ~no~ # h | t", r"\*\*bold\*\* \_it\_ \`code\` \~no\~ \# h \| t"),
        ("HTTPS://evil.example www.evil.example", r"HTTPS:\//evil.example www\.evil.example"),
        ("a@evil.example", r"a\@evil.example"),
        ("one\n\n# two\r\n\t- three", r"one \# two - three"),
        ("back\\slash", r"back\\slash"),
    ],
)
def test_text_from_data_stays_text(text: str, shown: str) -> None:
    assert plain(text) == shown
