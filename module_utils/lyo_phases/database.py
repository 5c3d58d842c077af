"""The stores: PostgreSQL, the cache, and AWS Backup of what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..lyo_aws import parallel
from .findings import Finding, Findings, at_least, expect, one
from .foundation import tag
from .target import Target, found, listed

FORCE_SSL = "rds.force_ssl"


def read(target: Target) -> dict[str, Any]:
    """Return what AWS says about the stores."""
    aws, name = target.aws, target.name
    serving = str((target.outputs().get("database") or {}).get("identifier") or name)
    instances, caches, subnets, backup = parallel(
        lambda: listed(
            aws, "rds", "describe_db_instances", "DBInstances", DBInstanceIdentifier=serving
        ),
        lambda: listed(
            aws,
            "elasticache",
            "describe_replication_groups",
            "ReplicationGroups",
            ReplicationGroupId=name,
        ),
        lambda: aws.all("ec2", "describe_subnets", "Subnets", Filters=target.tags),
        lambda: _backup(target),
    )
    for instance in instances:
        groups = [g["DBParameterGroupName"] for g in instance.get("DBParameterGroups", [])]
        instance["Parameters"] = {
            parameter["ParameterName"]: parameter.get("ParameterValue")
            for group in groups
            for parameter in aws.all(
                "rds", "describe_db_parameters", "Parameters", DBParameterGroupName=group
            )
            if parameter["ParameterName"] == FORCE_SSL
        }
    private = [s["SubnetId"] for s in subnets if tag(s, "Tier") == "private"]
    return {"instances": instances, "caches": caches, "private": private, **backup}


def _backup(target: Target) -> dict[str, Any]:
    if not target.expected["aws_backup"]:
        return {"vaults": [], "selections": []}
    aws, name = target.aws, target.name
    vaults, plans = parallel(
        lambda: aws.all("backup", "list_backup_vaults", "BackupVaultList"),
        lambda: aws.all("backup", "list_backup_plans", "BackupPlansList"),
    )
    selections = [
        found(
            aws,
            "backup",
            "get_backup_selection",
            BackupPlanId=plan["BackupPlanId"],
            SelectionId=selection["SelectionId"],
        )
        for plan in plans
        if plan["BackupPlanName"].startswith(name)
        for selection in aws.all(
            "backup",
            "list_backup_selections",
            "BackupSelectionsList",
            BackupPlanId=plan["BackupPlanId"],
        )
    ]
    mine = [vault for vault in vaults if vault["BackupVaultName"].startswith(name)]
    return {"vaults": mine, "selections": [s["BackupSelection"] for s in selections if s]}


def problems(facts: Mapping[str, Any], expected: Mapping[str, Any]) -> Findings:
    """What is wrong with the stores: available, encrypted, private, protected, backed up."""
    yield from one(facts["instances"], "database instances")
    for instance in facts["instances"]:
        yield from _instance(instance, facts["private"], expected)
    yield from one(facts["caches"], "caches")
    for cache in facts["caches"]:
        yield from _cache(cache, expected)
    if expected["aws_backup"]:
        yield from _backups(facts)


def _instance(
    instance: Mapping[str, Any], private: list[str], expected: Mapping[str, Any]
) -> Findings:
    name = f"database {instance['DBInstanceIdentifier']}"
    yield from expect(
        instance,
        name,
        DBInstanceStatus="available",
        StorageEncrypted=True,
        PubliclyAccessible=False,
        MultiAZ=expected["multi_az"],
        DeletionProtection=expected["deletion_protection"],
    )
    yield from at_least(instance, name, BackupRetentionPeriod=expected["backup_days"])
    if expected["database_tls"]:
        yield from expect(instance["Parameters"], name, **{FORCE_SSL: "1"})
    group = instance.get("DBSubnetGroup") or {}
    subnets = {subnet["SubnetIdentifier"] for subnet in group.get("Subnets", [])}
    outside = sorted(subnets - set(private))
    if outside or not subnets:
        yield Finding(f"{name} subnets", outside or "none", "private ones of this environment")


def _cache(cache: Mapping[str, Any], expected: Mapping[str, Any]) -> Findings:
    name = f"cache {cache['ReplicationGroupId']}"
    yield from expect(
        cache,
        name,
        Status="available",
        AuthTokenEnabled=True,
        AtRestEncryptionEnabled=True,
        TransitEncryptionEnabled=expected["cache_tls"],
        AutomaticFailover="enabled" if expected["multi_az"] else "disabled",
    )
    yield from at_least(cache, name, SnapshotRetentionLimit=1)


def _backups(facts: Mapping[str, Any]) -> Findings:
    if not facts["vaults"]:
        yield Finding("number of backup vaults", 0, "one at least")
    chosen = [s for s in facts["selections"] if s.get("Resources") or s.get("ListOfTags")]
    if not chosen:
        yield Finding("resources that AWS Backup selects", "none", "the database")
