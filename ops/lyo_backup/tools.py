"""PostgreSQL's own programs, run as children; the password reaches them by the environment alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO

from psycopg.conninfo import make_conninfo

from .failures import FailedError, RefusedError

PIPE, NOTHING = subprocess.PIPE, subprocess.DEVNULL
PIPE_BYTES = 1 << 20
# As much as one read of a pipe yields; room for more would be taken and given back each time.
READ_BYTES = 1 << 17
# Sessions that we have to keep open, or that take long, must not be ended by a server's default.
SESSION = "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c jit=off"
_TAIL = 4000


class StoppedError(Exception):
    """Another job has failed, so this one was ended."""


def environment(base: Mapping[str, str], options: str = SESSION) -> dict[str, str]:
    """Return the environment of a child: ours, with the server's settings of our sessions."""
    given = base.get("PGOPTIONS", "")
    return {**base, "PGOPTIONS": f"{given} {options}".strip(), "LC_ALL": "C"}


def require(names: Iterable[str]) -> None:
    """Look for programs before anything is begun.

    :raises RefusedError: naming the ones that PATH does not have.
    """
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        raise RefusedError(
            f"{', '.join(missing)} not found on PATH: install PostgreSQL's client programs"
        )


def version(program: str) -> str:
    """Return a program's version, such as ``18.6``."""
    done = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    found = re.search(r"\d+(?:\.\d+)*", done.stdout)
    return found[0] if found else ""


def pattern(schema: str, table: str) -> str:
    """Return the pattern that matches one table and nothing else.

    https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-PATTERNS
    """
    return ".".join('"' + name.replace('"', '""') + '"' for name in (schema, table))


def target(database: str) -> str:
    """Return the argument that makes pg_restore connect; the rest is in the environment."""
    return "--dbname=" + make_conninfo(dbname=database)


class Group:
    """Children of one run: when one job fails, all of them end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self.stopped = threading.Event()

    def stop(self) -> None:
        """End every child, and let no other start."""
        self.stopped.set()
        with self._lock:
            running = list(self._running)
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    @contextlib.contextmanager
    def run(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        stdin: int = NOTHING,
        stdout: int = NOTHING,
        pass_fds: Sequence[int] = (),
    ) -> Iterator[Child]:
        """Run a program; it is killed if the block is left before it has ended."""
        if self.stopped.is_set():
            raise StoppedError
        process = subprocess.Popen(
            argv, env=env, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, pass_fds=pass_fds
        )
        with self._lock:
            self._running.add(process)
        for stream in (process.stdin, process.stdout):
            _widen(stream)
        child = Child(process, argv[0], self)
        try:
            yield child
        finally:
            child.end()
            with self._lock:
                self._running.discard(process)


class Child:
    """A running program, its errors collected meanwhile."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, group: Group) -> None:
        self._process, self._name, self._group = process, name, group
        self._errors = b""
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def _collect(self) -> None:
        assert self._process.stderr is not None
        while piece := self._process.stderr.read1(65536):  # type: ignore[attr-defined]
            self._errors = (self._errors + piece)[-_TAIL:]

    def read(self) -> Iterator[bytes]:
        """Yield what it writes to its standard output."""
        assert self._process.stdout is not None
        number = self._process.stdout.fileno()
        while chunk := os.read(number, READ_BYTES):
            if self._group.stopped.is_set():
                raise StoppedError
            yield chunk

    def write(self, chunk: bytes | memoryview) -> bool:
        """Write to its standard input; False when it reads no more."""
        assert self._process.stdin is not None
        if self._group.stopped.is_set():
            raise StoppedError
        try:
            self._process.stdin.write(chunk)
        except (BrokenPipeError, ValueError):
            return False
        return True

    def close(self) -> None:
        """No more input."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError, OSError):
            self._process.stdin.close()

    def wait(self, doing: str) -> None:
        """Wait for its end.

        :raises FailedError: its exit code is not 0; with what it said.
        """
        code = self._process.wait()
        self._reader.join()
        if self._group.stopped.is_set():
            raise StoppedError
        if code != 0:
            raise FailedError(f"{doing}: {self._name} ended with {code}: {self.errors}")

    def code(self) -> int:
        """Wait for its end and return its exit code."""
        code = self._process.wait()
        self._reader.join()
        return code

    @property
    def errors(self) -> str:
        """What it has said on stderr, in one line, its end if it was long."""
        text = self._errors.decode(errors="replace")
        return " | ".join(filter(None, (line.strip() for line in text.splitlines())))

    def end(self) -> None:
        """Kill it if it runs, and release everything."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError, OSError):
                    stream.close()


def _widen(stream: IO[bytes] | None) -> None:
    """A pipe's 64 KiB make both ends wait for each other; Linux allows everybody 1 MiB."""
    if stream is not None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
