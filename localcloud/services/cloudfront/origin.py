"""An S3 origin: objects, if the bucket's policy lets the distribution read them."""

from __future__ import annotations

import fnmatch
import json
import re
from typing import Any

from localcloud.cloud import Cloud
from localcloud.dataplane.viewer import Response

_S3_ORIGIN = re.compile(r"^(?P<bucket>.+)\.s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com$")


def policy_allows(policy: str | None, bucket: str, key: str, distribution_arn: str) -> bool:
    """True when a bucket policy lets CloudFront read an object for this distribution. Pure.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html
    """
    statements = json.loads(policy).get("Statement", []) if policy else []
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal")
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        resource = f"arn:aws:s3:::{bucket}/{key}"
        if (
            statement.get("Effect") == "Allow"
            and "cloudfront.amazonaws.com" in _as_list(services)
            and any(
                action in ("s3:GetObject", "s3:*") for action in _as_list(statement.get("Action"))
            )
            and any(
                fnmatch.fnmatchcase(resource, name) for name in _as_list(statement.get("Resource"))
            )
            and _condition_holds(statement.get("Condition", {}), distribution_arn)
        ):
            return True
    return False


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _condition_holds(condition: dict[str, Any], distribution_arn: str) -> bool:
    """Only conditions on the distribution's ARN are known; any other does not hold."""
    for operator, keys in condition.items():
        for key, wanted in keys.items():
            if key.lower() != "aws:sourcearn":
                return False
            if operator in ("StringEquals", "ArnEquals"):
                holds = distribution_arn in _as_list(wanted)
            elif operator in ("StringLike", "ArnLike"):
                holds = any(fnmatch.fnmatchcase(distribution_arn, w) for w in _as_list(wanted))
            else:
                holds = False
            if not holds:
                return False
    return True


def fetch(
    cloud: Cloud, origin: dict[str, Any], method: str, path: str, distribution_arn: str
) -> Response:
    """The origin's answer. Only GET and HEAD can succeed: nothing writes through a distribution.

    S3 answers 405 to a POST of an object, and 403 to what the policy does not allow and to
    cross-origin preflights of a bucket without CORS:
    https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """
    match = _S3_ORIGIN.match(origin["DomainName"])
    if match is None:
        return Response(502, body=b"the origin is not an S3 bucket\n")
    if method in ("POST", "PATCH"):
        return Response(405, body=b"MethodNotAllowed\n")
    if method not in ("GET", "HEAD"):
        return Response(403, body=b"AccessDenied\n")
    bucket_name = match["bucket"]
    key = (origin.get("OriginPath", "") + path).lstrip("/")
    with cloud.lock:
        bucket = cloud.backend("s3").buckets.get(bucket_name)
        if bucket is None:
            return Response(404, body=b"NoSuchBucket\n")
        policy = bucket.policy
        text = policy.decode() if isinstance(policy, bytes) else policy
        found = bucket.keys.get(key)
        # Without s3:ListBucket S3 hides that an object is absent.
        if found is None or not policy_allows(text, bucket_name, key, distribution_arn):
            return Response(403, body=b"AccessDenied\n")
        headers = {
            "Content-Type": found.metadata.get("Content-Type") or "binary/octet-stream",
            "ETag": found.etag,
        }
        for name in ("Cache-Control", "Content-Encoding"):
            if found.metadata.get(name):
                headers[name] = found.metadata[name]
        return Response(200, headers, bytes(found.value))
