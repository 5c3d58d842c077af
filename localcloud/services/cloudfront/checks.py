"""What CloudFront refuses in a distribution's configuration, and what the local cloud does.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateDistribution.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from localcloud.api import AwsError, NotReproducedError
from localcloud.dataplane.viewer import covers

CERTIFICATE_REGION = "us-east-1"
# Least version and, where it is not the library's own choice, ciphers, by security policy:
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/secure-connections-supported-viewer-protocols-ciphers.html
SECURITY_POLICIES = ("TLSv1.2_2021", "TLSv1.3_2025")
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/creating-custom-error-pages.html
_ERROR_CODES = frozenset({400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504})
_METHODS = (
    frozenset({"GET", "HEAD"}),
    frozenset({"GET", "HEAD", "OPTIONS"}),
    frozenset({"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"}),
)
_DOCUMENTATION = (
    "For more details, see: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/"
    "CNAMEs.html#alternate-domain-names-requirements"
)


def aliases(config: Mapping[str, Any]) -> list[str]:
    """The alternate domain names of a configuration, in lower case."""
    return [name.lower() for name in config.get("Aliases", {}).get("Items", [])]


def certificate_arn(config: Mapping[str, Any]) -> str | None:
    """The ACM certificate of a configuration."""
    return config.get("ViewerCertificate", {}).get("ACMCertificateArn") or None


def check_reproduced(config: Mapping[str, Any]) -> None:
    """Refuse what would be accepted and then not happen. Raises NotReproducedError."""
    for origin in config["Origins"]["Items"]:
        if "CustomOriginConfig" in origin:
            raise NotReproducedError("cloudfront", "custom origins")
    if config.get("CacheBehaviors", {}).get("Quantity"):
        raise NotReproducedError("cloudfront", "cache behaviours besides the default one")
    if config.get("OriginGroups", {}).get("Quantity"):
        raise NotReproducedError("cloudfront", "origin groups")
    restriction = config.get("Restrictions", {}).get("GeoRestriction", {})
    if restriction.get("RestrictionType", "none") != "none":
        raise NotReproducedError("cloudfront", "geographic restrictions")
    behaviour = config["DefaultCacheBehavior"]
    if behaviour.get("LambdaFunctionAssociations", {}).get("Quantity"):
        raise NotReproducedError("cloudfront", "LambdaFunctionAssociations")
    for association in behaviour.get("FunctionAssociations", {}).get("Items", []):
        if association["EventType"] != "viewer-request":
            raise NotReproducedError("cloudfront", f"functions on {association['EventType']}")
    certificate = config.get("ViewerCertificate", {})
    if certificate.get("IAMCertificateId"):
        raise NotReproducedError("cloudfront", "certificates of IAM")
    if certificate.get("ACMCertificateArn"):
        if certificate.get("SSLSupportMethod") != "sni-only":
            raise NotReproducedError("cloudfront", "dedicated addresses for TLS")
        if certificate.get("MinimumProtocolVersion") not in SECURITY_POLICIES:
            raise NotReproducedError(
                "cloudfront", f"the security policy {certificate.get('MinimumProtocolVersion')}"
            )


def check_members(config: Mapping[str, Any]) -> None:
    """Refuse what AWS refuses by looking at the configuration alone. Raises AwsError."""
    behaviour = config["DefaultCacheBehavior"]
    names = {origin["Id"] for origin in config["Origins"]["Items"]}
    if behaviour["TargetOriginId"] not in names:
        raise AwsError(
            "NoSuchOrigin",
            f"No origin exists with the specified Origin Id {behaviour['TargetOriginId']}.",
            status=404,
        )
    allowed = behaviour.get("AllowedMethods", {}).get("Items")
    if allowed is not None and frozenset(allowed) not in _METHODS:
        raise AwsError(
            "InvalidArgument",
            "The parameter AllowedMethods must be GET and HEAD, these with OPTIONS, or all seven.",
        )
    for rule in config.get("CustomErrorResponses", {}).get("Items", []):
        _check_error_response(rule)


def _check_error_response(rule: Mapping[str, Any]) -> None:
    """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CustomErrorResponse.html"""
    if rule["ErrorCode"] not in _ERROR_CODES:
        raise AwsError(
            "InvalidErrorCode", f"An invalid error code was specified: {rule['ErrorCode']}."
        )
    code, page = rule.get("ResponseCode") or "", rule.get("ResponsePagePath") or ""
    if bool(code) != bool(page):
        raise AwsError(
            "InvalidArgument",
            "Specify both ResponseCode and ResponsePagePath, or neither of them.",
        )
    if code and (not code.isdigit() or int(code) not in _ERROR_CODES | {200}):
        raise AwsError("InvalidResponseCode", f"A response code is not valid: {code}.")
    if page and not page.startswith("/"):
        raise AwsError("InvalidRelativePath", "The response page path must begin with /.")


def check_aliases(wanted: Iterable[str], taken: Iterable[str]) -> None:
    """Refuse an alias that another distribution has. Raises AwsError CNAMEAlreadyExists."""
    if set(wanted) & set(taken):
        raise AwsError(
            "CNAMEAlreadyExists",
            "One or more of the CNAMEs you provided are already associated with a different "
            "resource.",
            status=409,
        )


def check_certificate(config: Mapping[str, Any], issued: Mapping[str, list[str]]) -> None:
    """Refuse aliases that no certificate proves. Raises AwsError InvalidViewerCertificate.

    issued: the names of each issued certificate in us-east-1, by ARN.
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/CNAMEs.html#alternate-domain-names-requirements
    """
    arn, names = certificate_arn(config), aliases(config)
    if arn is None:
        if names:
            raise AwsError(
                "InvalidViewerCertificate",
                "To add an alternate domain name (CNAME) to a CloudFront distribution, you must "
                "attach a trusted certificate that validates your authorization to use the domain "
                f"name. {_DOCUMENTATION}",
            )
        return
    if arn not in issued:
        raise AwsError(
            "InvalidViewerCertificate",
            "The specified SSL certificate doesn't exist, isn't in us-east-1 region, isn't valid, "
            "or doesn't include a valid certificate chain.",
        )
    if not all(covers(issued[arn], name) for name in names):
        raise AwsError(
            "InvalidViewerCertificate",
            "The certificate that is attached to your distribution doesn't cover the alternate "
            f"domain name (CNAME) that you're trying to add. {_DOCUMENTATION}",
        )
