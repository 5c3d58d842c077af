"""What the local AWS Backup knows, by region."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localcloud.api import AwsError, Call
from localcloud.cloud import Cloud

PAGE = 1000


@dataclass
class Vault:
    """A backup vault.

    members: the part of AWS's structure that is described as it is.
    policy: the access policy's document; None where there is none.
    notifications: topic and events; None where there are none.
    """

    members: dict[str, Any]
    policy: str | None = None
    notifications: dict[str, Any] | None = None


@dataclass
class Plan:
    """A backup plan with its selections, by their ids.

    document: the plan as GetBackupPlan shows it, defaults filled in.
    given: the plan as it was asked for; the same one cannot be created twice.
    deleted: when it was deleted; None for a living one.
    """

    members: dict[str, Any]
    document: dict[str, Any]
    given: dict[str, Any]
    selections: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: datetime | None = None


@dataclass
class RestoreTestingPlan:
    """A restore testing plan with its selections, by their names."""

    members: dict[str, Any]
    selections: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Region:
    """Everything of one region; tags are by ARN."""

    vaults: dict[str, Vault] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    restore_testing_plans: dict[str, RestoreTestingPlan] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    opted_in: dict[str, bool] = field(default_factory=dict)


class State:
    """The regions of one local cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._regions: defaultdict[str, Region] = defaultdict(Region)

    def region(self, call: Call) -> Region:
        """The region a call is made in."""
        return self._regions[call.region]

    def vault(self, call: Call) -> Vault:
        """The vault a call names. Raises ResourceNotFoundException."""
        found = self.region(call).vaults.get(call.params["BackupVaultName"])
        if found is None:
            raise not_found(f"Backup vault {call.params['BackupVaultName']} does not exist.")
        return found

    def plan(self, call: Call) -> Plan:
        """The plan a call names, a deleted one too. Raises ResourceNotFoundException."""
        found = self.region(call).plans.get(call.params["BackupPlanId"])
        if found is None:
            raise not_found(f"Backup plan {call.params['BackupPlanId']} does not exist.")
        return found

    def restore_testing_plan(self, call: Call) -> RestoreTestingPlan:
        """The restore testing plan a call names. Raises ResourceNotFoundException."""
        name = call.params["RestoreTestingPlanName"]
        found = self.region(call).restore_testing_plans.get(name)
        if found is None:
            raise not_found(f"Restore testing plan {name} does not exist.")
        return found

    def now(self) -> datetime:
        """The cloud's time."""
        return self.cloud.clock.now()

    def check_role(self, arn: str) -> None:
        """Refuse a role that does not exist. Raises InvalidParameterValueException."""
        if arn not in {role.arn for role in self.cloud.backend("iam").roles.values()}:
            raise invalid(f"The IAM role {arn} does not exist or cannot be assumed by AWS Backup.")


def arn(call: Call, kind: str, name: str) -> str:
    """ARN of a resource; kind is `backup-vault`, `backup-plan` or `restore-testing-plan`."""
    return f"arn:aws:backup:{call.region}:{call.account}:{kind}:{name}"


def not_found(message: str) -> AwsError:
    """ResourceNotFoundException."""
    return AwsError("ResourceNotFoundException", message)


def invalid(message: str) -> AwsError:
    """InvalidParameterValueException."""
    return AwsError("InvalidParameterValueException", message)


def exists(message: str) -> AwsError:
    """AlreadyExistsException."""
    return AwsError("AlreadyExistsException", message)


def page(call: Call, member: str, items: list[Any]) -> Mapping[str, Any]:
    """One page of a list: `items` from NextToken on, MaxResults of them (1,000 at most)."""
    token = call.params.get("NextToken") or "0"
    if not token.isdigit():
        raise invalid(f"Invalid NextToken: {token}")
    start, size = int(token), min(int(call.params.get("MaxResults") or PAGE), PAGE)
    answer: dict[str, Any] = {member: items[start : start + size]}
    if start + size < len(items):
        answer["NextToken"] = str(start + size)
    return answer
