"""CloudWatch's alarms: what is refused, in which state they are, what follows what."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from moto.utilities.tagging_service import TaggingService

from localcloud.api import AwsError, Call, NotReproducedError, OperationTable
from localcloud.cloud import Cloud
from localcloud.services import cloudwatch
from localcloud.services.cloudwatch.dashboards import errors_of

ACCOUNT, HERE = "123456789012", "eu-south-1"
TOPIC = f"arn:aws:sns:{HERE}:{ACCOUNT}:warning"
METRIC: dict[str, Any] = {
    "ComparisonOperator": "GreaterThanThreshold",
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "MetricName": "Errors",
    "Namespace": "Test",
    "Statistic": "Sum",
    "Period": 60,
}
MATH: dict[str, Any] = {
    "ComparisonOperator": "GreaterThanThreshold",
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
}


def stat(name: str, period: int = 60) -> dict[str, Any]:
    return {
        "Id": name,
        "ReturnData": False,
        "MetricStat": {"Metric": {"MetricName": name}, "Period": period, "Stat": "Sum"},
    }


def expression(text: str, name: str = "value", returned: bool = True) -> dict[str, Any]:
    return {"Id": name, "Expression": text, "ReturnData": returned}


class FakeCloud:
    """moto's backend as far as alarms ask it; each region its own."""

    def __init__(self) -> None:
        self.api = OperationTable()
        self.clock = SimpleNamespace(now=lambda: datetime(2026, 11, 23, tzinfo=UTC), speed=1.0)
        self.parts: dict[str, Any] = {}
        self.background = lambda _name, _target: None
        self._backends: dict[str, Any] = {}

    def backend(self, service: str, region: str = HERE) -> Any:
        assert service == "cloudwatch"
        return self._backends.setdefault(
            region, SimpleNamespace(alarms={}, tagger=TaggingService())
        )

    def call(self, operation: str, region: str = HERE, **params: Any) -> Any:
        handler = self.api.handler("cloudwatch", operation)
        assert handler is not None
        return handler(Call("cloudwatch", operation, ACCOUNT, region, params))

    def put(self, name: str, **params: Any) -> None:
        self.call("PutMetricAlarm", AlarmName=name, **{**METRIC, **params})

    def compose(self, name: str, rule: str) -> None:
        self.call("PutCompositeAlarm", AlarmName=name, AlarmRule=rule)

    def set(self, name: str, state: str) -> None:
        self.call("SetAlarmState", AlarmName=name, StateValue=state, StateReason="test")

    def states(self) -> dict[str, str]:
        found = self.call("DescribeAlarms", AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        return {
            alarm["AlarmName"]: alarm["StateValue"]
            for alarm in [*found["MetricAlarms"], *found["CompositeAlarms"]]
        }


@pytest.fixture
def cloud() -> FakeCloud:
    made = FakeCloud()
    cloudwatch.register(cast(Cloud, made))
    return made


def test_an_alarm_waits_for_data_and_keeps_its_state_when_it_is_put_again(cloud: FakeCloud) -> None:
    cloud.put("a", AlarmActions=[TOPIC], Tags=[{"Key": "k", "Value": "v"}])
    assert cloud.states() == {"a": "INSUFFICIENT_DATA"}
    cloud.set("a", "ALARM")
    cloud.put("a", Threshold=2.0)
    alarm = cloud.call("DescribeAlarms")["MetricAlarms"][0]
    assert (alarm["StateValue"], alarm["Threshold"], alarm["AlarmActions"]) == ("ALARM", 2.0, [])
    assert alarm["AlarmArn"] == f"arn:aws:cloudwatch:{HERE}:{ACCOUNT}:alarm:a"
    assert "Tags" not in alarm
    assert cloud.backend("cloudwatch").tagger.get_tag_dict_for_resource(alarm["AlarmArn"]) == {
        "k": "v"
    }


def test_a_composite_alarm_follows_its_children_and_theirs(cloud: FakeCloud) -> None:
    cloud.put("a")
    cloud.put("b")
    cloud.compose("both", 'ALARM("a") AND ALARM("b")')
    cloud.compose("above", "ALARM(both)")
    assert cloud.states()["both"] == "OK"
    cloud.set("a", "ALARM")
    assert cloud.states()["both"] == "OK"
    cloud.set("b", "ALARM")
    assert (cloud.states()["both"], cloud.states()["above"]) == ("ALARM", "ALARM")
    cloud.set("a", "OK")
    assert (cloud.states()["both"], cloud.states()["above"]) == ("OK", "OK")


def test_a_circle_of_composite_alarms_ends(cloud: FakeCloud) -> None:
    cloud.put("a")
    cloud.compose("one", "ALARM(a)")
    cloud.compose("two", "ALARM(one)")
    cloud.compose("one", "ALARM(a) OR ALARM(two)")
    cloud.set("a", "ALARM")
    assert cloud.states()["two"] == "ALARM"


def test_a_composite_alarm_of_unknown_alarms_is_refused(cloud: FakeCloud) -> None:
    cloud.put("a")
    with pytest.raises(AwsError, match="'b'"):
        cloud.compose("both", "ALARM(a) AND ALARM(b)")
    with pytest.raises(AwsError, match="AlarmRule"):
        cloud.compose("both", "ALARM(a) AND")
    assert cloud.states() == {"a": "INSUFFICIENT_DATA"}


def test_metric_alarms_only_are_described_unless_asked_otherwise(cloud: FakeCloud) -> None:
    for index in range(3):
        cloud.put(f"a{index}", AlarmActions=[TOPIC] if index else [])
    cloud.compose("c", "TRUE")
    assert cloud.call("DescribeAlarms")["CompositeAlarms"] == []
    only = cloud.call("DescribeAlarms", AlarmTypes=["CompositeAlarm"])
    assert [a["AlarmName"] for a in only["CompositeAlarms"]] == ["c"]
    assert not only["MetricAlarms"]
    first = cloud.call("DescribeAlarms", MaxRecords=2)
    rest = cloud.call("DescribeAlarms", MaxRecords=2, NextToken=first["NextToken"])
    assert [a["AlarmName"] for a in rest["MetricAlarms"]] == ["a2"]
    assert "NextToken" not in rest
    for asked, names in (
        ({"AlarmNamePrefix": "a"}, ["a0", "a1", "a2"]),
        ({"AlarmNames": ["a1", "none"]}, ["a1"]),
        ({"ActionPrefix": TOPIC[:20]}, ["a1", "a2"]),
        ({"StateValue": "ALARM"}, []),
    ):
        found = cloud.call("DescribeAlarms", **asked)["MetricAlarms"]
        assert [a["AlarmName"] for a in found] == names


def test_what_a_composite_alarm_reads_cannot_be_deleted(cloud: FakeCloud) -> None:
    cloud.put("a", Tags=[{"Key": "k", "Value": "v"}])
    cloud.compose("c", "ALARM(a)")
    with pytest.raises(AwsError, match="depending on it: c"):
        cloud.call("DeleteAlarms", AlarmNames=["a"])
    with pytest.raises(AwsError, match="do not exist"):
        cloud.call("DeleteAlarms", AlarmNames=["c", "none"])
    assert set(cloud.states()) == {"a", "c"}
    cloud.call("DeleteAlarms", AlarmNames=["c", "a"])
    assert cloud.states() == {}
    arn = f"arn:aws:cloudwatch:{HERE}:{ACCOUNT}:alarm:a"
    assert not cloud.backend("cloudwatch").tagger.has_tags(arn)


def test_a_state_that_is_none_and_an_alarm_that_is_none_are_refused(cloud: FakeCloud) -> None:
    cloud.put("a")
    with pytest.raises(AwsError, match="StateValue"):
        cloud.set("a", "RINGING")
    with pytest.raises(AwsError) as error:
        cloud.set("b", "ALARM")
    assert error.value.code == "ResourceNotFound"


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"Period": 90}, "multiple of 60"),
        ({"Period": 60, "EvaluationPeriods": 1441}, "<= 86400"),
        ({"Period": 3600, "EvaluationPeriods": 169}, "<= 604800"),
        ({"EvaluationPeriods": 0}, "EvaluationPeriods"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm"),
        ({"TreatMissingData": "silent"}, "TreatMissingData"),
        ({"Threshold": None}, "Threshold"),
        ({"ExtendedStatistic": "p99"}, "Statistic"),
        ({"Namespace": None}, "Namespace"),
        ({"MetricName": None}, "Exactly one"),
        ({"AlarmActions": [TOPIC.replace(HERE, "us-east-1")]}, "Only eu-south-1 is supported"),
        ({"OKActions": ["warning"]}, "Invalid arn"),
    ],
)
def test_what_aws_refuses_of_a_metric_alarm(
    cloud: FakeCloud, params: dict[str, Any], why: str
) -> None:
    with pytest.raises(AwsError, match=why) as error:
        cloud.put("a", **params)
    assert error.value.code == "ValidationError"
    assert cloud.states() == {}


