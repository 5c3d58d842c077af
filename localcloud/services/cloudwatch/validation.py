"""What CloudWatch refuses of a metric alarm, and what the local cloud does not reproduce.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.api import AwsError, NotReproducedError

SERVICE = "cloudwatch"
DAY, WEEK = 86_400, 604_800
_STATIC = {
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
}
_MISSING = {"breaching", "notBreaching", "ignore", "missing"}
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# SEARCH, METRICS of a search and Metrics Insights give several lines, which an alarm cannot read.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
_FUNCTIONS = {
    *(
        "ABS",
        "AVG",
        "CEIL",
        "DATAPOINT_COUNT",
        "DAY",
        "DIFF",
        "DIFF_TIME",
        "EPOCH",
        "FILL",
        "FIRST",
    ),
    *("FLOOR", "HOUR", "IF", "LAST", "LINEAR", "LOG", "LOG10", "MAX", "METRIC_COUNT", "METRICS"),
    *("MIN", "MINUTE", "MONTH", "PERIOD", "RATE", "REPEAT", "RUNNING_SUM", "STDDEV", "SUM"),
    *("TIME_SERIES", "YEAR", "AND", "OR", "NOT", "DATE"),
}
_NOT_REPRODUCED = (
    "EvaluationCriteria",
    "EvaluationWindow",
    "WarmUpConfiguration",
    "ActionConfiguration",
    "ThresholdMetricId",
)


def invalid(message: str) -> AwsError:
    """The error CloudWatch answers a request with that makes no sense."""
    return AwsError("ValidationError", message)


def check_metric_alarm(params: Mapping[str, Any], region: str) -> None:
    """Raise AwsError (ValidationError) or NotReproducedError unless AWS would take the alarm."""
    for name in _NOT_REPRODUCED:
        if params.get(name):
            raise NotReproducedError(SERVICE, f"alarms with {name}")
    if params["ComparisonOperator"] not in _STATIC:
        raise NotReproducedError(SERVICE, "alarms on anomaly detection")
    if params.get("Threshold") is None:
        raise invalid("Threshold is required for alarms on static thresholds.")
    if params.get("TreatMissingData", "missing") not in _MISSING:
        raise invalid(f"TreatMissingData must be one of {', '.join(sorted(_MISSING))}.")
    queries = params.get("Metrics") or []
    if bool(queries) == bool(params.get("MetricName")):
        raise invalid("Exactly one of MetricName and Metrics must be specified.")
    if queries:
        periods = _check_queries(params, queries)
    else:
        if bool(params.get("Statistic")) == bool(params.get("ExtendedStatistic")):
            raise invalid("Exactly one of Statistic and ExtendedStatistic must be specified.")
        if not params.get("Namespace") or not params.get("Period"):
            raise invalid("Namespace and Period are required with MetricName.")
        periods = [params["Period"]]
    _check_periods(params, periods)
    check_actions(params, region)


def check_actions(params: Mapping[str, Any], region: str) -> None:
    """Refuse actions that AWS refuses, or that are not reproduced: anything but SNS topics."""
    for member in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        for arn in params.get(member) or []:
            parts = arn.split(":")
            if len(parts) < 6 or parts[0] != "arn":
                raise invalid(f"Invalid arn syntax: {arn}")
            if parts[2] != "sns":
                raise NotReproducedError(SERVICE, f"alarm actions of {parts[2]}")
            if parts[3] != region:
                raise invalid(f"Invalid region {parts[3]} specified. Only {region} is supported.")


def _check_periods(params: Mapping[str, Any], periods: Sequence[int]) -> None:
    evaluated = params.get("EvaluationPeriods")
    if not evaluated or evaluated < 1:
        raise invalid("EvaluationPeriods must be at least 1.")
    if not 1 <= (params.get("DatapointsToAlarm") or 1) <= evaluated:
        raise invalid("DatapointsToAlarm must be from 1 to EvaluationPeriods.")
    for period in periods:
        if period not in (10, 20, 30) and (period < 60 or period % 60):
            raise invalid(f"Period {period} must be 10, 20, 30 or a multiple of 60.")
        most = WEEK if period >= 3600 else DAY
        if period * evaluated > most:
            raise invalid(
                f"Metrics cannot be checked across more than {most} seconds with a period of {period}"
                f" seconds (EvaluationPeriods * Period must be <= {most})."
            )


def _check_queries(params: Mapping[str, Any], queries: Sequence[Mapping[str, Any]]) -> list[int]:
    """Refuse metrics and expressions that do not fit together; the periods that they ask for."""
    for member in ("Namespace", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic"):
        if params.get(member):
            raise invalid(f"{member} must not be specified with Metrics.")
    ids = [query["Id"] for query in queries]
    for name in ids:
        if not _ID.fullmatch(name):
            raise invalid(f"The id {name!r} must begin with a lower-case letter.")
    if len(set(ids)) < len(ids):
        raise invalid("The ids of Metrics must be different.")
    if sum(query.get("ReturnData", True) for query in queries) != 1:
        raise invalid("Exactly one element of the metrics list should return data.")
    if len([query for query in queries if query.get("MetricStat")]) > 10:
        raise invalid("An alarm can have 10 metrics at most.")
    periods = []
    for query in queries:
        if bool(query.get("MetricStat")) == bool(query.get("Expression")):
            raise invalid(f"{query['Id']} must have exactly one of MetricStat and Expression.")
        if query.get("Expression"):
            _check_expression(query["Id"], query["Expression"], ids)
            periods += [query["Period"]] if query.get("Period") else []
        else:
            if query.get("AccountId"):
                raise NotReproducedError(SERVICE, "alarms on metrics of another account")
            periods.append(query["MetricStat"]["Period"])
    _check_order({q["Id"]: q["Expression"] for q in queries if q.get("Expression")})
    return periods


def _check_expression(name: str, expression: str, ids: Sequence[str]) -> None:
    if re.match(r"\s*SELECT\b", expression):
        raise NotReproducedError(SERVICE, "alarms on Metrics Insights queries")
    if "ANOMALY_DETECTION_BAND" in expression:
        raise NotReproducedError(SERVICE, "alarms on anomaly detection")
    for word in _words(expression):
        if word[0].islower() and word not in ids:
            raise invalid(f"Error in expression '{name}': Undefined variable '{word}'")
        if not word[0].islower() and word not in _FUNCTIONS:
            raise invalid(f"Error in expression '{name}': unknown or unusable function '{word}'")
    if expression.count("(") != expression.count(")") or not expression.strip():
        raise invalid(f"Error in expression '{name}': Invalid syntax")


def _check_order(expressions: Mapping[str, str]) -> None:
    """Refuse expressions that lead back to themselves."""

    def follow(name: str, seen: tuple[str, ...]) -> None:
        if name in seen:
            raise invalid(f"Error in expression '{name}': it depends on itself")
        for word in _words(expressions.get(name, "")):
            follow(word, (*seen, name))

    for name in expressions:
        follow(name, ())


def _words(expression: str) -> list[str]:
    """The names in an expression, without what is quoted."""
    return _WORD.findall(re.sub(r"\"[^\"]*\"|'[^']*'", "", expression))
