"""What recoveries are judged by: guests who book all the time, and what the databases hold."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPException
from itertools import pairwise
from typing import Any

import psycopg
from psycopg import sql

from tests.runbooks.harness import Environment
from tests.runbooks.traffic import PHONE_NUMBER_ID, Customer

# Automated backups are archived every five minutes, which are thirty seconds here.
ARCHIVED_SECONDS = 90.0
# What tells the rows of each table apart; a row never changes it.
KEYS = {
    "tenants": "id",
    "customers": "tenant_id || ' ' || wa_id",
    "bookings": "source_message_id",
    "inbox": "message_id",
    "outbox": "message_id",
}
# Which of another tenant's rows nobody changes any more, and where its tenant is.
SETTLED = {
    "tenants": "id <> %s",
    "customers": "tenant_id <> %s",
    "bookings": "tenant_id <> %s",
    "inbox": "tenant_id <> %s AND processed_at IS NOT NULL",
    "outbox": "tenant_id <> %s AND sent_at IS NOT NULL",
}
# Numbers of the restaurants that nothing happens to.
NEIGHBOURS = {"il-faro": "390801000002", "nonna-rosa": "390511000003"}


class Guests:
    """Guests of one restaurant who book all the time, and what was acknowledged to them.

    :ivar acknowledged: message id and when it was acknowledged.
    """

    def __init__(self, environment: Environment, phone_number_id: str = PHONE_NUMBER_ID) -> None:
        self.acknowledged: list[tuple[str, datetime]] = []
        self._guest = Customer(environment, phone_number_id)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._book, daemon=True)
        self._thread.start()

    def _book(self) -> None:
        guest, number = self._guest, int(time.time()) % 100_000 * 1000
        while not self._stop.is_set():
            number += 1
            guest.wa_id = f"39{number:010d}"
            try:
                status, message = guest.say(f"Tavolo per {number % 8 + 1} domani alle 20:00")
            except (OSError, HTTPException):
                status = 0
            if status == 200:
                self.acknowledged.append((message, datetime.now(UTC)))
            self._stop.wait(0.05)

    def wait(self, more: int, timeout: float = 60.0) -> None:
        """Until so many more were acknowledged."""
        count, end = len(self.acknowledged) + more, time.monotonic() + timeout
        while len(self.acknowledged) < count:
            assert time.monotonic() < end, f"{len(self.acknowledged)} of {count} in {timeout} s"
            time.sleep(0.1)

    def before(self, moment: datetime) -> set[str]:
        """Messages that were acknowledged before a moment."""
        return {message for message, at in self.acknowledged if at < moment}

    def between(self, first: datetime, last: datetime) -> set[str]:
        """Messages that were acknowledged from a moment to another."""
        return {message for message, at in self.acknowledged if first <= at < last}

    def silence(self, since: datetime) -> float:
        """Seconds of the longest time without an acknowledgement, since a moment and until now."""
        times = [since, *(at for _, at in self.acknowledged if at > since), datetime.now(UTC)]
        return max((after - before).total_seconds() for before, after in pairwise(times))

    def stop(self) -> None:
        """Stop booking."""
        self._stop.set()
        self._thread.join(timeout=30)


@contextmanager
def guests(environment: Environment, phone_number_id: str = PHONE_NUMBER_ID) -> Iterator[Guests]:
    """Guests who book as long as the block lasts; some have when it begins."""
    booking = Guests(environment, phone_number_id)
    try:
        booking.wait(40)
        yield booking
    finally:
        booking.stop()


@contextmanager
def database(environment: Environment, identifier: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to one of the RDS instances."""
    instance = described(environment, identifier)
    host = instance["Endpoint"]["Address"]
    assert host.startswith("127."), host
    secret = environment.secret(instance["MasterUserSecret"]["SecretArn"])
    with psycopg.connect(
        host=host,
        port=instance["Endpoint"]["Port"],
        dbname=environment.outputs["database"]["name"],
        user=secret["username"],
        password=secret["password"],
        autocommit=True,
    ) as connection:
        yield connection


