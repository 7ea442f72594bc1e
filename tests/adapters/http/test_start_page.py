"""The start page: who is where, what is next, in HTML that a reader and a screen reader can use."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient

from adapters.bootstrap import House
from adapters.demo.record import Record
from adapters.http.app import create_app
from tests.adapters.http.builders import call, candidate, emergency, prefetch, unproven
from tests.adapters.http.conftest import NOW, MakeHouse, StandingClock

PAGE = "/"


class Reader(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def read(client: FlaskClient) -> Reader:
    answer = client.get(PAGE)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    return Reader(answer.get_data(as_text=True))


def rows(client: FlaskClient) -> list[str]:
    """The text of each patient's row, blanks folded."""
    html = client.get(PAGE).get_data(as_text=True)
    found = re.findall(r"<tr role=\"row\">\s*<th scope=\"row\".*?</tr>", html, re.DOTALL)
    return [" ".join(Reader(row).text.split()) for row in found]


def test_an_empty_house_says_what_to_do_and_still_warns(client: FlaskClient) -> None:
    page = read(client)
    assert "No patient is stored yet" in page.text
    assert "Draft rules: not approved for clinical use." in page.text


def test_each_patient_stands_with_verdict_reason_open_tasks_and_what_is_next(
    client: FlaskClient, send: Callable[..., Any]
) -> None:
    for record in (candidate("p1", NOW), unproven("p2", NOW), Record("p3", NOW)):
        send(record.bundle())
    one, two, three = rows(client)
    assert one.startswith("p1 L1: candidate Fresh: marrow oedema at L1 on 2026-11-19 (STIR MRI) Tender at L1")
    assert " 1 Operator's review of a candidate 2026-11-29 12:00 " in one
    assert two.startswith("p2 L1: insufficient data Missing: ")
    assert three.startswith("p3 No vertebral fracture on record 0 Nothing")
    assert "Draft rules: not approved for clinical use." in read(client).text


def test_what_cannot_wait_is_next_and_says_so(client: FlaskClient, send: Callable[..., Any]) -> None:
    send(emergency("p1", NOW).bundle())
    (row,) = rows(client)
    assert "At once Emergency: neurological deficit" in row


def later(house: House, at: datetime) -> House:
    """The same house when its clock shows another instant."""
    clock = StandingClock(at)
    return replace(house, clock=clock, service=replace(house.service, clock=clock))


def test_what_cannot_wait_comes_before_what_is_overdue(client: FlaskClient) -> None:
    cemented = Record("p1", NOW).fracture("L1", 60).cement("L1", 30)
    client.post("/fhir", json=cemented.bundle())
    (row,) = rows(client)
    assert "Leak check after cement 2026-10-24 12:00 overdue" in row
    client.post("/fhir", json=cemented.finding("neurological-examination", "deficit", 0.1).bundle())
    (row,) = rows(client)
    assert "At once Emergency" in row
    assert "overdue" not in row


def test_due_dates_are_in_the_facilitys_zone_and_overdue_is_told(make_house: MakeHouse) -> None:
    house = make_house(time_zone="Europe/Berlin")
    create_app(house).test_client().post("/fhir", json=emergency("p1", NOW).bundle())
    for minutes, late in ((59, False), (61, True)):
        (row,) = rows(create_app(later(house, NOW + timedelta(minutes=minutes))).test_client())
        assert "2026-11-22 14:00" in row
        assert ("overdue" in row) is late


def test_links_of_a_row_lead_to_that_patient(client: FlaskClient, send: Callable[..., Any]) -> None:
    send(candidate("p1", NOW).bundle())
    hrefs = [a["href"] or "" for a in read(client).all("a")]
    assert any(href.startswith("/fhir/Task?patient=p1") for href in hrefs)
    assert any(href.startswith("/fhir/CarePlan?patient=p1") for href in hrefs)
    assert any(href.startswith("/decisions/") for href in hrefs)
    for href in hrefs:
        answer = client.get(href, headers={"Accept": "text/html,*/*;q=0.8"})
        assert (answer.status_code, answer.mimetype) == (200, "application/json"), href


def test_the_call_shown_as_an_example_works(client: FlaskClient, send: Callable[..., Any]) -> None:
    send(candidate("p1", NOW).bundle())
    body = re.search(r"-d '\n(.*?)'", read(client).text, re.DOTALL)
    assert body is not None
    answer = client.post("/cds-services/candidacy", data=body[1], content_type="application/json")
    assert answer.json["cards"][0]["summary"] == "L1: candidate"


def test_what_a_hook_call_was_told_does_not_change_the_page(client: FlaskClient, send: Callable[..., Any]) -> None:
    send(candidate("p1", NOW).bundle())
    before = rows(client)
    stranger = prefetch(Record("p1", NOW).fracture("T5", 3))
    answer = client.post("/cds-services/candidacy", json=call("p1", prefetch=stranger))
    assert "T5" in answer.get_data(as_text=True)
    assert rows(client) == before


def test_what_came_from_records_is_text_and_never_markup(client: FlaskClient, send: Callable[..., Any]) -> None:
    send(Record("a.b-1", NOW, name="<script>alert(1)</script> X").bundle())
    page = client.get(PAGE).get_data(as_text=True)
    assert "<script" not in page
    assert "alert(1)" not in page


def test_the_page_is_accessible_and_needs_no_script(client: FlaskClient, send: Callable[..., Any]) -> None:
    send(candidate("p1", NOW).bundle())
    page = read(client)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert {th.get("scope") for th in page.all("th")} == {"col", "row"}
    assert "width=device-width" in (page.all("meta")[1]["content"] or "")
    assert page.all("script") == page.all("style") == []
    assert not [name for _, attributes in page.tags for name in attributes if name == "style" or name.startswith("on")]
    assert page.all("link") == [{"rel": "stylesheet", "href": "/static/pathway.css"}]
    assert client.get("/static/pathway.css", buffered=True).mimetype == "text/css"


def _luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(
    ("ink", "paper"),
    [("ink", "paper"), ("quiet", "paper"), ("link", "paper"), ("alarm", "paper"), ("ink", "note")],
)
def test_colours_have_the_contrast_of_wcag_aa(client: FlaskClient, ink: str, paper: str) -> None:
    css = client.get("/static/pathway.css", buffered=True).get_data(as_text=True)
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", css))
    light, dark = sorted((_luminance(colours[ink]), _luminance(colours[paper])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_livez_answers(client: FlaskClient) -> None:
    assert client.get("/livez").get_data() == b"ok"


def test_a_refusal_shows_what_failed_and_nothing_beside_it(client: FlaskClient, send: Callable[..., Any]) -> None:
    send(candidate("p1", NOW).oedema("L1", False, 0.5).bundle())
    send(candidate("p2", NOW).cement("L1", 1).bundle())
    healed, cemented = rows(client)
    assert "No oedema or uptake at L1 on 2026-11-22 (STIR MRI)" in healed
    assert "L1 was cemented on 2026-11-21" in cemented
    assert "Fragility fracture" not in healed + cemented
