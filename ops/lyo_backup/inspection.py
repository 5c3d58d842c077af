"""`inspect`: what is in a database, and whether it is sound; for what a snapshot was restored into."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from . import amcheck, database, parallel, said, tools
from .failures import DamagedError
from .grouping import grouped
from .settings import Settings
from .tools import Group

# Tables that the event names: lines above 16 KiB are split by the log driver.
MOST = 100


def inspect(settings: Settings) -> int:
    """Count the rows of every table and run pg_amcheck.

    :raises DamagedError: pg_amcheck finds something.
    :raises FailedError: pg_amcheck cannot be run on this server.
    """
    tools.require([amcheck.PROGRAM])
    with closing(database.connect("inspect")) as lead:
        found = database.tables(lead)
        jobs = [_count(group) for group in grouped(found, settings.part_bytes)]
        groups = parallel.run(Group(), [(settings.jobs, jobs)])
        revision = database.schema_revision(lead, settings.schema_table)
        problems = amcheck.find(settings.jobs, lead)
    counted = [one for group in groups for one in group]
    rows = sum(int(one["rows"]) for one in counted)
    said.event(
        "inspected",
        tables=sorted(counted, key=lambda one: (-int(one["rows"]), str(one["name"])))[:MOST],
        count=len(counted),
        rows=rows,
        schema_revision=revision,
        problems=said.short(problems),
    )
    if problems:
        raise DamagedError(problems)
    said.line(f"{len(found)} tables, {rows} rows, schema {revision or '-'}, nothing is wrong")
    said.event("done", verb="inspect", tables=len(found), rows=rows, schema_revision=revision)
    return 0


def _count(group: tuple[database.Found, ...]) -> Callable[[], list[dict[str, Any]]]:
    def counted() -> list[dict[str, Any]]:
        with closing(database.connect("inspect")) as connection:
            return [{"name": one.name, "rows": database.count(connection, one)} for one in group]

    return counted
