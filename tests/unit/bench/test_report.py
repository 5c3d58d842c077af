"""From samples to the page: nothing is measured here."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from localcloud.recorder import RecordedCall, Recorder
from tests.bench import USER_AGENT, cases
from tests.bench.chart import draw
from tests.bench.commands import Ended, calls_of, sample
from tests.bench.figures import Sample, Samples
from tests.bench.report import table

ABOUT = {
    "date": "2026-11-27",
    "minutes": 31,
    "revision": "abc123",
    "speed": 1.0,
    "machine": {"system": "Linux", "processor": "A CPU", "cores": 2, "memory_gib": 8},
    "versions": {"python": "3.13.0"},
}
RELEASES = (
    cases.RELEASE,
    cases.RELEASE_AWS,
    cases.RELEASE_ECS_DEPLOY,
    cases.ALONE_AWS,
    cases.ALONE_ECS_DEPLOY,
    cases.RELEASE_TRAFFIC,
    cases.ROLLBACK_LATER,
)


def taken(case: str, number: int, end: float, **moments: float) -> Sample:
    return Sample(case, number, {"end": end, **moments}, end / 2, {}, 0.0, 25.0)


def world(noop: float = 3.0, release: float = 36.0) -> Samples:
    """Three rounds; what is held against something takes as long as asked for."""
    samples = []
    for number in range(1, 4):
        samples += [
            taken(cases.BARE, number, 1.0),
            taken(cases.BARE_MODULE, number, 1.5),
            taken(cases.NOOP, number, noop),
            taken(cases.ROLLBACK_BAKE, number, 9.0, decided=2.5),
            *(taken(case, number, 40.0, decided=8.0) for case in RELEASES[1:]),
            taken(cases.RELEASE, number, release, decided=9.0),
        ]
    return Samples(samples)


def row(page: str, name: str) -> str:
    return next(line for line in page.splitlines() if line.startswith(f"| {name} |"))


def test_ratio_is_taken_within_each_round() -> None:
    # The machine was twice as slow in the second round: that is no property of what was measured.
    samples = Samples(
        [
            taken("bare", 1, 0.9),
            taken("ours", 1, 3.0),
            taken("bare", 1, 1.1),
            taken("bare", 2, 2.0),
            taken("ours", 2, 6.0),
            taken("ours", 3, 50.0),
        ]
    )
    ratio = samples.ratio("ours", "bare")
    assert (ratio.median, ratio.count) == (pytest.approx(3.0), 2)
    assert ratio.low == ratio.high == pytest.approx(3.0)


def test_nothing_measured_is_no_figure() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        Samples([]).seconds("noop")


def test_what_ecs_takes_is_told_apart() -> None:
    assert Samples([taken("release", 1, 36.0)]).besides("release").median == pytest.approx(11.0)


@pytest.mark.parametrize(("noop", "said"), [(4.0, "reached"), (4.01, "**not reached**")])
def test_a_goal_is_reached_or_not(noop: float, said: str) -> None:
    assert f"| ≤ 4 {said} |" in row(table(world(noop=noop), ABOUT), "`deploy.yml`, nothing to do")


@pytest.mark.parametrize(("release", "said"), [(40.0, "reached"), (40.1, "**not reached**")])
def test_a_release_is_held_against_each_of_the_others(release: float, said: str) -> None:
    page = table(world(release=release), ABOUT)
    for name in ("AWS CLI", "`ecs-deploy`"):
        assert f"≤ 1 {said}" in row(page, f"{name}, migrations and deployment")
        assert "reached" not in row(page, f"{name}, deployment alone")


def test_page_says_where_it_comes_from() -> None:
    page = table(world(), ABOUT)
    for part in (
        "2026-11-27",
        "abc123",
        "2 cores",
        "python 3.13.0",
        "speed 1",
        "31 minutes",
        "load was 0.0",
    ):
        assert part in page


def test_chart_is_well_formed_and_names_every_line() -> None:
    drawn = draw(world())
    root = ET.fromstring(drawn)  # noqa: S314 - made here
    words = " ".join(element.text or "" for element in root.iter())
    for part in ("deploy.yml, nothing to do", "ecs-deploy, deployment alone", "3.00", "36.0 s"):
        assert part in words
    width = float(root.attrib["width"])
    for element in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(element.attrib.get("x", 0)) + float(element.attrib["width"]) <= width


def recorded(time: str, operation: str, agent: str, error: str | None = None) -> RecordedCall:
    kind = "read" if operation.startswith("Describe") else "write"
    return RecordedCall(
        time, "ecs", operation, kind, 200, error, "eu-south-1", None, 1.0, "id", agent
    )


def test_calls_are_the_command_s_own(tmp_path: Path) -> None:
    record = tmp_path / "calls.jsonl"
    recorder = Recorder(record)
    for second, operation, agent in (
        ("09:59:59", "UpdateService", "tool"),
        ("10:00:01", "DescribeServices", "tool"),
        ("10:00:02", "UpdateService", f"boto {USER_AGENT}"),
        ("10:00:03", "UpdateService", "tool"),
        ("10:00:04", "UpdateService", "tool"),
        ("10:00:09", "UpdateService", "tool"),
    ):
        recorder.add(recorded(f"2026-11-27T{second}+00:00", operation, agent))
    recorder.close()
    ended = Ended(0, "", datetime(2026, 11, 27, 10, tzinfo=UTC), 5.0, 1.0, 0.0)
    calls = calls_of(record, ended)
    taken_at = sample("release", 1, ended, calls, {"decided": "UpdateService"})
    assert taken_at.calls == {"read": 1, "write": 2}
    assert taken_at.seconds == {"end": 5.0, "decided": 3.0}


@pytest.mark.parametrize(("code", "moments"), [(2, {}), (0, {"decided": "UpdateService"})])
def test_a_command_that_failed_or_did_something_else_is_no_sample(
    code: int, moments: Mapping[str, str]
) -> None:
    ended = Ended(code, "said", datetime(2026, 11, 27, 10, tzinfo=UTC), 5.0, 1.0, 0.0)
    with pytest.raises(AssertionError, match="said"):
        sample("release", 1, ended, [], moments)
