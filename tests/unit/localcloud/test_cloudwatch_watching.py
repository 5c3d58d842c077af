"""Alarms follow the metrics that are measured, minute by minute, and tell their topics."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from localcloud.dataplane.envoy.accesslog import Entry
from localcloud.dataplane.tasks import usage
from localcloud.dataplane.tasks.usage import Usage
from localcloud.services.cloudwatch.alarms import Alarm
from localcloud.services.cloudwatch.watching import Watch, period_of
from localcloud.services.ecs.metrics import ServiceMetrics
from localcloud.services.elbv2.metrics import TrafficMetrics, suffix

REGION = "eu-south-1"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:critical"
LOAD = {"LoadBalancer": "app/lyo/1"}


def alarm(**params: Any) -> Alarm:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    return Alarm(
        "a",
        "arn:a",
        {
            "EvaluationPeriods": 2,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 5.0,
            "TreatMissingData": "notBreaching",
            "AlarmActions": [TOPIC],
            **params,
        },
        put=now,
        updated=now,
        changed=now,
    )


def query(name: str, metric: str = "", expression: str = "", stat: str = "Sum") -> dict[str, Any]:
    if expression:
        return {"Id": name, "Expression": expression, "ReturnData": True}
    dimensions = [{"Name": key, "Value": value} for key, value in LOAD.items()]
    where = {"Namespace": "N", "MetricName": metric, "Dimensions": dimensions}
    return {
        "Id": name,
        "ReturnData": False,
        "MetricStat": {"Metric": where, "Period": 60, "Stat": stat},
    }


RATIO = [
    query("requests", "Requests"),
    query("errors", "Errors"),
    query("value", expression="IF(requests >= 10, 100 * FILL(errors, 0) / requests, 0)"),
]


class World:
    """A watch with one alarm, a clock that is set by hand, and SNS that remembers."""

    def __init__(self, watched: Alarm) -> None:
        self.seconds, self.alarm = 6000.0, watched
        self.published: list[dict[str, Any]] = []
        cloud = SimpleNamespace(
            settings=SimpleNamespace(region=REGION, account_id="123456789012"),
            backend=lambda _service, _region: SimpleNamespace(
                publish=lambda text, arn, subject: self.published.append(
                    {"arn": arn, "subject": subject, **json.loads(text)}
                )
            ),
        )
        alarms = SimpleNamespace(
            metric_alarms=lambda: [(REGION, watched)],
            enter=self.enter,
        )
        self.watch = Watch(cloud, alarms, lambda: self.seconds)  # type: ignore[arg-type]

    def enter(self, _region: str, entered: Alarm, state: str, reason: str) -> list[Alarm]:
        entered.enter(state, reason, datetime(2026, 11, 23, tzinfo=UTC))
        return [entered]

    def minute(self, **counts: int) -> str:
        """Let a minute pass in which these were counted; the alarm's state after it."""
        for name, count in counts.items():
            self.watch.measure(REGION, "N", name, LOAD, [1.0] * count)
        self.seconds += 60
        self.watch.look()
        return self.alarm.state_value


def test_a_ratio_of_errors_rings_and_falls_silent() -> None:
    world = World(alarm(Metrics=RATIO))
    assert world.minute(Requests=100) == "OK"
    assert world.minute(Requests=100, Errors=10) == "OK"  # one minute of two
    assert world.minute(Requests=100, Errors=10) == "ALARM"
    assert "2 of the last 2 datapoints [10, 10]" in world.alarm.reason
    assert world.minute(Requests=100) == "OK"
    assert [p["NewStateValue"] for p in world.published] == ["ALARM"]
    assert world.published[0]["arn"] == TOPIC
    assert world.published[0]["subject"] == f'ALARM: "a" in {REGION}'


def test_too_few_requests_make_no_ratio() -> None:
    world = World(alarm(Metrics=RATIO))
    assert [world.minute(Requests=9, Errors=9) for _ in range(4)] == ["OK"] * 4


def test_a_minute_counts_once_it_is_complete() -> None:
    world = World(alarm(Metrics=RATIO, EvaluationPeriods=1))
    world.watch.measure(REGION, "N", "Requests", LOAD, [1.0] * 20)
    world.watch.measure(REGION, "N", "Errors", LOAD, [1.0] * 20)
    world.seconds += 30
    world.watch.look()
    assert world.alarm.state_value == "INSUFFICIENT_DATA"
    world.seconds += 30
    world.watch.look()
    assert world.alarm.state_value == "ALARM"


def test_actions_that_are_switched_off_tell_nobody() -> None:
    world = World(alarm(Metrics=RATIO, EvaluationPeriods=1))
    world.alarm.actions_enabled = False
    assert world.minute(Requests=20, Errors=20) == "ALARM"
    assert world.published == []


