"""The rules of a web ACL: what is refused, and the capacity units that AWS's pages add up to."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.api import AwsError, NotReproducedError
from localcloud.services.wafv2.rules import check

VISIBILITY = {
    "SampledRequestsEnabled": False,
    "CloudWatchMetricsEnabled": True,
    "MetricName": "m",
}
Statement = dict[str, Any]


def rule(statement: Statement, priority: int = 0, **more: Any) -> dict[str, Any]:
    managed = "ManagedRuleGroupStatement" in statement
    action = {"OverrideAction": {"None": {}}} if managed else {"Action": {"Block": {}}}
    return {
        "Name": f"rule-{priority}",
        "Priority": priority,
        "Statement": statement,
        "VisibilityConfig": VISIBILITY,
        **(more or action),
    }


def path(value: str, constraint: str = "EXACTLY", field: str = "UriPath") -> Statement:
    return {
        "ByteMatchStatement": {
            "SearchString": value.encode(),
            "PositionalConstraint": constraint,
            "FieldToMatch": {field: {}},
            "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
        }
    }


def managed(name: str, **more: Any) -> Statement:
    return {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": name, **more}}


def rate(**more: Any) -> Statement:
    return {"RateBasedStatement": {"Limit": 100, "AggregateKeyType": "IP", **more}}


@pytest.mark.parametrize(
    ("statement", "capacity"),
    [
        (path("/a"), 12),
        (path("/a", "CONTAINS"), 20),
        (path("/a", field="AllQueryArguments"), 22),
        ({"NotStatement": {"Statement": path("/a")}}, 12),
        ({"AndStatement": {"Statements": [path("/a"), path("/b")]}}, 24),
        ({"LabelMatchStatement": {"Scope": "LABEL", "Key": "k"}}, 1),
        (managed("AWSManagedRulesCommonRuleSet"), 700),
        (managed("AWSManagedRulesSQLiRuleSet", ScopeDownStatement=path("/a")), 212),
        (rate(), 2),
        (rate(ScopeDownStatement=path("/a"), EvaluationWindowSec=60), 14),
    ],
)
def test_capacity(statement: Statement, capacity: int) -> None:
    assert check([rule(statement)]) == capacity


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (rule(managed("AWSManagedRulesComonRuleSet")), "does not exist"),
        (rule(managed("AWSManagedRulesAmazonIpReputationList", Version="1")), "no versions"),
        (rule(managed("AWSManagedRulesSQLiRuleSet"), Action={"Block": {}}), "OverrideAction"),
        (rule(path("/a"), OverrideAction={"None": {}}), "an Action"),
        (rule(path("/a"), Action={"Block": {}, "Count": {}}), "one of"),
        (rule(managed("AWSManagedRulesSQLiRuleSet"), OverrideAction={"Block": {}}), "one of"),
        (rule({**path("/a"), **rate()}), "exactly one statement"),
        (rule({"NotStatement": {"Statement": rate()}}), "inside another"),
        (rule({"AndStatement": {"Statements": [path("/a")]}}), "at least two"),
        (rule(rate(Limit=9)), "limit"),
        (rule(rate(EvaluationWindowSec=90)), "window"),
        (rule(rate(AggregateKeyType="CONSTANT")), "scope-down"),
    ],
)
def test_what_aws_refuses(broken: dict[str, Any], reason: str) -> None:
    with pytest.raises(AwsError, match=reason) as refused:
        check([broken])
    assert refused.value.code == "WAFInvalidParameterException"


@pytest.mark.parametrize(
    "statement",
    [
        {"GeoMatchStatement": {"CountryCodes": ["IT"]}},
        path("/a", field="Body"),
        rate(AggregateKeyType="FORWARDED_IP"),
    ],
)
def test_what_is_not_known_here_is_not_accepted(statement: Statement) -> None:
    with pytest.raises(NotReproducedError):
        check([rule(statement)])


@pytest.mark.parametrize("same", [{"Name": "rule-0"}, {"Priority": 0}])
def test_names_and_priorities_are_each_rules_own(same: dict[str, Any]) -> None:
    with pytest.raises(AwsError, match="the same"):
        check([rule(path("/a")), {**rule(path("/b"), 1), **same}])


def test_a_web_acl_has_an_end() -> None:
    common = managed("AWSManagedRulesCommonRuleSet")
    check([rule(common, number) for number in range(7)])
    with pytest.raises(AwsError, match="5600 capacity units") as refused:
        check([rule(common, number) for number in range(8)])
    assert refused.value.code == "WAFLimitsExceededException"
