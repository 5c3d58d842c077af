"""Parameter groups, subnet groups, tags, events, engine versions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from localcloud.api import AwsError, Call
from localcloud.services.elasticache import parameters
from localcloud.services.elasticache.state import (
    ParameterGroup,
    State,
    SubnetGroup,
    invalid_combination,
    invalid_value,
    page,
    tags_of,
)

# Which engine version belongs to which family. The server that runs is always the one installed.
VERSIONS = {
    ("valkey", "7.2"): "valkey7",
    ("valkey", "8.0"): "valkey8",
    ("valkey", "8.1"): "valkey8",
    ("valkey", "8.2"): "valkey8",
    ("valkey", "9.0"): "valkey9",
    ("redis", "7.0"): "redis7",
    ("redis", "7.1"): "redis7",
}


def resolve_version(engine: str, version: str | None) -> tuple[str, str]:
    """Full version (`8.1.0`) and family of what was asked for. Raises AwsError."""
    known = [short for name, short in VERSIONS if name == engine]
    if not known:
        raise invalid_value(f"Engine must be valkey or redis, not {engine}.")
    if version is None:
        version = known[-1]
    short = ".".join(version.split(".")[:2])
    if (engine, short) not in VERSIONS:
        raise invalid_value(
            f"Cannot find version {version} for {engine}; there are {', '.join(known)}."
        )
    return f"{short}.0", VERSIONS[engine, short]


class GroupApi:
    """Operations on everything but replication groups and snapshots."""

    def __init__(self, state: State) -> None:
        self._state = state
        for family in sorted(set(VERSIONS.values())):
            name = f"default.{family}"
            state.parameter_groups[name] = ParameterGroup(
                name, family, f"Default parameter group for {family}"
            )

    # Parameter groups

    def _shape(self, group: ParameterGroup) -> dict[str, Any]:
        return {
            "CacheParameterGroupName": group.name,
            "CacheParameterGroupFamily": group.family,
            "Description": group.description,
            "IsGlobal": False,
            "ARN": self._state.arn("parametergroup", group.name),
        }

    def create_cache_parameter_group(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateCacheParameterGroup.html"""
        params = call.params
        name, family = (
            params["CacheParameterGroupName"].lower(),
            params["CacheParameterGroupFamily"],
        )
        if family not in VERSIONS.values():
            raise invalid_value(f"CacheParameterGroupFamily {family} is not a valid family.")
        if name in self._state.parameter_groups:
            raise AwsError(
                "CacheParameterGroupAlreadyExists", f"Cache parameter group {name} already exists."
            )
        group = ParameterGroup(name, family, params["Description"], tags_of(call))
        self._state.parameter_groups[name] = group
        return {"CacheParameterGroup": self._shape(group)}

    def describe_cache_parameter_groups(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeCacheParameterGroups.html"""
        name, state = call.params.get("CacheParameterGroupName"), self._state
        groups = [state.parameter_group(name)] if name else list(state.parameter_groups.values())
        return page(call, "CacheParameterGroups", [self._shape(group) for group in groups])

    def describe_cache_parameters(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeCacheParameters.html"""
        group = self._state.parameter_group(call.params["CacheParameterGroupName"])
        shown = parameters.described(self._state.settings(), group)
        source = call.params.get("Source")
        if source:
            shown = [one for one in shown if one["Source"] == source]
        return page(call, "Parameters", shown)

    def describe_engine_default_parameters(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeEngineDefaultParameters.html"""
        family = call.params["CacheParameterGroupFamily"]
        if family not in VERSIONS.values():
            raise invalid_value(f"CacheParameterGroupFamily {family} is not a valid family.")
        shown = parameters.described(self._state.settings(), ParameterGroup("", family, ""))
        result = page(call, "Parameters", shown)
        return {"EngineDefaults": {"CacheParameterGroupFamily": family, **result}}

    def _changeable(self, name: str) -> ParameterGroup:
        group = self._state.parameter_group(name)
        if group.name.startswith("default."):
            raise AwsError(
                "InvalidCacheParameterGroupState", "Default parameter groups cannot be changed."
            )
        return group

    def modify_cache_parameter_group(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyCacheParameterGroup.html

        Running nodes take over at once what does not need a reboot.
        """
        state = self._state
        group = self._changeable(call.params["CacheParameterGroupName"])
        changes = {
            change["ParameterName"]: change["ParameterValue"]
            for change in call.params["ParameterNameValues"]
        }
        if not 1 <= len(changes) <= 20:
            raise invalid_value("Between 1 and 20 parameters can be modified in one request.")
        for name, value in changes.items():
            parameters.check(state.settings(), name, value)
        group.values.update(changes)
        self._apply(group, changes)
        return {"CacheParameterGroupName": group.name}

    def reset_cache_parameter_group(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ResetCacheParameterGroup.html"""
        group = self._changeable(call.params["CacheParameterGroupName"])
        listed = [
            change["ParameterName"] for change in call.params.get("ParameterNameValues") or []
        ]
        if bool(call.params.get("ResetAllParameters")) == bool(listed):
            raise invalid_combination("Name parameters, or reset all of them.")
        settings = self._state.settings()
        names = [name for name in listed or list(group.values) if group.values.pop(name, None)]
        self._apply(group, {name: parameters.default(settings, name) for name in names})
        return {"CacheParameterGroupName": group.name}

    def _apply(self, group: ParameterGroup, values: Mapping[str, str]) -> None:
        now = {n: v for n, v in values.items() if parameters.takes_effect_at_once(n)}
        if not now:
            return
        for user in self._state.groups.values():
            if user.parameter_group == group.name:
                user.node.ask(lambda node=user.node: node.configure(now))  # type: ignore[misc]

    def delete_cache_parameter_group(self, call: Call) -> None:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DeleteCacheParameterGroup.html"""
        group = self._changeable(call.params["CacheParameterGroupName"])
        users = [
            one.name for one in self._state.groups.values() if one.parameter_group == group.name
        ]
        if users:
            raise AwsError(
                "InvalidCacheParameterGroupState",
                f"The parameter group {group.name} is in use by {', '.join(users)}.",
            )
        del self._state.parameter_groups[group.name]

    # Subnet groups

    def _subnets(self, ids: list[str]) -> list[Any]:
        try:
            subnets: list[Any] = self._state.cloud.backend("ec2").describe_subnets(subnet_ids=ids)
        except Exception as error:
            raise AwsError("InvalidSubnet", f"Some input subnets are invalid: {error}") from error
        if len({subnet.vpc_id for subnet in subnets}) > 1:
            raise AwsError("InvalidSubnet", "The subnets are in different VPCs.")
        return subnets

    def _subnet_shape(self, group: SubnetGroup) -> dict[str, Any]:
        subnets = self._subnets(group.subnet_ids)
        return {
            "CacheSubnetGroupName": group.name,
            "CacheSubnetGroupDescription": group.description,
            "VpcId": subnets[0].vpc_id,
            "Subnets": [
                {
                    "SubnetIdentifier": subnet.id,
                    "SubnetAvailabilityZone": {"Name": subnet.availability_zone},
                    "SupportedNetworkTypes": ["ipv4"],
                }
                for subnet in subnets
            ],
            "ARN": self._state.arn("subnetgroup", group.name),
            "SupportedNetworkTypes": ["ipv4"],
        }

    def create_cache_subnet_group(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateCacheSubnetGroup.html"""
        params, state = call.params, self._state
        name = params["CacheSubnetGroupName"].lower()
        if name in state.subnet_groups:
            raise AwsError("CacheSubnetGroupAlreadyExists", f"{name} already exists.")
        group = SubnetGroup(
            name, params["CacheSubnetGroupDescription"], list(params["SubnetIds"]), tags_of(call)
        )
        shape = self._subnet_shape(group)
        state.subnet_groups[name] = group
        return {"CacheSubnetGroup": shape}

    def describe_cache_subnet_groups(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeCacheSubnetGroups.html"""
        name, state = call.params.get("CacheSubnetGroupName"), self._state
        groups = [state.subnet_group(name)] if name else list(state.subnet_groups.values())
        return page(call, "CacheSubnetGroups", [self._subnet_shape(group) for group in groups])

    def modify_cache_subnet_group(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyCacheSubnetGroup.html"""
        group = self._state.subnet_group(call.params["CacheSubnetGroupName"])
        if call.params.get("SubnetIds"):
            self._subnets(call.params["SubnetIds"])
            group.subnet_ids = list(call.params["SubnetIds"])
        group.description = call.params.get("CacheSubnetGroupDescription") or group.description
        return {"CacheSubnetGroup": self._subnet_shape(group)}

    def delete_cache_subnet_group(self, call: Call) -> None:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DeleteCacheSubnetGroup.html"""
        group, state = self._state.subnet_group(call.params["CacheSubnetGroupName"]), self._state
        for user in state.groups.values():
            if user.cluster.get("CacheSubnetGroupName") == group.name:
                raise AwsError(
                    "CacheSubnetGroupInUse",
                    f"The subnet group {group.name} is in use by {user.name}.",
                )
        del state.subnet_groups[group.name]

    # Everything else

    def describe_cache_engine_versions(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeCacheEngineVersions.html"""
        params = call.params
        offered = [
            {
                "Engine": engine,
                "EngineVersion": short,
                "CacheParameterGroupFamily": family,
                "CacheEngineDescription": engine.capitalize(),
                "CacheEngineVersionDescription": f"{engine} version {short}",
            }
            for (engine, short), family in VERSIONS.items()
            if params.get("Engine") in (None, engine)
            and params.get("EngineVersion") in (None, short)
            and params.get("CacheParameterGroupFamily") in (None, family)
        ]
        if params.get("DefaultOnly"):
            offered = offered[-1:]
        return page(call, "CacheEngineVersions", offered)

    def describe_events(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeEvents.html"""
        params = call.params
        end = params.get("EndTime") or self._state.cloud.clock.now()
        start = params.get("StartTime") or end - timedelta(minutes=params.get("Duration") or 60)
        events = [
            event
            for event in self._state.events
            if params.get("SourceIdentifier") in (None, event["SourceIdentifier"])
            and params.get("SourceType") in (None, event["SourceType"])
            and start <= event["Date"] <= end
        ]
        return page(call, "Events", events)

    def _tagged(self, arn: str) -> Any:
        parts, state = arn.split(":", 6), self._state
        if len(parts) < 7 or parts[2] != "elasticache":
            raise AwsError("InvalidARN", f"ARN is invalid: {arn}")
        find: dict[str, Any] = {
            "replicationgroup": state.group,
            "cluster": state.group_of_cluster,
            "snapshot": state.snapshot,
            "parametergroup": state.parameter_group,
            "subnetgroup": state.subnet_group,
        }
        if parts[5] not in find:
            raise AwsError("InvalidARN", f"ARN is invalid: {arn}")
        return find[parts[5]](parts[6])

    def list_tags_for_resource(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ListTagsForResource.html"""
        return {"TagList": list(self._tagged(call.params["ResourceName"]).tags)}

    def add_tags_to_resource(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_AddTagsToResource.html"""
        record = self._tagged(call.params["ResourceName"])
        merged = {tag["Key"]: tag["Value"] for tag in [*record.tags, *tags_of(call)]}
        record.tags = [{"Key": key, "Value": value} for key, value in merged.items()]
        return {"TagList": record.tags}

    def remove_tags_from_resource(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_RemoveTagsFromResource.html"""
        record = self._tagged(call.params["ResourceName"])
        record.tags = [tag for tag in record.tags if tag["Key"] not in call.params["TagKeys"]]
        return {"TagList": record.tags}
