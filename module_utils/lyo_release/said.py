"""What a one-off task says while it runs: events for the runbook, lines for people.

An event is a line ``<prefix>{"event": …}`` of the task's log; every other line is for people.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..lyo_progress import Progress
from .run_task import OneOff, judge

# The log may arrive later than the end of the task.
REPORT_SECONDS = 30.0
_TAIL = 40

Event = Mapping[str, Any]


def parse(line: str, prefix: str) -> dict[str, Any] | None:
    """Return the event of a line, None for a line that is for people."""
    if not line.startswith(prefix):
        return None
    try:
        event = json.loads(line.removeprefix(prefix))
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


@dataclass(frozen=True)
class Told:
    """What came of a task that was followed.

    :ivar code: its exit code; None where it never started, or still runs.
    :ivar running: whether it still runs.
    :ivar events: what it said to the runbook, in order.
    :ivar lines: the last lines it said to people.
    :ivar reasons: what went wrong, empty for exit code 0.
    """

    code: int | None
    running: bool
    arn: str
    events: tuple[Event, ...]
    lines: tuple[str, ...]
    reasons: tuple[str, ...]


class Lines:
    """Progress of a task: its events in words, its other lines as they are.

    :param stage: what the events' progress belongs to.
    :param parsed: returns the event of a line.
    :param words: returns what a person reads of an event, empty for nothing.
    :param hidden: tells the other lines that are not for people.
    """

    def __init__(
        self,
        progress: Progress,
        stage: str,
        parsed: Callable[[str], Event | None],
        words: Callable[[Event], str],
        hidden: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._progress, self._stage = progress, stage
        self._parsed, self._words, self._hidden = parsed, words, hidden

    def __call__(self, stage: str, text: str, percent: int | None = None) -> None:
        """Send an event of our own."""
        self._progress(stage, text, percent)

    def line(self, text: str) -> None:
        """Show a line of the log, unless it is for the runbook alone."""
        said = text.strip()
        event = self._parsed(said)
        if event is not None:
            share = event.get("percent")
            shown = self._words(event)
            if shown:
                self._progress(
                    self._stage, shown, int(share) if isinstance(share, (int, float)) else None
                )
        elif not self._hidden(said):
            self._progress.line(text)


def follow(
    one_off: OneOff,
    arn: str,
    definition: Mapping[str, Any],
    container: str,
    parsed: Callable[[str], Event | None],
    ended: Callable[[Sequence[Event], Sequence[str]], bool],
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> Told:
    """Follow a task to its end, and its log to what it says last.

    :param parsed: returns the event of a line.
    :param ended: whether events and lines have what the task says last; waited for ``REPORT_SECONDS``.
    :raises AwsFailure: it cannot be followed.
    """
    events: list[Event] = []
    lines: list[str] = []

    def listen(line: str) -> None:
        event = parsed(line)
        if event is not None:
            events.append(event)
        else:
            lines.append(line)

    one_off.listen = listen
    task, log = one_off.follow(arn, definition)
    code, wrong = judge(task, container)
    running = task.get("lastStatus") != "STOPPED"
    until = clock() + REPORT_SECONDS
    while not running and code is not None and not ended(events, lines) and clock() <= until:
        sleep(1.0)
        log.read()
    return Told(code, running, arn, tuple(events), tuple(lines[-_TAIL:]), tuple(wrong))
