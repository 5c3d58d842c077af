"""Restore testing: plans and selections. Nothing is restored: there are no recovery points.

https://docs.aws.amazon.com/aws-backup/latest/devguide/restore-testing.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from localcloud.api import AwsError, Call
from localcloud.services.backup.state import (
    RestoreTestingPlan,
    State,
    arn,
    exists,
    invalid,
    not_found,
    page,
)

_NAME = re.compile(r"[a-zA-Z0-9_]{1,50}")
_MOST_HOURS = 168
_MOST_WINDOW_DAYS = 365
# Keys that may be overridden for an RDS instance, in lower case: AWS compares without case.
# https://docs.aws.amazon.com/aws-backup/latest/devguide/restore-testing-inferred-metadata.html
_RDS_OVERRIDES = frozenset(
    name.lower()
    for name in (
        "allocatedStorage",
        "availabilityZone",
        "dbInstanceClass",
        "dbName",
        "dbParameterGroupName",
        "dbSubnetGroupName",
        "domain",
        "domainIamRoleName",
        "enableCloudwatchLogsExports",
        "enableIamDatabaseAuthentication",
        "iops",
        "licensemodel",
        "multiAz",
        "optionGroupName",
        "port",
        "processorFeatures",
        "publiclyAccessible",
        "storageType",
        "vpcSecurityGroupIds",
    )
)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise invalid(f"{name}: a name has 1 to 50 letters, digits and underscores.")


def _check_hours(hours: int | None, least: int, member: str) -> None:
    if hours is not None and not least <= hours <= _MOST_HOURS:
        raise invalid(f"{member} must be from {least} to {_MOST_HOURS} hours.")


def check_plan(plan: Mapping[str, Any]) -> None:
    """What AWS documents of a plan. Raises InvalidParameterValueException.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_RestoreTestingPlanForCreate.html
    """
    points = plan.get("RecoveryPointSelection") or {}
    days = points.get("SelectionWindowDays")
    if days is not None and not 1 <= days <= _MOST_WINDOW_DAYS:
        raise invalid(f"SelectionWindowDays must be from 1 to {_MOST_WINDOW_DAYS}.")
    if not points.get("IncludeVaults"):
        raise invalid("IncludeVaults names at least one vault, or is *.")
    if not points.get("RecoveryPointTypes") or not points.get("Algorithm"):
        raise invalid("RecoveryPointSelection needs Algorithm and RecoveryPointTypes.")
    _check_hours(plan.get("StartWindowHours"), 1, "StartWindowHours")


def check_selection(selection: Mapping[str, Any]) -> None:
    """What AWS documents of a selection. Raises InvalidParameterValueException.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_RestoreTestingSelectionForCreate.html
    """
    _check_hours(selection.get("ValidationWindowHours"), 0, "ValidationWindowHours")
    if selection.get("ProtectedResourceArns") and selection.get("ProtectedResourceConditions"):
        raise invalid("ProtectedResourceArns and ProtectedResourceConditions exclude each other.")
    overrides = {key.lower() for key in selection.get("RestoreMetadataOverrides") or {}}
    unknown = overrides - _RDS_OVERRIDES
    if selection.get("ProtectedResourceType") == "RDS" and unknown:
        raise invalid(f"Cannot be overridden for RDS: {', '.join(sorted(unknown))}.")


class RestoreTestingApi:
    """Operations on restore testing plans and selections."""

    def __init__(self, state: State) -> None:
        self._state = state

    def create_restore_testing_plan(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateRestoreTestingPlan.html"""
        given, region = call.params["RestoreTestingPlan"], self._state.region(call)
        name = given["RestoreTestingPlanName"]
        _check_name(name)
        check_plan(given)
        if name in region.restore_testing_plans:
            raise exists(f"Restore testing plan {name} already exists.")
        members = {
            "ScheduleExpressionTimezone": "Etc/UTC",
            "StartWindowHours": 24,
            **deepcopy(given),
            "RestoreTestingPlanArn": arn(call, "restore-testing-plan", name),
            "CreationTime": self._state.now(),
        }
        members["RecoveryPointSelection"].setdefault("ExcludeVaults", [])
        members["RecoveryPointSelection"].setdefault("SelectionWindowDays", 30)
        if call.params.get("CreatorRequestId"):
            members["CreatorRequestId"] = call.params["CreatorRequestId"]
        region.restore_testing_plans[name] = RestoreTestingPlan(members)
        region.tags[members["RestoreTestingPlanArn"]] = dict(call.params.get("Tags") or {})
        return _named(members, "CreationTime")

    def update_restore_testing_plan(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_UpdateRestoreTestingPlan.html"""
        members = self._state.restore_testing_plan(call).members
        changes = deepcopy(call.params["RestoreTestingPlan"])
        points = members["RecoveryPointSelection"] | changes.pop("RecoveryPointSelection", {})
        changed = members | changes | {"RecoveryPointSelection": points}
        check_plan(changed)
        members.update(changed, LastUpdateTime=self._state.now())
        return _named(members, "CreationTime", "LastUpdateTime")

    def get_restore_testing_plan(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_GetRestoreTestingPlan.html"""
        return {"RestoreTestingPlan": self._state.restore_testing_plan(call).members}

    def list_restore_testing_plans(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListRestoreTestingPlans.html"""
        plans = self._state.region(call).restore_testing_plans.values()
        return page(call, "RestoreTestingPlans", [plan.members for plan in plans])

    def delete_restore_testing_plan(self, call: Call) -> None:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteRestoreTestingPlan.html"""
        plan, region = self._state.restore_testing_plan(call), self._state.region(call)
        if plan.selections:
            raise AwsError(
                "InvalidRequestException",
                "The plan's restore testing selections must be deleted before it.",
            )
        del region.restore_testing_plans[plan.members["RestoreTestingPlanName"]]
        region.tags.pop(plan.members["RestoreTestingPlanArn"], None)

    # Selections

    def create_restore_testing_selection(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateRestoreTestingSelection.html"""
        plan, given = self._state.restore_testing_plan(call), call.params["RestoreTestingSelection"]
        name = given["RestoreTestingSelectionName"]
        _check_name(name)
        check_selection(given)
        self._state.check_role(given["IamRoleArn"])
        if name in plan.selections:
            raise exists(f"Restore testing selection {name} already exists.")
        plan.selections[name] = {
            "ValidationWindowHours": 0,
            **deepcopy(given),
            "RestoreTestingPlanName": plan.members["RestoreTestingPlanName"],
            "CreationTime": self._state.now(),
        }
        return {
            **_named(plan.members),
            "RestoreTestingSelectionName": name,
            "CreationTime": plan.selections[name]["CreationTime"],
        }

    def _selection(self, call: Call) -> dict[str, Any]:
        name = call.params["RestoreTestingSelectionName"]
        found = self._state.restore_testing_plan(call).selections.get(name)
        if found is None:
            raise not_found(f"Restore testing selection {name} does not exist.")
        return found

    def update_restore_testing_selection(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_UpdateRestoreTestingSelection.html"""
        kept, changes = self._selection(call), call.params["RestoreTestingSelection"]
        check_selection({**kept, **changes})
        if changes.get("IamRoleArn"):
            self._state.check_role(changes["IamRoleArn"])
        kept.update(deepcopy(changes))
        return {
            **_named(self._state.restore_testing_plan(call).members),
            "RestoreTestingSelectionName": kept["RestoreTestingSelectionName"],
            "CreationTime": kept["CreationTime"],
            "UpdateTime": self._state.now(),
        }

    def get_restore_testing_selection(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_GetRestoreTestingSelection.html"""
        return {"RestoreTestingSelection": self._selection(call)}

    def list_restore_testing_selections(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListRestoreTestingSelections.html"""
        selections = list(self._state.restore_testing_plan(call).selections.values())
        return page(call, "RestoreTestingSelections", selections)

    def delete_restore_testing_selection(self, call: Call) -> None:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteRestoreTestingSelection.html"""
        self._selection(call)
        plan = self._state.restore_testing_plan(call)
        del plan.selections[call.params["RestoreTestingSelectionName"]]


def _named(members: Mapping[str, Any], *more: str) -> dict[str, Any]:
    return {
        name: members[name]
        for name in ("RestoreTestingPlanArn", "RestoreTestingPlanName", *more)
        if name in members
    }
