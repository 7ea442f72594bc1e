"""Signing in and out: the form, the cookie, the times, guessing, and where one is sent on to."""

import hashlib
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from argon2 import PasswordHasher, Type, extract_parameters
from flask import Flask
from flask.testing import FlaskClient

from adapters.bootstrap import House
from adapters.http.auth import passwords, throttle
from adapters.http.auth.demo import add_demo_people
from adapters.http.auth.gate import ABSOLUTE, IDLE
from adapters.http.auth.views import own_path
from tests.adapters.http.conftest import MakeHouse
from tests.adapters.http.people import COOKIE, PASSWORD, app_of, form_token, peopled, sign_in, signed, who
from tests.world import FixedClock


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def house(make_house: MakeHouse, clock: FixedClock) -> House:
    return peopled(make_house(), clock)


@pytest.fixture
def app(house: House) -> Flask:
    return app_of(house)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def token_of(client: FlaskClient) -> str:
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    return cookie.value


def test_name_and_password_sign_in_and_lead_to_where_one_wanted_to_go(client: FlaskClient) -> None:
    answer = sign_in(client, "coordinator", then="/worklist?priority=stat")
    assert (answer.status_code, answer.location) == (303, "/worklist?priority=stat")
    assert who(client)


def test_the_name_is_read_as_people_write_it(client: FlaskClient) -> None:
    assert sign_in(client, "  Coordinator ").status_code == 303


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("coordinator", "seven grey herons in a ro"),
        ("coordinator", ""),
        ("nobody", PASSWORD),
        ("", ""),
        ("", PASSWORD),
        ("coordi\0nator", PASSWORD),
        ("coordinator", "\0" + PASSWORD),
        ("Ĉ" * 90, "é" * 900),
    ],
)
def test_what_is_wrong_is_refused_and_all_of_it_alike(client: FlaskClient, name: str, password: str) -> None:
    answer = sign_in(client, name, password)
    assert answer.status_code == 403
    assert "do not fit together" in answer.get_data(as_text=True)
    assert not who(client)


def test_a_disabled_account_gets_the_answer_of_a_wrong_password(client: FlaskClient, house: House) -> None:
    with house.store.accounts(write=True) as accounts:
        accounts.enable("coordinator", enabled=False)
    answer = sign_in(client, "coordinator")
    assert answer.status_code == 403
    assert "do not fit together" in answer.get_data(as_text=True)


class Watched:
    """A hasher that remembers what it verified."""

    def __init__(self, hasher: PasswordHasher) -> None:
        self.hasher, self.verified = hasher, list[str]()

    def verify(self, kept: str, password: str) -> bool:
        self.verified.append(kept)
        return self.hasher.verify(kept, password)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.hasher, name)


