"""Runs migrations: one process at a time, each step until it is done or says what is in the way."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from alembic import command
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import URL, Connection, create_engine, pool, text
from sqlalchemy.exc import DBAPIError

from booking.config import DatabaseConfig, ReleaseConfig
from booking.migration import activity, history, report, retry
from booking.migration import steps as steps_of
from booking.migration.steps import Step

EXIT_FAILED, EXIT_PENDING, EXIT_LOCKED = 1, 3, 4
APPLICATION = "booking-migrate"
# Sent by libpq, so that it holds for every statement; PGOPTIONS in the environment wins.
# https://www.postgresql.org/docs/current/libpq-envars.html
TIMEOUTS = "-c lock_timeout=1s -c statement_timeout=30min"
LOCK = 0x4C796F4F  # any number that only these migrations use
LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class Request:
    """What is asked of `migrate`.

    :ivar tell: say the whole plan, and nothing else.
    :ivar approved: digest of the plan that may be run; None for any.
    :ivar contract: migration to contract to; empty for what the release needs.
    """

    tell: bool = False
    approved: str | None = None
    contract: str = ""


class BusyError(Exception):
    """Another migration has held the lock for too long.

    :ivar blockers: its sessions.
    """

    def __init__(self, message: str, blockers: list[activity.Row]) -> None:
        super().__init__(message)
        self.blockers = blockers


class Runner:
    """One run of `migrate` on one connection."""

    def __init__(
        self,
        database: DatabaseConfig,
        connection: Connection,
        release: ReleaseConfig,
        request: Request,
    ) -> None:
        self.database = database
        self.connection = connection
        self.release = release
        self.request = request
        self.target = request.contract or release.schema_revision
        self.config, self.scripts = history.configured()
        self.config.attributes["connection"] = connection
        self.blockers: list[activity.Row] = []

    def current(self) -> str | None:
        """Return the revision that the schema is at."""
        self.connection.rollback()
        found = MigrationContext.configure(self.connection).get_current_revision()
        self.connection.rollback()
        return found

    def _fresh(self, current: str | None) -> bool:
        """Return whether the database is empty."""
        if current is not None:
            return False
        found = self.connection.scalar(
            text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        )
        self.connection.rollback()
        return not found

    def run(self) -> int:
        """Do what was asked; return the exit code."""
        if self.request.tell or self.request.approved == steps_of.NOTHING:
            steps, fresh, current = self._plan()
            if steps:
                self._tell(steps, current, fresh=fresh)
                return EXIT_PENDING
            report.event("plan", digest=steps_of.NOTHING, count=0)
            return 0
        with self._lock():
            steps, fresh, _ = self._plan()
            approved = self.request.approved
            if steps and approved is not None and steps_of.digest(steps) != approved:
                report.failed("another plan was approved: what is pending has changed since")
                return EXIT_PENDING
            problem = steps_of.problem(steps, contract=self.request.contract, fresh=fresh)
            if problem:
                report.event("failed", reason=problem)
                report.failed(problem)
                return EXIT_FAILED
            for number, step in enumerate(steps, 1):
                report.event(
                    "step", revision=step.revision, title=step.title, number=number, of=len(steps)
                )
                self._apply(step)
            if steps:
                report.line(f"done, schema is at {self.current()}")
            return 0

    def _plan(self) -> tuple[list[Step], bool, str | None]:
        current = self.current()
        shown = current or "nothing"
        name = (
            f"contract {self.target}" if self.request.contract else f"release {self.release.name}"
        )
        report.line(f"{name} needs {self.target}, schema is at {shown}")
        steps: list[Step] = []
        before = current
        for script in history.pending(self.scripts, current, self.target):
            steps.append(history.step(self.config, script, before))
            before = script.revision
            report.line(f"pending {script.revision} {script.doc}")
        if not steps:
            report.line("nothing to do")
        return steps, self._fresh(current), current

    def _tell(self, steps: Sequence[Step], current: str | None, *, fresh: bool) -> None:
        """Say what would be done and what it would meet, so that somebody can approve it."""
        for step in steps:
            report.event(
                "migration",
                revision=step.revision,
                title=step.title,
                kind=step.kind,
                serves_since=step.serves_since,
                allow=step.allow,
            )
            report.text("sql", step.sql, revision=step.revision)
        with activity.connect(self.database, activity.WATCHER) as connection:
            said = activity.tell(connection)
        report.event(
            "plan",
            digest=steps_of.digest(steps),
            count=len(steps),
            facts=said,
            fresh=fresh,
            current=current or "",
            target=self.target,
            after=history.described(self.scripts, self.target),
            server=self.connection.scalar(text("SHOW server_version")),
            problem=steps_of.problem(steps, contract=self.request.contract, fresh=fresh),
        )
        self.connection.rollback()

    def _lock(self) -> _Lock:
        return _Lock(self.database, self.connection)

    def _apply(self, step: Step) -> None:
        pid = self.connection.scalar(text("SELECT pg_backend_pid()"))
        self.connection.rollback()
        with activity.Watcher(self.database, int(pid or 0)) as watcher:

            def begin_again() -> None:
                self.connection.rollback()
                watcher.forget()

            try:
                retry.when_unlocked(
                    lambda: command.upgrade(self.config, step.revision), begin_again
                )
            except DBAPIError:
                self.blockers = watcher.blockers
                raise


class _Lock:
    """The advisory lock of the migrations, held by the session that runs them."""

    def __init__(self, database: DatabaseConfig, connection: Connection) -> None:
        self._database = database
        self._connection = connection

    def __enter__(self) -> None:
        """Take it.

        It is asked for again and again rather than waited for: a session that waits inside a
        statement holds a snapshot, and the other one's CREATE INDEX CONCURRENTLY would wait for it.

        :raises BusyError: another one has held it for a minute.
        """
        deadline = time.monotonic() + LOCK_SECONDS
        told = False
        while not self._try():
            if not told or time.monotonic() > deadline:
                with activity.connect(self._database, activity.WATCHER) as connection:
                    found = activity.holders(connection, LOCK)
                report.event("waiting", object="another migration", blockers=found)
                names = ", ".join(activity.described(one) for one in found) or "somebody"
                report.line(f"waits for another migration: {names}")
                told = True
                if time.monotonic() > deadline:
                    raise BusyError(
                        f"another migration has held the lock for {LOCK_SECONDS:.0f} s: {names}",
                        found,
                    )
            time.sleep(0.5)

    def _try(self) -> bool:
        got = self._connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK})
        self._connection.commit()
        return bool(got)

    def __exit__(self, *_: object) -> None:
        """Leave it to the end of the session: an exception may have broken the connection."""


def migrate(database: DatabaseConfig, release: ReleaseConfig, request: Request) -> int:
    """Upgrade to what the release needs, or tell what that would take.

    Returns 0 when the schema is at (or beyond) the revision, 3 when something is pending that was
    not approved, 4 when a lock could not be had, 1 when it failed; the last line on stderr says why.
    A migration that fails leaves the schema at the revision before it.
    """
    options = os.environ.get("PGOPTIONS") or TIMEOUTS
    arguments = {**database.connect_args(APPLICATION), "options": options}
    # NullPool: the one connection is all there is, and it is closed at the end.
    engine = create_engine(
        URL.create("postgresql+psycopg"), connect_args=arguments, poolclass=pool.NullPool
    )
    runner: Runner | None = None
    try:
        with engine.connect() as connection:
            runner = Runner(database, connection, release, request)
            try:
                return runner.run()
            except (DBAPIError, CommandError, BusyError) as error:
                return _failed(database, runner, error)
            finally:
                _say(runner)
    except (DBAPIError, CommandError) as error:
        return _failed(database, runner, error)
    finally:
        engine.dispose()


def _say(runner: Runner) -> None:
    """Say where the schema is, also after a failure; a connection that broke says nothing."""
    try:
        report.schema(history.described(runner.scripts, runner.current()))
    except DBAPIError:
        return


def _failed(database: DatabaseConfig, runner: Runner | None, error: Exception) -> int:
    code = retry.sqlstate(error) if isinstance(error, DBAPIError) else ""
    locked = code == retry.LOCK_NOT_AVAILABLE or isinstance(error, BusyError)
    reason = _reason(error, code)
    blockers = runner.blockers if runner and locked else []
    if isinstance(error, BusyError):
        blockers = error.blockers
    left = _left(database)
    report.event("failed", reason=reason, sqlstate=code, blockers=blockers, left=left)
    for blocker in blockers:
        report.line(f"in the way: {activity.described(blocker)}")
    for name in left:
        report.line(f"left: the invalid index {name}; DROP INDEX CONCURRENTLY {name}")
    report.failed(reason)
    return EXIT_LOCKED if locked else EXIT_FAILED


def _reason(error: Exception, code: str) -> str:
    """Return the first line of what went wrong, without a value that was refused."""
    original: Any = error.orig if isinstance(error, DBAPIError) else error
    reason = (str(original).strip().splitlines() or [type(original).__name__])[0]
    if code.startswith("22"):  # data exceptions quote the value
        reason = re.sub(r'"[^"]*"', '"?"', reason)
    if code == "57014":
        reason += " (the inventory's lyo_migration_timeouts)"
    return reason


def _left(database: DatabaseConfig) -> list[str]:
    """Return the invalid indexes that nobody is building."""
    try:
        with activity.connect(database, activity.WATCHER) as connection:
            found = activity.invalid_indexes(connection)
    except psycopg.Error:
        return []
    return [str(row["name"]) for row in found if not row["building"]]
