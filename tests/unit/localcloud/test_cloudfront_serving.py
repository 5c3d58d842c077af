from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest

from localcloud.dataplane.cdn import Cache
from localcloud.dataplane.viewer import Response
from localcloud.services.cloudfront.defaults import complete
from localcloud.services.cloudfront.headers import applied
from localcloud.services.cloudfront.origin import policy_allows
from localcloud.services.cloudfront.policies import CACHE_POLICIES, RESPONSE_HEADERS_POLICIES
from localcloud.services.cloudfront.serving import time_to_live

ARN = "arn:aws:cloudfront::123456789012:distribution/E1"


def policy(**changes: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::site/*",
        "Condition": {"StringEquals": {"AWS:SourceArn": ARN}},
    }
    return json.dumps({"Statement": [{**statement, **changes}]})


def test_the_bucket_policy_lets_its_own_distribution_read() -> None:
    assert policy_allows(policy(), "site", "index.html", ARN)
    assert policy_allows(policy(Condition={}), "site", "index.html", ARN)


@pytest.mark.parametrize(
    "text",
    [
        None,
        policy(Effect="Deny"),
        policy(Principal={"Service": "ec2.amazonaws.com"}),
        policy(Principal="*"),
        policy(Action="s3:PutObject"),
        policy(Resource="arn:aws:s3:::other/*"),
        policy(Condition={"StringEquals": {"AWS:SourceArn": ARN + "2"}}),
        policy(Condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}}),
        policy(Condition={"StringNotEquals": {"AWS:SourceArn": ARN}}),
    ],
)
def test_anything_else_does_not(text: str | None) -> None:
    assert not policy_allows(text, "site", "index.html", ARN)


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("", 86400),
        ("max-age=60", 60),
        ("max-age=60, s-maxage=5", 5),
        ("no-store", 1),
        ("max-age=0", 1),
    ],
)
def test_time_to_live_follows_cache_control_within_the_policy(
    cache_control: str, seconds: float
) -> None:
    optimized = CACHE_POLICIES["658327ea-f89d-4fab-a63d-7e88639e58f6"]
    assert time_to_live(cache_control, optimized) == seconds


def test_a_policy_without_caching_never_caches() -> None:
    disabled = CACHE_POLICIES["4135ea2d-6df8-44a3-9df3-4b5a84be39ad"]
    assert time_to_live("max-age=3600", disabled) == 0


def test_security_headers_of_the_managed_policy() -> None:
    headers = applied(RESPONSE_HEADERS_POLICIES["67f7725c-6f97-4210-82d7-5512b31e9d03"], {})
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"


def test_cache_serves_until_expiry_and_forgets_what_is_invalidated() -> None:
    cache = Cache()
    cache.put("/a/index.html", Response(200), until=10)
    cache.put("/b", Response(200), until=10)
    assert cache.get("/b", now=9.9) is not None
    assert cache.get("/b", now=10) is None
    cache.invalidate(["/a/*"])
    assert cache.get("/a/index.html", now=1) is None


def test_a_completed_configuration_has_the_model_s_members_and_keeps_what_was_given() -> None:
    given = {
        "PriceClass": "PriceClass_100",
        "Origins": {"Quantity": 1, "Items": [{"Id": "s3", "DomainName": "site"}]},
        "DefaultCacheBehavior": {"TargetOriginId": "s3", "Compress": True},
    }
    whole = complete(given)
    model = botocore.session.get_session().get_service_model("cloudfront")
    for shape, value in (
        ("DistributionConfig", whole),
        ("DefaultCacheBehavior", whole["DefaultCacheBehavior"]),
        ("Origin", whole["Origins"]["Items"][0]),
    ):
        assert set(value) <= set(model.shape_for(shape).members), shape
    assert whole["PriceClass"] == "PriceClass_100"
    assert whole["DefaultCacheBehavior"]["Compress"] is True
    assert whole["Origins"]["Items"][0]["ConnectionAttempts"] == 3
