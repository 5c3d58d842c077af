"""The module ``ecs_logs``: the last lines of every task, what follows, and why tasks stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_progress import Progress
from ..lyo_release.reasons import event_lines, task_failed, task_lines
from ..lyo_release.verdict import FAILED
from . import place, spec
from .lines import OVERLAP_MS, Fresh, Line, lines_of, span_ms, windows

# A page holds up to 1 MB or 10,000 events: enough for any tail, and an end for a filter that rarely
# matches. https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
MAX_PAGES = 200
POLL_SECONDS = 1.0
STOPPED_TASKS = 100


class Reader:
    """Reads a log group.

    :param pattern: CloudWatch's filter pattern, empty for every line.
    :ivar complete: whether nothing was left out for its sheer amount.
    """

    def __init__(self, aws: Aws, group: str, pattern: str) -> None:
        self.aws, self.group, self.pattern = aws, group, pattern
        self.complete = True
        self._pages = 0

    def window(self, start: int, end: int) -> list[Line]:
        """Return the lines of a window in milliseconds, ``end`` not among them."""
        request: dict[str, Any] = {
            "logGroupName": self.group,
            "startTime": start,
            "endTime": end - 1,
        }
        if self.pattern:
            request["filterPattern"] = self.pattern
        events: list[Mapping[str, Any]] = []
        token = ""
        while True:
            if self._pages >= MAX_PAGES:
                self.complete = False
                break
            self._pages += 1
            more = {"nextToken": token} if token else {}
            answer = self.aws.call("logs", "filter_log_events", **request, **more)
            events += answer.get("events", [])
            token = str(answer.get("nextToken") or "")
            if not token:
                break
        return lines_of(events)

    def last(self, start: int, end: int, limit: int) -> list[Line]:
        """Return the last lines between two moments, oldest first."""
        found: list[Line] = []
        for begin, until in windows(start, end):
            found = self.window(begin, until) + found
            if len(found) >= limit or not self.complete:
                break
        return found[-limit:] if limit else []

    def begin_to_follow(self) -> None:
        """Read as many pages as come from now on."""
        self._pages, self.complete = 0, True


def follow(
    reader: Reader,
    progress: Progress,
    fresh: Fresh,
    since: int,
    seconds: float,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
    now: Callable[[], float],
) -> int:
    """Show lines as they come; return how many there were.

    :param since: when to begin, in milliseconds.
    :param seconds: how long; 0 for until Ctrl-C.
    """
    started, count = clock(), 0
    while True:
        reader.begin_to_follow()
        end = int(now() * 1000) + OVERLAP_MS
        for line in fresh.of(reader.window(max(0, since - OVERLAP_MS), end)):
            progress.line(line.shown())
            since, count = max(since, line.at), count + 1
        progress("follow", f"{count} lines so far; Ctrl-C ends it")
        if seconds and clock() - started >= seconds:
            return count
        sleep(POLL_SECONDS)


def stopped(aws: Aws, cluster: str) -> list[dict[str, Any]]:
    """Return the tasks that have stopped, the last first; ECS lists them for an hour.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
    """
    arns = aws.call("ecs", "list_tasks", cluster=cluster, desiredStatus="STOPPED").get(
        "taskArns", []
    )
    if not arns:
        return []
    answer = aws.call("ecs", "describe_tasks", cluster=cluster, tasks=arns[:STOPPED_TASKS])
    tasks: list[dict[str, Any]] = [t for t in answer.get("tasks", []) if t.get("stoppedAt")]
    return sorted(tasks, key=lambda task: task["stoppedAt"], reverse=True)


def stopped_lines(tasks: Sequence[Mapping[str, Any]], limit: int) -> list[str]:
    """Return why tasks stopped: those that failed each with time, the others as a number."""
    failed = [task for task in tasks if _failed(task)]
    lines = []
    for task in failed[:limit]:
        kind = str(task.get("group", "")).partition(":")
        which = kind[2] if kind[0] == "family" else "service"
        lines.append(f"{task['stoppedAt']:%H:%M:%S} {which}: {task_lines([task])[0]}")
    if len(failed) > limit:
        lines.append(f"and {len(failed) - limit} more that failed")
    asked = len(tasks) - len(failed)
    if asked:
        lines.append(f"{asked} that were told to stop, or were done")
    return lines


def _failed(task: Mapping[str, Any]) -> bool:
    """A one-off task that has done its work also ends with an essential container that exited."""
    codes = [entry.get("exitCode") for entry in task.get("containers", [])]
    done = bool(codes) and all(code == 0 for code in codes)
    return task_failed(task) and not (done and str(task.get("group", "")).startswith("family:"))


def work(
    module: Any,
    aws: Aws,
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
) -> None:
    """Show what there is, then what comes."""
    params = module.params
    try:
        length = span_ms(params["since"])
    except ValueError as error:
        module.fail_json(msg=f"since: {error}", verdict=FAILED, reasons=[f"since: {error}"])
    outputs = place.read(aws, params)
    group = str(outputs["log_group"])
    reader = Reader(aws, group, params["filter"])
    end = int(now() * 1000) + 1
    progress("read", f"the last lines of {group}")
    try:
        found = reader.last(end - length, end, params["limit"])
    except AwsFailure as failure:
        if failure.code == "InvalidParameterException":
            raise AwsFailure(
                failure.code,
                f"CloudWatch does not accept the filter {params['filter']!r}: {failure}",
            ) from None
        raise
    report = [line.shown() for line in found]
    complete = reader.complete
    followed = 0
    if params["follow"]:
        fresh = Fresh()
        for line in fresh.of(found):
            progress.line(line.shown())
        followed = follow(reader, progress, fresh, end, params["follow_seconds"], sleep, clock, now)
        report = []
    tasks = stopped(aws, outputs["cluster_name"])
    service = place.service(aws, outputs).service or {}
    reasons = stopped_lines(tasks, params["stopped"]) if params["stopped"] else []
    since = datetime.fromtimestamp((end - length) / 1000, UTC)
    events = event_lines(service, since)
    module.exit_json(
        changed=False,
        group=group,
        lines=[line.shown() for line in found],
        followed=followed,
        complete=complete,
        stopped=reasons,
        events=events,
        lyo_summary={
            "report": [*report, *_foot(group, len(found) + followed, complete, params)]
            + _section("stopped tasks", reasons)
            + _section("service events", events)
        },
    )


def _foot(group: str, count: int, complete: bool, params: Mapping[str, Any]) -> list[str]:
    what = f" that match {params['filter']!r}" if params["filter"] else ""
    text = f"{count} lines of {group} of the last {params['since']}{what}"
    if not complete:
        text += "; there were too many to look at all: narrow since or filter"
    return ["", text]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in lines)] if lines else []


def run(module: Any) -> None:
    """Run the module."""
    spec.run(module, "logs", work)
