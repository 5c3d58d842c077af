"""When a schedule is due: `rate(…)`, `cron(…)`, `at(…)`, decided without a clock.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_RATE = re.compile(r"rate\(([1-9][0-9]*) (minute|hour|day)(s?)\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_CRON = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
# No cron expression that ever comes true is silent for longer: 29 February of a leap year on a weekday.
_YEARS_AHEAD = 41
_LAST_YEAR = 2199


class InvalidExpressionError(ValueError):
    """The text is no schedule expression; the message says why."""


class UnsupportedExpressionError(ValueError):
    """A schedule expression that is not reproduced: W, and # or L in a list."""


@dataclass(frozen=True)
class Rate:
    """Every so often from a start on."""

    period: timedelta

    def first(self, start: datetime) -> datetime | None:
        """The first time: at once, or at the start date."""
        return start

    def next(self, after: datetime, start: datetime) -> datetime | None:
        """The first of its times after a moment. Days have 24 hours, whatever a clock is set to."""
        passed = (after - start) // self.period
        return start + self.period * (passed + 1)


@dataclass(frozen=True)
class At:
    """Once."""

    when: datetime

    def first(self, start: datetime) -> datetime | None:
        """Its time, unless that was before the start."""
        return self.when if self.when >= start else None

    def next(self, after: datetime, start: datetime) -> datetime | None:  # noqa: ARG002
        """None once it is past."""
        return self.when if self.when > after else None


@dataclass(frozen=True)
class Cron:
    """By the calendar of a time zone. Days are those of the month, or of the week (1 is Sunday)."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    last_day: bool
    months: frozenset[int]
    weekdays: frozenset[int] | None
    nth: tuple[int, int] | None
    years: frozenset[int]
    zone: ZoneInfo

    def first(self, start: datetime) -> datetime | None:
        """The first time not before the start."""
        return self.next(start - timedelta(minutes=1), start)

    def next(self, after: datetime, start: datetime) -> datetime | None:  # noqa: ARG002
        """The first of its times after a moment, None where there is none.

        A time that a clock skips is left out; one that it passes twice counts once:
        https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time
        """
        local = after.astimezone(self.zone)
        day = local.date()
        for _ in range(366 * _YEARS_AHEAD):
            if self._is_on(day.year, day.month, day.day):
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        found = datetime(
                            day.year, day.month, day.day, hour, minute, tzinfo=self.zone
                        )
                        instant = found.astimezone(UTC)
                        skipped = instant.astimezone(self.zone).replace(fold=0) != found
                        if not skipped and instant > after:
                            return instant
            if day.year >= _LAST_YEAR:
                return None
            day += timedelta(days=1)
        return None

    def _is_on(self, year: int, month: int, day: int) -> bool:
        if year not in self.years or month not in self.months:
            return False
        length = calendar.monthrange(year, month)[1]
        if self.last_day:
            return day == length
        if self.days is not None:
            return day in self.days
        weekday = (calendar.weekday(year, month, day) + 1) % 7 + 1
        if self.nth is not None:
            return (weekday, (day - 1) // 7 + 1) == self.nth
        return self.weekdays is None or weekday in self.weekdays


Expression = Rate | At | Cron


def parse(text: str, zone_name: str) -> Expression:
    """The expression a text means, in a time zone.

    :raises InvalidExpressionError: AWS would refuse it.
    :raises UnsupportedExpressionError: AWS would not.
    """
    try:
        zone = ZoneInfo(zone_name)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidExpressionError(f"{zone_name!r} is no time zone") from error
    if match := _RATE.fullmatch(text):
        value, unit, plural = int(match[1]), match[2], match[3]
        if (value == 1) == bool(plural):
            raise InvalidExpressionError("a value of 1 takes a unit without s, others one with it")
        return Rate(timedelta(**{f"{unit}s": value}))
    if match := _AT.fullmatch(text):
        try:
            return At(datetime.fromisoformat(match[1]).replace(tzinfo=zone).astimezone(UTC))
        except ValueError as error:
            raise InvalidExpressionError(str(error)) from error
    if match := _CRON.fullmatch(text):
        return _cron(match.groups(), zone)
    raise InvalidExpressionError("it is none of rate(…), cron(…) with six fields, at(…)")


def _cron(fields: tuple[str, ...], zone: ZoneInfo) -> Cron:
    minute, hour, day, month, weekday, year = (field.upper() for field in fields)
    if (day == "?") == (weekday == "?"):
        raise InvalidExpressionError("exactly one of day of month and day of week must be ?")
    if "W" in day or (day != "L" and "L" in day):
        raise UnsupportedExpressionError(f"the day of month {day}")
    nth = re.fullmatch(r"([1-7])#([1-5])", weekday)
    if not nth and ("#" in weekday or "L" in weekday.replace("JUL", "")):
        raise UnsupportedExpressionError(f"the day of week {weekday}")
    free_day, free_weekday = day in ("?", "L"), weekday == "?" or bool(nth)
    return Cron(
        minutes=_values(minute, 0, 59),
        hours=_values(hour, 0, 23),
        days=None if free_day or day == "*" else _values(day, 1, 31),
        last_day=day == "L",
        months=_values(month, 1, 12, _MONTHS),
        weekdays=None if free_weekday else _values(weekday, 1, 7, _DAYS),
        nth=(int(nth[1]), int(nth[2])) if nth else None,
        years=_values(year, 1970, _LAST_YEAR),
        zone=zone,
    )


def _values(field: str, low: int, high: int, names: dict[str, int] | None = None) -> frozenset[int]:
    """The numbers a field names: `*`, `a`, `a-b`, `a/step`, `a-b/step`, and lists of them."""
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        begin, dash, end = span.partition("-")
        try:
            if span == "*":
                first, last = low, high
            else:
                first = _number(begin, names)
                last = _number(end, names) if dash else (high if step else first)
            width = int(step) if step else 1
        except ValueError as error:
            raise InvalidExpressionError(f"{part!r} is not understood") from error
        if not (low <= first <= last <= high and width >= 1):
            raise InvalidExpressionError(f"{part!r} is not within {low} to {high}")
        found |= set(range(first, last + 1, width))
    return frozenset(found)


def _number(text: str, names: dict[str, int] | None) -> int:
    return (names or {}).get(text) or int(text)
