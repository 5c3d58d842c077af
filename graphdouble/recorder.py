"""The record of calls: what was asked, never with what token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class RecordedCall:
    """One call of the Graph API.

    :ivar time: ISO 8601, UTC. :ivar operation: method and path template.
    :ivar tenant: id of the account, or of the app for calls about the app; "" for none.
    :ivar kind: `read` or `write`. :ivar took_effect: a write that changed (or confirmed) something.
    :ivar status: HTTP status, 0 when the connection was cut.
    :ivar code: Meta's error code, 0 for none. :ivar fault: what was done to it on purpose.
    """

    number: int
    time: str
    operation: str
    version: str
    object_id: str
    tenant: str
    kind: str
    took_effect: bool
    status: int
    code: int
    fault: str
    milliseconds: float


class Recorder:
    """Keeps calls in memory and, given a path, in a file of JSON lines."""

    def __init__(self, path: Path | None = None) -> None:
        self.calls: list[RecordedCall] = []
        self._number = 0
        self._file = path.open("a", buffering=1, encoding="utf-8") if path else None

    def next_number(self) -> int:
        """The number of a call that begins."""
        self._number += 1
        return self._number

    def add(self, call: RecordedCall) -> None:
        """Keep a call that has ended."""
        self.calls.append(call)
        if self._file:
            self._file.write(json.dumps(asdict(call), separators=(",", ":")) + "\n")

    def clear(self) -> None:
        """Forget the calls in memory; numbers go on."""
        self.calls.clear()

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()


def read_calls(path: Path, *, writes: bool = False) -> Iterator[RecordedCall]:
    """Calls of a file, oldest first; `writes`: only those that write."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            call = RecordedCall(**json.loads(line))
            if not writes or call.kind == "write":
                yield call
