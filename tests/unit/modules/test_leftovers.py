"""What is left of an environment, and what is kept on purpose."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.lyo_leftovers import decide
from ansible.module_utils.lyo_leftovers import read as reading
from ansible.module_utils.lyo_leftovers import run as leftovers
from ansible.module_utils.lyo_leftovers.decide import Found
from ansible.module_utils.lyo_progress import Progress

from .fakes import FakeAws, failure

ARN = "arn:aws:{}:eu-south-1:123456789012:{}"
SECRET = ARN.format("secretsmanager", "secret:lyo-x/cache-auth-token-AbCdEf")
KEY = ARN.format("kms", "key/1-2-3")


def found(**values: Any) -> Found:
    return Found(region="eu-south-1", **values)


@pytest.mark.parametrize(
    "arn",
    [
        ARN.format("ec2", "vpc/vpc-1"),
        ARN.format("backup", "backup-vault:lyo-x"),
        ARN.format("rds", "db:lyo-x"),
        "arn:aws:s3:::lyo-x-backups-1",
        SECRET,
        KEY,
    ],
)
def test_what_has_the_tags_is_left(arn: str) -> None:
    assert decide.left(found(tagged=[arn])) == [arn]


@pytest.mark.parametrize(
    ("arn", "more"),
    [
        (ARN.format("rds", "snapshot:lyo-x-final"), {}),
        (ARN.format("rds", "auto-backup:ab-1"), {}),
        (ARN.format("elasticache", "snapshot:lyo-x-final"), {}),
        (ARN.format("backup", "recovery-point:1"), {}),
        (ARN.format("backup", "backup-vault:lyo-x"), {"vaults": {"lyo-x": 3}}),
        (KEY, {"vault_keys": [KEY]}),
        (KEY, {"deleted_keys": {KEY: "2026-12-01"}}),
        ("arn:aws:s3:::lyo-x-backups-1", {"buckets": ["lyo-x-backups-1"]}),
        (SECRET, {"deleted_secrets": {SECRET: "2026-12-01"}}),
        (ARN.format("ec2", "natgateway/nat-1"), {"gone": [ARN.format("ec2", "natgateway/nat-1")]}),
    ],
)
def test_what_stays_on_purpose_is_not_left(arn: str, more: dict[str, Any]) -> None:
    assert decide.left(found(tagged=[arn], **more)) == []


def test_what_only_a_list_shows_is_left_too_but_told_once() -> None:
    vpc = ARN.format("ec2", "vpc/vpc-1")
    assert decide.left(found(listed={"VPC": ["vpc-1"]})) == ["VPC vpc-1"]
    assert decide.left(found(tagged=[vpc], listed={"VPC": ["vpc-1"]})) == [vpc]


def test_what_is_kept_is_named_with_its_command() -> None:
    items = decide.kept(
        found(
            snapshots=["lyo-x-final"],
            automated=["lyo-x"],
            cache_snapshots=["lyo-x-cache"],
            vaults={"lyo-x": 3, "lyo-x-copy": 0},
            buckets=["lyo-x-backups-1"],
            deleted_secrets={SECRET: "2026-12-01"},
            deleted_keys={KEY: "2026-12-02"},
        )
    )
    assert [item.what for item in items] == [
        "database snapshot lyo-x-final (eu-south-1)",
        "automated backups of lyo-x (eu-south-1)",
        "cache snapshot lyo-x-cache (eu-south-1)",
        "backup vault lyo-x with 3 recovery points (eu-south-1)",
        "bucket lyo-x-backups-1 (eu-south-1)",
        "secret lyo-x/cache-auth-token (eu-south-1)",
        "KMS key 1-2-3 (eu-south-1)",
    ]
    assert "delete-db-snapshot --region eu-south-1" in items[0].remove
    said = decide.summary(items, "x", "states")
    assert said[-1]["what"] == "bucket states"


def test_a_bucket_is_told_by_its_own_region_alone() -> None:
    places = {"lyo-x-backups-1": "eu-south-1", "lyo-x-backups-copy-1": "eu-central-1"}
    arns = [f"arn:aws:s3:::{name}" for name in (*places, "lyo-x-gone")]

    def place(params: dict[str, Any]) -> Any:
        known = places.get(params["Bucket"])
        return {"LocationConstraint": known} if known else failure("NoSuchBucket")

    aws = FakeAws(
        get_resources={"ResourceTagMappingList": [{"ResourceARN": arn} for arn in arns]},
        get_bucket_location=place,
        list_buckets={"Buckets": [{"Name": name} for name in (*places, "lyo-x-logs")]},
        list_object_versions={"Versions": [{"Key": "manifest.json"}]},
    )
    aws.region = "eu-south-1"  # type: ignore[attr-defined]
    assert reading.tagged(aws, "x") == [arns[0], arns[2]]
    assert reading._buckets(aws, "lyo-x") == ["lyo-x-backups-1"]
    aws.answers["list_object_versions"] = {}
    assert reading._buckets(aws, "lyo-x") == []


def test_names_are_the_environments_own() -> None:
    names = ["lyo-x", "lyo-x-copy", "lyo-x/secret", "lyo-xy", "other-lyo-x"]
    assert decide.of_environment(names, "lyo-x") == ["lyo-x", "lyo-x-copy", "lyo-x/secret"]


def test_what_releases_made_is_deleted() -> None:
    definitions = [ARN.format("ecs", f"task-definition/lyo-x:{n}") for n in range(12)]
    aws = FakeAws(
        list_task_definition_families={"families": ["lyo-x", "lyo-xy"]},
        list_task_definitions=[
            {"taskDefinitionArns": definitions[:2]},
            {"taskDefinitionArns": definitions},
        ],
        deregister_task_definition={},
        delete_task_definitions={},
        describe_log_groups={
            "logGroups": [{"logGroupName": "/aws/ecs/containerinsights/lyo-x/performance"}]
        },
        delete_log_group={},
    )
    removed = leftovers.remove_releases(aws, "lyo-x")
    assert len(aws.named("deregister_task_definition")) == 2
    assert [len(c["taskDefinitions"]) for c in aws.named("delete_task_definitions")] == [10, 2]
    assert removed[-1] == "/aws/ecs/containerinsights/lyo-x/performance"


def test_tags_that_lag_behind_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    vpc = ARN.format("ec2", "vpc/vpc-1")
    answers = [found(tagged=[vpc]), found(tagged=[vpc]), found()]
    slept: list[float] = []
    monkeypatch.setattr(leftovers, "read", lambda *_: answers.pop(0))
    monkeypatch.setattr(leftovers.time, "sleep", slept.append)
    silent = Progress("test", path="")
    assert leftovers.settle([object()], "x", "lyo-x", 60, silent) == [found()]
    assert len(slept) == 2
    answers[:] = [found(tagged=[vpc])]
    assert leftovers.settle([object()], "x", "lyo-x", 0, silent) == [found(tagged=[vpc])]
