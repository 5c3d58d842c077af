"""The kill table of what brings releases: deploy.yml and rollback.yml."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from ansible.module_utils.lyo_image.run_image import wanted_tag

from tests.chaos.application import Application
from tests.chaos.kill_table import LEASE_SECONDS, Check, Table, made_well
from tests.chaos.truth import Made
from tests.runbooks.harness import Environment, Run

# Local: no bake, because nothing is told by it here.
DEPLOYMENT = {
    "strategy": "BLUE_GREEN",
    "bake_time_minutes": 0,
    "pause_timeout_minutes": 30,
    "healthy_timeout": 180,
}


def settings(**deployment: object) -> tuple[str, ...]:
    """The variables that every command of the table has."""
    values = {
        "lyo_lock_lease": LEASE_SECONDS,
        "lyo_deployment": {**DEPLOYMENT, **deployment},
    }
    return ("-e", json.dumps(values))


class ReleaseTable(Table):
    """The rows of one environment's releases.

    :param folder: for the application's copy.
    """

    def __init__(self, environment: Environment, folder: Path) -> None:
        super().__init__(environment)
        self.application = Application(environment, folder / "booking")

    def deploy(self, *more: str) -> tuple[str, ...]:
        """The command that releases the application as it is now."""
        return ("deploy.yml", *self.application.arguments(), *settings(), *more)

    def renew(self) -> None:
        """Let there be something to do for every step: image, migration, dashboard, release."""
        self.application.renew()
        bucket = self.environment.outputs["dashboard_bucket"]
        self.truth.client("s3").delete_object(Bucket=bucket, Key="config.json")

    def carrying(self) -> str:
        """The task definition that carries the traffic, which is one."""
        (arn,) = self.truth.carrying()
        return arn

    # -- what is right --------------------------------------------------------------------------

    def released(self, before: Made, again: Run) -> list[str]:
        """What is wrong after the application was released by a killed run and the one after it."""
        problems = made_well(again, "DEPLOYED", "UNCHANGED")
        app = {
            "path": str(self.application.folder),
            "builder": "process",
            "image_toml": "image.toml",
        }
        wanted, _ = wanted_tag(app, "v2")
        carrying = self.truth.carrying()
        tags = {self.truth.image_tag(arn) for arn in carrying}
        if len(carrying) != 1 or tags != {wanted}:
            problems.append(f"{carrying} with {tags} carry the traffic, not {wanted} alone")
        problems += self._made_once(before, carrying)
        new = self._new(before)
        families = Counter(arn.rpartition("/")[2].partition(":")[0] for arn in new.definitions)
        family = self.truth.names["task_family"]
        # A migration is looked at and then done by two one-off tasks, each with a definition.
        if families.keys() != {family, f"{family}-migrate"} or families[family] != 1:
            problems.append(f"task definitions made: {new.definitions}")
        if self.application.work() != 1:
            problems.append(f"the migration was done {self.application.work()} times")
        return problems

    def turned_back(self, former: str) -> Check:
        """What is wrong after a rollback to the task definition `former`."""

        def check(before: Made, again: Run) -> list[str]:
            problems = made_well(again, "ROLLED_BACK", "UNCHANGED")
            carrying = self.truth.carrying()
            if carrying != {former}:
                problems.append(f"{carrying} carry the traffic, not {former} alone")
            if self._new(before).definitions:
                problems.append(f"task definitions made: {self._new(before).definitions}")
            return problems + self._made_once(before, carrying)

        return check

    def _new(self, before: Made) -> Made:
        now = self.truth.made()
        return Made(
            {arn: s for arn, s in now.deployments.items() if arn not in before.deployments},
            tuple(arn for arn in now.definitions if arn not in before.definitions),
            tuple(arn for arn in now.one_offs if arn not in before.one_offs),
            tuple(key for key in now.runs if key not in before.runs),
        )

    def _made_once(self, before: Made, carrying: set[str]) -> list[str]:
        """At most one new deployment, of what carries the traffic, and no two definitions alike."""
        problems = []
        new = self._new(before)
        under_way = [d for d in self.truth.deployments() if d["status"] == "IN_PROGRESS"]
        if under_way:
            problems.append(f"still in progress: {under_way}")
        if list(new.deployments.values()) not in ([], ["SUCCESSFUL"]):
            problems.append(f"deployments made: {new.deployments}")
        newest = self.truth.deployments()[0]
        if newest["status"] == "SUCCESSFUL" and {self.truth.target_of(newest)} != carrying:
            problems.append(f"the last deployment is of {self.truth.target_of(newest)}")
        alike = self.truth.alike(new.definitions)
        if alike:
            problems.append(f"task definitions with the same content: {alike}")
        return problems
