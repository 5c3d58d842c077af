"""Runs migrations on the connection that `booking migrate` opened, one process at a time."""

from __future__ import annotations

import time

from alembic import context
from sqlalchemy import Connection, text

LOCK = 0x4C796F4F  # any number that only these migrations use
LOCK_SECONDS = 60.0


def lock(connection: Connection) -> None:
    """Take the advisory lock, or raise TimeoutError.

    It is asked for again and again rather than waited for: a session that waits inside a statement
    holds a snapshot, and the other one's CREATE INDEX CONCURRENTLY would wait for it in turn.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK}):
        connection.commit()
        if time.monotonic() > deadline:
            raise TimeoutError(f"another migration has held the lock for {LOCK_SECONDS:.0f} s")
        time.sleep(0.5)
    connection.commit()


def run(connection: Connection) -> None:
    """Upgrade. The lock belongs to the session, so it outlives each migration's transaction."""
    lock(connection)
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


run(context.config.attributes["connection"])
