"""AWS's structures, made from what the local RDS knows."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from localcloud.api import AwsError
from localcloud.dataplane.postgres.backups import Base

if TYPE_CHECKING:
    from localcloud.services.rds.state import Instance, RetainedBackup, Snapshot, State

_HOSTED_ZONE = "Z1LOCALCLOUDRDS"
# Statuses in which no endpoint is known yet.
_WITHOUT_ENDPOINT = frozenset({"creating"})
_COPIED_TO_SNAPSHOT = (
    "DBInstanceIdentifier",
    "Engine",
    "AllocatedStorage",
    "AvailabilityZone",
    "InstanceCreateTime",
    "MasterUsername",
    "EngineVersion",
    "LicenseModel",
    "Iops",
    "StorageThroughput",
    "StorageType",
    "KmsKeyId",
    "IAMDatabaseAuthenticationEnabled",
    "DbiResourceId",
    "DedicatedLogVolume",
    "BackupRetentionPeriod",
    "PreferredBackupWindow",
)


def seconds(moment: datetime) -> datetime:
    """A moment in whole seconds, rounded down, as RDS reports restorable times."""
    return moment.replace(microsecond=0)


def subnet_group(state: State, name: str) -> dict[str, Any]:
    """A DBSubnetGroup. Raises DBSubnetGroupNotFoundFault."""
    group = state.subnet_groups.get(name.lower())
    if group is None:
        raise AwsError(
            "DBSubnetGroupNotFoundFault", f"DB subnet group '{name}' does not exist.", 404
        )
    subnets = state.cloud.backend("ec2").describe_subnets(subnet_ids=group.subnet_ids)
    return {
        "DBSubnetGroupName": group.name,
        "DBSubnetGroupDescription": group.description,
        "VpcId": subnets[0].vpc_id,
        "SubnetGroupStatus": "Complete",
        "Subnets": [
            {
                "SubnetIdentifier": subnet.id,
                "SubnetAvailabilityZone": {"Name": subnet.availability_zone},
                "SubnetOutpost": {},
                "SubnetStatus": "Active",
            }
            for subnet in subnets
        ],
        "DBSubnetGroupArn": state.arn("subgrp", group.name),
        "SupportedNetworkTypes": ["IPV4"],
    }


def instance(state: State, record: Instance) -> dict[str, Any]:
    """A DBInstance."""
    shape = dict(record.members)
    if record.status not in _WITHOUT_ENDPOINT:
        shape["Endpoint"] = {
            "Address": state.address(record.name),
            "Port": shape["DbInstancePort"],
            "HostedZoneId": _HOSTED_ZONE,
        }
    # DbInstancePort is 0 for an instance that is in no cluster.
    shape["DbInstancePort"] = 0
    shape["DBInstanceArn"] = state.arn("db", record.name)
    shape["DBParameterGroups"] = [
        {
            "DBParameterGroupName": record.group,
            "ParameterApplyStatus": "pending-reboot" if record.pending_parameters else "in-sync",
        }
    ]
    if record.subnet_group is not None:
        shape["DBSubnetGroup"] = subnet_group(state, record.subnet_group)
    if record.database.window is not None:
        shape["LatestRestorableTime"] = seconds(record.database.window[1])
    shape["PendingModifiedValues"] = pending(record.pending)
    shape["TagList"] = record.tags
    if record.secret_arn is not None:
        shape["MasterUserSecret"] = {
            "SecretArn": record.secret_arn,
            "SecretStatus": "active",
            "KmsKeyId": state.key_arn(record.secret_key, "alias/aws/secretsmanager"),
        }
    return shape


def pending(changes: Mapping[str, Any]) -> dict[str, Any]:
    """PendingModifiedValues; a password is never shown."""
    shown = {name: value for name, value in changes.items() if name != "MasterUserPassword"}
    if "MasterUserPassword" in changes:
        shown["MasterUserPassword"] = "****"
    return shown


def snapshot(state: State, record: Snapshot) -> dict[str, Any]:
    """A DBSnapshot."""
    return {
        **record.members,
        "DBSnapshotArn": state.arn("snapshot", record.name),
        "TagList": record.tags,
    }


def new_snapshot(
    state: State, source: Instance, name: str, kind: str, tags: list[dict[str, str]]
) -> Snapshot:
    """The record of a snapshot that is being created."""
    from localcloud.services.rds.state import Snapshot

    members = {
        key: source.members[key]
        for key in _COPIED_TO_SNAPSHOT
        if source.members.get(key) is not None
    }
    members |= {
        "DBSnapshotIdentifier": name,
        "Status": "creating",
        "PercentProgress": 0,
        "Port": source.members["DbInstancePort"],
        "SnapshotType": kind,
        "OptionGroupName": source.members["OptionGroupMemberships"][0]["OptionGroupName"],
        "Encrypted": source.members["StorageEncrypted"],
        "SnapshotTarget": "region",
        "ProcessorFeatures": [],
    }
    if source.subnet_group is not None:
        members["VpcId"] = subnet_group(state, source.subnet_group)["VpcId"]
    record = Snapshot(members, tags)
    state.snapshots[name] = record
    return record


def finish_snapshot(record: Snapshot, base: Base, began: datetime) -> None:
    """The data are there."""
    record.base = base
    record.members |= {
        "Status": "available",
        "PercentProgress": 100,
        "SnapshotCreateTime": began,
        "OriginalSnapshotCreateTime": began,
        "SnapshotDatabaseTime": base.finished,
    }


def add_automated_snapshot(state: State, source: Instance, base: Base) -> None:
    """Show an automated backup as the snapshot `rds:<instance>-<time>`."""
    name = f"rds:{source.name}-{base.finished:%Y-%m-%d-%H-%M}"
    while name in state.snapshots:
        # A cloud day may be shorter than a minute here, RDS's names are not made for that.
        name = f"rds:{source.name}-{base.finished:%Y-%m-%d-%H-%M}-{secrets.token_hex(2)}"
    tags = list(source.tags) if source.members["CopyTagsToSnapshot"] else []
    record = new_snapshot(state, source, name, "automated", tags)
    finish_snapshot(record, base, base.finished)


def forget_automated_snapshots(state: State, source: Instance) -> None:
    """Automated snapshots go with the automated backups."""
    for name, record in list(state.snapshots.items()):
        if (
            record.members["SnapshotType"] == "automated"
            and record.members["DbiResourceId"] == source.members["DbiResourceId"]
        ):
            del state.snapshots[name]


def automated_backup(state: State, record: Instance | RetainedBackup) -> dict[str, Any]:
    """A DBInstanceAutomatedBackup: of a live instance `active`, else `retained`."""
    from localcloud.services.rds.state import Instance

    members = record.members
    live = isinstance(record, Instance)
    window = (record.database.archive if isinstance(record, Instance) else record.archive).window
    shape = {
        name: members[name]
        for name in _COPIED_TO_SNAPSHOT
        if members.get(name) is not None and name != "DBSnapshotIdentifier"
    }
    shape |= {
        "DBInstanceArn": state.arn("db", members["DBInstanceIdentifier"]),
        "Region": state.cloud.settings.region,
        "Status": "active" if live and window else "creating" if live else "retained",
        "Port": members["DbInstancePort"],
        "Encrypted": members["StorageEncrypted"],
        "BackupTarget": "region",
        "DBInstanceAutomatedBackupsArn": state.arn(
            "auto-backup", "ab-" + members["DbiResourceId"].removeprefix("db-").lower()
        ),
        "TagList": record.tags,
    }
    if window is not None:
        # Whole seconds that can both be restored: the first is rounded up, the last down.
        first, last = seconds(window[0] + timedelta(microseconds=999_999)), seconds(window[1])
        if first <= last:
            shape["RestoreWindow"] = {"EarliestTime": first, "LatestTime": last}
    return shape
