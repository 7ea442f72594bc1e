"""What could not be sent and what could not be read: banners and lists that a person works through."""

from collections.abc import Callable
from typing import Any

import pytest

from adapters.bootstrap import House
from adapters.db.unread import Unreadable
from adapters.http.pages.outbox.model import PAGE
from adapters.out.posting import Claimed, Refused, Sent, drain
from tests.adapters.http.builders import candidate
from tests.adapters.http.conftest import NOW, MakeHouse
from tests.adapters.http.desks import Desk, Reader
from tests.world import person

pytestmark = pytest.mark.e2e  # pages of a whole house
FIX = "Mend the address"


class Broken:
    """The other side says no to everything."""

    def send(self, row: Claimed) -> Sent:
        raise Refused("the server answered 422", why="it will not take it", fix=FIX)


def parked(house: House, *keys: str) -> None:
    with house.store.write() as ledger:
        for key in keys:
            ledger.post(key, "fhir", "local|p-1", NOW)
    assert drain(house, by={"fhir": Broken()}).parked == len(keys)


def post(desk: Desk, address: str, **fields: str) -> Any:
    token = next(i["value"] for i in desk.read("/rulesets").all("input") if i.get("name") == "csrf_token")
    return desk.client.post(address, data={"csrf_token": token, **fields})


def waiting(house: House, state: str) -> list[str]:
    with house.store.outbox(write=False) as outbox:
        return [row.key for row in outbox.rows(state, limit=1000)]


def test_what_could_not_be_sent_is_a_banner_on_every_page_and_a_list_with_reasons(house: House) -> None:
    desk = Desk(house, "coordinator")
    assert "could not be sent" not in desk.read("/worklist").text
    parked(house, "Task/a", "CarePlan/b", "DocumentReference/c")
    assert "3 could not be sent." in desk.read("/worklist").text
    assert "3 could not be sent." in desk.read("/records").text
    page = desk.read("/outbox").text
    assert "Task to the FHIR server Task/a" in page
    assert "Referral letter to the FHIR server DocumentReference/c" in page
    assert "The server answered 422" in page or "the server answered 422" in page
    assert FIX in page


def test_one_is_tried_again_or_all_are(house: House) -> None:
    desk = Desk(house, "coordinator")
    parked(house, "Task/a", "Task/b", "Task/c")
    answer = post(desk, "/outbox", key="Task/b")
    assert (answer.status_code, waiting(house, "pending"), waiting(house, "parked")) == (
        303, ["Task/b"], ["Task/a", "Task/c"],
    )  # fmt: skip
    assert "On its way again" in desk.read(answer.location).text
    post(desk, "/outbox")
    assert waiting(house, "parked") == []
    assert "Everything that went out arrived, or is on its way." in desk.read("/outbox").text


def test_a_long_list_of_what_was_not_sent_comes_in_pages_and_all_of_it_is_tried_again(house: House) -> None:
    desk = Desk(house, "coordinator")
    keys = [f"Task/{number:03}" for number in range(2 * PAGE + 5)]
    for begin in range(0, len(keys), 90):
        parked(house, *keys[begin : begin + 90])
    page, seen = desk.read("/outbox"), []
    assert "100 or more could not be sent." in page.text
    while True:
        seen += [i["value"] for i in page.all("input") if i.get("name") == "key"]
        onward = page.links("/outbox?after=")
        if not onward:
            break
        page = desk.read(onward[0])
    assert seen == keys
    post(desk, "/outbox")
    assert waiting(house, "pending") == keys


def test_an_admin_sees_what_was_not_sent_and_no_patient(house: House) -> None:
    admin = Desk(house, "admin")
    parked(house, "Task/a")
    page = admin.read("/outbox")
    assert "Task/a" in page.text
    assert "p-1" not in page.html
    assert page.links("/patients/") == page.links("/tasks/") == []
    Desk(house, "auditor").read("/outbox", 403)


def unread(house: House, data: bytes, place: str = "entry[0]") -> str:
    with house.store.unread(write=True) as found:
        return found.add(
            Unreadable("local", "rest", place, "birthDate is no date", data, fix="Correct it at the sender"), NOW
        )


def test_what_could_not_be_read_stands_with_its_reason_and_is_read_once_it_can_be(house: House) -> None:
    desk = Desk(house, "coordinator")
    assert "Everything that came could be read." in desk.read("/unread").text
    from adapters.fhir import strict_json

    good, bad = (
        unread(house, strict_json.dumps(person("p-9").bundle())),
        unread(house, b'{"resourceType": "x"}', "line 7"),
    )
    page = desk.read("/unread").text
    assert "2 came and could not be read" in page
    assert "BirthDate is no date Correct it at the sender." in page
    assert "line 7" in page
    assert post(desk, f"/unread/{good}", act="retry").status_code == 303
    still = post(desk, f"/unread/{bad}", act="retry")
    assert still.status_code == 409
    assert "It still cannot be read." in Reader(still.get_data(as_text=True)).text
    desk.read("/patients/p-9")
    assert "1 came and could not be read" in desk.read("/unread").text


def test_what_need_not_be_read_is_set_aside_with_a_reason(house: House) -> None:
    desk = Desk(house, "coordinator")
    id = unread(house, b"{}")
    assert post(desk, f"/unread/{id}", act="dismiss").status_code == 409
    assert post(desk, f"/unread/{id}", act="dismiss", text="a test message").status_code == 303
    assert "0 came and could not be read; no decision rests on them. 1 were set aside." in desk.read("/unread").text
    assert post(desk, f"/unread/{id}", act="retry").status_code == 409


def test_who_came_before_the_service_did_is_one_report_on_a_page_and_as_a_file(make_house: MakeHouse) -> None:
    from datetime import UTC, date, datetime

    house = make_house(go_live=date(2026, 11, 22))
    from dataclasses import replace

    house = replace(house, service=replace(house.service, live_from=datetime(2026, 11, 22, tzinfo=UTC)))
    desk = Desk(house, "coordinator")
    send: Callable[..., Any] = desk.client.post
    assert send("/fhir", json=candidate("p-2", NOW).bundle()).status_code == 200
    page = desk.read("/cohort")
    assert "from before 2026-11-22" in page.text
    assert "p-2" in page.text
    answer = desk.client.get("/cohort.csv")
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    lines = answer.get_data(as_text=True).splitlines()
    assert lines[0].startswith("patient,kind,levels")
    assert len(lines) > 1


def test_without_a_day_of_go_live_the_report_says_that_nothing_is_withheld(house: House) -> None:
    desk = Desk(house, "coordinator")
    assert "No day of go-live is set" in desk.read("/cohort").text
    assert desk.read("/worklist").links("/cohort") == []
