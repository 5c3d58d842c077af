"""Data points of metrics by cloud minute, and their statistics over an alarm's periods."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

MINUTE_SECONDS = 60
# Longer than any alarm may look back: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
KEPT_MINUTES = 7 * 24 * 60
# Of a busy metric's single values as many are kept as a percentile needs.
KEPT_VALUES = 5000

Key = tuple[str, str, frozenset[tuple[str, str]]]


@dataclass
class Minute:
    """What a metric was in one minute."""

    count: float = 0.0
    total: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    values: list[float] = field(default_factory=list)

    def add(self, value: float, count: float = 1.0) -> None:
        """Add a value that was seen ``count`` times."""
        self.count += count
        self.total += value * count
        self.low, self.high = min(self.low, value), max(self.high, value)
        room = KEPT_VALUES - len(self.values)
        self.values += [value] * min(int(count), room)

    def merge(self, other: Minute) -> None:
        """Add all that another minute has."""
        self.count += other.count
        self.total += other.total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.values += other.values

    def statistic(self, name: str) -> float:
        """The value of a statistic: Sum, Average, Minimum, Maximum, SampleCount or pNN.

        :raises ValueError: another one.
        """
        if name == "Sum":
            return self.total
        if name == "Average":
            return self.total / self.count
        if name == "Minimum":
            return self.low
        if name == "Maximum":
            return self.high
        if name == "SampleCount":
            return self.count
        if name.startswith("p") and name[1:].replace(".", "", 1).isdigit():
            return percentile(self.values, float(name[1:]))
        raise ValueError(f"the statistic {name} is not reproduced here")


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which ``percent`` of all lie, by linear interpolation."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    lower = math.floor(place)
    upper = min(lower + 1, len(ordered) - 1)
    return ordered[lower] + (ordered[upper] - ordered[lower]) * (place - lower)


def key_of(namespace: str, name: str, dimensions: Mapping[str, str]) -> Key:
    """What identifies a metric."""
    return namespace, name, frozenset(dimensions.items())


class Store:
    """The metrics of one region. Not safe for several threads: its owner holds a lock."""

    def __init__(self) -> None:
        self._minutes: dict[Key, dict[int, Minute]] = defaultdict(dict)

    def add(self, key: Key, minute: int, values: Iterable[float]) -> None:
        """Add values that were measured in a minute."""
        minutes = self._minutes[key]
        entry = minutes.setdefault(minute, Minute())
        for value in values:
            entry.add(value)
        while len(minutes) > KEPT_MINUTES:
            del minutes[next(iter(minutes))]

    def series(
        self, key: Key, statistic: str, period_seconds: int, ends: Sequence[int]
    ) -> dict[int, float]:
        """The statistic of each period that has data, by the period's last minute.

        :param ends: last minutes of the periods.
        """
        minutes = self._minutes.get(key)
        if not minutes:
            return {}
        width = max(1, period_seconds // MINUTE_SECONDS)
        found = {}
        for end in ends:
            whole = Minute()
            for minute in range(end - width + 1, end + 1):
                if minute in minutes:
                    whole.merge(minutes[minute])
            if whole.count:
                found[end] = whole.statistic(statistic)
        return found
