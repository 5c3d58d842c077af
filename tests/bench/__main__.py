"""`python -m tests.bench`: measures, writes the result, its table and its chart.

python -m tests.bench --state DIR [--starts N] [--rollbacks N] [--releases N] [--output DIR]
python -m tests.bench --draw [--output DIR]      table and chart anew from the last result
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from localcloud import lifecycle
from localcloud.settings import default_state_dir
from tests.bench import about
from tests.bench.cases import Cases
from tests.bench.chart import draw
from tests.bench.commands import ROOT
from tests.bench.figures import Sample, Samples
from tests.bench.report import table
from tests.bench.target import Target


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument("--state", type=Path, default=default_state_dir(), help="a deployed cloud")
    parser.add_argument("--starts", type=int, default=10, help="rounds of what changes nothing")
    parser.add_argument("--rollbacks", type=int, default=5, help="rounds of a rollback during bake")
    parser.add_argument("--releases", type=int, default=5, help="rounds of a release by everybody")
    parser.add_argument("--output", type=Path, default=ROOT / "docs/benchmarks")
    parser.add_argument("--draw", action="store_true", help="from the last result, no measuring")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Measure, or only draw; returns the exit code."""
    arguments = _arguments(argv)
    file = arguments.output / "result.json"
    if not arguments.draw:
        try:
            target = Target(lifecycle.require_running(arguments.state.resolve()))
        except (lifecycle.LifecycleError, AssertionError) as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
        result = measure(target, arguments)
        arguments.output.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(result, indent=1) + "\n")
    elif not file.is_file():
        print(f"bench: there is no {file}: measure first (make bench)", file=sys.stderr)
        return 1
    result = json.loads(file.read_text())
    samples = Samples(Sample(**entry) for entry in result["samples"])
    (arguments.output / "table.md").write_text(table(samples, result["about"]))
    (arguments.output / "chart.svg").write_text(draw(samples))
    print(f"bench: {arguments.output}/table.md, chart.svg and result.json are written")
    return 0


def measure(target: Target, arguments: argparse.Namespace) -> dict[str, object]:
    """Measure everything, each group's cases side by side, round by round."""
    samples: list[Sample] = []
    started = time.monotonic()

    def keep(sample: Sample) -> None:
        samples.append(sample)
        moments = ", ".join(f"{name} {value:.2f} s" for name, value in sample.seconds.items())
        elapsed = time.monotonic() - started
        print(
            f"{elapsed:6.0f} s  {sample.round:2}  {sample.case:<20} {moments}, "
            f"CPU {sample.cpu:.2f} s, load {sample.load}",
            flush=True,
        )

    cases = Cases(target, keep)
    cases.warm_up()
    samples.clear()
    groups = (
        *[cases.starts] * arguments.starts,
        *[cases.rollbacks] * arguments.rollbacks,
        *[cases.releases] * arguments.releases,
    )
    for number, group in enumerate(groups, 1):
        group(number)
    return {
        "about": about.describe(target.content, time.monotonic() - started),
        "samples": [sample.plain() for sample in samples],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
