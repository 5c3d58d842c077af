"""What the processes of tasks use of this machine, from Linux's /proc."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """cpu_seconds: since the processes began, of those that live. memory_bytes: resident now."""

    cpu_seconds: float = 0.0
    memory_bytes: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.cpu_seconds + other.cpu_seconds, self.memory_bytes + other.memory_bytes)


def of_groups(groups: Collection[int]) -> dict[int, Usage]:
    """Usage by process group; each container is a group of its own."""
    found: dict[int, Usage] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            group = int(fields[2])
            if group in groups:
                seconds = (int(fields[11]) + int(fields[12])) / _TICKS
                used = Usage(seconds, int(fields[21]) * _PAGE)
                found[group] = found.get(group, Usage()) + used
    return found
