"""Letters in the database: appended step by step, refused to everyone who would change one."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adapters.db import SqlStore, StoreRefusedError
from adapters.db.backup import backup, restore
from adapters.db.engine import transaction
from pathway.canonical import sha256
from pathway.errors import NotFoundError
from pathway.letters import LetterStep, Step
from pathway.lifecycle import Role
from tests.adapters.db.builders import AT, PATIENT, keep_decision, opened, record

MADE = LetterStep(
    letter="l1", sequence=1, patient=PATIENT, step=Step.MADE, at=AT, actor="cora", role=Role.COORDINATOR,
    display="Cora C.", decision="d1", sha256=sha256(b"letter"),
)  # fmt: skip
SIGNED = replace(MADE, sequence=2, step=Step.SIGNED, actor="clara", role=Role.CLINICIAN, display="Clara C.")


@pytest.fixture
def kept(store: SqlStore) -> SqlStore:
    """A store with a decision and a letter that was made and signed."""
    with store.write() as ledger:
        ledger.keep_bytes(b"letter")
        keep_decision(ledger, record())
        ledger.append_letter_step(MADE)
        ledger.append_letter_step(SIGNED)
    return store


def test_a_letter_comes_back_with_its_steps_and_what_took_its_place(kept: SqlStore) -> None:
    later = replace(MADE, letter="l2", replaces="l1")
    with kept.write() as ledger:
        ledger.append_letter_step(later)
        assert ledger.letter("l1").standing == "signed"  # the later one is not signed yet
        ledger.append_letter_step(replace(SIGNED, letter="l2", replaces="l1"))
    with kept.read() as ledger:
        assert ledger.letter("l1").steps == (MADE, SIGNED)
        assert (ledger.letter("l1").standing, ledger.letter("l1").replaced_by) == ("replaced", "l2")
        assert {one.id for one in ledger.letters(PATIENT)} == {"l1", "l2"}
        assert ledger.letters("clinic|p2") == ()
        with pytest.raises(NotFoundError):
            ledger.letter("l3")


@pytest.mark.parametrize("wrong", [{"decision": "none"}, {"sha256": "0" * 64}, {}])
def test_a_step_needs_its_decision_its_document_and_a_number_of_its_own(kept: SqlStore, wrong: dict[str, str]) -> None:
    with pytest.raises(StoreRefusedError), kept.write() as ledger:
        ledger.append_letter_step(replace(MADE, letter="l4", **wrong) if wrong else MADE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "statement", ["UPDATE letter SET text = 'nothing'", "DELETE FROM letter", "INSERT INTO letter SELECT * FROM letter"]
)
def test_no_letter_can_be_changed_or_removed(kept: SqlStore, engine: Engine, statement: str) -> None:
    with pytest.raises(StoreRefusedError), transaction(engine, write=True) as connection:
        connection.execute(text(statement))


def test_a_backup_holds_letters_with_their_documents(kept: SqlStore, url: str, tmp_path: Path) -> None:
    backup(url, tmp_path / "kept.backup", AT)
    target = f"sqlite:///{tmp_path / 'restored' / 'pathway.db'}"
    restore(target, tmp_path / "kept.backup")
    with opened(target) as store, store.read() as ledger:
        assert ledger.letter("l1").steps == (MADE, SIGNED)
        assert ledger.bytes_of(ledger.letter("l1").last.sha256) == b"letter"
