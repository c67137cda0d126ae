"""Runs the migrations of the index on the connection that the caller prepared.

`syncer.index.upgrade` hands in a connection whose transaction has begun, in `config.attributes["connection"]`. To
write a new revision by hand or with autogenerate, give `sqlalchemy.url` of an index instead.
"""

from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection

from syncer.index.tables import metadata


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        transactional_ddl=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


prepared = context.config.attributes.get("connection")
if prepared is not None:
    migrate(prepared)
else:
    with create_engine(context.config.get_main_option("sqlalchemy.url") or "sqlite://").begin() as own:
        migrate(own)
