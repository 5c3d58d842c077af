"""The order in which the containers of a task start and stop.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/example_task_definitions.html#example_task_definition-containerdependency
and https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class Progress:
    """How far a container has come; ``exit_code`` is None until it has ended or failed to start."""

    started: bool = False
    exit_code: int | None = None
    healthy: bool = False


class Readiness(Enum):
    """Whether a container may start."""

    READY = "ready"
    WAITING = "waiting"
    NEVER = "never"


#: Container → (container it depends on, condition) …
Dependencies = Mapping[str, Sequence[tuple[str, str]]]


def condition(kind: str, progress: Progress) -> Readiness:
    """Whether one condition (START, COMPLETE, SUCCESS, HEALTHY) is met, may be, or cannot be."""
    exited = progress.exit_code is not None
    if kind == "START":
        met, lost = progress.started, exited
    elif kind == "COMPLETE":
        met, lost = exited, False
    elif kind == "SUCCESS":
        met, lost = progress.exit_code == 0, exited and progress.exit_code != 0
    elif kind == "HEALTHY":
        met, lost = progress.healthy and not exited, exited
    else:
        raise ValueError(f"unknown dependency condition {kind}")
    if met:
        return Readiness.READY
    return Readiness.NEVER if lost else Readiness.WAITING


def readiness(name: str, dependencies: Dependencies, progress: Mapping[str, Progress]) -> Readiness:
    """Whether a container may start, given how far the others are."""
    found = {condition(kind, progress[other]) for other, kind in dependencies.get(name, ())}
    if Readiness.NEVER in found:
        return Readiness.NEVER
    return Readiness.WAITING if Readiness.WAITING in found else Readiness.READY


def stoppable(dependencies: Dependencies, running: Collection[str]) -> set[str]:
    """The running containers that no running container depends on: these stop first."""
    needed = {other for name in running for other, _ in dependencies.get(name, ())}
    return {name for name in running if name not in needed}


def find_cycle(dependencies: Dependencies) -> list[str]:
    """Containers that wait for each other, first one repeated at the end; empty if there are none."""
    done: set[str] = set()
    trail: list[str] = []

    def visit(name: str) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done:
            return []
        trail.append(name)
        for other, _ in dependencies.get(name, ()):
            if cycle := visit(other):
                return cycle
        trail.pop()
        done.add(name)
        return []

    for name in dependencies:
        if cycle := visit(name):
            return cycle
    return []
