"""S3: moto's, with the one condition of bucket policies that this cloud's plain HTTP stands in for.

moto evaluates a bucket policy without its conditions, so `Deny unless aws:SecureTransport` would
deny everything. A call to this cloud's endpoint counts as one over TLS, as every call to AWS's is:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-securetransport
"""

from __future__ import annotations

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket

from localcloud.cloud import Cloud

INSECURE_TRANSPORT = {"Bool": {"aws:SecureTransport": "false"}}


def applicable(policy: dict[str, Any]) -> dict[str, Any]:
    """`policy` without the statements that concern calls without TLS alone."""
    statements = policy.get("Statement", [])
    if isinstance(statements, dict):
        statements = [statements]
    kept = [s for s in statements if s.get("Condition") != INSECURE_TRANSPORT]
    return {**policy, "Statement": kept}


def _permission(bucket: FakeBucket, action: str, resource: str) -> Any:
    policy = applicable(json.loads(bucket.policy)) if bucket.policy else {"Statement": []}
    if not policy["Statement"]:
        return PermissionResult.NEUTRAL
    return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)


def register(cloud: Cloud) -> None:  # noqa: ARG001 - every service registers with its cloud
    """Extend moto's buckets."""
    FakeBucket.get_permission = _permission  # type: ignore[method-assign,assignment]
