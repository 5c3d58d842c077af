"""When a schedule is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from localcloud.services.scheduler.expressions import (
    InvalidExpressionError,
    UnsupportedExpressionError,
    parse,
)

START = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def times(text: str, count: int, zone: str = "UTC", start: datetime = START) -> list[str]:
    """The first times of an expression, in UTC."""
    expression = parse(text, zone)
    at, found = expression.first(start), []
    while at is not None and len(found) < count:
        found.append(at.strftime("%Y-%m-%dT%H:%M"))
        at = expression.next(at, start)
    return found


def test_a_rate_begins_at_once_and_goes_on_from_its_start() -> None:
    assert times("rate(1 day)", 3) == [f"2026-11-{day}T12:00" for day in (27, 28, 29)]
    assert times("rate(15 minutes)", 2) == ["2026-11-27T12:00", "2026-11-27T12:15"]
    # What was missed is not caught up with.
    late = START + timedelta(hours=5, minutes=1)
    assert parse("rate(1 hour)", "UTC").next(late, START) == START + timedelta(hours=6)


def test_one_time() -> None:
    assert times("at(2026-12-24T18:00:00)", 2, "Europe/Rome") == ["2026-12-24T17:00"]
    assert times("at(2026-11-27T11:59:00)", 1) == []


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("cron(30 4 * * ? *)", ["2026-11-28T04:30", "2026-11-29T04:30"]),
        ("cron(0 5 3 * ? *)", ["2026-12-03T05:00", "2027-01-03T05:00"]),
        ("cron(0/30 12 * * ? *)", ["2026-11-27T12:00", "2026-11-27T12:30"]),
        ("cron(0 9 ? * MON-FRI *)", ["2026-11-30T09:00", "2026-12-01T09:00"]),
        ("cron(0 9 ? * 1 *)", ["2026-11-29T09:00", "2026-12-06T09:00"]),
        ("cron(0 9 ? * 2#1 *)", ["2026-12-07T09:00", "2027-01-04T09:00"]),
        ("cron(0 0 L FEB ? *)", ["2027-02-28T00:00", "2028-02-29T00:00"]),
        ("cron(15,45 8 1 1,7 ? 2027)", ["2027-01-01T08:15", "2027-01-01T08:45"]),
        ("cron(0 0 30 2 ? *)", []),
    ],
)
def test_cron(expression: str, first: list[str]) -> None:
    assert times(expression, 2) == first


def test_cron_by_a_clock_that_is_put_forward_and_back() -> None:
    # 29 March 2026: no 02:30 in Rome. 25 October: two of them, of which the first counts.
    spring = datetime(2026, 3, 28, 0, 0, tzinfo=UTC)
    assert times("cron(30 2 * * ? *)", 3, "Europe/Rome", spring) == [
        "2026-03-28T01:30",
        "2026-03-30T00:30",
        "2026-03-31T00:30",
    ]
    autumn = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)
    assert times("cron(30 2 * * ? *)", 2, "Europe/Rome", autumn) == [
        "2026-10-25T00:30",
        "2026-10-26T01:30",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "rate(1 days)",
        "rate(2 day)",
        "rate(0 minutes)",
        "rate(5 seconds)",
        "cron(30 4 * * *)",
        "cron(30 4 * * * *)",
        "cron(30 4 ? * ? *)",
        "cron(60 4 * * ? *)",
        "cron(x 4 * * ? *)",
        "cron(10-5 4 * * ? *)",
        "at(2026-13-01T00:00:00)",
        "daily",
    ],
)
def test_what_aws_refuses(text: str) -> None:
    with pytest.raises(InvalidExpressionError):
        parse(text, "UTC")


def test_a_time_zone_must_be_one() -> None:
    with pytest.raises(InvalidExpressionError, match="Milano"):
        parse("rate(1 day)", "Milano")


@pytest.mark.parametrize(
    "text", ["cron(0 0 15W * ? *)", "cron(0 0 ? * 6L *)", "cron(0 0 L-1 * ? *)"]
)
def test_what_is_not_reproduced_is_said_to_be(text: str) -> None:
    with pytest.raises(UnsupportedExpressionError):
        parse(text, "UTC")
