"""What the ledger says of the past, for whoever can do without it: an unreadable one is a note."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_ledger.record import Run
from ..lyo_ledger.store import Ledger
from . import schema

# The streams of migrations: the name of the one-off task, see task_definition.render.
_MIGRATIONS = "migrate/"


class Past:
    """The runs on record, read as far as they are needed, each once.

    :param place: ``bucket`` and ``prefix`` of the ledger; None where there is none.
    :ivar problem: why it cannot be read, empty where it can.
    """

    def __init__(self, aws: Aws, place: Mapping[str, Any] | None) -> None:
        self._aws = aws
        self._runs: list[Run] = []
        self._rest: Iterator[Run] = iter(())
        self.problem = "" if place else "no ledger was named"
        if place:
            self._rest = Ledger(aws, place["bucket"], place["prefix"]).walk()

    def runs(self, count: int | None = None) -> list[Run]:
        """Return the last ``count`` runs, newest first; all of a year without ``count``."""
        walked = self._walk()
        while (count is None or len(self._runs) < count) and next(walked, None) is not None:
            pass
        return self._runs[:count]

    def _walk(self) -> Iterator[Run]:
        """Yield what has not been read yet, and keep it."""
        try:
            for run in self._rest:
                self._runs.append(run)
                yield run
        except AwsFailure as failure:
            self.problem = f"the ledger cannot be read: {failure.message}"

    def _each(self) -> Iterator[Run]:
        yield from list(self._runs)
        yield from self._walk()

    def present(self, log_group: str) -> tuple[schema.Schema | None, str]:
        """Return where the schema is, and why that is in doubt (empty where it is not).

        After a run that ended without a word, the log of its migration is asked.

        :param log_group: log group of the application's tasks, empty where it is not known.
        """
        found, doubt = schema.on_record(self._each())
        if self.problem or doubt is None:
            return found, self.problem
        said = self._logged(log_group, doubt.started_at) if log_group else None
        if said is not None:
            same = found is not None and not said.serves and said.revision == found.revision
            return (found if same else said), ""
        return found, (
            f"the run of {doubt.started_at} ({doubt.command}) ended as {doubt.verdict}; "
            "whether it migrated is not known"
        )

    def _logged(self, group: str, since: str) -> schema.Schema | None:
        """Return what the last migration since then said in its log.

        https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
        """
        try:
            events = self._aws.all(
                "logs",
                "filter_log_events",
                "events",
                logGroupName=group,
                logStreamNamePrefix=_MIGRATIONS,
                startTime=int(datetime.fromisoformat(since).timestamp() * 1000),
                filterPattern=f'"{schema.SAID.strip()}"',
            )
        except (AwsFailure, ValueError):
            return None
        events = [e for e in events if str(e.get("logStreamName", "")).startswith(_MIGRATIONS)]
        events.sort(key=lambda event: int(event.get("timestamp", 0)))
        return schema.said([str(event["message"]).rstrip() for event in events])
