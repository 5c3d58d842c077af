"""The command of a one-off task: its words, and what is wrong with it."""

from __future__ import annotations

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
positional: _input
options:
  _input:
    description: The command.
    type: str
    required: true
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


def lyo_command(command: Any) -> dict[str, Any]:
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
    return {"argv": argv, "problem": ""}


class FilterModule:
    """Filters of one-off tasks."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"lyo_command": lyo_command}
