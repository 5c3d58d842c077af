"""SNS: nobody outside of this machine is called, and policies are policies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.services.sns import check_attribute, check_policy, check_subscriber

STATEMENT = {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": "*"}


def subscribe(protocol: str, endpoint: str) -> None:
    params = {"Protocol": protocol, "Endpoint": endpoint, "TopicArn": "t"}
    check_subscriber(Call("sns", "Subscribe", "123456789012", "eu-south-1", params))


def test_only_this_machine_is_called() -> None:
    subscribe("https", "https://127.1.0.9:8443/hook")
    subscribe("email", "a@lyo.example")
    for protocol, endpoint in (
        ("https", "https://pager.lyo.example/key"),
        ("http", "http://127.0.0.1@pager.lyo.example/"),
        ("http", "http://127.0.0.1.lyo.example/"),
        ("sms", "+390212345678"),
        ("lambda", "arn:aws:lambda:eu-south-1:123456789012:function:f"),
    ):
        with pytest.raises(NotReproducedError):
            subscribe(protocol, endpoint)


def test_the_refusal_says_which_host_and_not_the_pager_s_key() -> None:
    with pytest.raises(NotReproducedError, match=r"pager\.lyo\.example") as error:
        subscribe("https", "https://pager.lyo.example/secret-key")
    assert "secret-key" not in str(error.value)


@pytest.mark.parametrize(
    "policy",
    [
        "",
        "no",
        "[]",
        '{"Statement": []}',
        json.dumps({"Statement": [STATEMENT], "Other": 1}),
        json.dumps({"Statement": [{**STATEMENT, "Action": "sqs:SendMessage"}]}),
        json.dumps({"Statement": [{**STATEMENT, "Effect": "Perhaps"}]}),
        json.dumps({"Statement": [{**STATEMENT, "Principal": None}]}),
    ],
)
def test_what_is_no_policy_of_a_topic_is_refused(policy: str) -> None:
    with pytest.raises(AwsError) as error:
        check_policy(policy)
    assert error.value.code == "InvalidParameter"


def test_policies_are_looked_at_and_other_attributes_are_not() -> None:
    def put(name: str, value: Any) -> None:
        params = {"AttributeName": name, "AttributeValue": value}
        check_attribute(Call("sns", "SetTopicAttributes", "1", "eu-south-1", params))

    put("DisplayName", "{")
    put("Policy", json.dumps({"Statement": STATEMENT}))
    with pytest.raises(AwsError):
        put("Policy", "{")
