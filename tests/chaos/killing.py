"""Kills a runbook at one point: before or after a call took effect."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.control import Faults
from tests.chaos.points import TREE, Row
from tests.runbooks.harness import Environment, Run
from tests.runbooks.processes import send, tree

CONTROLLER_VARIABLE = "LYO_CONTROLLER"


def everything_of(pid: int) -> list[int]:
    """A controller with all that descends from it, and what it has left beside itself: the guardian."""
    mark = f"{CONTROLLER_VARIABLE}={pid}\0".encode()
    found = tree(pid)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes() + b"\0":
                found.append(int(folder.name))
        except OSError:
            continue
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Killed:
    """A run that was killed, and the processes that it left (the victim was the controller alone)."""

    run: Run
    left: list[int]


def kill_at(environment: Environment, row: Row, command: Sequence[str]) -> Killed | Run:
    """Run a runbook until it makes the row's call, and kill it there.

    :param command: the runbook and its arguments.
    :return: the run as it ended, where it ended without that call.
    """
    faults = Faults(environment.content["endpoint"])
    faults.set(row.point.rule(row.when))
    running = environment.start(*command)
    pid = running.process.pid
    try:
        if not faults.wait_until_held(lambda: running.process.poll() is not None):
            return running.finish(30)
        processes = everything_of(pid)
        send(processes if row.victim == TREE else [pid], signal.SIGKILL)
        running.process.wait(30)
        if row.victim != TREE:
            # Whoever outlives the controller has time to see that it is gone.
            time.sleep(2.5)
        faults.drop()
    finally:
        faults.clear()
    left = [] if row.victim == TREE else [p for p in processes if p != pid]
    return Killed(running.finish(30), left)


def wait_until_gone(pids: Sequence[int], timeout: float = 90.0) -> None:
    """Until none of them lives: a module that lost its controller ends by itself."""
    deadline = time.monotonic() + timeout
    while living := [pid for pid in pids if _lives(pid)]:
        if time.monotonic() > deadline:
            commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in living]
            raise AssertionError(f"still there after {timeout} s: {commands}")
        time.sleep(0.1)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in ("Z", "X")
