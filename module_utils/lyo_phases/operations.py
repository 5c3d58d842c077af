"""What backups are kept in, and what runs by itself: buckets, the ops image's registry, schedules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..lyo_aws import Aws, parallel
from .findings import Finding, Findings, expect, one
from .target import Target, found, listed

SCHEDULES = ("backup", "drift", "drill")


def read(target: Target) -> dict[str, Any]:
    """Return what AWS says about the environment's buckets of backups, registry and schedules."""
    aws, name = target.aws, target.name
    buckets, repositories, schedules = parallel(
        lambda: _buckets(target),
        lambda: listed(
            aws, "ecr", "describe_repositories", "repositories", repositoryNames=[f"{name}-ops"]
        ),
        lambda: [
            found(aws, "scheduler", "get_schedule", GroupName=name, Name=schedule)
            for schedule in SCHEDULES
        ],
    )
    return {
        "buckets": buckets,
        "repositories": repositories,
        "schedules": dict(zip(SCHEDULES, schedules, strict=True)),
    }


def _buckets(target: Target) -> dict[str, dict[str, Any]]:
    """The bucket of the backups and its copies by name, each asked in its own region."""
    listing = found(target.aws, "s3", "list_buckets").get("Buckets", [])
    mine = [b["Name"] for b in listing if b["Name"].startswith(f"{target.name}-backups-")]
    places = [found(target.aws, "s3", "get_bucket_location", Bucket=bucket) for bucket in mine]
    return {
        bucket: _bucket(target, bucket, place.get("LocationConstraint") or "us-east-1")
        for bucket, place in zip(mine, places, strict=True)
    }


def _bucket(target: Target, bucket: str, region: str) -> dict[str, Any]:
    aws = target.aws if region == target.aws.region else Aws({**target.options, "region": region})
    lock = found(aws, "s3", "get_object_lock_configuration", Bucket=bucket)
    access = found(aws, "s3", "get_public_access_block", Bucket=bucket)
    encryption = found(aws, "s3", "get_bucket_encryption", Bucket=bucket)
    rules = (encryption.get("ServerSideEncryptionConfiguration") or {}).get("Rules", [])
    applied = rules[0]["ApplyServerSideEncryptionByDefault"] if rules else {}
    return {
        "versions": found(aws, "s3", "get_bucket_versioning", Bucket=bucket).get("Status"),
        "lock": (lock.get("ObjectLockConfiguration") or {}).get("ObjectLockEnabled"),
        "encryption": applied.get("SSEAlgorithm"),
        "public": not all((access.get("PublicAccessBlockConfiguration") or {"": False}).values()),
    }


def problems(facts: Mapping[str, Any], expected: Mapping[str, Any]) -> Findings:  # noqa: ARG001
    """What is wrong: backups that could be lost or read, no registry, a schedule that is missing."""
    if not facts["buckets"]:
        yield Finding("number of buckets of backups", 0, "one at least")
    for bucket, about in facts["buckets"].items():
        yield from expect(
            about,
            f"bucket {bucket}",
            versions="Enabled",
            lock="Enabled",
            encryption="aws:kms",
            public=False,
        )
    yield from one(facts["repositories"], "repositories of the ops image")
    for repository in facts["repositories"]:
        name = f"repository {repository['repositoryName']}"
        yield from expect(repository, name, imageTagMutability="IMMUTABLE")
    for name, schedule in facts["schedules"].items():
        if not schedule:
            yield Finding(f"schedule {name}", "none", "one, enabled or not")
