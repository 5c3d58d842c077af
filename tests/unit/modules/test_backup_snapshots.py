"""Snapshots of RDS and ElastiCache, taken and waited for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from ansible.module_utils.lyo_aws import AwsFailure
from ansible.module_utils.lyo_backup.snapshots import (
    CacheSnapshots,
    RdsSnapshots,
    Snapshot,
    Taker,
    node_of,
    of_cache,
    of_rds,
    size,
)

from .fakes import Clock, FakeAws, failure

NOW = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
NAME = "lyo-backup-20261127t100000z-0000000a"


def rds(status: str = "available", **more: Any) -> dict[str, Any]:
    return {"DBSnapshotIdentifier": NAME, "DBInstanceIdentifier": "lyo", "Status": status, **more}


def cache(status: str = "available", **more: Any) -> dict[str, Any]:
    return {"SnapshotName": NAME, "ReplicationGroupId": "lyo", "SnapshotStatus": status, **more}


def taker(service: Any, told: list[str] | None = None) -> tuple[Taker, Clock]:
    clock = Clock()
    say = (told if told is not None else []).append
    return Taker(service, lambda text, _: say(text), clock.sleep, clock), clock


def test_descriptions_of_both_services_become_the_same() -> None:
    entry = rds(AllocatedStorage=20, SnapshotCreateTime=NOW, PercentProgress=7, TagList=[{"Key": "a", "Value": "b"}])  # fmt: skip
    assert of_rds(entry) == Snapshot(NAME, "lyo", "available", NOW, 20 * 2**30, 7, {"a": "b"})
    nodes = [{"CacheSize": "5 MB", "SnapshotCreateTime": NOW}, {"CacheSize": "1.5 GB"}]
    entry = cache(NodeSnapshots=nodes)
    assert of_cache(entry) == Snapshot(NAME, "lyo", "available", NOW, 5 * 2**20 + 3 * 2**29)
    assert of_cache(cache("creating")).at is None


@pytest.mark.parametrize(("text", "bytes_"), [("5 MB", 5 << 20), ("12 KB", 12 << 10), ("9 B", 9), ("", 0), ("much", 0)])  # fmt: skip
def test_sizes(text: str, bytes_: int) -> None:
    assert size(text) == bytes_


def test_a_cache_snapshot_is_taken_of_a_replica() -> None:
    nodes = [
        {"CacheClusterId": "lyo-001", "CurrentRole": "primary"},
        {"CacheClusterId": "lyo-002", "CurrentRole": "replica"},
    ]
    group = {"MemberClusters": ["lyo-001", "lyo-002"], "NodeGroups": [{"NodeGroupMembers": nodes}]}
    assert node_of(group) == "lyo-002"
    assert node_of({"MemberClusters": ["lyo-001"]}) == "lyo-001"
    aws = FakeAws(
        describe_replication_groups={"ReplicationGroups": [group]},
        create_snapshot={"Snapshot": cache("creating")},
    )
    made = CacheSnapshots(aws).request(NAME, "lyo", {"b": "2", "a": "1"})  # type: ignore[arg-type]
    assert made.status == "creating"
    [request] = aws.named("create_snapshot")
    assert request == {
        "SnapshotName": NAME,
        "CacheClusterId": "lyo-002",
        "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
    }


def test_a_busy_instance_is_asked_again() -> None:
    told: list[str] = []
    busy = failure("InvalidDBInstanceState", "it is backing-up")
    aws = FakeAws(create_db_snapshot=[busy, busy, {"DBSnapshot": rds("creating")}])
    take, clock = taker(RdsSnapshots(aws), told)  # type: ignore[arg-type]
    assert take.begin(NAME, "lyo", {}, 60).status == "creating"
    assert clock.now == 10
    assert told == ["lyo is busy: it is backing-up"] * 2
    aws.answers["create_db_snapshot"] = busy
    with pytest.raises(AwsFailure, match="backing-up"):
        take.begin(NAME, "lyo", {}, 60)
    assert 70 <= clock.now <= 80


def test_another_refusal_is_final() -> None:
    aws = FakeAws(create_db_snapshot=failure("SnapshotQuotaExceeded", "too many"))
    take, clock = taker(RdsSnapshots(aws))  # type: ignore[arg-type]
    with pytest.raises(AwsFailure, match="too many"):
        take.begin(NAME, "lyo", {}, 60)
    assert clock.now == 0


@pytest.mark.parametrize(
    ("service", "operation", "answer"),
    [
        (RdsSnapshots, "describe_db_snapshots", lambda s: {"DBSnapshots": [rds(s)]}),
        (CacheSnapshots, "describe_snapshots", lambda s: {"Snapshots": [cache(s)]}),
    ],
)
def test_it_is_waited_for_through_a_spell_without_answers(
    service: Any, operation: str, answer: Any
) -> None:
    aws = FakeAws(**{operation: [answer("creating"), failure("Unreachable"), answer("available")]})
    take, _ = taker(service(aws))
    assert take.wait(Snapshot(NAME, "lyo", "creating"), 60).status == "available"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"DBSnapshots": [rds("failed")]}, "SnapshotFailed"),
        (failure("DBSnapshotNotFound"), "SnapshotFailed"),
        ({"DBSnapshots": [rds("creating")]}, "StillCreating"),
    ],
)
def test_what_does_not_become_complete_is_a_failure(answer: Any, code: str) -> None:
    take, _ = taker(RdsSnapshots(FakeAws(describe_db_snapshots=answer)))  # type: ignore[arg-type]
    with pytest.raises(AwsFailure) as caught:
        take.wait(Snapshot(NAME, "lyo", "creating"), 60)
    assert caught.value.code == code


def test_what_is_gone_needs_no_deleting() -> None:
    aws = FakeAws(
        delete_db_snapshot=failure("DBSnapshotNotFound"),
        delete_snapshot=failure("SnapshotNotFoundFault"),
    )
    RdsSnapshots(aws).delete(NAME)  # type: ignore[arg-type]
    CacheSnapshots(aws).delete(NAME)  # type: ignore[arg-type]
    aws.answers = dict.fromkeys(aws.answers, failure("AccessDenied"))
    for service in (RdsSnapshots(aws), CacheSnapshots(aws)):  # type: ignore[arg-type]
        with pytest.raises(AwsFailure):
            service.delete(NAME)
