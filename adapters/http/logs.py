"""The log: JSON, one line for each event, with ids and never with data.

What libraries log and what Python warns of comes as events of the same form, without its text where that could hold
what was sent: waitress puts the address of a failed request in its message, and an address may hold a patient's id.
"""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path
from typing import Any, Final, TextIO

import structlog

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_LOG = structlog.get_logger("pathway.libraries")


def configure(level: str = "info") -> None:
    """Write events from a level on as JSON to standard error, unless the process has configured structlog already."""
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.add_log_level,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # looked up for each line, so that it can be moved
    )
    root = logging.getLogger()
    root.handlers[:] = [*(one for one in root.handlers if not isinstance(one, Libraries)), Libraries()]
    warnings.showwarning = warned


class Libraries(logging.Handler):
    """What libraries log by the standard library's way, as events."""

    def emit(self, record: logging.LogRecord) -> None:
        """One record: who, where, and what kind of error; its words only where they are the library's own."""
        said: dict[str, Any] = {"logger": record.name, "place": f"{record.filename}:{record.lineno}"}
        if isinstance(record.args, tuple) and record.args and isinstance(record.msg, str):
            # A message with its arguments apart is a fixed text; numbers may go into it, words may not.
            said["said"] = record.getMessage() if _numbers(record.args) else record.msg
        if record.exc_info and record.exc_info[0] is not None:
            said["error"] = record.exc_info[0].__name__
        _LOG.log(record.levelno, "library", **said)


def _numbers(arguments: tuple[object, ...]) -> bool:
    return all(isinstance(argument, int | float) for argument in arguments)


def warned(
    message: Warning | str, category: type[Warning], filename: str, lineno: int,
    file: TextIO | None = None, line: str | None = None,
) -> None:  # fmt: skip
    """One warning of Python as an event: its kind and place. Its text may quote a value."""
    _LOG.warning("warning", kind=category.__name__, place=f"{Path(filename).name}:{lineno}")
