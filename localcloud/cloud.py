"""One running local cloud, as its services see it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from threading import Event, Thread
from typing import Any

from moto.backends import get_backend

from localcloud.api import OperationTable
from localcloud.children import Children
from localcloud.clock import Clock
from localcloud.settings import Addresses, Settings

log = logging.getLogger("localcloud")

# moto keeps the backends of global services under the partition instead of a region.
_GLOBAL_SERVICES = frozenset({"iam", "sts", "route53", "cloudfront", "budgets", "s3", "ce"})


class Cloud:
    """What every service is handed: settings, addresses, clock, children, lock and the others.

    `lock` is held during every API call; a background thread takes it around any access to moto's
    backends or to a store that API calls change.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.addresses = Addresses(settings.number)
        self.clock = Clock(settings.speed)
        self.children = Children(settings.state_dir)
        self.lock = threading.RLock()
        self.api = OperationTable()
        self.parts: dict[str, Any] = {}
        # Path prefix → WSGI application, for what AWS serves outside its APIs (layer downloads).
        self.routes: dict[str, Callable[..., Iterable[bytes]]] = {}
        self._stop = Event()
        self._threads: list[Thread] = []
        self._on_stop: list[Callable[[], None]] = []

    def backend(self, service: str, region: str | None = None) -> Any:
        """moto's backend of a service for this cloud's account."""
        where = "aws" if service in _GLOBAL_SERVICES else region or self.settings.region
        backends: Any = get_backend(service.replace("-", ""))  # type: ignore[call-overload]
        return backends[self.settings.account_id][where]

    def background(self, name: str, target: Callable[[Event], None]) -> Thread:
        """Run `target` in a thread; the event it is given is set when the cloud goes down."""

        def run() -> None:
            try:
                target(self._stop)
            except Exception:
                log.exception("background thread %s ended by an error", name)

        thread = Thread(target=run, name=name, daemon=True)
        self._threads = [other for other in self._threads if other.is_alive()]
        self._threads.append(thread)
        thread.start()
        return thread

    def on_stop(self, action: Callable[[], None]) -> None:
        """Run `action` when the cloud goes down, the last registered first."""
        self._on_stop.append(action)

    def stop(self) -> None:
        """Take everything down; an error of one part does not keep the others from stopping."""
        self._stop.set()
        for action in reversed(self._on_stop):
            try:
                action()
            except Exception:
                log.exception("a part failed to stop")
        for thread in self._threads:
            thread.join(timeout=5)
