"""Runs migrations in the transaction that `adapters.db.upgrade` opened."""

from alembic import context

from adapters.db.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
