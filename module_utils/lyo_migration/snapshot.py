"""The RDS snapshot before a change that loses something.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_CreateSnapshot.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ..lyo_aws import Aws
from ..lyo_backup.snapshots import AVAILABLE, CREATING, RdsSnapshots, Snapshot, Taker

# How old a snapshot of the same plan may be to count for a run that is repeated.
REUSE_HOURS = 6


def prefix(instance: str, digest: str) -> str:
    """Return how the name of a plan's snapshots begins."""
    return f"{instance}-migrate-{digest[:12]}"


def name(instance: str, digest: str, now: datetime) -> str:
    """Return the name of a new snapshot: the same plan at another time has another.

    ``lyo_backup.ids.migration_of`` reads it: backup.yml deletes it when its time has come.
    """
    return f"{prefix(instance, digest)}-{now.astimezone(UTC):%Y%m%d%H%M%S}"


def usable(
    snapshots: Sequence[Snapshot], instance: str, digest: str, now: datetime
) -> Snapshot | None:
    """Return the newest snapshot of the same plan that a repeated run may count on, None without one.

    One that is being created counts too: it belongs to a run that was interrupted.
    """
    found = []
    for snapshot in snapshots:
        if not snapshot.name.startswith(prefix(instance, digest)):
            continue
        young = snapshot.at is not None and now - snapshot.at < timedelta(hours=REUSE_HOURS)
        if snapshot.status == CREATING or (snapshot.status == AVAILABLE and young):
            found.append(snapshot)
    return max(found, key=lambda snapshot: snapshot.name, default=None)


class PlanSnapshot:
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
        self.instance, self.digest = instance, digest
        self._service = RdsSnapshots(aws)
        self._taker = Taker(self._service, tell, sleep, lambda: now().timestamp())
        self._wait_seconds = wait_seconds
        self._now = now

    def find(self) -> Snapshot | None:
        """Return the snapshot that a run of the same plan has made before, None without one."""
        listed = self._service.listed(self.instance)
        return usable(listed, self.instance, self.digest, self._now())

    def take(self, tags: Mapping[str, str]) -> str:
        """Return the name of a snapshot that is complete: found, or made and waited for.

        :raises AwsFailure: it cannot be made, failed, or takes too long (``StillCreating``).
        """
        found = self.find()
        if found is None:
            new = name(self.instance, self.digest, self._now())
            found = self._taker.begin(new, self.instance, tags, self._wait_seconds)
        return self._taker.wait(found, self._wait_seconds).name
