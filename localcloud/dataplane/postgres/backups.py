"""Base backups, the archive of write-ahead log, and what can be restored from them."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from localcloud.dataplane.postgres import binaries
from localcloud.dataplane.postgres.configuration import Endpoint
from localcloud.dataplane.postgres.server import PostgresServer
from localcloud.dataplane.postgres.template import ADMIN

_SEGMENT = re.compile(r"[0-9A-F]{24}(\.[0-9A-F]{8}\.backup|\.partial)?")
_START_SEGMENT = re.compile(r"START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)")


class BackupError(RuntimeError):
    """A backup or the archiving of log failed; the message says why."""


@dataclass(frozen=True)
class Base:
    """A base backup: a data folder that is consistent from `finished` on.

    first_segment: the first segment of log that recovery from it needs.
    """

    folder: Path
    finished: datetime
    first_segment: str


def base_for(bases: Iterable[Base], moment: datetime) -> Base | None:
    """The newest backup from which `moment` can be reached."""
    fitting = [base for base in bases if base.finished <= moment]
    return max(fitting, key=lambda base: base.finished, default=None)


def obsolete(bases: Iterable[Base], horizon: datetime) -> list[Base]:
    """Backups that no moment since `horizon` needs; the newest is never among them."""
    ordered = sorted(bases, key=lambda base: base.finished)
    needed = base_for(ordered, horizon)
    return [] if needed is None else ordered[: ordered.index(needed)]


def obsolete_segments(names: Iterable[str], first_needed: str) -> list[str]:
    """Archived segments older than the first that is needed, whatever their timeline."""
    return [name for name in names if _SEGMENT.fullmatch(name) and name[8:24] < first_needed[8:24]]


def restorable_window(
    bases: Sequence[Base], archived_until: datetime | None
) -> tuple[datetime, datetime] | None:
    """The first and last moment that can be restored; None while there is none."""
    if not bases or archived_until is None:
        return None
    earliest = min(base.finished for base in bases)
    return (earliest, archived_until) if earliest <= archived_until else None


class Archive:
    """Base backups and log of one instance, apart from its data: it outlives the data's loss."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wal = folder / "wal"
        self.wal.mkdir(parents=True, exist_ok=True)
        (folder / "base").mkdir(exist_ok=True)
        self.bases: list[Base] = []
        self.archived_until: datetime | None = None

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """The first and last moment that can be restored."""
        return restorable_window(self.bases, self.archived_until)

    def back_up(self, server: PostgresServer, password_file: Path) -> Base:
        """Take a base backup of a running server. Raises BackupError."""
        folder = self.folder / "base" / datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        base = take_base_backup(server.endpoint, password_file, folder)
        self.bases.append(base)
        return base

    def advance(self, server: PostgresServer, timeout: float = 30.0) -> datetime:
        """Archive everything committed until now, and return that moment.

        A transaction of ours comes after it, so that recovery finds a commit beyond the moment and
        knows that it has arrived. Raises BackupError when the archiver does not follow.
        """
        moment = datetime.now(UTC)
        with server.connect() as connection:
            connection.execute("SELECT pg_current_xact_id()")
            row = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
            segment = str(row[0]) if row else ""
            deadline = time.monotonic() + timeout
            while not (self.wal / segment).exists():
                if time.monotonic() > deadline:
                    raise BackupError(f"segment {segment} was not archived within {timeout:.0f} s")
                time.sleep(0.02)
        self.archived_until = moment
        return moment

    def prune(self, horizon: datetime) -> list[Base]:
        """Delete what no moment since `horizon` needs; returns the backups deleted."""
        gone = obsolete(self.bases, horizon)
        for base in gone:
            self.bases.remove(base)
            shutil.rmtree(base.folder, ignore_errors=True)
        if self.bases:
            first = min(self.bases, key=lambda base: base.finished).first_segment
            for name in obsolete_segments((path.name for path in self.wal.iterdir()), first):
                (self.wal / name).unlink(missing_ok=True)
        return gone

    def clear(self) -> None:
        """Delete everything in it; the server may go on archiving."""
        self.bases = []
        self.archived_until = None
        shutil.rmtree(self.folder / "base", ignore_errors=True)
        for segment in self.wal.iterdir():
            segment.unlink(missing_ok=True)

    def delete(self) -> None:
        """Delete all of it."""
        self.bases = []
        self.archived_until = None
        shutil.rmtree(self.folder, ignore_errors=True)


def take_base_backup(endpoint: Endpoint, password_file: Path, folder: Path) -> Base:
    """Copy a running server's data with the log that makes it consistent. Raises BackupError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [
            binaries.program("pg_basebackup"),
            f"--host={endpoint.address}",
            f"--port={endpoint.port}",
            f"--username={ADMIN}",
            "--no-password",
            f"--pgdata={folder}",
            "--checkpoint=fast",
            "--wal-method=stream",
            "--no-sync",
        ],
        env=binaries.environment(PGPASSFILE=str(password_file), PGSSLMODE="disable"),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise BackupError(f"pg_basebackup failed: {done.stderr.strip()}")
    label = (folder / "backup_label").read_text()
    found = _START_SEGMENT.search(label)
    if found is None:
        shutil.rmtree(folder, ignore_errors=True)
        raise BackupError(f"pg_basebackup left no usable label: {label}")
    return Base(folder, datetime.now(UTC), found[1])
