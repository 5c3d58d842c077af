"""A drill while guests book: its times, and whether it counts all that was committed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from tests.recovery.site import Site

_FIGURES = re.compile(r"usable after ([\d,]+) s \(RTO\), ([\d,]+) s .*\(RPO\)")
_ROWS = re.compile(r"rows: (\w+ \d.*)")
_COUNT = re.compile(r"(\w+) (\d[\d,]*)(?:, |$)")


@dataclass(frozen=True)
class Drilled:
    """What a drill said.

    :ivar figures: for a sentence.
    :ivar wrong: what it did not count, empty where nothing is wrong.
    """

    figures: str
    wrong: str = ""


def counts(output: str) -> dict[str, int]:
    """Rows by table in what a runbook said; empty where it said none."""
    found = _ROWS.search(output)
    said = _COUNT.findall(found[1]) if found else []
    return {table: int(count.replace(",", "")) for table, count in said}


def fewer(committed: set[tuple[str, str]], counted: dict[str, int]) -> list[str]:
    """Tables of which fewer rows were counted than were committed; guests only add some.

    :param committed: table and key.
    """
    expected = Counter(table for table, _ in committed)
    return [
        f"{table}: {counted.get(table, 0):,} of {count:,}"
        for table, count in sorted(expected.items())
        if counted.get(table, 0) < count
    ]


def drilled(site: Site) -> Drilled:
    """Run drill.yml: it recovers to the newest second there is, which is after all that was read before."""
    with site.losing() as loss:
        site.archived(loss)
        run = site.environment.run("drill.yml")
    figures = _FIGURES.search(run.output)
    if run.returncode != 0 or figures is None:
        return Drilled("", f"it ended with {run.returncode}:\n{run.output}")
    counted = counts(run.output)
    missing = fewer(loss.committed, counted)
    rows = ", ".join(f"{table} {count:,}" for table, count in counted.items())
    text = f"usable after {figures[1]} s (RTO), {figures[2]} s of writes would be lost (RPO); rows: {rows}"
    wrong = f"it does not count what was committed: {', '.join(missing)}" if missing else ""
    return Drilled(text, wrong)
