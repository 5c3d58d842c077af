"""Parameter groups and subnet groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.api import AwsError, Call
from localcloud.services.rds import engine, parameters, shapes
from localcloud.services.rds.common import (
    filtered,
    identifier,
    invalid_combination,
    invalid_value,
    page,
    tags_of,
)
from localcloud.services.rds.parameters import Parameter, for_server
from localcloud.services.rds.state import ParameterGroup, State, SubnetGroup

_AT_A_TIME = 20


class GroupApi:
    """Operations on DB parameter groups and DB subnet groups."""

    def __init__(self, state: State) -> None:
        self._state = state

    # Parameter groups

    def _shape(self, group: ParameterGroup) -> dict[str, Any]:
        return {
            "DBParameterGroupName": group.name,
            "DBParameterGroupFamily": group.family,
            "Description": group.description,
            "DBParameterGroupArn": self._state.arn("pg", group.name),
        }

    def create_db_parameter_group(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBParameterGroup.html"""
        params = call.params
        name = identifier(params["DBParameterGroupName"], "DBParameterGroupName", 255)
        family = params["DBParameterGroupFamily"]
        if family != engine.family():
            raise invalid_value(
                f"ParameterGroupFamily {family} is not a valid parameter group family: the local "
                f"cloud's RDS runs {engine.family()} only."
            )
        if name in self._state.parameter_groups:
            raise AwsError(
                "DBParameterGroupAlreadyExists", f"Parameter group {name} already exists"
            )
        group = ParameterGroup(name, family, params["Description"], tags_of(call))
        self._state.parameter_groups[name] = group
        return {"DBParameterGroup": self._shape(group)}

    def describe_db_parameter_groups(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBParameterGroups.html"""
        name = call.params.get("DBParameterGroupName")
        groups = (
            [self._state.parameter_group(name)]
            if name
            else list(self._state.parameter_groups.values())
        )
        return page(call, "DBParameterGroups", [self._shape(group) for group in groups])

    def describe_db_parameters(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBParameters.html"""
        group = self._state.parameter_group(call.params["DBParameterGroupName"])
        shown = [_described(one, group) for one in self._state.parameters.values()]
        source = call.params.get("Source")
        if source:
            shown = [one for one in shown if one["Source"] == source]
        found = filtered(call, shown, {"parameter-name": lambda one: [one["ParameterName"]]})
        return page(call, "Parameters", found)

    def describe_engine_default_parameters(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeEngineDefaultParameters.html"""
        family = call.params["DBParameterGroupFamily"]
        if family != engine.family():
            raise invalid_value(f"Invalid parameter group family: {family}")
        empty = ParameterGroup("", family, "")
        shown = [_described(one, empty) for one in self._state.parameters.values()]
        result = page(call, "Parameters", shown)
        return {"EngineDefaults": {"DBParameterGroupFamily": family, **result}}

    def _changeable(self, name: str) -> ParameterGroup:
        group = self._state.parameter_group(name)
        if group.name.startswith("default."):
            raise AwsError(
                "InvalidDBParameterGroupState", "Default parameter groups cannot be changed."
            )
        return group

    def modify_db_parameter_group(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBParameterGroup.html

        Values are checked against the settings of the PostgreSQL that runs.
        """
        state = self._state
        group = self._changeable(call.params["DBParameterGroupName"])
        changes = call.params["Parameters"]
        _check_count(changes)
        for change in changes:
            parameters.check(
                state.parameters,
                change.get("ParameterName", ""),
                change.get("ParameterValue", ""),
                change.get("ApplyMethod", ""),
                state.libraries,
            )
        for change in changes:
            group.values[change["ParameterName"]] = change["ParameterValue"]
            group.methods[change["ParameterName"]] = change["ApplyMethod"]
        self._apply(group, {change["ParameterName"]: change["ApplyMethod"] for change in changes})
        return {"DBParameterGroupName": group.name}

    def reset_db_parameter_group(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ResetDBParameterGroup.html"""
        group = self._changeable(call.params["DBParameterGroupName"])
        if call.params.get("ResetAllParameters"):
            if call.params.get("Parameters"):
                raise invalid_combination("Parameters and ResetAllParameters exclude each other.")
            names = {name: self._method(name) for name in group.values}
        else:
            _check_count(call.params.get("Parameters") or [])
            names = {
                change["ParameterName"]: change["ApplyMethod"]
                for change in call.params.get("Parameters") or []
            }
        for name, method in names.items():
            known = self._state.parameters.get(name)
            if known is None:
                raise invalid_value(f"Could not find parameter with name: {name}")
            if known.static and method == "immediate":
                raise invalid_combination(
                    f"cannot use immediate apply method for static parameter: {name}"
                )
        for name in names:
            group.values.pop(name, None)
            group.methods.pop(name, None)
        self._apply(group, names)
        return {"DBParameterGroupName": group.name}

    def _method(self, name: str) -> str:
        return "pending-reboot" if self._state.parameters[name].static else "immediate"

    def _apply(self, group: ParameterGroup, methods: Mapping[str, str]) -> None:
        """Bring a group's changes to the instances that use it."""
        state = self._state
        for instance in state.instances.values():
            if instance.group != group.name:
                continue
            memory = engine.memory_of(instance.members["DBInstanceClass"])
            wanted = for_server(state.parameters, group.values, memory)
            now = dict(instance.applied)
            for name, method in methods.items():
                if method != "immediate":
                    instance.pending_parameters = True
                elif name in wanted:
                    now[name] = wanted[name]
                else:
                    now.pop(name, None)
            if now != instance.applied:
                # At once, so that a second change of the same moment builds on the first.
                instance.applied = now
                instance.database.ask(instance.database.reload)

    def delete_db_parameter_group(self, call: Call) -> None:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBParameterGroup.html"""
        group = self._changeable(call.params["DBParameterGroupName"])
        users = [one.name for one in self._state.instances.values() if one.group == group.name]
        if users:
            raise AwsError(
                "InvalidDBParameterGroupState",
                f"One or more database instances are still members of this parameter group "
                f"{group.name} ({', '.join(users)}), so the group cannot be deleted",
            )
        del self._state.parameter_groups[group.name]

    # Subnet groups

    def _zones(self, subnet_ids: list[str]) -> set[str]:
        backend = self._state.cloud.backend("ec2")
        try:
            subnets = backend.describe_subnets(subnet_ids=subnet_ids)
        except Exception as error:
            raise AwsError("InvalidSubnet", f"Some input subnets are invalid: {error}") from error
        if len({subnet.vpc_id for subnet in subnets}) > 1:
            raise AwsError("InvalidSubnet", "The subnets are in different VPCs.")
        zones = {subnet.availability_zone for subnet in subnets}
        if len(zones) < 2:
            raise AwsError(
                "DBSubnetGroupDoesNotCoverEnoughAZs",
                "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
                f"Current AZ coverage: {', '.join(sorted(zones))}. Add subnets to cover at least 2 "
                "AZs.",
            )
        return zones

    def create_db_subnet_group(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSubnetGroup.html"""
        params, state = call.params, self._state
        name = params["DBSubnetGroupName"].lower()
        if name == "default" or len(name) > 255:
            raise invalid_value(f"DBSubnetGroupName {name} is not valid.")
        if name in state.subnet_groups:
            raise AwsError(
                "DBSubnetGroupAlreadyExists", f"The DB subnet group {name} already exists."
            )
        self._zones(params["SubnetIds"])
        state.subnet_groups[name] = SubnetGroup(
            name, params["DBSubnetGroupDescription"], list(params["SubnetIds"]), tags_of(call)
        )
        return {"DBSubnetGroup": shapes.subnet_group(state, name)}

    def describe_db_subnet_groups(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSubnetGroups.html"""
        name = call.params.get("DBSubnetGroupName")
        names = [name] if name else list(self._state.subnet_groups)
        return page(
            call, "DBSubnetGroups", [shapes.subnet_group(self._state, one) for one in names]
        )

    def modify_db_subnet_group(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBSubnetGroup.html"""
        name = call.params["DBSubnetGroupName"].lower()
        shapes.subnet_group(self._state, name)
        self._zones(call.params["SubnetIds"])
        group = self._state.subnet_groups[name]
        group.subnet_ids = list(call.params["SubnetIds"])
        if call.params.get("DBSubnetGroupDescription"):
            group.description = call.params["DBSubnetGroupDescription"]
        return {"DBSubnetGroup": shapes.subnet_group(self._state, name)}

    def delete_db_subnet_group(self, call: Call) -> None:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBSubnetGroup.html"""
        name = call.params["DBSubnetGroupName"].lower()
        shapes.subnet_group(self._state, name)
        users = [one.name for one in self._state.instances.values() if one.subnet_group == name]
        if users:
            raise AwsError(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnet group '{name}' because at least one database instance "
                f"still uses it: {', '.join(users)}.",
            )
        del self._state.subnet_groups[name]


def _check_count(changes: list[Any]) -> None:
    if not 1 <= len(changes) <= _AT_A_TIME:
        raise invalid_value(
            f"Between 1 and {_AT_A_TIME} parameters can be modified in one request."
        )


def _described(parameter: Parameter, group: ParameterGroup) -> dict[str, Any]:
    own = parameter.name in group.values
    value = group.values.get(parameter.name, parameter.default)
    shape: dict[str, Any] = {
        "ParameterName": parameter.name,
        "Description": parameter.description,
        "Source": "user" if own else "engine-default" if parameter.modifiable else "system",
        "ApplyType": "static" if parameter.static else "dynamic",
        "DataType": parameter.data_type,
        "IsModifiable": parameter.modifiable,
        "ApplyMethod": group.methods.get(
            parameter.name, "pending-reboot" if parameter.static else "immediate"
        ),
    }
    if value is not None:
        shape["ParameterValue"] = value
    if parameter.allowed is not None:
        shape["AllowedValues"] = parameter.allowed
    return shape
