"""pg_amcheck: heaps, their indexes, and whether every row is in each index.

https://www.postgresql.org/docs/current/app-pgamcheck.html
"""

from __future__ import annotations

import os

import psycopg

from . import database, said, tools
from .failures import FailedError
from .tools import Group

PROGRAM = "pg_amcheck"
# Its exit code where it could look at everything and found something.
CORRUPT = 2
MOST = 20


def find(jobs: int, lead: database.Connection) -> list[str]:
    """Return what it finds wrong in the database of a connection.

    The extension that it needs is made for it, and removed if it was not there before.

    :raises FailedError: it cannot be run on this server.
    """
    said.line("pg_amcheck looks at every table and index")
    there = database.one(lead, "SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'")
    try:
        if not there:
            lead.execute("CREATE EXTENSION amcheck SCHEMA public")
    except psycopg.Error as error:
        raise FailedError(f"the extension amcheck cannot be created: {error}") from error
    try:
        return _run(jobs, lead.info.dbname)
    finally:
        if not there:
            lead.execute("DROP EXTENSION amcheck")


def _run(jobs: int, name: str) -> list[str]:
    argv = [
        PROGRAM,
        f"--jobs={jobs}",
        "--heapallindexed",
        tools.target(name).removeprefix("--dbname="),
    ]
    with Group().run(argv, tools.environment(os.environ), stdout=tools.PIPE) as child:
        output = b"".join(child.read()).decode(errors="replace")
        code = child.code()
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if code == 0:
        return []
    if code != CORRUPT or not lines:
        raise FailedError(f"{PROGRAM} ended with {code}: {child.errors}")
    return [f"amcheck: {line}" for line in lines[:MOST]]
