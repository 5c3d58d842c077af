"""Takes an environment down: lifts what protects it, then destroys what the state knows."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_phases.target import found, listed
from . import state as decide
from .plan import PlanRefused

if TYPE_CHECKING:
    from .run import Stack

# The root variable that turns protections off; final snapshots stay.
RETIRING = {"retiring": True}


class Destruction:
    """The actions ``lift`` and ``destroy`` of the module terraform_stack.

    Each finds out anew what is left to do: after a run that was killed, the same actions finish it.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.terraform = stack.terraform

    def lift(self) -> dict[str, Any]:
        """Turn off deletion protection, and allow buckets and registries to go with their content.

        Only resources that are there and protected are changed, nothing is made.

        :raises PlanRefused: that would change something else.
        """
        folder = self._begin()
        try:
            found = decide.protected(self._state())
            answer: dict[str, Any] = {
                "changed": bool(found),
                "protections": [{"address": a, "attribute": name} for a, name in found],
                "changes": [],
            }
            if not found or self.stack.check_mode:
                return answer
            targets = [f"-target={address}" for address in sorted({a for a, _ in found})]
            saved = folder / "lift.tfplan"
            plan = self.stack.make_plan(saved, "plan lift", targets, RETIRING)
            decide.refuse_more_than_lifting(plan)
            if not plan.empty:
                self._apply("lift", saved, len(plan.changes))
            answer["changes"] = [change.as_dict() for change in plan.changes]
            answer["changed"] = not plan.empty
            return answer
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def destroy(self) -> dict[str, Any]:
        """Destroy everything that the state knows; in check mode, say what that is.

        A backup vault that holds recovery points, and a bucket that holds backups, are forgotten by
        Terraform and stay: they are what somebody may want back.
        """
        started = time.monotonic()
        folder = self._begin()
        try:
            resources = self._state()
            kept, addresses = self._vaults_to_keep(resources)
            buckets, more = self._buckets_to_keep(resources)
            kept, addresses = [*kept, *buckets], [*addresses, *more]
            self._refuse_taken_names(resources)
            if addresses and not self.stack.check_mode:
                self.terraform.forget(addresses, self.stack.locking()[:1])
            saved = folder / "destroy.tfplan"
            plan = self.stack.make_plan(saved, "plan destroy", ["-destroy"], RETIRING)
            going = [c for c in plan.changes if c.address not in addresses]
            if not plan.empty and not self.stack.check_mode:
                self._apply("destroy", saved, len(plan.changes))
                self._remove_marker()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return {
            "changed": not plan.empty,
            "destroyed": sorted(change.address for change in going if change.action == "delete"),
            "kept": kept,
            "regions": decide.regions(resources),
            "seconds": round(time.monotonic() - started, 1),
        }

    def _begin(self) -> Path:
        self.stack.aws.call("sts", "get_caller_identity")
        # Terraform outlives a run that was killed, and writes the state at its end.
        check = self.stack.check_mode
        if not check:
            self.terraform.wait_for_interrupted()
        self.stack.refuse_while_held(0 if check else self.stack.params["lock_timeout_seconds"])
        self.terraform.init()
        return Path(tempfile.mkdtemp(prefix="lyo-plan-", dir=self.terraform.data_dir))

    def _state(self) -> list[decide.Resource]:
        self.stack.progress("state", "reading what there is", None)
        return decide.resources(self.terraform.show())

    def _apply(self, stage: str, saved: Path, total: int) -> None:
        command = ["apply", "-json", "-input=false", *self.stack.locking(), str(saved)]
        self.terraform.follow(stage, command, total=total)

    def _vaults_to_keep(
        self, resources: Sequence[decide.Resource]
    ) -> tuple[list[dict[str, str]], list[str]]:
        """The vaults with recovery points, and the addresses of what stays with them."""
        kept, addresses = [], []
        for vault in decide.vaults(resources):
            name, arn = str(vault.values["name"]), str(vault.values["arn"])
            region = arn.split(":")[3]
            answer = found(
                Aws({**self.stack.params["aws"], "region": region}),
                "backup",
                "list_recovery_points_by_backup_vault",
                BackupVaultName=name,
                MaxResults=1,
            )
            if answer.get("RecoveryPoints"):
                kept.append({"address": vault.address, "arn": arn, "name": name, "region": region})
                addresses += decide.kept_with(vault, resources)
        return kept, addresses

    def _buckets_to_keep(
        self, resources: Sequence[decide.Resource]
    ) -> tuple[list[dict[str, str]], list[str]]:
        """The buckets that hold backups, and the addresses of what stays with them."""
        kept, addresses = [], []
        for bucket in decide.backup_buckets(resources):
            name, region = str(bucket.values["bucket"]), str(bucket.values.get("region"))
            answer = found(
                Aws({**self.stack.params["aws"], "region": region}),
                "s3",
                "list_object_versions",
                Bucket=name,
                MaxKeys=1,
            )
            if answer.get("Versions"):
                arn = str(bucket.values["arn"])
                kept.append({"address": bucket.address, "arn": arn, "name": name, "region": region})
                addresses += decide.kept_with_bucket(bucket, resources)
        return kept, addresses

    def _refuse_taken_names(self, resources: Sequence[decide.Resource]) -> None:
        """A final snapshot cannot be taken under a name that an earlier end has used.

        :raises PlanRefused: naming the snapshot. An instance that is on its way out has taken its.
        """
        aws = self.stack.aws
        for resource, name in decide.final_snapshots(resources):
            if resource.type == "aws_db_instance":
                owner = listed(
                    aws,
                    "rds",
                    "describe_db_instances",
                    "DBInstances",
                    DBInstanceIdentifier=resource.values["identifier"],
                )
                stands = [item for item in owner if item["DBInstanceStatus"] != "deleting"]
                taken = listed(
                    aws,
                    "rds",
                    "describe_db_snapshots",
                    "DBSnapshots",
                    DBSnapshotIdentifier=name,
                )
            else:
                group = resource.values["replication_group_id"]
                owner = listed(
                    aws,
                    "elasticache",
                    "describe_replication_groups",
                    "ReplicationGroups",
                    ReplicationGroupId=group,
                )
                stands = [item for item in owner if item["Status"] != "deleting"]
                taken = listed(
                    aws, "elasticache", "describe_snapshots", "Snapshots", SnapshotName=name
                )
            if stands and taken:
                raise PlanRefused(
                    f"{resource.address} takes a last snapshot named {name}, but there is one of "
                    "that name already, from an earlier end. Nothing was destroyed. Copy that one "
                    "under another name and delete it, then run this again"
                )

    def _remove_marker(self) -> None:
        """The note of the last empty plan is of an environment that is no more."""
        marker = self.stack.params["marker"]
        try:
            self.stack.aws.call("s3", "delete_object", Bucket=marker["bucket"], Key=marker["key"])
        except AwsFailure as failure:
            if failure.code != "NoSuchBucket":
                raise
