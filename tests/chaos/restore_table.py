"""The kill table of what restores: restore.yml, drill.yml."""

from __future__ import annotations

import json
from typing import Any

from tests.chaos.data_table import Data, DataTable
from tests.chaos.kill_table import LEASE_SECONDS, Attempt, made_well
from tests.chaos.release_table import settings
from tests.runbooks.harness import Environment, Run
from tests.runbooks.recovery import serving

DRILL_LOCK = "lyo.drill.lock.json"


class RestoreTable(DataTable):
    """restore.yml, from one of two snapshots in turn, and the release of the former instance."""

    SNAPSHOTS = ("lyo-local-chaos-a", "lyo-local-chaos-b")

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._turns = 0

    def prepare(self) -> None:
        """Take the two snapshots, of what serves."""
        rds = self.client("rds")
        for name in self.SNAPSHOTS:
            source = self.made().record.serving
            rds.create_db_snapshot(DBSnapshotIdentifier=name, DBInstanceIdentifier=source)
            rds.get_waiter("db_snapshot_available").wait(
                DBSnapshotIdentifier=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
            )

    def clean(self) -> None:
        """Delete them, and the former instance."""
        self.serve(*self.release())
        for name in self.SNAPSHOTS:
            self.client("rds").delete_db_snapshot(DBSnapshotIdentifier=name)

    def command(self) -> tuple[str, ...]:
        """restore.yml from the snapshot whose turn it is."""
        name = self.SNAPSHOTS[self._turns % 2]
        return ("restore.yml", "-e", "from=snapshot", "-e", f"snapshot={name}", *settings())

    def release(self) -> tuple[str, ...]:
        """restore.yml, deleting the former instance."""
        return ("restore.yml", "-e", "release_old=true", *settings())

    def begin(self) -> Attempt:
        """Let another instance serve than the one that will have to, and none be kept."""
        self.serve(*self.release())
        self._turns += 1
        return Attempt(self.command(), self.check)

    def begin_release(self) -> Attempt:
        """Let a former instance be kept."""
        self.serve(*self.begin().command)
        return Attempt(self.release(), self.check_release)

    def check(self, before: Data, again: Run) -> list[str]:
        """One new instance serves, and the former one is kept."""
        now, former = self.made(), before.record.serving
        problems = made_well(again, "SWITCHED", "UNCHANGED")
        new = sorted(set(now.instances) - set(before.instances))
        if new != [now.record.serving] or now.record.kept != (former,):
            problems.append(f"instances made: {new}, on record: {now.record}")
        if (serves := serving(self.environment)) != now.record.serving:
            problems.append(f"the service uses {serves}, on record is {now.record.serving}")
        if len(now.carrying) != 1 or now.carrying == before.carrying:
            problems.append(f"{now.carrying} carry the traffic")
        deployments = now.made.deployments.items() - before.made.deployments.items()
        if [status for _, status in deployments] != ["SUCCESSFUL"]:
            problems.append(f"deployments made: {deployments}")
        if now.snapshots != before.snapshots:
            problems.append(f"snapshots: {sorted(now.snapshots)}")
        return problems + self.left(now)

    def check_release(self, before: Data, again: Run) -> list[str]:
        """What serves is the only one."""
        now = self.made()
        problems = made_well(again, "RELEASED", "UNCHANGED")
        if set(now.instances) != {before.record.serving} or now.record.kept:
            problems.append(f"instances: {now.instances}, on record: {now.record}")
        if (now.carrying, now.tasks) != (before.carrying, before.tasks):
            problems.append(f"{now.carrying} serves by {now.tasks}, before: {before.tasks}")
        return problems + self.left(now)


class AgainTable(RestoreTable):
    """A restore of what the serving instance was restored from already."""

    def command(self) -> tuple[str, ...]:
        """restore.yml, of the same once more."""
        return (*super().command(), "-e", "again=true")

    def begin(self) -> Attempt:
        """Let what is asked for serve already, and no former instance be kept."""
        attempt = super().begin()
        self.serve(*super().command())
        self.serve(*self.release())
        return attempt

    def nothing_left(self, command: Any) -> list[str]:
        """Without the word for once more, a further run has nothing to do."""
        return super().nothing_left(command[:-2])


class DrillTable(DataTable):
    """drill.yml: each run restores anew, and leaves nothing."""

    COMMAND = ("drill.yml", "-e", json.dumps({"lyo_lock_lease": LEASE_SECONDS}))

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment, DRILL_LOCK)

    def begin(self) -> Attempt:
        """Any time is right."""
        return Attempt(self.COMMAND, self.check)

    def check(self, before: Data, again: Run) -> list[str]:
        """It was recovered, and nothing of it is left."""
        now = self.made()
        problems = made_well(again, "SUCCEEDED") + self.untouched(before, now)
        if now.instances != before.instances or now.snapshots != before.snapshots:
            problems.append(f"instances: {now.instances}, snapshots: {sorted(now.snapshots)}")
        return problems + self.left(now)

    def nothing_left(self, command: Any) -> list[str]:
        """A further drill is like it."""
        before = self.made()
        return self.check(before, self.environment.run(*command))
