"""What the soak has measured: requests by step, their latency beside the steady state, a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tests.load.report import Outcome, percentile

LIMIT = 1.5
STEADY = "steady state, nothing happens"


@dataclass(frozen=True)
class Step:
    """Something that was done while requests went on.

    began, ended: when, aware. kind: `release`, `broken release`, `rollback`, `scaling`, `kill`, or
    empty for the steady state.
    """

    name: str
    kind: str
    began: datetime
    ended: datetime


@dataclass(frozen=True)
class Row:
    """What became of the requests that were due during some steps. Latencies in milliseconds.

    ratio: p99 as a multiple of the steady state's, None where there is none.
    """

    name: str
    requests: int
    failed: int
    p50: float
    p99: float
    ratio: float | None


def during(steps: Iterable[Step], started: datetime, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The requests that were due during the steps. started: of the load."""
    spans = [
        ((step.began - started).total_seconds(), (step.ended - started).total_seconds())
        for step in steps
    ]
    return [o for o in outcomes if any(begin <= o.intended < end for begin, end in spans)]


def _row(name: str, outcomes: Sequence[Outcome], steady: float | None) -> Row:
    # Requests that take 3 seconds on purpose count as answered or failed, not as slow.
    latencies = sorted(o.latency for o in outcomes if o.request != "slow")
    p50, p99 = (percentile(latencies, share) * 1000 if latencies else 0.0 for share in (0.5, 0.99))
    failed = sum(1 for outcome in outcomes if outcome.kind)
    return Row(name, len(outcomes), failed, p50, p99, p99 / steady if steady else None)


def rows(steps: Sequence[Step], started: datetime, outcomes: Sequence[Outcome]) -> list[Row]:
    """The steady state, each step, all steps together, and everything."""
    quiet = [step for step in steps if not step.kind]
    busy = [step for step in steps if step.kind]
    steady = _row(STEADY, during(quiet, started, outcomes), None)
    return [
        steady,
        *(_row(step.name, during([step], started, outcomes), steady.p99) for step in busy),
        _row("all steps together", during(busy, started, outcomes), steady.p99),
        _row("everything", outcomes, steady.p99),
    ]


def table(found: Sequence[Row]) -> str:
    """The rows for Markdown."""
    lines = [
        "| while | requests | failed | p50 ms | p99 ms | p99 ÷ steady state |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for row in found:
        ratio = "1" if row.ratio is None else f"{row.ratio:.2f}"
        lines.append(
            f"| {row.name} | {row.requests:,} | {row.failed} | {row.p50:.1f} | {row.p99:.1f} "
            f"| {ratio} |"
        )
    return "\n".join(lines)


def counted(steps: Sequence[Step]) -> str:
    """How many steps there were of each kind, for a sentence."""
    kinds = list(dict.fromkeys(step.kind for step in steps if step.kind))
    numbers = {kind: sum(step.kind == kind for step in steps) for kind in kinds}
    words = {"scaling": "changes of the number of tasks alone"}
    return ", ".join(
        f"{number} {words.get(kind, kind + ('s' if number > 1 else ''))}"
        for kind, number in numbers.items()
    )
