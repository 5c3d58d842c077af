"""What a distribution answers: objects of its S3 origin, if the bucket's policy lets it read them."""

from __future__ import annotations

import fnmatch
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localcloud.cloud import Cloud

if TYPE_CHECKING:
    from localcloud.services.cloudfront.distributions import CloudFront, Distribution

_S3_ORIGIN = re.compile(r"^(?P<bucket>.+)\.s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com$")


@dataclass
class Response:
    """An answer before the viewer's side is added. ttl: cloud seconds it may be cached."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ttl: float = 0.0


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


def time_to_live(cache_control: str, policy: dict[str, Any]) -> float:
    """Cloud seconds an object is cached, from its Cache-Control and the cache policy. Pure.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Expiration.html
    """
    minimum, maximum = float(policy["MinTTL"]), float(policy["MaxTTL"])
    if re.search(r"no-cache|no-store|private", cache_control):
        return minimum
    found = re.search(r"s-maxage=(\d+)", cache_control) or re.search(
        r"max-age=(\d+)", cache_control
    )
    wanted = float(found[1]) if found else float(policy["DefaultTTL"])
    return min(max(wanted, minimum), maximum)


def security_headers(policy: dict[str, Any]) -> dict[str, str]:
    """Headers that a response headers policy adds. Pure.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/understanding-response-headers-policies.html
    """
    security = policy.get("SecurityHeadersConfig", {})
    headers = {}
    if "XSSProtection" in security:
        on = security["XSSProtection"]["Protection"]
        block = "; mode=block" if security["XSSProtection"].get("ModeBlock") else ""
        headers["X-XSS-Protection"] = f"1{block}" if on else "0"
    if "FrameOptions" in security:
        headers["X-Frame-Options"] = security["FrameOptions"]["FrameOption"]
    if "ReferrerPolicy" in security:
        headers["Referrer-Policy"] = security["ReferrerPolicy"]["ReferrerPolicy"]
    if "ContentSecurityPolicy" in security:
        headers["Content-Security-Policy"] = security["ContentSecurityPolicy"][
            "ContentSecurityPolicy"
        ]
    if "ContentTypeOptions" in security:
        headers["X-Content-Type-Options"] = "nosniff"
    if "StrictTransportSecurity" in security:
        transport = security["StrictTransportSecurity"]
        headers["Strict-Transport-Security"] = (
            f"max-age={transport['AccessControlMaxAgeSec']}"
            + ("; includeSubDomains" if transport.get("IncludeSubdomains") else "")
            + ("; preload" if transport.get("Preload") else "")
        )
    for header in policy.get("CustomHeadersConfig", {}).get("Items", []):
        headers[header["Header"]] = header["Value"]
    return headers


class Site:
    """One distribution's content."""

    def __init__(self, cloud: Cloud, distribution: Distribution, service: CloudFront) -> None:
        self._cloud, self._distribution, self._service = cloud, distribution, service

    def redirects_to_https(self) -> bool:
        """Whether plain HTTP is redirected."""
        policy = self._distribution.config["DefaultCacheBehavior"]["ViewerProtocolPolicy"]
        return bool(policy == "redirect-to-https")

    def names(self) -> list[str]:
        """Names the certificate must have: the aliases and the address."""
        return list(self._distribution.config.get("Aliases", {}).get("Items", []))

    def fetch(self, path: str) -> Response:
        """The answer for a path, custom error responses and added headers included."""
        config = self._distribution.config
        if path == "/" and config.get("DefaultRootObject"):
            path = "/" + config["DefaultRootObject"]
        response = self._from_origin(path)
        if response.status >= 400:
            response = self._custom_error(response)
        policy = config["DefaultCacheBehavior"].get("ResponseHeadersPolicyId")
        if policy:
            response.headers.update(
                security_headers(self._service.headers_policies.entry(policy).config)
            )
        return response

    def _custom_error(self, response: Response) -> Response:
        for rule in self._distribution.config.get("CustomErrorResponses", {}).get("Items", []):
            if rule["ErrorCode"] == response.status and rule.get("ResponsePagePath"):
                page = self._from_origin(rule["ResponsePagePath"])
                if page.status == 200:
                    page.status = int(rule.get("ResponseCode") or response.status)
                    page.ttl = float(rule.get("ErrorCachingMinTTL", 10))
                    return page
        return response

    def _from_origin(self, path: str) -> Response:
        behaviour = self._distribution.config["DefaultCacheBehavior"]
        origin = next(
            o
            for o in self._distribution.config["Origins"]["Items"]
            if o["Id"] == behaviour["TargetOriginId"]
        )
        match = _S3_ORIGIN.match(origin["DomainName"])
        if match is None:
            return Response(502, body=b"the origin is not an S3 bucket\n")
        bucket_name = match["bucket"]
        key = (origin.get("OriginPath", "") + path).lstrip("/")
        with self._cloud.lock:
            buckets = self._cloud.backend("s3").buckets
            bucket = buckets.get(bucket_name)
            if bucket is None:
                return Response(404, body=b"NoSuchBucket\n")
            policy = bucket.policy
            text = policy.decode() if isinstance(policy, bytes) else policy
            if not policy_allows(text, bucket_name, key, self._distribution.arn):
                return Response(403, body=b"AccessDenied\n")
            found = bucket.keys.get(key)
            # Without s3:ListBucket S3 hides that an object is absent.
            if found is None:
                return Response(403, body=b"AccessDenied\n")
            headers = {
                "Content-Type": found.metadata.get("Content-Type") or "binary/octet-stream",
                "ETag": found.etag,
            }
            for name in ("Cache-Control", "Content-Encoding"):
                if found.metadata.get(name):
                    headers[name] = found.metadata[name]
            body = bytes(found.value)
        ttl = 0.0
        if behaviour.get("CachePolicyId"):
            cache_policy = self._service.cache_policies.entry(behaviour["CachePolicyId"]).config
            ttl = time_to_live(headers.get("Cache-Control", ""), cache_policy)
        return Response(200, headers, body, ttl)
