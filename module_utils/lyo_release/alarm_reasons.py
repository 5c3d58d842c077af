"""Says what an alarm that turned a release back had seen: how many requests failed, and why it rang."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from .live import describe_revisions

_NAMESPACE = "AWS/ApplicationELB"
_PERIOD = 60
# Ids of our own queries, beside those of the alarms.
_ALL, _GREEN, _ERRORS = "release_all", "release_green", "release_errors"
_COMPARISONS = {
    "GreaterThanThreshold": "above",
    "GreaterThanOrEqualToThreshold": "at or above",
    "LessThanThreshold": "below",
    "LessThanOrEqualToThreshold": "at or below",
}

Series = Mapping[str, tuple[float, ...]]


def queries(
    alarms: Sequence[Mapping[str, Any]], balancer_arn: str, group_arn: str
) -> list[dict[str, Any]]:
    """Return the MetricDataQueries: requests of all, requests and errors of green, and each alarm's.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html

    :param alarms: metric alarms as DescribeAlarms has them.
    :param group_arn: target group of the new revision.
    """
    balancer = {"Name": "LoadBalancer", "Value": balancer_arn.rpartition("loadbalancer/")[2]}
    group = {"Name": "TargetGroup", "Value": group_arn.rpartition(":")[2]}
    asked = [
        _count(_ALL, "RequestCount", [balancer]),
        _count(_GREEN, "RequestCount", [balancer, group]),
        _count(_ERRORS, "HTTPCode_Target_5XX_Count", [balancer, group]),
    ]
    for number, alarm in enumerate(alarms):
        asked += _of_alarm(alarm, f"alarm{number}_")
    return asked


def _count(name: str, metric: str, dimensions: list[dict[str, str]]) -> dict[str, Any]:
    where = {"Namespace": _NAMESPACE, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": where, "Period": _PERIOD, "Stat": "Sum"}}


def _of_alarm(alarm: Mapping[str, Any], prefix: str) -> list[dict[str, Any]]:
    """Return an alarm's own queries under ids of their own, the one it looks at as ``<prefix>value``."""
    metrics: Sequence[Mapping[str, Any]] = alarm.get("Metrics") or ()
    if not metrics:
        kept = ("Namespace", "MetricName", "Dimensions")
        where = {key: alarm[key] for key in kept if alarm.get(key)}
        statistic = alarm.get("Statistic") or alarm.get("ExtendedStatistic")
        stat = {"Metric": where, "Period": int(alarm["Period"]), "Stat": statistic}
        return [{"Id": f"{prefix}value", "MetricStat": stat}]
    returned = next((m["Id"] for m in metrics if m.get("ReturnData", True)), "")
    names = {
        m["Id"]: prefix + ("value" if m["Id"] == returned else f"of_{m['Id']}") for m in metrics
    }
    known = re.compile(rf"\b({'|'.join(re.escape(name) for name in names)})\b")
    asked = []
    for metric in metrics:
        query = {k: metric[k] for k in ("MetricStat", "Expression", "Period") if metric.get(k)}
        if "Expression" in query:
            query["Expression"] = known.sub(lambda m: names[m.group()], query["Expression"])
        query |= {"Id": names[metric["Id"]], "ReturnData": metric["Id"] == returned}
        asked.append(query)
    return asked


def failed_line(series: Series, weight: float | None) -> str:
    """Return how many requests the new revision has failed, empty where it had none.

    :param weight: the most traffic that it had, in percent; None where that is not known.
    """
    everyone, green, errors = (round(sum(series.get(name, ()))) for name in (_ALL, _GREEN, _ERRORS))
    if not green:
        return ""
    everyone = max(everyone, green)
    had = "it had traffic" if weight is None else f"{weight:g} % of the traffic was on it"
    return (
        f"{errors:,} of {everyone:,} requests ({100 * errors / everyone:.1f} %) were answered with 5xx"
        f" by the new revision while {had}; it got {green:,} of them"
    )


def alarm_line(alarm: Mapping[str, Any], values: Sequence[float]) -> str:
    """Return why an alarm rang: the worst value of its metric against its threshold."""
    name = alarm.get("AlarmName")
    comparison = _COMPARISONS.get(str(alarm.get("ComparisonOperator")))
    if not values or comparison is None:
        return f"alarm {name}: {alarm.get('StateReason') or 'in state ALARM'}"
    worst = min(values) if "below" in comparison else max(values)
    metrics: Sequence[Mapping[str, Any]] = alarm.get("Metrics") or ()
    looked_at: Mapping[str, Any] = next((m for m in metrics if m.get("ReturnData", True)), {})
    label = looked_at.get("Label") or alarm.get("MetricName") or "its metric"
    return (
        f"alarm {name}: {label} was {_number(worst)}, {comparison} its threshold of "
        f"{_number(float(alarm['Threshold']))}"
    )


def _number(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def read(
    aws: Aws,
    names: Sequence[str],
    balancer_arn: str,
    revision_arn: str,
    span: tuple[datetime, datetime],
    weight: float | None,
) -> list[str]:
    """Return what the alarms that turned a release back had seen, one line each.

    One call each of DescribeAlarms, DescribeServiceRevisions and GetMetricData. A refused one is said,
    and costs nothing else.

    :param revision_arn: service revision that was turned back.
    :param span: from when the new revision got traffic until now, both aware.
    """
    try:
        answer = aws.call(
            "cloudwatch",
            "describe_alarms",
            AlarmNames=list(names)[:100],
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
        )
        alarms: list[dict[str, Any]] = answer.get("MetricAlarms", [])
        group = target_group(describe_revisions(aws, [revision_arn]).get(revision_arn, {}))
        found = aws.call(
            "cloudwatch",
            "get_metric_data",
            MetricDataQueries=queries(alarms, balancer_arn, group),
            StartTime=span[0],
            EndTime=span[1],
        )
    except AwsFailure as failure:
        return [f"how many requests failed could not be read: {failure.message}"]
    series = {r["Id"]: tuple(r.get("Values", ())) for r in found.get("MetricDataResults", [])}
    lines = [
        failed_line(series, weight),
        *(alarm_line(a, series.get(f"alarm{n}_value", ())) for n, a in enumerate(alarms)),
        *(alarm_line(alarm, ()) for alarm in answer.get("CompositeAlarms", [])),
    ]
    return [line for line in lines if line]


def target_group(revision: Mapping[str, Any]) -> str:
    """Return the target group that a service revision was given, empty where AWS names none.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceRevision.html
    """
    resolved: Mapping[str, Any] = revision.get("resolvedConfiguration") or {}
    balancers: Sequence[Mapping[str, Any]] = resolved.get("loadBalancers") or ()
    return str(balancers[0].get("targetGroupArn", "")) if balancers else ""
