"""One RDS instance: looked up, and deleted whoever else deletes it too."""

from __future__ import annotations

from typing import Any

from .lyo_aws import Aws, AwsFailure

DELETING = "deleting"
_GONE = frozenset({"DBInstanceNotFound", "DBInstanceNotFoundFault"})


def find(aws: Aws, identifier: str) -> dict[str, Any] | None:
    """Return an instance, None where there is none."""
    try:
        answer = aws.call("rds", "describe_db_instances", DBInstanceIdentifier=identifier)
    except AwsFailure as failure:
        if failure.code in _GONE:
            return None
        raise
    found: list[dict[str, Any]] = answer.get("DBInstances") or []
    return found[0] if found else None


def delete(aws: Aws, identifier: str, **how: Any) -> None:
    """Ask RDS to delete an instance; one that is gone or going is no failure.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html

    :param how: ``SkipFinalSnapshot`` and the like.
    """
    try:
        aws.call("rds", "delete_db_instance", DBInstanceIdentifier=identifier, **how)
    except AwsFailure as failure:
        if failure.code in _GONE:
            return
        # Somebody, or a call of ours whose answer was lost, was faster.
        now = find(aws, identifier)
        if now is not None and now["DBInstanceStatus"] != DELETING:
            raise
