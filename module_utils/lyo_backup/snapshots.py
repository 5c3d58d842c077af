"""Snapshots of RDS and of ElastiCache: listed, taken, waited for, deleted.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_CreateSnapshot.html
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/backups-manual.html
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ..lyo_aws import Aws, AwsFailure
from ..lyo_release.patience import patiently

AVAILABLE, CREATING, DELETING, FAILED = "available", "creating", "deleting", "failed"
FIRST_PAUSE_SECONDS, POLL_SECONDS = 0.5, 5.0
_SIZE = re.compile(r"\s*([0-9.]+)\s*([KMGT]?)B\s*", re.IGNORECASE)
_NO_SNAPSHOT = frozenset(
    {"DBSnapshotNotFound", "DBSnapshotNotFoundFault", "SnapshotNotFoundFault", "SnapshotNotFound"}
)
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True)
class Snapshot:
    """A snapshot, of either service.

    :ivar source: DB instance or replication group that it was taken of.
    :ivar at: aware; None until the service says.
    :ivar bytes: RDS tells the storage that was allocated, ElastiCache what the snapshot takes; 0 for unknown.
    :ivar percent: how far it is, None where the service does not say.
    """

    name: str
    source: str
    status: str
    at: datetime | None = None
    bytes: int = 0
    percent: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class Service(Protocol):
    """What can be done with the snapshots of a service."""

    #: Codes of the refusal because the source is busy, as with another snapshot.
    busy: frozenset[str]

    def listed(self, source: str = "") -> list[Snapshot]:
        """Return the snapshots that people and runbooks took, of one source or of all."""

    def find(self, name: str) -> Snapshot | None:
        """Return the snapshot of that name, None without one."""

    def request(self, name: str, source: str, tags: Mapping[str, str]) -> Snapshot:
        """Ask for a snapshot; asked again after a lost answer, it is found."""

    def delete(self, name: str) -> None:
        """Delete a snapshot; one that is gone already is no failure."""


class RdsSnapshots:
    """Manual snapshots of DB instances."""

    busy = frozenset({"InvalidDBInstanceState", "InvalidDBInstanceStateFault"})

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def listed(self, source: str = "") -> list[Snapshot]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSnapshots.html"""
        more = {"DBInstanceIdentifier": source} if source else {}
        found = self._aws.all(
            "rds", "describe_db_snapshots", "DBSnapshots", SnapshotType="manual", **more
        )
        return [of_rds(entry) for entry in found]

    def find(self, name: str) -> Snapshot | None:
        """Return the snapshot of that name."""
        entry = self._described(name)
        return of_rds(entry) if entry else None

    def _described(self, name: str) -> dict[str, Any] | None:
        try:
            answer = self._aws.call("rds", "describe_db_snapshots", DBSnapshotIdentifier=name)
        except AwsFailure as failure:
            if failure.code in _NO_SNAPSHOT:
                return None
            raise
        found: list[dict[str, Any]] = answer.get("DBSnapshots") or []
        return found[0] if found else None

    def request(self, name: str, source: str, tags: Mapping[str, str]) -> Snapshot:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSnapshot.html"""

        def made() -> dict[str, Any] | None:
            entry = self._described(name)
            return {"DBSnapshot": entry} if entry else None

        answer = self._aws.create(
            "rds",
            "create_db_snapshot",
            made,
            DBSnapshotIdentifier=name,
            DBInstanceIdentifier=source,
            Tags=tag_list(tags),
        )
        return of_rds(answer["DBSnapshot"])

    def delete(self, name: str) -> None:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBSnapshot.html"""
        try:
            self._aws.call("rds", "delete_db_snapshot", DBSnapshotIdentifier=name)
        except AwsFailure as failure:
            if failure.code not in _NO_SNAPSHOT:
                raise


