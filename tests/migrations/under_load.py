"""Migrations of a large database while the application writes: what failed, and who waited how long.

By hand: python -m tests.migrations.under_load 5000000
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from module_utils.lyo_migration import events
from tests.localcloud import booking_harness as harness
from tests.localcloud.booking_harness import Backend, Running, wait_for

DATABASE = "load"
TENANTS = 100
LOCK_TIMEOUT_MS = 1000
PGOPTIONS = f"-c lock_timeout={LOCK_TIMEOUT_MS}ms -c statement_timeout=30min"
WRITERS, PAUSE = 4, 0.4
# So many messages may wait to be answered before guests hold back: a busy machine answers slowly.
MOST_OPEN = 200
SAMPLE_SECONDS = 0.02
# Dropped while rows are loaded, made again after.
INDEXES = (
    "ALTER TABLE bookings DROP CONSTRAINT bookings_source_message_id_key",
    "DROP INDEX bookings_of_customer",
)
INDEXES_AGAIN = (
    "ALTER TABLE bookings ADD CONSTRAINT bookings_source_message_id_key UNIQUE (source_message_id)",
    "CREATE INDEX bookings_of_customer ON bookings (tenant_id, wa_id, starts_at)",
)


MIGRATION_WAITS = (
    "SELECT 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE NOT l.granted AND a.application_name = 'booking-migrate'"
)


@dataclass
class Report:
    """What was measured; seconds unless said otherwise.

    :ivar failed: requests not answered with 200.
    :ivar undelivered: stored messages whose processing failed at least once, or that were never done.
    :ivar waits: the longest wait of the application's sessions for a lock, by migration.
    :ivar slowest: the slowest request, by migration.
    :ivar retries: attempts of the migrations that gave their lock up.
    """

    rows: int
    requests: int = 0
    failed: list[str] = field(default_factory=list)
    undelivered: int = 0
    bookings: int = 0
    wrong: int = 0
    waits: dict[str, float] = field(default_factory=dict)
    slowest: dict[str, float] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)
    retries: int = 0


def load(backend: Backend, rows: int) -> None:
    """Fill the schema at 0003 with bookings of 100 restaurants."""
    guests = max(10, rows // TENANTS // 25)
    with backend.postgres.connect(DATABASE) as connection:
        # Foreign keys are checked by triggers; the rows below are right by construction.
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '256MB'")
        for statement in INDEXES:
            connection.execute(statement)
        connection.execute(
            "INSERT INTO tenants (id, name, phone_number_id) SELECT 't' || n, 'Ristorante ' || n,"
            f" '39055{{}}' || n FROM generate_series(1, {TENANTS}) n".replace("{}", "9")
        )
        connection.execute(
            "INSERT INTO customers (tenant_id, wa_id, name, party_size, allergies)"
            f" SELECT 't' || t, '39333' || g, 'Ospite', 2, '{{}}'"
            f" FROM generate_series(1, {TENANTS}) t, generate_series(1, {guests}) g"
        )
        connection.execute(
            "INSERT INTO bookings (tenant_id, wa_id, party_size, starts_at, source_message_id)"
            f" SELECT 't' || (1 + n % {TENANTS}), '39333' || (1 + n / {TENANTS} % {guests}),"
            " 1 + n % 8, timestamptz '2024-01-01' + n * interval '13 seconds', 'old.' || n"
            f" FROM generate_series(1, {rows}) n"
        )
        for statement in INDEXES_AGAIN:
            connection.execute(statement)
        connection.execute("ANALYZE")


class Writer:
    """Guests that book all the time, through the application's webhook and its check of itself."""

    def __init__(self, report: Report) -> None:
        self.url = ""
        self.phase = "before"
        self._report = report
        self._numbers = itertools.count(1)
        self.open = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(WRITERS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self, writer: int) -> None:
        dice = random.Random(writer)
        while not self._stop.wait(PAUSE * (0.5 + dice.random())):
            # One of them writes all of a booking within its request, the others leave it to the worker.
            if writer == 0:
                self._ask(lambda url: harness.request(f"{url}/smoke"))
            elif self.open < MOST_OPEN:
                self._ask(self._book(dice))

    def _book(self, dice: random.Random) -> Callable[[str], harness.Answer]:
        number = next(self._numbers)
        guest = {"id": f"new.{number}", "from": f"39444{number}", "type": "text"}
        guest["text"] = {"body": "Un tavolo per 4 domani alle 20:30"}  # type: ignore[assignment]
        to = {"phone_number_id": f"390559{dice.randint(1, TENANTS)}"}
        value = {"metadata": to, "messages": [guest]}
        change = {"changes": [{"field": "messages", "value": value}]}
        body = json.dumps({"entry": [change]}).encode()
        signed = hmac.new(harness.APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
        return lambda url: harness.request(
            f"{url}/webhook", body, X_Hub_Signature_256=f"sha256={signed}"
        )

    def _ask(self, ask: Callable[[str], harness.Answer]) -> None:
        phase, began = self.phase, time.monotonic()
        answer = ask(self.url)
        took = time.monotonic() - began
        with self._lock:
            self._report.requests += 1
            slowest = self._report.slowest
            slowest[phase] = max(slowest.get(phase, 0.0), took)
            if answer.status != 200:
                text = answer.body[:200].decode(errors="replace")
                self._report.failed.append(f"{phase}: {answer.status} after {took:.2f} s: {text}")


class Sampler:
    """Looks all the time how long the application's sessions have been waiting for a lock."""

    def __init__(self, backend: Backend, report: Report, writer: Writer) -> None:
        self._backend, self._report, self._writer = backend, report, writer
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        # https://www.postgresql.org/docs/current/view-pg-locks.html (waitstart)
        query = (
            "SELECT extract(epoch FROM max(clock_timestamp() - l.waitstart))"
            " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE NOT l.granted AND l.waitstart IS NOT NULL AND a.application_name LIKE 'booking-v%'"
        )
        counted = 0
        with self._backend.postgres.connect(DATABASE) as connection:
            while not self._stop.wait(SAMPLE_SECONDS):
                row = connection.execute(query).fetchone()
                waited = float(row[0]) if row and row[0] is not None else 0.0
                waits = self._report.waits
                waits[self._writer.phase] = max(waits.get(self._writer.phase, 0.0), waited)
                counted += 1
                if counted % 50 == 0:
                    self._writer.open = _open(self._backend)


@contextmanager
def somebody_reading(backend: Backend, table: str) -> Iterator[None]:
    """A session that holds a table until a migration has waited for it more than twice its time-out."""
    taken = threading.Event()

    def read() -> None:
        with (
            backend.postgres.connect(DATABASE) as watch,
            backend.postgres.connect(DATABASE) as connection,
            connection.transaction(),
        ):
            connection.execute("SET application_name = 'report'")
            connection.execute(f"SELECT 1 FROM {table} LIMIT 1")
            taken.set()
            wait_for("a migration waits", lambda: watch.execute(MIGRATION_WAITS).fetchone(), 120)
            time.sleep(2.5 * LOCK_TIMEOUT_MS / 1000)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    assert taken.wait(10)
    yield
    thread.join()


def prove(folder: Path, rows: int, tell: Callable[[str], None] = lambda _: None) -> Report:
    """Migrate from 0003 to 0006 under load: expand, a new release, contract."""
    report = Report(rows)
    backend = Backend(harness.Postgres(folder), harness.Valkey(folder), folder)
    writer = Writer(report)
    backend.postgres.start()
    backend.valkey.start()
    try:
        with backend.postgres.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        for arguments in ((), ("--contract", "0003")):
            _migrate(backend, "v3", report, *arguments)
        report.took.clear()
        began = time.monotonic()
        load(backend, rows)
        tell(f"{rows} rows loaded in {time.monotonic() - began:.0f} s")
        try:
            _under_load(backend, writer, report, tell)
        except BaseException:
            tell(str(report))
            raise
        _look_back(backend, report)
    finally:
        writer.stop()
        backend.valkey.stop()
        backend.postgres.stop()
    return report


def _under_load(
    backend: Backend, writer: Writer, report: Report, tell: Callable[[str], None]
) -> None:
    second = f"{harness.NETWORK}.11"
    with Running(backend, "v3", DATABASE) as old:
        writer.url = old.url
        writer.start()
        with Sampler(backend, report, writer):
            time.sleep(1)
            writer.phase = "expand"
            with somebody_reading(backend, "bookings"):
                _migrate(backend, "v4", report)
            tell(f"expanded in {report.took['v4']:.0f} s")
            writer.phase = "release"
            with Running(backend, "v4", DATABASE, HOST=second) as new:
                wait_for("v4 is healthy", lambda: new.get("/health").status == 200)
                writer.url = new.url
                time.sleep(1)  # what is in flight is answered by the old one
                old.terminate()
                writer.phase = "contract"
                with somebody_reading(backend, "bookings"):
                    _migrate(backend, "v4", report, "--contract", "0006")
                writer.phase = "after"
                time.sleep(1)
                writer.stop()
                wait_for("every message is answered", lambda: not _open(backend), 300)


def _migrate(backend: Backend, release: str, report: Report, *arguments: str) -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "booking", "migrate", *arguments],
        cwd=backend.folder,
        env=backend.environment(release, DATABASE, PGOPTIONS=PGOPTIONS),
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report.took[" ".join([release, *arguments])] = time.monotonic() - began
    said = [event for line in done.stdout.splitlines() if (event := events.parse(line))]
    report.retries += sum(event["event"] == "retry" for event in said)


