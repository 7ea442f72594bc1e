"""Alerts leave the house signed and without a word about the patient, arrive once, and fail where people see it."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from adapters.bootstrap import House
from adapters.out.alerts import channels
from adapters.out.email import Email
from adapters.out.posting import Claimed, Refused, Sent, TryLater, drain
from adapters.out.retry_after import retry_after
from adapters.out.webhook import Webhook
from adapters.settings import Settings
from pathway.errors import BadInputError, NotFoundError
from pathway.lifecycle import Act, Role
from pathway.people import Person
from pathway.tasks import Task
from tests.adapters.http.builders import emergency
from tests.adapters.http.servers import free_port
from tests.adapters.out.receivers import postbox, webhook
from tests.world import NOW, FixedClock, ingest, make_house

pytestmark = pytest.mark.e2e  # a whole house, and servers of this machine
SECRET = "a secret of the house"
HERE = "https://pathway.clinic.example/desk/"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house in which weak legs wait for an answer."""
    made = make_house(
        tmp_path_factory.mktemp("alerts"), public_url=HERE, alert_webhook="http://127.0.0.1:9/nobody",
        alert_webhook_secret=SecretStr(SECRET),
    )  # fmt: skip
    record = emergency("p-canary", NOW)
    record.resources[0]["name"] = [{"family": "Canary"}]
    ingest(made, record)
    yield made
    made.close()


def waiting(house: House) -> Task:
    with house.store.read() as ledger:
        return next(task for task in ledger.find_tasks() if task.emergency)


def row(house: House, channel: str, stage: int = 0, **changes: Any) -> Claimed:
    """A claimed row of the outbox about the emergency that waits."""
    key = f"alert/{waiting(house).id}/{stage}/{channel}"
    chosen = Claimed(
        key=key, channel=channel, patient="local|p-canary", wanted=1, attempts=1, remote_id="", etag="", lease_token="t"
    )
    return replace(chosen, **changes)


def with_settings(house: House, **settings: Any) -> House:
    return replace(house, settings=house.settings.model_copy(update=settings))


@contextmanager
def changed(house: House, **changes: Any) -> Iterator[None]:
    """The emergency as it is after a change, and as it was once this is left."""
    before = waiting(house)
    with house.store.write() as ledger:
        ledger.save_task(replace(before, version=before.version + 1, **changes), before.version)
    yield
    with house.store.write() as ledger:
        ledger.save_task(replace(before, version=before.version + 2), before.version + 1)


def test_the_webhook_gets_one_signed_call_that_names_nobody(house: House) -> None:
    with webhook() as receiver:
        sent = Webhook.of(with_settings(house, alert_webhook=receiver.address)).send(row(house, "webhook"))
    ((path, headers, body),) = receiver.heard
    assert sent == Sent()
    assert path == "/calls/night"
    task = waiting(house)
    assert json.loads(body) == {
        "event": "emergency", "task": task.id, "kind": task.code, "role": "on-call", "stage": 0,
        "link": f"https://pathway.clinic.example/desk/tasks/{task.id}", "sentAt": "2026-11-22T12:00:00Z",
    }  # fmt: skip
    proof = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["Pathway-Signature"] == f"sha256={proof}"
    assert headers["Idempotency-Key"] == f"alert/{task.id}/0/webhook/1"
    everything = f"{headers}{body!r}".lower()
    assert "canary" not in everything
    assert "t11" not in everything


def test_a_second_try_of_one_posting_has_the_same_key_and_a_new_posting_another(house: House) -> None:
    with webhook() as receiver:
        sender = Webhook.of(with_settings(house, alert_webhook=receiver.address))
        for claimed in (row(house, "webhook"), row(house, "webhook", attempts=2), row(house, "webhook", wanted=2)):
            sender.send(claimed)
    keys = [headers["Idempotency-Key"] for _, headers, _ in receiver.heard]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503])
