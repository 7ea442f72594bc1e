"""Answers to cards: appended once each, read in order, and refused to everyone who would change them."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adapters.db import SqlStore, StoreRefusedError
from adapters.db.backup import backup, restore
from adapters.db.engine import transaction
from adapters.db.feedback import CardAnswer
from tests.adapters.db.builders import AT, opened

ANSWER = CardAnswer(
    card="4e0a3a1e-3283-4575-ab82-028d55fe2719", service="candidacy", at=AT, received_at=AT, outcome="overridden",
    actor="cds-client", reason="not-now", reason_system="urn:x", comment="seen",
)  # fmt: skip


def of_card(store: SqlStore) -> tuple[CardAnswer, ...]:
    with store.feedback(write=False) as kept:
        return kept.of_card(ANSWER.card)


def test_an_answer_comes_back_as_it_was_appended(store: SqlStore) -> None:
    accepted = replace(ANSWER, outcome="accepted", accepted=("s1", "s2"), reason="", at=AT + timedelta(minutes=1))
    with store.feedback(write=True) as kept:
        assert [kept.append(one) for one in (accepted, ANSWER)] == [True, True]
    assert of_card(store) == (ANSWER, accepted)


def test_the_same_answer_is_appended_once_whenever_it_comes(store: SqlStore) -> None:
    with store.feedback(write=True) as kept:
        assert kept.append(ANSWER)
    with store.feedback(write=True) as kept:
        assert not kept.append(replace(ANSWER, received_at=AT + timedelta(days=1)))
        assert kept.append(replace(ANSWER, comment="seen again"))
    assert {one.comment for one in of_card(store)} == {"seen", "seen again"}


def test_dismissed_is_what_somebody_has_overridden_at_any_time(store: SqlStore) -> None:
    later = replace(ANSWER, outcome="accepted", accepted=("s1",), at=AT + timedelta(hours=1))
    with store.feedback(write=True) as kept:
        for one in (ANSWER, later, replace(later, card="another")):
            kept.append(one)
        assert kept.dismissed([ANSWER.card, "another", "a third"]) == {ANSWER.card}
        assert kept.dismissed([]) == frozenset()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE card_feedback SET outcome = 'accepted'",
        "DELETE FROM card_feedback",
        "INSERT INTO card_feedback SELECT * FROM card_feedback",
    ],
)
def test_no_answer_can_be_changed_or_removed(store: SqlStore, engine: Engine, statement: str) -> None:
    with store.feedback(write=True) as kept:
        kept.append(ANSWER)
    with pytest.raises(StoreRefusedError), transaction(engine, write=True) as connection:
        connection.execute(text(statement))
    assert of_card(store) == (ANSWER,)


def test_a_backup_holds_the_answers(store: SqlStore, url: str, tmp_path: Path) -> None:
    with store.feedback(write=True) as kept:
        kept.append(ANSWER)
    backup(url, tmp_path / "all.gz", AT)
    there = f"sqlite:///{tmp_path}/there.db"
    restore(there, tmp_path / "all.gz")
    with opened(there) as other:
        assert of_card(other) == (ANSWER,)
