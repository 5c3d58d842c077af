"""One PostgreSQL server process: start, stop, restart, statements."""

from __future__ import annotations

import logging
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg import sql

from localcloud.dataplane.postgres import binaries, configuration
from localcloud.dataplane.postgres.configuration import Endpoint, Places, Recovery
from localcloud.dataplane.postgres.template import ADMIN

log = logging.getLogger("localcloud.postgres")


class Spawner(Protocol):
    """Starts processes that die with the local cloud (`localcloud.children.Children`)."""

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdout: Path | int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process."""

    def stop(
        self, process: subprocess.Popen[bytes], timeout: float = 10.0, first: signal.Signals = ...
    ) -> int:
        """End a process, by force after `timeout` seconds."""


class StartError(RuntimeError):
    """The server did not start; the message has the end of its log."""


class PostgresServer:
    """A server on a data folder.

    data: its data folder. log_file: what it says is appended there. password: the administrator's.
    Only one thread may start and stop it.
    """

    def __init__(
        self,
        name: str,
        data: Path,
        log_file: Path,
        places: Places,
        spawner: Spawner,
        password: str,
    ) -> None:
        self.name = name
        self.data = data
        self.places = places
        self.log_file = log_file
        self.endpoint = Endpoint("", 0)
        self._spawner = spawner
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def crashed(self) -> bool:
        """Whether the process has ended although nobody stopped it."""
        return self._process is not None and self._process.poll() is not None

    def start(
        self,
        endpoint: Endpoint,
        parameters: Mapping[str, str],
        recovery: Recovery | None = None,
        timeout: float = 60.0,
    ) -> None:
        """Start and wait until it accepts connections (and recovery, if any, is over).

        timeout: wall seconds. Raises StartError.
        """
        if not (self.data / "PG_VERSION").exists():
            raise StartError(f"the data of {self.name} is gone")
        self.endpoint = endpoint
        configuration.write(self.data, endpoint, self.places, parameters, recovery)
        deadline = time.monotonic() + timeout
        while True:
            mark = self.log_file.stat().st_size if self.log_file.exists() else 0
            self._process = self._spawner.start(
                f"postgres {self.name}",
                binaries.as_server([binaries.program("postgres"), "-D", str(self.data)]),
                env=binaries.environment(),
                stdout=self.log_file,
            )
            reason = self._wait_until_ready(deadline)
            if reason is None:
                break
            said = self._log_since(mark)
            self.stop(signal.SIGQUIT)
            # After SIGKILL of a postmaster its backends need a moment to notice.
            if "is still in use" not in said or time.monotonic() > deadline:
                raise StartError(f"PostgreSQL {self.name} {reason}:\n{said}")
            time.sleep(0.1)
        if recovery is not None:
            # The next start must not think of recovering again.
            configuration.write(self.data, endpoint, self.places, parameters)

    def _wait_until_ready(self, deadline: float) -> str | None:
        """None when ready, else what went wrong."""
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                return "ended while starting"
            if self._says_ready(self._process.pid):
                return None
            time.sleep(0.01)
        return "was not ready in time"

    def _says_ready(self, pid: int) -> bool:
        """postmaster.pid: the process id in its first line, its state in the eighth."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def _log_since(self, mark: int) -> str:
        with self.log_file.open("rb") as reader:
            reader.seek(mark)
            return reader.read()[-3000:].decode(errors="replace")

    def stop(self, how: signal.Signals = signal.SIGINT, timeout: float = 20.0) -> None:
        """Stop: SIGINT is PostgreSQL's fast, SIGQUIT its immediate shutdown."""
        if self._process is not None:
            self._spawner.stop(self._process, timeout, how)
            self._process = None

    def reload(self, parameters: Mapping[str, str]) -> set[str]:
        """Give a running server new parameters; returns those that wait for a restart."""
        configuration.write(self.data, self.endpoint, self.places, parameters)
        with self.connect() as connection:
            (before,) = connection.execute("SELECT pg_conf_load_time()").fetchone() or (None,)
            connection.execute("SELECT pg_reload_conf()")
        # A new backend has the postmaster's values, which changes them when the signal arrives.
        for _ in range(100):
            with self.connect() as connection:
                (loaded,) = connection.execute("SELECT pg_conf_load_time()").fetchone() or (None,)
                if loaded != before:
                    break
            time.sleep(0.02)
        return self.waiting_for_restart()

    def waiting_for_restart(self) -> set[str]:
        """Parameters in the configuration that the running server has not taken over."""
        with self.connect() as connection:
            rows = connection.execute(
                "SELECT name FROM pg_settings WHERE pending_restart"
            ).fetchall()
        return {str(name) for (name,) in rows}

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """A connection of the administrator, in autocommit. Raises psycopg.OperationalError."""
        return psycopg.connect(
            host=self.endpoint.address,
            port=self.endpoint.port,
            user=ADMIN,
            password=self._password,
            dbname=database,
            sslmode="disable",
            connect_timeout=5,
            autocommit=True,
            application_name="rdsadmin",
        )

    def change_admin_password(self, password: str) -> None:
        """Replace the administrator's password, which a fresh copy shares with its template."""
        self.set_password(ADMIN, password)
        self._password = password

    def create_master(self, user: str, password: str, database: str | None) -> None:
        """Create the master user with the rights RDS gives it, and its first database.

        It is no superuser: CREATEROLE, CREATEDB and membership of rds_superuser.
        https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.MasterAccounts.html
        """
        role = sql.Identifier(user)
        with self.connect() as connection:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE VALID UNTIL 'infinity'").format(
                    role
                )
            )
            connection.execute(sql.SQL("GRANT rds_superuser TO {} WITH ADMIN OPTION").format(role))
            _set_password(connection, user, password)
            for existing in ("postgres", "template1"):
                connection.execute(
                    sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(existing), role)
                )
            if database is not None and database != "postgres":
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), role)
                )

    def set_password(self, user: str, password: str) -> None:
        """Set a user's password; what is logged is its hash at most."""
        with self.connect() as connection:
            _set_password(connection, user, password)


def _set_password(connection: psycopg.Connection[Any], user: str, password: str) -> None:
    hashed = connection.pgconn.encrypt_password(
        password.encode(), user.encode(), b"scram-sha-256"
    ).decode()
    connection.execute(
        sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(user), sql.Literal(hashed))
    )
