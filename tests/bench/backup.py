"""`python -m tests.bench.backup`: logical backups beside bare pg_dump and pg_restore.

python -m tests.bench.backup [--rows N] [--rounds N] [--jobs N …] [--output DIR]

One PostgreSQL server and one S3 on this machine, made for it. Round by round, side by side, with the
same jobs and the same compression: `pg_dump --format=directory` to the disk and `lyo_backup dump` to S3;
`pg_restore` and `lyo_backup restore`, both into a new database and both with ANALYZE at the end. Then the
program's memory, and that with ten times the rows. What comes out is written to docs/benchmarks/backup.md.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from localcloud.dataplane.postgres import binaries
from tests.backup.harness import BUCKET, Bench
from tests.backup.servers import servers
from tests.bench.commands import ROOT

GOAL = 0.9
TENANTS = 100
BARE, OURS = "bare", "lyo_backup"
DUMP, RESTORE = "dump", "restore"
# pg_dump's own default. Its build here has no zstd, so that the program's default has no counterpart.
SAME = "gzip:6"
DEFAULT = "zstd:3"
# A quarter of 4 GiB, as RDS sizes it ({DBInstanceClassMemory/32768} blocks of 8 kB).
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Tuning.concepts.memory.html
SHARED_BUFFERS = "1GB"
# Larger than what a restore writes, so that no checkpoint falls into one run and not into the other.
MAX_WAL_SIZE = "4GB"
# moto keeps larger objects in files: it is to be in nobody's way.
IN_MEMORY = {"MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(1 << 30)}
# For memory, uncompressed: rows of 10 kB in two tables, so many in each; already the few fill every buffer.
PLAIN = "none"
FEW, MANY = 4_000, 40_000
WIDE = """
CREATE TABLE tenants (id text PRIMARY KEY);
CREATE TABLE one (id bigint PRIMARY KEY, body text);
CREATE TABLE other (id bigint PRIMARY KEY, body text);
"""
# Memory that does not grow with the database may still vary a little from run to run.
FLAT = 1.25
LOOK_SECONDS = 0.02
SCHEMA = """
CREATE TABLE tenants (id text PRIMARY KEY, name text NOT NULL);
CREATE TABLE customers (tenant_id text NOT NULL REFERENCES tenants, wa_id text NOT NULL, name text,
    PRIMARY KEY (tenant_id, wa_id));
CREATE TABLE bookings (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id text NOT NULL,
    wa_id text NOT NULL, guests integer NOT NULL CHECK (guests > 0), starts_at timestamptz NOT NULL,
    message_id text NOT NULL UNIQUE, cancelled_at timestamptz, created_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant_id, wa_id) REFERENCES customers);
CREATE INDEX bookings_of_customer ON bookings (tenant_id, wa_id, starts_at);
CREATE TABLE inbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id text REFERENCES tenants,
    message_id text NOT NULL UNIQUE, body text, received_at timestamptz NOT NULL DEFAULT now());
