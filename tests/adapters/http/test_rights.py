"""Every page with every role, and forms that did not come from here. A new page fails here until it is entered."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from adapters.bootstrap import House
from adapters.cli.demo import load_demo
from adapters.db.unread import Unreadable
from adapters.fhir.phone_call import Call, bundle
from adapters.http.auth import MAY, Area, protect
from adapters.http.auth.gate import ROLES
from adapters.ingest.calls import kept_call, take
from pathway.chart import patient_id
from pathway.errors import PathwayError
from pathway.people import Person, Role
from pathway.tasks import Task
from tests.adapters.http.conftest import opened_house
from tests.adapters.http.people import app_of, form_token, peopled, signed, who

CARERS = {"clinician", "coordinator"}
READERS = CARERS | {"auditor"}
ALL = {role.value for role in Role}
ANYBODY: set[str] = set()
"""No sign-in is asked for."""

PAGES: dict[str, set[str]] = {
    "auth.sign_in": ANYBODY,
    "auth.sign_in_with_password": ANYBODY,
    "auth.sign_in_to_demo": ANYBODY,
    "auth.sign_out": ANYBODY,
    "auth.accounts": {"admin"},
    "pages.static": ANYBODY,
    "pages.start_page": ALL,
    "pages.worklist": CARERS,
    "pages.task": READERS,
    "pages.act_on_task": CARERS,
    "pages.act_on_many": CARERS,
    "pages.keep_call": CARERS,
    "pages.one_call": READERS,
    "pages.make_letter": CARERS,
    "pages.letter": READERS,
    "pages.letter_document": READERS,
    "pages.act_on_letter": CARERS,
    "pages.patient": READERS,
    "pages.end_care": CARERS,
    "pages.outbox": CARERS | {"admin"},
    "pages.requeue": CARERS | {"admin"},
    "pages.unread": CARERS,
    "pages.act_on_unread": CARERS,
    "pages.cohort": READERS,
    "pages.cohort_csv": READERS,
    "pages.measures": READERS,
    "pages.measure_now": READERS,
    "pages.measures_csv": READERS,
    "pages.measure": READERS,
    "pages.decisions": READERS,
    "pages.decision": READERS,
    "pages.replay": {"auditor", "clinician"},
    "pages.answer": READERS,
    "pages.rule_sets": ALL,
    "pages.rule_set": ALL,
    "pages.rule_set_version": ALL,
}
GUARDED = [endpoint for endpoint, roles in PAGES.items() if roles]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One house for the whole table."""
    with opened_house(tmp_path_factory.mktemp("rights") / "rights.db") as made:
        house = peopled(made)
        load_demo(house)
        yield house


@pytest.fixture(scope="module")
def app(house: House) -> Flask:
    """One app for the whole table."""
    return app_of(house)


def some_address(app: Flask, house: House, endpoint: str) -> tuple[str, str]:
    """A method and an address of a view, with ids of things that are there."""
    with house.store.read() as ledger:
        task = ledger.find_tasks(limit=1)[0]
    (rule,) = app.url_map.iter_rules(endpoint)
    ids = {
        "pages.task": task.id, "pages.act_on_task": task.id, "pages.patient": task.patient.partition("|")[2],
        "pages.decision": task.decision, "pages.replay": task.decision, "pages.answer": task.decision,
        "pages.rule_set": "candidacy", "pages.rule_set_version": "candidacy",
        "pages.end_care": task.patient.partition("|")[2], "pages.act_on_unread": some_unread(house),
        "pages.keep_call": task.id, "pages.one_call": task.id, "pages.make_letter": task.patient.partition("|")[2],
    }  # fmt: skip
    ids |= dict.fromkeys(("pages.letter", "pages.letter_document", "pages.act_on_letter"), some_letter(house, task))
    given = {"id": ids.get(endpoint, ""), "version": house.book.sets["candidacy"].version, "filename": "pathway.css"}
    given |= {"number": "1", "call": some_call(house, task)}
    address = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: given[found[1]], rule.rule)
    return ("POST" if "POST" in (rule.methods or ()) else "GET"), address


def some_letter(house: House, task: Task) -> str:
    clara = Person("clara", Role.CLINICIAN, "Clara C.")
    id = str(uuid.uuid5(uuid.NAMESPACE_URL, task.id))
    return house.service.correspondence.make(id, task.patient, task.decision, b'<p class="standing">made</p>', clara).id


def some_call(house: House, task: Task) -> str:
    """The same call each time, which changes nothing after the first."""
    clara, id = Person("clara", Role.CLINICIAN, "Clara C."), str(uuid.uuid5(uuid.NAMESPACE_URL, task.id))
    with house.store.read() as ledger:
        if kept_call(ledger, task, id):
            return id
    call = Call(id, task.id, patient_id(task.patient), (), house.clock.now(), clara, {"pain-score": "3"}, "test")
    take(house, bundle(call), task, clara)
    return id


def some_unread(house: House) -> str:
    with house.store.unread(write=True) as unread:
        what = Unreadable("local", "test", "entry[0]", "not FHIR", b"{}")
        return unread.add(what, house.clock.now())


NOBODY = str(uuid.UUID(int=1))
FORM_OF: dict[str, dict[str, str]] = {
    "tasks": {"act": "comment", "text": "looked", "version": "99"},
    "worklist": {"act": "claim"},
    "patients": {"act": "resume", "text": "looked"},
    "unread": {"act": "retry"},
    "letters": {"act": "withdraw"},
    "/calls": {"act": "keep", "call": NOBODY},
    "/letters": {"letter": NOBODY, "recipient": "bone-clinic", "replaces": NOBODY},
}
"""A form that changes nothing, by the last word of the address after a slash, or by the first."""


