"""Replication groups, their member clusters, and snapshots."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from typing import Any

from localcloud.api import AwsError, Call
from localcloud.services.elasticache.groups import resolve_version
from localcloud.services.elasticache.node import Node
from localcloud.services.elasticache.state import (
    Group,
    Snapshot,
    State,
    finish_snapshot,
    invalid_combination,
    invalid_value,
    page,
    refused,
    tags_of,
)

_IDENTIFIER = re.compile(r"[a-z](?:-?[a-z0-9])*", re.IGNORECASE)
_NODE_TYPE = re.compile(r"cache\.[a-z][a-z0-9]*\.[0-9a-z]+")
# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html
_TOKEN = re.compile(r"[A-Za-z0-9!&#$^<>-]{16,128}")
_REFUSED = (
    "GlobalReplicationGroupId",
    "PrimaryClusterId",
    "SnapshotArns",
    "ServerlessCacheSnapshotName",
    "UserGroupIds",
    "UserGroupIdsToAdd",
    "NodeGroupConfiguration",
    "DataTieringEnabled",
    "LogDeliveryConfigurations",
    "CacheSecurityGroupNames",
)


def check_token(token: str) -> None:
    """Raise InvalidParameterValue for what is no AUTH token."""
    if not _TOKEN.fullmatch(token):
        raise invalid_value(
            "Invalid AuthToken provided: 16 to 128 letters, digits or the characters !&#$^<>-."
        )


class ReplicationApi:
    """Operations on replication groups, cache clusters and snapshots."""

    def __init__(self, state: State) -> None:
        self._state = state

    def create_replication_group(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html"""
        params, state = call.params, self._state
        name = params["ReplicationGroupId"].lower()
        if len(name) > 40 or not _IDENTIFIER.fullmatch(name):
            raise invalid_value(f"The parameter ReplicationGroupId is not valid: {name}")
        if name in state.groups:
            raise AwsError(
                "ReplicationGroupAlreadyExists", f"Replication group {name} already exists."
            )
        self._check_creation(params)
        snapshot = state.snapshot(params["SnapshotName"]) if params.get("SnapshotName") else None
        if snapshot is not None:
            _must_be_available(snapshot)
        inherited = snapshot.members if snapshot else {}
        engine = params.get("Engine") or inherited.get("Engine") or "redis"
        version, family = resolve_version(
            engine, params.get("EngineVersion") or inherited.get("EngineVersion")
        )
        parameter_group = state.parameter_group(
            params.get("CacheParameterGroupName") or f"default.{family}"
        )
        if parameter_group.family != family:
            raise invalid_combination(
                f"Expected a parameter group of family {family} but found one of family "
                f"{parameter_group.family}"
            )
        node_type = params.get("CacheNodeType") or inherited.get("CacheNodeType")
        if not node_type or not _NODE_TYPE.fullmatch(node_type):
            raise invalid_value(f"Invalid CacheNodeType: {node_type}")
        subnet_group = params.get("CacheSubnetGroupName")
        if subnet_group:
            subnet_group = state.subnet_group(subnet_group).name
        port, address = params.get("Port") or 6379, state.address(name)
        node = Node(state, name, address, port)
        members, cluster = self._members(params, name, engine, version, node_type)
        if subnet_group:
            cluster["CacheSubnetGroupName"] = subnet_group
        group = Group(members, cluster, node, tags_of(call), parameter_group.name, address, port)
        if params.get("AuthToken"):
            self._take_token(group, [params["AuthToken"]])
        state.groups[name] = group
        node.begin(group)
        node.ask(lambda: node.create(snapshot.file if snapshot else None))
        return {"ReplicationGroup": self._shape(group)}

    @staticmethod
    def _check_creation(params: Mapping[str, Any]) -> None:
        for member in _REFUSED:
            if params.get(member):
                raise refused(member)
        if (params.get("NumCacheClusters") or 1) > 1 or params.get("ReplicasPerNodeGroup"):
            raise refused("replicas: set the number of cache clusters to 1 for this environment")
        if (params.get("NumNodeGroups") or 1) > 1 or params.get("ClusterMode") in (
            "enabled",
            "compatible",
        ):
            raise refused("cluster mode")
        if params.get("AutomaticFailoverEnabled") or params.get("MultiAZEnabled"):
            raise invalid_combination(
                "Automatic failover needs at least two nodes, which the local cloud does not offer."
            )
        if params.get("TransitEncryptionEnabled"):
            raise refused(
                "TransitEncryptionEnabled, since its Valkey is built without TLS: turn it off for "
                "this environment"
            )
        if params.get("AuthToken"):
            check_token(params["AuthToken"])

    def _take_token(self, group: Group, tokens: list[str]) -> None:
        group.tokens = tokens
        now = self._state.cloud.clock.now()
        for members in (group.members, group.cluster):
            members["AuthTokenEnabled"] = bool(tokens)
            members["AuthTokenLastModifiedDate"] = now

    def _members(
        self, params: Mapping[str, Any], name: str, engine: str, version: str, node_type: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        now, region = self._state.cloud.clock.now(), self._state.cloud.settings.region
        zones = params.get("PreferredCacheClusterAZs") or [f"{region}a"]
        upgrade = params.get("AutoMinorVersionUpgrade")
        shared: dict[str, Any] = {
            "SnapshotRetentionLimit": params.get("SnapshotRetentionLimit") or 0,
            "SnapshotWindow": params.get("SnapshotWindow") or "02:00-03:00",
            "CacheNodeType": node_type,
            "AuthTokenEnabled": False,
            "TransitEncryptionEnabled": False,
            "AtRestEncryptionEnabled": bool(params.get("AtRestEncryptionEnabled")),
            "AutoMinorVersionUpgrade": True if upgrade is None else upgrade,
            "NetworkType": params.get("NetworkType") or "ipv4",
            "IpDiscovery": params.get("IpDiscovery") or "ipv4",
            "LogDeliveryConfigurations": [],
            "Engine": engine,
        }
        members = {
            **shared,
            "ReplicationGroupId": name,
            "Description": params["ReplicationGroupDescription"],
            "Status": "creating",
            "AutomaticFailover": "disabled",
            "MultiAZ": "disabled",
            "ClusterEnabled": False,
            "ClusterMode": "disabled",
            "DataTiering": "disabled",
            "UserGroupIds": [],
            "ReplicationGroupCreateTime": now,
        }
        if params.get("KmsKeyId"):
            members["KmsKeyId"] = params["KmsKeyId"]
        cluster = {
            **shared,
            "CacheClusterId": f"{name}-001",
            "EngineVersion": version,
            "CacheClusterStatus": "creating",
            "NumCacheNodes": 1,
            "PreferredAvailabilityZone": zones[0],
            "CacheClusterCreateTime": now,
            "PreferredMaintenanceWindow": params.get("PreferredMaintenanceWindow")
            or "sun:05:00-sun:06:00",
            "CacheSecurityGroups": [],
            "SecurityGroups": _security_groups(params),
            "ReplicationGroupId": name,
            "ReplicationGroupLogDeliveryEnabled": False,
        }
        if params.get("NotificationTopicArn"):
            cluster["NotificationConfiguration"] = {
                "TopicArn": params["NotificationTopicArn"],
                "TopicStatus": "active",
            }
        return members, cluster

    def _shape(self, group: Group) -> dict[str, Any]:
        endpoint = {"Address": group.address, "Port": group.port}
        shape = {
            **group.members,
            "PendingModifiedValues": group.pending,
            "MemberClusters": [group.cluster["CacheClusterId"]],
            "ARN": self._state.arn("replicationgroup", group.name),
        }
        if group.status != "creating":
            shape["NodeGroups"] = [
                {
                    "NodeGroupId": "0001",
                    "Status": group.status,
                    "PrimaryEndpoint": endpoint,
                    "ReaderEndpoint": endpoint,
                    "NodeGroupMembers": [
                        {
                            "CacheClusterId": group.cluster["CacheClusterId"],
                            "CacheNodeId": "0001",
                            "ReadEndpoint": endpoint,
                            "PreferredAvailabilityZone": group.cluster["PreferredAvailabilityZone"],
                            "CurrentRole": "primary",
                        }
                    ],
                }
            ]
        return shape

    def _cluster_shape(self, group: Group, *, with_nodes: bool) -> dict[str, Any]:
        shape = {
            **group.cluster,
            "PendingModifiedValues": {},
            "CacheParameterGroup": {
                "CacheParameterGroupName": group.parameter_group,
                "ParameterApplyStatus": "in-sync",
                "CacheNodeIdsToReboot": [],
            },
            "ARN": self._state.arn("cluster", group.cluster["CacheClusterId"]),
        }
        if with_nodes:
            shape["CacheNodes"] = [
                {
                    "CacheNodeId": "0001",
                    "CacheNodeStatus": group.status,
                    "CacheNodeCreateTime": group.cluster["CacheClusterCreateTime"],
                    "Endpoint": {"Address": group.address, "Port": group.port},
                    "ParameterGroupStatus": "in-sync",
                    "CustomerAvailabilityZone": group.cluster["PreferredAvailabilityZone"],
                }
            ]
        return shape

    def describe_replication_groups(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeReplicationGroups.html"""
        name, state = call.params.get("ReplicationGroupId"), self._state
        groups = [state.group(name)] if name else list(state.groups.values())
        return page(call, "ReplicationGroups", [self._shape(group) for group in groups])

    def describe_cache_clusters(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeCacheClusters.html"""
        params, state = call.params, self._state
        name, nodes = params.get("CacheClusterId"), bool(params.get("ShowCacheNodeInfo"))
        groups = [state.group_of_cluster(name)] if name else list(state.groups.values())
        if params.get("ShowCacheClustersNotInReplicationGroups"):
            groups = []
        return page(
            call, "CacheClusters", [self._cluster_shape(one, with_nodes=nodes) for one in groups]
        )

    def modify_replication_group(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyReplicationGroup.html

        Changes take effect at once, whatever ApplyImmediately says.
        """
        params, state = call.params, self._state
        group = state.group(params["ReplicationGroupId"])
        self._require(group)
        for member in _REFUSED:
            if params.get(member):
                raise refused(member)
        if params.get("TransitEncryptionEnabled") or params.get("AutomaticFailoverEnabled"):
            raise refused("TransitEncryptionEnabled and AutomaticFailoverEnabled")
        if params.get("MultiAZEnabled") or params.get("ClusterMode") not in (None, "disabled"):
            raise refused("MultiAZEnabled and ClusterMode")
        self._modify_engine(group, params)
        members, cluster = group.members, group.cluster
        if params.get("ReplicationGroupDescription"):
            members["Description"] = params["ReplicationGroupDescription"]
        for member in ("SnapshotRetentionLimit", "SnapshotWindow", "AutoMinorVersionUpgrade"):
            if params.get(member) is not None:
                members[member] = cluster[member] = params[member]
        if params.get("PreferredMaintenanceWindow"):
            cluster["PreferredMaintenanceWindow"] = params["PreferredMaintenanceWindow"]
        if params.get("CacheNodeType"):
            if not _NODE_TYPE.fullmatch(params["CacheNodeType"]):
                raise invalid_value(f"Invalid CacheNodeType: {params['CacheNodeType']}")
            members["CacheNodeType"] = cluster["CacheNodeType"] = params["CacheNodeType"]
        if params.get("SecurityGroupIds"):
            cluster["SecurityGroups"] = _security_groups(params)
        if params.get("AuthToken") or params.get("AuthTokenUpdateStrategy"):
            self._modify_token(group, params)
        return {"ReplicationGroup": self._shape(group)}

    def _modify_engine(self, group: Group, params: Mapping[str, Any]) -> None:
        state, cluster = self._state, group.cluster
        engine = params.get("Engine") or cluster["Engine"]
        asked = params.get("EngineVersion") or (
            None if params.get("Engine") else cluster["EngineVersion"]
        )
        version, family = resolve_version(engine, asked)
        name = params.get("CacheParameterGroupName") or group.parameter_group
        found = state.parameter_group(name)
        if found.family != family:
            if params.get("CacheParameterGroupName") or not found.name.startswith("default."):
                raise invalid_combination(
                    f"Expected a parameter group of family {family} but found one of family "
                    f"{found.family}"
                )
            found = state.parameter_group(f"default.{family}")
        cluster["Engine"] = group.members["Engine"] = engine
        cluster["EngineVersion"] = version
        if found.name != group.parameter_group:
            group.parameter_group = found.name
            group.set_status("modifying")
            values = dict(found.values)
            group.node.ask(lambda: group.node.configure(values))

    def _modify_token(self, group: Group, params: Mapping[str, Any]) -> None:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html

        ROTATE accepts the new token beside the present one, SET only the new one.
        """
        token, strategy = params.get("AuthToken"), params.get("AuthTokenUpdateStrategy") or "ROTATE"
        if strategy == "DELETE":
            if token:
                raise invalid_combination("AuthToken can't be given with strategy DELETE.")
            tokens = []
        else:
            if not token:
                raise invalid_combination(f"Strategy {strategy} needs AuthToken.")
            check_token(token)
            if strategy == "ROTATE" and not group.tokens:
                raise refused(
                    "ROTATE from no AUTH token to the first: Valkey lets clients in either with a "
                    "token or without. Use SET"
                )
            kept = [old for old in group.tokens if old != token]
            tokens = [token] if strategy == "SET" else [*kept, token][-2:]
        self._take_token(group, tokens)
        group.set_status("modifying")
        group.node.ask(group.node.use_tokens)

    def delete_replication_group(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DeleteReplicationGroup.html"""
        params, state = call.params, self._state
        group = state.group(params["ReplicationGroupId"])
        if params.get("RetainPrimaryCluster"):
            raise refused("RetainPrimaryCluster")
        final = params.get("FinalSnapshotIdentifier")
        snapshot = None
        if final:
            self._require(group)
            snapshot = state.new_snapshot(group, final.lower(), "manual", [])
        elif group.status not in ("available", "create-failed"):
            self._require(group)
        group.set_status("deleting")
        group.node.ask(lambda: self._delete(group, snapshot))
        return {"ReplicationGroup": self._shape(group)}

    def _delete(self, group: Group, snapshot: Snapshot | None) -> None:
        state = self._state
        if snapshot is not None:
            group.node.take(snapshot)
            with state.cloud.lock:
                group.set_status("deleting")
        group.node.end()
        with state.cloud.lock:
            del state.groups[group.name]
        state.event("replication-group", group.name, f"Replication group {group.name} deleted")

    @staticmethod
    def _require(group: Group) -> None:
        if group.status != "available":
            raise AwsError(
                "InvalidReplicationGroupState",
                f"Replication group {group.name} is not in available state: it is {group.status}.",
            )

    def reboot_cache_cluster(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_RebootCacheCluster.html"""
        group = self._state.group_of_cluster(call.params["CacheClusterId"])
        if group.status != "available":
            raise AwsError(
                "InvalidCacheClusterState",
                f"The cache cluster is not in available state: it is {group.status}.",
            )
        group.cluster["CacheClusterStatus"] = "rebooting cluster nodes"
        group.members["Status"] = "modifying"
        group.node.ask(group.node.reboot)
        return {"CacheCluster": self._cluster_shape(group, with_nodes=False)}

    # Snapshots

    def create_snapshot(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateSnapshot.html"""
        params, state = call.params, self._state
        by_group, by_cluster = params.get("ReplicationGroupId"), params.get("CacheClusterId")
        if bool(by_group) == bool(by_cluster):
            raise invalid_combination("Name either ReplicationGroupId or CacheClusterId.")
        group = state.group(by_group) if by_group else state.group_of_cluster(by_cluster or "")
        self._require(group)
        name = params["SnapshotName"].lower()
        if not _IDENTIFIER.fullmatch(name) or len(name) > 255:
            raise invalid_value(f"The parameter SnapshotName is not valid: {name}")
        record = state.new_snapshot(group, name, "manual", tags_of(call))
        group.set_status("snapshotting")
        group.node.ask(lambda: group.node.take(record))
        return {"Snapshot": record.members}

    def describe_snapshots(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeSnapshots.html"""
        params, state = call.params, self._state
        records = list(state.snapshots.values())
        if params.get("SnapshotName"):
            records = [state.snapshot(params["SnapshotName"])]
        source = {"user": "manual", "system": "automated"}.get(params.get("SnapshotSource") or "")
        for member, value in (
            ("ReplicationGroupId", params.get("ReplicationGroupId")),
            ("CacheClusterId", params.get("CacheClusterId")),
            ("SnapshotSource", source),
        ):
            if value:
                records = [one for one in records if one.members[member] == value.lower()]
        size = params.get("MaxRecords") or 50
        if not 20 <= size <= 50:
            raise invalid_value("MaxRecords must be between 20 and 50.")
        return page(call, "Snapshots", [one.members for one in records])

    def delete_snapshot(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DeleteSnapshot.html"""
        record = self._state.snapshot(call.params["SnapshotName"])
        if record.members["SnapshotStatus"] not in ("available", "failed"):
            _must_be_available(record)
        del self._state.snapshots[record.name]
        record.file.unlink(missing_ok=True)
        return {"Snapshot": {**record.members, "SnapshotStatus": "deleting"}}

    def copy_snapshot(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CopySnapshot.html"""
        params, state = call.params, self._state
        if params.get("TargetBucket"):
            raise refused("CopySnapshot to a bucket")
        source, name = (
            state.snapshot(params["SourceSnapshotName"]),
            params["TargetSnapshotName"].lower(),
        )
        _must_be_available(source)
        if name in state.snapshots:
            raise AwsError("SnapshotAlreadyExistsFault", f"Snapshot already exists: {name}")
        members = {
            **source.members,
            "SnapshotName": name,
            "SnapshotSource": "manual",
            "ARN": state.arn("snapshot", name),
        }
        record = Snapshot(members, tags_of(call), source.file.with_name(f"{name}.rdb"))
        shutil.copyfile(source.file, record.file)
        finish_snapshot(record, record.file.stat().st_size, state.cloud.clock.now())
        state.snapshots[name] = record
        return {"Snapshot": members}


def _must_be_available(record: Snapshot) -> None:
    if record.members["SnapshotStatus"] != "available":
        raise AwsError(
            "InvalidSnapshotState",
            f"The snapshot {record.name} is {record.members['SnapshotStatus']}, not available.",
        )


def _security_groups(params: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {"SecurityGroupId": group, "Status": "active"}
        for group in params.get("SecurityGroupIds") or []
    ]
