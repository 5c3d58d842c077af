"""What the local ElastiCache knows. Every change happens under `Cloud.lock`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud
from localcloud.dataplane import valkey
from localcloud.settings import ROOT

if TYPE_CHECKING:
    from localcloud.services.elasticache.node import Node

_EVENTS_KEPT = 10_000


def invalid_value(message: str) -> AwsError:
    """InvalidParameterValue."""
    return AwsError("InvalidParameterValue", message)


def invalid_combination(message: str) -> AwsError:
    """InvalidParameterCombination."""
    return AwsError("InvalidParameterCombination", message)


def refused(what: str) -> AwsError:
    """The answer to what the local cloud does not reproduce (HTTP 501)."""
    return NotReproducedError("ElastiCache", what)


def tags_of(call: Call) -> list[dict[str, str]]:
    """The tags a create operation was given."""
    return [
        {"Key": tag["Key"], "Value": tag.get("Value", "")} for tag in call.params.get("Tags") or []
    ]


def page(call: Call, member: str, items: Sequence[Any]) -> dict[str, Any]:
    """One page of a describe operation."""
    size = int(call.params.get("MaxRecords") or 100)
    marker = call.params.get("Marker") or "0"
    if not 20 <= size <= 100 or not marker.isdigit():
        raise invalid_value("MaxRecords must be between 20 and 100, Marker one that was returned.")
    start = int(marker)
    result: dict[str, Any] = {member: list(items[start : start + size])}
    if start + size < len(items):
        result["Marker"] = str(start + size)
    return result


@dataclass
class ParameterGroup:
    """A cache parameter group; `values` holds only what differs from the defaults."""

    name: str
    family: str
    description: str
    tags: list[dict[str, str]] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)


@dataclass
class SubnetGroup:
    """A cache subnet group."""

    name: str
    description: str
    subnet_ids: list[str]
    tags: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Group:
    """A replication group of one node.

    members: the stored part of AWS's ReplicationGroup; cluster: that of its member CacheCluster.
    tokens: the AUTH tokens that are accepted, the newest last.
    """

    members: dict[str, Any]
    cluster: dict[str, Any]
    node: Node
    tags: list[dict[str, str]]
    parameter_group: str
    address: str
    port: int
    tokens: list[str] = field(default_factory=list)
    pending: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """ReplicationGroupId."""
        return str(self.members["ReplicationGroupId"])

    @property
    def status(self) -> str:
        """Status."""
        return str(self.members["Status"])

    def set_status(self, status: str) -> None:
        """Set the status of the group and of its node."""
        self.members["Status"] = status
        self.cluster["CacheClusterStatus"] = status


@dataclass
class Snapshot:
    """A snapshot: AWS's structure, and the RDB file."""

    members: dict[str, Any]
    tags: list[dict[str, str]]
    file: Path

    @property
    def name(self) -> str:
        """SnapshotName."""
        return str(self.members["SnapshotName"])


