"""The kill table of what works on data: migrate.yml, backup.yml.

What serves is the same afterwards, unless it was to be another; what only a broken run leaves is gone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.lyo_restore.record import Record, parse

from tests.chaos.application import Application
from tests.chaos.kill_table import LEASE_SECONDS, Attempt, Table, made_well
from tests.chaos.release_table import settings
from tests.chaos.truth import Made
from tests.runbooks import test_8_backups as backups
from tests.runbooks.harness import Environment, Run

BACKUP_LOCK = "lyo.backup.json"
# Families whose definitions name a database that does not stay.
PASSING = (
    "lyo-local-restored",
    "lyo-local-drilled",
    "lyo-local-ops-restore",
    "lyo-local-ops-drill",
)


@dataclass(frozen=True)
class Data:
    """What there is at one moment.

    :ivar made: of releases.
    :ivar tasks: of the service, that run.
    :ivar instances: of RDS, with their status.
    :ivar snapshots: made by hand, of RDS.
    :ivar cache: those of the cache.
    :ivar logical: IDs of the complete logical backups.
    :ivar record: which instance serves.
    """

    made: Made
    carrying: frozenset[str]
    tasks: tuple[str, ...]
    instances: dict[str, str]
    snapshots: frozenset[str]
    cache: frozenset[str]
    logical: tuple[str, ...]
    record: Record


class DataTable(Table):
    """The rows of runs that work on an environment's data."""

    locks_always = True

    def client(self, service: str) -> Any:
        """The tests' own client, which no fault meets."""
        return self.truth.client(service)

    def made(self) -> Data:
        """What there is."""
        found = self.client("rds").describe_db_instances()["DBInstances"]
        manual = self.client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
        cached = self.client("elasticache").describe_snapshots(SnapshotSource="user")["Snapshots"]
        value = self.client("ssm").get_parameter(Name="/lyo/local/database")["Parameter"]["Value"]
        return Data(
            made=self.truth.made(),
            carrying=frozenset(self.truth.carrying()),
            tasks=tuple(self.environment.running_tasks()),
            instances={one["DBInstanceIdentifier"]: one["DBInstanceStatus"] for one in found},
            snapshots=frozenset(one["DBSnapshotIdentifier"] for one in manual),
            cache=frozenset(one["SnapshotName"] for one in cached),
            logical=tuple(backups.backups(self.environment)),
            record=parse(value),
        )

    def untouched(self, before: Data, now: Data) -> list[str]:
        """What of the service is not as it was."""
        problems = []
        if now.carrying != before.carrying or now.tasks != before.tasks:
            problems.append(f"{now.carrying} serves by {now.tasks}, before: {before.tasks}")
        if now.made.deployments != before.made.deployments:
            problems.append(f"deployments: {now.made.deployments}")
        if now.record != before.record:
            problems.append(f"another instance serves, or is kept: {now.record}")
        return problems

    def left(self, now: Data) -> list[str]:
        """What only a run that broke off leaves."""
        found = backups.left(self.environment)
        used = {now.record.serving, *now.record.kept}
        found += [
            f"{name} is {now.instances[name]}"
            for name in sorted(set(now.instances) - used)
            if now.instances[name] != "deleting" or "-scratch-" not in name
        ]
        found += [
            f"{name} is {now.instances.get(name)}"
            for name in sorted(used)
            if now.instances.get(name) != "available"
        ]
        found += [f"{name} is being released" for name in now.record.releasing]
        ecs, names = self.client("ecs"), self.environment.outputs
        for family in PASSING:
            listed = ecs.list_task_definitions(familyPrefix=family, status="ACTIVE")
            found += listed["taskDefinitionArns"]
        running = ecs.list_tasks(cluster=names["cluster_name"], desiredStatus="RUNNING")["taskArns"]
        found += [f"{arn} runs" for arn in sorted(set(running) - set(now.tasks))]
        state = self.client("s3").list_objects_v2(Bucket=self.truth.bucket)["Contents"]
        found += [item["Key"] for item in state if item["Key"].endswith(".tflock")]
        return [f"left: {one}" for one in found]


# -- migrate.yml ------------------------------------------------------------------------------------


class MigrateTable(DataTable):
    """migrate.yml with a migration that something is lost by, so that a snapshot is taken first.

    :param folder: for the application's copy.
    """

    # Whether something is pending, the image alone can tell.
    idle_writes = frozenset({"RunTask", "RegisterTaskDefinition"})

    def __init__(self, environment: Environment, folder: Path) -> None:
        super().__init__(environment)
        self.application = Application(environment, folder / "booking")

    def begin(self) -> Attempt:
        """Let a migration be pending."""
        self.application.renew(loses=True)
        command = ("migrate.yml", *self.application.arguments(), *settings())
        return Attempt(command, self.check)

    def check(self, before: Data, again: Run) -> list[str]:
        """It was migrated once, after one snapshot."""
        now = self.made()
        problems = made_well(again, "MIGRATED", "UNCHANGED") + self.untouched(before, now)
        if self.application.work() != 1:
            problems.append(f"the migration was done {self.application.work()} times")
        new = sorted(now.snapshots - before.snapshots)
        if len(new) != 1 or "-migrate-" not in new[0]:
            problems.append(f"snapshots made: {new}")
        definitions = [a for a in now.made.definitions if a not in before.made.definitions]
        if alike := self.truth.alike(tuple(definitions)):
            problems.append(f"task definitions with the same content: {alike}")
        return problems + self.left(now)


