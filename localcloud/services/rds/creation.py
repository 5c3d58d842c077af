"""Members of a new DB instance: validation and defaults, for creation and for restores."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Mapping
from typing import Any

from localcloud.api import AwsError
from localcloud.services.rds import engine
from localcloud.services.rds.common import (
    check_password,
    identifier,
    invalid_combination,
    invalid_value,
    refused,
)
from localcloud.services.rds.database import Database
from localcloud.services.rds.state import Instance, State

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_RESERVED_USERS = frozenset({"admin", "rdsadmin", "public", "user"})
# What would be a pretence: nothing here does what these ask for.
_REFUSED = (
    "DBClusterIdentifier",
    "Domain",
    "DomainFqdn",
    "MultiTenant",
    "CustomIamInstanceProfile",
    "TdeCredentialArn",
    "DBSecurityGroups",
    "EnableIAMDatabaseAuthentication",
    "EnableCustomerOwnedIp",
    "AdditionalStorageVolumes",
    "DBClusterSnapshotIdentifier",
    "DBCapacityReservationIdentifier",
    "DBSystemId",
    "NcharCharacterSetName",
    "CharacterSetName",
    "Timezone",
)
# Kept and described, without effect on the data plane.
_KEPT = {
    "MultiAZ": False,
    "AutoMinorVersionUpgrade": True,
    "PubliclyAccessible": False,
    "StorageEncrypted": False,
    "CopyTagsToSnapshot": False,
    "DeletionProtection": False,
    "MonitoringInterval": 0,
    "LicenseModel": "postgresql-license",
    "BackupTarget": "region",
    "NetworkType": "IPV4",
    "DedicatedLogVolume": False,
    "EngineLifecycleSupport": "open-source-rds-extended-support",
    "CACertificateIdentifier": "rds-ca-rsa2048-g1",
    "PreferredBackupWindow": "03:00-03:30",
    "PreferredMaintenanceWindow": "sun:04:00-sun:04:30",
    "BackupRetentionPeriod": 1,
    "DatabaseInsightsMode": "standard",
}
_PASSED_ON = (
    "Iops",
    "StorageThroughput",
    "MonitoringRoleArn",
    "MaxAllocatedStorage",
    "ProcessorFeatures",
    "PromotionTier",
)


def refuse_unknown(params: Mapping[str, Any]) -> None:
    """Refuse what the local cloud could only pretend to do."""
    for member in _REFUSED:
        if params.get(member):
            raise refused(member)


def check_numbers(params: Mapping[str, Any]) -> None:
    """Ranges of the numbers in a create, restore or modify request."""
    days = params.get("BackupRetentionPeriod")
    if days is not None and not 0 <= days <= 35:
        raise invalid_value(
            f"Invalid backup retention period: {days}. Retention period must be between 0 and 35."
        )
    port = params.get("Port", params.get("DBPortNumber"))
    if port is not None and not 1150 <= port <= 65535:
        raise invalid_value(f"Invalid port {port}: valid values are 1150-65535.")
    size = params.get("AllocatedStorage")
    if size is not None and not 20 <= size <= 65536:
        raise invalid_value(
            f"Invalid storage size for engine name postgres and storage type gp3: {size}"
        )
    kind = params.get("StorageType")
    if kind is not None and kind not in engine.STORAGE_TYPES:
        raise invalid_value(f"Invalid storage type: {kind}")
    interval = params.get("MonitoringInterval")
    if interval and not params.get("MonitoringRoleArn"):
        raise invalid_combination(
            "A MonitoringRoleARN value is required if you specify a MonitoringInterval value other "
            "than 0."
        )


def check_master(params: Mapping[str, Any]) -> None:
    """Name and password of the master user of a new instance."""
    user = params.get("MasterUsername")
    if not user:
        raise invalid_value("The parameter MasterUsername must be provided and must not be blank.")
    if not _NAME.fullmatch(user) or len(user) > 63:
        raise invalid_value(f"MasterUsername {user} is not valid.")
    if user.lower() in _RESERVED_USERS or user.lower().startswith(("pg_", "rds_")):
        raise invalid_value(
            f"MasterUsername {user} cannot be used as it is a reserved word used by the engine"
        )
    check_new_password(params, required=True)
    name = params.get("DBName")
    if name is not None and (not _NAME.fullmatch(name) or name in ("rdsadmin", "template0")):
        raise invalid_value(f"DBName {name} is not valid: letters, digits and underscores.")


def check_new_password(params: Mapping[str, Any], *, required: bool) -> None:
    """MasterUserPassword and ManageMasterUserPassword exclude each other."""
    managed, password = params.get("ManageMasterUserPassword"), params.get("MasterUserPassword")
    if managed and password is not None:
        raise invalid_combination(
            "You can't specify MasterUserPassword when ManageMasterUserPassword is true."
        )
    if password is not None:
        check_password(password)
    elif required and not managed:
        raise invalid_value(
            "The parameter MasterUserPassword must be provided and must not be blank."
        )
    if params.get("MasterUserSecretKmsKeyId") and not managed:
        raise invalid_combination(
            "You can specify MasterUserSecretKmsKeyId only when ManageMasterUserPassword is true."
        )


def new_resource_id() -> str:
    """A DbiResourceId."""
    alphabet = string.ascii_uppercase + string.digits
    return "db-" + "".join(secrets.choice(alphabet) for _ in range(26))


def new_instance(
    state: State, name: str, params: Mapping[str, Any], tags: list[dict[str, str]]
) -> Instance:
    """Validate a request and record the instance, in status `creating`.

    params: of CreateDBInstance, or of a restore completed by what comes from its source.
    """
    name = identifier(name, "DBInstanceIdentifier")
    refuse_unknown(params)
    check_numbers(params)
    if name in state.instances:
        raise AwsError("DBInstanceAlreadyExists", "DB instance already exists")
    version = engine.resolve_version(params.get("Engine", "postgres"), params.get("EngineVersion"))
    engine.memory_of(params["DBInstanceClass"])
    if params.get("AllocatedStorage") is None:
        raise invalid_combination(
            "Invalid storage size for engine name postgres and storage type gp3: 0"
        )
    group = state.parameter_group(params.get("DBParameterGroupName") or engine.default_group())
    if group.family != engine.family():
        raise invalid_combination(
            f"The parameter group {group.name} with family {group.family} can't be used for this "
            f"instance. Use a parameter group with family {engine.family()}."
        )
    subnet_group = params.get("DBSubnetGroupName")
    if subnet_group is not None and subnet_group.lower() not in state.subnet_groups:
        raise AwsError(
            "DBSubnetGroupNotFoundFault", f"DB subnet group '{subnet_group}' does not exist.", 404
        )
    resource_id = new_resource_id()
    members = {**_KEPT, **{key: params[key] for key in _KEPT if params.get(key) is not None}}
    members |= {key: params[key] for key in _PASSED_ON if params.get(key) is not None}
    zone = params.get("AvailabilityZone") or f"{state.cloud.settings.region}a"
    members |= {
        "DBInstanceIdentifier": name,
        "DBInstanceClass": params["DBInstanceClass"],
        "Engine": "postgres",
        "EngineVersion": version,
        "DBInstanceStatus": "creating",
        "MasterUsername": params["MasterUsername"],
        "AllocatedStorage": params["AllocatedStorage"],
        "StorageType": params.get("StorageType") or "gp2",
        "DbInstancePort": params.get("Port") or 5432,
        "DbiResourceId": resource_id,
        "InstanceCreateTime": state.cloud.clock.now(),
        "AvailabilityZone": zone,
        "DBSecurityGroups": [],
        "VpcSecurityGroups": security_groups(state, params, subnet_group),
        "OptionGroupMemberships": [
            {
                "OptionGroupName": params.get("OptionGroupName")
                or f"default:postgres-{engine.major()}",
                "Status": "in-sync",
            }
        ],
        "IAMDatabaseAuthenticationEnabled": False,
        "PerformanceInsightsEnabled": bool(params.get("EnablePerformanceInsights")),
        "EnabledCloudwatchLogsExports": list(params.get("EnableCloudwatchLogsExports") or []),
        "ReadReplicaDBInstanceIdentifiers": [],
        "StatusInfos": [],
        "DomainMemberships": [],
        "AssociatedRoles": [],
        "ActivityStreamStatus": "stopped",
        "CustomerOwnedIpEnabled": False,
        "IsStorageConfigUpgradeAvailable": False,
        "MultiTenant": False,
        "CertificateDetails": {"CAIdentifier": members["CACertificateIdentifier"]},
    }
    if params.get("DBName"):
        members["DBName"] = params["DBName"]
    if members["MultiAZ"]:
        members["SecondaryAvailabilityZone"] = _other_zone(state, zone)
    if members["StorageEncrypted"]:
        members["KmsKeyId"] = state.key_arn(params.get("KmsKeyId"), "alias/aws/rds")
    elif params.get("KmsKeyId"):
        raise invalid_combination("KmsKeyId needs StorageEncrypted.")
    if members["PerformanceInsightsEnabled"]:
        members |= performance_insights(state, params)
    database = Database(state, resource_id)
    record = Instance(members, group.name, subnet_group, database, tags)
    record.secret_key = params.get("MasterUserSecretKmsKeyId")
    state.instances[name] = record
    database.begin(record)
    return record


def performance_insights(state: State, params: Mapping[str, Any]) -> dict[str, Any]:
    """The members of switched-on Performance Insights, which is kept and described only."""
    return {
        "PerformanceInsightsEnabled": True,
        "PerformanceInsightsKMSKeyId": state.key_arn(
            params.get("PerformanceInsightsKMSKeyId"), "alias/aws/rds"
        ),
        "PerformanceInsightsRetentionPeriod": params.get("PerformanceInsightsRetentionPeriod") or 7,
    }


def _other_zone(state: State, zone: str) -> str:
    first = f"{state.cloud.settings.region}a"
    return f"{state.cloud.settings.region}b" if zone == first else first


def security_groups(
    state: State, params: Mapping[str, Any], subnet_group: str | None
) -> list[dict[str, str]]:
    """VpcSecurityGroups: those asked for, else the default one of the VPC."""
    backend = state.cloud.backend("ec2")
    wanted = params.get("VpcSecurityGroupIds")
    if not wanted:
        if subnet_group is not None:
            ids = state.subnet_groups[subnet_group.lower()].subnet_ids
            vpc = backend.describe_subnets(subnet_ids=ids)[0].vpc_id
        else:
            vpc = backend.default_vpc.id if backend.default_vpc else None
        default = backend.get_default_security_group(vpc) if vpc else None
        wanted = [default.id] if default else []
    for group in wanted:
        if backend.get_security_group_from_id(group) is None:
            raise invalid_value(f"Invalid security group , groupId= {group}, groupName=.")
    return [{"VpcSecurityGroupId": group, "Status": "active"} for group in wanted]
