"""Finds what the processes of a task have started, wherever it went.

A container takes everything in it down. A process group does not: a program may start its children
in a session of their own, and what a killed parent leaves belongs to nobody. The environment is
inherited by all of them, so a variable in it tells whose they are.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

#: Variable in the environment of every process of a task: the task's folder and the container's name.
MARK = "LOCALCLOUD_TASK"


def kill_leftovers(path: Path) -> list[int]:
    """SIGKILL every process marked with this path or one below it; returns their numbers.

    Linux only: elsewhere there is no /proc to look in.
    """
    exact = f"{MARK}={path}".encode()
    killed = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if exact in environment and any(
            value == exact or value.startswith(exact + b"/") for value in environment.split(b"\0")
        ):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(entry.name), signal.SIGKILL)
                killed.append(int(entry.name))
    return killed
