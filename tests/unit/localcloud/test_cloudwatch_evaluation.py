"""Metric math, statistics and the states of alarms, as CloudWatch documents them."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.services.cloudwatch.evaluation import (
    ALARM,
    INSUFFICIENT_DATA,
    OK,
    Condition,
    evaluate,
)
from localcloud.services.cloudwatch.expressions import Expression, UnsupportedError
from localcloud.services.cloudwatch.statistics import Store, key_of, percentile

REQUESTS = {1: 100.0, 2: 10.0, 3: 200.0}
ERRORS = {1: 5.0, 3: 50.0}


def value(text: str, **known: Any) -> Any:
    known = {"requests": REQUESTS, "errors": ERRORS, **known}
    return Expression(text).evaluate(known, [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("errors / requests", {1: 0.05, 3: 0.25}),
        ("100 * FILL(errors, 0) / requests", {1: 5.0, 2: 0.0, 3: 25.0}),
        ("IF(requests >= 50, 100 * FILL(errors, 0) / requests, 0)", {1: 5.0, 2: 0.0, 3: 25.0}),
        ("IF(requests >= 50, errors, 0)", {1: 5.0, 2: 0.0, 3: 50.0}),
        ("requests / (requests - 100)", {2: 10 / -90, 3: 2.0}),
        ("requests > 50", {1: 1.0, 2: 0.0, 3: 1.0}),
        ("FILL(errors, REPEAT)", {1: 5.0, 2: 5.0, 3: 50.0, 4: 50.0}),
        ("FILL(errors, 0) + FILL(requests, 0)", {1: 105.0, 2: 10.0, 3: 250.0, 4: 0.0}),
        ("MAX([errors, requests])", {1: 100.0, 2: 10.0, 3: 200.0}),
        ("SUM([errors, requests])", {1: 105.0, 2: 10.0, 3: 250.0}),
        ("ABS(-errors)", {1: 5.0, 3: 50.0}),
        ("2 * 3 - 1", 5.0),
        ("requests > 50 AND errors > 10", {1: 0.0, 3: 1.0}),
        ("IF(requests > 150 || errors < 10, 1, 0)", {1: 1.0, 3: 1.0}),
    ],
)
def test_metric_math(text: str, result: Any) -> None:
    found = value(text)
    assert found == (pytest.approx(result) if isinstance(result, dict) else result)


def test_an_expression_names_what_it_uses() -> None:
    assert Expression("IF(bad >= 1, FILL(bad, REPEAT) / total, 0)").names == {"bad", "total"}


@pytest.mark.parametrize(
    "text",
    [
        "ANOMALY_DETECTION_BAND(m1)",
        "SEARCH('{x}', 'Sum')",
        "m1.__class__",
        "m1 NOT m2",
        "[x for x in m1]",
        "__import__('os')",
        "'text'",
    ],
)
def test_what_is_not_reproduced_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedError):
        Expression(text)


# AWS's own table: three periods of three, five in the evaluation range, - missing, X breaching.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
@pytest.mark.parametrize(
    ("points", "missing", "ignore", "breaching", "not_breaching"),
    [
        ("0 - X - X", OK, OK, OK, OK),
        ("0 - - - -", OK, OK, OK, OK),
        ("- - - - -", INSUFFICIENT_DATA, "retained", ALARM, OK),
        ("0 X X - X", ALARM, ALARM, ALARM, ALARM),
        ("- - X - -", ALARM, "retained", ALARM, OK),
        # "Avoiding premature transitions to alarm state", on the same page.
        ("- - - - X", "retained", "retained", ALARM, OK),
        ("- - - X -", "retained", "retained", ALARM, OK),
        ("- - - X X", "retained", "retained", ALARM, OK),
    ],
)
def test_missing_data(
    points: str, missing: str, ignore: str, breaching: str, not_breaching: str
) -> None:
    series = {
        number: 9.0 if point == "X" else 0.0
        for number, point in enumerate(points.split())
        if point != "-"
    }
    wanted = dict(
        zip(
            ("missing", "ignore", "breaching", "notBreaching"),
            (missing, ignore, breaching, not_breaching),
            strict=True,
        )
    )
    for treatment, state in wanted.items():
        condition = Condition("GreaterThanThreshold", 5, 3, 3, treatment)
        assert evaluate(condition, series, range(5), "retained")[0] == state, treatment


def test_two_of_three() -> None:
    condition = Condition("GreaterThanOrEqualToThreshold", 5, 3, 2, "notBreaching")
    assert evaluate(condition, {0: 5, 1: 0, 2: 5}, range(3), OK)[0] == ALARM
    assert evaluate(condition, {0: 5, 1: 0, 2: 0}, range(3), ALARM)[0] == OK
    assert evaluate(condition, {2: 5}, range(3), OK)[0] == OK


def test_the_reason_has_the_figures() -> None:
    condition = Condition("GreaterThanThreshold", 5, 2, 2, "missing")
    reason = evaluate(condition, {0: 7.5, 1: 8}, range(2), OK)[1]
    assert reason.startswith("Threshold Crossed: 2 of the last 2 datapoints [7.5, 8]")
    assert "(5)" in reason


def test_a_condition_is_read_from_an_alarm() -> None:
    params = {"EvaluationPeriods": 3, "ComparisonOperator": "LessThanThreshold", "Threshold": 1}
    assert Condition.of(params) == Condition("LessThanThreshold", 1.0, 3, 3, "missing")
    assert Condition.of({**params, "DatapointsToAlarm": 2}).datapoints == 2


def test_statistics_of_a_period_are_those_of_its_minutes() -> None:
    store, key = Store(), key_of("N", "m", {"a": "b"})
    store.add(key, 10, [1.0, 2.0])
    store.add(key, 11, [9.0])
    store.add(key, 15, [4.0])
    ends = [14, 19]
    assert store.series(key, "Sum", 300, ends) == {14: 12.0, 19: 4.0}
    assert store.series(key, "Average", 300, ends) == {14: 4.0, 19: 4.0}
    assert store.series(key, "Minimum", 300, ends) == {14: 1.0, 19: 4.0}
    assert store.series(key, "Maximum", 300, [14, 9]) == {14: 9.0}
    assert store.series(key, "SampleCount", 60, [10, 12]) == {10: 2.0}
    assert store.series(key, "p50", 300, [14]) == {14: 2.0}
    assert store.series(key_of("N", "m", {}), "Sum", 60, [10]) == {}
    with pytest.raises(ValueError, match="tm99"):
        store.series(key, "tm99", 60, [10])


def test_percentiles_lie_between_values() -> None:
    assert percentile([3.0], 99) == 3.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 50) == 2.5
    assert percentile([float(n) for n in range(101)], 99) == 99.0
