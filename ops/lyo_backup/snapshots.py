"""The moment that a dump is of: its tables held, and measured as they were in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing

import psycopg
from psycopg import sql

from . import database
from .failures import FailedError
from .manifest import Table


def hold(lead: database.Connection, found: Iterable[database.Found]) -> None:
    """Keep every table as it is until the dump has ended, as pg_dump itself would.

    :raises FailedError: one cannot be had; the message names it.
    """
    for table in found:
        query = sql.SQL("LOCK TABLE ONLY {} IN ACCESS SHARE MODE").format(
            sql.Identifier(table.schema, table.table)
        )
        try:
            lead.execute(query)
        except psycopg.errors.LockNotAvailable as error:
            raise FailedError(
                f"{table.name} has been locked by somebody for {database.LOCK_SECONDS} s"
                " (a migration?): run the same again when it is through"
            ) from error


def measure(
    snapshot: str,
    group: Iterable[database.Found],
    columns: Mapping[str, str],
    methods: Mapping[str, str],
) -> list[Table]:
    """Measure tables as they are in a snapshot of another session.

    :param columns: the tenant's column by table.
    :param methods: how rows are hashed, by table.
    """
    measured = []
    with closing(database.connect("measure")) as connection:
        for one in group:
            # A transaction each: a long one would hold a lock for every table and index of the group.
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
            column = columns.get(one.name, "")
            measured.append(database.measure(connection, one, column, methods[one.name]))
            connection.execute("COMMIT")
    return measured
