"""The RDS snapshot before a change that loses something.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_CreateSnapshot.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ..lyo_aws import Aws, AwsFailure

# How old a snapshot of the same plan may be to count for a run that is repeated.
REUSE_HOURS = 6
POLL_SECONDS = 5.0
AVAILABLE, CREATING = "available", "creating"


def prefix(instance: str, digest: str) -> str:
    """Return how the name of a plan's snapshots begins."""
    return f"{instance}-migrate-{digest[:12]}"


def name(instance: str, digest: str, now: datetime) -> str:
    """Return the name of a new snapshot: the same plan at another time has another."""
    return f"{prefix(instance, digest)}-{now.astimezone(UTC):%Y%m%d%H%M%S}"


def usable(
    snapshots: Sequence[Mapping[str, Any]], instance: str, digest: str, now: datetime
) -> Mapping[str, Any] | None:
    """Return the newest snapshot of the same plan that a repeated run may count on, None without one.

    One that is being created counts too: it belongs to a run that was interrupted.
    """
    found = []
    for snapshot in snapshots:
        if not str(snapshot.get("DBSnapshotIdentifier", "")).startswith(prefix(instance, digest)):
            continue
        made = snapshot.get("SnapshotCreateTime") or snapshot.get("OriginalSnapshotCreateTime")
        status = snapshot.get("Status")
        if status == CREATING or (
            status == AVAILABLE and made is not None and now - made < timedelta(hours=REUSE_HOURS)
        ):
            found.append((str(snapshot["DBSnapshotIdentifier"]), snapshot))
    return max(found)[1] if found else None


class Snapshot:
    """Takes the snapshot of one plan.

    :param wait_seconds: how long it may take.
    """

    def __init__(
        self,
        aws: Aws,
        instance: str,
        digest: str,
        wait_seconds: float,
        tell: Callable[[str, int | None], None],
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.aws, self.instance, self.digest = aws, instance, digest
        self._wait_seconds = wait_seconds
        self._tell = tell
        self._sleep = sleep
        self._now = now

    def find(self) -> Mapping[str, Any] | None:
        """Return the snapshot that a run of the same plan has made before, None without one."""
        listed = self.aws.all(
            "rds",
            "describe_db_snapshots",
            "DBSnapshots",
            DBInstanceIdentifier=self.instance,
            SnapshotType="manual",
        )
        return usable(listed, self.instance, self.digest, self._now())

    def _made(self) -> dict[str, Any] | None:
        found = self.find()
        return {"DBSnapshot": dict(found)} if found is not None else None

    def take(self, tags: Mapping[str, str]) -> str:
        """Return the name of a snapshot that is complete: found, or made and waited for.

        :raises AwsFailure: it cannot be made, failed, or takes too long (``StillCreating``).
        """
        found = self.find()
        if found is None:
            answer = self.aws.create(
                "rds",
                "create_db_snapshot",
                self._made,
                DBSnapshotIdentifier=name(self.instance, self.digest, self._now()),
                DBInstanceIdentifier=self.instance,
                Tags=[{"Key": key, "Value": value} for key, value in sorted(tags.items())],
            )
            found = answer["DBSnapshot"]
        return self._wait(str(found["DBSnapshotIdentifier"]), found)

    def _wait(self, identifier: str, snapshot: Mapping[str, Any]) -> str:
        end = self._now() + timedelta(seconds=self._wait_seconds)
        while snapshot.get("Status") != AVAILABLE:
            if snapshot.get("Status") != CREATING:
                raise AwsFailure(
                    "SnapshotFailed", f"the snapshot {identifier} is {snapshot.get('Status')}"
                )
            if self._now() > end:
                raise AwsFailure(
                    "StillCreating",
                    f"the snapshot {identifier} is not complete after {self._wait_seconds:.0f} s:"
                    " run the same command again to wait on",
                )
            percent = int(snapshot.get("PercentProgress") or 0)
            self._tell(f"snapshot {identifier}", percent)
            self._sleep(POLL_SECONDS)
            answer = self.aws.call("rds", "describe_db_snapshots", DBSnapshotIdentifier=identifier)
            snapshot = answer["DBSnapshots"][0]
        return identifier
