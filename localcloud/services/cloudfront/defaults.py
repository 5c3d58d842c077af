"""What CloudFront adds to a configuration that leaves members out. Pure.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DistributionConfig.html
https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DefaultCacheBehavior.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NONE: dict[str, Any] = {"Quantity": 0}
_NOBODY = {"Enabled": False, "Quantity": 0}

_DISTRIBUTION: dict[str, Any] = {
    "Aliases": _NONE,
    "DefaultRootObject": "",
    "OriginGroups": _NONE,
    "CacheBehaviors": _NONE,
    "CustomErrorResponses": _NONE,
    "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
    "PriceClass": "PriceClass_All",
    "ViewerCertificate": {
        "CloudFrontDefaultCertificate": True,
        "SSLSupportMethod": "vip",
        "MinimumProtocolVersion": "TLSv1",
        "CertificateSource": "cloudfront",
    },
    "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
    "WebACLId": "",
    "HttpVersion": "http2",
    "IsIPV6Enabled": True,
    "ContinuousDeploymentPolicyId": "",
    "Staging": False,
}
_BEHAVIOUR: dict[str, Any] = {
    "TrustedSigners": _NOBODY,
    "TrustedKeyGroups": _NOBODY,
    "AllowedMethods": {
        "Quantity": 2,
        "Items": ["HEAD", "GET"],
        "CachedMethods": {"Quantity": 2, "Items": ["HEAD", "GET"]},
    },
    "SmoothStreaming": False,
    "Compress": False,
    "LambdaFunctionAssociations": _NONE,
    "FunctionAssociations": _NONE,
    "FieldLevelEncryptionId": "",
    "GrpcConfig": {"Enabled": False},
}
_ORIGIN: dict[str, Any] = {
    "OriginPath": "",
    "CustomHeaders": _NONE,
    "ConnectionAttempts": 3,
    "ConnectionTimeout": 10,
    "OriginShield": {"Enabled": False},
    "OriginAccessControlId": "",
}


def complete(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as CloudFront answers it."""
    whole = {**_DISTRIBUTION, **config}
    behaviour = {**_BEHAVIOUR, **config["DefaultCacheBehavior"]}
    behaviour["AllowedMethods"] = {**_BEHAVIOUR["AllowedMethods"], **behaviour["AllowedMethods"]}
    whole["DefaultCacheBehavior"] = behaviour
    if whole["ViewerCertificate"].get("ACMCertificateArn"):
        whole["ViewerCertificate"] = {
            **whole["ViewerCertificate"],
            "CloudFrontDefaultCertificate": False,
            "Certificate": whole["ViewerCertificate"]["ACMCertificateArn"],
            "CertificateSource": "acm",
        }
    whole["Origins"] = {
        **config["Origins"],
        "Items": [{**_ORIGIN, **origin} for origin in config["Origins"]["Items"]],
    }
    return whole
