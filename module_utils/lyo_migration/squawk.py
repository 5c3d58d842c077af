"""The linter squawk as a program: https://squawkhq.com/docs/cli."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .sql import without_comments

# What is no danger to who uses the table, or is taken care of otherwise.
EXCLUDED = (
    "require-lock-timeout",  # both are set for every statement, see lyo_migration_timeouts
    "require-statement-timeout",
    "prefer-robust-stmts",  # rules.py asks for it where it matters
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-repack",
    "prefer-text-field",
    "prefer-timestamp-tz",
    "ban-char-field",
    "require-enum-value-ordering",
    "identifier-too-long",
    # rules.py has these as drop-object and renaming-object
    *(f"ban-drop-{what}" for what in ("domain", "extension", "function", "sequence", "trigger")),
    *("ban-drop-type", "ban-drop-view", "ban-set-schema"),
)
TIMEOUT_SECONDS = 60


class SquawkError(Exception):
    """squawk cannot be run; the message says what to do."""


@dataclass(frozen=True)
class Hit:
    """One finding: in which text (from 0), at which offset."""

    text: int
    offset: int
    rule: str
    message: str


def program() -> str:
    """Return squawk's path: beside the Python that runs this, else on PATH.

    :raises SquawkError: it is not installed.
    """
    beside = Path(sys.executable).with_name("squawk")
    found = str(beside) if beside.is_file() else shutil.which("squawk")
    if not found:
        raise SquawkError("the linter squawk is not installed: make setup (requirements/ops.lock)")
    return found


def run(texts: Sequence[str], version: str) -> list[Hit]:
    """Lint each text as a migration of its own.

    Comments are taken out first, so that ``squawk-ignore`` without a reason does not count, and no
    configuration file of some folder does either.

    :param version: PostgreSQL's, as ``18.0``.
    :raises SquawkError: squawk did not do its work.
    """
    if not texts:
        return []
    with tempfile.TemporaryDirectory(prefix="lyo-lint-") as folder:
        paths = [Path(folder, f"{number}.sql") for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(without_comments(text), encoding="utf-8")
        command = [
            *(program(), "--reporter", "json", "--config", os.devnull),
            *("--pg-version", version, f"--exclude={','.join(EXCLUDED)}"),
            *(path.name for path in paths),
        ]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={"PATH": os.environ.get("PATH", ""), "NO_COLOR": "1"},
                capture_output=True,
                text=True,
                check=False,
                timeout=TIMEOUT_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SquawkError(f"squawk cannot be run: {error}") from None
    # 1 says that something was found: https://squawkhq.com/docs/cli
    if done.returncode not in (0, 1):
        raise SquawkError(f"squawk ended with {done.returncode}: {done.stderr.strip()[:500]}")
    try:
        return [_hit(entry, texts) for entry in json.loads(done.stdout or "[]")]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise SquawkError(f"squawk's report cannot be read: {error!r}") from None


def _hit(entry: dict[str, object], texts: Sequence[str]) -> Hit:
    number = int(str(entry["file"]).removesuffix(".sql"))
    lines = texts[number].split("\n")
    line, column = int(str(entry["line"])), int(str(entry["column"]))
    offset = sum(len(text) + 1 for text in lines[:line]) + column
    return Hit(number, offset, str(entry["rule_name"]), str(entry["message"]))
