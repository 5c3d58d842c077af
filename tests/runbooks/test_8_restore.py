"""The database is lost while guests book, and comes back as it was at a second: nothing before it is missing.

What served before goes on serving, on a restored database; the next tests do not know the difference.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.runbooks.harness import Environment
from tests.runbooks.traffic import TENANT, Customer

# After everything that remembers what there was before; destroy.yml still comes later.
pytestmark = pytest.mark.late

# Automated backups are archived every five minutes, which are thirty seconds here.
ARCHIVED_SECONDS = 90.0


class Guests:
    """Guests who book all the time, and what was acknowledged to them.

    :ivar acknowledged: message id and when it was acknowledged.
    """

    def __init__(self, environment: Environment) -> None:
        self.acknowledged: list[tuple[str, datetime]] = []
        self._environment = environment
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._book, daemon=True)
        self._thread.start()

    def _book(self) -> None:
        guest, number = Customer(self._environment), 0
        while not self._stop.is_set():
            number += 1
            guest.wa_id = f"39333{number:07d}"
            try:
                status, message = guest.say(f"Tavolo per {number % 8 + 1} domani alle 20:00")
            except OSError:
                continue
            if status == 200:
                self.acknowledged.append((message, datetime.now(UTC)))
            self._stop.wait(0.05)

    def wait(self, count: int, timeout: float = 60.0) -> None:
        """Until so many were acknowledged."""
        end = time.monotonic() + timeout
        while len(self.acknowledged) < count:
            assert time.monotonic() < end, f"{len(self.acknowledged)} of {count} in {timeout} s"
            time.sleep(0.1)

    def before(self, moment: datetime) -> set[str]:
        """Messages that were acknowledged before a moment."""
        return {message for message, at in self.acknowledged if at < moment}

    def stop(self) -> None:
        """Stop booking."""
        self._stop.set()
        self._thread.join(timeout=30)


@contextmanager
def database(environment: Environment, identifier: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to one of the RDS instances."""
    found = environment.client("rds").describe_db_instances(DBInstanceIdentifier=identifier)
    [instance] = found["DBInstances"]
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


def messages(environment: Environment, identifier: str) -> set[str]:
    """Ids of the messages that a database has."""
    with database(environment, identifier) as connection:
        return {row[0] for row in connection.execute("SELECT message_id FROM inbox")}


def delete_tenant(environment: Environment, identifier: str) -> int:
    """Somebody's mistake, typed again until it is done: guests who book meanwhile may deadlock with it.

    :returns: number of tenants deleted.
    """
    with database(environment, identifier) as connection:
        while True:
            try:
                deleted = connection.execute("DELETE FROM tenants WHERE id = %s", (TENANT,))
            except psycopg.errors.DeadlockDetected:
                continue
            return deleted.rowcount


def instances(environment: Environment) -> list[str]:
    """Identifiers of the RDS instances."""
    found = environment.client("rds").describe_db_instances()["DBInstances"]
    return sorted(one["DBInstanceIdentifier"] for one in found)


def wait_until_archived(environment: Environment, identifier: str, moment: datetime) -> None:
    """Until an instance can be restored to a moment."""
    end = time.monotonic() + ARCHIVED_SECONDS
    rds = environment.client("rds")
    while time.monotonic() < end:
        [one] = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
        if one.get("LatestRestorableTime") and one["LatestRestorableTime"] >= moment:
            return
        time.sleep(1)
    raise AssertionError(f"{identifier} cannot be restored to {moment} after {ARCHIVED_SECONDS} s")


def serving(environment: Environment) -> str:
    """Identifier of the database in the service's task definition."""
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


def test_a_drill_measures_a_recovery_and_leaves_nothing(environment: Environment) -> None:
    before, served = instances(environment), serving(environment)
    run = environment.run("drill.yml")
    assert run.returncode == 0, run.output
    figures = re.search(r"usable after ([\d,]+) s \(RTO\), ([\d,]+) s .*\(RPO\)", run.output)
    assert figures, run.output
    assert int(figures.group(1).replace(",", "")) > 0
    assert instances(environment) == before
    assert serving(environment) == served
    status = environment.run("status.yml")
    assert re.search(rf"recovery +drilled .*: RTO {figures.group(1)} s", status.output), (
        status.output
    )


def test_a_second_that_cannot_be_reached_is_refused_and_nothing_is_changed(
    environment: Environment,
) -> None:
    run = environment.run("restore.yml", "-e", "from=time", "-e", "time=2020-01-01T00:00:00Z")
    assert run.returncode == 2
    assert "cannot be reached: the backups of" in run.output
    writes = {call.operation for call in environment.calls(run.started, writes=True)}
    assert writes <= {"PutObject"}, writes  # the lock and the ledger


def test_rows_deleted_by_mistake_come_back_as_they_were_at_the_second_before(
    environment: Environment,
) -> None:
    former = serving(environment)
    guests = Guests(environment)
    try:
        guests.wait(40)
        # A whole second that has passed, then the mistake.
        chosen = datetime.now(UTC).replace(microsecond=0)
        guests.wait(len(guests.acknowledged) + 20)
        assert delete_tenant(environment, former) == 1
        wait_until_archived(environment, former, chosen + timedelta(seconds=1))
        asked = ("-e", "from=time", "-e", f"time={chosen:%Y-%m-%dT%H:%M:%SZ}")
        check = environment.run("restore.yml", *asked, "--check")
        assert check.returncode == 0, check.output
        assert environment.calls(check.started, writes=True) == []
        run = environment.run("restore.yml", *asked)
    finally:
        guests.stop()
    assert run.returncode == 0, run.output
    assert "SWITCHED" in run.output
    restored = serving(environment)
    assert restored != former
    # Acknowledged before the chosen second: all of it is there.
    acknowledged = guests.before(chosen)
    assert len(acknowledged) > 20
    assert acknowledged - messages(environment, restored) == set()
    # What came later is still in the former one, and the mistake is not in the restored one.
    with database(environment, restored) as connection:
        there = connection.execute(
            "SELECT count(*) FROM tenants WHERE id = %s", (TENANT,)
        ).fetchone()
    assert there == (1,)
    assert former in instances(environment)
    guest = Customer(environment)
    status, message = guest.say("Mi chiamo Chiara")
    assert status == 200
    guest.reply_to(message)
    assert message in messages(environment, restored)

    again = environment.run("restore.yml", *asked)
    assert again.returncode == 0, again.output
    assert "UNCHANGED" in again.output


def test_the_former_instance_is_kept_until_it_is_released(environment: Environment) -> None:
    serves = serving(environment)
    former = [name for name in instances(environment) if name != serves]
    assert former
    run = environment.run("restore.yml", "-e", "release_old=true")
    assert run.returncode == 0, run.output
    assert instances(environment) == [serves]
    # Terraform had taken the other one over: of its plan only the logs of the former one are left to do.
    done = set(re.findall(r"(?:creating|changing|replacing|destroying) (module\S+)", run.output))
    assert {address.split("[")[0] for address in done} <= {
        "module.database.aws_cloudwatch_log_group.postgres"
    }
    deploy = environment.run("deploy.yml")
    assert deploy.returncode == 0, deploy.output
    assert "UNCHANGED" in deploy.output
