"""The thread that works for one cache node: everything slow happens here, one thing at a time."""

from __future__ import annotations

import logging
import queue
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from localcloud.dataplane.valkey import ValkeyError, ValkeyServer
from localcloud.services.elasticache.state import finish_snapshot

if TYPE_CHECKING:
    from localcloud.services.elasticache.state import Group, Snapshot, State

log = logging.getLogger("localcloud.elasticache")

_DAY = 86400.0
_LOOK_EVERY = 0.25  # wall seconds between two looks at the process


class Node:
    """Server and jobs of one node; jobs run in the order they were asked for."""

    def __init__(self, state: State, name: str, address: str, port: int) -> None:
        self.state = state
        folder = state.folder / "nodes" / name
        shutil.rmtree(folder, ignore_errors=True)
        self.server = ValkeyServer(name, folder, address, port, state.cloud.children)
        self.group: Group
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._ended = False
        self._next_backup = time.monotonic() + state.cloud.clock.wall(_DAY)

    def begin(self, group: Group) -> None:
        """Start to work for a group."""
        self.group = group
        self.state.cloud.background(f"elasticache-{group.name}", self._work)

    def ask(self, job: Callable[[], None]) -> None:
        """Have something done after everything that was asked for before."""
        self._jobs.put(job)

    def _work(self, stop: Event) -> None:
        while not stop.is_set() and not self._ended:
            try:
                self._jobs.get(timeout=_LOOK_EVERY)()
            except queue.Empty:
                self._look_after()
            except Exception:
                if stop.is_set():
                    return
                log.exception("a job of %s failed", self.group.name)
                self._set("create-failed" if self.group.status == "creating" else "available")

    def _set(self, status: str) -> None:
        with self.state.cloud.lock:
            self.group.set_status(status)

    def _start(self, snapshot: Path | None = None) -> None:
        with self.state.cloud.lock:
            tokens = list(self.group.tokens)
            values = dict(self.state.parameter_group(self.group.parameter_group).values)
        self.server.start(tokens, values, snapshot)

    def create(self, snapshot: Path | None) -> None:
        """Start the node, empty or with a snapshot's data."""
        self._start(snapshot)
        self._set("available")
        self.state.event(
            "replication-group",
            self.group.name,
            f"Replication group {self.group.name} created",
        )

    def reboot(self) -> None:
        """Restart, empty: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/nodes.rebooting.html"""
        self.server.stop()
        self._start()
        self._set("available")
        self.state.event(
            "cache-cluster", self.group.cluster["CacheClusterId"], "Cache node restarted"
        )

    def use_tokens(self) -> None:
        """Let in exactly the tokens in the group's record."""
        with self.state.cloud.lock:
            tokens = list(self.group.tokens)
        self.server.set_tokens(tokens)
        self._set("available")

    def configure(self, values: dict[str, str]) -> None:
        """Change settings of the running server."""
        if self.server.pid is not None:
            self.server.configure(values)
        if self.group.status == "modifying":
            self._set("available")

    def take(self, record: Snapshot) -> None:
        """Write a snapshot."""
        self._set("snapshotting")
        try:
            size = self.server.save(record.file)
        except ValkeyError:
            with self.state.cloud.lock:
                record.members["SnapshotStatus"] = "failed"
            raise
        with self.state.cloud.lock:
            finish_snapshot(record, size, self.state.cloud.clock.now())
        self._set("available")
        self.state.event(
            "replication-group", self.group.name, f"Snapshot succeeded for snapshot {record.name}"
        )

    def end(self) -> None:
        """Stop the server; its data go."""
        self.server.stop()
        shutil.rmtree(self.server.folder, ignore_errors=True)
        self._ended = True

    def _look_after(self) -> None:
        if self.group.status != "available":
            return
        if self.server.crashed:
            # A node that fails is replaced by a new, empty one.
            # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/FaultTolerance.html
            name = self.group.cluster["CacheClusterId"]
            self.state.event("cache-cluster", name, f"Recovering cache nodes 0001 of {name}")
            self.server.stop()
            self._start()
            self.state.event(
                "cache-cluster", name, f"Finished recovery for cache nodes 0001 of {name}"
            )
        elif time.monotonic() >= self._next_backup:
            self._next_backup = time.monotonic() + self.state.cloud.clock.wall(_DAY)
            if self.group.members["SnapshotRetentionLimit"] > 0:
                self._automatic_snapshot()

    def _automatic_snapshot(self) -> None:
        """The daily snapshot, and the end of those that are too old."""
        state, cluster = self.state, self.group.cluster["CacheClusterId"]
        stamp = state.cloud.clock.now().strftime("%Y-%m-%d-%H-%M-%S")
        with state.cloud.lock:
            record = state.new_snapshot(self.group, f"automatic.{cluster}-{stamp}", "automated", [])
        self.take(record)
        with state.cloud.lock:
            mine = [
                one
                for one in state.snapshots.values()
                if one.members["SnapshotSource"] == "automated"
                and one.members["CacheClusterId"] == cluster
            ]
            for old in mine[: -int(self.group.members["SnapshotRetentionLimit"])]:
                old.file.unlink(missing_ok=True)
                del state.snapshots[old.name]
