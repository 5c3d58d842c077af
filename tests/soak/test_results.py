"""What the soak counts and says, from requests that the test makes up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.load.report import Outcome, read_outcomes, write_outcomes
from tests.soak import results
from tests.soak.results import Step

START = datetime(2026, 11, 27, tzinfo=UTC)


def step(name: str, kind: str, began: float, ended: float) -> Step:
    return Step(name, kind, START + timedelta(seconds=began), START + timedelta(seconds=ended))


def outcome(
    second: float, latency: float, kind: str | None = None, request: str = "health"
) -> Outcome:
    return Outcome(second, request, False, latency, 0.0, kind)


STEPS = [
    step(results.STEADY, "", 0, 10),
    step("release v2", "release", 10, 20),
    step(results.STEADY, "", 20, 30),
    step("release v1", "release", 30, 40),
    step("rollback", "rollback", 40, 50),
]
OUTCOMES = [
    *(outcome(second / 10, 0.010) for second in range(100)),
    outcome(10.0, 0.030),
    outcome(19.9, 0.020, "status 500"),
    outcome(15.0, 3.2, request="slow"),
    outcome(20.0, 0.010),
    outcome(45.0, 0.015),
    outcome(55.0, 0.500),
]


def test_requests_belong_to_the_step_in_which_they_were_due() -> None:
    steady, first, second, third, busy, everything = results.rows(STEPS, START, OUTCOMES)
    assert (steady.requests, steady.failed, steady.ratio) == (101, 0, None)
    assert (first.name, first.requests, first.failed) == ("release v2", 3, 1)
    assert (first.p50, first.p99, first.ratio) == (20.0, 30.0, 3.0)  # without the slow one
    assert (second.requests, second.p99, second.ratio) == (0, 0.0, 0.0)
    assert (third.requests, third.ratio) == (1, 1.5)
    assert (busy.requests, busy.failed) == (4, 1)
    assert (everything.requests, everything.failed) == (106, 1)


def test_the_table_has_a_line_for_each() -> None:
    lines = results.table(results.rows(STEPS, START, OUTCOMES)).splitlines()
    assert len(lines) == 2 + 6
    assert lines[2] == "| steady state, nothing happens | 101 | 0 | 10.0 | 10.0 | 1 |"
    assert lines[3] == "| release v2 | 3 | 1 | 20.0 | 30.0 | 3.00 |"


def test_the_steps_are_counted_by_kind() -> None:
    assert results.counted(STEPS) == "2 releases, 1 rollback"


def test_outcomes_are_written_and_read(tmp_path: Path) -> None:
    file = tmp_path / "outcomes.jsonl"
    write_outcomes(file, START, OUTCOMES)
    assert read_outcomes(file) == (START, OUTCOMES)
