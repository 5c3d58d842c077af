"""What is said of a release that an alarm turned back: how many requests failed, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible.module_utils.lyo_release import alarm_reasons

from .fakes import REVISION, FakeAws, failure

BALANCER = "arn:aws:elasticloadbalancing:eu-south-1:1:loadbalancer/app/lyo/50dc6c495c0c9188"
GREEN = "arn:aws:elasticloadbalancing:eu-south-1:1:targetgroup/lyo-green/943f017f100becff"
NOW = datetime(2026, 11, 27, tzinfo=UTC)
SPAN = NOW - timedelta(minutes=3), NOW
ERRORS: dict[str, Any] = {
    "AlarmName": "lyo-release-5xx",
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 5.0,
    "StateReason": "Threshold Crossed",
    "Metrics": [
        {"Id": "green", "MetricStat": {"Stat": "Sum", "Period": 60}, "ReturnData": False},
        {
            "Id": "value",
            "Label": "% of requests to the worse group",
            "Expression": "IF(green >= 20, 100 * green / greenish, 0)",
            "ReturnData": True,
        },
    ],
}
LATENCY: dict[str, Any] = {
    "AlarmName": "lyo-latency",
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "Threshold": 1.5,
    "Namespace": "AWS/ApplicationELB",
    "MetricName": "TargetResponseTime",
    "Dimensions": [{"Name": "LoadBalancer", "Value": "app/lyo/1"}],
    "ExtendedStatistic": "p99",
    "Period": 60,
}


def revision(group: str = GREEN) -> dict[str, Any]:
    return {
        "serviceRevisionArn": REVISION,
        "resolvedConfiguration": {"loadBalancers": [{"targetGroupArn": group}]},
    }


def cloud(**more: Any) -> FakeAws:
    values = {
        "release_all": [1400.0, 1282.0],
        "release_green": [140.0, 128.0],
        "release_errors": [10.0, 6.0],
        "alarm0_value": [7.14, 4.7],
    }
    results = [{"Id": name, "Values": found} for name, found in values.items()]
    return FakeAws(
        **{
            "describe_alarms": {"MetricAlarms": [ERRORS]},
            "describe_service_revisions": {"serviceRevisions": [revision()]},
            "get_metric_data": {"MetricDataResults": results},
            **more,
        }
    )


def read(aws: FakeAws, weight: float | None = 10.0) -> list[str]:
    names = ["lyo-release-5xx"]
    return alarm_reasons.read(aws, names, BALANCER, REVISION, SPAN, weight)  # type: ignore[arg-type]


def test_how_many_and_why() -> None:
    aws = cloud()
    assert read(aws) == [
        (
            "16 of 2,682 requests (0.6 %) were answered with 5xx by the new revision while 10 % of "
            "the traffic was on it; it got 268 of them"
        ),
        "alarm lyo-release-5xx: % of requests to the worse group was 7.1, above its threshold of 5",
    ]
    assert aws.named("describe_alarms")[0]["AlarmNames"] == ["lyo-release-5xx"]
    (asked,) = aws.named("get_metric_data")
    assert (asked["StartTime"], asked["EndTime"]) == SPAN


def test_where_the_weight_is_not_known() -> None:
    assert "while it had traffic" in read(cloud(), None)[0]


def test_a_revision_without_a_request_has_failed_none() -> None:
    lines = read(cloud(get_metric_data={"MetricDataResults": []}))
    assert lines == ["alarm lyo-release-5xx: Threshold Crossed"]


@pytest.mark.parametrize(
    "call", ["describe_alarms", "describe_service_revisions", "get_metric_data"]
)
def test_a_refused_read_is_said(call: str) -> None:
    (line,) = read(cloud(**{call: failure("AccessDenied")}))
    assert line.startswith("how many requests failed could not be read: ")


def test_composite_alarms_say_their_reason() -> None:
    composite = {"AlarmName": "all", "StateReason": "it follows its rule"}
    aws = cloud(describe_alarms={"CompositeAlarms": [composite]})
    assert read(aws)[-1] == "alarm all: it follows its rule"


def test_requests_are_asked_of_the_balancer_and_of_green() -> None:
    everyone, green, errors = alarm_reasons.queries([], BALANCER, GREEN)
    balancer = {"Name": "LoadBalancer", "Value": "app/lyo/50dc6c495c0c9188"}
    group = {"Name": "TargetGroup", "Value": "targetgroup/lyo-green/943f017f100becff"}
    metrics = [query["MetricStat"]["Metric"] for query in (everyone, green, errors)]
    assert [m["Dimensions"] for m in metrics] == [[balancer], [balancer, group], [balancer, group]]
    assert [m["MetricName"] for m in metrics] == [
        "RequestCount",
        "RequestCount",
        "HTTPCode_Target_5XX_Count",
    ]


def test_alarms_are_asked_under_ids_of_their_own() -> None:
    asked = alarm_reasons.queries([ERRORS, ERRORS], BALANCER, GREEN)[3:]
    assert [query["Id"] for query in asked] == [
        *("alarm0_of_green", "alarm0_value"),
        *("alarm1_of_green", "alarm1_value"),
    ]
    assert [query["ReturnData"] for query in asked] == [False, True, False, True]
    # Whole words only.
    assert asked[1]["Expression"] == (
        "IF(alarm0_of_green >= 20, 100 * alarm0_of_green / greenish, 0)"
    )


def test_an_alarm_on_one_metric() -> None:
    (asked,) = alarm_reasons.queries([LATENCY], BALANCER, GREEN)[3:]
    assert asked["Id"] == "alarm0_value"
    assert asked["MetricStat"]["Stat"] == "p99"
    assert asked["MetricStat"]["Metric"]["MetricName"] == "TargetResponseTime"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "TargetResponseTime was 1,201.2, at or above its threshold of 1.5"),
        (
            {"ComparisonOperator": "LessThanThreshold"},
            "TargetResponseTime was 0.2, below its threshold of 1.5",
        ),
        ({"ComparisonOperator": "LessThanLowerThreshold"}, "in state ALARM"),
        ({"MetricName": ""}, "its metric was 1,201.2, at or above its threshold of 1.5"),
    ],
)
def test_the_worst_value_stands_against_the_threshold(changes: dict[str, Any], line: str) -> None:
    alarm = {**LATENCY, **changes}
    assert alarm_reasons.alarm_line(alarm, [0.25, 1201.23, 1.0]) == f"alarm lyo-latency: {line}"


def test_the_target_group_of_a_revision() -> None:
    assert alarm_reasons.target_group(revision()) == GREEN
    assert alarm_reasons.target_group({}) == ""
