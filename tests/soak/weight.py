"""What at AWS has machines of its own leaves this machine's processors to the tasks that serve.

That is the control plane, and whatever starts: on Fargate every task has processors of its own, while here a
program that loads its code uses whatever it gets. Linux weighs sessions against each other, each container
being one, and lets anybody make a session of theirs light, and ordinary again:
https://man7.org/linux/man-pages/man7/sched.7.html (the autogroup feature)
"""

from __future__ import annotations

import errno
import threading
import time
from pathlib import Path

#: Wall seconds for which what starts is light: about what a Python program needs to load.
LIGHT_SECONDS = 3.0
LOOK_SECONDS = 0.02
#: As nice values weigh: a tenth of an ordinary session.
LIGHT, ORDINARY = 10, 0
#: Without privileges only ten changes a second are allowed, in all sessions together.
_PATIENCE = 5.0


def start_light(pid: int, seconds: float = LIGHT_SECONDS) -> None:
    """Make the session of a process light for some wall seconds; nothing where Linux does not group by session."""
    if weigh(pid, LIGHT):
        # Not a daemon: whoever ends earlier leaves nothing light behind.
        threading.Timer(seconds, _restore, [pid]).start()


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


class Starters:
    """Makes every process light that a local cloud starts, for its first seconds.

    :param state: the local cloud's folder; `children` in it has a record of each of its processes.
    """

    def __init__(self, state: Path) -> None:
        self._folder = state / "children"
        self._seen = self._records()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _records(self) -> set[str]:
        return {record.stem for record in self._folder.glob("*.json")}

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            found = self._records()
            for pid in found - self._seen:
                start_light(int(pid))
            self._seen = found