def test_a_webhook_that_cannot_take_it_now_is_asked_again_when_it_says(house: House, status: int) -> None:
    with webhook((status, {"Retry-After": "90"})) as receiver, pytest.raises(TryLater) as failed:
        Webhook.of(with_settings(house, alert_webhook=receiver.address)).send(row(house, "webhook"))
    assert failed.value.after == timedelta(seconds=90)
    assert str(status) in failed.value.what


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 410])
def test_a_webhook_that_never_will_is_told_to_people_and_no_redirect_is_followed(house: House, status: int) -> None:
    with webhook(204) as elsewhere, webhook((status, {"Location": elsewhere.address})) as receiver:
        with pytest.raises(Refused) as failed:
            Webhook.of(with_settings(house, alert_webhook=receiver.address)).send(row(house, "webhook"))
        assert elsewhere.heard == []
    assert "PATHWAY_ALERT_WEBHOOK" in failed.value.fix
    assert receiver.address not in str(failed.value)


def test_a_webhook_that_is_not_there_is_tried_again_and_its_address_is_told_nobody(house: House) -> None:
    address = f"http://127.0.0.1:{free_port()}/T0KEN"
    with pytest.raises(TryLater) as failed:
        Webhook.of(with_settings(house, alert_webhook=address)).send(row(house, "webhook"))
    assert "T0KEN" not in f"{failed.value}{failed.value.__cause__}"


@pytest.mark.parametrize("channel", ["webhook", "email"])
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"acknowledged_at": NOW, "acknowledged_by": "clinician"}, id="acknowledged"),
        pytest.param({"status": "completed", "ended_at": NOW}, id="ended"),
    ],
)
def test_nobody_is_called_for_an_emergency_that_was_answered_meanwhile(
    house: House, channel: str, changes: dict[str, Any]
) -> None:
    claimed = row(house, channel)
    with changed(house, **changes), webhook() as receiver, postbox() as box:
        ready = with_settings(
            house,
            alert_webhook=receiver.address,
            alert_smtp=box.address,
            alert_to=("a@b.example",),
            alert_from="p@b.example",
        )
        sender = Webhook.of(ready) if channel == "webhook" else Email.of(ready)
        assert sender.send(claimed) == Sent(asked=False)
    assert (receiver.heard, box.letters) == ([], [])


def mailing(house: House, address: str) -> Email:
    return Email.of(
        with_settings(
            house, alert_smtp=address, alert_from="pathway@clinic.example",
            alert_to=("night@clinic.example", "chief@clinic.example"),
        )
    )  # fmt: skip


def test_the_mail_names_task_role_and_link_and_nobody_else(house: House) -> None:
    with postbox() as box:
        assert mailing(house, box.address).send(row(house, "email", stage=3)) == Sent()
    ((to, data),) = box.letters
    assert to == ["night@clinic.example", "chief@clinic.example"]
    letter = message_from_bytes(data, policy=default)
    assert letter["Subject"] == "Pathway: an emergency waits for supervisor (again)"
    words = letter.get_content()
    assert f"{HERE}tasks/{waiting(house).id}" in words
    assert "There was a call about it before" in words
    assert letter["Auto-Submitted"] == "auto-generated"
    for word in ("canary", "t11", "deficit"):
        assert word not in str(letter["Subject"]).lower()
        assert word != "canary" or word.encode() not in data.lower()


