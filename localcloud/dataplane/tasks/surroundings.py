"""What a task needs from outside and what its starter wants to hear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event
from typing import Any, Protocol

from localcloud.dataplane.tasks.logpump import Deliver
from localcloud.ports import PulledImage
from localcloud.services.ecs.store import Task


class ResourceError(Exception):
    """Something a task needs cannot be had; the message is the whole ``stoppedReason``."""


class Surroundings(Protocol):
    """What tasks need from the rest of the cloud."""

    def image(self, reference: str) -> PulledImage:
        """An unpacked image. Raises ResourceError (``CannotPullContainerError: …``)."""
        ...

    def secrets(self, container: Mapping[str, Any]) -> dict[str, str]:
        """The values of a container definition's ``secrets``. Raises ResourceError."""
        ...

    def log(self, container: Mapping[str, Any], task_id: str) -> Deliver | None:
        """Where a container's output goes, None for nowhere. Raises ResourceError."""
        ...

    def availability_zone(self, subnet_id: str) -> str:
        """The zone a subnet is in."""
        ...


@dataclass(frozen=True)
class Hooks:
    """What the starter of a task is called for; see ``TaskEngine.start``."""

    on_change: Callable[[Task], None] | None = None
    on_activate: Callable[[Task], None] | None = None
    on_deactivate: Callable[[Task, Event], None] | None = None