# -- backup.yml -------------------------------------------------------------------------------------

OLD = "20260101T030000Z"
_ONE = {"daily": 1, "weekly": 0, "monthly": 0, "yearly": 0, "hours": 0}


class BackupTable(DataTable):
    """backup.yml, with a retention that leaves one of each kind: deleting belongs to it.

    Locked logical backups stay, so an old one is there to be deleted.

    :param kinds: made by the runs, as `-e kinds=` takes them; empty for all.
    """

    def __init__(self, environment: Environment, kinds: str = "") -> None:
        super().__init__(environment, BACKUP_LOCK)
        self._planted, self._kinds = 0, kinds

    def begin(self) -> Attempt:
        """Let there be something to delete."""
        self.plant()
        kinds = dict.fromkeys(("snapshot", "cache", "logical"), _ONE)
        retention = {**kinds, "migration_days": 0}
        return Attempt(self.command(lyo_backup_retention=retention), self.check)

    def command(self, **values: Any) -> tuple[str, ...]:
        """backup.yml with some variables."""
        if self._kinds:
            values["kinds"] = self._kinds
        return ("backup.yml", "-e", json.dumps({"lyo_lock_lease": LEASE_SECONDS, **values}))

    def plant(self) -> None:
        """A logical backup of long ago in both buckets, as far as retention looks at it."""
        self._planted += 1
        operations, folder = self.environment.outputs["operations"], f"{OLD}-{self._planted:08x}"
        for bucket in (operations["bucket"], operations["copy_bucket"]):
            for name, body in (
                ("parts/0001-pre-data.dump.zst", "old"),
                ("manifest.json", "{}"),
                ("verdict-20260101T031000.000000Z.json", json.dumps({"verdict": "VERIFIED"})),
            ):
                if "verdict" not in name or bucket == operations["bucket"]:
                    key = f"{backups.PREFIX}{folder}/{name}"
                    self.client("s3").put_object(Bucket=bucket, Key=key, Body=body.encode())

    def check(self, before: Data, again: Run) -> list[str]:
        """One backup of each kind is there, and it is new, whole, copied and proven."""
        now = self.made()
        problems = made_well(again, "BACKED_UP") + self.untouched(before, now)
        for kind, then, found in (
            ("snapshots", before.snapshots, now.snapshots),
            ("cache snapshots", before.cache, now.cache),
        ):
            ours = {name for name in found if "-backup-" in name or "-migrate-" in name}
            if len(ours) != 1 or ours & then:
                problems.append(f"{kind}: {sorted(ours)}, before: {sorted(then)}")
        return problems + self.proven(before, now) + self.left(now)

    def proven(self, before: Data, now: Data, newest: int = 1) -> list[str]:
        """What is wrong with the logical backups: so many of the newest have to be copied and proven."""
        new, copies = sorted(set(now.logical) - set(before.logical)), self.copies()
        problems = [f"{one} is still there" for one in (*now.logical, *copies) if OLD in one]
        if len(new) < newest:
            problems.append(f"logical backups made: {new}")
        begun = [key for key in backups.keys(self.environment) if key.endswith("/began.json")]
        begun += [k for k in backups.keys(self.environment, copy=True) if k.endswith("/began.json")]
        for one in new[-newest:]:
            if one not in copies:
                problems.append(f"{one} is not copied")
            if (word := backups.verdict(self.environment, one)) != "VERIFIED":
                problems.append(f"{one} is {word or 'not verified'}")
            problems += [f"{key} is still there" for key in begun if key.split("/")[1] == one]
        return problems

    def copies(self) -> list[str]:
        """IDs of the complete ones in the second bucket."""
        return backups.backups(self.environment, copy=True)

    def nothing_left(self, command: Any) -> list[str]:
        """A further run makes exactly one further backup of each kind that it makes."""
        before = self.made()
        third, now = self.environment.run(*command), self.made()
        problems = made_well(third, "BACKED_UP") + self.untouched(before, now)
        new = 0 if self._kinds == "logical" else 1
        for kind, then, found in (
            ("snapshots", before.snapshots, now.snapshots),
            ("cache snapshots", before.cache, now.cache),
        ):
            if len(found - then) != new or len(found) != len(then):
                problems.append(f"a third run made of {kind}: {sorted(found - then)}")
        if len(set(now.logical) - set(before.logical)) != 1:
            problems.append(f"a third run made {set(now.logical) - set(before.logical)}")
        return problems + self.proven(before, now) + self.left(now)
