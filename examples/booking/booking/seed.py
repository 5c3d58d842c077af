"""`seed`: creates or updates tenants. Never run by a release; it is idempotent."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psycopg

from booking.config import DatabaseConfig

FIELDS = {"id", "name", "phone_number_id", "timezone", "max_party_size"}
REQUIRED = {"id", "name", "phone_number_id"}


def seed(database: DatabaseConfig, file: Path) -> int:
    """Write every tenant of the file; return 0, or 1 with one line on stderr that says why not."""
    try:
        tenants = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        print(f"booking seed: {file}: {error}", file=sys.stderr)
        return 1
    for tenant in tenants:
        if not REQUIRED <= set(tenant) <= FIELDS:
            wanted = ", ".join(sorted(REQUIRED))
            print(f"booking seed: each tenant needs {wanted}: {tenant!r}", file=sys.stderr)
            return 1
    try:
        with psycopg.connect(**database.connect_args("booking-seed")) as connection:  # type: ignore[arg-type]
            changed = sum(
                connection.execute(
                    "INSERT INTO tenants AS t (id, name, phone_number_id, timezone, max_party_size)"
                    " VALUES (%(id)s, %(name)s, %(phone_number_id)s, %(timezone)s,"
                    " %(max_party_size)s) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
                    " phone_number_id = excluded.phone_number_id, timezone = excluded.timezone,"
                    " max_party_size = excluded.max_party_size WHERE (t.name, t.phone_number_id,"
                    " t.timezone, t.max_party_size) IS DISTINCT FROM (excluded.name,"
                    " excluded.phone_number_id, excluded.timezone, excluded.max_party_size)",
                    {"timezone": "Europe/Rome", "max_party_size": 12, **tenant},
                ).rowcount
                for tenant in tenants
            )
    except psycopg.Error as error:
        print(f"booking seed: {str(error).strip()}", file=sys.stderr)
        return 1
    print(f"booking seed: {len(tenants)} tenants, {changed} created or changed")
    return 0