def test_one_posting_is_one_message_however_often_it_is_tried(house: House) -> None:
    with postbox() as box:
        for claimed in (row(house, "email"), row(house, "email", attempts=2), row(house, "email", wanted=2)):
            mailing(house, box.address).send(claimed)
    ids = [message_from_bytes(data)["Message-ID"] for _, data in box.letters]
    assert ids[0] == ids[1] != ids[2]
    assert ids[0].endswith("@clinic.example>")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"reply": "451 Try again"}, TryLater),
        ({"reply": "554 No"}, Refused),
        ({"refuses": {"chief@clinic.example": "450 Busy"}}, TryLater),
        ({"refuses": {"chief@clinic.example": "550 Unknown"}}, Refused),
        ({"refuses": {"chief@clinic.example": "550 Unknown", "night@clinic.example": "550 Unknown"}}, Refused),
    ],
)
def test_a_mail_that_somebody_did_not_get_is_no_success(
    house: House, options: dict[str, Any], fault: type[Exception]
) -> None:
    with postbox(**options) as box, pytest.raises(fault) as failed:
        mailing(house, box.address).send(row(house, "email"))
    assert "clinic.example" not in str(failed.value)


def test_a_mail_server_that_is_not_there_is_tried_again(house: House) -> None:
    with pytest.raises(TryLater):
        mailing(house, f"smtp://127.0.0.1:{free_port()}").send(row(house, "email"))


def test_a_row_that_names_no_alert_is_not_sent(house: House) -> None:
    with pytest.raises(NotFoundError):
        Webhook.of(house).send(row(house, "webhook", key="Task/1"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120), ("0", 0), ("", None), ("soon", None), ("-1", None), ("Sun, 22 Nov 2026 12:01:00 GMT", 60),
     ("Sun, 22 Nov 2026 11:00:00 GMT", 0), ("99999999999", None), ("²", None),
     ("Sun, 22 Nov 99999999999999999999 12:00:00 GMT", None), ("Sun, 22 Nov 2026 12:00:00 +9999999999999999999", None)],
)  # fmt: skip
def test_a_pause_is_read_as_seconds_or_as_a_date(text: str, seconds: int | None) -> None:
    assert retry_after(text, NOW) == (None if seconds is None else timedelta(seconds=seconds))


WHOLE = {
    "public_url": HERE, "alert_webhook": "https://calls.example/x", "alert_webhook_secret": SECRET,
    "alert_smtp": "smtp://mail.example:25", "alert_to": ("a@b.example",), "alert_from": "p@b.example",
}  # fmt: skip


def test_what_is_set_up_is_a_channel_and_what_is_not_is_none() -> None:
    assert channels(Settings(_env_file=None)) == frozenset()
    assert channels(Settings(_env_file=None, **WHOLE)) == {"webhook", "email"}


@pytest.mark.parametrize("lacking", WHOLE)
def test_alerts_that_are_half_set_up_stop_the_start_and_name_what_is_lacking(lacking: str) -> None:
    half = {name: value for name, value in WHOLE.items() if name != lacking}
    with pytest.raises(BadInputError) as refused:
        channels(Settings(_env_file=None, **half))
    assert f"PATHWAY_{lacking.upper()}" in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alert_webhook", "http://calls.example/x"),
        ("alert_webhook", "https://me:pass@calls.example/x"),
        ("alert_webhook", "https://calls.example/x?token=1"),
        ("alert_webhook", "https://calls.example:port/x"),
        ("alert_webhook", "https:\\\\calls.example"),
        ("alert_webhook", "ftp://calls.example"),
        ("alert_webhook_secret", "short"),
        ("alert_smtp", "mail.example"),
        ("alert_smtp", "smtp://me:pass@mail.example:25"),
        ("alert_smtp", "smtp://mail.example"),
        ("alert_to", ("no address",)),
        ("alert_to", ("a@b.example\r\nBcc: c@d.example",)),
        ("alert_from", "Pathway <p@b.example>"),
    ],
)
def test_an_address_that_is_none_is_refused_and_not_repeated(name: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=None, **{name: value})
    told = refused.value.errors(include_input=False, include_context=False)[0]["msg"]
    assert "pass@" not in told
    assert "short " not in told


