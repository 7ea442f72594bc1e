"""Accounts, sessions and attempts as rows, on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.db import SqlStore
from adapters.db.accounts import Account, Attempts
from pathway.errors import BadInputError, NotFoundError
from pathway.people import Role
from tests.adapters.db.builders import AT

CORA = Account("cora", Role.COORDINATOR, "Cora C.", "hash", demo=False, enabled=True, made_at=AT)


@pytest.fixture
def kept(store: SqlStore) -> SqlStore:
    """A store with one account that has two sessions."""
    with store.accounts(write=True) as accounts:
        accounts.add(CORA)
        accounts.begin_session("a" * 64, "cora", AT)
        accounts.begin_session("b" * 64, "cora", AT - timedelta(hours=13))
    return store


def test_an_account_comes_back_as_it_was_added(kept: SqlStore) -> None:
    with kept.accounts(write=False) as accounts:
        assert accounts.find("cora") == CORA
        assert accounts.find("nobody") is None
        assert accounts.all() == (CORA,)


def test_a_name_is_given_once(kept: SqlStore) -> None:
    with pytest.raises(BadInputError, match="exists"), kept.accounts(write=True) as accounts:
        accounts.add(replace(CORA, role=Role.ADMIN))
    with kept.accounts(write=False) as accounts:
        assert accounts.find("cora") == CORA


@pytest.mark.parametrize("change", ["disable", "enable", "password"])
def test_what_changes_an_account_ends_its_sessions(kept: SqlStore, change: str) -> None:
    with kept.accounts(write=True) as accounts:
        if change == "password":
            accounts.set_password("cora", "another")
        else:
            accounts.enable("cora", enabled=change == "enable")
    with kept.accounts(write=False) as accounts:
        assert accounts.session("a" * 64) is None
        assert accounts.session("b" * 64) is None


def test_a_better_hash_of_the_same_password_ends_no_session(kept: SqlStore) -> None:
    with kept.accounts(write=True) as accounts:
        accounts.rehash("cora", "better")
    with kept.accounts(write=False) as accounts:
        found = accounts.session("a" * 64)
    assert found is not None
    assert found.account.password == "better"


def test_nobody_cannot_be_changed(kept: SqlStore) -> None:
    with pytest.raises(NotFoundError), kept.accounts(write=True) as accounts:
        accounts.enable("nobody", enabled=False)
    with pytest.raises(NotFoundError), kept.accounts(write=True) as accounts:
        accounts.set_password("nobody", "x")


def test_a_session_says_whose_it_is_and_when_it_was_seen(kept: SqlStore) -> None:
    with kept.accounts(write=True) as accounts:
        accounts.see_session("a" * 64, AT + timedelta(minutes=3))
    with kept.accounts(write=False) as accounts:
        found = accounts.session("a" * 64)
    assert found is not None
    assert (found.account, found.began_at, found.seen_at) == (CORA, AT, AT + timedelta(minutes=3))


def test_a_session_ends_alone(kept: SqlStore) -> None:
    with kept.accounts(write=True) as accounts:
        accounts.end_session("a" * 64)
        accounts.end_session("c" * 64)
    with kept.accounts(write=False) as accounts:
        assert accounts.session("a" * 64) is None
        assert accounts.session("b" * 64) is not None


def test_old_sessions_and_attempts_are_swept_and_young_ones_stay(kept: SqlStore) -> None:
    with kept.accounts(write=True) as accounts:
        for name, until in (("o" * 64, AT - timedelta(hours=1)), ("y" * 64, AT)):
            accounts.attempts(name, until)
            accounts.save_attempts(name, Attempts(4, until))
        accounts.purge(sessions_before=AT - timedelta(hours=12), attempts_before=AT - timedelta(minutes=15))
    with kept.accounts(write=True) as accounts:
        assert accounts.session("a" * 64) is not None
        assert accounts.session("b" * 64) is None
        assert accounts.attempts("o" * 64, AT).tries == 0
        assert accounts.attempts("y" * 64, AT).tries == 4


def test_attempts_are_forgotten_when_somebody_signed_in(kept: SqlStore) -> None:
    with kept.accounts(write=True) as accounts:
        accounts.attempts("n" * 64, AT)
        accounts.save_attempts("n" * 64, Attempts(9, AT))
        accounts.forget_attempts("n" * 64)
        assert accounts.attempts("n" * 64, AT) == Attempts(0, AT)
