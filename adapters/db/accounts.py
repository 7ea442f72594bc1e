"""Accounts, sessions and sign-in attempts: rows and nothing more. What they mean is said in `adapters.http.auth`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from adapters.db import tables
from adapters.db.rows import Rows
from pathway.errors import BadInputError, NotFoundError
from pathway.people import Person, Role

_ACCOUNT = tables.account.c
_SESSION = tables.session.c
_ATTEMPT = tables.sign_in_attempt.c


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in. `password` is an argon2 hash, or empty: then only the demo's click signs them in."""

    name: str
    role: Role
    display: str
    password: str
    demo: bool
    enabled: bool
    made_at: datetime

    @property
    def person(self) -> Person:
        """Who they are, without how they sign in."""
        return Person(self.name, self.role, self.display)


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in: whose, when it began and when it was last seen."""

    account: Account
    began_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often a sign-in was tried under one name of late, and until when none is taken: never before the last."""

    tries: int
    locked_until: datetime


class Accounts(Rows):
    """Accounts and what hangs on them, seen from one transaction."""

    def add(self, account: Account) -> None:
        """Add an account; BadInputError if its name is taken."""
        row = {
            "name": account.name, "role": str(account.role), "display": account.display,
            "password": account.password, "demo": account.demo, "enabled": account.enabled,
            "made_at": account.made_at,
        }  # fmt: skip
        if not self._insert_new(tables.account, row):
            raise BadInputError(
                "an account of this name exists", where=account.name, fix="Choose another name", code="duplicate"
            )

    def find(self, name: str) -> Account | None:
        """The account of a name, or None."""
        row = self._connection.execute(select(tables.account).where(_ACCOUNT.name == name)).one_or_none()
        return None if row is None else _account(row)

    def all(self) -> tuple[Account, ...]:
        """All accounts by name."""
        return tuple(_account(r) for r in self._connection.execute(select(tables.account).order_by(_ACCOUNT.name)))

    def enable(self, name: str, *, enabled: bool) -> None:
        """Enable or disable an account; its sessions end either way. NotFoundError if there is none."""
        self._change(name, enabled=enabled)

    def set_password(self, name: str, password: str) -> None:
        """Give an account another hash and end its sessions; NotFoundError if there is none."""
        self._change(name, password=password)

    def rehash(self, name: str, password: str) -> None:
        """The same password hashed anew: the sessions stay."""
        self._connection.execute(update(tables.account).where(_ACCOUNT.name == name).values(password=password))

    def _change(self, name: str, **values: object) -> None:
        changed = self._connection.execute(update(tables.account).where(_ACCOUNT.name == name).values(**values))
        if changed.rowcount == 0:
            raise NotFoundError("no account has this name", where=name, fix="`pathway account list` shows them")
        self._connection.execute(delete(tables.session).where(_SESSION.account == name))

    def begin_session(self, token_sha256: str, name: str, at: datetime) -> None:
        """Begin a session of an account."""
        row = {"token_sha256": token_sha256, "account": name, "began_at": at, "seen_at": at}
        self._connection.execute(insert(tables.session), row)

    def session(self, token_sha256: str) -> Session | None:
        """The session of a token with its account, however old it is, or None."""
        query = (
            select(_SESSION.began_at, _SESSION.seen_at, tables.account)
            .join_from(tables.session, tables.account)
            .where(_SESSION.token_sha256 == token_sha256)
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else Session(_account(row), row.began_at, row.seen_at)

    def see_session(self, token_sha256: str, at: datetime) -> None:
        """Note that a session was used."""
        known = update(tables.session).where(_SESSION.token_sha256 == token_sha256)
        self._connection.execute(known.values(seen_at=at))

    def end_session(self, token_sha256: str) -> None:
        """End a session; nothing happens if there is none."""
        self._connection.execute(delete(tables.session).where(_SESSION.token_sha256 == token_sha256))

    def attempts(self, name_sha256: str, now: datetime) -> Attempts:
        """The attempts under a name, held against other attempts until this transaction ends."""
        row = {"name_sha256": name_sha256, "tries": 0, "locked_until": now}
        self._insert_new(tables.sign_in_attempt, row)
        query = select(tables.sign_in_attempt).where(_ATTEMPT.name_sha256 == name_sha256).with_for_update()
        found = self._connection.execute(query).one()
        return Attempts(found.tries, found.locked_until)

    def save_attempts(self, name_sha256: str, attempts: Attempts) -> None:
        """Store the attempts under a name."""
        known = update(tables.sign_in_attempt).where(_ATTEMPT.name_sha256 == name_sha256)
        self._connection.execute(known.values(tries=attempts.tries, locked_until=attempts.locked_until))

    def forget_attempts(self, name_sha256: str) -> None:
        """Forget the attempts under a name: somebody signed in."""
        self._connection.execute(delete(tables.sign_in_attempt).where(_ATTEMPT.name_sha256 == name_sha256))

    def purge(self, *, sessions_before: datetime, attempts_before: datetime) -> None:
        """Remove sessions that began, and attempts that were locked until, before an instant."""
        self._connection.execute(delete(tables.session).where(_SESSION.began_at < sessions_before))
        self._connection.execute(delete(tables.sign_in_attempt).where(_ATTEMPT.locked_until < attempts_before))


def _account(row: Row[Any]) -> Account:
    return Account(row.name, Role(row.role), row.display, row.password, row.demo, row.enabled, row.made_at)
