"""What coordinators and auditors do, in real Chromium, against the running service and its demo."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Visit, Watch, shot, sign_in


def row_of(page: Page, patient: str, title: str = "") -> Locator:
    """The row of one open task on the list."""
    return page.locator("li.task").filter(has_text=patient).filter(has_text=title).first


def count(page: Page) -> int:
    """How many tasks the bands say there are."""
    return sum(int(text) for text in page.locator("h2 .count").all_inner_texts())


def choose(page: Page, patient: str, title: str = "") -> str:
    """The list narrowed to one patient, through its filter; the id of the first task there, or of that title."""
    page.get_by_label("Patient id").fill(patient)
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url(re.compile(f"patient={patient}"))
    return (row_of(page, patient, title).get_attribute("id") or "").removeprefix("task-")


@pytest.mark.parametrize(
    ("script", "patient"),
    [
        pytest.param(True, "demo-candidate", id="with scripts"),
        pytest.param(False, "demo-stale-mri", id="without scripts"),
    ],
)
def test_a_coordinator_claims_a_task_sees_why_it_exists_and_completes_it(
    visit: Visit, script: bool, patient: str
) -> None:
    page = visit(java_script_enabled=script)
    sign_in(page, "coordinator")
    expect(page.get_by_role("heading", name="Work list", level=1)).to_be_visible()
    shot(page, f"worklist-{'script' if script else 'plain'}")
    every = count(page)
    id = choose(page, patient)
    here = count(page)
    row = page.locator(f"#task-{id}")
    title = row.locator("h3 a").inner_text().split(",")[0]

    row.get_by_role("button", name="Claim").click()
    expect(page.get_by_role("status")).to_contain_text("You hold it now")
    expect(row.locator(".holder")).to_have_text(re.compile("You hold it"))

    row.locator("h3 a").click()
    why = row.locator(".why")
    expect(why).to_contain_text("Why this task")
    expect(why).to_contain_text(re.compile(r"Rule candidacy\.[a-z-]+,\s+candidacy version \d+\.\d+\.\d+ \(draft"))
    expect(why).to_contain_text(re.compile(r"It rests on.+Observation/demo-", re.DOTALL))
    expect(why).to_contain_text("Sources of the rule")
    shot(page, f"why-{'script' if script else 'plain'}")

    row.get_by_label("Outcome").select_option("done")
    row.get_by_role("button", name="Complete", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text(f"Ended: {title}")
    expect(page.locator("h2 .count").first).to_be_visible()
    assert count(page) == here - 1

    page.goto("/worklist")
    expect(page.locator(f"#task-{id}")).to_have_count(0)
    assert count(page) == every - 1
    page.goto(f"/tasks/{id}")
    expect(page.get_by_text("completed: Done")).to_be_visible()
    expect(page.locator(".history")).to_contain_text("(coordinator) ended it, done")


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without scripts"])
def test_an_auditor_opens_a_decision_with_rules_facts_and_release_and_replays_it(visit: Visit, script: bool) -> None:
    page = visit(java_script_enabled=script)
    sign_in(page, "auditor")
    page.goto("/patients/demo-two-fractures")
    expect(page.get_by_role("heading", name="Example, Hanna", level=1)).to_be_visible()
    page.get_by_role("table").nth(1).get_by_role("link").first.click()  # an open task
    page.get_by_role("link", name=re.compile("The decision behind it")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Decision of")

    releases = page.get_by_role("region", name="Releases")
    expect(
        releases.get_by_role("row", name=re.compile(r"candidacy \d+\.\d+\.\d+ clinical draft [0-9a-f]{64}"))
    ).to_be_visible()
    expect(page.get_by_role("region", name=re.compile("^Facts: The person"))).to_contain_text(
        "Observation/demo-two-fractures-pain-2"
    )
    shot(page, "decision")

    page.get_by_role("link", name=re.compile("What carried it ?: L2, candidacy")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("L2: candidate")
    gates = page.get_by_role("region", name="Gates")
    expect(gates).to_contain_text("Spinal pain 8 of 10")
    expect(gates).to_contain_text("Observation/demo-two-fractures-pain-2")
    shot(page, "answer")
    page.go_back()

    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_role("status")).to_contain_text("the same bytes")

    releases.get_by_role("link", name="candidacy").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Candidacy for vertebral augmentation, version")
    expect(page.get_by_role("heading", name="Fresh fracture shown by marrow oedema or uptake")).to_be_visible()
    expect(page.get_by_text("nobody yet")).to_be_visible()
    shot(page, "rule-set-version")


def test_an_auditor_only_looks(visit: Visit, watch: Watch) -> None:
    page = visit()
    sign_in(page, "auditor")
    page.goto("/patients/demo-deficit")
    page.get_by_role("table").nth(1).get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="Reasons and actions")).to_be_visible()
    expect(page.locator("form.act")).to_have_count(0)
    page.goto("/worklist")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("li.task")).to_have_count(0)
    watch.forgive("403")


def test_everything_can_be_done_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit()
    page.goto("/")
    tab_to(page, "Coordinator")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Work list").wait_for()

    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    page.keyboard.press("Enter")
    tab_to(page, "Patient id")
    page.keyboard.type("demo-unnamed-level")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("patient=demo-unnamed-level"))
    before = count(page)

    page.keyboard.press("j")
    title = focused(page)
    id = page.evaluate("document.activeElement.closest('.task').id")
    row = page.locator(f"#{id}")
    page.keyboard.press("Enter")
    expect(row.locator(".why")).to_be_visible()
    assert focused(page) == title  # the row was swapped, the place was kept
    tab_to(page, "Claim")
    page.keyboard.press("Enter")
    expect(row.locator(".holder")).to_have_text(re.compile("You hold it"))
    assert focused(page).startswith("Release")
    row.locator("h3 a").press("Enter")
    expect(row.locator(".why")).to_be_visible()
    tab_to(page, "Outcome")
    page.keyboard.type("Done")
    tab_to(page, "Complete")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Ended")
    assert count(page) == before - 1
    assert "completed" in focused(page)


def focused(page: Page) -> str:
    """What has the focus: its label, or its text."""
    return page.evaluate(
        "(e => (e.labels?.length ? e.labels[0].innerText : e.innerText || '').trim())(document.activeElement)"
    )


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has the focus begins with these words; each stop on the way must show its focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        visible = page.evaluate("getComputedStyle(document.activeElement).outlineStyle !== 'none'")
        assert visible, focused(page)
        if focused(page).startswith(name):
            return
    pytest.fail(f"Tab never reached {name}")


def test_two_people_want_one_task_and_the_second_sees_who_has_it(visit: Visit, watch: Watch) -> None:
    first, second = visit(), visit()
    sign_in(first, "coordinator")
    sign_in(second, "clinician")
    scan = "CT of the cemented vertebra"  # a coordinator may take it, as the emergencies above it may not be
    id = choose(first, "demo-leak", scan)
    assert choose(second, "demo-leak", scan) == id
    for page in (first, second):
        page.locator(f"#task-{id}").get_by_role("button", name="Claim").click()
        page.locator(f"#task-{id} .holder").get_by_text(re.compile("hold")).wait_for()
    told = second.locator(f"#task-{id}")
    expect(told.get_by_role("alert")).to_contain_text(re.compile("Not done.+Cora Demo"))
    expect(told.locator(".holder")).to_have_text(re.compile("Cora Demo holds it"))
    shot(second, "conflict")
    first.reload()
    expect(first.locator(f"#task-{id} .holder")).to_have_text(re.compile("You hold it"))
    watch.forgive("409")


def test_an_emergency_stands_above_everything_and_no_coordinator_ends_it(visit: Visit) -> None:
    page = visit()
    sign_in(page, "coordinator")
    bands = page.locator("section.band h2")
    expect(bands.first).to_contain_text("Emergencies")
    row = page.locator(".band.emergencies li.task").first
    row.locator("h3 a").click()
    expect(row.get_by_label("Text")).to_be_visible()
    expect(row.get_by_role("button", name="Complete", exact=True)).to_have_count(0)
    row.get_by_label("Text").fill("Called the on-call surgeon <b>now</b>")
    row.get_by_role("button", name="Keep comment").click()
    expect(row.locator(".history")).to_contain_text("“Called the on-call surgeon <b>now</b>”")


def test_an_act_that_did_not_arrive_never_looks_done(visit: Visit, watch: Watch) -> None:
    page = visit()
    sign_in(page, "clinician")
    id = choose(page, "demo-defer")
    row = page.locator(f"#task-{id}")
    page.context.set_offline(True)
    row.get_by_role("button", name="Claim").click()
    expect(page.get_by_role("status")).to_contain_text("Not done: the service cannot be reached")
    expect(row.get_by_role("button", name="Claim")).to_be_visible()
    page.context.set_offline(False)

    other = page.context.new_page()
    other.goto("/rulesets")
    other.get_by_role("button", name="Sign out").click()
    other.get_by_role("heading", name="Sign in").wait_for()
    row.get_by_role("button", name="Claim").click()
    expect(page.get_by_role("status")).to_contain_text("Not done: you are not signed in for this any more")
    sign_in(page, "clinician")
    page.goto(f"/tasks/{id}")
    expect(page.locator("dl.head")).to_contain_text("nobody")
    watch.forgive("ERR_INTERNET_DISCONNECTED|status of 400|htmx:|Response Status Error")


def test_a_clinician_acknowledges_an_emergency_and_its_timer_stops(visit: Visit) -> None:
    page = visit(java_script_enabled=False)
    sign_in(page, "clinician")
    row = page.locator(".band.emergencies li.task").filter(has_text="demo-deficit").first
    expect(row).to_contain_text(re.compile(r"Nobody has answered it\. It goes further at .+ minutes? left"))
    row.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("status")).to_contain_text("Acknowledged: it is yours now")
    expect(row).to_contain_text(re.compile("Acknowledged by .+ at 20"))
    expect(row).not_to_contain_text("goes further")


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without scripts"])
def test_ticked_tasks_are_put_off_together_and_what_was_not_done_says_why(
    visit: Visit, watch: Watch, script: bool
) -> None:
    patient = "demo-in-order" if script else "demo-documents-missing"
    mine, other = visit(java_script_enabled=script), visit()
    sign_in(mine, "coordinator")
    sign_in(other, "clinician")
    taken = choose(other, patient)
    choose(mine, patient)
    other.locator(f"#task-{taken}").get_by_role("button", name="Claim").click()
    other.locator(f"#task-{taken} .holder").get_by_text("You").wait_for()

    boxes = mine.get_by_role("checkbox", name=re.compile("^Choose"))
    every = boxes.count()
    assert every > 1
    for box in boxes.all():
        box.focus()
        mine.keyboard.press("Space")
    many = mine.locator("form.many")
    many.get_by_label("Reason or note").fill("on holiday")
    many.get_by_label("Put off until").fill(in_days(3))
    shot(mine, f"ticked-{'script' if script else 'plain'}")
    many.get_by_role("button", name="Put off all").click()
    expect(mine.get_by_role("status")).to_contain_text(f"{every - 1} of {every} done.")
    results = mine.get_by_role("region", name="What came of it")
    expect(results.get_by_role("listitem").first).to_contain_text(
        re.compile("Not done:.+Dr. Clio Demo claimed it", re.DOTALL)
    )
    expect(mine.locator(".band.deferred li.task")).to_have_count(every - 1)
    shot(mine, f"results-{'script' if script else 'plain'}")
    watch.forgive("409")


def in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without scripts"])
def test_an_attempt_is_kept_with_its_next_try(visit: Visit, script: bool) -> None:
    page = visit(java_script_enabled=script)
    sign_in(page, "coordinator")
    choose(page, "demo-covered" if script else "demo-wrong-level")
    row = page.locator("li.task").filter(has=page.get_by_role("checkbox")).first
    id = (row.get_attribute("id") or "").removeprefix("task-")
    page.locator(f"#task-{id} h3 a").click()
    row = page.locator(f"#task-{id}")
    row.get_by_label("What came of it").select_option("no-answer")
    row.get_by_label("Next try on").fill(in_days(1))
    row.get_by_role("button", name="Keep attempt").click()
    expect(page.get_by_role("status")).to_contain_text("Attempt kept")
    expect(row).to_contain_text("1 attempt without reaching the patient")
