"""What a runbook that runs by itself writes down, so that an alarm can tell when it did not.

Namespace Lyo/Operations, dimensions Environment and Runbook: `Succeeded` (1 or 0), and
`SecondsSinceSuccess` of the runbooks that run less often than CloudWatch looks back, which is a week:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

NAMESPACE = "Lyo/Operations"
RARE = ("drill.yml",)
# Data points of an hour are kept for 15 months; so far back is looked for the last success.
LOOK_BACK = timedelta(days=62)
PERIOD_SECONDS = 3600


def dimensions(environment: str, runbook: str) -> list[dict[str, str]]:
    """The dimensions of a runbook's metrics."""
    return [
        {"Name": "Environment", "Value": environment},
        {"Name": "Runbook", "Value": runbook},
    ]


def data(
    environment: str, runbook: str, *, succeeded: bool, ages: dict[str, float]
) -> list[dict[str, Any]]:
    """PutMetricData's data of one run.

    :param ages: seconds since the last success of each rare runbook.
    """
    own = {"MetricName": "Succeeded", "Value": 1.0 if succeeded else 0.0, "Unit": "Count"}
    return [
        {**own, "Dimensions": dimensions(environment, runbook)},
        *(
            {
                "MetricName": "SecondsSinceSuccess",
                "Value": seconds,
                "Unit": "Seconds",
                "Dimensions": dimensions(environment, name),
            }
            for name, seconds in ages.items()
        ),
    ]


def query(environment: str, runbook: str) -> dict[str, Any]:
    """GetMetricData's query for the successes of a runbook."""
    return {
        "Id": "succeeded",
        "MetricStat": {
            "Metric": {
                "Namespace": NAMESPACE,
                "MetricName": "Succeeded",
                "Dimensions": dimensions(environment, runbook),
            },
            "Period": PERIOD_SECONDS,
            "Stat": "Maximum",
        },
    }


def age(times: Sequence[datetime], values: Sequence[float], now: datetime) -> float:
    """Seconds since the last success; where there is none, as far back as was looked."""
    good = [at for at, value in zip(times, values, strict=True) if value >= 1]
    return max(0.0, (now - max(good)).total_seconds()) if good else LOOK_BACK.total_seconds()


def publish(cloudwatch: Any, environment: str, runbook: str, now: datetime, *, good: bool) -> None:
    """Write a run down.

    :raises botocore.exceptions.BotoCoreError, ClientError: CloudWatch cannot be reached, or refuses.
    """
    ages: dict[str, float] = {}
    for name in RARE:
        if name == runbook and good:
            ages[name] = 0.0
            continue
        (found,) = cloudwatch.get_metric_data(
            MetricDataQueries=[query(environment, name)], StartTime=now - LOOK_BACK, EndTime=now
        )["MetricDataResults"]
        ages[name] = age(found["Timestamps"], found["Values"], now)
    cloudwatch.put_metric_data(
        Namespace=NAMESPACE,
        MetricData=data(environment, runbook, succeeded=good, ages=ages),
    )
