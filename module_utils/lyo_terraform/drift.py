"""What was changed outside Terraform, apart from what the configuration still has to bring."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from .plan import UNKNOWN, Change, Plan


def pending_configuration(plan: Plan) -> tuple[Change, ...]:
    """The changes that the configuration asks for; what only puts drift back is left out.

    An attribute that was changed outside, and that the configuration wants otherwise than it was
    before, is both. What is only known after the apply follows from something else; where nothing
    else is pending, it follows from the drift.
    """
    drifted: dict[str, dict[str, Any]] = {}
    for entry in plan.drift:
        drifted.setdefault(entry["address"], {})[entry["attribute"]] = entry["desired"]
    found = []
    for change in plan.changes:
        outside = drifted.get(change.address, {})
        if change.action != "update" and "" not in outside:
            found.append(change)  # nothing in a replacement is only put back
            continue
        rest = tuple(
            a for a in change.attributes if a.name not in outside or a.after != outside[a.name]
        )
        if rest and "" not in outside:
            found.append(replace(change, attributes=rest))
    sure = [
        change
        for change in found
        if change.action != "update" or any(a.after != UNKNOWN for a in change.attributes)
    ]
    return tuple(found) if sure or not plan.drift else ()


def drift_lines(drift: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line for people for each drifted attribute."""
    return [
        f"{entry['address']} is {entry['current']}, should be {entry['desired']}"
        if not entry["attribute"]
        else f"{entry['address']} {entry['attribute']} is {_shown(entry['current'])}, "
        f"should be {_shown(entry['desired'])}"
        for entry in drift
    ]


def _shown(value: Any) -> str:
    """A value as JSON, cut where nobody reads on."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:200] + "…"