class CacheSnapshots:
    """Manual snapshots of replication groups.

    Taken of a replica where there is one: a snapshot forks the process, and the primary has the work.
    """

    busy = frozenset(
        {
            "InvalidCacheClusterState",
            "InvalidReplicationGroupState",
            "InvalidCacheClusterStateFault",
            "InvalidReplicationGroupStateFault",
        }
    )

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def listed(self, source: str = "") -> list[Snapshot]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeSnapshots.html"""
        more = {"ReplicationGroupId": source} if source else {}
        found = self._aws.all(
            "elasticache", "describe_snapshots", "Snapshots", SnapshotSource="user", **more
        )
        return [of_cache(entry) for entry in found]

    def find(self, name: str) -> Snapshot | None:
        """Return the snapshot of that name."""
        entry = self._described(name)
        return of_cache(entry) if entry else None

    def _described(self, name: str) -> dict[str, Any] | None:
        try:
            answer = self._aws.call("elasticache", "describe_snapshots", SnapshotName=name)
        except AwsFailure as failure:
            if failure.code in _NO_SNAPSHOT:
                return None
            raise
        found: list[dict[str, Any]] = answer.get("Snapshots") or []
        return found[0] if found else None

    def request(self, name: str, source: str, tags: Mapping[str, str]) -> Snapshot:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateSnapshot.html

        Of one of the group's nodes: with cluster mode disabled it is a node that is named.
        """

        def made() -> dict[str, Any] | None:
            entry = self._described(name)
            return {"Snapshot": entry} if entry else None

        group = self._aws.call(
            "elasticache", "describe_replication_groups", ReplicationGroupId=source
        )["ReplicationGroups"][0]
        answer = self._aws.create(
            "elasticache",
            "create_snapshot",
            made,
            SnapshotName=name,
            CacheClusterId=node_of(group),
            Tags=tag_list(tags),
        )
        return of_cache(answer["Snapshot"])

    def delete(self, name: str) -> None:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DeleteSnapshot.html"""
        try:
            self._aws.call("elasticache", "delete_snapshot", SnapshotName=name)
        except AwsFailure as failure:
            if failure.code not in _NO_SNAPSHOT:
                raise


def node_of(group: Mapping[str, Any]) -> str:
    """Return the node of a replication group that a snapshot is taken of: a replica, else the only one."""
    members = [
        member
        for node_group in group.get("NodeGroups") or ()
        for member in node_group.get("NodeGroupMembers") or ()
    ]
    replicas = sorted(
        str(m["CacheClusterId"]) for m in members if m.get("CurrentRole") == "replica"
    )
    return (replicas or [str(name) for name in group["MemberClusters"]])[0]


def of_rds(entry: Mapping[str, Any]) -> Snapshot:
    """Return a snapshot from RDS's description."""
    percent = entry.get("PercentProgress")
    return Snapshot(
        str(entry["DBSnapshotIdentifier"]),
        str(entry.get("DBInstanceIdentifier", "")),
        str(entry.get("Status", "")),
        entry.get("OriginalSnapshotCreateTime") or entry.get("SnapshotCreateTime"),
        int(entry.get("AllocatedStorage") or 0) * 2**30,
        int(percent) if percent is not None else None,
        {str(tag["Key"]): str(tag.get("Value", "")) for tag in entry.get("TagList") or ()},
    )


def of_cache(entry: Mapping[str, Any]) -> Snapshot:
    """Return a snapshot from ElastiCache's description."""
    nodes: Sequence[Mapping[str, Any]] = entry.get("NodeSnapshots") or ()
    times = [node["SnapshotCreateTime"] for node in nodes if node.get("SnapshotCreateTime")]
    return Snapshot(
        str(entry["SnapshotName"]),
        str(entry.get("ReplicationGroupId") or entry.get("CacheClusterId") or ""),
        str(entry.get("SnapshotStatus", "")),
        max(times, default=None),
        sum(size(str(node.get("CacheSize", ""))) for node in nodes),
    )


def size(text: str) -> int:
    """Return a size such as ``5 MB`` in bytes, 0 for what is none."""
    match = _SIZE.fullmatch(text)
    return int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as the services take them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


class Taker:
    """Takes snapshots of one service and waits for them.

    :param tell: is told what is waited for, and how far it is in percent.
    """

    def __init__(
        self,
        service: Service,
        tell: Callable[[str, int | None], None],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.service, self._tell = service, tell
        self._sleep, self._clock = sleep, clock

    def begin(self, name: str, source: str, tags: Mapping[str, str], seconds: float) -> Snapshot:
        """Ask for a snapshot, again and again while the source is busy, as with another snapshot.

        :param seconds: how long it may be busy.
        :raises AwsFailure: it is refused, or the source stays busy.
        """
        end = self._clock() + seconds
        while True:
            try:
                return self.service.request(name, source, tags)
            except AwsFailure as failure:
                if failure.code not in self.service.busy or self._clock() > end:
                    raise
                self._tell(f"{source} is busy: {failure.message}", None)
            self._sleep(POLL_SECONDS)

    def wait(self, snapshot: Snapshot, seconds: float) -> Snapshot:
        """Return the snapshot once it is complete.

        :raises AwsFailure: it failed (``SnapshotFailed``), or takes longer (``StillCreating``).
        """
        end, pause = self._clock() + seconds, FIRST_PAUSE_SECONDS
        while snapshot.status != AVAILABLE:
            if snapshot.status != CREATING:
                raise AwsFailure(
                    "SnapshotFailed", f"the snapshot {snapshot.name} is {snapshot.status}"
                )
            if self._clock() > end:
                raise AwsFailure(
                    "StillCreating",
                    f"the snapshot {snapshot.name} is not complete after {seconds:.0f} s:"
                    " run the same command again to wait on",
                )
            self._tell(f"snapshot {snapshot.name}", snapshot.percent)
            self._sleep(pause)
            pause = min(POLL_SECONDS, pause * 2)
            snapshot = self._look(snapshot, max(0.0, end - self._clock()))
        return snapshot

    def _look(self, snapshot: Snapshot, seconds: float) -> Snapshot:
        """It goes on by itself, so a spell in which AWS cannot be read is waited out."""
        found = patiently(
            lambda: self.service.find(snapshot.name),
            lambda text: self._tell(text, None),
            self._sleep,
            self._clock,
            seconds,
        )
        if found is None:
            raise AwsFailure(
                "SnapshotFailed", f"the snapshot {snapshot.name} is gone: somebody has deleted it"
            )
        return found
