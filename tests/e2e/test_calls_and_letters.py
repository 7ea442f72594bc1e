"""A call by its script and a referral letter in a real browser: seen at once, kept once, one page of paper."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import Visit, shot, sign_in
from tests.e2e.test_looks import findings

SCRIPT = pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])


def open_contact(page: Page) -> None:
    """The first contact after cement of an invented patient, from the patient's page."""
    page.goto("/patients/demo-leak")
    page.get_by_role("link", name=re.compile("contact|visit", re.IGNORECASE)).first.click()
    page.get_by_role("heading", name="The call").wait_for()


@SCRIPT
def test_a_yes_says_at_once_what_to_do_and_the_emergency_stands_in_the_answer(visit: Visit, script: bool) -> None:
    page = visit(java_script_enabled=script)
    sign_in(page, "coordinator")
    open_contact(page)
    chest = page.get_by_role("group", name=re.compile("short of breath"))
    alarm = chest.get_by_text("Stay on the line. Emergency")
    assert not alarm.is_visible()
    chest.get_by_label("Yes").check()
    assert alarm.is_visible()
    chest.get_by_label("Not asked").check()
    assert not alarm.is_visible()
    chest.get_by_label("Yes").check()
    chest.get_by_role("button", name="Then send what is answered so far").click()
    page.get_by_role("heading", name="What came of it").wait_for()
    assert page.get_by_text("Stay on the line. Emergency").first.is_visible()
    assert page.get_by_text("Emergency task").first.is_visible()
    assert page.get_by_text("No emergency task stands behind this").count() == 0


def test_a_fever_warns_by_its_number(visit: Visit) -> None:
    page = visit()
    sign_in(page, "coordinator")
    open_contact(page)
    if not page.get_by_label(re.compile("highest temperature")).is_visible():
        page.get_by_text("Ask again").click()
    fever = page.get_by_role("group", name=re.compile("fever"))
    warning = fever.get_by_text("Same day")
    fever.get_by_role("spinbutton").fill("37.9")
    assert not warning.is_visible()
    fever.get_by_role("spinbutton").fill("38")
    assert warning.is_visible()


def test_enter_in_a_number_sends_no_half_of_a_script(visit: Visit) -> None:
    page = visit()
    sign_in(page, "coordinator")
    open_contact(page)
    if not page.get_by_label(re.compile("highest temperature")).is_visible():
        page.get_by_text("Ask again").click()
    number = page.get_by_role("group", name=re.compile("fever")).get_by_role("spinbutton")
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    number.fill("37.2")
    number.press("Enter")
    page.wait_for_timeout(500)
    assert sent == []
    assert number.input_value() == "37.2"


def test_axe_finds_nothing_on_script_call_and_letter_and_the_letter_is_one_page(visit: Visit, tmp_path: Path) -> None:
    page = visit(bypass_csp=True)  # axe is injected, which the policy would refuse
    sign_in(page, "clinician")
    open_contact(page)
    for detail in page.locator("details").all():
        detail.evaluate("e => { e.open = true }")
    for field in page.locator("input.alarm").all():
        field.check()
    assert findings(page) == []
    shot(page, "script")
    page.get_by_role("button", name="Send the script").click()
    page.get_by_role("heading", name="What came of it").wait_for()
    assert findings(page) == []
    shot(page, "call")
    page.goto("/patients/demo-leak")
    page.get_by_text("Make a referral letter").click()
    assert findings(page) == []
    page.get_by_role("button", name="Make the letter").click()
    page.get_by_role("button", name=re.compile("sign it off")).click()
    page.get_by_text("Signed off").first.wait_for()
    assert findings(page) == []
    shot(page, "letter")
    page.get_by_role("link", name="The document alone, to print").click()
    page.get_by_text("Referral: care of the bone").wait_for()
    assert findings(page) == []
    shot(page, "letter-document")
    printed = tmp_path / "letter.pdf"
    page.pdf(path=str(printed), prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes())) == 1
