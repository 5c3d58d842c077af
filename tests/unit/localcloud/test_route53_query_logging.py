from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.services.route53.query_logging import allowed


def policy(**changes: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "route53.amazonaws.com"},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": "arn:aws:logs:us-east-1:123456789012:log-group:/aws/route53/*",
    }
    return json.dumps({"Statement": [{**statement, **changes}]})


def test_a_resource_policy_lets_route_53_write() -> None:
    assert allowed([policy(Effect="Deny"), policy()])
    assert allowed([policy(Principal={"Service": ["route53.amazonaws.com", "es.amazonaws.com"]})])


@pytest.mark.parametrize(
    "policies",
    [
        [],
        [policy(Effect="Deny")],
        [policy(Principal={"Service": "es.amazonaws.com"})],
        [policy(Principal="*")],
    ],
)
def test_nothing_else_does(policies: list[str]) -> None:
    assert not allowed(policies)
