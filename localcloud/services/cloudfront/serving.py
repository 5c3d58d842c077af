"""What a distribution answers, in CloudFront's order: method, function, cache, origin, headers.

Whatever answers a POST, too, must be a function: a method that the behaviour does not allow gets
CloudFront's own 403, which no page promises a custom error response for, and S3 answers a POST that
is let through with 405. So a page that is to say 503 to everything allows all seven methods and has a
function on viewer-request make the answer, with the headers it needs: it is documented nowhere that a
response headers policy is added to what a function made, so here it is not.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/http-403-invalid-method.html
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from localcloud.cloud import Cloud
from localcloud.dataplane.cdn import Cache, Certificate
from localcloud.dataplane.viewer import Request, Response, covers
from localcloud.services.cloudfront import checks, headers, origin

if TYPE_CHECKING:
    from localcloud.services.cloudfront.distributions import CloudFront, Distribution

_FROM_ERROR = "Error from cloudfront"
# How long an error is cached without a custom error response, in cloud seconds:
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/HTTPStatusCodes.html
_ERROR_SECONDS = 10.0
_OLD_CACHE_SETTINGS = {"MinTTL": 0, "DefaultTTL": 86400, "MaxTTL": 31536000}


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


def refusal(text: str, status: int = 403) -> Response:
    """An error page of CloudFront's own."""
    return Response(
        status,
        {"Content-Type": "text/html"},
        f"<H1>{status} ERROR</H1>\nThe request could not be satisfied.\n{text}\n".encode(),
        source=_FROM_ERROR,
    )


def error_rule(config: dict[str, Any], status: int) -> dict[str, Any] | None:
    """The custom error response of a status. Pure."""
    for rule in config.get("CustomErrorResponses", {}).get("Items", []):
        if rule["ErrorCode"] == status:
            found: dict[str, Any] = rule
            return found
    return None


class Site:
    """One distribution's content, as of its last deployment."""

    def __init__(self, cloud: Cloud, distribution: Distribution, service: CloudFront) -> None:
        self._cloud, self._distribution, self._service = cloud, distribution, service
        self.cache = Cache()

    @property
    def _config(self) -> dict[str, Any]:
        return self._distribution.deployed

    def plain_http(self) -> str:
        """What happens to plain HTTP: allow-all, redirect-to-https or https-only."""
        return str(self._config["DefaultCacheBehavior"]["ViewerProtocolPolicy"])

    def certificate(self) -> Certificate | None:
        """What is served to viewers that name an alias (SNI); the address has one of its own."""
        arn = checks.certificate_arn(self._config)
        if arn is None:
            return None
        found = self._cloud.parts["acm"].find(arn)
        return Certificate(
            found.served,
            found.key.decode(),
            tuple(checks.aliases(self._config)),
            self._config["ViewerCertificate"]["MinimumProtocolVersion"],
        )

    def answer(self, request: Request) -> Response:
        """The answer to a viewer."""
        behaviour = self._config["DefaultCacheBehavior"]
        if request.host != self._distribution.address and not covers(
            checks.aliases(self._config), request.host
        ):
            # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/http-403-permission-denied.html
            return refusal("Bad request: no distribution has this alternate domain name.")
        if request.method not in behaviour["AllowedMethods"]["Items"]:
            return refusal(
                "This distribution is not configured to allow the HTTP request method that was "
                "used for this request."
            )
        for association in behaviour["FunctionAssociations"].get("Items", []):
            result = self._service.functions.viewer_request(
                association["FunctionARN"],
                request,
                self._distribution.id,
                self._distribution.address,
            )
            if isinstance(result, Response):
                return result
            request = result
        response = self._cached(request).copy()
        policy = behaviour.get("ResponseHeadersPolicyId")
        if policy:
            entry = self._service.headers_policies.entry(policy)
            response.headers = headers.applied(entry.config, response.headers)
        return response

    def _cached(self, request: Request) -> Response:
        """From the cache, else from the origin; only answers to GET and HEAD are kept."""
        cacheable = request.method in ("GET", "HEAD")
        now = time.monotonic()
        if cacheable and (hit := self.cache.get(request.path, now)) is not None:
            hit = hit.copy()
            hit.source = "Hit from cloudfront" if hit.status < 400 else _FROM_ERROR
            return hit
        response = self._fetched(request)
        if cacheable and response.ttl > 0:
            until = now + self._cloud.clock.wall(response.ttl)
            self.cache.put(request.path, response, until)
        return response

    def _fetched(self, request: Request) -> Response:
        """The origin's answer, or what a custom error response makes of it."""
        path = request.path
        if path == "/" and self._config.get("DefaultRootObject"):
            path = "/" + self._config["DefaultRootObject"]
        response = self._from_origin(request.method, path)
        if response.status < 400:
            response.ttl = time_to_live(
                response.headers.get("Cache-Control", ""), self._cache_settings()
            )
            return response
        rule = error_rule(self._config, response.status)
        ttl = float(rule.get("ErrorCachingMinTTL", _ERROR_SECONDS)) if rule else _ERROR_SECONDS
        if rule and rule.get("ResponsePagePath"):
            page = self._from_origin("GET", rule["ResponsePagePath"])
            # A page that cannot be had gives the status with which its origin refused it:
            # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/custom-error-pages.html
            status = int(rule["ResponseCode"]) if page.status == 200 else page.status
            response = Response(status, page.headers, page.body)
        response.ttl, response.source = ttl, _FROM_ERROR
        return response

    def _cache_settings(self) -> dict[str, Any]:
        behaviour = self._config["DefaultCacheBehavior"]
        if behaviour.get("CachePolicyId"):
            return self._service.cache_policies.entry(behaviour["CachePolicyId"]).config
        return {name: behaviour.get(name, value) for name, value in _OLD_CACHE_SETTINGS.items()}

    def _from_origin(self, method: str, path: str) -> Response:
        wanted = self._config["DefaultCacheBehavior"]["TargetOriginId"]
        chosen = next(o for o in self._config["Origins"]["Items"] if o["Id"] == wanted)
        return origin.fetch(self._cloud, chosen, method, path, self._distribution.arn)
