"""The RDS instances of an environment: found, restored, waited for, deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from .. import lyo_rds
from ..lyo_aws import Aws, AwsFailure
from ..lyo_leftovers.decide import of_environment
from ..lyo_release.patience import patiently
from . import template
from .decide import AVAILABLE, LOST

_POLL_SECONDS = (1.0, 2.0, 5.0, 10.0)

Tell = Callable[[str, str], None]


class Instances:
    """The RDS instances whose names begin with the environment's.

    :param name: ``lyo-<env>``.
    :param tell: told what is waited for: stage and text.
    """

    def __init__(
        self,
        aws: Aws,
        name: str,
        tell: Tell,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.aws, self.name, self._tell = aws, name, tell
        self._sleep, self._clock = sleep, clock

    def all(self) -> list[dict[str, Any]]:
        """Return every instance of the environment."""
        found = self.aws.all("rds", "describe_db_instances", "DBInstances")
        return [one for one in found if of_environment([one["DBInstanceIdentifier"]], self.name)]

    def one(self, identifier: str) -> dict[str, Any] | None:
        """Return an instance, None where there is none."""
        return lyo_rds.find(self.aws, identifier)

    def backups(self) -> list[dict[str, Any]]:
        """Return the automated backups, also of instances that are gone; not those of drills."""
        found = self.aws.all(
            "rds", "describe_db_instance_automated_backups", "DBInstanceAutomatedBackups"
        )
        return [one for one in found if self._mine(one)]

    def snapshots(self) -> list[dict[str, Any]]:
        """Return the snapshots, made by hand and automated ones."""
        found = self.aws.all("rds", "describe_db_snapshots", "DBSnapshots")
        return [one for one in found if self._mine(one)]

    def _mine(self, one: Mapping[str, Any]) -> bool:
        identifier = str(one["DBInstanceIdentifier"])
        drill = identifier.startswith(f"{self.name}-drill-")
        return bool(of_environment([identifier], self.name)) and not drill

    def restore(self, operation: str, identifier: str, params: Mapping[str, Any]) -> str:
        """Begin a restore and return the new instance's identifier.

        :param identifier: by which an instance that was made and not answered for is found: one that was
            restored for the same request before may serve, and has the same tags.
        """

        def find() -> dict[str, Any] | None:
            one = self.one(identifier)
            return {"DBInstance": one} if one else None

        answer = self.aws.create("rds", operation, find, **params)
        return str(answer["DBInstance"]["DBInstanceIdentifier"])

    def wait(self, identifier: str, timeout: float) -> dict[str, Any]:
        """Return an instance once it is available and its secret is there.

        :raises AwsFailure: ``RestoreFailed`` where it will not be, ``StillRestoring`` after ``timeout``.
        """
        began, looks = self._clock(), 0
        while True:
            found = patiently(lambda: self.one(identifier), self._waiting, self._sleep, self._clock)
            status = str((found or {}).get("DBInstanceStatus") or "gone")
            if found is not None and status == AVAILABLE and found.get("MasterUserSecret"):
                return found
            if found is None or status in LOST:
                raise AwsFailure(
                    "RestoreFailed",
                    f"{identifier} is {status}: aws rds describe-events --source-type db-instance "
                    f"--source-identifier {identifier} says why; the same command again begins anew",
                )
            waited = self._clock() - began
            if waited > timeout:
                raise AwsFailure(
                    "StillRestoring",
                    f"{identifier} is {status} after {timeout:.0f} s: run the same command again to wait on",
                )
            self._tell("restore", f"{identifier} is {status}, {waited:.0f} s")
            self._sleep(_POLL_SECONDS[min(looks, len(_POLL_SECONDS) - 1)])
            looks += 1

    def _waiting(self, text: str) -> None:
        self._tell("waiting", text)

    def configure(
        self, identifier: str, wanted: Mapping[str, Any], timeout: float
    ) -> dict[str, Any]:
        """Give an instance the settings that a restore does not take; nothing where it has them."""
        found = self.wait(identifier, timeout)
        missing = template.differs(found, wanted)
        if missing:
            self._tell("settings", f"{identifier}: {', '.join(sorted(missing))}")
            self.aws.call(
                "rds",
                "modify_db_instance",
                DBInstanceIdentifier=identifier,
                ApplyImmediately=True,
                **missing,
            )
            found = self.wait(identifier, timeout)
        return found

    def tag(self, arn: str, key: str, value: str) -> None:
        """Tag an instance."""
        self.aws.call(
            "rds", "add_tags_to_resource", ResourceName=arn, Tags=[{"Key": key, "Value": value}]
        )

    def delete(
        self, identifier: str, timeout: float, final: str = "", *, keep: bool = False
    ) -> None:
        """Delete an instance and wait until it is gone; nothing where it is gone.

        :param final: name of a last snapshot, empty for none. An instance that is lost gives none.
        :param keep: keep its automated backups until their time is over.
        """
        found = self.one(identifier)
        if found is None:
            return
        if found["DBInstanceStatus"] != lyo_rds.DELETING:
            if found.get("DeletionProtection"):
                # Nothing of it can be changed before it is there: what a killed run has just begun.
                if found["DBInstanceStatus"] not in (AVAILABLE, "stopped", *LOST):
                    found = self.wait(identifier, timeout)
                self.aws.call(
                    "rds",
                    "modify_db_instance",
                    DBInstanceIdentifier=identifier,
                    DeletionProtection=False,
                    ApplyImmediately=True,
                )
            last: dict[str, Any] = {"SkipFinalSnapshot": True}
            if final and found["DBInstanceStatus"] not in LOST:
                last = {"SkipFinalSnapshot": False, "FinalDBSnapshotIdentifier": final}
            lyo_rds.delete(self.aws, identifier, DeleteAutomatedBackups=not keep, **last)
        began, looks = self._clock(), 0
        while self.one(identifier) is not None:
            waited = self._clock() - began
            if waited > timeout:
                raise AwsFailure(
                    "StillDeleting",
                    f"{identifier} is still being deleted after {timeout:.0f} s: run the same command again",
                )
            self._tell("delete", f"{identifier} is being deleted, {waited:.0f} s")
            self._sleep(_POLL_SECONDS[min(looks, len(_POLL_SECONDS) - 1)])
            looks += 1


def new_name(name: str, kind: str, now: datetime) -> str:
    """Return the identifier of a new instance: ``lyo-local-r20261127101500``."""
    return f"{name}-{kind}{now.astimezone(UTC):%Y%m%d%H%M%S}"
