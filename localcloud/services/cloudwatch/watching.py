"""Measures the cloud by cloud minutes, and puts alarms into the state that their metrics give.

Every cloud minute: the sources add what they saw, then each metric alarm is evaluated over the minutes
that are complete, as CloudWatch does every minute. What a state's change calls for (SNS) is done.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from __future__ import annotations

import json
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Event
from typing import TYPE_CHECKING, Any

from localcloud.services.cloudwatch.evaluation import MORE_PERIODS, Condition, evaluate
from localcloud.services.cloudwatch.expressions import Expression, Series, Value
from localcloud.services.cloudwatch.statistics import MINUTE_SECONDS, Store, key_of

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.services.cloudwatch.alarms import Alarm, Alarms

log = logging.getLogger("localcloud.cloudwatch")

# Cloud seconds between two looks of the sources; a minute's last look comes before its evaluation.
LOOK_SECONDS = 10.0
# Wall seconds: a fast clock must not keep a processor busy with looking.
SHORTEST_LOOK = 0.25
_ACTIONS = {
    "ALARM": "AlarmActions",
    "OK": "OKActions",
    "INSUFFICIENT_DATA": "InsufficientDataActions",
}
Measure = Callable[[str, str, Mapping[str, str], Iterable[float]], None]
Source = Callable[[Measure], None]


class Watch:
    """``cloud.parts["cloudwatch"]``.

    :param now: cloud seconds since some moment.
    """

    def __init__(
        self, cloud: Cloud, alarms: Alarms, now: Callable[[], float] | None = None
    ) -> None:
        self._cloud = cloud
        self.alarms = alarms
        self._now = now or (lambda: time.monotonic() * cloud.clock.speed)
        self._stores: dict[str, Store] = defaultdict(Store)
        self._sources: list[Source] = []
        self._followers: list[Callable[[int], None]] = []
        self._evaluated = self.minute - 1

    @property
    def seconds(self) -> float:
        """Cloud seconds since some moment."""
        return self._now()

    @property
    def minute(self) -> int:
        """Number of the present cloud minute."""
        return int(self._now() // MINUTE_SECONDS)

    def add_source(self, source: Source) -> None:
        """Have ``source`` called at every look, with the cloud's lock held."""
        self._sources.append(source)

    def add_follower(self, follower: Callable[[int], None]) -> None:
        """Have ``follower`` called with each minute whose alarms were evaluated, the lock held."""
        self._followers.append(follower)

    def read(
        self,
        region: str,
        queries: Sequence[Mapping[str, Any]],
        returned: str,
        period: int,
        ends: list[int],
    ) -> Series:
        """The data points of one of several queries, by the last minutes of their periods.

        :raises ValueError, KeyError: it uses what is not there or not reproduced.
        """
        only = [{**query, "ReturnData": query["Id"] == returned} for query in queries]
        return self._series(self._stores[region], {"Metrics": only}, period, ends)

    def newest(self, alarm: Alarm, minute: int) -> float | None:
        """The newest data point that an alarm saw when ``minute`` was complete, None without one."""
        try:
            series = self._seen(self._cloud.settings.region, alarm, minute)
        except (ValueError, KeyError):
            return None  # told when the alarm was evaluated
        return series[max(series)] if series else None

    def measure(
        self,
        region: str,
        namespace: str,
        name: str,
        dimensions: Mapping[str, str],
        values: Iterable[float],
    ) -> None:
        """Take in values of a metric, measured in the present minute."""
        self._stores[region].add(key_of(namespace, name, dimensions), self.minute, values)

    def put_metric_data(self, call: Any) -> None:
        """After PutMetricData: whatever the caller's time stamps, it counts as measured now."""
        for datum in call.params.get("MetricData", []):
            dimensions = {d["Name"]: d["Value"] for d in datum.get("Dimensions", [])}
            values = datum.get("Values") or [datum.get("Value", 0.0)]
            counts = datum.get("Counts") or [1.0] * len(values)
            spread = [v for v, n in zip(values, counts, strict=True) for _ in range(int(n))]
            self.measure(
                call.region, call.params["Namespace"], datum["MetricName"], dimensions, spread
            )

    def run(self, stop: Event) -> None:
        """Look and evaluate until the cloud goes down."""
        pause = max(SHORTEST_LOOK, self._cloud.clock.wall(LOOK_SECONDS))
        while not stop.wait(pause):
            with self._cloud.lock:
                self.look()

    def look(self) -> None:
        """Let every source measure; evaluate what has become complete."""
        region = self._cloud.settings.region
        for source in self._sources:
            try:
                source(lambda *what: self.measure(region, *what))
            except Exception:
                log.exception("a source of metrics failed")
        complete = self.minute - 1
        if complete > self._evaluated:
            self._evaluated = complete
            for region, alarm in self.alarms.metric_alarms():
                self._evaluate(region, alarm, complete)
            for follower in self._followers:
                try:
                    follower(complete)
                except Exception:
                    log.exception("what follows the alarms failed")

    def _evaluate(self, region: str, alarm: Alarm, complete: int) -> None:
        condition = Condition.of(alarm.params)
        try:
            series = self._seen(region, alarm, complete)
        except (ValueError, KeyError) as error:
            log.warning("%s is not evaluated: %s", alarm.name, error)
            return
        state, reason = evaluate(condition, series, _ends(alarm, complete), alarm.state_value)
        if state == alarm.state_value:
            return
        before = alarm.state_value
        for name in self.alarms.enter(region, alarm, state, reason):
            self._act(region, name, before if name is alarm else None)

    def _seen(self, region: str, alarm: Alarm, complete: int) -> Series:
        """The data points in an alarm's evaluation range. Raises ValueError, KeyError."""
        period = period_of(alarm.params)
        return self._series(self._stores[region], alarm.params, period, _ends(alarm, complete))

    def _series(
        self, store: Store, params: Mapping[str, Any], period: int, ends: list[int]
    ) -> Series:
        if not params.get("Metrics"):
            statistic = params.get("Statistic") or params["ExtendedStatistic"]
            return store.series(_key(params), str(statistic), period, ends)
        queries = {query["Id"]: query for query in params["Metrics"]}
        known: dict[str, Value] = {}

        def resolve(name: str) -> Value:
            if name not in known:
                query = queries[name]
                if query.get("MetricStat"):
                    stat = query["MetricStat"]
                    key, width = _key(stat["Metric"]), int(stat["Period"])
                    known[name] = store.series(key, str(stat["Stat"]), width, ends)
                else:
                    expression = Expression(query["Expression"])
                    for other in expression.names:
                        resolve(other)
                    known[name] = expression.evaluate(known, ends)
            return known[name]

        result = resolve(next(q["Id"] for q in params["Metrics"] if q.get("ReturnData", True)))
        return result if isinstance(result, dict) else dict.fromkeys(ends, result)

    def _act(self, region: str, alarm: Alarm, before: str | None) -> None:
        """Publish the change to the topics that the alarm names for its new state.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
        """
        if not alarm.actions_enabled:
            return
        message = {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.params.get("AlarmDescription"),
            "AWSAccountId": self._cloud.settings.account_id,
            "NewStateValue": alarm.state_value,
            "NewStateReason": alarm.reason,
            "StateChangeTime": alarm.changed.isoformat(),
            "Region": region,
            "AlarmArn": alarm.alarm_arn,
            "OldStateValue": before,
        }
        for action in alarm.params.get(_ACTIONS[alarm.state_value]) or []:
            if ":sns:" in action:
                subject = f'{alarm.state_value}: "{alarm.name}" in {region}'
                backend = self._cloud.backend("sns", region)
                backend.publish(json.dumps(message), arn=action, subject=subject[:100])


def _ends(alarm: Alarm, complete: int) -> list[int]:
    """The last minutes of the periods that an alarm looks at, oldest first."""
    width = max(1, period_of(alarm.params) // MINUTE_SECONDS)
    count = Condition.of(alarm.params).periods + MORE_PERIODS
    return [complete - width * back for back in range(count - 1, -1, -1)]


def period_of(params: Mapping[str, Any]) -> int:
    """Seconds of an alarm's period; with metric math the longest of its metrics'."""
    if not params.get("Metrics"):
        return int(params["Period"])
    stats = [q["MetricStat"] for q in params["Metrics"] if q.get("MetricStat")]
    own = [int(q["Period"]) for q in params["Metrics"] if q.get("Period")]
    return max([int(stat["Period"]) for stat in stats] + own, default=MINUTE_SECONDS)


def _key(metric: Mapping[str, Any]) -> Any:
    dimensions = {d["Name"]: d["Value"] for d in metric.get("Dimensions") or []}
    return key_of(str(metric["Namespace"]), str(metric["MetricName"]), dimensions)
