"""The state an alarm is in, given its data points: decided without I/O.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.services.cloudwatch.expressions import Series

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
# Periods that are looked at besides those to evaluate, so that a late data point still counts.
MORE_PERIODS = 2

_BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass(frozen=True)
class Condition:
    """What an alarm waits for, from PutMetricAlarm's parameters."""

    comparison: str
    threshold: float
    periods: int
    datapoints: int
    missing: str

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Condition:
        """Return the condition of an alarm."""
        periods = int(params["EvaluationPeriods"])
        return cls(
            comparison=str(params["ComparisonOperator"]),
            threshold=float(params.get("Threshold", 0.0)),
            periods=periods,
            datapoints=int(params.get("DatapointsToAlarm") or periods),
            missing=str(params.get("TreatMissingData") or "missing"),
        )

    def breaches(self, value: float) -> bool:
        """Whether a data point is beyond the threshold."""
        return _BREACHES[self.comparison](value, self.threshold)


def evaluate(
    condition: Condition, series: Series, periods: Sequence[int], state: str
) -> tuple[str, str]:
    """Return the state and the reason for it.

    :param periods: numbers of the complete periods in the evaluation range, oldest first.
    :param state: the alarm's present one.
    """
    present = [series[period] for period in periods if period in series][-condition.periods :]
    breaching = sum(condition.breaches(value) for value in present)
    lacking = condition.periods - len(present)
    values = ", ".join(f"{value:g}" for value in present) or "none"
    said = (
        f"{breaching} of the last {condition.periods} datapoints [{values}] breached the threshold "
        f"({condition.threshold:g})"
    )
    if condition.missing == "breaching":
        breaching += lacking
    if breaching >= condition.datapoints:
        return ALARM, f"Threshold Crossed: {said}"
    if lacking and condition.missing == "ignore" and (not present or breaching == len(present)):
        return state, f"Retained: {said}"
    if lacking and condition.missing == "missing":
        if not present:
            return INSUFFICIENT_DATA, "Insufficient Data: no datapoints were received"
        if breaching == len(present):
            # Only the newest breach: the next data point may not, so nothing is decided yet. Once the
            # oldest is as old as the data points to alarm, what is missing is not waited for.
            oldest = next(n for n, period in enumerate(periods) if period in series)
            if len(periods) - oldest < condition.datapoints:
                return state, f"Retained: {said}"
            return ALARM, f"Threshold Crossed: {said}"
    return OK, f"Threshold not Crossed: {said}"
