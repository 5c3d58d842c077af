"""CloudFront through its API and over TLS: aliases, errors, headers, functions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud import outside
from tests.localcloud.conftest import RunningCloud
from tests.localcloud.edge_harness import Edge
from tests.localcloud.test_acm import common_name, error, issued


@pytest.fixture
def edge(cloud: RunningCloud) -> Iterator[Edge]:
    made = Edge(cloud)
    try:
        yield made
    finally:
        made.close()


def test_an_alias_is_served_with_its_certificate_and_nothing_else_is(edge: Edge) -> None:
    alias = f"dashboard.{edge.domain}"
    certificate = issued(edge.acm, alias)
    distribution = edge.create(alias, certificate)
    address, identifier = distribution["DomainName"], distribution["Id"]

    named = edge.fetch(address, alias)
    assert (named.status, named.body) == (200, "index.html")
    assert common_name(named.certificate) == alias
    unnamed = edge.fetch(address, None)
    assert unnamed.status == 200
    assert common_name(unnamed.certificate) == address
    assert edge.fetch(address, alias, host="other.lyo.test").status == 403
    assert edge.fetch(address, alias, "POST").status == 403

    detail = edge.acm.describe_certificate(CertificateArn=certificate)["Certificate"]
    assert detail["InUseBy"] == [distribution["ARN"]]
    assert error(lambda: edge.acm.delete_certificate(CertificateArn=certificate)) == (
        "ResourceInUseException"
    )
    edge.acm.renew_certificate(CertificateArn=certificate)
    renewed = edge.fetch(address, alias)
    assert renewed.certificate.serial_number != named.certificate.serial_number

    listed = outside.status(edge.cloud.content)["distributions"]
    assert {
        "distribution": identifier,
        "status": "Deployed",
        "address": address,
        "aliases": [alias],
    } in listed

    current = edge.cloudfront.get_distribution_config(Id=identifier)
    assert (
        error(lambda: edge.cloudfront.delete_distribution(Id=identifier, IfMatch=current["ETag"]))
        == "DistributionNotDisabled"
    )


def test_an_alias_needs_a_certificate_in_us_east_1_that_is_issued_and_covers_it(
    edge: Edge,
) -> None:
    alias = f"dashboard.{edge.domain}"
    elsewhere = issued(edge.cloud.client("acm"), alias)
    other = issued(edge.acm, f"other.{edge.domain}")
    pending = edge.acm.request_certificate(
        DomainName="dashboard.lyo-prenota.it", ValidationMethod="DNS"
    )["CertificateArn"]
    for name, certificate in (
        (alias, elsewhere),
        (alias, other),
        (alias, None),
        ("dashboard.lyo-prenota.it", pending),
    ):
        code = error(lambda n=name, c=certificate: edge.create(n, c))  # type: ignore[misc]
        assert code == "InvalidViewerCertificate", (name, certificate)
    certificate = issued(edge.acm, alias)
    edge.create(alias, certificate)
    assert error(lambda: edge.create(alias, certificate)) == "CNAMEAlreadyExists"


def test_errors_headers_and_changes_are_applied(edge: Edge) -> None:
    policies = edge.cloudfront
    policy = policies.create_response_headers_policy(
        ResponseHeadersPolicyConfig={
            "Name": f"headers-{edge.bucket}",
            "SecurityHeadersConfig": {"FrameOptions": {"Override": True, "FrameOption": "DENY"}},
        }
    )["ResponseHeadersPolicy"]["Id"]
    rule = {
        "ErrorCode": 403,
        "ResponseCode": "404",
        "ResponsePagePath": "/missing.html",
        "ErrorCachingMinTTL": 60,
    }
    distribution = edge.create(
        None,
        None,
        {"ResponseHeadersPolicyId": policy},
        CustomErrorResponses={"Quantity": 1, "Items": [rule]},
    )
    address = distribution["DomainName"]
    missing = edge.fetch(address, None, path="/nothing")
    assert (missing.status, missing.body) == (404, "missing.html")
    assert missing.headers["x-frame-options"] == "DENY"
    assert missing.headers["x-cache"] == "Error from cloudfront"
    # It stays an error for its minute, though the object is there now.
    edge.cloud.client("s3").put_object(Bucket=edge.bucket, Key="nothing", Body=b"something")
    assert edge.fetch(address, None, path="/nothing").status == 404

    etag = policies.get_response_headers_policy(Id=policy)["ETag"]
    assert (
        error(lambda: policies.delete_response_headers_policy(Id=policy, IfMatch=etag))
        == "ResponseHeadersPolicyInUse"
    )
    current = policies.get_distribution_config(Id=distribution["Id"])
    plain = edge.configuration(None, None)
    plain["CallerReference"] = current["DistributionConfig"]["CallerReference"]
    changed = {"Id": distribution["Id"], "DistributionConfig": plain}
    assert error(lambda: policies.update_distribution(IfMatch="E0", **changed)) == (
        "PreconditionFailed"
    )
    policies.update_distribution(IfMatch=current["ETag"], **changed)
    assert edge.fetch(address, None, path="/gone").status == 404, "not deployed yet"
    edge.deployed(distribution["Id"])
    after = edge.fetch(address, None, path="/gone")
    assert after.status == 403
    assert "x-frame-options" not in after.headers
    policies.delete_response_headers_policy(Id=policy, IfMatch=etag)


def test_a_function_answers_every_method(edge: Edge) -> None:
    alias = f"api.{edge.domain}"
    distribution = edge.sorry(alias, issued(edge.acm, alias))
    for method in ("GET", "POST", "DELETE"):
        answer = edge.fetch(distribution["DomainName"], alias, method, "/webhooks")
        assert (answer.status, answer.body) == (503, f"{method} {alias}")
        assert answer.headers["retry-after"] == "60"
    name = f"sorry-{edge.bucket}"
    function = edge.cloudfront.describe_function(Name=name)
    assert function["FunctionSummary"]["Status"] == "DEPLOYED"
    assert (
        error(lambda: edge.cloudfront.delete_function(Name=name, IfMatch=function["ETag"]))
        == "FunctionInUse"
    )
