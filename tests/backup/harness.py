"""A database, an S3 and the program, as the tests use them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.dataplane.postgres import binaries
from tests.backup.s3_harness import S3
from tests.localcloud import booking_harness

ROOT = Path(__file__).resolve().parents[2]
BUCKET, COPIES = "backups", "copies"
ID = "20261127T120000Z-0000000{}"


class Postgres(booking_harness.Postgres):
    """A server beside those of other tests."""

    host = f"{booking_harness.NETWORK}.7"


@dataclass
class Ended:
    """What a run of the program has said."""

    code: int
    output: str
    events: list[dict[str, Any]] = field(default_factory=list)

    def event(self, name: str) -> dict[str, Any]:
        """The last event of a name."""
        found = [event for event in self.events if event["event"] == name]
        assert found, f"no event {name}:\n{self.output}"
        return found[-1]


@dataclass
class Bench:
    """Everything that a run needs."""

    postgres: Postgres
    s3: S3

    def environment(self, database: str, **extra: str) -> dict[str, str]:
        bare = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "AWS_", "LYO_"))}
        return {
            **bare,
            **self.s3.environment(),
            "PATH": f"{binaries.folder()}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "ops"),
            "PGHOST": self.postgres.host,
            "PGPORT": str(self.postgres.port),
            "PGUSER": "booking",
            "PGPASSWORD": booking_harness.PASSWORD,
            "PGSSLMODE": "disable",
            "PGDATABASE": database,
            "LYO_BACKUP_BUCKET": BUCKET,
            "LYO_BACKUP_COPY_BUCKET": COPIES,
            "LYO_BACKUP_JOBS": "2",
            # So that a backup has parts of one table and parts of several.
            "LYO_BACKUP_PART_BYTES": "65536",
            **extra,
        }

    def start(
        self, database: str, argv: Sequence[str], extra: Mapping[str, str]
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "lyo_backup", *argv],
            env=self.environment(database, **extra),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, database: str, *argv: str, expect: int | None = 0, **extra: str) -> Ended:
        """Run the program to its end."""
        process = self.start(database, argv, extra)
        output, _ = process.communicate(timeout=120)
        return ended(process.returncode, output, expect)

    def sql(self, database: str, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements; returns the rows of the last."""
        with self.postgres.connect(database) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def fresh(self, database: str) -> str:
        """An empty database."""
        self.sql("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        self.sql("postgres", f"CREATE DATABASE {database} TEMPLATE template0")
        return database


def ended(code: int, output: str, expect: int | None = 0) -> Ended:
    prefix = "lyo.backup: "
    events = [
        json.loads(line.removeprefix(prefix))
        for line in output.splitlines()
        if line.startswith(prefix)
    ]
    assert expect is None or code == expect, f"exit code {code}\n{output}"
    assert booking_harness.PASSWORD not in output
    return Ended(code, output, events)


def rewritten(content: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """A manifest with something changed, its digest made to fit."""
    document = json.loads(content)
    document.pop("digest")
    change(document)
    text = json.dumps(document, sort_keys=True, ensure_ascii=False)
    document["digest"] = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps(document).encode()