@pytest.mark.parametrize("name", ["coordinator", "nobody", "", "demo-auditor"])
def test_a_password_is_looked_at_once_whatever_the_name_so_that_time_tells_nothing(
    client: FlaskClient, house: House, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house.store.accounts(write=True) as accounts:
        add_demo_people(accounts, house.clock.now())
    watched = Watched(passwords._HASHER)
    monkeypatch.setattr(passwords, "_HASHER", watched)
    assert sign_in(client, name, "not the password at all").status_code == 403
    (verified,) = watched.verified
    assert not passwords.outdated(verified)


def test_a_hash_of_yesterdays_strength_is_made_anew_and_the_password_stays(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    sign_in(client, "coordinator")
    with house.store.accounts(write=False) as accounts:
        found = accounts.find("coordinator")
    assert found is not None
    assert not passwords.outdated(found.password)
    assert who(client)
    client.delete_cookie(COOKIE)
    assert sign_in(client, "coordinator").status_code == 303


def test_what_is_shipped_hashes_at_least_as_well_as_rfc_9106_asks_of_a_small_machine() -> None:
    shipped = extract_parameters(PasswordHasher().hash("x"))
    assert (shipped.type, shipped.time_cost) == (Type.ID, 3)
    assert shipped.memory_cost >= 64 * 1024


def test_the_cookie_holds_a_random_token_that_only_its_hash_is_stored_of(client: FlaskClient, house: House) -> None:
    answer = sign_in(client, "coordinator")
    sent = answer.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in sent
    assert "Secure" not in sent
    assert "Domain" not in sent
    assert "Expires" not in sent
    token = token_of(client)
    with house.store.accounts(write=False) as accounts:
        assert accounts.session(hashlib.sha256(token.encode()).hexdigest()) is not None
        assert accounts.session(token) is None


def test_behind_https_the_cookie_is_for_this_host_and_for_https_only(make_house: MakeHouse) -> None:
    house = peopled(make_house(public_url="https://pathway.clinic.example"))
    client = app_of(house).test_client()
    base = "https://pathway.clinic.example"
    answer = sign_in(client, "coordinator", base_url=base)
    assert answer.headers["Set-Cookie"].startswith("__Host-pathway=")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert client.get("/sign-in", base_url=base).status_code == 303


def test_a_planted_token_is_worth_nothing_after_the_sign_in(app: Flask) -> None:
    """Session fixation: who planted the token, or saw it before, has no session afterwards."""
    victim, attacker = app.test_client(), app.test_client()
    planted = "A" * 43
    victim.set_cookie(COOKIE, planted)
    sign_in(victim, "coordinator")
    attacker.set_cookie(COOKIE, planted)
    assert token_of(victim) != planted
    assert who(victim)
    assert not who(attacker)


def test_signing_in_again_ends_the_session_before(app: Flask, house: House) -> None:
    client = signed(app, house, "auditor")
    old = token_of(client)
    other = app.test_client()
    other.set_cookie(COOKIE, old)
    assert who(other)
    token = form_token(client, "/rulesets")
    client.post("/sign-in", data={"csrf_token": token, "name": "clinician", "password": PASSWORD})
    assert not who(other)
    assert who(client)


def test_signing_out_ends_the_session_for_every_copy_of_its_cookie(app: Flask, client: FlaskClient) -> None:
    sign_in(client, "auditor")
    copy = app.test_client()
    copy.set_cookie(COOKIE, token_of(client))
    assert who(copy)
    answer = client.post("/sign-out", data={"csrf_token": form_token(client, "/rulesets")})
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    assert not who(client)
    assert not who(copy)


@pytest.mark.parametrize(("minutes", "still"), [(14.9, True), (15, False)])
def test_a_session_ends_after_a_quiet_quarter_of_an_hour(
    app: Flask, house: House, clock: FixedClock, minutes: float, still: bool
) -> None:
    client = signed(app, house, "auditor")
    clock.forward(minutes=minutes)
    assert who(client) is still


def test_use_keeps_a_session_for_twelve_hours_and_no_longer(app: Flask, house: House, clock: FixedClock) -> None:
    client = signed(app, house, "auditor")
    end = clock.at + ABSOLUTE
    while clock.at + timedelta(minutes=13) < end:
        clock.forward(minutes=13)
        assert who(client)
    clock.at = end - timedelta(seconds=1)
    assert who(client)
    clock.at = end
    assert not who(client)


def test_use_within_the_last_minute_is_not_written_again_and_costs_at_most_that_minute(
    app: Flask, house: House, clock: FixedClock
) -> None:
    client = signed(app, house, "auditor")
    clock.forward(seconds=59)
    assert who(client)
    clock.forward(seconds=(IDLE - timedelta(seconds=60)).total_seconds())
    assert who(client)


def test_whoever_is_signed_in_reads_on_while_nothing_can_be_written_and_the_session_lasts_no_longer_for_it(
    make_house: MakeHouse, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.db.sqlite.BUSY_SECONDS", 0.05)
    house = peopled(make_house(), clock)
    client = signed(app_of(house), house, "clinician")
    clock.forward(seconds=120)
    path = house.settings.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert client.get("/worklist").status_code == 200
    clock.forward(seconds=IDLE.total_seconds() - 120)
    assert not who(client)


def test_disabling_an_account_ends_its_sessions_at_once_and_for_good(app: Flask, house: House) -> None:
    client = signed(app, house, "auditor")
    assert client.get("/rulesets").status_code == 200
    with house.store.accounts(write=True) as accounts:
        accounts.enable("auditor", enabled=False)
    assert not who(client)
    with house.store.accounts(write=True) as accounts:
        accounts.enable("auditor", enabled=True)
    assert not who(client)


def test_a_session_that_began_while_its_account_was_being_disabled_is_nobodys(app: Flask, house: House) -> None:
    with house.store.accounts(write=True) as accounts:
        accounts.enable("auditor", enabled=False)
    assert not who(signed(app, house, "auditor"))


def test_a_database_that_is_away_is_said_so_on_a_page_that_asks_it_nothing(app: Flask, house: House) -> None:
    client = signed(app, house, "coordinator")
    house.store.close()
    Path(house.settings.database_url.removeprefix("sqlite:///")).unlink()
    answer = client.get("/worklist", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize("token", ["", "x", "A" * 42, "A" * 44, "é" * 43, "A" * 42 + "'", "null"])
def test_a_cookie_that_is_not_of_our_making_is_nobody(app: Flask, token: str) -> None:
    client = app.test_client()
    client.set_cookie(COOKIE, token)
    assert not who(client)


@pytest.mark.parametrize(
    "sent",
    [
        "https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "http:evil.example",
        "/\t/evil.example", "/\n/evil.example", " /worklist", "javascript:alert(1)", "///evil.example", "evil.example",
        "/ok\\..\\evil", "/\u2044evil.example", "", "@evil.example", "/%", "//", "/" + "a" * 3000,
    ],
)  # fmt: skip
def test_no_address_leads_away_from_here(client: FlaskClient, sent: str) -> None:
    assert own_path(sent) in ("/", "/%")
    if len(sent) < 2000:
        assert sign_in(client, "coordinator", then=sent).location in ("/", "/%")


def test_reading_a_page_leads_to_the_sign_in_and_back_with_its_query(client: FlaskClient) -> None:
    answer = client.get("/worklist?priority=stat&owner=nurse")
    assert (answer.status_code, answer.location) == (
        303, "/sign-in?next=%2Fworklist%3Fpriority%3Dstat%26owner%3Dnurse",
    )  # fmt: skip
    then = client.get(answer.location).get_data(as_text=True)
    assert 'name="next" value="/worklist?priority=stat&amp;owner=nurse"' in then


def test_a_part_of_a_page_asks_the_browser_to_go_to_the_sign_in(client: FlaskClient) -> None:
    answer = client.get("/worklist", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (403, "/sign-in")


def guess(client: FlaskClient, name: str, times: int) -> list[int]:
    return [sign_in(client, name, "not the password at all").status_code for _ in range(times)]


@pytest.mark.parametrize("name", ["coordinator", "nobody"])
def test_guessing_is_locked_alike_for_names_that_exist_and_for_those_that_do_not(
    client: FlaskClient, name: str
) -> None:
    assert guess(client, name, 6) == [403] * throttle.FREE + [429]
    answer = sign_in(client, name)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "30")
    assert "Too many attempts" in answer.get_data(as_text=True)


def test_the_lock_grows_with_each_guess_and_never_beyond_a_quarter_of_an_hour(
    client: FlaskClient, clock: FixedClock
) -> None:
    guess(client, "coordinator", throttle.FREE)
    waits: list[int] = []
    for _ in range(8):
        wait = int(sign_in(client, "coordinator", "not the password").headers["Retry-After"])
        waits.append(wait)
        clock.forward(seconds=wait)
        assert guess(client, "coordinator", 1) == [403]
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]


def test_the_right_password_waits_like_any_other_then_forgets_the_guesses(
    client: FlaskClient, clock: FixedClock
) -> None:
    guess(client, "coordinator", throttle.FREE)
    assert sign_in(client, "coordinator").status_code == 429
    clock.forward(seconds=30)
    assert sign_in(client, "coordinator").status_code == 303
    client.delete_cookie(COOKIE)
    assert guess(client, "coordinator", throttle.FREE) == [403] * throttle.FREE


def test_a_lock_on_one_name_leaves_the_others_alone(client: FlaskClient) -> None:
    guess(client, "coordinator", 6)
    assert sign_in(client, "clinician").status_code == 303


def test_guesses_are_forgotten_after_a_quiet_quarter_of_an_hour(client: FlaskClient, clock: FixedClock) -> None:
    guess(client, "coordinator", 4)
    clock.forward(minutes=15, seconds=1)
    assert guess(client, "coordinator", throttle.FREE) == [403] * throttle.FREE


def test_no_password_token_or_name_reaches_the_log(client: FlaskClient) -> None:
    with structlog.testing.capture_logs() as log:
        sign_in(client, "coordinator", "MARKER in a password")
        sign_in(client, "MARKER", PASSWORD)
        sign_in(client, "coordinator")
        said = str(log)
        assert token_of(client) not in said
    assert "MARKER" not in said
    assert PASSWORD not in said
