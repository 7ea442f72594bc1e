"""The log is JSON on standard error, and a process that has its own is left alone."""

import json
from collections.abc import Iterator

import pytest
import structlog

from adapters.http import logs


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_an_event_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()
    logs.configure()
    structlog.get_logger("x").info("request", status=200)
    (line,) = capsys.readouterr().err.splitlines()
    shown = json.loads(line)
    assert (shown["event"], shown["status"], shown["level"]) == ("request", 200, "info")
    assert shown["timestamp"].endswith("Z")


def test_what_a_process_configured_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.configure(processors=[structlog.processors.LogfmtRenderer()])
    logs.configure()
    structlog.get_logger("x").info("request")
    assert capsys.readouterr().out == "event=request\n"
