"""Rows changed a few thousand at a time, so that nobody waits for them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from alembic.operations import Operations
from sqlalchemy import Connection

from booking.migration import report
from booking.migration.retry import when_unlocked

SIZE = 5000
REST = 0.5
REPORT_SECONDS = 1.0


def backfill(
    op: Any,
    table: str,
    assign: str,
    where: str,
    *,
    key: Sequence[str] = ("id",),
    size: int = SIZE,
    rest: float = REST,
) -> None:
    """Run `UPDATE table SET assign WHERE where` in batches, each a transaction of its own.

    An interrupted run is begun again: `where` has to leave out what is done, as `new IS NULL` does.

    :param key: columns of a unique index, in whose order the table is walked through.
    :param size: rows of a batch, changed or not.
    :param rest: seconds of rest for each second of work, so that the application has room.
    """
    context = op.get_context()
    columns = ", ".join(key)
    row = f"({columns})" if len(key) > 1 else columns
    update = f"UPDATE {table} SET {assign} WHERE ({where})"
    with context.autocommit_block():
        if context.as_sql:
            op.execute(
                f"-- lyo: in batches of {size} rows by {columns}\n"
                f"{update} AND {row} > $1 AND {row} <= $2"
            )
        else:
            _run(op, table, update.replace("%", "%%"), key, row, size, rest)


def _run(
    op: Operations, table: str, update: str, key: Sequence[str], row: str, size: int, rest: float
) -> None:
    connection = op.get_bind()
    columns, holes = ", ".join(key), ", ".join(["%s"] * len(key))
    total = _estimate(connection, table)
    low: tuple[Any, ...] = ()
    changed = walked = 0
    told = time.monotonic()
    while True:
        began = time.monotonic()
        above = f" WHERE {row} > ({holes})" if low else ""
        end = connection.exec_driver_sql(
            f"SELECT {columns} FROM {table}{above} ORDER BY {columns} OFFSET {size - 1} LIMIT 1",
            low,
        ).fetchone()
        high = tuple(end) if end else ()
        bounds = (f" AND {row} > ({holes})" if low else "") + (
            f" AND {row} <= ({holes})" if high else ""
        )
        changed += when_unlocked(
            lambda bounds=bounds, low=low, high=high: (  # type: ignore[misc]
                connection.exec_driver_sql(update + bounds, (*low, *high)).rowcount
            )
        )
        walked += size
        now = time.monotonic()
        if not high or now - told > REPORT_SECONDS:
            told = now
            percent = 100 if not high else min(99, 100 * walked // max(total, walked, 1))
            report.event("batch", table=table, changed=changed, percent=percent)
        if not high:
            report.line(f"{table}: {changed} rows changed")
            return
        low = high
        time.sleep((now - began) * rest)


def _estimate(connection: Connection, table: str) -> int:
    """Return about how many rows there are."""
    found = connection.exec_driver_sql(
        "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = %s::regclass", (table,)
    ).scalar()
    return int(found or 0)
