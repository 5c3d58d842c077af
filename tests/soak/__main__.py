"""`python -m tests.soak`: exit 0 when every request got its 200 and every step ended as it must."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.load import Load
from tests.load.report import Outcome, read_outcomes
from tests.runbooks.deployment import SPEED, Deployment
from tests.runbooks.harness import ROOT, Environment
from tests.runbooks.scaling import Scaling
from tests.soak import results, weight
from tests.soak.steps import Sequence

PAGE = ROOT / "docs" / "zero-downtime.md"
BEGIN, END = "<!-- made by make soak -->", "<!-- end -->"
FIRST_REST, REST = 60.0, 8.0  # wall seconds in which nothing happens: before all, after each step


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=50_000, help="at least so many (50,000)")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second (100)")
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.name}")
    parser.add_argument("--outcomes", type=Path, help="keep every request in this file")
    return parser.parse_args()


class Soak:
    """One run: a load in the background, and the steps that are taken meanwhile."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.done: list[results.Step] = []

    def rest(self, seconds: float) -> None:
        """Measure the steady state."""
        self.take(results.STEADY, "", lambda: time.sleep(seconds))

    def take(self, name: str, kind: str, do: Callable[[], None]) -> None:
        """Do something, and remember when."""
        began = datetime.now(UTC)
        do()
        step = results.Step(name, kind, began, datetime.now(UTC))
        self.done.append(step)
        if kind:
            seconds = (step.ended - began).total_seconds()
            print(f"{step.ended.astimezone():%H:%M:%S}  {seconds:5.1f} s  {name}", flush=True)

    def run(self, seconds: float) -> None:
        """Take all steps, again and again until the time is over."""
        end = time.monotonic() + seconds
        self.rest(FIRST_REST)
        sequence = Sequence(self._environment)
        while True:
            for step in sequence.steps():
                self.take(step.name, step.kind, step.do)
                self.rest(REST)
            if time.monotonic() >= end:
                return


@contextmanager
def _without_scale_in(environment: Environment) -> Iterator[None]:
    scaling = Scaling(environment)
    scaling.scale_in(suspended=True)
    try:
        yield
    finally:
        scaling.scale_in(suspended=False)


@contextmanager
def _giving_way(environment: Environment) -> Iterator[None]:
    """Leave most of the machine to what serves: the control plane and who types the runbooks have others.

    Where the kernel groups processes by session, a nice value counts within its session alone, and Ansible
    begins one for each task. Which cores may be used is inherited all the same.
    https://man7.org/linux/man-pages/man7/sched.7.html
    """
    os.nice(10)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    daemon = int(json.loads((environment.state_dir / "daemon.json").read_text())["pid"])
    weight.weigh(daemon, weight.LIGHT)
    try:
        with weight.Starters(environment.state_dir):
            yield
    finally:
        weight.weigh(daemon, weight.ORDINARY)


def _soak(
    environment: Environment, arguments: argparse.Namespace, file: Path
) -> tuple[list[results.Step], list[Outcome], datetime]:
    outputs = environment.outputs
    secret = environment.secret(outputs["whatsapp_secret_arn"])["app_secret"]
    assert outputs["api_url"].startswith("https://127."), outputs["api_url"]
    soak = Soak(environment)
    with (
        _without_scale_in(environment),
        Load(
            outputs["api_url"],
            rate=arguments.rate,
            app_secret=secret,
            ca=Path(environment.ca_bundle),
            outcomes=file,
        ) as load,
    ):
        try:
            with _giving_way(environment):
                soak.run(arguments.requests / arguments.rate)
        finally:
            print(load.stop().summary())
    started, outcomes = read_outcomes(file)
    return soak.done, outcomes, started


def _page(steps: list[results.Step], rows: list[results.Row], rate: float) -> str:
    *_, busy, everything = rows
    measured = (
        f"Measured on {steps[0].began:%d %B %Y}: {everything.requests:,} requests at a constant rate of "
        f"{rate:g} a second, 3-second requests among them (2 %), over {results.counted(steps)}. "
        f"**{everything.failed} failed.** While something happened, p99 was {busy.ratio or 0:.2f} times "
        "that of the steady state in the same run."
    )
    how = (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, local cloud at speed {SPEED}. "
        "Latency counts from when a request was due, without the 3-second ones. The steady state is "
        "the minute before the first step and the pauses between steps. The runbooks run on one of these "
        "cores, at a lower priority (nice 10); everything else on all, AWS's APIs and a task's first seconds with "
        "little weight: where people release, none of them takes CPU from the tasks that serve."
    )
    return "\n\n".join([BEGIN, measured, results.table(rows), how, END])


def main() -> int:
    """Run, report, and return the exit code."""
    arguments = _arguments()
    deployment = Deployment()
    try:
        environment = deployment.environment()
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            file = arguments.outcomes or Path(folder) / "outcomes.jsonl"
            steps, outcomes, started = _soak(environment, arguments, file)
    finally:
        deployment.remove()
    rows = results.rows(steps, started, outcomes)
    print(results.table(rows))
    if arguments.write:
        text = PAGE.read_text()
        before, _, rest = text.partition(BEGIN)
        PAGE.write_text(before + _page(steps, rows, arguments.rate) + rest.partition(END)[2])
    everything = rows[-1]
    if everything.failed:
        print(f"{everything.failed} of {everything.requests} requests failed", file=sys.stderr)
    if (rows[-2].ratio or 0) > results.LIMIT:
        print(f"p99 is more than {results.LIMIT} times the steady state's", file=sys.stderr)
    return 1 if everything.failed else 0


if __name__ == "__main__":
    sys.exit(main())
