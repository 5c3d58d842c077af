"""Runs schedules by number: `python -m tests.chaos 17`, or `1-250` for a range."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.modules import make_haste
from tests.chaos.schedule_runs import Runner
from tests.chaos.schedules import schedule
from tests.chaos.site import Site


def numbers(words: list[str]) -> list[int]:
    """`["3", "10-12"]` → 3, 10, 11, 12."""
    found: list[int] = []
    for word in words:
        low, _, high = word.partition("-")
        found += range(int(low), int(high or low) + 1)
    return found


def main(words: list[str]) -> int:
    """Run them, print a line each and a summary; 1 where one was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("seeds", nargs="+", metavar="SEED", help="a number, or a range like 1-250")
    seeds = numbers(parser.parse_args(words).seeds)
    wrong: list[int] = []
    verdicts: Counter[str] = Counter()
    calls = met = 0
    with (
        tempfile.TemporaryDirectory(prefix="lyo-chaos-") as folder,
        pytest.MonkeyPatch.context() as p,
    ):
        make_haste(p)
        site = Site(Path(folder))
        try:
            runner = Runner(site)
            for seed in seeds:
                report = runner.run(schedule(seed))
                print(report, flush=True)
                verdicts[f"{report.first}{', then ' + report.second if report.second else ''}"] += 1
                calls, met = calls + report.calls, met + report.fired
                wrong += [seed] * bool(report.problems)
        finally:
            site.remove()
    print(
        f"{len(seeds)} schedules, {met} of {calls} calls met by a fault, {len(wrong)} wrong: {wrong}"
    )
    for words_, count in verdicts.most_common():
        print(f"  {count:4} {words_}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
