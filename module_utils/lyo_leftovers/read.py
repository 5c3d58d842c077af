"""Asks AWS what an environment has left in a region."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..lyo_aws import parallel
from ..lyo_phases.target import found, listed
from .decide import Found, of_environment, service_of

# NAT gateways and endpoints are shown, as deleted, for about an hour.
# https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-working-with.html
_DELETED = ("deleted", "deleting", "failed")


def tagged(aws: Any, env: str) -> list[str]:
    """ARNs of everything in the region that has the environment's tags.

    https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
    """
    filters = [
        {"Key": "Project", "Values": ["lyo"]},
        {"Key": "Environment", "Values": [env]},
    ]
    mappings = aws.all(
        "resourcegroupstaggingapi",
        "get_resources",
        "ResourceTagMappingList",
        TagFilters=filters,
    )
    arns = [mapping["ResourceARN"] for mapping in mappings]
    # A bucket is told by its own region, wherever its tags are shown.
    return [
        a
        for a in arns
        if service_of(a) != "s3" or _place(aws, a[len("arn:aws:s3:::") :]) in ("", aws.region)
    ]


def read(aws: Any, env: str, name: str) -> Found:
    """Return what is found in the region of ``aws``."""
    tags = [
        {"Name": "tag:Project", "Values": ["lyo"]},
        {"Name": "tag:Environment", "Values": [env]},
    ]
    instance = {"DBInstanceIdentifier": name}
    calls: Sequence[Callable[[], Any]] = (
        lambda: tagged(aws, env),
        lambda: aws.all("ec2", "describe_vpcs", "Vpcs", Filters=tags),
        lambda: listed(aws, "rds", "describe_db_instances", "DBInstances", **instance),
        lambda: listed(
            aws,
            "elasticache",
            "describe_replication_groups",
            "ReplicationGroups",
            ReplicationGroupId=name,
        ),
        lambda: listed(aws, "elbv2", "describe_load_balancers", "LoadBalancers", Names=[name]),
        lambda: found(aws, "ecs", "describe_clusters", clusters=[name]).get("clusters", []),
        lambda: aws.all(
            "rds", "describe_db_snapshots", "DBSnapshots", SnapshotType="manual", **instance
        ),
        lambda: aws.all(
            "rds", "describe_db_instance_automated_backups", "DBInstanceAutomatedBackups"
        ),
        lambda: aws.all("elasticache", "describe_snapshots", "Snapshots"),
        lambda: aws.all("backup", "list_backup_vaults", "BackupVaultList"),
        lambda: aws.all(
            "secretsmanager", "list_secrets", "SecretList", IncludePlannedDeletion=True
        ),
        lambda: aws.all("ec2", "describe_nat_gateways", "NatGateways"),
        lambda: _buckets(aws, name),
    )
    (
        arns,
        vpcs,
        instances,
        caches,
        balancers,
        clusters,
        snapshots,
        automated,
        cache_snapshots,
        vaults,
        secrets,
        gateways,
        buckets,
    ) = parallel(*calls)
    mine = [vault for vault in vaults if of_environment([vault["BackupVaultName"]], name)]
    active = [c["clusterArn"] for c in clusters if c["status"] == "ACTIVE"]
    return Found(
        region=aws.region,
        tagged=arns,
        listed={
            "VPC": [vpc["VpcId"] for vpc in vpcs],
            "database": [item["DBInstanceArn"] for item in instances],
            "cache": [item["ARN"] for item in caches],
            "load balancer": [item["LoadBalancerArn"] for item in balancers],
            "cluster": active,
        },
        snapshots=[item["DBSnapshotIdentifier"] for item in snapshots],
        automated=[
            item["DBInstanceIdentifier"]
            for item in automated
            if of_environment([item["DBInstanceIdentifier"]], name)
            and item.get("Status") == "retained"
        ],
        cache_snapshots=[
            item["SnapshotName"]
            for item in cache_snapshots
            if of_environment([item.get("ReplicationGroupId") or item["SnapshotName"]], name)
        ],
        vaults={
            vault["BackupVaultName"]: int(vault.get("NumberOfRecoveryPoints") or 0)
            for vault in mine
        },
        vault_keys=[
            vault["EncryptionKeyArn"]
            for vault in mine
            if vault.get("NumberOfRecoveryPoints") and vault.get("EncryptionKeyArn")
        ],
        buckets=buckets,
        deleted_secrets={
            item["ARN"]: str(item["DeletedDate"])
            for item in secrets
            if item.get("DeletedDate") and of_environment([item["Name"]], name)
        },
        deleted_keys=_deleted_keys(aws, arns),
        gone=_gone(arns, gateways, active),
    )


def _buckets(aws: Any, name: str) -> list[str]:
    """The region's buckets of backups that hold something; an empty one is left like anything else."""
    answer = aws.call("s3", "list_buckets")
    names = [bucket["Name"] for bucket in answer.get("Buckets", [])]
    mine = [bucket for bucket in names if bucket.startswith(f"{name}-backups-")]
    return [bucket for bucket in mine if _holds(aws, bucket)]


def _place(aws: Any, bucket: str) -> str:
    """The region of a bucket, empty where there is no such bucket.

    us-east-1 says nothing: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html
    """
    place = found(aws, "s3", "get_bucket_location", Bucket=bucket)
    return str(place.get("LocationConstraint") or "us-east-1") if place else ""


def _holds(aws: Any, bucket: str) -> bool:
    if _place(aws, bucket) != aws.region:
        return False
    return bool(found(aws, "s3", "list_object_versions", Bucket=bucket, MaxKeys=1).get("Versions"))


def _deleted_keys(aws: Any, arns: Sequence[str]) -> dict[str, str]:
    keys = {}
    for arn in arns:
        if service_of(arn) == "kms":
            about = found(aws, "kms", "describe_key", KeyId=arn).get("KeyMetadata", {})
            if about.get("KeyState") == "PendingDeletion":
                keys[arn] = str(about.get("DeletionDate"))
    return keys


def _gone(
    arns: Sequence[str], gateways: Sequence[dict[str, Any]], active: Sequence[str]
) -> list[str]:
    """What is deleted, although its tags are still there."""
    deleted = {g["NatGatewayId"] for g in gateways if g["State"] in _DELETED}
    return [
        arn
        for arn in arns
        if arn.rpartition("/")[2] in deleted
        or (service_of(arn) == "ecs" and ":task-definition/" in arn)
        or (service_of(arn) == "ecs" and not active)
    ]
