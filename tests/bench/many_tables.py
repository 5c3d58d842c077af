"""`python -m tests.bench.many_tables`: logical backups of thousands of small tables.

python -m tests.bench.many_tables [--tables N] [--rounds N] [--jobs N] [--skip-alone] [--output DIR]

Round by round, side by side, with the same jobs: `pg_dump --format=directory` and `pg_restore`, both to and
from the disk; `lyo_backup` as it is, where small tables share parts; `lyo_backup` with a part for every table
(`LYO_BACKUP_PART_BYTES=0`), which takes many minutes: `--skip-alone`. What comes out is written to docs/benchmarks/many_tables.md.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from localcloud.dataplane.postgres import binaries
from tests.backup.harness import BUCKET, Bench
from tests.backup.servers import servers
from tests.bench.backup import BARE, DUMP, OURS, RESTORE, SAME, Measure, Measured, spread
from tests.bench.commands import ROOT

ALONE = "a part each"
WHO = {BARE: "`pg_dump`, `pg_restore`", OURS: "`lyo_backup`", ALONE: "`lyo_backup`, a part each"}
ROWS = 10
# In several transactions: every table that is made is locked until its end.
AT_ONCE = 500


def fill(bench: Bench, database: str, tables: int) -> None:
    """Make so many tables of ten rows, each with a primary key."""
    for first in range(1, tables + 1, AT_ONCE):
        last = min(tables, first + AT_ONCE - 1)
        bench.sql(
            database,
            f"""DO $$ BEGIN FOR i IN {first}..{last} LOOP
                EXECUTE format('CREATE TABLE small_%s (id int PRIMARY KEY, body text)', i);
                EXECUTE format('INSERT INTO small_%s SELECT n, md5(n::text) FROM generate_series(1, {ROWS}) n', i);
            END LOOP; END $$""",
        )
    bench.sql(database, "ANALYZE")


def one_round(
    measure: Measure, database: str, tables: int, jobs: int, number: int, *, alone: bool
) -> None:
    """Everybody's dump and restore."""
    bench = measure.bench
    dump = measure.folder / "dump"
    shutil.rmtree(dump, ignore_errors=True)
    argv = ["pg_dump", "--format=directory", f"--jobs={jobs}", f"--compress={SAME}"]
    measure.run(BARE, DUMP, jobs, SAME, tables, database, [*argv, f"--file={dump}"])
    target = bench.fresh("restored")
    restore = f"pg_restore --jobs={jobs} --dbname={target} {dump} && psql --quiet -c ANALYZE"
    measure.run(BARE, RESTORE, jobs, SAME, tables, target, ["sh", "-c", restore])
    for case, part_bytes in ((OURS, ""), (ALONE, "0"))[: 2 if alone else 1]:
        backup_id = f"20261127T{12 + (case == OURS):02}0000Z-{number:08x}"
        program = [sys.executable, "-m", "lyo_backup"]
        argv = [*program, "dump", "--id", backup_id]
        measure.run(case, DUMP, jobs, SAME, tables, database, argv, part_bytes)
        target = bench.fresh("restored")
        argv = [*program, "restore", "--id", backup_id]
        measure.run(case, RESTORE, jobs, SAME, tables, target, argv, part_bytes)
        bench.s3.forget(BUCKET, backup_id)


def report(measured: Sequence[Measured]) -> str:
    """The page, in Markdown."""
    first = measured[0]
    head = (
        f"Measured by `python -m tests.bench.many_tables` on {datetime.now(UTC).date()}: {platform.system()} "
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, PostgreSQL "
        f"{binaries.version()}. {first.rows:,} tables of {ROWS} rows, {first.jobs} jobs, {first.compression}. The server, the "
        "S3 (moto, in Python) and the programs share these cores. `lyo_backup` counts rows and makes a checksum of every "
        "table meanwhile and sends what it makes to S3; `pg_dump` writes to the disk. Seconds of the whole command, ANALYZE "
        "included for all restores; median (smallest to largest). Above a load of one for each core the seconds say little."
    )
    if any(m.case == ALONE for m in measured):
        head += (
            " *A part each* is `LYO_BACKUP_PART_BYTES=0`: a pg_dump, an upload, a session and a pg_restore for "
            "every table."
        )
    lines = ["# Thousands of small tables", "", head, ""]
    lines += [
        "| | | seconds | ÷ bare | CPU seconds of the programs | load before |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for what in (DUMP, RESTORE):
        bare = [m.seconds for m in measured if (m.what, m.case) == (what, BARE)]
        for case, who in WHO.items():
            chosen = [m for m in measured if (m.what, m.case) == (what, case)]
            if not chosen:
                continue
            times = [m.seconds / b for m, b in zip(chosen, bare, strict=True)]
            lines.append(
                f"| {what} | {who} | {spread([m.seconds for m in chosen])} | {statistics.median(times):.2f} "
                f"| {spread([m.cpu for m in chosen])} | {spread([m.load for m in chosen])} |"
            )
    return "\n".join(lines) + "\n"


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.bench.many_tables", description=__doc__)
    parser.add_argument("--tables", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--skip-alone", action="store_true", help="without a part for every table")
    parser.add_argument("--output", type=Path, default=ROOT / "docs/benchmarks")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Measure and write the page; returns the exit code."""
    arguments = _arguments(argv)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    measured: list[Measured] = []

    def keep(one: Measured) -> None:
        measured.append(one)
        print(
            f"{one.case:<12} {one.what:<7} {one.seconds:7.2f} s, CPU {one.cpu:.2f} s, load {one.load:.1f}",
            flush=True,
        )

    with (
        tempfile.TemporaryDirectory(prefix="lyo-bench-") as name,
        servers(Path(name)) as bench,
    ):
        database = bench.fresh("small")
        fill(bench, database, arguments.tables)
        measure = Measure(bench, Path(name), keep)
        for number in range(1, arguments.rounds + 1):
            one_round(
                measure,
                database,
                arguments.tables,
                arguments.jobs,
                number,
                alone=not arguments.skip_alone,
            )
    page = arguments.output / "many_tables.md"
    page.write_text(report(measured))
    print(f"bench: {page} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
