"""Addresses of tasks."""

from __future__ import annotations

from collections.abc import Callable


class NoAddressLeftError(Exception):
    """Every address is in use."""


class AddressPool:
    """Hands out addresses, each to one task at a time, and comes back to a freed one last.

    A client or a load balancer that still knows the address of a task that is gone must not reach
    a new one by it.
    """

    def __init__(self, address: Callable[[int], str], size: int = 240 * 254) -> None:
        self._address = address
        self._size = size
        self._next = 0
        self._used: set[str] = set()

    def take(self) -> str:
        """An address no task has. Raises NoAddressLeftError."""
        for _ in range(self._size):
            candidate = self._address(self._next)
            self._next = (self._next + 1) % self._size
            if candidate not in self._used:
                self._used.add(candidate)
                return candidate
        raise NoAddressLeftError(f"all {self._size} task addresses are in use")

    def give_back(self, address: str) -> None:
        """The task that had it is gone."""
        self._used.discard(address)
