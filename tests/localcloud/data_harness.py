"""What the tests of RDS and ElastiCache share."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import psutil
import psycopg
from botocore.exceptions import ClientError

T = TypeVar("T")

PASSWORD = "a-long-distinctive-password-4711"
NEW: dict[str, Any] = {
    "Engine": "postgres",
    "DBInstanceClass": "db.t4g.micro",
    "AllocatedStorage": 20,
    "MasterUsername": "lyo",
    "MasterUserPassword": PASSWORD,
    "DBName": "app",
}


def until(what: str, look: Callable[[], T | None], seconds: float = 60.0) -> T:
    """Look until there is something to see; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


def instance(rds: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    return found


def available(rds: Any, name: str, status: str = "available") -> dict[str, Any]:
    """Wait for an instance's status and return the instance."""

    def look() -> dict[str, Any] | None:
        one = instance(rds, name)
        return one if one["DBInstanceStatus"] == status else None

    return until(f"{name} is {status}", look)


def gone(rds: Any, name: str) -> None:
    def look() -> bool:
        try:
            instance(rds, name)
        except ClientError as error:
            return error.response["Error"]["Code"] == "DBInstanceNotFound"
        return False

    until(f"{name} is deleted", look)


def delete_all(rds: Any, keep: Collection[str] = ()) -> None:
    """Delete every instance but those to keep."""
    names = [one["DBInstanceIdentifier"] for one in rds.describe_db_instances()["DBInstances"]]
    for name in set(names) - set(keep):
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    for name in set(names) - set(keep):
        gone(rds, name)


def connect(
    one: dict[str, Any], password: str, database: str = "app"
) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(
        host=one["Endpoint"]["Address"],
        port=one["Endpoint"]["Port"],
        user=one["MasterUsername"],
        password=password,
        dbname=database,
        autocommit=True,
        connect_timeout=5,
    )


def rows(one: dict[str, Any], password: str) -> list[int]:
    """What the table of `fill` holds."""
    with connect(one, password) as connection:
        return [int(i) for (i,) in connection.execute("SELECT i FROM t ORDER BY i").fetchall()]


def add(one: dict[str, Any], password: str, number: int) -> None:
    """Commit one row."""
    with connect(one, password) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (i int PRIMARY KEY)")
        connection.execute("INSERT INTO t VALUES (%s)", (number,))


def next_second() -> datetime:
    """Wait for the beginning of a second and return it."""
    moment = datetime.now(UTC)
    time.sleep(1.01 - moment.microsecond / 1e6)
    return datetime.now(UTC).replace(microsecond=0)


def processes_of(state_dir: Path, program: str) -> list[psutil.Process]:
    """Processes of a program that a local cloud started, by its folder on their command line."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(program in word for word in words) and any(str(state_dir) in word for word in words):
            found.append(process)
    return found
