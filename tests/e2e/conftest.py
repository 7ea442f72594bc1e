"""The service as people meet it: `pathway demo load` and `pathway serve` in a process of their own, and Chromium."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request, sync_playwright

from adapters.db import open_store
from adapters.db.unread import Unreadable

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SHOTS = os.environ.get("PATHWAY_SHOTS", "")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip
PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable")
REFUSED_BY_CSP = "addEventListener('securitypolicyviolation', e => console.error('CSP: ' + e.effectiveDirective))"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("e2e")
            item.add_marker("browser")


@dataclass
class Served:
    """The running service: where it is, and how to start over with the same people."""

    base: str
    environment: dict[str, str]


def _cli(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "adapters.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True, timeout=120)


def _trouble(url: str) -> None:
    """One write that failed and two things that could not be read, as people meet them on a bad day."""
    store, now = open_store(url), datetime.now(UTC)
    with store.write() as ledger:
        task = ledger.find_tasks(limit=1)[0]
        ledger.post(f"Task/{task.id}", "fhir", task.patient, now)
    with store.outbox(write=True) as outbox:
        row = outbox.claim("fhir", now, timedelta(seconds=30), "e2e")
        assert row is not None
        outbox.park(row, "the server answered 422 (it will not take it). Look at what it says, then requeue this row")
    with store.unread(write=True) as unread:
        for place in ("entry[3]", "line 7"):
            what = Unreadable("local", "fhir-api", place, "birthDate is no date", place.encode(), "Correct it")
            unread.add(what, now)
    store.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The demo, loaded and served on a free port of this machine."""
    folder = tmp_path_factory.mktemp("served")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PATHWAY_")}
    environment = {**kept, "PATHWAY_DATABASE_URL": f"sqlite:///{folder / 'demo.db'}"}
    _cli(environment, "demo", "load")
    _cli({**environment, "PATHWAY_RULES_FROM": "working"}, "measure", "--keep")
    _trouble(environment["PATHWAY_DATABASE_URL"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "adapters.cli", "serve", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        _await(f"{base}/livez", process, folder / "log")
        yield Served(base, environment)
    finally:
        process.terminate()
        process.wait(30)


def _await(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(300):
        if process.poll() is not None:
            pytest.fail(f"the service ended: {log.read_text()[-2000:]}")
        try:
            with opener.open(address, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("the service did not answer")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    made = playwright.chromium.launch(executable_path=program, args=FLAGS)
    yield made
    made.close()


@dataclass
class Watch:
    """What a browser complained of, and every address that it asked for."""

    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    forgiven: list[str] = field(default_factory=list)

    def on(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _request(self, request: Request) -> None:
        self.asked.append(request.url)

    def forgive(self, pattern: str) -> None:
        """Complaints that a test provokes: Chromium tells of every answer that says no."""
        self.forgiven.append(pattern)

    @property
    def unforgiven(self) -> list[str]:
        return [text for text in self.complaints if not any(re.search(p, text) for p in self.forgiven)]


@pytest.fixture
def watch(served: Served) -> Iterator[Watch]:
    """Whatever a test does: no error on the console, no refusal by the content policy, no request to elsewhere."""
    seen = Watch()
    yield seen
    assert seen.unforgiven == []
    assert [url for url in seen.asked if not url.startswith(f"{served.base}/")] == []
    assert seen.asked


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, served: Served, watch: Watch) -> Iterator[Visit]:
    """A page in a browser of its own: `visit()`, or with options such as `java_script_enabled=False`."""
    made: list[BrowserContext] = []

    def begin(**options: Any) -> Page:
        chosen = {"viewport": {"width": 1280, "height": 900}, "base_url": served.base, **options}
        context = browser.new_context(**chosen)
        context.set_default_timeout(15_000)
        if chosen.get("java_script_enabled", True):
            context.add_init_script(REFUSED_BY_CSP)
        watch.on(context)
        made.append(context)
        return context.new_page()

    yield begin
    for context in made:
        context.close()


def sign_in(page: Page, role: str) -> None:
    """From the start page, by one click."""
    page.goto("/")
    page.get_by_role("button", name=re.compile(f"^{role}", re.IGNORECASE)).click()
    page.get_by_role("button", name="Sign out").wait_for()


def shot(page: Page, name: str) -> None:
    """A picture of the whole page where PATHWAY_SHOTS names a folder for it."""
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)
