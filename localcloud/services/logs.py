"""CloudWatch Logs: moto's, and where the awslogs driver writes into it.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localcloud.cloud import Cloud


class LogGroupNotFoundError(Exception):
    """The log group does not exist."""


class MotoLogSink:
    """Writes lines into moto's log groups; takes ``cloud.lock`` for it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def ensure_stream(self, group: str, stream: str, *, create_group: bool = False) -> None:
        """Make the stream when it is absent, and the group when asked to.

        Raises LogGroupNotFoundError when there is no such group.
        """
        with self._cloud.lock:
            backend = self._backend()
            if group not in backend.groups:
                if not create_group:
                    raise LogGroupNotFoundError(group)
                backend.create_log_group(group, {})
            backend.ensure_log_stream(group, stream)

    def put(self, group: str, stream: str, lines: Sequence[tuple[int, str]]) -> None:
        """Append (epoch milliseconds, text) lines; the stream is made when absent.

        Raises LogGroupNotFoundError when the group is gone.
        """
        with self._cloud.lock:
            self.ensure_stream(group, stream)
            self._backend().put_log_events(
                group, stream, [{"timestamp": at, "message": text} for at, text in lines]
            )

    def _backend(self) -> Any:
        return self._cloud.backend("logs")


def register(cloud: Cloud) -> None:
    """Offer the sink as ``cloud.parts["logs"]``."""
    cloud.parts["logs"] = MotoLogSink(cloud)
