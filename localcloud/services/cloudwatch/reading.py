"""GetMetricData: reads back what the local cloud measures, and what callers have put.

Periods count cloud seconds, as everywhere; time stamps are real. So at speed 10 a period of 60 seconds
is 6 seconds long, and an hour of real time has 600 of them.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from localcloud.api import Call, NotReproducedError
from localcloud.services.cloudwatch.expressions import Expression, UnsupportedError
from localcloud.services.cloudwatch.statistics import MINUTE_SECONDS
from localcloud.services.cloudwatch.validation import SERVICE, invalid

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.services.cloudwatch.watching import Watch

MOST_QUERIES, MOST_POINTS = 500, 100_800


class Reading:
    """Answers GetMetricData from what the watch has measured."""

    def __init__(self, cloud: Cloud, watch: Watch) -> None:
        self._cloud = cloud
        self._watch = watch

    def get_metric_data(self, call: Call) -> Mapping[str, Any]:
        """GetMetricData. Raises ValidationError; NotReproducedError for mixed or short periods."""
        params = call.params
        queries: Sequence[Mapping[str, Any]] = params["MetricDataQueries"]
        period = _period(queries)
        ends = self._ends(_aware(params["StartTime"]), _aware(params["EndTime"]), period)
        results = []
        for query in queries:
            if not query.get("ReturnData", True):
                continue
            try:
                series = self._watch.read(call.region, queries, query["Id"], period, ends)
            except UnsupportedError as error:
                raise NotReproducedError(SERVICE, f"metric math: {error}") from error
            except (ValueError, KeyError) as error:
                raise invalid(f"{query['Id']} cannot be read: {error}") from error
            minutes = sorted(series, reverse=params.get("ScanBy") != "TimestampAscending")
            results.append(
                {
                    "Id": query["Id"],
                    "Label": query.get("Label") or _label(query),
                    "Timestamps": [self._began(minute, period) for minute in minutes],
                    "Values": [series[minute] for minute in minutes],
                    "StatusCode": "Complete",
                }
            )
        return {"MetricDataResults": results, "Messages": []}

    def _ends(self, start: datetime, end: datetime, period: int) -> list[int]:
        """The last minutes of all periods that begin in a span of real time."""
        if start >= end:
            raise invalid("The parameter StartTime must be less than the parameter EndTime.")
        width = period // MINUTE_SECONDS
        first, last = (int(self._cloud_seconds(at) // MINUTE_SECONDS) for at in (start, end))
        first = max(first, 0)
        found = range(first + width - 1, last + width, width)
        if len(found) > MOST_POINTS:
            raise invalid(f"More than {MOST_POINTS} data points were asked for.")
        return list(found)

    def _cloud_seconds(self, at: datetime) -> float:
        ago = (self._cloud.clock.now() - at).total_seconds()
        return self._watch.seconds - ago * self._cloud.clock.speed

    def _began(self, end: int, period: int) -> datetime:
        first = (end + 1) * MINUTE_SECONDS - period
        ago = (self._watch.seconds - first) / self._cloud.clock.speed
        return self._cloud.clock.now() - timedelta(seconds=ago)


def _period(queries: Sequence[Mapping[str, Any]]) -> int:
    """The one period of all queries."""
    if not 1 <= len(queries) <= MOST_QUERIES:
        raise invalid(f"There must be from 1 to {MOST_QUERIES} queries.")
    for query in queries:
        if bool(query.get("MetricStat")) == bool(query.get("Expression")):
            raise invalid(f"{query['Id']} must have exactly one of MetricStat and Expression.")
        if query.get("Expression"):
            try:
                Expression(query["Expression"])
            except UnsupportedError as error:
                raise NotReproducedError(SERVICE, f"metric math: {error}") from error
    periods = {int(q["MetricStat"]["Period"]) for q in queries if q.get("MetricStat")}
    periods |= {int(query["Period"]) for query in queries if query.get("Period")}
    if len(periods) != 1:
        raise NotReproducedError(SERVICE, "GetMetricData with queries of different periods")
    (period,) = periods
    if period < MINUTE_SECONDS or period % MINUTE_SECONDS:
        raise NotReproducedError(SERVICE, "GetMetricData with periods below a minute")
    return period


def _label(query: Mapping[str, Any]) -> str:
    return str(
        query["MetricStat"]["Metric"]["MetricName"] if "MetricStat" in query else query["Id"]
    )


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
