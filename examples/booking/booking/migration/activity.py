"""What goes on in the database: who holds up whom, what a migration would meet.

https://www.postgresql.org/docs/current/monitoring-stats.html
https://www.postgresql.org/docs/current/functions-info.html (pg_blocking_pids)
"""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg
from psycopg.rows import dict_row

from booking.config import DatabaseConfig
from booking.migration import report
from booking.migration.literals import masked

WATCHER = "booking-migrate-watch"
POLL_SECONDS = 0.2
PROGRESS_SECONDS = 2.0
_SESSION = """
    a.pid, a.application_name AS application, a.state, a.query_start, a.xact_start,
    round(extract(epoch FROM clock_timestamp() - a.xact_start))::int AS seconds, a.query"""
_BLOCKERS = f"""
SELECT b.pid AS blocker, {_SESSION}
FROM unnest(pg_blocking_pids(%s)) AS b (pid) LEFT JOIN pg_stat_activity a ON a.pid = b.pid"""
_AWAITED = """
SELECT mode, coalesce(relation::regclass::text, locktype) AS object
FROM pg_locks WHERE pid = %s AND NOT granted LIMIT 1"""
_HOLDERS = f"""
SELECT l.pid AS blocker, {_SESSION}
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.database = (
    SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32) | l.objid::bigint = %s AND l.objsubid = 1"""
_TABLES = """
SELECT c.oid::regclass::text AS name, pg_table_size(c.oid) AS bytes,
    pg_total_relation_size(c.oid) AS total_bytes, greatest(c.reltuples, 0)::bigint AS rows,
    (SELECT json_object_agg(attname, format_type(atttypid, atttypmod)) FROM pg_attribute
     WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND c.relname <> 'alembic_version'
ORDER BY pg_total_relation_size(c.oid) DESC LIMIT 500"""
_LONG = f"""
SELECT {_SESSION},
    ARRAY(SELECT DISTINCT relation::regclass::text FROM pg_locks l
          WHERE l.pid = a.pid AND l.relation IS NOT NULL AND l.granted
            AND l.database = a.datid) AS tables
FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.backend_type = 'client backend'
  AND a.pid <> pg_backend_pid() AND a.application_name <> '{WATCHER}'
  AND a.xact_start < clock_timestamp() - interval '5 seconds'
ORDER BY a.xact_start LIMIT 50"""
_PREPARED = """
SELECT gid, round(extract(epoch FROM clock_timestamp() - prepared))::int AS seconds
FROM pg_prepared_xacts WHERE database = current_database()"""
_INVALID = """
SELECT i.indexrelid::regclass::text AS name, i.indrelid::regclass::text AS table,
    EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
        AS building
FROM pg_index i WHERE NOT i.indisvalid AND i.indrelid NOT IN (
    SELECT oid FROM pg_class WHERE relkind = 'p')"""
_BUILDING = """
SELECT relid::regclass::text AS table, phase,
    CASE WHEN blocks_total > 0 THEN (100 * blocks_done / blocks_total)::int END AS percent
FROM pg_stat_progress_create_index WHERE pid = %s"""
_REPLICAS = """
SELECT application_name AS application,
    round(extract(epoch FROM replay_lag)::numeric, 1)::float AS lag_seconds,
    pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::bigint AS lag_bytes
FROM pg_stat_replication"""

Row = dict[str, Any]


def connect(database: DatabaseConfig, application: str) -> psycopg.Connection[Row]:
    """Return a connection that commits each statement, and gives up on one after 5 s.

    :raises psycopg.OperationalError: the server is away.
    """
    return psycopg.connect(
        **database.connect_args(application),  # type: ignore[arg-type]
        options="-c statement_timeout=5s",
        autocommit=True,
        row_factory=dict_row,
    )


def _shown(row: Row) -> Row:
    """Return a session as others may see it; 0 as a process is a prepared transaction."""
    if not row.get("pid"):
        return {"pid": row.get("blocker"), "application": "", "state": "prepared transaction"}
    kept = {name: row[name] for name in row if name not in ("blocker", "query")}
    return {**kept, "query": masked(row["query"])}


def blockers(connection: psycopg.Connection[Row], pid: int) -> list[Row]:
    """Return the sessions that hold up the process `pid`, at this moment."""
    return [_shown(row) for row in connection.execute(_BLOCKERS, (pid,)).fetchall()]


def holders(connection: psycopg.Connection[Row], key: int) -> list[Row]:
    """Return the sessions that hold the advisory lock `key`."""
    return [_shown(row) for row in connection.execute(_HOLDERS, (key,)).fetchall()]


def invalid_indexes(connection: psycopg.Connection[Row]) -> list[Row]:
    """Return the indexes that an interrupted build has left, `building` while one goes on."""
    return connection.execute(_INVALID).fetchall()


def tell(connection: psycopg.Connection[Row]) -> int:
    """Say what a migration would meet, and return in how many events."""
    said = 0
    for name, query in (
        ("table", _TABLES),
        ("transaction", _LONG),
        ("prepared", _PREPARED),
        ("invalid_index", _INVALID),
        ("replica", _REPLICAS),
    ):
        for row in connection.execute(query).fetchall():
            report.event(name, **(_shown(row) if name == "transaction" else row))
            said += 1
    size = connection.execute("SELECT pg_database_size(current_database()) AS bytes").fetchone()
    report.event("database", **(size or {}))
    return said + 1


class Watcher:
    """Notices who holds up a process while it runs; a context manager.

    :ivar blockers: who did when it was last held up, None while it was never.
    :ivar awaited: what it waited for then.
    """

    def __init__(self, database: DatabaseConfig, pid: int) -> None:
        self._database = database
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._told = 0.0
        self.blockers: list[Row] = []
        self.awaited: Row | None = None

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with connect(self._database, WATCHER) as connection:
                    while not self._stop.wait(POLL_SECONDS):
                        self._look(connection)
            except psycopg.Error:
                self._stop.wait(1.0)  # who is in the way is a help; without it the work goes on

    def _look(self, connection: psycopg.Connection[Row]) -> None:
        found = blockers(connection, self._pid)
        if not found:
            self._progress(connection)
            return
        awaited = connection.execute(_AWAITED, (self._pid,)).fetchone()
        if [b["pid"] for b in found] != [b["pid"] for b in self.blockers]:
            report.event("waiting", **(awaited or {}), blockers=found)
            for blocker in found:
                report.line(f"waits for {described(blocker)}")
        self.blockers, self.awaited = found, awaited

    def _progress(self, connection: psycopg.Connection[Row]) -> None:
        """Say how far an index is, now and then."""
        if time.monotonic() - self._told < PROGRESS_SECONDS:
            return
        self._told = time.monotonic()
        built = connection.execute(_BUILDING, (self._pid,)).fetchone()
        if built is not None:
            report.event("index", **built)

    def forget(self) -> None:
        """Begin a new attempt: who held up the last one does not count."""
        self.blockers, self.awaited = [], None


def described(session: Row) -> str:
    """Return a session in words."""
    since = session.get("query_start")
    return (
        f"pid {session['pid']} ({session.get('application') or 'no name'}), {session.get('state')}"
        + (f", query since {since:%H:%M:%S}" if since else "")
        + (f": {session['query']}" if session.get("query") else "")
    )
