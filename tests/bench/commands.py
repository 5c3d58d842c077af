"""Runs a command and measures it: wall clock, CPU, and what it asked of the local cloud."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from localcloud.recorder import RecordedCall, read_calls
from tests.bench import USER_AGENT
from tests.bench.figures import Sample

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """How a command ended. started: aware; seconds: wall clock; cpu: with its children."""

    returncode: int
    output: str
    started: datetime
    seconds: float
    cpu: float
    load: float


def run(argv: Sequence[str], environment: Mapping[str, str], folder: Path) -> Ended:
    """Run a command in a folder to its end."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        started, clock = datetime.now(UTC), time.monotonic()
        process = subprocess.Popen(
            list(argv),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        # Not Popen.wait: only this says what the process and its children have used.
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - clock
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    return Ended(
        process.returncode, text, started, seconds, used.ru_utime + used.ru_stime, round(load, 2)
    )


def calls_of(record: Path, ended: Ended) -> list[RecordedCall]:
    """The API calls during a command, without those of whoever measures."""
    last = ended.started.timestamp() + ended.seconds
    return [
        call
        for call in read_calls(record, ended.started.isoformat())
        if USER_AGENT not in call.user_agent
        and datetime.fromisoformat(call.time).timestamp() <= last
    ]


def sample(
    case: str,
    number: int,
    ended: Ended,
    calls: Sequence[RecordedCall],
    moments: Mapping[str, str],
    ecs: float = 0.0,
) -> Sample:
    """The sample of a command.

    :param moments: by name, the operation whose first call is meant.
    :param ecs: see :class:`Sample`.
    :raises AssertionError: the command failed, or never made such a call.
    """
    assert ended.returncode == 0, f"{case}: exit code {ended.returncode}\n{ended.output}"
    seconds = {"end": round(ended.seconds, 3)}
    for name, operation in moments.items():
        at = [call.time for call in calls if call.operation == operation and call.error is None]
        assert at, f"{case}: no {operation}\n{ended.output}"
        arrived = datetime.fromisoformat(min(at))
        seconds[name] = round((arrived - ended.started).total_seconds(), 3)
    counted = {kind: sum(call.kind == kind for call in calls) for kind in ("read", "write")}
    cpu = round(ended.cpu, 3)
    return Sample(case, number, seconds, cpu, counted if calls else {}, ended.load, round(ecs, 3))
