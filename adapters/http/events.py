"""What happened, told once: to the log with its ids, and to the metrics without them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import structlog

from adapters.http.guard import note, request_id
from adapters.http.metrics import metrics
from pathway.decisions import DecisionRecord

_LOG = structlog.get_logger("pathway.decisions")


def decided(record: DecisionRecord, body: Mapping[str, Any]) -> None:
    """One decision was logged. Its id leads to the patient in the database; the patient's own id stays there."""
    metrics().decided(record.trigger, body)
    _LOG.info(
        "decided", request_id=request_id(), decision=record.id, trigger=record.trigger, levels=len(body["levels"]),
        set_aside=len(body["setAside"]), sha256=record.body_sha256,
    )  # fmt: skip


class Watch:
    """Times the stages of a request, from an instant of `time.monotonic`: on its line of the log and in the metrics."""

    def __init__(self, began: float | None = None) -> None:
        self._since = time.monotonic() if began is None else began

    def lap(self, stage: str) -> None:
        """End a stage and begin the next."""
        now = time.monotonic()
        note(**{f"{stage}_ms": round((now - self._since) * 1000, 1)})
        metrics().stage_seconds.labels(stage).observe(now - self._since)
        self._since = now
