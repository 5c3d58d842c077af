"""The thread that works for one instance: everything slow happens here, one thing at a time."""

from __future__ import annotations

import contextlib
import logging
import queue
import shutil
import signal
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import psycopg

from localcloud.dataplane.postgres.backups import Archive, BackupError, Base, take_base_backup
from localcloud.dataplane.postgres.configuration import Endpoint, Places, Recovery
from localcloud.dataplane.postgres.files import clone
from localcloud.dataplane.postgres.server import PostgresServer, StartError
from localcloud.services.rds import shapes

if TYPE_CHECKING:
    from localcloud.services.rds.state import Instance, State

log = logging.getLogger("localcloud.rds")

# RDS uploads transaction logs every five minutes.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIT.html
_UPLOAD_EVERY = 300.0
_DAY = 86400.0
_LOOK_EVERY = 0.25  # wall seconds between two looks at the process
_LOG_AT_ONCE = 512 * 1024  # bytes exported between two looks
_RECOVERY_TIMEOUT = 3600.0  # wall seconds


class Database:
    """Server, backups and jobs of one instance; jobs run in the order they were asked for."""

    def __init__(self, state: State, resource_id: str) -> None:
        self.state = state
        self.resource_id = resource_id
        self.folder = state.folder / "instances" / resource_id
        self.folder.mkdir(parents=True)
        self.log_file = self.folder / "postgresql.log"
        self.archive = Archive(state.folder / "backups" / resource_id)
        self.server: PostgresServer | None = None
        self.instance: Instance
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._ended = False
        self._exported = 0
        self._next_upload = 0.0
        self._next_backup = 0.0

    def begin(self, instance: Instance) -> None:
        """Start to work for an instance."""
        self.instance = instance
        self.state.cloud.background(f"rds-{instance.name}", self._work)

    def ask(self, job: Callable[[], None]) -> None:
        """Have something done after everything that was asked for before."""
        self._jobs.put(job)

    def _work(self, stop: Event) -> None:
        while not stop.is_set() and not self._ended:
            try:
                self._jobs.get(timeout=_LOOK_EVERY)()
            except queue.Empty:
                self._look_after()
            except Exception as error:
                if stop.is_set():
                    return
                log.exception("a job of %s failed", self.instance.name)
                self._set(DBInstanceStatus="failed")
                self._event(f"The DB instance failed: {error}", "failure")

    # What the jobs are made of

    def _set(self, **members: Any) -> None:
        with self.state.cloud.lock:
            self.instance.members.update(members)

    def _event(self, message: str, *categories: str) -> None:
        self.state.event("db-instance", self.instance.name, message, *categories)

    @property
    def _endpoint(self) -> Endpoint:
        with self.state.cloud.lock:
            address = self.state.address(self.instance.name)
            return Endpoint(address, int(self.instance.members["DbInstancePort"]))

    def _new_server(self, password: str) -> PostgresServer:
        return PostgresServer(
            self.instance.name,
            self.folder / "data",
            self.log_file,
            Places(self.archive.wal, self.state.templates.get().folder),
            self.state.cloud.children,
            password,
        )

    def _running(self) -> PostgresServer:
        if self.server is None:
            raise StartError(f"{self.instance.name} does not run")
        return self.server

    def _start(self, recovery: Recovery | None = None) -> bool:
        """Start with the group's parameters; False when the server does not, status set."""
        with self.state.cloud.lock:
            parameters = self.state.server_parameters(self.instance)
            self.instance.applied = parameters
            self.instance.pending_parameters = False
        try:
            self._running().start(self._endpoint, parameters, recovery, _RECOVERY_TIMEOUT)
        except StartError as error:
            log.warning("%s", error)
            if not (self.folder / "data" / "PG_VERSION").exists():
                self._set(DBInstanceStatus="failed")
                self._event(
                    "The DB instance has failed: its storage is gone. Restore it to a point in "
                    "time or from a snapshot.",
                    "failure",
                )
            else:
                self._set(DBInstanceStatus="incompatible-parameters")
                self._event(
                    "The database did not start with its configuration. Change the parameter "
                    "group and reboot: " + str(error).splitlines()[-1],
                    "failure",
                )
            return False
        return True

    def _become_available(self) -> None:
        self._set(DBInstanceStatus="available")

    # Jobs

    def create(self, password: str) -> None:
        """A new, empty database."""
        template = self.state.templates.get()
        clone(template.data, self.folder / "data")
        self.server = self._new_server(template.password)
        if not self._start():
            return
        self.server.change_admin_password(self.state.admin_password)
        self.server.create_master(
            self.instance.members["MasterUsername"], password, self.instance.members.get("DBName")
        )
        self._event("DB instance created", "creation")
        self.first_backup()

    def restore(self, base: Path, recovery: Recovery | None, password: str | None) -> None:
        """A database from a base backup, rolled forward when `recovery` says so.

        password: replaces the master user's, None keeps what it was.
        """
        clone(base, self.folder / "data")
        self.server = self._new_server(self.state.admin_password)
        if not self._start(recovery):
            self._set(DBInstanceStatus="incompatible-restore")
            return
        if password is not None:
            self.server.set_password(self.instance.members["MasterUsername"], password)
        self._event(
            "Restored from snapshot" if recovery is None else "Restored to a point in time",
            "restoration",
        )
        self.first_backup()

    def first_backup(self) -> None:
        """The backup that automated backups begin with, if they are on; then available."""
        if self.instance.members["BackupRetentionPeriod"] > 0:
            self._set(DBInstanceStatus="backing-up")
            self.automated_backup()
        self._become_available()

    def automated_backup(self) -> None:
        """A base backup, shown as an automated snapshot; older ones are deleted by retention."""
        server, clock = self._running(), self.state.cloud.clock
        self._event("Backing up DB instance", "backup")
        base = self.archive.back_up(server, self.state.password_file)
        with self.state.cloud.lock:
            shapes.add_automated_snapshot(self.state, self.instance, base)
        self._next_backup = time.monotonic() + clock.wall(_DAY)
        self._upload()
        self._event("Finished DB Instance backup", "backup")
        self.prune()

    def prune(self) -> None:
        """Delete automated backups that the retention period no longer covers."""
        clock = self.state.cloud.clock
        days = float(self.instance.members["BackupRetentionPeriod"])
        gone = self.archive.prune(clock.now() - timedelta(seconds=days * clock.wall(_DAY)))
        with self.state.cloud.lock:
            for name, snapshot in list(self.state.snapshots.items()):
                if snapshot.base in gone:
                    del self.state.snapshots[name]

    def stop_backups(self) -> None:
        """Retention became 0: automated backups are deleted at once."""
        self.archive.clear()
        with self.state.cloud.lock:
            shapes.forget_automated_snapshots(self.state, self.instance)

    def _upload(self) -> None:
        """Archive what was committed, so that it can be restored to."""
        self._next_upload = time.monotonic() + self.state.cloud.clock.wall(_UPLOAD_EVERY)
        try:
            self.archive.advance(self._running())
        except (BackupError, psycopg.Error) as error:
            log.warning("log of %s is not archived: %s", self.instance.name, error)

    def last_upload(self) -> None:
        """Before the instance goes and its backups stay: archive to the last commit."""
        if self._running().pid is not None:
            self._upload()

    def snapshot(self, folder: Path) -> Base:
        """A base backup outside of the automated ones; a stopped server's data are copied."""
        server = self.server
        if server is not None and server.pid is not None:
            return take_base_backup(server.endpoint, self.state.password_file, folder)
        clone(self.folder / "data", folder)
        return Base(folder, self.state.cloud.clock.now(), "0" * 24)

    def reboot(self) -> None:
        """Restart; pending changes and static parameters take effect."""
        server = self._running()
        server.stop()
        self._event("DB instance shutdown", "availability")
        if self._start():
            self._event("DB instance restarted", "availability")
            self._become_available()

    def stop(self) -> None:
        """StopDBInstance."""
        self._running().stop()
        self._set(DBInstanceStatus="stopped")
        self._event("DB instance stopped", "notification")

    def start(self) -> None:
        """StartDBInstance."""
        if self._start():
            self._event("DB instance started", "notification")
            self._become_available()

    def set_password(self, password: str) -> None:
        """Give the master user another password."""
        self._running().set_password(self.instance.members["MasterUsername"], password)
        self._event("Reset master credentials", "configuration change")

    def reload(self) -> None:
        """Give the running server the parameters in `applied`; static ones wait for a reboot."""
        server = self._running()
        if server.pid is None:
            return
        with self.state.cloud.lock:
            parameters = dict(self.instance.applied)
        waiting = server.reload(parameters)
        if waiting:
            with self.state.cloud.lock:
                self.instance.pending_parameters = True

    def end(self) -> None:
        """Stop the server and delete its data; what is archived stays."""
        if self.server is not None:
            self.server.stop(signal.SIGQUIT)
            self.server = None
        shutil.rmtree(self.folder, ignore_errors=True)
        self._ended = True

    def kill(self) -> None:
        """The cloud goes down: nothing of the data will be needed."""
        if self.server is not None:
            with contextlib.suppress(OSError):
                self.server.stop(signal.SIGQUIT, timeout=3)

    # Between the jobs

    def _look_after(self) -> None:
        self._export_log()
        if self.server is None or self.instance.status != "available":
            return
        if self.server.crashed:
            self._recover_from_crash()
            return
        if self.instance.members["BackupRetentionPeriod"] > 0:
            if time.monotonic() >= self._next_backup:
                self._set(DBInstanceStatus="backing-up")
                self.first_backup()
            elif time.monotonic() >= self._next_upload:
                self._upload()

    def _export_log(self) -> None:
        """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Procedural.UploadtoCloudWatch.html"""
        logs = self.state.cloud.parts.get("logs")
        if logs is None or not self.log_file.exists():
            return
        if "postgresql" not in self.instance.members["EnabledCloudwatchLogsExports"]:
            self._exported = self.log_file.stat().st_size
            return
        with self.log_file.open("rb") as reader:
            reader.seek(self._exported)
            # What does not end in a line break is not complete yet.
            whole, newline, _ = reader.read(_LOG_AT_ONCE).rpartition(b"\n")
        if newline:
            self._exported += len(whole) + 1
            now = int(time.time() * 1000)
            lines = [(now, line) for line in whole.decode(errors="replace").split("\n") if line]
            name = self.instance.name
            group, stream = f"/aws/rds/instance/{name}/postgresql", f"{name}.0"
            # RDS makes the group itself, also again after somebody has deleted it.
            logs.ensure_stream(group, stream, create_group=True)
            logs.put(group, stream, lines)

    def _recover_from_crash(self) -> None:
        """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html"""
        self._event("Recovery of the DB instance has started.", "recovery")
        self._running().stop(signal.SIGQUIT)
        if self._start():
            self._event("DB instance restarted", "availability")
            self._event("Recovery of the DB instance is complete.", "recovery")

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """The first and last moment the instance can be restored to."""
        return self.archive.window
