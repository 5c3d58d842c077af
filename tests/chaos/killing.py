"""Kills a runbook at one point: before or after a call took effect."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localcloud.dataplane.tasks.leftovers import MARK
from tests.chaos.control import Faults
from tests.chaos.points import CONTROLLER, EVERYBODY, RUNBOOK, TASK, TREE, Row
from tests.runbooks.harness import Environment, Run
from tests.runbooks.processes import send, tree

# A variable that a run's processes have, whoever their parent is.
RUN_VARIABLE = "LYO_CHAOS_RUN"


def everything_of(pid: int, run: str) -> list[int]:
    """A controller with all that descends from it, and what it has left beside itself: the guardian."""
    mark = f"{RUN_VARIABLE}={run}\0".encode()
    found = tree(pid)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes() + b"\0":
                found.append(int(folder.name))
        except OSError:
            continue
    return list(dict.fromkeys(found))


def task_of(environment: Environment) -> list[int]:
    """The processes of the ops program's task, wherever they went."""
    mark = f"{MARK}={environment.state_dir}/".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(v.startswith(mark) for v in variables) and any(
            v.startswith(b"LYO_BACKUP_BUCKET=") for v in variables
        ):
            found.append(int(folder.name))
    return found


def outlives(pid: int) -> bool:
    """Whether a process goes on without its run by design: docs/decisions/terraform-child.md."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return False
    return Path(command.decode(errors="replace")).name.startswith("terraform")


@dataclass(frozen=True)
class Killed:
    """A run that was killed, or whose task was, and the run's processes that were left."""

    run: Run
    left: list[int]


def kill_at(environment: Environment, row: Row, command: Sequence[str]) -> Killed | Run:
    """Run a runbook until the row's call is made, and kill whom the row says.

    :param command: the runbook and its arguments.
    :return: the run as it ended, where it ended without that call.
    """
    faults = Faults(environment.content["endpoint"])
    faults.set(row.point.rule(row.when))
    name = secrets.token_hex(8)
    running = environment.start(*command, environment={RUN_VARIABLE: name})
    pid = running.process.pid
    try:
        if not faults.wait_until_held(lambda: running.process.poll() is not None):
            return running.finish(30)
        processes = everything_of(pid, name)
        victims = _victims(row, pid, processes, task_of(environment))
        send(victims, signal.SIGKILL)
        if row.victim != TASK:
            running.process.wait(30)
        if row.victim == CONTROLLER:
            # Whoever outlives the controller has time to see that it is gone.
            time.sleep(2.5)
        if row.point.caller == RUNBOOK or row.victim in (TASK, EVERYBODY):
            faults.drop()
    finally:
        faults.clear()
    left = [process for process in processes if process not in victims]
    # A run whose task died goes on to its own end.
    return Killed(running.finish(300 if row.victim == TASK else 30), left)


def _victims(row: Row, pid: int, processes: Sequence[int], task: list[int]) -> list[int]:
    mortal = [process for process in processes if not outlives(process)]
    if row.victim in (TASK, EVERYBODY):
        assert task, f"{row.point.caller} has no process"
    return {
        CONTROLLER: [pid],
        TREE: mortal,
        TASK: task,
        EVERYBODY: [*mortal, *task],
    }[row.victim]


def wait_until_gone(pids: Sequence[int], timeout: float = 90.0) -> None:
    """Until none of them lives: a module that lost its controller ends by itself.

    Ansible's own process for the task may not: a result that is larger than a pipe waits for a reader.
    """
    deadline = time.monotonic() + timeout
    while living := [pid for pid in pids if _lives(pid)]:
        send([pid for pid in living if _speaks_to_nobody(pid)], signal.SIGKILL)
        if time.monotonic() > deadline:
            commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in living]
            raise AssertionError(f"still there after {timeout} s: {commands}")
        time.sleep(0.1)


def _speaks_to_nobody(pid: int) -> bool:
    """Whether an orphan waits until somebody reads what it writes into a pipe."""
    try:
        parent = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1]
        waits_in = Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        return False
    return parent == "1" and waits_in.endswith("pipe_write")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in ("Z", "X")
