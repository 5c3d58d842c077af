"""A task that starts leaves the processors to the tasks that serve.

On Fargate every task has processors of its own; here all share this machine's, and a program that loads
its code uses whatever it gets. Linux weighs sessions against each other, each container being one, and lets
anybody make a session of theirs light and ordinary again:
https://man7.org/linux/man-pages/man7/sched.7.html (the autogroup feature)
"""

from __future__ import annotations

import errno
import threading
import time
from pathlib import Path

#: Wall seconds for which a container is light: about what a Python program needs to load. A bound, so that on a
#: busy machine it is not kept from starting.
LIGHT_SECONDS = 3.0
#: As nice values weigh: a tenth of an ordinary session.
LIGHT, ORDINARY = 10, 0
#: Without privileges only ten changes a second are allowed, in all sessions together.
_PATIENCE = 5.0


def start_light(pid: int, seconds: float = LIGHT_SECONDS) -> None:
    """Make the session of a process light for some wall seconds; nothing where Linux does not group by session."""
    if weigh(pid, LIGHT):
        timer = threading.Timer(seconds, _restore, [pid])
        timer.daemon = True
        timer.start()


def _restore(pid: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not weigh(pid, ORDINARY) and time.monotonic() < deadline:
        time.sleep(0.1)


def weigh(pid: int, nice: int) -> bool:
    """Give a process's session a weight; whether it has it now, or has ended.

    :param nice: as of a process: 0 is ordinary, each step up weighs a fifth less.
    """
    try:
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))
    except OSError as error:
        return nice == ORDINARY and error.errno != errno.EAGAIN
    return True
