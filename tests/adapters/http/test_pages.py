"""What holds for every page: who may see it, that it warns, that it reads well without scripts, and its colours."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from flask.testing import FlaskClient

from adapters.bootstrap import House
from adapters.http.pages.assets import asset, served
from tests.adapters.http.builders import candidate
from tests.adapters.http.conftest import NOW
from tests.adapters.http.desks import Desk

Send = Callable[..., Any]
DESKS = {"coordinator": "/worklist", "clinician": "/worklist", "auditor": "/records", "admin": "/rulesets"}


@pytest.mark.parametrize("role", DESKS)
def test_the_start_leads_everyone_to_their_desk(house: House, role: str) -> None:
    answer = Desk(house, role).client.get("/")
    assert (answer.status_code, answer.location) == (303, DESKS[role])


@pytest.mark.parametrize("address", ["/", "/worklist", "/patients/p1", "/records", "/rulesets"])
def test_nobody_sees_a_page_without_signing_in(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 303
    assert answer.location.startswith("/sign-in")


@pytest.mark.parametrize(
    ("role", "shut"),
    [("admin", ["/worklist", "/patients/p1", "/records"]), ("auditor", ["/worklist"])],
)
def test_what_is_not_of_a_role_is_neither_open_nor_linked(house: House, send: Send, role: str, shut: list[str]) -> None:
    send(candidate("p1", NOW).bundle())
    desk = Desk(house, role)
    for address in shut:
        desk.read(address, 403)
    page = desk.read("/rulesets")
    assert not [href for href in page.links("/") if href in shut]


def addresses(desk: Desk) -> list[str]:
    record = desk.read("/records").links("/records/")[0]
    task = desk.read("/patients/p1").links("/tasks/")[0]
    return ["/patients/p1", task, "/records", record, "/rulesets", "/rulesets/candidacy",
            desk.read("/rulesets").links("/rulesets/candidacy/")[0], "/worklist", "/sign-in"]  # fmt: skip


def test_every_page_warns_and_is_built_so_that_everyone_can_read_it(house: House, send: Send) -> None:
    send(candidate("p1", NOW).bundle())
    desk = Desk(house, "clinician")
    for address in addresses(desk)[:-1]:
        page = desk.read(address)
        assert "Draft rules: not approved for clinical use." in page.text, address
        assert page.all("html") == [{"lang": "en"}]
        levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1, address
        assert all(after <= before + 1 for before, after in pairwise(levels)), (address, levels)
        assert {th.get("scope") for th in page.all("th")} <= {"col", "row"}
        assert len([a for a in page.all("a") if a.get("href") == "#main"]) == 1
        labels = {label.get("for") for label in page.all("label")}
        fields = [f for tag in ("input", "select", "textarea") for f in page.all(tag) if f.get("type") != "hidden"]
        assert [f for f in fields if f.get("id") not in labels and not f.get("aria-label")] == [], address
        every_id = [a["id"] for _, a in page.tags if "id" in a]
        assert len(every_id) == len(set(every_id)), address


def test_no_page_has_anything_inline_and_every_script_is_ours(house: House, send: Send) -> None:
    send(candidate("p1", NOW).bundle())
    desk = Desk(house, "clinician")
    for address in addresses(desk)[:-1]:
        page = desk.read(address)
        assert page.all("style") == []
        assert all(
            re.fullmatch(r"/static/[a-z]+-[0-9a-f]{12}\.js", script["src"] or "") for script in page.all("script")
        )
        inline = [
            name for _, attributes in page.tags for name in attributes if name == "style" or name.startswith("on")
        ]
        assert inline == [], address
        policy = desk.client.get(address).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_every_link_of_every_page_leads_somewhere(house: House, send: Send) -> None:
    send(candidate("p1", NOW).bundle())
    desk = Desk(house, "clinician")
    seen: set[str] = set()
    for address in addresses(desk)[:-1]:
        seen |= {href.partition("#")[0] for href in desk.read(address).links("/")}
    for href in sorted(seen):
        assert desk.client.get(href).status_code in (200, 303), href


@pytest.mark.parametrize("name", ["pathway.css", "pathway.js", "htmx.js", "mark.svg"])
def test_a_static_file_is_kept_for_ever_under_the_hash_of_its_bytes(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/static/{asset(name)}")
    assert (answer.status_code, answer.mimetype) == (200, served()[asset(name)][1])
    assert "immutable" in answer.headers["Cache-Control"]
    assert "immutable" not in client.get(f"/static/{name}").headers["Cache-Control"]


@pytest.mark.parametrize("name", ["nothing.css", "..%2fassets.py", "pathway-000000000000.css"])
def test_nothing_else_is_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404


def test_htmx_comes_from_its_package_and_may_not_evaluate(house: House) -> None:
    page = Desk(house, "coordinator").read("/worklist")
    assert b"htmx" in served()[asset("htmx.js")][0]
    (config,) = [meta["content"] or "" for meta in page.all("meta") if meta.get("name") == "htmx-config"]
    for said in ('"allowEval": false', '"includeIndicatorStyles": false', '"historyCacheSize": 0'):
        assert said in config


def _luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("looks", ["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        *((ink, paper) for ink in ("ink", "quiet", "link", "alarm", "late", "good") for paper in ("paper", "wash")),
        ("ink", "note"), ("ink", "good-wash"), ("ink", "alarm-wash"), ("alarm", "alarm-wash"), ("on-button", "button"),
    ],
)  # fmt: skip
def test_colours_have_the_contrast_of_wcag_aa(ink: str, paper: str, looks: str) -> None:
    css = served()[asset("pathway.css")][0].decode()
    light, _, dark = css.partition("prefers-color-scheme: dark")
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light))
    if looks == "dark":
        colours |= dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", dark))
    low, high = sorted((_luminance(colours[ink]), _luminance(colours[paper])))
    assert (high + 0.05) / (low + 0.05) >= 4.5
