"""SMART Backend Services against a server that checks them: sekmet with our key, and nothing without it."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
import requests

from adapters.bootstrap import House
from adapters.out import backend_services
from adapters.out.backend_services import assertion, key_set, make_key, public_key, read_key, token
from adapters.out.posting import TryLater, drain
from adapters.settings import Settings
from pathway.errors import BadInputError
from tests.faults.proxy import proxy, status
from tests.servers import OtherServer, sekmet
from tests.world import FixedClock, candidate, ingest, make_house

ALGORITHMS = ("ES384", "RS384")
SCOPE = "system/*.read system/*.write"


@pytest.fixture(autouse=True)
def _no_tokens() -> Iterator[None]:
    backend_services._TOKENS.clear()
    yield
    backend_services._TOKENS.clear()


@pytest.fixture(params=ALGORITHMS)
def key(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    make_key(tmp_path / "key.pem", request.param)
    return tmp_path / "key.pem"


@pytest.fixture
def strict(key: Path) -> Iterator[OtherServer]:
    """A server that lets in whoever has a token of its own."""
    client = {"client_id": "pathway", "jwks": {"keys": [public_key(read_key(key))]}, "scopes": SCOPE}
    with sekmet(server_auth={"types": ["smart"], "smart_clients": [client]}) as server:
        yield server


def settings(key: Path, **more: str) -> Settings:
    return Settings(fhir_client_id="pathway", fhir_client_key=key, fhir_client_scope=SCOPE, **more)


def asked(own: Settings, base: str) -> str:
    with requests.Session() as session:
        return token(own, base, session, time.monotonic() + 30)


def forward(house: House, **by: float) -> None:
    assert isinstance(house.clock, FixedClock)
    house.clock.forward(**by)


@pytest.mark.service
def test_a_token_is_got_by_our_signature_and_opens_the_door(strict: OtherServer, key: Path) -> None:
    got = asked(settings(key), strict.base)
    assert requests.get(f"{strict.base}/Task", timeout=30).status_code == 401
    headers = {"Authorization": f"Bearer {got}"}
    assert requests.get(f"{strict.base}/Task", headers=headers, timeout=30).status_code == 200


@pytest.mark.service
def test_it_is_asked_for_once_and_again_when_it_is_not_taken(strict: OtherServer, key: Path) -> None:
    url = requests.get(f"{strict.base}/.well-known/smart-configuration", timeout=30).json()["token_endpoint"]
    own = settings(key, fhir_token_url=url)
    first = asked(own, strict.base)
    assert asked(own, strict.base) == first
    backend_services.forget(own, strict.base)
    assert asked(own, strict.base) != first


@pytest.mark.service
def test_a_key_that_the_server_does_not_know_gets_nothing(strict: OtherServer, key: Path, tmp_path: Path) -> None:
    make_key(tmp_path / "other.pem", str(public_key(read_key(key))["alg"]))
    with pytest.raises(TryLater, match="the token server answered 40"):
        asked(settings(tmp_path / "other.pem"), strict.base)


@pytest.mark.service
@pytest.mark.parametrize("key", ALGORITHMS[:1], indirect=True)
def test_tasks_are_written_with_a_token_and_one_that_ended_is_replaced(
    strict: OtherServer, key: Path, tmp_path: Path
) -> None:
    given = {"fhir_client_id": "pathway", "fhir_client_key": key, "fhir_client_scope": SCOPE, "source": "test"}
    with proxy(strict.base) as between:
        house = make_house(tmp_path, fhir_write_base=between.base, **given)
        try:
            ingest(house, candidate())
            between.next(status(401), times=1, path="/Task")
            assert drain(house).failed > 0
            forward(house, minutes=1)
            assert drain(house).sent > 0
            forward(house, minutes=1)
            drain(house)
            with house.store.outbox(write=False) as outbox:
                assert outbox.counts().keys() == {"sent"}
        finally:
            house.close()


@pytest.mark.parametrize("key", ALGORITHMS[:1], indirect=True)
def test_a_server_that_fails_is_asked_later_and_errors_hold_no_secret(key: Path) -> None:
    with proxy("http://127.0.0.1:9/fhir") as between:
        between.next(status(500), times=10)
        with pytest.raises(TryLater) as failed:
            asked(settings(key, fhir_token_url=f"{between.base}/token"), between.base)
        assert not failed.value.counts
        assert "127.0.0.1" not in str(failed.value)


def test_a_statement_says_who_for_whom_and_for_how_long(key: Path) -> None:
    private = read_key(key)
    said = assertion(private, "pathway", "https://ehr.example/token")
    about = jwt.get_unverified_header(said)
    claims = jwt.decode(said, private.public_key(), algorithms=[about["alg"]], audience="https://ehr.example/token")
    assert (claims["iss"], claims["sub"]) == ("pathway", "pathway")
    assert 0 < claims["exp"] - claims["iat"] <= 300
    assert about["kid"] == public_key(private)["kid"]
    assert claims["jti"] != jwt.decode(assertion(private, "pathway", "x"), options={"verify_signature": False})["jti"]


def test_what_is_published_is_the_public_half(key: Path) -> None:
    (published,) = key_set(Settings(fhir_client_key=key))["keys"]
    assert published == public_key(read_key(key))
    assert not {"d", "p", "q", "dp", "dq", "qi"} & published.keys()
    assert key_set(Settings()) == {"keys": []}


def test_the_key_file_is_its_owners_and_is_never_overwritten(key: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with pytest.raises(BadInputError, match="exists"):
        make_key(key)


@pytest.mark.parametrize("body", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_without_a_key_is_said_at_once(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "key.pem").write_bytes(body)
    with pytest.raises(BadInputError, match="no key for ES384 or RS384"):
        read_key(tmp_path / "key.pem")


def test_without_a_client_id_no_token_is_asked_for() -> None:
    assert asked(Settings(), "https://ehr.example/fhir") == ""
