"""Which of what is found after an environment was taken down is left, and which is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Kept:
    """Something that stays on purpose.

    :ivar what: what it is, with its name.
    :ivar why: why it stays.
    :ivar remove: the command that takes it away for good, empty where it goes by itself.
    """

    what: str
    why: str
    remove: str = ""

    def as_dict(self) -> dict[str, str]:
        """It as a module returns it."""
        return {"what": self.what, "why": self.why, "remove": self.remove}


@dataclass
class Found:
    """What AWS says in one region.

    :ivar region: the region.
    :ivar tagged: ARNs of what has the environment's tags.
    :ivar listed: name of a kind to the ARNs or names that a list call shows, tags or not.
    :ivar snapshots: RDS snapshots made by hand or at the end (``final``).
    :ivar automated: RDS automated backups that outlive their instance.
    :ivar cache_snapshots: snapshots of the cache.
    :ivar vaults: name to the number of recovery points of the environment's backup vaults.
    :ivar vault_keys: ARNs of the KMS keys of vaults with recovery points.
    :ivar buckets: names of buckets that hold backups.
    :ivar deleted_secrets: ARN to the time at which a deleted secret is gone.
    :ivar deleted_keys: ARN to the time at which a KMS key is gone.
    :ivar gone: ARNs that the tags still show a while after they were deleted.
    """

    region: str
    tagged: Sequence[str] = ()
    listed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    snapshots: Sequence[str] = ()
    automated: Sequence[str] = ()
    cache_snapshots: Sequence[str] = ()
    vaults: Mapping[str, int] = field(default_factory=dict)
    vault_keys: Sequence[str] = ()
    buckets: Sequence[str] = ()
    deleted_secrets: Mapping[str, str] = field(default_factory=dict)
    deleted_keys: Mapping[str, str] = field(default_factory=dict)
    gone: Sequence[str] = ()


def kept(found: Found) -> list[Kept]:
    """What stays in a region on purpose."""
    at = f"--region {found.region}"
    items = [
        Kept(
            f"database snapshot {name} ({found.region})",
            "the last state of the database",
            f"aws rds delete-db-snapshot {at} --db-snapshot-identifier {name}",
        )
        for name in found.snapshots
    ]
    items += [
        Kept(
            f"automated backups of {name} ({found.region})", "point-in-time recovery, till it ends"
        )
        for name in found.automated
    ]
    items += [
        Kept(
            f"cache snapshot {name} ({found.region})",
            "the last state of the cache",
            f"aws elasticache delete-snapshot {at} --snapshot-name {name}",
        )
        for name in found.cache_snapshots
    ]
    items += [
        Kept(
            f"backup vault {name} with {points} recovery points ({found.region})",
            "backups outlive what they are of; Terraform no longer knows the vault",
            f"delete its recovery points, then aws backup delete-backup-vault {at} "
            f"--backup-vault-name {name}",
        )
        for name, points in found.vaults.items()
        if points
    ]
    items += [
        Kept(
            f"bucket {name} ({found.region})",
            "backups outlive what they are of; Terraform no longer knows the bucket",
            f"delete every version in it, locked ones with --bypass-governance-retention, "
            f"then aws s3api delete-bucket {at} --bucket {name}",
        )
        for name in found.buckets
    ]
    items += [
        Kept(
            f"secret {name_of(arn)} ({found.region})",
            f"can be restored until {until}, its name is taken until then",
            f"aws secretsmanager delete-secret {at} --force-delete-without-recovery "
            f"--secret-id {arn}",
        )
        for arn, until in found.deleted_secrets.items()
    ]
    items += [
        Kept(f"KMS key {arn.rpartition('/')[2]} ({found.region})", f"is deleted at {until}")
        for arn, until in found.deleted_keys.items()
    ]
    return items


def left(found: Found) -> list[str]:
    """What should be gone from a region and is not: ARNs, or kind and name."""
    alive = [arn for arn in found.tagged if not _explained(arn, found)]
    shown = {arn.rpartition("/")[2].rpartition(":")[2] for arn in alive}
    others = [
        f"{kind} {item}"
        for kind, items in found.listed.items()
        for item in items
        if item not in alive and item.rpartition("/")[2].rpartition(":")[2] not in shown
    ]
    return sorted([*alive, *others])


def _explained(arn: str, found: Found) -> bool:
    """Whether a tagged ARN is of something that stays on purpose, or is gone already."""
    explained = (found.gone, found.deleted_secrets, found.deleted_keys, found.vault_keys)
    if any(arn in known for known in explained):
        return True
    service, resource = service_of(arn), arn.split(":", 5)[5]
    kind = resource.split(":", 1)[0].split("/", 1)[0]
    if service in ("rds", "elasticache") and kind in ("snapshot", "auto-backup"):
        return True
    if service == "s3":
        return resource in found.buckets
    if service == "backup":
        name = resource.partition(":")[2]
        return kind == "recovery-point" or bool(found.vaults.get(name))
    return False


def service_of(arn: str) -> str:
    """The service in an ARN."""
    return arn.split(":")[2]


def name_of(arn: str) -> str:
    """The name of a secret in its ARN, without the six random characters at its end."""
    return arn.split(":")[6].rpartition("-")[0]


def of_environment(names: Iterable[str], name: str) -> list[str]:
    """The names that are the environment's: its own, or its own and a hyphen or slash."""
    return [n for n in names if n == name or n.startswith((f"{name}-", f"{name}/"))]


def summary(items: Sequence[Kept], env: str, bucket: str) -> list[dict[str, Any]]:
    """Everything that is kept, the state's bucket last."""
    state = Kept(
        f"bucket {bucket}",
        f"the state of {env} with its versions, and where the next deploy begins",
        f"aws s3 rb --force s3://{bucket}",
    )
    return [item.as_dict() for item in [*items, state]]
