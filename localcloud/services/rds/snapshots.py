"""Snapshots, automated backups, and the instances restored from them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from localcloud.api import AwsError, Call
from localcloud.dataplane.postgres.backups import Archive, Base, base_for
from localcloud.dataplane.postgres.configuration import Recovery
from localcloud.dataplane.postgres.files import clone
from localcloud.services.rds import creation, shapes
from localcloud.services.rds.common import (
    filtered,
    identifier,
    invalid_combination,
    invalid_value,
    page,
    refused,
    tags_of,
)
from localcloud.services.rds.instances import InstanceApi
from localcloud.services.rds.state import Instance, RetainedBackup, Snapshot, State

_FILTERS = {
    "db-instance-id": lambda one: [one.members["DBInstanceIdentifier"]],
    "db-snapshot-id": lambda one: [one.name],
    "dbi-resource-id": lambda one: [one.members["DbiResourceId"]],
    "snapshot-type": lambda one: [one.members["SnapshotType"]],
    "engine": lambda one: [one.members["Engine"]],
}
_BACKUP_FILTERS = {
    "db-instance-id": lambda one: [one["DBInstanceIdentifier"], one["DBInstanceArn"]],
    "dbi-resource-id": lambda one: [one["DbiResourceId"]],
    "status": lambda one: [one["Status"]],
}
# What a restored instance has from its source when the request does not say otherwise. Not its
# groups: those are the defaults.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RestoreFromSnapshot.html
_INHERITED = (
    "AllocatedStorage",
    "StorageType",
    "Iops",
    "StorageThroughput",
    "MasterUsername",
    "LicenseModel",
    "BackupRetentionPeriod",
    "PreferredBackupWindow",
    "KmsKeyId",
)


class SnapshotApi:
    """Operations on snapshots and automated backups, and the restores."""

    def __init__(self, state: State, instances: InstanceApi) -> None:
        self._state = state
        self._instances = instances

    def create_db_snapshot(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSnapshot.html"""
        state, params = self._state, call.params
        source = state.instance(params["DBInstanceIdentifier"])
        name = identifier(params["DBSnapshotIdentifier"], "DBSnapshotIdentifier", 255)
        self._must_be_new(name)
        if source.status not in ("available", "stopped"):
            raise AwsError(
                "InvalidDBInstanceState",
                f"Instance {source.name} is not in available state: it is {source.status}.",
            )
        tags = tags_of(call)
        if not tags and source.members["CopyTagsToSnapshot"]:
            tags = list(source.tags)
        record = shapes.new_snapshot(state, source, name, "manual", tags)
        stopped = source.status
        source.members["DBInstanceStatus"] = "backing-up"
        source.database.ask(lambda: self._take(source, record, stopped))
        return {"DBSnapshot": shapes.snapshot(state, record)}

    def _must_be_new(self, name: str) -> None:
        if name in self._state.snapshots:
            raise AwsError(
                "DBSnapshotAlreadyExists",
                "Cannot create the snapshot because a snapshot with the identifier "
                f"{name} already exists.",
            )

    def _take(self, source: Instance, record: Snapshot, status_after: str) -> None:
        state = self._state
        began = state.cloud.clock.now()
        state.event("db-snapshot", record.name, "Creating manual snapshot", "creation")
        try:
            base = source.database.snapshot(state.folder / "snapshots" / record.name)
        except Exception:
            with state.cloud.lock:
                record.members["Status"] = "failed"
                source.members["DBInstanceStatus"] = status_after
            raise
        with state.cloud.lock:
            shapes.finish_snapshot(record, base, began)
            source.members["DBInstanceStatus"] = status_after
        state.event("db-snapshot", record.name, "Manual snapshot created", "creation")

    def describe_db_snapshots(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSnapshots.html"""
        state, params = self._state, call.params
        records = list(state.snapshots.values())
        if params.get("DBSnapshotIdentifier"):
            records = [state.snapshot(params["DBSnapshotIdentifier"])]
        if params.get("DBInstanceIdentifier"):
            wanted = params["DBInstanceIdentifier"].lower().rsplit(":", 1)[-1]
            records = [one for one in records if one.members["DBInstanceIdentifier"] == wanted]
        if params.get("DbiResourceId"):
            records = [
                one for one in records if one.members["DbiResourceId"] == params["DbiResourceId"]
            ]
        kind = params.get("SnapshotType")
        if kind is not None:
            records = [one for one in records if one.members["SnapshotType"] == kind]
        found = filtered(call, records, _FILTERS)
        return page(call, "DBSnapshots", [shapes.snapshot(state, one) for one in found])

    def delete_db_snapshot(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBSnapshot.html"""
        record = self._state.snapshot(call.params["DBSnapshotIdentifier"])
        if record.members["SnapshotType"] == "automated":
            raise AwsError(
                "InvalidDBSnapshotState",
                "Automated snapshots are deleted by the retention period, not by DeleteDBSnapshot.",
            )
        self._must_be_available(record)
        del self._state.snapshots[record.name]
        if record.base is not None:
            # Out of the way at once, so that the name is free; the bytes go in the background.
            gone = record.base.folder.rename(record.base.folder.with_suffix(".deleted"))
            self._state.cloud.background(
                f"rds-delete-{record.name}", lambda _: shutil.rmtree(gone, ignore_errors=True)
            )
        record.members["Status"] = "deleted"
        self._state.event("db-snapshot", record.name, "Deleted manual snapshot", "deletion")
        return {"DBSnapshot": shapes.snapshot(self._state, record)}

    @staticmethod
    def _must_be_available(record: Snapshot) -> Base:
        if record.members["Status"] != "available" or record.base is None:
            raise AwsError(
                "InvalidDBSnapshotState",
                f"The snapshot {record.name} is not available: it is {record.members['Status']}.",
            )
        return record.base

    def copy_db_snapshot(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CopyDBSnapshot.html

        Within the region only.
        """
        state, params = self._state, call.params
        region = params.get("SourceRegion")
        arn = params["SourceDBSnapshotIdentifier"].split(":")
        if len(arn) > 5 and arn[0] == "arn":
            region = region or arn[3]
        if region not in (None, state.cloud.settings.region) or params.get("PreSignedUrl"):
            raise refused("CopyDBSnapshot between regions")
        source = state.snapshot(params["SourceDBSnapshotIdentifier"])
        base = self._must_be_available(source)
        name = identifier(params["TargetDBSnapshotIdentifier"], "TargetDBSnapshotIdentifier", 255)
        self._must_be_new(name)
        tags = tags_of(call) or (list(source.tags) if params.get("CopyTags") else [])
        members = {
            **source.members,
            "DBSnapshotIdentifier": name,
            "SnapshotType": "manual",
            "Status": "creating",
            "PercentProgress": 0,
            "SourceDBSnapshotIdentifier": state.arn("snapshot", source.name),
        }
        if params.get("KmsKeyId"):
            members |= {"Encrypted": True, "KmsKeyId": state.key_arn(params["KmsKeyId"], "")}
        record = Snapshot(members, tags)
        state.snapshots[name] = record
        folder = state.folder / "snapshots" / name

        def copy(_: object) -> None:
            folder.parent.mkdir(parents=True, exist_ok=True)
            began = state.cloud.clock.now()
            clone(base.folder, folder)
            with state.cloud.lock:
                original = source.members["OriginalSnapshotCreateTime"]
                shapes.finish_snapshot(
                    record, Base(folder, base.finished, base.first_segment), began
                )
                record.members["OriginalSnapshotCreateTime"] = original

        state.cloud.background(f"rds-copy-{name}", copy)
        return {"DBSnapshot": shapes.snapshot(state, record)}

    def describe_db_snapshot_attributes(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSnapshotAttributes.html"""
        record = self._state.snapshot(call.params["DBSnapshotIdentifier"])
        return {
            "DBSnapshotAttributesResult": {
                "DBSnapshotIdentifier": record.name,
                "DBSnapshotAttributes": [
                    {"AttributeName": "restore", "AttributeValues": record.shared_with}
                ],
            }
        }

    def describe_db_instance_automated_backups(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstanceAutomatedBackups.html"""
        state, params = self._state, call.params
        live = [one for one in state.instances.values() if one.members["BackupRetentionPeriod"] > 0]
        backups = [shapes.automated_backup(state, one) for one in live]
        backups += [shapes.automated_backup(state, one) for one in state.retained.values()]
        for member, key in (
            ("DbiResourceId", "DbiResourceId"),
            ("DBInstanceIdentifier", "DBInstanceIdentifier"),
            ("DBInstanceAutomatedBackupsArn", "DBInstanceAutomatedBackupsArn"),
        ):
            if params.get(member):
                backups = [one for one in backups if one[key].lower() == params[member].lower()]
        return page(call, "DBInstanceAutomatedBackups", filtered(call, backups, _BACKUP_FILTERS))

    def delete_db_instance_automated_backup(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstanceAutomatedBackup.html"""
        state, params = self._state, call.params
        for resource_id, record in list(state.retained.items()):
            shape = shapes.automated_backup(state, record)
            if params.get("DbiResourceId") == resource_id or (
                params.get("DBInstanceAutomatedBackupsArn")
                == shape["DBInstanceAutomatedBackupsArn"]
            ):
                del state.retained[resource_id]
                for name, snapshot in list(state.snapshots.items()):
                    if snapshot.base in record.archive.bases:
                        del state.snapshots[name]
                record.archive.delete()
                return {"DBInstanceAutomatedBackup": {**shape, "Status": "deleting"}}
        raise AwsError(
            "DBInstanceAutomatedBackupNotFound", "There is no such retained automated backup.", 404
        )

    # Restores

    def restore_db_instance_from_db_snapshot(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceFromDBSnapshot.html"""
        params = call.params
        if not params.get("DBSnapshotIdentifier"):
            raise invalid_value("The parameter DBSnapshotIdentifier must be provided.")
        source = self._state.snapshot(params["DBSnapshotIdentifier"])
        base = self._must_be_available(source)
        inherited = {**source.members, "StorageEncrypted": source.members["Encrypted"]}
        return self._restore(call, params["DBInstanceIdentifier"], inherited, base, None)

    def restore_db_instance_to_point_in_time(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceToPointInTime.html"""
        params = call.params
        moment, latest = params.get("RestoreTime"), params.get("UseLatestRestorableTime")
        if bool(moment) == bool(latest):
            raise invalid_combination(
                "Specify either RestoreTime or UseLatestRestorableTime, and not both."
            )
        if not params.get("TargetDBInstanceIdentifier"):
            raise invalid_value("The parameter TargetDBInstanceIdentifier must be provided.")
        source = self._source(params)
        archive = source.database.archive if isinstance(source, Instance) else source.archive
        if isinstance(source, Instance) and source.members["BackupRetentionPeriod"] == 0:
            raise AwsError(
                "PointInTimeRestoreNotEnabled",
                f"Point in time restore is not enabled for instance {source.name}: its backup "
                "retention period is 0.",
            )
        until = restore_moment(archive, moment)
        base = base_for(archive.bases, until)
        if base is None:
            raise invalid_value(f"There is no backup from which {until:%FT%TZ} can be reached.")
        inherited = {**source.members, "Port": source.members["DbInstancePort"]}
        recovery = Recovery(archive.wal, until)
        return self._restore(call, params["TargetDBInstanceIdentifier"], inherited, base, recovery)

    def _source(self, params: Mapping[str, Any]) -> Instance | RetainedBackup:
        state = self._state
        if params.get("SourceDBInstanceIdentifier"):
            return state.instance(params["SourceDBInstanceIdentifier"])
        candidates: list[Instance | RetainedBackup] = [
            *state.instances.values(),
            *state.retained.values(),
        ]
        for one in candidates:
            arn = shapes.automated_backup(state, one)["DBInstanceAutomatedBackupsArn"]
            if one.members["DbiResourceId"] == params.get(
                "SourceDbiResourceId"
            ) or arn == params.get("SourceDBInstanceAutomatedBackupsArn"):
                return one
        raise AwsError(
            "DBInstanceAutomatedBackupNotFound",
            "Name the source by SourceDBInstanceIdentifier, SourceDbiResourceId or "
            "SourceDBInstanceAutomatedBackupsArn of something that exists.",
            404,
        )

    def _restore(
        self,
        call: Call,
        name: str,
        source: Mapping[str, Any],
        base: Base,
        recovery: Recovery | None,
    ) -> Mapping[str, Any]:
        state, asked = self._state, {k: v for k, v in call.params.items() if v is not None}
        if asked.get("DBName"):
            raise invalid_combination(
                "DBName does not apply to the PostgreSQL engine in a restore."
            )
        creation.check_new_password(asked, required=False)
        inherited = {key: source[key] for key in _INHERITED if source.get(key) is not None}
        params = {
            "DBInstanceClass": source.get("DBInstanceClass"),
            "Port": source.get("Port"),
            **inherited,
            "StorageEncrypted": source.get("StorageEncrypted", False),
            **asked,
        }
        if params["DBInstanceClass"] is None:
            params["DBInstanceClass"] = "db.t3.micro"
        record = creation.new_instance(state, name, params, tags_of(call))
        password = self._instances.master_password(record, asked)
        record.database.ask(lambda: record.database.restore(base.folder, recovery, password))
        return {"DBInstance": shapes.instance(state, record)}


def restore_moment(archive: Archive, asked: datetime | None) -> datetime:
    """The moment a restore goes to; None asks for the latest. Raises AwsError outside the window."""
    window = archive.window
    if window is None:
        raise AwsError(
            "InvalidDBInstanceState", "The instance has no automated backup yet, try again later."
        )
    if asked is None:
        return window[1]
    moment = asked if asked.tzinfo else asked.replace(tzinfo=UTC)
    if moment > window[1]:
        raise invalid_value(
            "The specified instance cannot be restored to a time later than "
            f"{shapes.seconds(window[1]):%FT%TZ}."
        )
    if moment < shapes.seconds(window[0]):
        raise invalid_value(
            f"The specified instance cannot be restored to a time earlier than {window[0]:%FT%TZ}."
        )
    # Whoever asks for a whole second just after the first backup means its end.
    return max(moment, window[0])