@pytest.mark.parametrize("period", [10, 60, 3600, 93600, 604800])
def test_a_single_period_may_be_as_long_as_a_week(cloud: FakeCloud, period: int) -> None:
    cloud.put("a", Period=period)


@pytest.mark.parametrize(
    ("queries", "why"),
    [
        ([stat("m")], "return data"),
        ([stat("m"), expression("m"), expression("m", "other")], "return data"),
        ([stat("m"), expression("n")], "Undefined variable 'n'"),
        ([stat("m"), expression("FILL(m, 0")], "Invalid syntax"),
        ([stat("m"), expression("SEARCH('x', 'Sum')")], "unusable function 'SEARCH'"),
        ([stat("M"), expression("1")], "lower-case"),
        ([stat("m"), stat("m"), expression("m")], "different"),
        ([expression("b", "a", returned=False), expression("a", "b")], "depends on itself"),
        ([*(stat(f"m{i}") for i in range(11)), expression("m0")], "10 metrics"),
        ([stat("m", 90), expression("m")], "multiple of 60"),
    ],
)
def test_what_aws_refuses_of_metric_math(
    cloud: FakeCloud, queries: list[dict[str, Any]], why: str
) -> None:
    with pytest.raises(AwsError, match=why):
        cloud.call("PutMetricAlarm", AlarmName="a", Metrics=queries, **MATH)
    with pytest.raises(AwsError, match="Period must not"):
        cloud.call(
            "PutMetricAlarm", AlarmName="a", Period=60, Metrics=[stat("m"), expression("m")], **MATH
        )


