"""Backup plans and what they back up."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from localcloud.api import AwsError, Call
from localcloud.services.backup.state import Plan, State, arn, exists, invalid, not_found, page

_COLD_DAYS = 90
_MOST_CONTINUOUS_DAYS = 35


def check_rules(rules: list[dict[str, Any]]) -> None:
    """What AWS documents of a plan's rules. Raises InvalidParameterValueException.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_BackupRuleInput.html
    https://docs.aws.amazon.com/aws-backup/latest/devguide/point-in-time-recovery.html
    """
    if not rules:
        raise invalid("A plan has at least one rule.")
    names = [rule["RuleName"] for rule in rules]
    if len(set(names)) != len(names):
        raise invalid(f"Two rules have the same name: {', '.join(sorted(names))}.")
    for rule in rules:
        _check_lifecycle(rule.get("Lifecycle") or {})
        for copy in rule.get("CopyActions") or []:
            _check_lifecycle(copy.get("Lifecycle") or {})
        days = (rule.get("Lifecycle") or {}).get("DeleteAfterDays")
        if rule.get("EnableContinuousBackup") and not 1 <= (days or 0) <= _MOST_CONTINUOUS_DAYS:
            raise invalid(
                f"Rule {rule['RuleName']}: a continuous backup is kept for 1 to "
                f"{_MOST_CONTINUOUS_DAYS} days."
            )


def _check_lifecycle(lifecycle: Mapping[str, Any]) -> None:
    cold, gone = lifecycle.get("MoveToColdStorageAfterDays"), lifecycle.get("DeleteAfterDays")
    if cold is not None and gone is not None and 0 <= gone < cold + _COLD_DAYS:
        raise invalid(
            f"DeleteAfterDays must be {_COLD_DAYS} days greater than MoveToColdStorageAfterDays."
        )


def with_defaults(plan: Mapping[str, Any]) -> dict[str, Any]:
    """A plan as AWS describes it: what was not asked for has its documented default."""
    document = deepcopy(dict(plan))
    for rule in document["Rules"]:
        rule.setdefault("ScheduleExpression", "cron(0 5 ? * * *)")
        rule.setdefault("ScheduleExpressionTimezone", "Etc/UTC")
        rule.setdefault("StartWindowMinutes", 480)
        rule.setdefault("CompletionWindowMinutes", 10080)
        rule.setdefault("EnableContinuousBackup", False)
        rule["RuleId"] = str(uuid.uuid4())
    return document


class PlanApi:
    """Operations on backup plans and backup selections."""

    def __init__(self, state: State) -> None:
        self._state = state

    def create_backup_plan(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupPlan.html"""
        given, region = call.params["BackupPlan"], self._state.region(call)
        self._check(call, given)
        if any(plan.given == given for plan in region.plans.values() if plan.deleted is None):
            raise exists("Backup plan with the same plan document already exists.")
        plan_id = str(uuid.uuid4())
        members: dict[str, Any] = {
            "BackupPlanId": plan_id,
            "BackupPlanArn": arn(call, "backup-plan", plan_id),
            "CreationDate": self._state.now(),
            "VersionId": secrets.token_urlsafe(36),
        }
        if call.params.get("CreatorRequestId"):
            members["CreatorRequestId"] = call.params["CreatorRequestId"]
        region.plans[plan_id] = Plan(members, with_defaults(given), deepcopy(given))
        region.tags[members["BackupPlanArn"]] = dict(call.params.get("BackupPlanTags") or {})
        return members

    def _check(self, call: Call, plan: Mapping[str, Any]) -> None:
        check_rules(plan["Rules"])
        vaults = self._state.region(call).vaults
        for rule in plan["Rules"]:
            if rule["TargetBackupVaultName"] not in vaults:
                raise invalid(f"Backup vault {rule['TargetBackupVaultName']} does not exist.")

    def update_backup_plan(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_UpdateBackupPlan.html"""
        plan, given = self._living(call), call.params["BackupPlan"]
        self._check(call, given)
        plan.document, plan.given = with_defaults(given), deepcopy(given)
        plan.members["VersionId"] = secrets.token_urlsafe(36)
        return plan.members

    def get_backup_plan(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_GetBackupPlan.html"""
        plan = self._state.plan(call)
        version = call.params.get("VersionId")
        if version and version != plan.members["VersionId"]:
            raise not_found(f"Version {version} of the backup plan is not kept.")
        answer = {**plan.members, "BackupPlan": plan.document}
        if plan.deleted is not None:
            answer["DeletionDate"] = plan.deleted
        return answer

    def list_backup_plans(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListBackupPlans.html"""
        plans = [
            {**plan.members, "BackupPlanName": plan.document["BackupPlanName"]}
            for plan in self._state.region(call).plans.values()
            if plan.deleted is None or call.params.get("IncludeDeleted")
        ]
        return page(call, "BackupPlansList", plans)

    def delete_backup_plan(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteBackupPlan.html"""
        plan = self._living(call)
        if plan.selections:
            raise AwsError(
                "InvalidRequestException",
                "Related backup plan selections must be deleted prior to the backup plan.",
            )
        plan.deleted = self._state.now()
        self._state.region(call).tags.pop(plan.members["BackupPlanArn"], None)
        return {**plan.members, "DeletionDate": plan.deleted}

    def _living(self, call: Call) -> Plan:
        plan = self._state.plan(call)
        if plan.deleted is not None:
            raise not_found(f"Backup plan {call.params['BackupPlanId']} was deleted.")
        return plan

    # Selections

    def create_backup_selection(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupSelection.html"""
        plan, selection = self._living(call), call.params["BackupSelection"]
        if not any(selection.get(member) for member in ("Resources", "ListOfTags", "Conditions")):
            raise invalid("A selection names resources, tags or conditions.")
        self._state.check_role(selection["IamRoleArn"])
        name = selection["SelectionName"]
        if any(
            kept["BackupSelection"]["SelectionName"] == name for kept in plan.selections.values()
        ):
            raise exists(f"Backup selection {name} already exists.")
        kept: dict[str, Any] = {
            "SelectionId": str(uuid.uuid4()),
            "BackupPlanId": call.params["BackupPlanId"],
            "CreationDate": self._state.now(),
            "BackupSelection": deepcopy(selection),
        }
        if call.params.get("CreatorRequestId"):
            kept["CreatorRequestId"] = call.params["CreatorRequestId"]
        plan.selections[kept["SelectionId"]] = kept
        return {name: kept[name] for name in ("SelectionId", "BackupPlanId", "CreationDate")}

    def _selection(self, call: Call) -> dict[str, Any]:
        found = self._state.plan(call).selections.get(call.params["SelectionId"])
        if found is None:
            # The provider recognises a selection that is gone by this code and sentence only.
            raise invalid(f"Cannot find Backup selection {call.params['SelectionId']}")
        return found

    def get_backup_selection(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_GetBackupSelection.html"""
        return self._selection(call)

    def list_backup_selections(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListBackupSelections.html"""
        shown = [
            {
                **{name: value for name, value in kept.items() if name != "BackupSelection"},
                "SelectionName": kept["BackupSelection"]["SelectionName"],
                "IamRoleArn": kept["BackupSelection"]["IamRoleArn"],
            }
            for kept in self._state.plan(call).selections.values()
        ]
        return page(call, "BackupSelectionsList", shown)

    def delete_backup_selection(self, call: Call) -> None:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteBackupSelection.html"""
        self._selection(call)
        del self._state.plan(call).selections[call.params["SelectionId"]]
