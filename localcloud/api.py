"""Operations that the local cloud implements itself, beside those that moto answers.

Input is parsed and output serialised with botocore's own service model, whatever the protocol, so
a handler sees and returns the members that AWS's API reference names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore import xform_name


@dataclass(frozen=True)
class Call:
    """One API call, parsed."""

    service: str
    operation: str
    account: str
    region: str
    params: dict[str, Any]


class AwsError(Exception):
    """An error as AWS answers it; `code` is the one in the service's model."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


Handler = Callable[[Call], Mapping[str, Any] | None]
Hook = Callable[[Call], None]


class NotReproducedError(AwsError):
    """The local cloud does not reproduce what was asked for, and never pretends to."""

    def __init__(self, service: str, what: str) -> None:
        super().__init__(
            "NotImplemented", f"The local cloud does not reproduce {service} {what}.", status=501
        )


class OperationTable:
    """Which operations are ours, and what happens around those that are moto's."""

    def __init__(self) -> None:
        self._handlers: dict[tuple[str, str], Handler] = {}
        self._whole: dict[str, object] = {}
        self._before: dict[tuple[str, str], list[Hook]] = {}
        self._after: dict[tuple[str, str], list[Hook]] = {}

    def replace(self, service: str, operation: str, handler: Handler) -> None:
        """Answer one operation instead of moto."""
        self._handlers[service, operation] = handler

    def replace_service(self, service: str, implementation: object) -> None:
        """Answer a whole service by methods in snake case; what has no method is refused."""
        self._whole[service] = implementation

    def before(self, service: str, operation: str, hook: Hook) -> None:
        """Run a hook before moto's (or our) handler; an AwsError of the hook is the answer."""
        self._before.setdefault((service, operation), []).append(hook)

    def after(self, service: str, operation: str, hook: Hook) -> None:
        """Run a hook after the operation succeeded, before the answer is sent."""
        self._after.setdefault((service, operation), []).append(hook)

    def handler(self, service: str, operation: str) -> Handler | None:
        """Our handler of an operation, None when it is moto's.

        Raises NotReproducedError for an operation that a wholly replaced service lacks.
        """
        if (service, operation) in self._handlers:
            return self._handlers[service, operation]
        if service in self._whole:
            method = getattr(self._whole[service], xform_name(operation), None)
            if method is None:
                raise NotReproducedError(service, operation)
            handler: Handler = method
            return handler
        return None

    def hooks(self, service: str, operation: str) -> tuple[list[Hook], list[Hook]]:
        """The hooks (before, after) of an operation."""
        key = service, operation
        return self._before.get(key, []), self._after.get(key, [])
