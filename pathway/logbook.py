"""The logbook: a decision is put into its envelope and appended, with the releases that made it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from pathway import __version__
from pathway.canonical import sha256
from pathway.case import Case
from pathway.decisions import Decision, DecisionRecord
from pathway.errors import NotFoundError
from pathway.ports import Ledger
from pathway.rulebook import RuleSet


def enveloped(
    case: Case, decision: Decision, at: datetime, trigger: str, actor: str, hook_instance: str = "", id: str = ""
) -> DecisionRecord:
    """A decision with who asked for it, when and through which door; under an id of its own unless one is given."""
    body = decision.to_bytes()
    return DecisionRecord(
        id=id or str(uuid.uuid4()), decided_at=at, patient=case.patient, as_of=case.as_of, trigger=trigger,
        actor=actor, service_version=__version__, input_sha256=case.input_sha256, body_sha256=sha256(body), body=body,
        hook_instance=hook_instance,
    )  # fmt: skip


def append(ledger: Ledger, record: DecisionRecord, rule_sets: Sequence[RuleSet]) -> None:
    """Append a decision to the log, and keep the releases that it names."""
    for rule_set in rule_sets:
        ledger.keep_release(rule_set.id, rule_set.version, rule_set.sha256, rule_set.body)
    ledger.append_decision(record)


def is_logged(ledger: Ledger, decision_id: str) -> bool:
    """Whether a decision is in the log."""
    try:
        ledger.decision(decision_id)
    except NotFoundError:
        return False
    return True