"""


def rows_of(count: int) -> list[str]:
    """Statements that fill the schema: so many bookings, and as many messages."""
    guests = max(1, count // TENANTS // 25)
    return [
        "SET session_replication_role = replica",
        f"INSERT INTO tenants SELECT 't' || n, 'Ristorante ' || n FROM generate_series(1, {TENANTS}) n",
        (
            "INSERT INTO customers SELECT 't' || t, '39333' || g, 'Ospite ' || g"
            f" FROM generate_series(1, {TENANTS}) t, generate_series(0, {guests - 1}) g"
        ),
        (
            "INSERT INTO bookings (tenant_id, wa_id, guests, starts_at, message_id)"
            f" SELECT 't' || (1 + n % {TENANTS}), '39333' || (n / {TENANTS} % {guests}), 1 + n % 8,"
            " timestamptz '2024-01-01' + n * interval '13 seconds', 'wamid.' || md5(n::text)"
            f" FROM generate_series(1, {count}) n"
        ),
        (
            "INSERT INTO inbox (tenant_id, message_id, body)"
            f" SELECT 't' || (1 + n % {TENANTS}), 'wamid.' || md5(n::text),"
            " 'Vorrei prenotare per ' || (1 + n % 8) || ' persone alle ' || (18 + n % 5) || ':30, grazie'"
            f" FROM generate_series(1, {count}) n"
        ),
        "VACUUM ANALYZE",
    ]


@dataclass(frozen=True)
class Measured:
    """One run.

    :ivar cpu: of the programs alone, without the server's.
    :ivar peak: resident memory of the program itself, bytes.
    :ivar load: load average of the last minute when it started.
    """

    case: str
    what: str
    jobs: int
    compression: str
    rows: int
    seconds: float
    cpu: float
    peak: int
    load: float


class Measure:
    """Measures with one server and one S3."""

    def __init__(self, bench: Bench, folder: Path, keep: Callable[[Measured], None]) -> None:
        self.bench, self.folder, self.keep = bench, folder, keep
        self._number = 0

    def prepare(self, rows: int) -> str:
        """A database with so many bookings."""
        database = self.bench.fresh(f"rows{rows}")
        self.bench.sql(database, SCHEMA, *rows_of(rows))
        return database

    def wide(self, rows: int) -> None:
        """A database with so many rows of 10 kB in each of two tables."""
        database = self.bench.fresh(f"rows{rows}")
        fill = "INSERT INTO {} SELECT n, repeat('x', 10000) || n FROM generate_series(1, {}) n"
        self.bench.sql(database, WIDE, fill.format("one", rows), fill.format("other", rows))

    def round(self, rows: int, jobs: int, compression: str) -> None:
        """Both dumps, then both restores, side by side."""
        database = f"rows{rows}"
        if compression == SAME:
            dump = self.folder / "dump"
            shutil.rmtree(dump, ignore_errors=True)
            argv = ["pg_dump", "--format=directory", f"--jobs={jobs}", f"--compress={compression}"]
            self.run(BARE, DUMP, jobs, compression, rows, database, [*argv, f"--file={dump}"])
            target = self.bench.fresh("restored")
            restore = (
                f"pg_restore --jobs={jobs} --dbname={target} {dump} && psql --quiet -c ANALYZE"
            )
            self.run(BARE, RESTORE, jobs, compression, rows, target, ["sh", "-c", restore])
        self._number += 1
        backup_id = f"20261127T120000Z-{self._number:08x}"
        program = [sys.executable, "-m", "lyo_backup"]
        argv = [*program, "dump", "--id", backup_id]
        self.run(OURS, DUMP, jobs, compression, rows, database, argv)
        target = self.bench.fresh("restored")
        argv = [*program, "restore", "--id", backup_id]
        self.run(OURS, RESTORE, jobs, compression, rows, target, argv)
        self.bench.s3.forget(BUCKET, backup_id)

    def run(
        self,
        case: str,
        what: str,
        jobs: int,
        compression: str,
        rows: int,
        database: str,
        argv: Sequence[str],
        part_bytes: str = "",
    ) -> None:
        """Run a program and keep what it took.

        :param part_bytes: of the parts that small tables share, empty for the program's default.
        """
        settings = {"LYO_BACKUP_JOBS": str(jobs), "LYO_BACKUP_COMPRESSION": compression}
        settings["LYO_BACKUP_PART_BYTES"] = part_bytes
        environment = self.bench.environment(database, **settings)
        self.bench.sql("postgres", "CHECKPOINT")
        load = os.getloadavg()[0]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with tempfile.TemporaryFile() as output:
            began = time.perf_counter()
            process = subprocess.Popen(argv, env=environment, stdout=output, stderr=output)
            peak = 0
            while process.poll() is None:
                peak = max(peak, _resident(process.pid))
                time.sleep(LOOK_SECONDS)
            seconds = time.perf_counter() - began
            output.seek(0)
            assert process.returncode == 0, f"{argv}: {output.read().decode()}"
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.keep(Measured(case, what, jobs, compression, rows, seconds, cpu, peak, load))


def _resident(process: int) -> int:
    """The most memory that a process has had so far, bytes; 0 once it has ended.

    Not ru_maxrss, which begins with what this process has when it forks.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def ratios(measured: Sequence[Measured], what: str, jobs: int, compression: str) -> list[float]:
    """How many times the throughput of the bare program ours has, round by round."""
    chosen = [m for m in measured if (m.what, m.jobs, m.compression) == (what, jobs, compression)]
    bare = [m.seconds for m in chosen if m.case == BARE]
    ours = [m.seconds for m in chosen if m.case == OURS]
    return [b / o for b, o in zip(bare, ours, strict=True)] if bare else []