class State:
    """Everything of one local cloud's ElastiCache."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.folder = cloud.settings.state_dir / "elasticache"
        # moto's control plane begins empty, so what an earlier cloud left belongs to nobody.
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.groups: dict[str, Group] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.parameter_groups: dict[str, ParameterGroup] = {}
        self.subnet_groups: dict[str, SubnetGroup] = {}
        self.events: list[dict[str, Any]] = []
        self._numbers: dict[str, int] = {}
        self._settings: dict[str, str] | None = None
        self._settings_lock = threading.Lock()

    def settings(self) -> Mapping[str, str]:
        """Every setting of the Valkey that runs and its default; found out once per version."""
        with self._settings_lock:
            if self._settings is None:
                mark = hashlib.sha256(valkey.program().encode()).hexdigest()[:8]
                name = f"valkey-{valkey.version()}-{os.geteuid()}-{mark}.json"
                file = ROOT / ".cache" / name
                if not file.exists():
                    file.parent.mkdir(parents=True, exist_ok=True)
                    making = file.with_suffix(f".{os.getpid()}")
                    making.write_text(json.dumps(valkey.known_settings(), indent=1))
                    making.replace(file)
                self._settings = dict(json.loads(file.read_text()))
            return self._settings

    def arn(self, kind: str, name: str) -> str:
        """ARN of a resource."""
        settings = self.cloud.settings
        return f"arn:aws:elasticache:{settings.region}:{settings.account_id}:{kind}:{name}"

    def group(self, name: str) -> Group:
        """The replication group of that id. Raises ReplicationGroupNotFoundFault."""
        found = self.groups.get(name.lower())
        if found is None:
            raise AwsError(
                "ReplicationGroupNotFoundFault", f"ReplicationGroup {name} not found.", 404
            )
        return found

    def group_of_cluster(self, name: str) -> Group:
        """The group that a cache cluster belongs to. Raises CacheClusterNotFound."""
        for group in self.groups.values():
            if group.cluster["CacheClusterId"] == name.lower():
                return group
        raise AwsError("CacheClusterNotFound", f"CacheCluster not found: {name}", 404)

    def snapshot(self, name: str) -> Snapshot:
        """The snapshot of that name. Raises SnapshotNotFoundFault."""
        found = self.snapshots.get(name.lower())
        if found is None:
            raise AwsError("SnapshotNotFoundFault", f"Snapshot {name} not found.", 404)
        return found

    def parameter_group(self, name: str) -> ParameterGroup:
        """The group of that name. Raises CacheParameterGroupNotFound."""
        found = self.parameter_groups.get(name.lower())
        if found is None:
            raise AwsError(
                "CacheParameterGroupNotFound", f"CacheParameterGroup not found: {name}", 404
            )
        return found

    def subnet_group(self, name: str) -> SubnetGroup:
        """The group of that name. Raises CacheSubnetGroupNotFoundFault."""
        found = self.subnet_groups.get(name.lower())
        if found is None:
            raise AwsError(
                "CacheSubnetGroupNotFoundFault", f"CacheSubnetGroup not found: {name}", 404
            )
        return found

    def address(self, name: str) -> str:
        """Address of the group of that name; the same whenever the name is used again."""
        if name not in self._numbers:
            used = set(self._numbers.values())
            free = [number for number in range(1, 255) if number not in used]
            if not free:
                gone = [other for other in self._numbers if other not in self.groups]
                if not gone:
                    raise AwsError("NodeQuotaForCustomerExceeded", "254 cache nodes exist already.")
                free = [self._numbers.pop(gone[0])]
            self._numbers[name] = free[0]
        return self.cloud.addresses.cache(self._numbers[name])

    def event(self, kind: str, name: str, message: str) -> None:
        """Record an event; kind is `replication-group` or `cache-cluster`."""
        with self.cloud.lock:
            self.events.append(
                {
                    "SourceIdentifier": name,
                    "SourceType": kind,
                    "Message": message,
                    "Date": self.cloud.clock.now(),
                }
            )
            del self.events[:-_EVENTS_KEPT]

    def new_snapshot(
        self, group: Group, name: str, source: str, tags: list[dict[str, str]]
    ) -> Snapshot:
        """The record of a snapshot that is being created."""
        if name in self.snapshots:
            raise AwsError("SnapshotAlreadyExistsFault", f"Snapshot already exists: {name}")
        cluster = group.cluster
        members: dict[str, Any] = {
            "SnapshotName": name,
            "ReplicationGroupId": group.name,
            "ReplicationGroupDescription": group.members["Description"],
            "CacheClusterId": cluster["CacheClusterId"],
            "SnapshotStatus": "creating",
            "SnapshotSource": source,
            "CacheNodeType": cluster["CacheNodeType"],
            "Engine": cluster["Engine"],
            "EngineVersion": cluster["EngineVersion"],
            "NumCacheNodes": 1,
            "PreferredAvailabilityZone": cluster["PreferredAvailabilityZone"],
            "CacheClusterCreateTime": cluster["CacheClusterCreateTime"],
            "PreferredMaintenanceWindow": cluster["PreferredMaintenanceWindow"],
            "Port": group.port,
            "CacheParameterGroupName": group.parameter_group,
            "AutoMinorVersionUpgrade": cluster["AutoMinorVersionUpgrade"],
            "SnapshotRetentionLimit": group.members["SnapshotRetentionLimit"],
            "SnapshotWindow": group.members["SnapshotWindow"],
            "NumNodeGroups": 1,
            "AutomaticFailover": group.members["AutomaticFailover"],
            "NodeSnapshots": [],
            "ARN": self.arn("snapshot", name),
            "DataTiering": "disabled",
        }
        if cluster.get("CacheSubnetGroupName"):
            members["CacheSubnetGroupName"] = cluster["CacheSubnetGroupName"]
        if group.members.get("KmsKeyId"):
            members["KmsKeyId"] = group.members["KmsKeyId"]
        record = Snapshot(members, tags, self.folder / "snapshots" / f"{name}.rdb")
        self.snapshots[name] = record
        return record


def finish_snapshot(record: Snapshot, size: int, moment: datetime) -> None:
    """The file is there."""
    record.members["SnapshotStatus"] = "available"
    record.members["NodeSnapshots"] = [
        {
            "CacheClusterId": record.members["CacheClusterId"],
            "NodeGroupId": "0001",
            "CacheNodeId": "0001",
            "CacheSize": f"{max(1, round(size / 2**20))} MB",
            "CacheNodeCreateTime": record.members["CacheClusterCreateTime"],
            "SnapshotCreateTime": moment,
        }
    ]
