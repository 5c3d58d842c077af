"""Progress events of a running module, written to a named pipe.

A callback plugin makes the pipe and names it in the environment variable ``LYO_PROGRESS_FIFO``.
An event is one line of JSON, shorter than 4,096 bytes so that the kernel writes it in one piece:
``{"task": str, "stage": str, "text": str, "percent": int | null}``; a line of a log has
``"line": true`` besides and stays on the terminal. Where nobody listens nothing is written, and no
failure to write ever reaches the module's work.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable

FIFO_VARIABLE = "LYO_PROGRESS_FIFO"
# PIPE_BUF on Linux: a longer line could be mixed with another module's.
MAX_LINE_BYTES = 4095
_MASK = "********"
# A reader that is that slow has lost the right to every line.
_LINE_PATIENCE_SECONDS = 2.0


def encode(task: str, stage: str, text: str, percent: int | None, *, line: bool = False) -> bytes:
    """Return the event as one line, its text cut so that the line fits ``MAX_LINE_BYTES``.

    :param line: the text is a line of a log: its spaces are kept.
    """
    text = text if line else " ".join(text.split())
    more = {"line": True} if line else {}
    while True:
        event = {"task": task[:200], "stage": stage[:200], "text": text, "percent": percent, **more}
        encoded = json.dumps(event, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        excess = len(encoded) - MAX_LINE_BYTES
        if excess <= 0:
            return encoded
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
        event = encode(self.task, stage, self._masked(text), percent)
        if event != self._last:
            self._last = event
            self._write(event)

    def line(self, text: str, sleep: Callable[[float], None] = time.sleep) -> None:
        """Send a line of a log, which is shown as it is and stays; a slow reader is waited for."""
        event = encode(self.task, "", self._masked(text), None, line=True)
        self._last = None
        waited = 0.0
        while not self._write(event) and waited < _LINE_PATIENCE_SECONDS:
            sleep(0.05)
            waited += 0.05

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        return text

    def _write(self, event: bytes) -> bool:
        """Write an event; return False where the pipe is full."""
        if not self._path:
            return True
        try:
            if self._fd is None:
                # Without a reader this fails at once (ENXIO) instead of blocking.
                self._fd = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            os.write(self._fd, event)
        except BlockingIOError:
            return False  # the reader is slow: an event may be lost, the work may not wait
        except OSError:
            self.close()
            self._path = None
        return True

    def close(self) -> None:
        """Close the pipe; later events open it again."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = None