def test_metric_math_is_kept_as_it_was_put(cloud: FakeCloud) -> None:
    queries = [stat("m"), stat("n"), expression("IF(m > 0 AND n > 0, 100 * FILL(n, 0) / m, 0)")]
    cloud.call("PutMetricAlarm", AlarmName="a", Metrics=queries, **MATH)
    assert cloud.call("DescribeAlarms")["MetricAlarms"][0]["Metrics"] == queries


@pytest.mark.parametrize(
    "params",
    [
        {"ComparisonOperator": "GreaterThanUpperThreshold"},
        {"ThresholdMetricId": "band"},
        {"EvaluationCriteria": {"PromQLCriteria": {"Query": "up"}}},
        {"EvaluationWindow": {"WallClockWindow": {}}},
        {"AlarmActions": [f"arn:aws:lambda:{HERE}:{ACCOUNT}:function:f"]},
    ],
)
def test_what_is_not_reproduced_is_refused(cloud: FakeCloud, params: dict[str, Any]) -> None:
    with pytest.raises(NotReproducedError):
        cloud.put("a", **{"EvaluationWindow": {}, **params})
    with pytest.raises(NotReproducedError):
        cloud.call("PutCompositeAlarm", AlarmName="c", AlarmRule="TRUE", ActionsSuppressor="a")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("{", "not JSON"),
        ("[]", '"widgets"'),
        ('{"widgets": [{"type": "graph", "properties": {}}]}', "/widgets/0/type"),
        ('{"widgets": [{"type": "text", "properties": {}}]}', "/properties/markdown"),
        ('{"widgets": [{"type": "metric", "properties": {"region": "r"}}]}', "/properties/metrics"),
        (
            '{"widgets": [{"type": "metric", "properties": {"region": "r", "metrics": [["N", "M", "D"]]}}]}',
            "/metrics/0",
        ),
        ('{"widgets": [{"type": "alarm", "x": 24, "properties": {"alarms": []}}]}', "/x"),
    ],
)
def test_a_dashboard_that_shows_nothing_is_refused(body: str, error: str) -> None:
    found = errors_of(body)
    assert len(found) == 1
    assert error in found[0]


def test_a_dashboard_of_every_kind_of_line_is_taken() -> None:
    body = (
        '{"widgets": [{"type": "metric", "x": 18, "width": 6, "properties": {"region": "r", "metrics":'
        ' [["N", "M"], ["N", "M", "D", "v", {"id": "a"}], [{"expression": "a", "label": "l"}]]}}]}'
    )
    assert errors_of(body) == []