def test_an_emergency_goes_from_the_record_to_both_receivers_once_for_each_stage(tmp_path: Path) -> None:
    clock = FixedClock()
    with webhook(503, 204) as receiver, postbox() as box:
        house = make_house(
            tmp_path, clock, public_url=HERE, alert_webhook=receiver.address, alert_webhook_secret=SecretStr(SECRET),
            alert_smtp=box.address, alert_to=("night@clinic.example",), alert_from="pathway@clinic.example",
        )  # fmt: skip
        for _ in range(2):  # the same record again asks for nothing again
            ingest(house, emergency("p-canary", NOW))
            assert drain(house).parked == 0
        assert (len(receiver.heard), len(box.letters)) == (1, 1)
        clock.forward(minutes=5)
        assert drain(house).sent == 1  # the webhook was not ready the first time
        assert len({headers["Idempotency-Key"] for _, headers, _ in receiver.heard}) == 1

        clock.forward(minutes=11)
        house.service.wake()
        drain(house)
        assert [json.loads(body)["event"] for _, _, body in receiver.heard] == [
            "emergency", "emergency", "emergency-again",
        ]  # fmt: skip
        assert len(box.letters) == 2
        task = waiting(house)
        house.service.desk.act(task.id, Act.ACKNOWLEDGE, Person("clio", Role.CLINICIAN, "Clio"), task.version)
        clock.forward(hours=2)
        house.service.wake()
        assert drain(house).rows == 0
        house.close()


def ringing(folder: Path, clock: FixedClock, address: str) -> House:
    """A house in which one emergency waits for an answer."""
    house = make_house(
        folder, clock, public_url=HERE, alert_webhook=address, alert_webhook_secret=SecretStr(SECRET)
    )  # fmt: skip
    ingest(house, emergency("p-canary", NOW))
    return house


def acknowledge(house: House) -> None:
    task = waiting(house)
    house.service.desk.act(task.id, Act.ACKNOWLEDGE, Person("clio", Role.CLINICIAN, "Clio"), task.version)


def test_an_emergency_that_was_acknowledged_and_then_forgotten_rings_the_supervisor(tmp_path: Path) -> None:
    clock = FixedClock()
    with webhook() as receiver:
        house = ringing(tmp_path, clock, receiver.address)
        drain(house)
        clock.forward(minutes=5)
        acknowledge(house)
        for _ in range(4):
            clock.forward(days=1)
            house.service.wake()
            drain(house)
        roles = [json.loads(body)["role"] for _, _, body in receiver.heard]
        assert roles[0] == "on-call"
        assert "supervisor" in roles[1:]
        with house.store.outbox(write=False) as outbox:
            assert len(outbox.rows("sent")) == len(roles)
        house.close()


def test_a_call_that_an_answer_made_needless_is_not_recorded_as_sent(tmp_path: Path) -> None:
    with webhook() as receiver:
        house = ringing(tmp_path, FixedClock(), receiver.address)
        acknowledge(house)
        assert drain(house).sent == 0
        assert receiver.heard == []
        with house.store.outbox(write=False) as outbox:
            assert (len(outbox.rows("sent")), len(outbox.rows("unneeded"))) == (0, 1)
        house.close()


def test_one_header_of_the_receiver_holds_a_second_emergency_up_for_two_minutes_at_most(tmp_path: Path) -> None:
    clock = FixedClock()
    with webhook((503, {"Retry-After": "3600"}), 204) as receiver:
        house = ringing(tmp_path, clock, receiver.address)
        assert drain(house).failed == 1
        ingest(house, emergency("p-second", NOW))
        clock.forward(minutes=2)
        assert drain(house).sent == 2
        house.close()


def test_a_receiver_that_is_down_for_an_hour_parks_no_alert(tmp_path: Path) -> None:
    clock = FixedClock()
    with webhook(*[503] * 70, 204) as receiver:
        house = ringing(tmp_path, clock, receiver.address)
        while len(receiver.heard) <= 70:
            assert drain(house).parked == 0
            clock.forward(minutes=2)
        house.close()
