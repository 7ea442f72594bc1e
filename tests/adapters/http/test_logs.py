"""The log is JSON on standard error, what libraries say too, and a process that has its own is left alone."""

import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog

from adapters.http import logs


@pytest.fixture(autouse=True)
def _put_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before, handlers = structlog.get_config(), list(logging.getLogger().handlers)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    yield
    logging.getLogger().handlers[:] = handlers
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
    structlog.reset_defaults()
    structlog.configure(processors=[structlog.processors.LogfmtRenderer()])
    logs.configure()
    structlog.get_logger("x").info("request")
    assert capsys.readouterr().out == "event=request\n"


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize(
    ("level", "kept"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_what_is_below_the_level_stays_out(capsys: pytest.CaptureFixture[str], level: str, kept: list[str]) -> None:
    structlog.reset_defaults()
    logs.configure(level)
    for name in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger("x"), name)("event")
    assert [line["level"] for line in written(capsys)] == kept


def test_what_libraries_log_is_an_event_and_only_fixed_words_and_numbers_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    structlog.reset_defaults()
    logs.configure()
    library = logging.getLogger("waitress.queue")
    library.warning("Task queue depth is %d", 7)
    library.warning("Exception while serving %s", "/patients/secret")
    library.warning("Exception while serving /patients/secret")
    library.info("not at this level")
    try:
        raise ValueError("secret")
    except ValueError:
        library.exception("Exception while serving /patients/secret")
    lines = written(capsys)
    assert {(line["event"], line["logger"]) for line in lines} == {("library", "waitress.queue")}
    assert [line.get("said") for line in lines] == ["Task queue depth is 7", "Exception while serving %s", None, None]
    assert [line["level"] for line in lines] == ["warning", "warning", "warning", "error"]
    assert lines[-1]["error"] == "ValueError"
    assert all(str(line["place"]).startswith("test_logs.py:") for line in lines)
    assert "secret" not in json.dumps(lines)


def test_a_warning_of_python_is_an_event_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.configure()
        warnings.warn("a secret value", RuntimeWarning, stacklevel=1)
    (line,) = written(capsys)
    assert (line["event"], line["level"], line["kind"]) == ("warning", "warning", "RuntimeWarning")
    assert "secret" not in json.dumps(line)
