"""The demo's one click: for demo accounts, from this machine to this machine, and never otherwise."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from adapters.bootstrap import House
from adapters.http.auth.demo import PEOPLE, add_demo_people
from tests.adapters.http.conftest import MakeHouse
from tests.adapters.http.people import app_of, form_token, peopled, who

DEMO = "demo-clinician"


@pytest.fixture
def house(make_house: MakeHouse) -> House:
    return with_demo(peopled(make_house()))


def with_demo(house: House) -> House:
    with house.store.accounts(write=True) as accounts:
        add_demo_people(accounts, house.clock.now())
    return house


@pytest.fixture
def client(house: House) -> FlaskClient:
    return app_of(house).test_client()


def click(client: FlaskClient, name: str = DEMO, **options: Any) -> Any:
    form = {"csrf_token": form_token(client, **options), "name": name, "next": "/rulesets"}
    return client.post("/sign-in/demo", data=form, **options)


@pytest.mark.parametrize(("name", "role", "display"), PEOPLE)
def test_one_click_signs_in_as_each_of_the_demos_people(
    client: FlaskClient, name: str, role: str, display: str
) -> None:
    assert f"{role.capitalize()}: {display}" in client.get("/sign-in").get_data(as_text=True)
    answer = click(client, name)
    assert (answer.status_code, answer.location) == (303, "/rulesets")
    assert who(client)


@pytest.mark.parametrize("name", ["clinician", "admin", "", "nobody", "demo-%", "DEMO-clinician"])
def test_nobody_else_is_signed_in_by_a_click(client: FlaskClient, name: str) -> None:
    assert click(client, name).status_code == 403
    assert not who(client)


def test_a_disabled_demo_account_is_not_offered(client: FlaskClient, house: House) -> None:
    with house.store.accounts(write=True) as accounts:
        accounts.enable(DEMO, enabled=False)
    assert DEMO not in client.get("/sign-in").get_data(as_text=True)
    assert click(client).status_code == 403


@pytest.mark.parametrize("password", ["", "demo", "nobody signs in with this"])
def test_a_demo_account_has_no_password(client: FlaskClient, password: str) -> None:
    form = {"csrf_token": form_token(client), "name": DEMO, "password": password}
    assert client.post("/sign-in", data=form).status_code == 403
    assert not who(client)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1"])
def test_this_machine_may_have_any_address_of_its_own(client: FlaskClient, address: str) -> None:
    assert click(client, environ_base={"REMOTE_ADDR": address}).status_code == 303


ELSEWHERE: dict[str, dict[str, Any]] = {
    "another machine": {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}},
    "another machine of IPv6": {"environ_base": {"REMOTE_ADDR": "2001:db8::1"}},
    "a mapped address": {"environ_base": {"REMOTE_ADDR": "::ffff:192.0.2.7"}},
    "no address": {"environ_base": {"REMOTE_ADDR": ""}},
    "forwarded": {"headers": {"Forwarded": "for=127.0.0.1"}},
    "forwarded by the old name": {"headers": {"X-Forwarded-For": "127.0.0.1"}},
    "forwarded host": {"headers": {"X-Forwarded-Host": "localhost"}},
    "real ip": {"headers": {"X-Real-IP": "127.0.0.1"}},
    "via": {"headers": {"Via": "1.1 proxy"}},
    "forwarded port alone": {"headers": {"X-Forwarded-Port": "443"}},
    "a proxy in front of a proxy": {"headers": {"x-original-forwarded-for": "127.0.0.1"}},
    "a delivery network": {"headers": {"CF-Connecting-IP": "127.0.0.1"}},
}


@pytest.mark.parametrize("how", ELSEWHERE)
def test_whoever_may_come_from_elsewhere_is_offered_nothing_and_cannot_click(client: FlaskClient, how: str) -> None:
    options = ELSEWHERE[how]
    assert "demo" not in client.get("/sign-in", **options).get_data(as_text=True)
    assert click(client, **options).status_code == 403
    assert not who(client)


@pytest.mark.parametrize("bind", ["", "0.0.0.0", "::", "192.0.2.1", "pathway.clinic.example"])
def test_a_service_that_others_can_reach_has_no_click(house: House, bind: str) -> None:
    client = app_of(house, bind).test_client()
    assert "demo" not in client.get("/sign-in").get_data(as_text=True)
    assert click(client).status_code == 403


@pytest.mark.parametrize("bind", ["127.0.0.1", "localhost", "::1"])
def test_a_service_of_this_machine_has_it(house: House, bind: str) -> None:
    assert click(app_of(house, bind).test_client()).status_code == 303


@pytest.mark.parametrize("url", ["http://pathway.clinic.example", "https://pathway.clinic.example:8443/x"])
def test_a_service_that_goes_by_a_name_of_the_outside_has_no_click_under_any_name(
    make_house: MakeHouse, url: str
) -> None:
    client = app_of(with_demo(peopled(make_house(public_url=url)))).test_client()
    for host in ("127.0.0.1", "pathway.clinic.example"):
        answer = client.get("/sign-in", headers={"Host": host})
        assert answer.status_code == 200
        assert "demo" not in answer.get_data(as_text=True)
