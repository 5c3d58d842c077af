"""Which phases of a run were chosen, by name or by number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

DOCUMENTATION = """
name: lyo_phases
short_description: Say which phases of a run were chosen
version_added: "1.0"
description:
  - Reads what was typed as C(-e phases=), names or numbers, as a comma list or a YAML list.
  - Where nothing was typed, every phase is chosen.
positional: phases, env
options:
  _input:
    description: What was typed; none where nothing was.
    type: raw
  phases:
    description: The names of all phases, in their order; their numbers begin at 1.
    type: list
    elements: str
    required: true
  env:
    description: The environment that was asked for, for the command in the message.
    type: str
    default: ''
"""

EXAMPLES = """
- name: The database and the sixth phase
  ansible.builtin.debug:
    msg: "{{ ('database,6' | lyo_phases(lyo_phase_names)).chosen }}"
"""

RETURN = """
_value:
  description:
    - C(chosen), the names of the chosen phases in their order, and C(problem), what is wrong with
      what was typed, with the command to type; empty when nothing is.
  type: dict
"""


def asked_for(typed: Any) -> list[str]:
    """What was typed, one entry a phase, without what is empty."""
    if isinstance(typed, str):
        parts: Iterable[Any] = typed.split(",")
    elif isinstance(typed, Sequence):
        parts = typed
    else:
        parts = [typed]
    return [text for part in parts if (text := str(part).strip())]


def lyo_phases(typed: Any, phases: Sequence[str], env: str = "") -> dict[str, Any]:
    """The chosen phases in their order, and what is wrong with the choice."""
    if typed is None:
        return {"chosen": list(phases), "problem": ""}
    numbers = {str(number): name for number, name in enumerate(phases, 1)}
    asked = asked_for(typed)
    names = {numbers.get(text, text) for text in asked}
    unknown = [text for text in asked if numbers.get(text, text) not in phases]
    listed = ", ".join(f"{number} {name}" for number, name in numbers.items())
    command = f"ansible-playbook deploy.yml -e env={env or '<env>'} -e phases={phases[1]},"
    problem = ""
    if unknown:
        problem = f"There is no phase {', '.join(map(repr, unknown))}."
    elif not asked:
        problem = "-e phases= names none."
    if problem:
        problem += f" The phases are {listed}. Type, for example: {command}{phases[-2]}"
    return {"chosen": [name for name in phases if name in names], "problem": problem}


class FilterModule:
    """Filter of the phases."""

    def filters(self) -> dict[str, Any]:
        """The filter by name."""
        return {"lyo_phases": lyo_phases}
