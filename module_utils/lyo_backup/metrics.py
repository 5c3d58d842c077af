"""Metrics of the backups, from which alarms are made: made without I/O, sent with one call.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/publishingMetrics.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..lyo_aws import Aws
from .decide import CACHE, LOGICAL, SNAPSHOT, newest_complete
from .ids import backup_of, began
from .retention import VERIFIED

NAMESPACE = "Lyo/Backup"


@dataclass(frozen=True)
class State:
    """The newest complete backup of a kind.

    :ivar at: when it was begun, aware; None without one.
    :ivar bytes: of a logical one and of the cache's its own; of an RDS snapshot the allocated storage.
    :ivar seconds: how long it took; None where nobody measured it.
    :ivar verified: None for a kind that is not verified.
    """

    kind: str
    at: datetime | None = None
    bytes: int = 0
    seconds: float | None = None
    verified: bool | None = None


def states(
    snapshots: Mapping[str, Sequence[Any]], logical: Sequence[Any], durations: Mapping[str, float]
) -> list[State]:
    """Return where each kind is.

    :param snapshots: the available ones of backups, by kind.
    :param durations: seconds that this run measured, by kind.
    """
    found = []
    for kind in (SNAPSHOT, CACHE):
        named = {backup_of(s.name)[1]: s for s in snapshots.get(kind, ()) if backup_of(s.name)[1]}
        newest = max(named, default="")
        at = began(newest) if newest else None
        found.append(State(kind, at, named[newest].bytes if newest else 0, durations.get(kind)))
    last = newest_complete(logical)
    found.append(
        State(
            LOGICAL,
            last.at if last else None,
            last.bytes if last else 0,
            durations.get(LOGICAL),
            last is not None and last.verdict == VERIFIED,
        )
    )
    return found


def data(found: Sequence[State], environment: str, now: datetime) -> list[dict[str, Any]]:
    """Return PutMetricData's data: a kind that has no backup has no age, which the alarm takes for stale."""
    result: list[dict[str, Any]] = []
    for state in found:
        values: dict[str, tuple[float | None, str]] = {"Verified": (None, "None")}
        if state.verified is not None:
            values["Verified"] = (1.0 if state.verified else 0.0, "None")
        if state.at is not None:
            values["AgeSeconds"] = (max(0.0, (now - state.at).total_seconds()), "Seconds")
            values["Bytes"] = (float(state.bytes), "Bytes")
            values["DurationSeconds"] = (state.seconds, "Seconds")
        dimensions = [
            {"Name": "Environment", "Value": environment},
            {"Name": "Kind", "Value": state.kind},
        ]
        result += [
            {"MetricName": name, "Dimensions": dimensions, "Value": value, "Unit": unit}
            for name, (value, unit) in sorted(values.items())
            if value is not None
        ]
    return result


def put(aws: Aws, found: Sequence[State], environment: str, now: datetime) -> None:
    """Send them.

    :raises AwsFailure: they are refused.
    """
    aws.call(
        "cloudwatch",
        "put_metric_data",
        Namespace=NAMESPACE,
        MetricData=data(found, environment, now),
    )
