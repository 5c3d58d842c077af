"""Operations on DB instances."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from localcloud.api import AwsError, Call
from localcloud.services.rds import creation, engine, shapes
from localcloud.services.rds.common import (
    filtered,
    identifier,
    invalid_combination,
    invalid_value,
    new_password,
    page,
    refused,
    tags_of,
)
from localcloud.services.rds.state import Instance, RetainedBackup, State

_FILTERS = {
    "db-instance-id": lambda one: [one.name, one.database.state.arn("db", one.name)],
    "dbi-resource-id": lambda one: [one.members["DbiResourceId"]],
    "engine": lambda one: [one.members["Engine"]],
    "db-cluster-id": lambda _: [],
    "domain": lambda _: [],
}
# Changed at once, without a wait and without effect on the server.
_AT_ONCE = (
    "AutoMinorVersionUpgrade",
    "CopyTagsToSnapshot",
    "DeletionProtection",
    "PubliclyAccessible",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "MonitoringInterval",
    "MonitoringRoleArn",
    "MaxAllocatedStorage",
    "NetworkType",
    "DatabaseInsightsMode",
    "PromotionTier",
)
# Wait for the maintenance window (here: the next reboot) unless ApplyImmediately.
_DEFERRED = (
    "AllocatedStorage",
    "DBInstanceClass",
    "MultiAZ",
    "StorageType",
    "Iops",
    "StorageThroughput",
    "BackupRetentionPeriod",
    "CACertificateIdentifier",
    "LicenseModel",
)


class InstanceApi:
    """Create, describe, modify, reboot, stop, start and delete DB instances."""

    def __init__(self, state: State) -> None:
        self._state = state

    def create_db_instance(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html"""
        params = call.params
        creation.check_master(params)
        record = creation.new_instance(
            self._state, params["DBInstanceIdentifier"], params, tags_of(call)
        )
        password = self.master_password(record, params) or ""
        record.database.ask(lambda: record.database.create(password))
        return {"DBInstance": shapes.instance(self._state, record)}

    def master_password(self, record: Instance, params: Mapping[str, Any]) -> str | None:
        """The password a request gives the master user; a managed one goes into its secret."""
        if not params.get("ManageMasterUserPassword"):
            return params.get("MasterUserPassword")
        password = new_password()
        record.secret_key = params.get("MasterUserSecretKmsKeyId") or record.secret_key
        self._state.secret_of(record, password)
        return password

    def describe_db_instances(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstances.html"""
        name = call.params.get("DBInstanceIdentifier")
        records = [self._state.instance(name)] if name else list(self._state.instances.values())
        found = filtered(call, records, _FILTERS)
        return page(call, "DBInstances", [shapes.instance(self._state, one) for one in found])

    def modify_db_instance(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html

        What the maintenance window would apply is applied by the next reboot.
        """
        params, state = call.params, self._state
        record = state.instance(params["DBInstanceIdentifier"])
        self._check_modification(record, params)
        members = record.members
        for member in _AT_ONCE:
            if params.get(member) is not None:
                members[member] = params[member]
        self._change_settings(record, params)
        deferred = {
            member: params[member]
            for member in _DEFERRED
            if params.get(member) is not None and params[member] != members.get(member)
        }
        if params.get("DBPortNumber") not in (None, members["DbInstancePort"]):
            deferred["Port"] = params["DBPortNumber"]
        name = params.get("NewDBInstanceIdentifier")
        if name is not None and name.lower() != record.name:
            deferred["DBInstanceIdentifier"] = identifier(name, "NewDBInstanceIdentifier")
        # Backups are switched at once, unless that means an outage (from or to 0).
        days = deferred.get("BackupRetentionPeriod")
        if days and members["BackupRetentionPeriod"]:
            members["BackupRetentionPeriod"] = deferred.pop("BackupRetentionPeriod")
            record.database.ask(record.database.prune)
        record.pending.update(deferred)
        password = self._changed_password(record, params)
        answer_pending = {**record.pending}
        if password is not None:
            answer_pending["MasterUserPassword"] = password
        answer = shapes.instance(state, record)
        answer["PendingModifiedValues"] = shapes.pending(answer_pending)
        if password is not None and record.status != "stopped":
            members["DBInstanceStatus"] = "resetting-master-credentials"
            record.database.ask(lambda: self._reset_password(record, password))
        if params.get("ApplyImmediately") and record.pending:
            members["DBInstanceStatus"] = "modifying"
            record.database.ask(lambda: self._apply(record))
        return {"DBInstance": answer}

    def _check_modification(self, record: Instance, params: Mapping[str, Any]) -> None:
        if record.status not in ("available", "stopped", "incompatible-parameters"):
            raise AwsError(
                "InvalidDBInstanceState",
                f"Database instance is not in available state: it is {record.status}.",
            )
        creation.refuse_unknown(params)
        creation.check_numbers({**record.members, **params, "Port": None})
        creation.check_new_password(params, required=False)
        if params.get("EngineVersion"):
            engine.resolve_version("postgres", params["EngineVersion"])
        if params.get("DBInstanceClass"):
            engine.memory_of(params["DBInstanceClass"])
        size = params.get("AllocatedStorage")
        if size is not None and size < record.members["AllocatedStorage"]:
            raise invalid_combination(
                "Requested storage size cannot be less than the current size."
            )
        if params.get("DBSubnetGroupName") not in (None, record.subnet_group):
            raise refused("another DBSubnetGroupName for an instance that exists")
        if params.get("Domain") or params.get("ReplicaMode") or params.get("AutomationMode"):
            raise refused("Domain, ReplicaMode and AutomationMode")
        name = params.get("NewDBInstanceIdentifier")
        if (
            name is not None
            and name.lower() != record.name
            and name.lower() in self._state.instances
        ):
            raise AwsError("DBInstanceAlreadyExists", "DB instance already exists")
        password = params.get("MasterUserPassword")
        if (
            password is not None
            and record.secret_arn
            and params.get("ManageMasterUserPassword") is None
        ):
            raise invalid_combination(
                "You can't specify MasterUserPassword for an instance with a managed master user "
                "password. Set ManageMasterUserPassword to false."
            )
        if params.get("RotateMasterUserPassword") and not record.secret_arn:
            raise invalid_combination(
                "You can't specify RotateMasterUserPassword for an instance whose master user "
                "password isn't managed in Secrets Manager."
            )

    def _change_settings(self, record: Instance, params: Mapping[str, Any]) -> None:
        members, state = record.members, self._state
        if params.get("VpcSecurityGroupIds"):
            members["VpcSecurityGroups"] = creation.security_groups(state, params, None)
        if params.get("OptionGroupName"):
            members["OptionGroupMemberships"] = [
                {"OptionGroupName": params["OptionGroupName"], "Status": "in-sync"}
            ]
        if params.get("EnablePerformanceInsights"):
            members.update(creation.performance_insights(state, params))
        elif params.get("EnablePerformanceInsights") is False:
            members["PerformanceInsightsEnabled"] = False
            members.pop("PerformanceInsightsKMSKeyId", None)
            members.pop("PerformanceInsightsRetentionPeriod", None)
        logs = params.get("CloudwatchLogsExportConfiguration") or {}
        exports = set(members["EnabledCloudwatchLogsExports"])
        exports = exports - set(logs.get("DisableLogTypes") or []) | set(
            logs.get("EnableLogTypes") or []
        )
        members["EnabledCloudwatchLogsExports"] = sorted(exports)
        group = params.get("DBParameterGroupName")
        if group and group.lower() != record.group:
            found = state.parameter_group(group)
            if found.family != engine.family():
                raise invalid_combination(
                    f"The parameter group {group} has the family {found.family}; this instance "
                    f"needs {engine.family()}."
                )
            # Even dynamic parameters of another group wait for a reboot.
            record.group = found.name
            record.pending_parameters = True

    def _changed_password(self, record: Instance, params: Mapping[str, Any]) -> str | None:
        if params.get("ManageMasterUserPassword") is False and record.secret_arn:
            if params.get("MasterUserPassword") is None:
                raise invalid_combination(
                    "Specify MasterUserPassword when ManageMasterUserPassword becomes false."
                )
            self._state.forget_secret(record)
        if params.get("RotateMasterUserPassword"):
            # The secret follows once the database knows the password.
            return new_password()
        if params.get("ManageMasterUserPassword") and record.secret_arn:
            return None
        return self.master_password(record, params)

    def _reset_password(self, record: Instance, password: str) -> None:
        record.database.set_password(password)
        with self._state.cloud.lock:
            if record.secret_arn is not None:
                self._state.secret_of(record, password)
            if record.status == "resetting-master-credentials":
                record.members["DBInstanceStatus"] = "available"

    def _apply(self, record: Instance, *, then_reboot: bool = False) -> None:
        """Apply what is pending (in the instance's thread)."""
        state, database = self._state, record.database
        with state.cloud.lock:
            changes, record.pending = record.pending, {}
            before = record.members["BackupRetentionPeriod"]
            new_name = changes.pop("DBInstanceIdentifier", None)
            if "Port" in changes:
                record.members["DbInstancePort"] = changes.pop("Port")
                then_reboot = True
            then_reboot = then_reboot or new_name is not None or "DBInstanceClass" in changes
            record.members.update(changes)
            self._settle_zones(record)
            if new_name is not None:
                del state.instances[record.name]
                record.members["DBInstanceIdentifier"] = new_name
                state.instances[new_name] = record
            running = database.server is not None and database.server.pid is not None
            after = record.members["BackupRetentionPeriod"]
        if after == 0 and before:
            database.stop_backups()
        if then_reboot and running:
            database.reboot()
        if after and not before and database.server is not None and database.server.pid is not None:
            database.first_backup()
        with state.cloud.lock:
            if record.status in ("modifying", "rebooting"):
                record.members["DBInstanceStatus"] = "available" if running else "stopped"
        state.event(
            "db-instance", record.name, "Finished applying modification", "configuration change"
        )

    def _settle_zones(self, record: Instance) -> None:
        members = record.members
        if not members["MultiAZ"]:
            members.pop("SecondaryAvailabilityZone", None)
        elif "SecondaryAvailabilityZone" not in members:
            region = self._state.cloud.settings.region
            zone = members["AvailabilityZone"]
            other = f"{region}b" if zone == f"{region}a" else f"{region}a"
            members["SecondaryAvailabilityZone"] = other

    def reboot_db_instance(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RebootDBInstance.html"""
        record = self._state.instance(call.params["DBInstanceIdentifier"])
        self._require(record, "available", "incompatible-parameters")
        members = record.members
        if call.params.get("ForceFailover"):
            if not members["MultiAZ"]:
                raise invalid_combination("Reboot with failover is for Multi-AZ instances only.")
            members["AvailabilityZone"], members["SecondaryAvailabilityZone"] = (
                members["SecondaryAvailabilityZone"],
                members["AvailabilityZone"],
            )
        members["DBInstanceStatus"] = "rebooting"
        if record.pending:
            record.database.ask(lambda: self._apply(record, then_reboot=True))
        else:
            record.database.ask(record.database.reboot)
        return {"DBInstance": shapes.instance(self._state, record)}

    def stop_db_instance(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_StopDBInstance.html"""
        record = self._state.instance(call.params["DBInstanceIdentifier"])
        self._require(record, "available")
        if call.params.get("DBSnapshotIdentifier"):
            raise refused("StopDBInstance with DBSnapshotIdentifier: create the snapshot first")
        record.members["DBInstanceStatus"] = "stopping"
        record.database.ask(record.database.stop)
        return {"DBInstance": shapes.instance(self._state, record)}

    def start_db_instance(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_StartDBInstance.html"""
        record = self._state.instance(call.params["DBInstanceIdentifier"])
        self._require(record, "stopped")
        record.members["DBInstanceStatus"] = "starting"
        record.database.ask(record.database.start)
        return {"DBInstance": shapes.instance(self._state, record)}

    @staticmethod
    def _require(record: Instance, *statuses: str) -> None:
        if record.status not in statuses:
            raise AwsError(
                "InvalidDBInstanceState",
                f"Instance {record.name} is not in {' or '.join(statuses)} state: it is "
                f"{record.status}.",
            )

    def delete_db_instance(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html"""
        params, state = call.params, self._state
        record = state.instance(params["DBInstanceIdentifier"])
        final, skip = params.get("FinalDBSnapshotIdentifier"), params.get("SkipFinalSnapshot")
        if record.status == "deleting":
            raise AwsError(
                "InvalidDBInstanceState", f"Instance {record.name} is already being deleted."
            )
        if record.members["DeletionProtection"]:
            raise invalid_combination(
                "Cannot delete protected DB Instance, please disable deletion protection and try "
                "again."
            )
        if bool(final) == bool(skip):
            raise invalid_combination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
                if not final
                else "FinalDBSnapshotIdentifier can't be specified when SkipFinalSnapshot is true."
            )
        snapshot = None
        if final:
            self._require(record, "available", "stopped", "incompatible-parameters")
            name = identifier(final, "FinalDBSnapshotIdentifier", 255)
            if name in state.snapshots:
                raise AwsError("DBSnapshotAlreadyExists", f"Snapshot {final} already exists.")
            tags = list(record.tags) if record.members["CopyTagsToSnapshot"] else []
            snapshot = shapes.new_snapshot(state, record, name, "manual", tags)
        record.members["DBInstanceStatus"] = "deleting"
        keep = params.get("DeleteAutomatedBackups") is False
        record.database.ask(lambda: self._delete(record, snapshot, keep))
        return {"DBInstance": shapes.instance(state, record)}

    def _delete(self, record: Instance, snapshot: Any, keep: bool) -> None:
        state, database = self._state, record.database
        if snapshot is not None:
            began = state.cloud.clock.now()
            base = database.snapshot(state.folder / "snapshots" / snapshot.name)
            with state.cloud.lock:
                shapes.finish_snapshot(snapshot, base, began)
            state.event("db-snapshot", snapshot.name, "Manual snapshot created", "creation")
        if keep and database.window is not None and database.server is not None:
            database.last_upload()
        database.end()
        with state.cloud.lock:
            if keep and database.window is not None:
                state.retained[record.members["DbiResourceId"]] = RetainedBackup(
                    record.members, database.archive, record.tags
                )
            else:
                shapes.forget_automated_snapshots(state, record)
                database.archive.delete()
            state.forget_secret(record)
            del state.instances[record.name]
        state.event("db-instance", record.name, "DB instance deleted", "deletion")

    def rotate_managed_password(self, secret_arn: str) -> None:
        """Rotate a master user's password because its secret was asked to be rotated.

        Raises InvalidRequestException, an error of Secrets Manager, when no available instance
        has the secret.
        """
        for record in self._state.instances.values():
            if record.secret_arn == secret_arn and record.status == "available":
                record.members["DBInstanceStatus"] = "resetting-master-credentials"
                record.database.ask(partial(self._reset_password, record, new_password()))
                return
        raise AwsError(
            "InvalidRequestException", "No available DB instance has this secret: nothing rotated."
        )

    def describe_db_log_files(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBLogFiles.html"""
        record = self._state.instance(call.params["DBInstanceIdentifier"])
        path, wanted = record.database.log_file, call.params.get("FilenameContains") or ""
        files = []
        if path.exists() and wanted in _LOG_NAME:
            status = path.stat()
            files = [
                {
                    "LogFileName": _LOG_NAME,
                    "LastWritten": int(status.st_mtime * 1000),
                    "Size": status.st_size,
                }
            ]
        return {"DescribeDBLogFiles": files}

    def download_db_log_file_portion(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DownloadDBLogFilePortion.html

        The Marker is a line number; without one the end of the log comes.
        """
        record = self._state.instance(call.params["DBInstanceIdentifier"])
        if call.params["LogFileName"] != _LOG_NAME:
            raise AwsError("DBLogFileNotFoundFault", "The log file does not exist.", 404)
        lines = record.database.log_file.read_text(errors="replace").splitlines(keepends=True)
        count = call.params.get("NumberOfLines") or 1000
        marker = call.params.get("Marker")
        if marker not in (None, "") and not marker.isdigit():
            raise invalid_value(f"Invalid marker: {marker}")
        start = int(marker) if marker else max(0, len(lines) - count)
        end = min(len(lines), start + count)
        return {
            "LogFileData": "".join(lines[start:end]),
            "Marker": str(end),
            "AdditionalDataPending": end < len(lines),
        }


_LOG_NAME = "error/postgresql.log"