def _open(backend: Backend) -> int:
    query = (
        "SELECT count(*) FROM inbox"
        " WHERE tenant_id IS NOT NULL AND processed_at IS NULL AND failed_at IS NULL"
    )
    return int(backend.rows(DATABASE, query)[0][0])


def _look_back(backend: Backend, report: Report) -> None:
    def number(query: str) -> int:
        return int(backend.rows(DATABASE, query)[0][0])

    report.undelivered = number(
        "SELECT count(*) FROM inbox WHERE processed_at IS NULL OR failed_at IS NOT NULL OR attempts > 0"
    )
    report.bookings = number("SELECT count(*) FROM bookings WHERE source_message_id LIKE 'new.%'")
    report.wrong = number(
        "SELECT count(*) FROM bookings WHERE guests IS DISTINCT FROM CASE"
        " WHEN source_message_id LIKE 'new.%' THEN 4"
        " ELSE 1 + substr(source_message_id, 5)::bigint % 8 END"
    ) + abs(
        report.rows - number("SELECT count(*) FROM bookings WHERE source_message_id LIKE 'old.%'")
    )


def main() -> None:
    """Prove it with as many rows as the argument says, and print what was measured."""
    with tempfile.TemporaryDirectory(prefix="lyo-load-") as folder:
        found = prove(Path(folder), int(sys.argv[1]), lambda text: print(text, flush=True))
        for name, value in vars(found).items():
            print(f"{name}: {value}")


if __name__ == "__main__":
    main()
