from __future__ import annotations

from typing import Any

import pytest

from localcloud.api import AwsError
from localcloud.dataplane.viewer import covers
from localcloud.services.cloudfront.checks import (
    check_aliases,
    check_certificate,
    check_members,
    check_reproduced,
)
from localcloud.services.cloudfront.defaults import complete
from localcloud.services.cloudfront.headers import applied, check

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1"
ISSUED = {CERTIFICATE: ["lyo.it", "*.lyo.it"]}


def config(**changes: Any) -> dict[str, Any]:
    return {
        "Aliases": {"Quantity": 1, "Items": ["dashboard.lyo.it"]},
        "Origins": {"Quantity": 1, "Items": [{"Id": "s3", "DomainName": "site"}]},
        "DefaultCacheBehavior": {"TargetOriginId": "s3"},
        "ViewerCertificate": {
            "ACMCertificateArn": CERTIFICATE,
            "SSLSupportMethod": "sni-only",
            "MinimumProtocolVersion": "TLSv1.2_2021",
        },
        **changes,
    }


def behaviour(**members: Any) -> dict[str, Any]:
    return config(DefaultCacheBehavior={"TargetOriginId": "s3", **members})


def errors(**members: Any) -> dict[str, Any]:
    return config(CustomErrorResponses={"Quantity": 1, "Items": [members]})


def refusal(check: Any, *arguments: Any) -> str:
    with pytest.raises(AwsError) as caught:
        check(*arguments)
    return caught.value.code


def test_a_good_configuration_passes() -> None:
    for given in (
        config(),
        behaviour(AllowedMethods={"Items": ["HEAD", "GET", "OPTIONS"]}),
        behaviour(FunctionAssociations={"Items": [{"EventType": "viewer-request"}]}),
        errors(ErrorCode=403, ResponseCode="404", ResponsePagePath="/404.html"),
        errors(ErrorCode=503, ErrorCachingMinTTL=0),
    ):
        check_reproduced(given)
        check_members(given)
        check_certificate(given, ISSUED)


@pytest.mark.parametrize(
    ("names", "host", "covered"),
    [
        (["lyo.it"], "lyo.it", True),
        (["lyo.it"], "LYO.it.", True),
        (["lyo.it"], "api.lyo.it", False),
        (["*.lyo.it"], "api.lyo.it", True),
        (["*.lyo.it"], "a.b.lyo.it", False),
        (["*.lyo.it"], "lyo.it", False),
        (["*.lyo.it"], "*.lyo.it", True),
        ([], "lyo.it", False),
    ],
)
def test_a_wildcard_stands_for_one_label(names: list[str], host: str, covered: bool) -> None:
    assert covers(names, host) is covered


def test_an_alias_needs_a_certificate_that_covers_it_and_is_issued_in_us_east_1() -> None:
    assert refusal(check_certificate, config(ViewerCertificate={}), ISSUED) == (
        "InvalidViewerCertificate"
    )
    assert refusal(check_certificate, config(), {}) == "InvalidViewerCertificate"
    other = config(Aliases={"Items": ["dashboard.lyo.com"]})
    assert refusal(check_certificate, other, ISSUED) == "InvalidViewerCertificate"
    check_certificate(config(Aliases={}, ViewerCertificate={}), {})


def test_an_alias_is_one_distribution_s() -> None:
    assert refusal(check_aliases, ["a.lyo.it"], ["a.lyo.it"]) == "CNAMEAlreadyExists"
    check_aliases(["a.lyo.it"], ["b.lyo.it"])


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (behaviour(TargetOriginId="other"), "NoSuchOrigin"),
        (behaviour(AllowedMethods={"Items": ["GET", "HEAD", "POST"]}), "InvalidArgument"),
        (errors(ErrorCode=418), "InvalidErrorCode"),
        (errors(ErrorCode=403, ResponseCode="404"), "InvalidArgument"),
        (errors(ErrorCode=403, ResponseCode="201", ResponsePagePath="/a"), "InvalidResponseCode"),
        (errors(ErrorCode=403, ResponseCode="404", ResponsePagePath="a"), "InvalidRelativePath"),
    ],
)
def test_what_aws_refuses(given: dict[str, Any], code: str) -> None:
    assert refusal(check_members, given) == code


@pytest.mark.parametrize(
    "given",
    [
        config(Origins={"Items": [{"Id": "s3", "CustomOriginConfig": {}}]}),
        config(CacheBehaviors={"Quantity": 1}),
        config(OriginGroups={"Quantity": 1}),
        config(Restrictions={"GeoRestriction": {"RestrictionType": "whitelist"}}),
        behaviour(LambdaFunctionAssociations={"Quantity": 1}),
        behaviour(FunctionAssociations={"Items": [{"EventType": "viewer-response"}]}),
        config(ViewerCertificate={"IAMCertificateId": "x"}),
        config(ViewerCertificate={"ACMCertificateArn": CERTIFICATE, "SSLSupportMethod": "vip"}),
        config(
            ViewerCertificate={
                "ACMCertificateArn": CERTIFICATE,
                "SSLSupportMethod": "sni-only",
                "MinimumProtocolVersion": "TLSv1",
            }
        ),
    ],
)
def test_what_is_not_reproduced_is_refused(given: dict[str, Any]) -> None:
    assert refusal(check_reproduced, given) == "NotImplemented"


def test_the_answer_names_the_certificate_as_cloudfront_does() -> None:
    certificate = complete(config())["ViewerCertificate"]
    assert certificate["Certificate"] == CERTIFICATE
    assert certificate["CertificateSource"] == "acm"
    assert certificate["CloudFrontDefaultCertificate"] is False


def test_a_headers_policy_overrides_only_where_it_says_so() -> None:
    policy = {
        "SecurityHeadersConfig": {
            "FrameOptions": {"Override": False, "FrameOption": "DENY"},
            "ContentTypeOptions": {"Override": True},
        },
        "CustomHeadersConfig": {
            "Items": [{"Header": "Cache-Control", "Value": "no-store", "Override": True}]
        },
        "RemoveHeadersConfig": {"Items": [{"Header": "etag"}]},
    }
    origin = {"x-frame-options": "SAMEORIGIN", "cache-control": "max-age=1", "ETag": '"1"'}
    assert applied(policy, origin) == {
        "x-frame-options": "SAMEORIGIN",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    assert applied(policy, {})["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    "policy", [{"CorsConfig": {}}, {"ServerTimingHeadersConfig": {"Enabled": True}}]
)
def test_what_a_headers_policy_cannot_do_here_is_refused(policy: dict[str, Any]) -> None:
    assert refusal(check, policy) == "NotImplemented"
