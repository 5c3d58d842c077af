"""backup.yml: everything is made and proven beside customers, twice at once, and after being killed.

What serves before serves after. The snapshots that are made go at the end: destroy.yml keeps such.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.runbooks.harness import Environment
from tests.runbooks.processes import send, tree
from tests.runbooks.test_2_releases import assert_nobody_noticed
from tests.runbooks.test_5_lock import ledger
from tests.runbooks.traffic import constant_traffic

pytestmark = pytest.mark.timeout(900)
PREFIX = "logical/"


def keys(environment: Environment, copy: bool = False) -> list[str]:
    """Keys of the bucket of the backups, or of that of the copies."""
    operations = environment.outputs["operations"]
    found = environment.client("s3").get_paginator("list_objects_v2")
    bucket = operations["copy_bucket" if copy else "bucket"]
    pages = found.paginate(Bucket=bucket, Prefix=PREFIX)
    listed = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return [key for key in listed if key.startswith(f"{PREFIX}20")]  # others' keys have no ID


def backups(environment: Environment, copy: bool = False) -> list[str]:
    """IDs of the complete ones, oldest first."""
    found = keys(environment, copy)
    return sorted(key.split("/")[1] for key in found if key.endswith("/manifest.json"))


def verdict(environment: Environment, backup: str) -> str:
    """What the newest verdict of a backup says, empty without one."""
    found = [k for k in keys(environment) if k.startswith(f"{PREFIX}{backup}/verdict-")]
    if not found:
        return ""
    bucket = environment.outputs["operations"]["bucket"]
    body = environment.client("s3").get_object(Bucket=bucket, Key=max(found))["Body"].read()
    return str(json.loads(body)["verdict"])


def snapshots(environment: Environment) -> dict[str, dict[str, Any]]:
    """RDS snapshots that backup.yml has made, by name."""
    found = environment.client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    return {s["DBSnapshotIdentifier"]: s for s in found if "-backup-" in s["DBSnapshotIdentifier"]}


def cache_snapshots(environment: Environment) -> dict[str, str]:
    """Cache snapshots that backup.yml has made, and their status."""
    found = environment.client("elasticache").describe_snapshots(SnapshotSource="user")["Snapshots"]
    return {
        s["SnapshotName"]: s["SnapshotStatus"] for s in found if "-backup-" in s["SnapshotName"]
    }


def left(environment: Environment) -> list[str]:
    """What a run has begun and nobody works on: none after a run that ended well."""
    found = [
        entry["DBInstanceIdentifier"]
        for entry in environment.client("rds").describe_db_instances()["DBInstances"]
        if "-scratch-" in entry["DBInstanceIdentifier"] and entry["DBInstanceStatus"] != "deleting"
    ]
    for copy in (False, True):
        operations = environment.outputs["operations"]
        bucket = operations["copy_bucket" if copy else "bucket"]
        uploads = environment.client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        found += [upload["Key"] for upload in uploads]
        begun = {key.split("/")[1] for key in keys(environment, copy)}
        found += sorted(begun - set(backups(environment, copy)))
    ecs = environment.client("ecs")
    for family in ("lyo-local-ops-verify", "lyo-local-smoke"):
        listed = ecs.list_task_definitions(familyPrefix=family, status="ACTIVE")
        found += listed["taskDefinitionArns"]
    found += [name for name, one in snapshots(environment).items() if one["Status"] != "available"]
    found += [n for n, status in cache_snapshots(environment).items() if status != "available"]
    return found


@pytest.fixture(scope="module", autouse=True)
def ops_image(environment: Environment) -> Iterator[None]:
    """The ops image is there; snapshots go at the end."""
    run = environment.run("ops_image.yml")
    assert run.returncode == 0, run.output
    yield
    for name in snapshots(environment):
        environment.client("rds").delete_db_snapshot(DBSnapshotIdentifier=name)
    for name in cache_snapshots(environment):
        environment.client("elasticache").delete_snapshot(SnapshotName=name)


def test_it_is_predicted_and_nothing_is_written(environment: Environment) -> None:
    run = environment.run("backup.yml", "--check", "--diff")
    assert run.returncode == 0, run.output
    assert "PREDICTED" in run.output
    assert "would restore" in run.output
    assert "+snapshot lyo-local-backup-" in run.output
    assert environment.calls(run.started, writes=True) == []
    wrong = environment.run("backup.yml", "-e", "kinds=everything")
    assert wrong.returncode == 2
    assert "kinds=snapshot,cache,logical" in wrong.output
    assert environment.calls(wrong.started, writes=True) == []


def test_everything_is_made_and_proven_beside_customers(environment: Environment) -> None:
    with constant_traffic(environment) as load:
        run = environment.run("backup.yml")
        report = load.stop()
    assert run.returncode == 0, run.output
    assert_nobody_noticed(report)
    backup = backups(environment)[-1]
    assert f"{backup}, " in run.output
    assert verdict(environment, backup) == "VERIFIED"
    assert backups(environment, copy=True)[-1] == backup
    name = f"lyo-local-backup-{backup.lower()}"
    tags = {tag["Key"]: tag["Value"] for tag in snapshots(environment)[name]["TagList"]}
    assert tags["lyo:backup"] == backup
    assert tags["Environment"] == "local"
    assert cache_snapshots(environment)[name] == "available"
    assert left(environment) == []

    record = ledger(environment)[-1]
    assert (record["runbook"], record["verdict"], record["backup"]) == (
        "backup.yml", "BACKED_UP", backup,
    )  # fmt: skip
    metrics = environment.client("cloudwatch").list_metrics(Namespace="Lyo/Backup")["Metrics"]
    kinds = {
        (metric["MetricName"], entry["Value"])
        for metric in metrics
        for entry in metric["Dimensions"]
        if entry["Name"] == "Kind"
    }
    assert {("AgeSeconds", kind) for kind in ("logical", "snapshot", "cache")} <= kinds
    assert ("Verified", "logical") in kinds
    status = environment.run("status.yml")
    assert f"{backup}, " in status.output
    assert "VERIFIED" in status.output


def test_of_two_at_once_the_second_waits_and_makes_its_own(environment: Environment) -> None:
    before = backups(environment)
    first = environment.start("backup.yml", "-e", "kinds=logical,snapshot", "-e", "verify=false")
    first.wait_for_output("Snapshots, dump, copy")
    second = environment.start("backup.yml", "-e", "kinds=logical,snapshot")
    one, other = first.finish(), second.finish()
    assert (one.returncode, other.returncode) == (0, 0), one.output + other.output
    assert "waiting for" in other.output
    new = [backup for backup in backups(environment) if backup not in before]
    # The first was begun before the second was asked for: what it holds may be too old.
    assert len(new) == 2
    assert [verdict(environment, backup) for backup in new] == ["VERIFIED", "VERIFIED"]
    assert left(environment) == []


@pytest.mark.parametrize("moment", ["backup: running", "verify: running"])
def test_killed_in_the_middle_the_next_run_finishes_it(
    environment: Environment, moment: str
) -> None:
    killed = environment.start("backup.yml", "-e", "kinds=logical")
    killed.wait_for_output(moment)
    send(tree(killed.process.pid), signal.SIGKILL)
    killed.finish()
    run = environment.run("backup.yml", "-e", "kinds=logical", "-e", "lock_wait=90")
    assert run.returncode == 0, run.output
    assert verdict(environment, backups(environment)[-1]) == "VERIFIED"
    assert backups(environment, copy=True) == backups(environment)
    assert left(environment) == []
