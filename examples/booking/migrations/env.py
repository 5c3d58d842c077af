"""Runs migrations on the connection that `booking migrate` opened, or writes down their SQL."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection


def run(connection: Connection) -> None:
    """Upgrade, each migration in a transaction of its own."""
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


def write() -> None:
    """Write the SQL, as it would be sent."""
    # "named": any other style would double every %.
    context.configure(
        dialect_name="postgresql",
        dialect_opts={"paramstyle": "named"},
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    write()
else:
    run(context.config.attributes["connection"])