def described(environment: Environment, identifier: str) -> dict[str, Any]:
    """A DBInstance."""
    found = environment.client("rds").describe_db_instances(DBInstanceIdentifier=identifier)
    [instance] = found["DBInstances"]
    return dict(instance)


def messages(environment: Environment, identifier: str) -> set[str]:
    """Ids of the messages that a database has."""
    with database(environment, identifier) as connection:
        return {row[0] for row in connection.execute("SELECT message_id FROM inbox")}


def rows(environment: Environment, identifier: str) -> set[tuple[str, str]]:
    """Table and key of every row that a database has."""
    found: set[tuple[str, str]] = set()
    with database(environment, identifier) as connection:
        for table, key in KEYS.items():
            query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(key), sql.Identifier(table))
            found |= {(table, str(row[0])) for row in connection.execute(query)}
    return found


def of_others(
    environment: Environment, identifier: str, tenant: str
) -> dict[tuple[str, str], tuple[str, str]]:
    """Every settled row of the other tenants: which transaction wrote it, and a hash of what is in it."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    with database(environment, identifier) as connection:
        for table, settled in SETTLED.items():
            query = sql.SQL("SELECT {}, xmin::text, md5(t::text) FROM {} t WHERE {}").format(
                sql.SQL(KEYS[table]), sql.Identifier(table), sql.SQL(settled)
            )
            for key, written_by, content in connection.execute(query, (tenant,)):
                found[(table, str(key))] = (str(written_by), str(content))
    return found


def manifest(environment: Environment, backup: str) -> dict[str, Any]:
    """The manifest of a logical backup."""
    bucket = environment.outputs["operations"]["bucket"]
    key = f"logical/{backup}/manifest.json"
    body = environment.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    content: dict[str, Any] = json.loads(body)
    return content


def by_mistake(environment: Environment, identifier: str, statement: str) -> int:
    """Somebody's mistake, typed again until it is done: guests who book meanwhile may deadlock with it.

    :returns: number of rows that it was about.
    """
    with database(environment, identifier) as connection:
        while True:
            try:
                return connection.execute(statement.encode()).rowcount
            except psycopg.errors.DeadlockDetected:
                continue


def next_second() -> datetime:
    """Wait for the next whole second, and return it: what was committed by now is before it."""
    now = time.time()
    second = math.floor(now) + 1
    time.sleep(second - now)
    return datetime.fromtimestamp(second, UTC)


def instances(environment: Environment) -> list[str]:
    """Identifiers of the RDS instances."""
    found = environment.client("rds").describe_db_instances()["DBInstances"]
    return sorted(one["DBInstanceIdentifier"] for one in found)


def wait_until_archived(environment: Environment, identifier: str, moment: datetime) -> None:
    """Until an instance can be restored to a moment."""
    end = time.monotonic() + ARCHIVED_SECONDS
    while time.monotonic() < end:
        latest = described(environment, identifier).get("LatestRestorableTime")
        if latest and latest >= moment:
            return
        time.sleep(1)
    raise AssertionError(f"{identifier} cannot be restored to {moment} after {ARCHIVED_SECONDS} s")


def serving(environment: Environment) -> str:
    """Identifier of the database in the service's task definition; its name is its endpoint's."""
    ecs, names = environment.client("ecs"), environment.outputs
    [service] = ecs.describe_services(
        cluster=names["cluster_name"], services=[names["service_name"]]
    )["services"]
    definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])
    [container] = definition["taskDefinition"]["containerDefinitions"]
    [host] = [e["value"] for e in container["environment"] if e["name"] == "DATABASE_HOST"]
    found = environment.client("rds").describe_db_instances()["DBInstances"]
    [identifier] = [
        one["DBInstanceIdentifier"] for one in found if one["Endpoint"]["Address"] == host
    ]
    return str(identifier)
