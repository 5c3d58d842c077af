"""ElastiCache: groups are real Valkey servers, tokens are enforced, snapshots carry the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import valkey
from botocore.exceptions import ClientError

from tests.localcloud.conftest import RunningCloud
from tests.localcloud.data_harness import processes_of, until

FIRST, SECOND, THIRD = "first-token-0123456789", "second-token-0123456789", "third-token-0123456789"


@pytest.fixture(scope="module")
def cache(cloud: RunningCloud) -> Any:
    return cloud.client("elasticache")


def available(cache: Any, name: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        one = cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]
        return one if one["Status"] == "available" else None

    return until(f"{name} is available", look)


def delete(cache: Any, name: str, **more: str) -> None:
    cache.delete_replication_group(ReplicationGroupId=name, **more)

    def look() -> bool:
        try:
            cache.describe_replication_groups(ReplicationGroupId=name)
        except ClientError as error:
            return error.response["Error"]["Code"] == "ReplicationGroupNotFoundFault"
        return False

    until(f"{name} is deleted", look)


def client(group: dict[str, Any], token: str | None) -> valkey.Valkey:
    endpoint = group["NodeGroups"][0]["PrimaryEndpoint"]
    return valkey.Valkey(
        host=endpoint["Address"], port=endpoint["Port"], password=token, decode_responses=True
    )


def lets_in(group: dict[str, Any], token: str | None) -> bool:
    with client(group, token) as one:
        try:
            return bool(one.ping())
        except valkey.AuthenticationError:
            return False


@pytest.fixture
def group(cache: Any) -> Iterator[str]:
    cache.create_cache_parameter_group(
        CacheParameterGroupName="tuned", CacheParameterGroupFamily="valkey8", Description="test"
    )
    cache.create_replication_group(
        ReplicationGroupId="sessions",
        ReplicationGroupDescription="test",
        Engine="valkey",
        EngineVersion="8.1",
        CacheNodeType="cache.t4g.micro",
        CacheParameterGroupName="tuned",
        AuthToken=FIRST,
        Tags=[{"Key": "k", "Value": "v"}],
    )
    available(cache, "sessions")
    yield "sessions"
    for one in cache.describe_replication_groups()["ReplicationGroups"]:
        delete(cache, one["ReplicationGroupId"])
    cache.delete_cache_parameter_group(CacheParameterGroupName="tuned")


def test_the_token_is_enforced(cache: Any, group: str) -> None:
    one = available(cache, group)
    assert one["AuthTokenEnabled"]
    assert lets_in(one, FIRST)
    assert not lets_in(one, None)
    assert not lets_in(one, SECOND)


def test_rotate_accepts_two_tokens_and_set_only_the_new_one(cache: Any, group: str) -> None:
    def update(token: str, strategy: str) -> dict[str, Any]:
        cache.modify_replication_group(
            ReplicationGroupId=group,
            AuthToken=token,
            AuthTokenUpdateStrategy=strategy,
            ApplyImmediately=True,
        )
        return available(cache, group)

    one = update(SECOND, "ROTATE")
    assert [lets_in(one, token) for token in (FIRST, SECOND)] == [True, True]
    one = update(THIRD, "ROTATE")
    assert [lets_in(one, token) for token in (FIRST, SECOND, THIRD)] == [False, True, True]
    one = update(THIRD, "SET")
    assert [lets_in(one, token) for token in (FIRST, SECOND, THIRD)] == [False, False, True]


def test_a_token_is_deleted_and_set_anew(cache: Any, group: str) -> None:
    cache.modify_replication_group(ReplicationGroupId=group, AuthTokenUpdateStrategy="DELETE")
    one = available(cache, group)
    assert not one["AuthTokenEnabled"]
    assert lets_in(one, None)
    with pytest.raises(ClientError, match="Use SET"):
        cache.modify_replication_group(
            ReplicationGroupId=group, AuthToken=SECOND, AuthTokenUpdateStrategy="ROTATE"
        )
    cache.modify_replication_group(
        ReplicationGroupId=group, AuthToken=SECOND, AuthTokenUpdateStrategy="SET"
    )
    one = available(cache, group)
    assert lets_in(one, SECOND)
    assert not lets_in(one, None)


def test_restricted_commands_are_denied(cache: Any, group: str) -> None:
    with client(available(cache, group), FIRST) as one:
        for command in ("CONFIG GET *", "SHUTDOWN", "REPLICAOF NO ONE", "ACL SETUSER x"):
            with pytest.raises(valkey.exceptions.NoPermissionError):
                one.execute_command(*command.split())


def test_a_snapshot_carries_the_data_into_a_new_group(cache: Any, group: str) -> None:
    with client(available(cache, group), FIRST) as one:
        one.set("kept", "yes", ex=3600)
        cache.create_snapshot(ReplicationGroupId=group, SnapshotName="before")
        available(cache, group)
        one.set("kept", "changed")
    (snapshot,) = cache.describe_snapshots(SnapshotName="before")["Snapshots"]
    assert snapshot["SnapshotStatus"] == "available"
    cache.create_replication_group(
        ReplicationGroupId="restored", ReplicationGroupDescription="x", SnapshotName="before"
    )
    with client(available(cache, "restored"), None) as one:
        assert one.get("kept") == "yes"
        assert 0 < one.ttl("kept") <= 3600
    cache.delete_snapshot(SnapshotName="before")


def test_the_final_snapshot_outlives_the_group(cache: Any, group: str) -> None:
    with client(available(cache, group), FIRST) as one:
        one.set("kept", "yes")
    delete(cache, group, FinalSnapshotIdentifier="final")
    cache.create_replication_group(
        ReplicationGroupId="again", ReplicationGroupDescription="x", SnapshotName="final"
    )
    with client(available(cache, "again"), None) as one:
        assert one.get("kept") == "yes"
    cache.delete_snapshot(SnapshotName="final")


def test_parameters_reach_the_running_server(cloud: RunningCloud, cache: Any, group: str) -> None:
    def policy() -> str:
        # CONFIG is denied to clients, INFO tells the policy.
        with client(available(cache, group), FIRST) as one:
            return str(one.info("memory")["maxmemory_policy"])

    assert policy() == "volatile-lru"
    cache.modify_cache_parameter_group(
        CacheParameterGroupName="tuned",
        ParameterNameValues=[
            {"ParameterName": "maxmemory-policy", "ParameterValue": "allkeys-lfu"}
        ],
    )
    until("the policy is applied", lambda: policy() == "allkeys-lfu")
    cache.reboot_cache_cluster(CacheClusterId=f"{group}-001", CacheNodeIdsToReboot=["0001"])
    assert policy() == "allkeys-lfu"


def test_a_killed_node_is_replaced_by_an_empty_one(
    cloud: RunningCloud, cache: Any, group: str
) -> None:
    one = available(cache, group)
    with client(one, FIRST) as before:
        before.set("kept", "no")
    (server,) = processes_of(cloud.state_dir, "valkey-server")
    server.kill()

    def empty() -> bool:
        try:
            with client(one, FIRST) as after:
                return after.get("kept") is None
        except valkey.ConnectionError:
            return False

    until("a new node answers", empty)


def test_the_member_cluster_is_described(cache: Any, group: str) -> None:
    one = available(cache, group)
    (name,) = one["MemberClusters"]
    (cluster,) = cache.describe_cache_clusters(CacheClusterId=name, ShowCacheNodeInfo=True)[
        "CacheClusters"
    ]
    assert cluster["ReplicationGroupId"] == group
    assert cluster["CacheNodes"][0]["Endpoint"] == one["NodeGroups"][0]["PrimaryEndpoint"]
    assert cluster["CacheParameterGroup"]["CacheParameterGroupName"] == "tuned"
    assert cache.list_tags_for_resource(ResourceName=one["ARN"])["TagList"] == [
        {"Key": "k", "Value": "v"}
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"NumCacheClusters": 2},
        {"TransitEncryptionEnabled": True},
        {"NumNodeGroups": 2, "ReplicasPerNodeGroup": 0},
    ],
)
def test_what_cannot_be_done_is_refused(cache: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as caught:
        cache.create_replication_group(
            ReplicationGroupId="never",
            ReplicationGroupDescription="x",
            CacheNodeType="cache.t4g.micro",
            **changes,
        )
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_standalone_clusters_are_refused(cache: Any) -> None:
    with pytest.raises(ClientError, match="does not reproduce"):
        cache.create_cache_cluster(CacheClusterId="c", Engine="memcached")
