"""The command of a one-off task: its words, and what is wrong with it."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

DOCUMENTATION = """
name: lyo_command
short_description: Split the command of a one-off task into words, or say what is wrong with it
version_added: "1.0"
description:
  - Splits a command as a POSIX shell does, without expanding anything.
  - Refuses one that seems to hold a secret, because a command is shown in the run's output, in the
    ledger, in ECS's answers and in the process list of the machine that types it. The message does
    not repeat the secret.
  - Refuses one that migrates the schema, of which nothing would be checked.
positional: _input
options:
  _input:
    description: The command.
    type: str
    required: true
  migration:
    description: >-
      The command that migrates; its words before the first option tell it. Behind an entry point of
      one's own they are looked for everywhere, in a shell's script too.
    type: list
    elements: str
    default: []
  entrypoint:
    description: What the command is given to, empty for the image's own.
    type: str
    default: ""
"""

EXAMPLES = """
- name: The words
  ansible.builtin.set_fact:
    words: "{{ (command | lyo_command).argv }}"
"""

RETURN = """
_value:
  description: C(argv), the words, and C(problem), empty where there is none.
  type: dict
"""

_NAME = r"(?:password|passwd|passphrase|secret|token|api[-_]?key|access[-_]?key|credentials?)"
_ASSIGNED = re.compile(rf"(?i)(?:^|[\s-])(-{{0,2}}[\w.-]*{_NAME})[=:](?P<value>\S+)")
_OPTION = re.compile(rf"(?i)-{{1,2}}[\w-]*{_NAME}")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:(?P<value>[^@\s/]+)@", re.IGNORECASE)
_KEY_ID = re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")


def harmless(value: str) -> bool:
    """Whether a value stands for a secret without being one: a variable, or an ARN."""
    return value.startswith(("$", "arn:", "{{"))


def secrets_in(words: Sequence[str]) -> Iterable[str]:
    """The names of what seem to be secrets in a command."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        for match in _ASSIGNED.finditer(word):
            if not harmless(match["value"]):
                yield match[1]
        given = bool(following) and not following.startswith("-") and not harmless(following)
        if _OPTION.fullmatch(word) and given:
            yield word
        for match in _ADDRESS.finditer(word):
            if not harmless(match["value"]):
                yield "a password in an address"
        if _KEY_ID.search(word):
            yield "an AWS access key"


def migrates(words: Sequence[str], migration: Sequence[str], entrypoint: Sequence[str]) -> bool:
    """Whether a command is the one that migrates, whatever its options."""
    verb = list(itertools.takewhile(lambda word: not word.startswith("-"), migration))
    if not verb:
        return False
    if not entrypoint:
        return list(words[: len(verb)]) == verb
    # Nobody knows how many of the words are the program itself: `python -m app`, `sh -c '…'`.
    every = [part for word in (*entrypoint, *words) for part in re.split(r"[\s;&|()]+", word)]
    return any(every[at : at + len(verb)] == verb for at in range(len(every)))


def lyo_command(
    command: Any, migration: Sequence[str] = (), entrypoint: str | Sequence[str] = ""
) -> dict[str, Any]:
    """The words of a command, or its problem."""
    if isinstance(command, str):
        try:
            argv = shlex.split(command)
        except ValueError as error:
            return {"argv": [], "problem": f"The command cannot be split into words: {error}."}
    elif isinstance(command, Sequence):
        argv = [str(word) for word in command]
    else:
        argv = [str(command)]
    if not argv:
        return {"argv": [], "problem": "No command was given."}
    found = list(dict.fromkeys(secrets_in(argv)))
    if found:
        return {
            "argv": [],
            "problem": (
                f"The command seems to hold a secret ({', '.join(found)}), and would be shown in many "
                "places. The task has its secrets as environment variables: name one "
                "(sh -c '… $DATABASE_PASSWORD'), or keep the value in Secrets Manager and name its ARN."
            ),
        }
    program = entrypoint.split() if isinstance(entrypoint, str) else [*entrypoint]
    if migrates(argv, migration, program):
        return {
            "argv": [],
            "problem": (
                "The command migrates the schema, and here nobody would look at what it does. migrate.yml "
                "does: it lints the SQL, looks at the live database, takes a snapshot where something is "
                "lost, and gives up rather than hold up the guests."
            ),
        }
    return {"argv": argv, "problem": ""}


class FilterModule:
    """Filters of one-off tasks."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"lyo_command": lyo_command}
