"""`python -m lyo_run backup.yml`: a runbook, or `lyo_backup`, with its exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from lyo_run.command import Command, UsageError, command, short_folder
from lyo_run.metrics import publish

USAGE = 64


def main(words: list[str]) -> int:
    """Run what the words say; return its exit code, 64 where they say nothing that can be run."""
    folder = Path.cwd()
    try:
        wanted = command(words, os.environ, folder)
    except UsageError as error:
        print(f"lyo_run: {error}", file=sys.stderr)
        return USAGE
    os.environ["TMPDIR"] = short_folder(tempfile.gettempdir())
    if not wanted.runbook:
        # Nothing is left to do after it: the program takes this one's place, signals and all.
        os.execv(wanted.argv[0], wanted.argv)  # noqa: S606
    code = _follow(wanted)
    _write_down(wanted, good=code == 0)
    return code


def _follow(wanted: Command) -> int:
    """Run a command and pass SIGTERM on: ECS's and systemd's way to end it."""
    process = subprocess.Popen(wanted.argv)

    def forward(number: int, _: FrameType | None) -> None:
        process.send_signal(number)

    signal.signal(signal.SIGTERM, forward)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both
    code = process.wait()
    return code if code >= 0 else 128 - code


def _write_down(wanted: Command, *, good: bool) -> None:
    """Best effort: what the runbook did is done. Where it fails, the alarm rings."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client = boto3.client("cloudwatch")
        publish(client, wanted.environment, wanted.runbook, datetime.now(UTC), good=good)
    except (BotoCoreError, ClientError) as error:
        print(f"lyo_run: the run is not written down in CloudWatch: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
