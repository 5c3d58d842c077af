"""Logs: which windows are read, what is shown once, and why tasks stopped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from ansible.module_utils.lyo_operate import lines, logs
from ansible.module_utils.lyo_progress import Progress

from .fakes import AWS, OUTPUTS, Clock, Ended, FakeAws, FakeModule, ended, failure, outputs_answer
from .world import World

NOW = 1_800_000_000.0
END = int(NOW * 1000) + 1
PARAMS: dict[str, Any] = {
    "aws": AWS,
    "env": "production",
    "since": "15m",
    "filter": "",
    "limit": 3,
    "follow": False,
    "follow_seconds": 0,
    "stopped": 10,
}


def event(at: float, text: str = "hello", stream: str = "app/app/0123456789abcdef") -> Any:
    """An event, `at` seconds before now."""
    stamp = int((NOW - at) * 1000)
    return {"timestamp": stamp, "message": f"{text}\n", "logStreamName": stream, "eventId": f"{at}{text}"}  # fmt: skip


def group(*events: dict[str, Any]) -> Any:
    """FilterLogEvents of a group with these events, two a page."""

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        found = [e for e in events if params["startTime"] <= e["timestamp"] <= params["endTime"]]
        start = int(params.get("nextToken", 0))
        page: dict[str, Any] = {"events": found[start : start + 2]}
        if start + 2 < len(found):
            page["nextToken"] = str(start + 2)
        return page

    return answer


def cloud(events: Any, **more: Any) -> FakeAws:
    return World().aws(
        get_parameters=outputs_answer(OUTPUTS),
        filter_log_events=events,
        **more,
    )


def do(aws: FakeAws, **changes: Any) -> Ended:
    clock = Clock()

    def run(module: Any) -> None:
        logs.work(module, aws, Progress("test"), clock.sleep, clock, lambda: NOW + clock.now)

    return ended(run, FakeModule({**PARAMS, **changes}))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86_400), ("1h30m", 5400)]
)
def test_lengths_of_time(text: str, seconds: int) -> None:
    assert lines.span_ms(text) == seconds * 1000


@pytest.mark.parametrize("text", ["", "15", "m", "15 minutes", "-5m", "yesterday"])
def test_what_is_no_length_of_time_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="write 90s, 15m, 2h or 1d"):
        lines.span_ms(text)
    assert do(cloud(group()), since=text).failed


def test_windows_go_back_without_gap_or_overlap() -> None:
    found = list(lines.windows(0, 1_000_000))
    assert found == [(940_000, 1_000_000), (460_000, 940_000), (0, 460_000)]
    assert list(lines.windows(5, 5)) == []


def test_the_last_lines_cost_no_more_than_they_need() -> None:
    aws = cloud(
        group(event(800, "old"), event(50, "a"), event(40, "b"), event(30, "c"), event(1, "d"))
    )
    done = do(aws)
    assert [line.split("  ")[1] for line in done.answer["lines"]] == ["b", "c", "d"]
    # One window of a minute has enough lines: two pages.
    assert len(aws.named("filter_log_events")) == 2
    assert done.answer["complete"]


def test_fewer_lines_than_asked_for_are_looked_for_in_the_whole_time() -> None:
    aws = cloud(group(event(1000, "too old"), event(800, "old"), event(1, "new")))
    done = do(aws)
    assert [line.split("  ")[1] for line in done.answer["lines"]] == ["old", "new"]
    assert aws.named("filter_log_events")[-1]["startTime"] == END - 900_000


def test_lines_name_time_and_task_and_the_filter_goes_to_cloudwatch() -> None:
    aws = cloud(group(event(0, "x")))
    done = do(aws, filter="ERROR")
    assert done.answer["lines"] == ["08:00:00 app 01234567  x"]
    assert aws.named("filter_log_events")[0]["filterPattern"] == "ERROR"
    assert "match 'ERROR'" in " ".join(done.answer["lyo_summary"]["report"])


def test_a_refused_filter_is_told() -> None:
    with pytest.raises(Exception, match="does not accept the filter"):
        logs.work(
            FakeModule({**PARAMS, "filter": "{"}),
            cloud(failure("InvalidParameterException")),  # type: ignore[arg-type]
            Progress("test"),
            now=lambda: NOW,
        )


def test_too_many_lines_to_look_at_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_PAGES", 2)
    many = [event(n / 10, str(n)) for n in range(20)]
    done = do(cloud(group(*many)), limit=50)
    assert not done.answer["complete"]
    assert "too many" in " ".join(done.answer["lyo_summary"]["report"])


def test_following_shows_each_line_once_also_one_that_comes_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(Progress, "line", lambda _, text: shown.append(text.split("  ")[1]))
    known = [event(5, "before")]
    later = [[event(-1, "one")], [event(-0.5, "late"), event(-2, "two")], [event(-3, "three")]]

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        found = group(*known)(params)
        # The first look is at what there was; then something new comes with each.
        if later and params["endTime"] > END:
            known.extend(later.pop(0))
        return found  # type: ignore[no-any-return]

    done = do(cloud(answer), follow=True, follow_seconds=5)
    assert shown == ["before", "one", "late", "two", "three"]
    assert done.answer["followed"] == 4
    assert done.answer["lyo_summary"]["report"][0] == ""


def task(group_name: str, code: int | None, stop: str, at: int) -> dict[str, Any]:
    container = {"name": "app"} | ({} if code is None else {"exitCode": code})
    return {
        "taskArn": f"arn:aws:ecs:eu-south-1:1:task/lyo/{at:032x}",
        "group": group_name,
        "lastStatus": "STOPPED",
        "stopCode": stop,
        "stoppedReason": "because",
        "stoppedAt": datetime.fromtimestamp(NOW - at, UTC),
        "containers": [container],
    }


def test_stopped_tasks_are_told_with_reason_and_exit_code_the_last_first() -> None:
    tasks = [
        task("service:lyo", 137, "EssentialContainerExited", 60),
        task("service:lyo", 0, "ServiceSchedulerInitiated", 50),
        task("family:lyo-migrate", 0, "EssentialContainerExited", 40),
        task("family:lyo-migrate", 3, "EssentialContainerExited", 30),
    ]
    aws = cloud(
        group(),
        list_tasks={"taskArns": [t["taskArn"] for t in tasks]},
        describe_tasks={"tasks": tasks},
    )
    said = do(aws).answer["stopped"]
    assert [line.split(":", 3)[2].split()[1] for line in said[:2]] == ["lyo-migrate", "service"]
    assert "exit code 3" in said[0]
    assert "exit code 137" in said[1]
    assert said[2] == "2 that were told to stop, or were done"
    short = do(aws, stopped=1).answer["stopped"]
    assert short[1] == "and 1 more that failed"
    assert do(aws, stopped=0).answer["stopped"] == []


def test_names_of_streams_are_shortened() -> None:
    assert lines.short_stream("migrate/app/0123456789abcdef") == "migrate 01234567"
    assert lines.short_stream("other") == "other"
