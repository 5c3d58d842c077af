"""From the API's shapes to the data plane's terms, and what is refused on the way."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.api import AwsError, NotReproducedError
from localcloud.dataplane.envoy.model import (
    Condition,
    FixedResponse,
    Forward,
    Redirect,
    Target,
    UnsupportedError,
)
from localcloud.services.elbv2 import attributes, translate
from localcloud.services.elbv2.targets import Targets

ARN = "arn:aws:elasticloadbalancing:eu-south-1:123456789012:"
BLUE, GREEN = f"{ARN}targetgroup/blue/1a", f"{ARN}targetgroup/green/2b"


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        (BLUE, "blue-1a"),
        (f"{ARN}loadbalancer/app/lyo/3c", "lyo-3c"),
        (f"{ARN}listener/app/lyo/3c/4d", "lyo-3c-4d"),
    ],
)
def test_identifiers(arn: str, name: str) -> None:
    assert translate.identifier(arn) == name


def forward(**config: Any) -> dict[str, Any]:
    return {"Type": "forward", **config}


def test_forward_in_both_notations() -> None:
    assert translate.action([forward(TargetGroupArn=BLUE)]) == Forward((("blue-1a", 1),))
    groups = [{"TargetGroupArn": BLUE, "Weight": 0}, {"TargetGroupArn": GREEN}]
    both = forward(ForwardConfig={"TargetGroups": groups})
    assert translate.action([both]) == Forward((("blue-1a", 0), ("green-2b", 1)))
    assert translate.forward_weights(both) == {BLUE: 0, GREEN: 1}


def test_redirect_and_fixed_response() -> None:
    redirect = {
        "Type": "redirect",
        "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
    }
    assert translate.action([redirect]) == Redirect(301, "HTTPS", port="443")
    fixed = {
        "Type": "fixed-response",
        "FixedResponseConfig": {
            "StatusCode": "404",
            "ContentType": "application/json",
            "MessageBody": "{}",
        },
    }
    assert translate.action([fixed]) == FixedResponse(404, "application/json", "{}")


@pytest.mark.parametrize(
    "action",
    [
        {"Type": "authenticate-oidc"},
        forward(
            ForwardConfig={
                "TargetGroups": [{"TargetGroupArn": BLUE}],
                "TargetGroupStickinessConfig": {"Enabled": True},
            }
        ),
    ],
)
def test_actions_that_are_not_reproduced(action: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError):
        translate.action([action])


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"Field": "path-pattern", "Values": ["/a"]}, Condition("path-pattern", ("/a",))),
        (
            {"Field": "host-header", "HostHeaderConfig": {"Values": ["a.test"]}},
            Condition("host-header", ("a.test",)),
        ),
        (
            {
                "Field": "http-header",
                "HttpHeaderConfig": {"HttpHeaderName": "X-A", "Values": ["1"]},
            },
            Condition("http-header", ("1",), name="X-A"),
        ),
        (
            {
                "Field": "query-string",
                "QueryStringConfig": {"Values": [{"Key": "a", "Value": "b"}, {"Value": "c"}]},
            },
            Condition("query-string", pairs=(("a", "b"), (None, "c"))),
        ),
    ],
)
def test_conditions(given: dict[str, Any], made: Condition) -> None:
    assert translate.condition(given) == made


def test_regular_expressions_are_refused() -> None:
    with pytest.raises(UnsupportedError):
        translate.condition({"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["a"]}})


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        ("ELBSecurityPolicy-TLS13-1-2-2021-06", ("1.2", "1.3")),
        ("ELBSecurityPolicy-TLS13-1-3-2021-06", ("1.3", "1.3")),
        ("ELBSecurityPolicy-2016-08", ("1.0", "1.2")),
    ],
)
def test_policies(policy: str, versions: tuple[str, str]) -> None:
    assert translate.tls_versions(policy) == versions


def test_defaults_are_among_what_is_allowed() -> None:
    for table in (attributes.LOAD_BALANCER, attributes.TARGET_GROUP, attributes.LISTENER):
        changes = [
            {"Key": key, "Value": value} for key, value in attributes.defaults(table).items()
        ]
        attributes.check(table, changes)


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("deregistration_delay.timeout_seconds", "3601", AwsError),
        ("deregistration_delay.timeout_seconds", "soon", AwsError),
        ("slow_start.duration_seconds", "10", AwsError),
        ("stickiness.enabled", "true", NotReproducedError),
        ("load_balancing.algorithm.type", "weighted_random", NotReproducedError),
        ("proxy_protocol_v2.enabled", "true", NotReproducedError),
    ],
)
def test_attributes_that_are_refused(key: str, value: str, error: type[AwsError]) -> None:
    with pytest.raises(AwsError) as caught:
        attributes.check(attributes.TARGET_GROUP, [{"Key": key, "Value": value}])
    assert type(caught.value) is error


def test_targets_by_address_and_port() -> None:
    targets = Targets()
    targets.register(BLUE, "127.1.16.1", 8080)
    targets.register(BLUE, "127.1.16.1", 9090)
    assert targets.served(BLUE) == (Target("127.1.16.1", 8080), Target("127.1.16.1", 9090))
    assert targets.deregister(BLUE, "127.1.16.1", 9090, now=5.0)
    assert not targets.deregister(BLUE, "127.1.16.1", 9090, now=6.0)
    assert not targets.deregister(GREEN, "127.1.16.1", 9090, now=6.0)
    assert targets.served(BLUE)[1].draining
    assert [(arn, since) for arn, _, since in targets.leaving()] == [(BLUE, 5.0)]
    targets.of(BLUE)["127.1.16.1", 9090].drained = True
    assert targets.served(BLUE) == (Target("127.1.16.1", 8080),)
    targets.register(BLUE, "127.1.16.1", 9090)
    assert not targets.served(BLUE)[1].draining
