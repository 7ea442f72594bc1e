"""What every table is made of: instants, text, names of constraints, partial indexes, references checked at COMMIT."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import DateTime, Dialect, ForeignKey, MetaData, String, TypeDecorator, text
from sqlalchemy.types import TypeEngine


class Instant(TypeDecorator[datetime]):
    """An instant: a datetime with a zone going in (TypeError without one), in UTC coming out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC, because SQLite stores the clock's digits and drops the zone."""
        if value is not None and value.tzinfo is None:
            raise TypeError("an instant needs a time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """With the zone that was dropped; a database that keeps zones answers in its session's."""
        if value is not None and value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value and value.astimezone(UTC)


class Text(TypeDecorator[str]):
    """Text that both databases order alike, by its bytes in UTF-8; ValueError for one with a NUL character.

    PostgreSQL cannot hold a NUL; what one database takes, the other must take too.
    """

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """With PostgreSQL's collation of bytes, whatever that of the database is."""
        own = String() if dialect.name != "postgresql" else String(collation="C")
        own.length = getattr(self.impl, "length", None)
        return dialect.type_descriptor(own)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """As it is."""
        if value is not None and "\0" in value:
            raise ValueError("text that is stored may not hold a NUL character")
        return value


metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def refers(target: str) -> ForeignKey:
    """A reference that must hold when the transaction commits."""
    return ForeignKey(target, deferrable=True, initially="DEFERRED")


def where(sql: str) -> dict[str, Any]:
    """The options that keep an index to the rows for which a condition holds, which both databases read alike."""
    return {f"{dialect}_where": text(sql) for dialect in ("sqlite", "postgresql")}
