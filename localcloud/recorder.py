"""The record of API calls: one JSON line each in `calls.jsonl` of the state folder."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

# The verbs AWS uses for operations that change nothing.
_READ = re.compile(
    r"^(Get|Describe|List|Head|Search|Lookup|Query|Scan|Select|Simulate|Preview|Estimate|"
    r"BatchGet|BatchCheck|Check|Validate|Test|Filter|StartLiveTail|"
    r"AssumeRole|Decode|Decrypt|Encrypt|ReEncrypt|GenerateDataKey|GenerateRandom|Sign|Verify)"
)
# Named like reads, yet they write.
_WRITE_EXCEPTIONS = frozenset({"CheckoutLicense"})


def kind_of(operation: str) -> str:
    """`read` or `write`, from the operation's name."""
    return "read" if _READ.match(operation) and operation not in _WRITE_EXCEPTIONS else "write"


@dataclass(frozen=True)
class RecordedCall:
    """One API call. time: ISO 8601 in UTC with microseconds, when it arrived."""

    time: str
    service: str
    operation: str
    kind: str
    status: int
    error: str | None
    region: str
    resource: str | None
    milliseconds: float
    request_id: str
    user_agent: str


class Recorder:
    """Appends calls to the record."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1, encoding="utf-8")
        self._lock = threading.Lock()

    def add(self, call: RecordedCall) -> None:
        """Write one line."""
        line = json.dumps(asdict(call), separators=(",", ":"))
        with self._lock:
            self._file.write(line + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_calls(
    path: Path, since: str | None = None, writes: bool = False
) -> Iterator[RecordedCall]:
    """Recorded calls, oldest first.

    since: ISO 8601 time; one without an offset is UTC. Raises ValueError when it is neither.
    writes: only calls that write.
    """
    start = None
    if since is not None:
        start = datetime.fromisoformat(since)
        start = start if start.tzinfo else start.replace(tzinfo=UTC)
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            call = RecordedCall(**json.loads(line))
            if writes and call.kind != "write":
                continue
            if start is not None and datetime.fromisoformat(call.time) < start:
                continue
            yield call
