"""One container as a process group."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcloud.children import Children
from localcloud.clock import Clock
from localcloud.dataplane.tasks.health import HealthCheck, HealthTracker
from localcloud.dataplane.tasks.image import Command
from localcloud.dataplane.tasks.leftovers import kill_leftovers
from localcloud.dataplane.tasks.logpump import Channel, Deliver, LogPump

log = logging.getLogger(__name__)

#: Wall seconds that a time limit on real work keeps at any clock speed: a program does not run
#: faster because the clock does.
WORK_FLOOR = 2.0
#: Shortest pause between two health checks, wall seconds.
_CHECK_PAUSE_FLOOR = 0.2
#: Wall seconds given to output that something outside the process group holds open.
_LOG_PATIENCE = 2.0


def work_limit(clock: Clock, seconds: float, floor: float = WORK_FLOOR) -> float:
    """Wall seconds of a limit that bounds real work: scaled, but not below the floor.

    Never longer than the limit itself.
    """
    return max(clock.wall(seconds), min(seconds, floor))


def exit_code(returncode: int) -> int:
    """subprocess's return code as a container reports it: 128 + n for signal n."""
    return returncode if returncode >= 0 else 128 - returncode


@dataclass(frozen=True)
class Limits:
    """Resource limits of a container, (soft, hard) by ulimit name."""

    ulimits: Mapping[str, tuple[int, int]]

    def apply(self, pid: int) -> None:
        """Set what the machine allows; raising a hard limit may need privileges it lacks."""
        for name, (soft, hard) in self.ulimits.items():
            kind = getattr(resource, f"RLIMIT_{name.upper()}")
            ceiling = resource.prlimit(pid, kind)[1]
            if ceiling != resource.RLIM_INFINITY:
                hard = min(hard, ceiling)
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, kind, (min(soft, hard), hard))


class Container:
    """A started container: its main process, whatever that starts, its output, its checks.

    mark: what `leftovers.MARK` is in the command's environment, for this container alone.
    Raises OSError from the constructor when the program cannot be executed.
    """

    def __init__(
        self,
        *,
        name: str,
        command: Command,
        children: Children,
        clock: Clock,
        limits: Limits,
        pump: LogPump,
        deliver: Deliver | None,
        mark: Path,
        on_exit: Callable[[int], None],
    ) -> None:
        self._name = name
        self._command = command
        self._children = children
        self._clock = clock
        self._mark = mark
        self._on_exit = on_exit
        self._guard = threading.Lock()
        self._gone = False
        self._ended = threading.Event()
        self._probe: subprocess.Popen[bytes] | None = None
        self._channels: list[Channel] = []
        self._pump = pump
        self.started = time.monotonic()
        self._process = children.start(
            name,
            command.argv,
            env=command.env,
            cwd=command.cwd,
            # Two pipes, as an engine has: what is half written on one must not mix with the other.
            stdout=subprocess.PIPE if deliver else None,
            stderr=subprocess.PIPE if deliver else None,
        )
        limits.apply(self._process.pid)
        for pipe in (self._process.stdout, self._process.stderr):
            if deliver is not None and pipe is not None:
                self._channels.append(pump.add(pipe, deliver))
        threading.Thread(target=self._wait, name=f"wait-{name}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Process id of the main process."""
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Signal the main process, as a container engine does; nothing when it is gone."""
        with self._guard:
            if not self._gone:
                os.kill(self._process.pid, number)

    def kill(self) -> None:
        """SIGKILL to every process of the container."""
        with self._guard:
            if not self._gone:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def _wait(self) -> None:
        pid = self._process.pid
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        # The main process is a zombie still, so its group's number cannot be anyone else's. What
        # it left behind dies with it, like everything in a container does with process 1.
        with self._guard:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            code = exit_code(self._process.wait())
            self._gone = True
            if self._probe is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._probe.pid, signal.SIGKILL)
        self._ended.set()
        kill_leftovers(self._mark)
        for channel in self._channels:
            self._pump.finish(channel, _LOG_PATIENCE)
        self._children.forget(self._process)
        self._on_exit(code)

    # -- health checks -------------------------------------------------------------------------

    def watch_health(
        self, check: HealthCheck, argv: Sequence[str] | None, on_health: Callable[[str], None]
    ) -> None:
        """Run checks until the container ends; ``on_health`` gets each change of status.

        argv: the resolved command; None, when it cannot be found in the image, fails every check.
        """
        threading.Thread(
            target=self._check_health,
            args=(check, argv, on_health),
            name=f"health-{self._name}",
            daemon=True,
        ).start()

    def _check_health(
        self, check: HealthCheck, argv: Sequence[str] | None, on_health: Callable[[str], None]
    ) -> None:
        tracker = HealthTracker(check)
        pause = max(self._clock.wall(check.interval), _CHECK_PAUSE_FLOOR)
        timeout = work_limit(self._clock, check.timeout)
        while not self._ended.wait(pause):
            before = tracker.status
            succeeded = argv is not None and self._run_check(argv, timeout)
            if self._ended.is_set():
                return
            age = (time.monotonic() - self.started) * self._clock.speed
            if tracker.record(succeeded, age) != before:
                on_health(tracker.status)

    def _run_check(self, argv: Sequence[str], timeout: float) -> bool:
        try:
            probe = self._children.start(
                f"{self._name} health check",
                argv,
                env=self._command.env,
                cwd=self._command.cwd,
            )
        except OSError:
            return False
        with self._guard:
            self._probe = probe
        code: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = probe.wait(timeout)
        with self._guard:
            self._probe = None
        self._children.stop(probe, timeout=0)
        return code == 0
