"""Progress events of a running module, written to a named pipe.

A callback plugin makes the pipe and names it in the environment variable ``LYO_PROGRESS_FIFO``.
An event is one line of JSON, shorter than 4,096 bytes so that the kernel writes it in one piece:
``{"task": str, "stage": str, "text": str, "percent": int | null}``. Where nobody listens nothing
is written, and no failure to write ever reaches the module's work.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable

FIFO_VARIABLE = "LYO_PROGRESS_FIFO"
# PIPE_BUF on Linux: a longer line could be mixed with another module's.
MAX_LINE_BYTES = 4095
_MASK = "********"


def encode(task: str, stage: str, text: str, percent: int | None) -> bytes:
    """Return the event as one line, its text cut so that the line fits ``MAX_LINE_BYTES``."""
    text = " ".join(text.split())
    while True:
        event = {"task": task[:200], "stage": stage[:200], "text": text, "percent": percent}
        line = json.dumps(event, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        excess = len(line) - MAX_LINE_BYTES
        if excess <= 0:
            return line
        # A character takes one byte at least, so this gets shorter in every round.
        text = text[: max(0, len(text) - excess - 1)] + "…" if len(text) > excess + 1 else ""


class Progress:
    """Sends the events of one task.

    :param task: what the events belong to, as the reader knows it.
    :param secrets: values that must not be shown; events do not pass Ansible's own masking.
    :param path: the pipe; by default what ``LYO_PROGRESS_FIFO`` names.
    """

    def __init__(self, task: str, secrets: Iterable[str] = (), path: str | None = None) -> None:
        self.task = task
        self._secrets = sorted({s for s in secrets if len(s) >= 6}, key=len, reverse=True)
        self._path = os.environ.get(FIFO_VARIABLE) if path is None else path
        self._fd: int | None = None
        self._last: bytes | None = None

    def __call__(self, stage: str, text: str, percent: int | None = None) -> None:
        """Send one event; the same event twice in a row is sent once."""
        if not self._path:
            return
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        line = encode(self.task, stage, text, percent)
        if line == self._last:
            return
        self._last = line
        try:
            if self._fd is None:
                # Without a reader this fails at once (ENXIO) instead of blocking.
                self._fd = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            os.write(self._fd, line)
        except BlockingIOError:
            return  # the reader is slow: an event may be lost, the work may not wait
        except OSError:
            self.close()
            self._path = None

    def close(self) -> None:
        """Close the pipe; later events open it again."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = None
