"""The process that a run belongs to: ``ansible-playbook``, as the callback plugin names it."""

from __future__ import annotations

import os
from pathlib import Path

# The callback plugin says which process is the controller, and where its folder is.
CONTROLLER_VARIABLE = "LYO_CONTROLLER"
FOLDER_VARIABLE = "LYO_RUN_FOLDER"


class Controller:
    """The process whose life the run's is: by number and, against reuse, by its start time.

    :param pid: of ``ansible-playbook``.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._started = _stat(pid)[1]

    def alive(self) -> bool:
        """Whether it still runs."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        state, started = _stat(self.pid)
        return state not in ("Z", "X") and started == self._started

    def stopped(self) -> bool:
        """Whether it was stopped (Ctrl-Z): then its lock is not renewed, for it does not work."""
        return _stat(self.pid)[0] in ("T", "t")


def of_this_run() -> Controller | None:
    """Return this module's controller, None where nobody has named one."""
    pid = os.environ.get(CONTROLLER_VARIABLE, "")
    return Controller(int(pid)) if pid.isdigit() else None


def leave_run() -> None:
    """Be no part of the run any more: what this process does goes on without its controller."""
    os.environ.pop(CONTROLLER_VARIABLE, None)


def _stat(pid: int) -> tuple[str, str]:
    """State letter and start time of a process from /proc; empty where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "", ""
    rest = fields.rpartition(")")[2].split()
    return rest[0], rest[19]
