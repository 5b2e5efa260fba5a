"""Alembic's environment: the connection comes from the caller, which holds the transaction."""

from alembic import context

from millstream.stores.sql.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
