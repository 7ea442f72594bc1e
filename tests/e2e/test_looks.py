"""Every page, light and dark: axe finds nothing, and at 320 pixels nothing runs out of the window."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.e2e.conftest import Visit, Watch, shot, sign_in

PAGES = {
    "worklist": ("clinician", "/worklist"),
    "worklist-empty": ("clinician", "/worklist?patient=nobody"),
    "patient": ("clinician", "/patients/demo-two-fractures"),
    "patient-unnamed": ("clinician", "/patients/demo-unnamed-level"),
    "decisions": ("auditor", "/records"),
    "rule-sets": ("auditor", "/rulesets"),
    "rule-set": ("auditor", "/rulesets/candidacy"),
    "outbox": ("coordinator", "/outbox"),
    "outbox-admin": ("admin", "/outbox"),
    "unread": ("coordinator", "/unread"),
    "cohort": ("auditor", "/cohort"),
    "measures": ("auditor", "/measures"),
    "measure": ("auditor", "/measures/osteoporosis-180"),
    "sign-in": ("", "/sign-in"),
    "not-found": ("auditor", "/patients/nobody"),
    "not-yours": ("admin", "/records"),
    "bad-filter": ("clinician", "/worklist?priority=x"),
}
OPENED = {
    "worklist-unfolded": ("clinician", "/worklist", "li.task h3 a", "/worklist"),
    "task": ("clinician", "/patients/demo-leak", "table th a[href^='/tasks/']", "/tasks/"),
    "decision": ("auditor", "/records", "table th a", "/records/"),
    "answer": ("auditor", "/patients/demo-candidate", "td a[href*='/answers/']", "/records/"),
    "rule-set-version": ("auditor", "/rulesets/after-cement", "table th a", "/rulesets/after-cement/"),
}
LOOKS = pytest.mark.parametrize("looks", ["light", "dark"])


def findings(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['help']}: {[n['html'][:160] for n in v['nodes'][:3]]}" for v in found]


def inspect(page: Page, name: str, looks: str) -> None:
    assert findings(page) == []
    for detail in page.locator("details").all()[:40]:
        detail.evaluate("e => { e.open = true }")
    assert findings(page) == []
    shot(page, f"{name}-{looks}")
    page.set_viewport_size({"width": 320, "height": 700})
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name} is {wide} pixels too wide"
    shot(page, f"{name}-{looks}-narrow")


@LOOKS
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_and_nothing_is_cut_off(visit: Visit, watch: Watch, name: str, looks: str) -> None:
    role, address = PAGES[name]
    watch.forgive("status of 40[034]")
    page = visit(bypass_csp=True, color_scheme=looks)  # axe is injected, which the policy would refuse
    if role:
        sign_in(page, role)
    page.goto(address)
    inspect(page, name, looks)


@LOOKS
@pytest.mark.parametrize("name", OPENED)
def test_axe_finds_nothing_on_what_is_opened_from_a_list(visit: Visit, name: str, looks: str) -> None:
    role, address, link, leads_to = OPENED[name]
    page = visit(bypass_csp=True, color_scheme=looks)
    sign_in(page, role)
    page.goto(address)
    page.locator(link).first.click()
    page.wait_for_url(re.compile(re.escape(leads_to)))
    page.locator(".why, h1").first.wait_for()
    inspect(page, name, looks)


def test_the_list_prints_without_its_controls(visit: Visit) -> None:
    page = visit()
    sign_in(page, "coordinator")
    page.emulate_media(media="print")
    assert page.locator("li.task h3").first.is_visible()
    assert not page.locator("button").first.is_visible()
    assert not page.locator("form.filters").is_visible()
    shot(page, "worklist-print")