def report(measured: list[Measured], wide: list[Measured], size: int) -> str:
    """The page, in Markdown.

    :param size: of the database, bytes, without indexes.
    """
    rows = measured[0].rows
    head = (
        f"Measured by `python -m tests.bench.backup` on {datetime.now(UTC).date()}: {platform.system()} "
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, PostgreSQL "
        f"{binaries.version()}. {rows:,} bookings and as many messages of {TENANTS} tenants, {size / 2**20:.0f} MiB without "
        f"indexes; the server has shared_buffers={SHARED_BUFFERS} and max_wal_size={MAX_WAL_SIZE}. The server, the S3 (moto, in Python) and the programs share these cores: what on AWS the database's and "
        "S3's machines do is paid for here too. `lyo_backup` counts rows by tenant and makes a checksum of every table "
        "meanwhile, and sends what it makes to S3; `pg_dump` writes to the disk. Seconds are those of the whole command, "
        "ANALYZE included for both restores; median (smallest to largest). A ratio is that of one round. Above a load of "
        "one for each core the seconds say little, and the ratios not much: take them again."
    )
    lines = ["# Logical backups beside pg_dump and pg_restore", "", head, ""]
    lines += [
        "| | jobs | compression | bare, seconds | `lyo_backup`, seconds | MiB/s | throughput ÷ bare | goal | CPU seconds, bare and ours | load before |",
        "|---|---:|---|---:|---:|---:|---:|---|---:|---:|",
    ]
    cases = dict.fromkeys((m.what, m.jobs, m.compression) for m in measured)
    for what, jobs, compression in sorted(cases, key=lambda c: (c[0], c[1], c[2] == DEFAULT, c[2])):
        chosen = [
            m for m in measured if (m.what, m.jobs, m.compression) == (what, jobs, compression)
        ]
        bare = [m for m in chosen if m.case == BARE]
        ours = [m for m in chosen if m.case == OURS]
        found = ratios(measured, what, jobs, compression)
        goal = ""
        if found:
            reached = statistics.median(found) >= GOAL
            goal = f"≥ {GOAL} {'reached' if reached else '**not reached**'}"
        middle = statistics.median(m.seconds for m in ours)
        lines.append(
            f"| {what} | {jobs} | {compression} | {spread([m.seconds for m in bare])} "
            f"| {spread([m.seconds for m in ours])} | {size / 2**20 / middle:.0f} | {spread(found, 2)} | {goal} "
            f"| {spread([m.cpu for m in bare])} and {spread([m.cpu for m in ours])} "
            f"| {spread([m.load for m in chosen])} |"
        )
    lines += ["", *_against_default(measured), *_memory(wide)]
    return "\n".join(lines) + "\n"


def _against_default(measured: Sequence[Measured]) -> list[str]:
    """What people get who type nothing else: each program's own default compression."""
    lines = []
    for jobs in sorted({m.jobs for m in measured}):
        bare = [m for m in measured if (m.case, m.what, m.jobs) == (BARE, DUMP, jobs)]
        bare = [m for m in bare if m.compression == SAME]
        ours = [m for m in measured if (m.case, m.what, m.jobs) == (OURS, DUMP, jobs)]
        ours = [m for m in ours if m.compression == DEFAULT]
        if bare and ours:
            times = statistics.median(m.seconds for m in bare) / statistics.median(
                m.seconds for m in ours
            )
            lines.append(
                f"With {jobs} job{'s' if jobs > 1 else ''} and each program's own default ({DEFAULT} and {SAME}, which make"
                f" archives of about the same size), `lyo_backup dump` has {times:.2f} times the throughput of `pg_dump`."
            )
    return [*lines, ""] if lines else []


def _memory(wide: Sequence[Measured]) -> list[str]:
    """Resident memory of the program, with a few rows and with ten times as many."""
    lines = [
        "| memory of the program, MiB, without compression | jobs | two tables of 40 MB | ten times as large | grows by | goal |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for what in (DUMP, RESTORE):
        few, many = sorted((m for m in wide if m.what == what), key=lambda m: m.rows)
        grown = many.peak / few.peak
        goal = f"≤ {FLAT} {'reached' if grown <= FLAT else '**not reached**'}"
        lines.append(
            f"| `lyo_backup {what}` | {many.jobs} | {few.peak / 2**20:.0f} | {many.peak / 2**20:.0f} | {grown:.2f} | {goal} |"
        )
    return lines


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The middle, and the smallest to the largest."""
    if not values:
        return ""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.bench.backup", description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000, help="bookings")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--output", type=Path, default=ROOT / "docs/benchmarks")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Measure and write the page; returns the exit code."""
    arguments = _arguments(argv)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    os.environ.update(IN_MEMORY)
    measured: list[Measured] = []
    wide: list[Measured] = []

    def keep(one: Measured) -> None:
        (measured if one.compression != PLAIN else wide).append(one)
        print(
            f"{one.case:<10} {one.what:<7} jobs {one.jobs} {one.compression:<6} {one.seconds:6.2f} s,"
            f" CPU {one.cpu:.2f} s, {one.peak / 2**20:.0f} MiB, load {one.load:.1f}",
            flush=True,
        )

    with (
        tempfile.TemporaryDirectory(prefix="lyo-bench-") as name,
        servers(Path(name), shared_buffers=SHARED_BUFFERS, max_wal_size=MAX_WAL_SIZE) as bench,
    ):
        measure = Measure(bench, Path(name), keep)
        for count in (FEW, MANY):
            measure.wide(count)
            measure.round(count, 2, PLAIN)
        database = measure.prepare(arguments.rows)
        size = int(
            bench.sql(
                database,
                "SELECT sum(pg_table_size(c.oid)) FROM pg_class c WHERE relkind = 'r'"
                " AND relnamespace = 'public'::regnamespace",
            )[0][0]
        )
        for _ in range(arguments.rounds):
            for jobs in arguments.jobs:
                for compression in (SAME, DEFAULT):
                    measure.round(arguments.rows, jobs, compression)
    page = arguments.output / "backup.md"
    page.write_text(report(measured, wide, size))
    print(f"bench: {page} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
