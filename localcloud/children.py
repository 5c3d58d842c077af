"""The processes a local cloud starts, so that none is left behind.

A child dies with the local cloud's process (PR_SET_PDEATHSIG), and is on record in the state
folder, so that `down` finds what a killed local cloud has left.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """For `preexec_fn`: the process is killed when the thread that started it ends (Linux)."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Children:
    """Starts and stops the processes of one local cloud."""

    def __init__(self, state_dir: Path) -> None:
        self._records = state_dir / "children"
        self._records.mkdir(parents=True, exist_ok=True)
        self._requests: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = (
            queue.SimpleQueue()
        )
        # PR_SET_PDEATHSIG fires when the *thread* that forked ends, so one lasting thread forks all.
        self._spawner = threading.Thread(target=self._spawn, name="spawner", daemon=True)
        self._spawner.start()

    def _spawn(self) -> None:
        while (request := self._requests.get()) is not None:
            make, future = request
            try:
                future.set_result(make())
            except BaseException as error:
                future.set_exception(error)

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
        stdout: Path | int | None = None,
        stderr: Path | int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process in a process group of its own.

        name: for people, in the record. stdout, stderr: a file to append to, a subprocess
        constant or None for /dev/null (stderr None: with stdout). Raises OSError when it cannot
        be started.
        """
        with contextlib.ExitStack() as files:

            def stream(target: Path | int | None, absent: int) -> Any:
                if isinstance(target, Path):
                    return files.enter_context(target.open("ab"))
                return absent if target is None else target

            out = stream(stdout, subprocess.DEVNULL)
            err = stream(stderr, subprocess.STDOUT)
            future: Future[subprocess.Popen[bytes]] = Future()
            self._requests.put(
                (
                    lambda: subprocess.Popen(
                        list(argv),
                        env=None if env is None else dict(env),
                        cwd=cwd,
                        stdin=subprocess.DEVNULL,
                        stdout=out,
                        stderr=err,
                        start_new_session=True,
                        preexec_fn=die_with_parent,
                    ),
                    future,
                )
            )
            process = future.result()
        self._record(name, process.pid)
        return process

    def _record(self, name: str, pid: int) -> None:
        with contextlib.suppress(psutil.Error):
            born = psutil.Process(pid).create_time()
            (self._records / f"{pid}.json").write_text(
                json.dumps({"pid": pid, "name": name, "created": born})
            )

    def stop(
        self,
        process: subprocess.Popen[bytes],
        timeout: float = 10.0,
        first: signal.Signals = signal.SIGTERM,
    ) -> int:
        """Send `first`, wait `timeout` wall seconds, then SIGKILL the whole group.

        Returns the exit code as subprocess gives it (negative: the signal).
        """
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(first)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout)
        # Also when it ended by itself: its own children may live on in the group.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        self.forget(process)
        return code

    def forget(self, process: subprocess.Popen[bytes]) -> None:
        """Drop the record of a process that has ended."""
        (self._records / f"{process.pid}.json").unlink(missing_ok=True)


def kill_recorded(state_dir: Path) -> list[str]:
    """Kill what a local cloud that is gone has left, and return the names.

    A process counts only when its pid was created at the recorded time: numbers are reused.
    """
    killed = []
    for record in sorted((state_dir / "children").glob("*.json")):
        try:
            entry = json.loads(record.read_text())
            process = psutil.Process(entry["pid"])
            if abs(process.create_time() - entry["created"]) < 0.5:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(entry["pid"], signal.SIGKILL)
                killed.append(str(entry["name"]))
        except (psutil.NoSuchProcess, ValueError, KeyError, PermissionError):
            pass
        record.unlink(missing_ok=True)
    return killed
