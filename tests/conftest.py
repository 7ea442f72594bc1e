"""What every test may count on: marks, no sockets in the core, golden files, and no quiet skips."""

import difflib
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from adapters import bootstrap
from adapters.settings import Settings
from pathway.leases import RulesInForce

os.environ.setdefault("PATHWAY_RULES_FROM", "working")  # tests are about the rules as they are being written
TESTS = Path(__file__).parent
NO_SOCKETS = tuple(f"{TESTS / room}{os.sep}" for room in ("unit", "rules", "engine"))
NOT_FAST = ("slow", "service", "browser", "e2e")
SKIP_IS_FAILURE = os.environ.get("PATHWAY_REQUIRE_SERVICES") == "1"
Report = pytest.TestReport | pytest.CollectReport
SOAK = os.environ.get("PATHWAY_SOAK") == "1"

# No deadline anywhere: a busy machine is not a bug. CI tries the same examples every time.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden/ and show the diff")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two more than cores: towns of processes, killed and started again, mostly wait."""
    return (os.cpu_count() or 1) + 2


@pytest.fixture(autouse=True, scope="session")
def rules_read_once() -> Iterator[None]:
    """Houses on the rules of this repository share them: to read and compile them anew took most of a test's time.

    Rules that a test copies, or that a site adds to, are its own.
    """
    plain, shipped = bootstrap.rules_in_force, TESTS.parent / "rules"
    read: dict[tuple[object, ...], RulesInForce] = {}

    def once(settings: Settings, *names: Any, **about: Any) -> RulesInForce:
        if names or settings.site_rules or settings.rules.resolve() != shipped:
            return plain(settings, *names, **about)
        key = (settings.policies, settings.rules_from, settings.time_zone)
        if key not in read:
            read[key] = plain(settings, **about)
        return read[key]

    bootstrap.rules_in_force = once
    yield
    bootstrap.rules_in_force = plain


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as fast what is not marked otherwise, and close the sockets of the core's tests."""
    for item in items:
        if not any(item.get_closest_marker(mark) for mark in NOT_FAST):
            item.add_marker("fast")
        if str(item.path).startswith(NO_SOCKETS):
            item.add_marker("disable_socket")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, Report, Report]:
    return _no_quiet_skip((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, Report, Report]:
    return _no_quiet_skip((yield))


def _no_quiet_skip(report: Report) -> Report:
    """Under PATHWAY_REQUIRE_SERVICES=1 a skip is a failure that names its reason. An xfail is not a skip."""
    if SKIP_IS_FAILURE and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"PATHWAY_REQUIRE_SERVICES=1 forbids skips, and this one says: {reason}"
    return report


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden("name.json", text)` fails with a diff unless tests/golden/name.json holds exactly that text."""

    def compare(name: str, text: str) -> None:
        path = TESTS / "golden" / name
        kept = path.read_text(encoding="utf-8") if path.exists() else ""
        if path.exists() and kept == text:
            return
        before, after = kept.splitlines(keepends=True), text.splitlines(keepends=True)
        diff = "".join(difflib.unified_diff(before, after, f"golden/{name}", "now"))
        if not request.config.getoption("--update-golden"):
            pytest.fail(f"{diff}\nIf this is what you meant: pytest --update-golden", pytrace=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            request.config.get_terminal_writer().line(f"\n{diff}")

    return compare


@pytest.fixture
def rounds() -> Callable[[int], int]:
    """`rounds(n)`: n under `make soak`, else a fiftieth of it. For the loops of tests marked slow."""
    return lambda full: full if SOAK else max(1, full // 50)
