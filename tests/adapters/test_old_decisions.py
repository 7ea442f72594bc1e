"""The service replays what an earlier version stored, in the form in which it was made."""

import json
import uuid

import pytest

from adapters.bootstrap import House
from pathway.canonical import parse, sha256
from pathway.decisions import DecisionRecord
from pathway.errors import ReplayError
from tests.engine.test_old_decisions import KEPT, rule_sets
from tests.world import NOW


def stored(house: House, body: bytes) -> str:
    """A decision of 0.1.0 in the database with its releases, as that version left it there."""
    with house.store.write() as ledger:
        for one in rule_sets(KEPT / "0.1.0" / "demo-leak.json"):
            ledger.keep_release(one.id, one.version, one.sha256, one.body)
        record = DecisionRecord(
            id=str(uuid.uuid4()), decided_at=NOW, patient=parse(body)["patient"], as_of=NOW, trigger="rest",
            actor="test", service_version="0.1.0", input_sha256=ledger.keep_bytes(b"[]"), body_sha256=sha256(body),
            body=body,
        )  # fmt: skip
        ledger.append_decision(record)
    return record.id


def test_a_decision_of_0_1_0_replays_with_its_comparisons(house: House) -> None:
    body = (KEPT / "0.1.0" / "demo-leak.json").read_bytes()
    assert house.service.replay(stored(house, body)).body == body
    assert "because" in json.loads(body)["levels"][0]["criteria"][0]


def test_an_old_decision_that_was_changed_does_not_replay(house: House) -> None:
    body = (KEPT / "0.1.0" / "demo-leak.json").read_bytes().replace(b'"verdict":"met"', b'"verdict":"unknown"', 1)
    with pytest.raises(ReplayError, match="does not come out the same again"):
        house.service.replay(stored(house, body))