def test_an_alarm_on_one_metric_and_what_is_put_from_outside() -> None:
    world = World(
        alarm(
            Namespace="Mine",
            MetricName="Age",
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            TreatMissingData="missing",
        )
    )
    call = SimpleNamespace(
        region=REGION,
        params={
            "Namespace": "Mine",
            "MetricData": [
                {"MetricName": "Age", "Values": [1.0, 9.0], "Counts": [3.0, 1.0]},
                {"MetricName": "Other", "Value": 100.0},
            ],
        },
    )
    world.watch.put_metric_data(call)
    assert world.minute() == "ALARM"
    assert "[9]" in world.alarm.reason


def test_the_period_of_metric_math_is_its_metrics() -> None:
    assert period_of({"Metrics": RATIO}) == 60
    assert period_of({"Period": 300}) == 300


# The sources.


class Measured(dict[tuple[str, str], list[float]]):
    """What a source has measured, by name and the value of the last dimension."""

    def __call__(self, _namespace: str, name: str, dimensions: Any, values: Any) -> None:
        place = dimensions.get("TargetGroup") or dimensions.get("LoadBalancer") or "service"
        self.setdefault((name, place), []).extend(values)


BALANCER = "arn:aws:elasticloadbalancing:eu-south-1:1:loadbalancer/app/lyo/1"
GROUP = "arn:aws:elasticloadbalancing:eu-south-1:1:targetgroup/lyo-blue/2"


def test_requests_become_the_load_balancers_metrics() -> None:
    traffic = SimpleNamespace(observers=[])
    states = [SimpleNamespace(state=state) for state in ("healthy", "healthy", "unhealthy")]
    balancing = SimpleNamespace(
        traffic=traffic,
        counters=lambda: None,
        balancers=lambda: [SimpleNamespace(arn=BALANCER)],
        backends=lambda: [SimpleNamespace(target_groups={GROUP: object()})],
        health=lambda _arn: dict(enumerate(states)),
        users_of_group=lambda _arn: [BALANCER],
    )
    metrics = TrafficMetrics(balancing)  # type: ignore[arg-type]
    for entry in (
        Entry("lyo-1", "lyo-blue-2", 200, 200, 0.1, ""),
        Entry("lyo-1", "lyo-blue-2", 500, 500, 0.3, ""),
        Entry("lyo-1", "lyo-blue-2", 503, None, None, ""),
        Entry("gone-9", None, 404, None, None, ""),
    ):
        traffic.observers[0](entry)
    measured = Measured()
    metrics.report(measured)
    whole, group = "app/lyo/1", "targetgroup/lyo-blue/2"
    assert {suffix(BALANCER), suffix(GROUP)} == {whole, group}
    assert sum(measured["RequestCount", whole]) == sum(measured["RequestCount", group]) == 2
    assert measured["HTTPCode_Target_5XX_Count", group] == [1.0]
    assert measured["HTTPCode_ELB_503_Count", whole] == [1.0]
    assert ("HTTPCode_ELB_503_Count", group) not in measured
    assert measured["TargetResponseTime", whole] == [0.1, 0.3]
    assert measured["RequestCountPerTarget", group] == [1.0]  # two requests, two healthy targets
    assert measured["HealthyHostCount", group] == [2.0]
    assert measured["UnHealthyHostCount", group] == [1.0]
    measured.clear()
    metrics.report(measured)
    assert ("RequestCount", whole) not in measured, "requests were counted twice"


def test_utilization_is_of_what_the_tasks_reserve() -> None:
    tasks = [
        SimpleNamespace(
            arn=f"t{n}", cluster_arn="c", last_status="RUNNING", cpu="512", memory="1024"
        )
        for n in range(2)
    ]
    used = {"t0": Usage(10.0, 512 << 20), "t1": Usage(20.0, 256 << 20)}
    service = SimpleNamespace(
        status="ACTIVE", cluster_name="c", name="s", cluster_arn="c", desired_count=3
    )
    now = [100.0]
    ecs = SimpleNamespace(
        engine=SimpleNamespace(usage=lambda _measure: used, tasks=lambda **_: tasks),
        services=SimpleNamespace(services={"s": service}),
    )
    metrics = ServiceMetrics(ecs, lambda: now[0])  # type: ignore[arg-type]
    measured = Measured()
    metrics.report(measured)
    assert measured["RunningTaskCount", "service"] == [2.0]
    assert measured["DesiredTaskCount", "service"] == [3.0]
    assert ("CPUUtilization", "service") not in measured  # nothing to compare with yet
    now[0], used["t0"], used["t1"] = 110.0, Usage(11.0, 512 << 20), Usage(24.0, 256 << 20)
    metrics.report(measured)
    # 5 CPU seconds in 10 s by two tasks of half a CPU.
    assert measured["CPUUtilization", "service"] == [pytest.approx(50.0)]
    assert measured["MemoryUtilization", "service"] == [pytest.approx(37.5)]


def test_usage_is_read_by_process_group() -> None:
    group = os.getpgid(0)
    found = usage.of_groups({group})
    assert found[group].memory_bytes > 1 << 20
    assert found[group].cpu_seconds > 0
    assert usage.of_groups({2**22 + 1}) == {}
