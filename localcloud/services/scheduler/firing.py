"""Fires schedules when they are due, tries again what was refused, and gives up after a while."""

from __future__ import annotations

import json
import logging
import time
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

from localcloud.api import AwsError, Call
from localcloud.metrics import publish
from localcloud.services.scheduler import targets
from localcloud.services.scheduler.expressions import parse

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

log = logging.getLogger("localcloud.scheduler")

SERVICE = "scheduler"
# Cloud seconds between two looks; AWS promises the minute.
LOOK_SECONDS = 10.0
# Wall seconds: however fast the clock, a schedule starts no more than one task a look.
SHORTEST_LOOK = 0.25
# AWS says "exponential backoff" and no more.
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 10.0, 900.0


@dataclass
class Due:
    """When a schedule is due next, and of which form of the schedule that was computed."""

    form: tuple[Any, ...]
    start: datetime
    at: datetime | None


@dataclass
class Run:
    """One invocation that has not succeeded yet.

    :ivar schedule: moto's schedule as it was when it was due.
    :ivar retry_at: cloud time of the next attempt.
    """

    schedule: Any
    target: dict[str, Any]
    scheduled: datetime
    retry_at: datetime
    attempts: int = 0
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


class Firing:
    """``cloud.parts["scheduler"]``.

    :param now: cloud time.
    """

    def __init__(self, cloud: Cloud, now: Callable[[], datetime] | None = None) -> None:
        self._cloud = cloud
        self._began, self._zero = datetime.now(UTC), time.monotonic()
        self.now = now or self._cloud_time
        self._due: dict[str, Due] = {}
        self._runs: list[Run] = []

    def _cloud_time(self) -> datetime:
        passed = (time.monotonic() - self._zero) * self._cloud.clock.speed
        return self._began + timedelta(seconds=passed)

    def run(self, stop: Event) -> None:
        """Look until the cloud goes down."""
        pause = max(SHORTEST_LOOK, self._cloud.clock.wall(LOOK_SECONDS))
        while not stop.wait(pause):
            with self._cloud.lock:
                self.look()

    def look(self) -> None:
        """Start what is due; the caller holds the cloud's lock."""
        now = self.now()
        backend = self._cloud.backend(SERVICE, self._cloud.settings.region)
        schedules = {
            schedule.arn: schedule
            for group in backend.schedule_groups.values()
            for schedule in group.schedules.values()
        }
        self._due = {arn: due for arn, due in self._due.items() if arn in schedules}
        for arn, schedule in schedules.items():
            try:
                self._fire_if_due(arn, schedule, now)
            except Exception:
                log.exception("schedule %s", arn)
        waiting, self._runs = self._runs, []
        for run in waiting:
            if run.retry_at > now:
                self._runs.append(run)
            else:
                self._attempt(run, now)

    def _fire_if_due(self, arn: str, schedule: Any, now: datetime) -> None:
        if schedule.state != "ENABLED":
            self._due.pop(arn, None)
            return
        form = (
            schedule.schedule_expression,
            schedule.schedule_expression_timezone,
            schedule.start_date,
            schedule.end_date,
        )
        expression = parse(form[0], form[1])
        due = self._due.get(arn)
        if due is None or due.form != form:
            start = max(now, _moment(schedule.start_date) or now)
            due = self._due[arn] = Due(form, start, expression.first(start))
        end = _moment(schedule.end_date)
        if due.at is None or (end is not None and due.at >= end):
            self._completed(schedule)
            return
        if due.at + self._offset(schedule) > now:
            return
        self._runs.append(Run(schedule, dict(schedule.target), due.at, now))
        # What was due more than once since the last look is started once.
        due.at = expression.next(max(due.at, now), due.start)

    def _completed(self, schedule: Any) -> None:
        """https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-delete.html#automatic-schedule-deletion"""
        if schedule.action_after_completion == "DELETE":
            backend = self._cloud.backend(SERVICE, self._cloud.settings.region)
            backend.delete_schedule(schedule.group_name, schedule.name)

    @staticmethod
    def _offset(schedule: Any) -> timedelta:
        """Where in its flexible window a schedule starts: each at its own place, always the same."""
        minutes = schedule.flexible_time_window.get("MaximumWindowInMinutes") or 0
        share = zlib.crc32(schedule.arn.encode()) % 1000 / 1000
        return timedelta(minutes=int(minutes) * share)

    def _attempt(self, run: Run, now: datetime) -> None:
        schedule, settings = run.schedule, self._cloud.settings
        run.attempts += 1
        self._count(run, "InvocationAttemptCount")
        text = run.target.get("Input")
        if text:
            text = targets.with_context(text, schedule.arn, run.scheduled, run.id, run.attempts)
        request = targets.run_task(run.target, text)
        try:
            call = Call("ecs", "RunTask", settings.account_id, settings.region, request)
            self._cloud.parts["ecs"].run_task(call)
        except AwsError as error:
            self._refused(run, now, request, error)
        except Exception:
            log.exception("schedule %s", schedule.arn)
            words = "The local cloud failed; its log has the reason."
            self._refused(run, now, request, AwsError("InternalFailure", words, status=500))
        else:
            log.info("schedule %s started a task", schedule.arn)

    def _refused(self, run: Run, now: datetime, request: dict[str, Any], error: AwsError) -> None:
        self._count(run, "TargetErrorCount")
        policy = run.target.get("RetryPolicy") or {}
        wait = min(FIRST_RETRY_SECONDS * 2 ** (run.attempts - 1), LONGEST_RETRY_SECONDS)
        run.retry_at = now + timedelta(seconds=wait)
        latest = run.scheduled + timedelta(
            seconds=int(policy.get("MaximumEventAgeInSeconds", 86400))
        )
        if run.attempts > int(policy.get("MaximumRetryAttempts", 185)):
            self._drop(run, request, error, "MaximumRetryAttempts")
        elif run.retry_at > latest:
            self._drop(run, request, error, "MaximumEventAgeInSeconds")
        else:
            self._runs.append(run)

    def _drop(self, run: Run, request: dict[str, Any], error: AwsError, exhausted: str) -> None:
        log.warning("schedule %s gives up: %s", run.schedule.arn, error.message)
        self._count(run, "InvocationDroppedCount")
        queue = (run.target.get("DeadLetterConfig") or {}).get("Arn")
        if not queue:
            return
        attributes = targets.dead_letter(
            run.schedule.arn,
            run.target["Arn"],
            run.scheduled,
            run.id,
            run.attempts - 1,
            exhausted,
            (error.code, error.message),
        )
        try:
            self._cloud.backend("sqs", queue.split(":")[3]).send_message(
                queue.split(":")[5], json.dumps(request), attributes
            )
        except Exception:
            log.exception("the dead-letter queue %s", queue)
            self._count(run, "InvocationsFailedToBeSentToDeadLetterCount")
        else:
            self._count(run, "InvocationsSentToDeadLetterCount")

    def _count(self, run: Run, metric: str) -> None:
        """https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html"""
        publish(
            self._cloud,
            self._cloud.settings.region,
            "AWS/Scheduler",
            {metric: (1.0, "Count")},
            {"ScheduleGroup": run.schedule.group_name},
        )


def _moment(value: Any) -> datetime | None:
    """A date as moto keeps it: seconds since the epoch, or text."""
    if not value:
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    found = datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
