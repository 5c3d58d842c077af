"""What `migrate` says: a line for people, and a line of JSON for the runbook that watches it."""

from __future__ import annotations

import json
import sys
from typing import Any

# How the lines begin that a runbook reads; docs/decisions/migrations.md of the operations repository.
EVENT = "lyo.migrate: "
SCHEMA = "lyo.schema: "
# The log driver splits longer lines:
# https://docs.docker.com/engine/logging/drivers/awslogs/ (16 KiB of a container's line at most)
PART_CHARACTERS = 3000


def event(name: str, /, **members: Any) -> None:
    """Say one thing to a runbook: a name and its members, as one line of JSON on stdout."""
    print(EVENT + json.dumps({"event": name, **members}, default=str), flush=True)


def schema(described: dict[str, Any]) -> None:
    """Say where the schema is and what it serves."""
    print(SCHEMA + json.dumps(described), flush=True)


def text(name: str, content: str, /, **members: Any) -> None:
    """Say a long text in as many events as it takes."""
    parts = [
        content[at : at + PART_CHARACTERS] for at in range(0, len(content), PART_CHARACTERS)
    ] or [""]
    for number, part in enumerate(parts, 1):
        event(name, **members, part=number, parts=len(parts), text=part)


def line(message: str) -> None:
    """Say something to people."""
    print(f"migrate: {message}", flush=True)


def failed(reason: str) -> None:
    """Say to people why it failed, on stderr."""
    print(f"migrate: failed: {reason}", file=sys.stderr, flush=True)
