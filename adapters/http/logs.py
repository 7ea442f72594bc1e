"""The log: JSON, one line for each event, with ids and never with data."""

from __future__ import annotations

import logging
import sys

import structlog


def configure() -> None:
    """Write structlog's events as JSON to standard error, unless the process has configured it already."""
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.add_log_level,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # looked up for each line, so that it can be moved
    )
