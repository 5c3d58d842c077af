"""`export`: prints what a query finds, for whoever operates this without a way to the database."""

from __future__ import annotations

import json
import sys

import psycopg
from psycopg.rows import dict_row

from booking.config import DatabaseConfig

TIMEOUTS = "-c default_transaction_read_only=on -c statement_timeout=60s -c lock_timeout=5s"


def export(database: DatabaseConfig, query: str) -> int:
    """Print each row as a JSON object on a line of its own, and at the end `{"rows": <how many>}`.

    Returns 0, or 1 with one line on stderr that says why not. The session is read-only.
    """
    arguments = {**database.connect_args("booking-export"), "options": TIMEOUTS}
    try:
        with psycopg.connect(**arguments, row_factory=dict_row) as connection:  # type: ignore[arg-type]
            rows = connection.execute(query.encode()).fetchall()
    except psycopg.Error as error:
        print(f"booking export: {str(error).strip().splitlines()[0]}", file=sys.stderr)
        return 1
    for row in rows:
        print(json.dumps(row, ensure_ascii=False, default=str))
    print(json.dumps({"rows": len(rows)}), flush=True)
    return 0
