"""What a restored instance must be given, so that it is like the one it replaces. No I/O.

A restore gives an instance the default groups unless it is told otherwise, so everything is said. It is taken
from Terraform's state: that is there also when the instance is not, and it is what Terraform will ask for.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RestoreFromSnapshot.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from .request import Point, RequestError

TYPE = "aws_db_instance"
RESTORE_TAG, DRILL_TAG, POINT_TAG = "lyo:restore", "lyo:drill", "lyo:point"
# The logical backup that an instance was made for.
BACKUP_TAG = "lyo:from-backup"
VALIDATED_TAG = "lyo:validated"


def of_state(resources: Sequence[Any], identifier: str) -> Mapping[str, Any]:
    """Return the attributes of an instance in Terraform's state.

    :param resources: lyo_cost.resources.Resource, of every kind.
    :raises RequestError: the state has no database.
    """
    found = [one.attributes for one in resources if one.type == TYPE]
    for attributes in found:
        if attributes.get("identifier") == identifier:
            return dict(attributes)
    if found:
        # The serving one was lost and Terraform has seen it; a kept one has the same settings.
        return dict(found[0])
    raise RequestError(
        "Terraform's state has no database, so nobody knows what a restored one must be like: run deploy.yml"
    )


def tags(attributes: Mapping[str, Any], more: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the environment's tags and ``more`` as RDS takes them."""
    known = {**(attributes.get("tags_all") or {}), **more}
    return [{"Key": key, "Value": str(value)} for key, value in sorted(known.items())]


def restore(
    attributes: Mapping[str, Any],
    identifier: str,
    point: Point,
    more_tags: Mapping[str, str],
    *,
    isolated: bool = False,
) -> tuple[str, dict[str, Any]]:
    """Return the operation that restores, and its parameters.

    :param isolated: for a drill: one zone, nothing that would keep it from being deleted.
    """
    params: dict[str, Any] = {
        "DBInstanceClass": attributes["instance_class"],
        "MultiAZ": bool(attributes.get("multi_az")) and not isolated,
        "DBSubnetGroupName": attributes["db_subnet_group_name"],
        "VpcSecurityGroupIds": sorted(attributes["vpc_security_group_ids"]),
        "DBParameterGroupName": attributes["parameter_group_name"],
        "Port": int(attributes["port"]),
        "StorageType": attributes["storage_type"],
        "PubliclyAccessible": False,
        "AutoMinorVersionUpgrade": bool(attributes.get("auto_minor_version_upgrade", True)),
        "CopyTagsToSnapshot": True,
        "DeletionProtection": bool(attributes.get("deletion_protection")) and not isolated,
        "EnableIAMDatabaseAuthentication": bool(
            attributes.get("iam_database_authentication_enabled")
        ),
        "CACertificateIdentifier": attributes.get("ca_cert_identifier"),
        # A password of its own: the former instance's secret belongs to that instance.
        "ManageMasterUserPassword": True,
        "MasterUserSecretKmsKeyId": _key(attributes),
        "Tags": tags(attributes, more_tags),
    }
    params = {key: value for key, value in params.items() if value not in (None, "")}
    if point.snapshot:
        return "restore_db_instance_from_db_snapshot", {
            "DBInstanceIdentifier": identifier,
            "DBSnapshotIdentifier": point.snapshot,
            **params,
        }
    when = {"UseLatestRestorableTime": True} if point.latest else {"RestoreTime": point.time}
    return "restore_db_instance_to_point_in_time", {
        "TargetDBInstanceIdentifier": identifier,
        "SourceDbiResourceId": point.resource_id,
        **when,
        **params,
    }


def create(
    attributes: Mapping[str, Any],
    identifier: str,
    database: str,
    more_tags: Mapping[str, str],
) -> tuple[str, dict[str, Any]]:
    """Return the operation that makes an empty instance for a logical backup, and its parameters.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
    """
    _, like = restore(attributes, identifier, _NOWHERE, more_tags)
    del like["DBSnapshotIdentifier"]
    params = {
        **like,
        "Engine": "postgres",
        "EngineVersion": attributes.get("engine_version_actual") or attributes["engine_version"],
        "DBName": database,
        "MasterUsername": attributes["username"],
        "AllocatedStorage": int(attributes["allocated_storage"]),
        "StorageEncrypted": bool(attributes.get("storage_encrypted")),
        "KmsKeyId": attributes.get("kms_key_id"),
        "BackupRetentionPeriod": int(attributes["backup_retention_period"]),
    }
    return "create_db_instance", {k: v for k, v in params.items() if v not in (None, "")}


_NOWHERE = Point("none", datetime.min.replace(tzinfo=UTC))


def _key(attributes: Mapping[str, Any]) -> str | None:
    """The key of the secret, where it is not the account's own."""
    value = attributes.get("master_user_secret_kms_key_id")
    return str(value) if value else None


def settings(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a restore cannot be told and ModifyDBInstance is, as Terraform will want it.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
    """
    params: dict[str, Any] = {
        "BackupRetentionPeriod": int(attributes["backup_retention_period"]),
        "PreferredBackupWindow": attributes.get("backup_window"),
        "PreferredMaintenanceWindow": attributes.get("maintenance_window"),
        "MonitoringInterval": int(attributes.get("monitoring_interval") or 0),
    }
    if params["MonitoringInterval"]:
        params["MonitoringRoleArn"] = attributes.get("monitoring_role_arn")
    if int(attributes.get("max_allocated_storage") or 0) > 0:
        params["MaxAllocatedStorage"] = int(attributes["max_allocated_storage"])
    if attributes.get("performance_insights_enabled"):
        params["EnablePerformanceInsights"] = True
        params["PerformanceInsightsRetentionPeriod"] = int(
            attributes["performance_insights_retention_period"]
        )
        if attributes.get("performance_insights_kms_key_id"):
            params["PerformanceInsightsKMSKeyId"] = attributes["performance_insights_kms_key_id"]
    return {key: value for key, value in params.items() if value not in (None, "")}


def differs(instance: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of ``wanted`` (:func:`settings`) an instance has not.

    What RDS names otherwise in its answers is compared by that name.
    """
    names = {
        "EnablePerformanceInsights": "PerformanceInsightsEnabled",
    }
    pending = instance.get("PendingModifiedValues") or {}
    found = {
        key: value
        for key, value in wanted.items()
        if pending.get(key, instance.get(names.get(key, key))) != value
    }
    # RDS takes these only together with what switches them on.
    if {"PerformanceInsightsRetentionPeriod", "PerformanceInsightsKMSKeyId"} & set(found):
        found["EnablePerformanceInsights"] = True
    if "MonitoringInterval" in found and "MonitoringRoleArn" in wanted:
        found["MonitoringRoleArn"] = wanted["MonitoringRoleArn"]
    return found


def where(instance: Mapping[str, Any], former: Mapping[str, Any]) -> dict[str, Any]:
    """Return an instance as Terraform's output ``database``.

    :param former: that output, for the database's name, which comes with the data.
    """
    return {
        "identifier": str(instance["DBInstanceIdentifier"]),
        "host": str(instance["Endpoint"]["Address"]),
        "port": int(instance["Endpoint"]["Port"]),
        "name": str(former["name"]),
        "username": str(instance["MasterUsername"]),
        "secret_arn": str(instance["MasterUserSecret"]["SecretArn"]),
    }