def form_of(address: str) -> dict[str, str]:
    words = address.split("/")
    return FORM_OF.get(f"/{words[-1]}") or FORM_OF.get(words[1], {})


def ask(client: FlaskClient, method: str, address: str) -> TestResponse:
    """A page, or its form with a token that fits and nothing done."""
    if method == "GET":
        return client.get(address)
    form = {"csrf_token": form_token(client, "/" if who(client) else "/sign-in", follow_redirects=True)}
    return client.post(address, data=form | form_of(address))


def test_the_table_has_every_page(app: Flask) -> None:
    built = {endpoint for endpoint in app.view_functions if endpoint.startswith(("pages.", "auth."))}
    assert built == set(PAGES)


def test_every_page_of_the_app_is_guarded(app: Flask) -> None:
    assert [name for name in PAGES if not hasattr(app.view_functions[name], ROLES)] == []


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("endpoint", GUARDED)
def test_a_role_sees_what_is_its_own_and_nothing_else(app: Flask, house: House, endpoint: str, role: Role) -> None:
    method, address = some_address(app, house, endpoint)
    answer = ask(signed(app, house, role), method, address)
    if role in PAGES[endpoint]:
        assert answer.status_code in (200, 303, 409), answer.get_data(as_text=True)
        assert "/sign-in" not in (answer.location or "")
    else:
        assert answer.status_code == 403
        assert "not open to your role" in answer.get_data(as_text=True)


@pytest.mark.parametrize("endpoint", GUARDED)
def test_nobody_is_sent_to_sign_in_and_sees_nothing(app: Flask, house: House, endpoint: str) -> None:
    method, address = some_address(app, house, endpoint)
    answer = ask(app.test_client(), method, address)
    assert answer.status_code == 303
    assert (answer.location or "").startswith("/sign-in")
    assert "Task" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("endpoint", [endpoint for endpoint, roles in PAGES.items() if not roles])
def test_what_is_open_to_all_shows_nobody(app: Flask, house: House, endpoint: str) -> None:
    method, address = some_address(app, house, endpoint)
    answer = ask(app.test_client(), method, address)
    assert answer.status_code in (200, 303, 403)
    with house.store.read() as ledger:
        ids = [patient.partition("|")[2] for patient in ledger.patients()]
    assert [id for id in ids if id in answer.get_data(as_text=True)] == []


FORMS = [
    "pages.act_on_task", "pages.act_on_many", "pages.end_care", "pages.requeue", "pages.act_on_unread", "pages.replay",
    "auth.sign_out", "pages.keep_call", "pages.make_letter", "pages.act_on_letter",
]  # fmt: skip


def history(house: House) -> Any:
    with house.store.read() as ledger:
        return [(task, ledger.task_events(task.key)) for task in ledger.find_tasks()]


@pytest.mark.parametrize("token", ["missing", "empty", "invented", "anothers", "of-the-page-before-sign-in"])
@pytest.mark.parametrize("endpoint", FORMS)
def test_a_form_that_did_not_come_from_here_does_nothing(app: Flask, house: House, endpoint: str, token: str) -> None:
    client = signed(app, house, "clinician")
    sent = {
        "missing": {},
        "empty": {"csrf_token": ""},
        "invented": {"csrf_token": "IjEyMyI.aaaa.bbbb"},
        "anothers": {"csrf_token": form_token(signed(app, house, "coordinator"), "/rulesets")},
        "of-the-page-before-sign-in": {"csrf_token": form_token(app.test_client())},
    }[token]
    method, address = some_address(app, house, endpoint)
    with house.store.read() as ledger:
        version = str(ledger.find_tasks(limit=1)[0].version)
    before = history(house)
    act = form_of(address).get("act", "claim")
    answer = client.post(address, data={"act": act, "version": version} | sent)
    assert (method, answer.status_code) == ("POST", 400)
    assert history(house) == before
    assert who(client)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_form_of_another_site_does_nothing_even_with_a_token(app: Flask, house: House, site: str) -> None:
    client = signed(app, house, "clinician")
    form = {"csrf_token": form_token(client, "/rulesets")}
    answer = client.post("/sign-out", data=form, headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 400
    assert who(client)
    assert client.post("/sign-out", data=form, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_the_programs_door_asks_for_no_token_and_takes_no_session(app: Flask, house: House) -> None:
    """It reads no cookie, so a foreign page can borrow nobody's session there."""
    client = signed(app, house, "clinician")
    assert client.get("/fhir/Task").status_code == 200
    with_cookie, without = client.get("/fhir/Task"), app.test_client().get("/fhir/Task")
    assert with_cookie.get_data() == without.get_data()
    assert "Set-Cookie" not in with_cookie.headers


def test_a_page_that_says_nothing_of_whom_it_is_for_lets_nobody_in(house: House) -> None:
    app = Flask("forgotten")
    app.testing = True
    blueprint = protect(Blueprint("forgotten", __name__))
    blueprint.add_url_rule("/forgotten", view_func=lambda: "everything")
    app.register_blueprint(blueprint)
    with pytest.raises(PathwayError, match="without rights"):
        app.test_client().get("/forgotten")


def test_the_table_of_rights_gives_an_admin_no_patient_and_an_auditor_no_act() -> None:
    open_to_admins = {area for area, roles in MAY.items() if Role.ADMIN in roles}
    assert open_to_admins == {Area.START, Area.RULE_SETS, Area.ACCOUNTS, Area.OUTBOX}
    assert Role.AUDITOR not in MAY[Area.ACT] | MAY[Area.WORK_LIST]
    assert set(MAY) == set(Area)
