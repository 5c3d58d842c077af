"""Lines of a log group: which window to read, in which order, how they look; decisions without I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_SPAN = re.compile(r"(\d+)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
# The last lines are looked for in growing windows, from the end backwards.
FIRST_WINDOW_MS = 60_000
WINDOW_GROWTH = 8
# Lines arrive a little after their time stamp; so much is read again while following.
OVERLAP_MS = 15_000


@dataclass(frozen=True, order=True)
class Line:
    """A line of a log.

    :ivar at: milliseconds since the epoch, by the writer's clock.
    :ivar event: CloudWatch's id, which tells two equal lines apart.
    """

    at: int
    event: str
    stream: str
    text: str

    def shown(self) -> str:
        """The line for people: time (UTC), the task's beginning, text."""
        moment = datetime.fromtimestamp(self.at / 1000, UTC)
        return f"{moment:%H:%M:%S} {short_stream(self.stream)}  {self.text}"


def short_stream(stream: str) -> str:
    """``app/booking/0123456789abcdef…`` → ``app 01234567``: the kind of task and which.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
    """
    parts = stream.split("/")
    return f"{parts[0]} {parts[-1][:8]}" if len(parts) == 3 else stream


def span_ms(text: str) -> int:
    """Return the length of ``15m``, ``2h`` or ``1d12h`` in milliseconds.

    :raises ValueError: it is none.
    """
    rest = text.strip()
    if not rest or not re.fullmatch(rf"(?:{_SPAN.pattern}\s*)+", rest):
        raise ValueError(f"{text!r} is no length of time: write 90s, 15m, 2h or 1d")
    return sum(int(number) * _SECONDS[unit] for number, unit in _SPAN.findall(rest)) * 1000


def windows(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Windows from ``end`` back to ``start``, each eight times as long as the one after it.

    The end of a window is not part of it, so that none is read twice.
    """
    size = FIRST_WINDOW_MS
    while end > start:
        begin = max(start, end - size)
        yield begin, end
        end, size = begin, size * WINDOW_GROWTH


def lines_of(events: Iterable[Mapping[str, Any]]) -> list[Line]:
    """Return FilterLogEvents' events as lines, in the order of time."""
    return sorted(
        Line(
            int(event.get("timestamp", 0)),
            str(event.get("eventId", "")),
            str(event.get("logStreamName", "")),
            str(event.get("message", "")).rstrip(),
        )
        for event in events
    )


class Fresh:
    """Tells lines that were not shown before, while the same time is read again and again."""

    def __init__(self) -> None:
        self._shown: dict[str, int] = {}

    def of(self, found: Iterable[Line]) -> list[Line]:
        """Return what is new, and remember it for as long as it can come again."""
        new = [line for line in found if line.event not in self._shown]
        self._shown |= {line.event: line.at for line in new}
        if self._shown:
            oldest = max(self._shown.values()) - 4 * OVERLAP_MS
            self._shown = {event: at for event, at in self._shown.items() if at >= oldest}
        return new
