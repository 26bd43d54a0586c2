"""Alembic's entry: migrations run on the connection, and in the transaction, that `appdb.database` opened."""

from alembic import context

from offtake.appdb.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
