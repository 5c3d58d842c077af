"""From the words that a container is given to the command that runs: decided without running it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# The runbooks whose success is written down when they run by themselves; docs/schedules.md.
SCHEDULED = ("backup.yml", "drift.yml", "drill.yml")
_CHECK = ("--check", "-C")
# A socket's address holds 107 bytes (unix(7)), and Ansible's is some 40 longer than its folder: with a longer one it
# ends after 5 seconds, saying only that its RPC server did not start.
_LONGEST_FOLDER = 60


class UsageError(Exception):
    """The words cannot be run; the message says what to type."""


@dataclass(frozen=True)
class Command:
    """What to execute.

    :ivar argv: program and arguments.
    :ivar runbook: name of the runbook whose success counts, empty for everything else.
    :ivar environment: the environment's name.
    """

    argv: tuple[str, ...]
    runbook: str = ""
    environment: str = ""


def command(words: Sequence[str], env: Mapping[str, str], folder: Path) -> Command:
    """Return what the words mean.

    :param words: ``backup.yml`` with options of ansible-playbook, or ``lyo_backup`` with its verb.
    :param env: LYO_ENV names the environment where the words do not.
    :param folder: the folder of the runbooks.
    :raises UsageError: they mean nothing.
    """
    known = sorted(path.name for path in folder.glob("*.yml"))
    if not words:
        raise UsageError(f"say what to run: lyo_backup, or a runbook: {', '.join(known)}")
    first, rest = words[0], list(words[1:])
    if first == "lyo_backup":
        return Command((sys.executable, "-m", "lyo_backup", *rest))
    if first not in known:
        raise UsageError(f"{first!r} is no runbook; there are: {', '.join(known)}")
    named = _environment(rest)
    name = named or env.get("LYO_ENV", "")
    if not name:
        raise UsageError(f"say for which environment: {first} -e env=<name>, or set LYO_ENV")
    given = rest if named else ["-e", f"env={name}", *rest]
    counts = first in SCHEDULED and not set(_CHECK) & set(rest)
    argv = (sys.executable, "-m", "ansible", "playbook", first, *given)
    return Command(argv, first if counts else "", name)


def short_folder(folder: str) -> str:
    """Return a folder for temporary files in which sockets can be made: this one, or /tmp where it is too long."""
    return folder if len(folder.encode()) <= _LONGEST_FOLDER else "/tmp"  # noqa: S108


def _environment(words: Sequence[str]) -> str:
    """The environment that the options name, empty where they name none."""
    for place, option in enumerate(words):
        value = words[place + 1] if place + 1 < len(words) else ""
        if option in ("-e", "--extra-vars") and value.startswith("env="):
            return value.removeprefix("env=")
        for prefix in ("-eenv=", "--extra-vars=env="):
            if option.startswith(prefix):
                return option.removeprefix(prefix)
    return ""
