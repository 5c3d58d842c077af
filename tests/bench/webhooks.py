"""`python -m tests.bench.webhooks`: how long it takes to see that nothing has to be registered.

python -m tests.bench.webhooks --state DIR [--rounds N] [--latency SECONDS] [--sizes N …] [--output DIR]

Side by side, on one double of Meta's Graph API whose every answer takes the same time: webhooks.yml
with nothing to do, from the start of the command to its end, and the loop that people write first
(`tests/bench/one_by_one.py`) with the same reads. Then webhooks.yml for more accounts. What comes out
is written to docs/benchmarks/webhooks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from localcloud import lifecycle
from localcloud.settings import default_state_dir
from tests.bench.commands import ROOT, run
from tests.runbooks.harness import Environment
from tests.runbooks.restaurants import Restaurants, restaurants

OURS, LOOP = "webhooks.yml", "one by one"
GOAL = 10.0
# How much the seconds of one account may grow until there are ten times as many accounts.
LINEAR = 1.5


@dataclass(frozen=True)
class Measured:
    """One run.

    :ivar calls: of Meta's Graph API. :ivar limited: those that were refused for a limit.
    :ivar usage: percent of the app's limit of an hour that the run used.
    :ivar load: load average of the last minute when it started.
    """

    case: str
    accounts: int
    seconds: float
    cpu: float
    calls: int
    limited: int
    usage: float
    load: float


def measure(made: Restaurants, case: str, argv: list[str], environment: dict[str, str]) -> Measured:
    """Run a command that has to find everything as it is wanted.

    :raises AssertionError: it failed, wrote something, or was refused.
    """
    double, count = made.double, len(made.accounts)
    double.clear_calls()
    ended = run(argv, environment, ROOT)
    calls = double.calls()
    assert ended.returncode == 0, f"{case}: exit code {ended.returncode}\n{ended.output}"
    assert {call["kind"] for call in calls} == {"read"}, f"{case} wrote something"
    assert len(calls) == 1 + 2 * count, f"{case}: {len(calls)} calls for {count} accounts"
    limited = sum(call["code"] in (4, 80007, 80008) for call in calls)
    usage = 100 * len(calls) / (200 * count)
    return Measured(
        case, count, round(ended.seconds, 2), round(ended.cpu, 2), len(calls), limited,
        round(usage, 2), ended.load,
    )  # fmt: skip


class Bench:
    """Measures on one deployed environment."""

    def __init__(
        self, environment: Environment, latency: float, keep: Callable[[Measured], None]
    ) -> None:
        self.environment, self.latency, self.keep = environment, latency, keep

    def size(self, count: int, rounds: int, *, loop: bool) -> None:
        """Measure with so many accounts, all registered already."""
        with (
            tempfile.TemporaryDirectory(prefix="lyo-bench-") as name,
            restaurants(self.environment, count, Path(name), known=False) as made,
        ):
            made.register_by_hand()
            # The first run finds no note of an earlier one, and leaves it.
            warm = self.environment.run("webhooks.yml", *made.options)
            assert warm.returncode == 0, warm.output
            made.double.settings(latency=self.latency)
            for _ in range(rounds):
                self._ours(made)
                if loop:
                    self._loop(made, Path(name))

    def _ours(self, made: Restaurants) -> None:
        argv = ["ansible-playbook", "webhooks.yml", "-e", "env=local", *made.options]
        self.keep(measure(made, OURS, argv, self.environment.variables()))

    def _loop(self, made: Restaurants, folder: Path) -> None:
        secrets = folder / "secrets.json"
        tokens = {tenant["id"]: tenant["token"] for tenant in made.tenants}
        secrets.touch(0o600)
        secrets.write_text(json.dumps({"app_secret": made.app_secret, "tokens": tokens}))
        argv = [sys.executable, "-m", "tests.bench.one_by_one", made.double.endpoint]
        argv += [made.app_id, made.url, str(made.list), str(secrets)]
        self.keep(measure(made, LOOP, argv, self.environment.variables()))


def report(measured: list[Measured], latency: float) -> str:
    """The page, in Markdown."""
    small = min(m.accounts for m in measured)
    ours = [m for m in measured if m.case == OURS]
    loops = [m for m in measured if m.case == LOOP]
    ours_small = statistics.median(m.seconds for m in ours if m.accounts == small)
    intro = (
        f"Measured by `python -m tests.bench.webhooks` on {datetime.now(UTC).date()}: {platform.system()} "
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, a deployed "
        f"local cloud beside it. Each answer of [the double](../graph-double.md) takes {latency * 1000:.0f} ms; everything "
        "is registered already, and both read the same: the app's subscription, and of each account its apps and "
        "its phone numbers. The time is that of the whole command."
    )
    lines = [
        "# Webhooks: seeing that there is nothing to do",
        "",
        intro,
        "",
        "| | accounts | seconds | accounts a second | calls | refused for a limit | CPU seconds | load before |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for m in [*loops, *ours]:
        name = "a loop, one call after the other" if m.case == LOOP else "`webhooks.yml`"
        lines.append(
            f"| {name} | {m.accounts:,} | {m.seconds:.1f} | {m.accounts / m.seconds:.0f} "
            f"| {m.calls:,} | {m.limited} | {m.cpu:.1f} | {m.load} |"
        )
    lines.append("")
    if loops:
        loop = statistics.median(m.seconds for m in loops)
        lines.append(
            f"`webhooks.yml` is {loop / ours_small:.1f} times as fast as the loop (goal: {GOAL:.0f})."
        )
    large = max(m.accounts for m in ours)
    if large > small:
        ours_large = statistics.median(m.seconds for m in ours if m.accounts == large)
        growth = (ours_large / large) / (ours_small / small)
        lines.append(
            f"An account takes {1000 * ours_small / small:.1f} ms among {small:,} and "
            f"{1000 * ours_large / large:.1f} ms among {large:,}: {growth:.2f} times as long (linear: up to {LINEAR})."
        )
    usage = max(m.usage for m in ours)
    lines += [
        f"A run uses {usage:.1f} % of what Meta allows an app in an hour, and two of the 5,000 calls of each account.",
        "",
    ]
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """Measure; returns the exit code."""
    parser = argparse.ArgumentParser(prog="tests.bench.webhooks", description=__doc__)
    parser.add_argument("--state", type=Path, default=default_state_dir(), help="a deployed cloud")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds of each answer")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 3000, 10_000])
    parser.add_argument("--output", type=Path, default=ROOT / "docs/benchmarks")
    arguments = parser.parse_args(argv)
    measured: list[Measured] = []

    def keep(one: Measured) -> None:
        measured.append(one)
        print(
            f"{one.case:<14} {one.accounts:>6} accounts {one.seconds:7.1f} s, CPU {one.cpu:.1f} s, "
            f"{one.calls} calls, {one.limited} refused, load {one.load}",
            flush=True,
        )

    with tempfile.TemporaryDirectory(prefix="lyo-bench-logs-") as logs:
        cloud = lifecycle.require_running(arguments.state.resolve())
        bench = Bench(Environment(cloud, Path(logs)), arguments.latency, keep)
        smallest, *others = sorted(arguments.sizes)
        bench.size(smallest, arguments.rounds, loop=True)
        for count in others:
            bench.size(count, 1, loop=False)
    arguments.output.mkdir(parents=True, exist_ok=True)
    page = report(measured, arguments.latency)
    (arguments.output / "webhooks.md").write_text(page)
    plain = {"latency": arguments.latency, "runs": [asdict(one) for one in measured]}
    (arguments.output / "webhooks.json").write_text(json.dumps(plain, indent=1) + "\n")
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
