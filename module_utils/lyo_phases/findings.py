"""Findings: what something is, and what it should be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be."""

    name: str
    current: Any
    desired: Any

    def __str__(self) -> str:
        return f"{self.name} is {self.current}, should be {self.desired}"


Findings = Iterator[Finding]


def expect(item: Mapping[str, Any], name: str, **desired: Any) -> Findings:
    """A finding for each attribute of ``item`` that is not what it should be."""
    for attribute, value in desired.items():
        if item.get(attribute) != value:
            yield Finding(f"{name} {attribute}", item.get(attribute), value)


def at_least(item: Mapping[str, Any], name: str, **least: float) -> Findings:
    """A finding for each attribute of ``item`` that is missing or too small."""
    for attribute, value in least.items():
        if float(item.get(attribute) or 0) < value:
            yield Finding(f"{name} {attribute}", item.get(attribute), f"{value:g} at least")


def one(items: Sequence[Any], name: str) -> Findings:
    """A finding unless there is exactly one item."""
    if len(items) != 1:
        yield Finding(f"number of {name}", len(items), 1)


def lines(findings: Iterable[Finding]) -> list[str]:
    """Findings for people, a line each."""
    return [str(finding) for finding in findings]
