"""The flow of deliveries itself: what it was refused for is what it tells, at once."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from tests.faults.flow import SENDERS, Flow


def test_an_answer_that_nobody_expects_ends_it_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_: Any, **__: Any) -> SimpleNamespace:
        return SimpleNamespace(status_code=500, text="the cause")

    monkeypatch.setattr(requests.Session, "post", answer)
    of_one = [{"entry": [{"resource": {"id": "p1"}}]} for _ in range(SENDERS + 1)]
    flow, began = Flow("http://nowhere", of_one), time.monotonic()
    flow.begin()
    with pytest.raises(AssertionError, match="500 the cause"):
        flow.finish(10)
    assert time.monotonic() - began < 5
