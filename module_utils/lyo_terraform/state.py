"""What a Terraform state says, as far as taking an environment down needs it.

The state is `terraform show -json`'s document:
https://developer.hashicorp.com/terraform/internals/json-format#state-representation
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .plan import GROWTH, Plan, PlanRefused

# Attributes that keep a resource from being destroyed, or its content from being lost with it, and
# the value that does so.
PROTECTIONS: Mapping[str, Mapping[str, bool]] = {
    "aws_db_instance": {"deletion_protection": True},
    "aws_ecr_repository": {"force_delete": False},
    "aws_lb": {"enable_deletion_protection": True},
    "aws_s3_bucket": {"force_destroy": False},
}


@dataclass(frozen=True)
class Resource:
    """A managed resource of the state."""

    address: str
    type: str
    values: Mapping[str, Any]


def resources(document: Mapping[str, Any]) -> list[Resource]:
    """Every managed resource of a state; none where there is no state."""
    root = (document.get("values") or {}).get("root_module") or {}
    return list(_resources(root))


def _resources(module: Mapping[str, Any]) -> Iterator[Resource]:
    for resource in module.get("resources", []):
        if resource.get("mode") == "managed":
            yield Resource(resource["address"], resource["type"], resource.get("values") or {})
    for child in module.get("child_modules", []):
        yield from _resources(child)


def protected(found: Sequence[Resource]) -> list[tuple[str, str]]:
    """Address and attribute of each protection that stands in the way of destroying.

    A bucket of backups is not among them: it goes when it is empty, else it stays.
    """
    return [
        (resource.address, attribute)
        for resource in found
        if not _of_backups(resource)
        for attribute, protects in PROTECTIONS.get(resource.type, {}).items()
        if bool(resource.values.get(attribute)) is protects
    ]


def regions(found: Sequence[Resource]) -> list[str]:
    """Every region that a resource's ARN names; a bucket's has none, but the bucket has."""
    arns = [str(resource.values.get("arn") or "") for resource in found]
    fields = [arn.split(":") for arn in arns]
    buckets = {str(r.values.get("region") or "") for r in found if r.type == "aws_s3_bucket"}
    return sorted({field[3] for field in fields if len(field) > 5 and field[3]} | buckets - {""})


def vaults(found: Sequence[Resource]) -> list[Resource]:
    """Backup vaults whose recovery points are not destroyed with them."""
    return [
        resource
        for resource in found
        if resource.type == "aws_backup_vault" and not resource.values.get("force_destroy")
    ]


def kept_with(vault: Resource, found: Sequence[Resource]) -> list[str]:
    """Addresses of what a vault that stays cannot do without: its key, its lock, its policy."""
    name, key = vault.values.get("name"), vault.values.get("kms_key_arn")
    guards = ("aws_backup_vault_lock_configuration", "aws_backup_vault_policy")
    keys = {
        str(r.values.get("key_id"))
        for r in found
        if r.type == "aws_kms_key" and key and r.values.get("arn") == key
    }
    return [vault.address] + [
        r.address
        for r in found
        if (r.type in guards and r.values.get("backup_vault_name") == name)
        or (r.type == "aws_kms_key" and r.values.get("key_id") in keys)
        or (r.type == "aws_kms_alias" and r.values.get("target_key_id") in keys)
    ]


def backup_buckets(found: Sequence[Resource]) -> list[Resource]:
    """Buckets whose backups are not destroyed with them."""
    return [resource for resource in found if _of_backups(resource)]


def _of_backups(resource: Resource) -> bool:
    values = resource.values
    locks = bool(values.get("object_lock_enabled")) and not values.get("force_destroy")
    return resource.type == "aws_s3_bucket" and locks


def kept_with_bucket(bucket: Resource, found: Sequence[Resource]) -> list[str]:
    """Addresses of a bucket that stays and of its settings."""
    name = bucket.values.get("bucket")
    return [bucket.address] + [
        r.address
        for r in found
        if r.type.startswith("aws_s3_bucket_") and r.values.get("bucket") == name
    ]


def final_snapshots(found: Sequence[Resource]) -> list[tuple[Resource, str]]:
    """The database and cache that take a snapshot when they go, and its name."""
    return [
        (resource, str(name))
        for resource in found
        if resource.type in ("aws_db_instance", "aws_elasticache_replication_group")
        and (name := resource.values.get("final_snapshot_identifier"))
        and not resource.values.get("skip_final_snapshot")
    ]


def refuse_more_than_lifting(plan: Plan) -> None:
    """Refuse a plan that does more than change what stands, before all of it goes.

    :raises PlanRefused: naming what else it would do.
    """
    more = sorted(f"{c.action} {c.address}" for c in plan.changes if c.action not in GROWTH)
    more += sorted(f"create {c.address}" for c in plan.changes if c.action == "create")
    if more:
        raise PlanRefused(
            "the protections cannot be lifted alone, the configuration is another one than what "
            "stands: " + ", ".join(more) + ". Nothing was changed. Check out what was deployed "
            "last, or run deploy.yml, then run this again"
        )
