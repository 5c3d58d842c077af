"""GetMetricData reads back what was measured, in cloud minutes with real time stamps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.services.cloudwatch.reading import Reading
from localcloud.services.cloudwatch.watching import Watch

REGION = "eu-south-1"
NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
ALL = {"LoadBalancer": "app/lyo/1"}


def stat(name: str, metric: str, *, returned: bool = True, period: int = 60) -> dict[str, Any]:
    dimensions = [{"Name": key, "Value": value} for key, value in ALL.items()]
    where = {"Namespace": "N", "MetricName": metric, "Dimensions": dimensions}
    return {
        "Id": name,
        "ReturnData": returned,
        "MetricStat": {"Metric": where, "Period": period, "Stat": "Sum"},
    }


class World:
    """Speed 10: a cloud minute is six seconds long. Now is in the middle of minute 100."""

    def __init__(self) -> None:
        self.seconds = 6030.0
        clock = SimpleNamespace(now=lambda: NOW, speed=10.0)
        cloud: Any = SimpleNamespace(settings=SimpleNamespace(region=REGION), clock=clock)
        self.watch = Watch(cloud, None, lambda: self.seconds)  # type: ignore[arg-type]
        self.reading = Reading(cloud, self.watch)
        for minute, requests, errors in ((98, 50, 5), (99, 60, 0), (100, 20, 2)):
            self.seconds = minute * 60.0
            self.watch.measure(REGION, "N", "Requests", ALL, [1.0] * requests)
            self.watch.measure(REGION, "N", "Errors", ALL, [1.0] * errors)
        self.seconds = 6030.0

    def get(self, *queries: dict[str, Any], ago: float = 60.0, **more: Any) -> Any:
        params = {
            "MetricDataQueries": list(queries),
            "StartTime": NOW - timedelta(seconds=ago),
            "EndTime": NOW,
            **more,
        }
        call = Call("cloudwatch", "GetMetricData", "1", REGION, params)
        return self.reading.get_metric_data(call)["MetricDataResults"]


def test_values_come_newest_first_with_real_time_stamps() -> None:
    (result,) = World().get(stat("r", "Requests"))
    assert result["Values"] == [20.0, 60.0, 50.0]
    assert result["Timestamps"] == [NOW - timedelta(seconds=ago) for ago in (3, 9, 15)]
    assert (result["Id"], result["Label"], result["StatusCode"]) == ("r", "Requests", "Complete")
    (result,) = World().get(stat("r", "Requests"), ScanBy="TimestampAscending")
    assert result["Values"] == [50.0, 60.0, 20.0]


def test_only_what_lies_in_the_span_is_read() -> None:
    (result,) = World().get(stat("r", "Requests"), ago=9.0)
    assert result["Values"] == [20.0, 60.0]


def test_longer_periods_are_sums_of_minutes() -> None:
    (result,) = World().get(stat("r", "Requests", period=120), ago=15.0)
    assert result["Values"] == [20.0, 110.0]


def test_metric_math_and_what_is_not_returned() -> None:
    errors = stat("e", "Errors", returned=False)
    (result,) = World().get(
        stat("r", "Requests", returned=False), errors, {"Id": "p", "Expression": "100 * e / r"}
    )
    assert (result["Id"], result["Values"]) == ("p", [10.0, 10.0])


def test_what_was_never_measured_has_no_values() -> None:
    (result,) = World().get(stat("x", "Nothing"))
    assert result["Values"] == result["Timestamps"] == []


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(AwsError, match="StartTime"):
        World().get(stat("r", "Requests"), ago=0)
    with pytest.raises(AwsError, match="exactly one"):
        World().get({"Id": "x"})
    with pytest.raises(AwsError, match="cannot be read"):
        World().get(stat("r", "Requests"), {"Id": "p", "Expression": "r / other"})
    with pytest.raises(NotReproducedError, match="periods below a minute"):
        World().get(stat("r", "Requests", period=10))
    with pytest.raises(NotReproducedError, match="different periods"):
        World().get(stat("r", "Requests"), stat("s", "Requests", period=300))
    with pytest.raises(NotReproducedError, match="metric math"):
        World().get(stat("r", "Requests"), {"Id": "p", "Expression": "SEARCH('x', 'Sum')"})
