"""Secrets Manager: moto's, with the rotation of secrets that another service manages.

The owning service rotates its secrets, without a Lambda function; a schedule is kept and described,
an immediate rotation really happens (RDS sets the new password in the database). A schedule does
not fire by itself here.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_managed.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud

SERVICE = "secretsmanager"
DEFAULT_DAYS = 7
_MOST_DAYS = 1000
_DAY = 86_400

Rotate = Callable[[str], None]


def start_schedule(secret: Any, days: int = DEFAULT_DAYS) -> None:
    """Turn on rotation of a secret every so many days; RDS begins with 7."""
    secret.rotation_requested = True
    secret.rotation_enabled = True
    secret.auto_rotate_after_days = days
    secret.next_rotation_date = int(time.time()) + days * _DAY


class ManagedRotation:
    """RotateSecret and CancelRotateSecret; `owners` says how each owning service rotates."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.owners: dict[str, Rotate] = {}

    def _secret(self, call: Call) -> Any:
        """The secret a call names, without its value. Raises ResourceNotFoundException."""
        backend = self._cloud.backend(SERVICE, call.region)
        secret = backend.describe_secret(call.params["SecretId"])
        if secret.is_deleted():
            raise _invalid_request("The secret is marked as deleted.")
        return secret

    def rotate_secret(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html"""
        secret, params = self._secret(call), call.params
        if secret.owning_service is None:
            if params.get("RotationLambdaARN"):
                raise NotReproducedError("Secrets Manager", "rotation by a Lambda function")
            raise _invalid_request(
                "You tried to enable rotation on a secret that doesn't already have a Lambda "
                "function ARN configured and you didn't include such an ARN as a parameter in "
                "this call."
            )
        if params.get("RotationLambdaARN"):
            raise _invalid_request("A managed secret is rotated by the service that owns it.")
        days = self._days(params.get("RotationRules") or {}, secret)
        if params.get("RotateImmediately") is not False:
            self.owners[secret.owning_service](secret.arn)
            secret.last_rotation_date = int(time.time())
        start_schedule(secret, days)
        return {"ARN": secret.arn, "Name": secret.name}

    def _days(self, rules: Mapping[str, Any], secret: Any) -> int:
        for member in ("ScheduleExpression", "Duration"):
            if rules.get(member):
                raise NotReproducedError("Secrets Manager", f"RotationRules with {member}")
        days = int(rules.get("AutomaticallyAfterDays") or secret.auto_rotate_after_days)
        if not 1 <= days <= _MOST_DAYS:
            raise AwsError(
                "InvalidParameterException",
                f"RotationRules.AutomaticallyAfterDays must be within 1-{_MOST_DAYS}.",
            )
        return days

    def cancel_rotate_secret(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CancelRotateSecret.html"""
        secret = self._secret(call)
        if not secret.rotation_requested:
            raise _invalid_request("The secret has no rotation that could be cancelled.")
        secret.rotation_enabled = False
        secret.next_rotation_date = None
        return {"ARN": secret.arn, "Name": secret.name}


def _invalid_request(message: str) -> AwsError:
    return AwsError("InvalidRequestException", message)


def register(cloud: Cloud) -> None:
    """Add what moto lacks."""
    rotation = ManagedRotation(cloud)
    rotation.owners["rds"] = lambda arn: cloud.parts["rds-rotate"](arn)
    cloud.api.replace(SERVICE, "RotateSecret", rotation.rotate_secret)
    cloud.api.replace(SERVICE, "CancelRotateSecret", rotation.cancel_rotate_secret)
