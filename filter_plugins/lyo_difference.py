"""What diff.yml prints: the parts that differ, and the steps of a deploy that a diff cannot show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

DOCUMENTATION = """
name: lyo_difference
short_description: The lines of what a deploy would change
version_added: "1.0"
description:
  - Puts the comparison of the module release_plan, the reasons of its steps and the changes of a
    Terraform plan together as lines.
positional: _input, changes
options:
  _input:
    description: What the module release_plan returned.
    type: dict
    required: true
  changes:
    description: The changes of a Terraform plan, each with C(phase), C(action) and C(address).
    type: list
    elements: dict
    default: []
"""

EXAMPLES = """
- name: The difference
  ansible.builtin.debug:
    msg: "{{ lyo_plan | lyo_difference(lyo_stack.changes) }}"
"""

RETURN = """
_value:
  description: The lines.
  type: list
  elements: str
"""


def lyo_difference(plan: Mapping[str, Any], changes: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """The parts that differ, then Terraform's changes, then what a deploy would do and why."""
    lines: list[str] = []
    for part in plan.get("comparison") or []:
        lines += [*part["lines"], ""]
    if changes:
        lines.append("infrastructure")
        lines += [f"{entry['phase']}: {entry['action']} {entry['address']}" for entry in changes]
        lines.append("")
    steps = ", ".join(plan["steps"]) or "nothing"
    return [*lines, f"a deploy would do: {steps}", *(f"  {reason}" for reason in plan["reasons"])]


class FilterModule:
    """Filters of differences."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"lyo_difference": lyo_difference}
