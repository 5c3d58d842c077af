"""`inspect`: what is in a database, and whether it is sound; for what a snapshot was restored into."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from . import amcheck, database, parallel, said, tools
from .failures import DamagedError
from .settings import Settings
from .tools import Group


def inspect(settings: Settings) -> int:
    """Count the rows of every table and run pg_amcheck.

    :raises DamagedError: pg_amcheck finds something.
    :raises FailedError: pg_amcheck cannot be run on this server.
    """
    tools.require([amcheck.PROGRAM])
    with closing(database.connect("inspect")) as lead:
        found = database.tables(lead)
        jobs = [_count(table) for table in found]
        counted = parallel.run(Group(), [(settings.jobs, jobs)])
        revision = database.schema_revision(lead, settings.schema_table)
        problems = amcheck.find(settings.jobs, lead)
    rows = sum(int(one["rows"]) for one in counted)
    said.event(
        "inspected",
        tables=sorted(counted, key=lambda one: str(one["name"])),
        rows=rows,
        schema_revision=revision,
        problems=said.short(problems),
    )
    if problems:
        raise DamagedError(problems)
    said.line(f"{len(found)} tables, {rows} rows, schema {revision or '-'}, nothing is wrong")
    said.event("done", verb="inspect", tables=len(found), rows=rows, schema_revision=revision)
    return 0


def _count(table: database.Found) -> Callable[[], dict[str, Any]]:
    def counted() -> dict[str, Any]:
        with closing(database.connect("inspect")) as connection:
            return {"name": table.name, "rows": database.count(connection, table)}

    return counted
