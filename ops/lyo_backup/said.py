"""What the program says: lines for people, and events for the runbook that watches it.

The protocol is that of migrations (docs/decisions/migrations.md): a line of JSON behind a prefix.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

# How the lines begin that a runbook reads.
PREFIX = "lyo.backup: "
# The log driver splits lines above 16 KiB, so what may be long is cut.
MOST_REASONS, LONGEST_REASON = 10, 750
PROGRESS_SECONDS = 2.0

_lock = threading.Lock()


def event(name: str, /, **members: Any) -> None:
    """Say one thing to a runbook: a name and its members, as one line of JSON on stdout."""
    with _lock:
        print(PREFIX + json.dumps({"event": name, **members}, default=str), flush=True)


def line(text: str) -> None:
    """Say something to people."""
    with _lock:
        print(f"backup: {text}", flush=True)


def wrong(text: str) -> None:
    """Say to people what is wrong, on stderr."""
    with _lock:
        print(f"backup: {text}", file=sys.stderr, flush=True)


def short(reasons: list[str]) -> list[str]:
    """Return reasons as an event may have them: not too many, not too long."""
    more = len(reasons) - MOST_REASONS
    cut = [reason[:LONGEST_REASON] for reason in reasons[:MOST_REASONS]]
    return [*cut, f"and {more} more"] if more > 0 else cut


def size(count: float) -> str:
    """Return a number of bytes as people read it."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def duration(seconds: float) -> str:
    """Return a duration as people read it."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole / 3600:.1f} h"


class Progress:
    """How far it is: bytes of how many, with rate and time left. Safe to call from any thread.

    :param verb: what is done.
    :param total: bytes expected; an estimate is enough.
    """

    def __init__(self, verb: str, total: int) -> None:
        self._verb, self._total = verb, max(1, total)
        self._done, self._items = 0, 0
        self._began = self._said = time.monotonic()
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """So many bytes more."""
        with self._lock:
            self._done += count
            now = time.monotonic()
            due = now - self._said >= PROGRESS_SECONDS
            if due:
                self._said = now
            done = self._done
        if due:
            self._say(done, now - self._began)

    def _say(self, done: int, seconds: float) -> None:
        rate = done / seconds
        total = max(self._total, done)
        left = (total - done) / rate if rate else 0.0
        text = (
            f"{self._verb}: {size(done)} of about {size(total)},"
            f" {size(rate)}/s, {duration(left)} left"
        )
        event(
            "progress",
            verb=self._verb,
            text=text,
            percent=min(99, 100 * done // total),
            bytes=done,
            total=total,
            bytes_per_second=round(rate),
            seconds_left=round(left),
        )
        line(text)
