"""One run in the ledger: what is known when it begins, and what its end adds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

RUNNING = "RUNNING"
# The controller ended without saying how: killed, or its machine is gone.
KILLED = "KILLED"
INTERRUPTED = "INTERRUPTED"


@dataclass(frozen=True)
class Run:
    """One run of a runbook that writes.

    Times are ISO 8601 in UTC, durations are seconds by step. What a run did not touch is empty.

    :ivar verdict: RUNNING until the run has ended, then its verdict, or KILLED.
    :ivar revision: git revision of this repository, with ``-dirty`` where it was changed.
    :ivar aim: task definition that a rollback sets out to deploy, known from its beginning.
    :ivar drill: what a recovery drill found: RTO, RPO, rows (lyo_restore.drill.Drill).
    :ivar baking: whether the run left its release while that could still be turned back.
    :ivar backup: ID of the backup that the run made.
    :ivar schema: schema revision of the database after the run, as its migrations said.
    :ivar schema_serves: revisions whose releases that schema serves.
    :ivar schema_contracted: revisions whose releases it no longer serves.
    :ivar schema_range: revisions that the run's release runs on.
    """

    run: str
    token: int
    env: str
    runbook: str
    command: str
    owner: str
    host: str
    started_at: str
    ended_at: str = ""
    verdict: str = RUNNING
    reasons: tuple[str, ...] = ()
    durations: Mapping[str, float] = field(default_factory=dict)
    revision: str = ""
    release: str = ""
    previous: str = ""
    image: str = ""
    task_definition: str = ""
    deployment: str = ""
    service_revision: str = ""
    schema: str = ""
    schema_serves: tuple[str, ...] = ()
    schema_contracted: tuple[str, ...] = ()
    schema_range: tuple[str, ...] = ()
    aim: str = ""
    drill: Mapping[str, Any] = field(default_factory=dict)
    baking: bool = False
    backup: str = ""

    @property
    def key(self) -> str:
        """Its place below the ledger's prefix; sorts by time within a month's folder."""
        return f"{self.started_at[:7]}/{self.started_at.replace(':', '')}-{self.run}.json"

    def to_json(self) -> bytes:
        """The object's body."""
        return json.dumps(asdict(self), sort_keys=True, indent=1).encode()


# What the end of a run may add; who and when are its beginning's.
_AT_THE_END = (
    "verdict",
    "reasons",
    "durations",
    "release",
    "previous",
    "image",
    "task_definition",
    "deployment",
    "service_revision",
    "schema",
    "schema_serves",
    "schema_contracted",
    "schema_range",
    "drill",
    "baking",
    "backup",
)
_TUPLES = ("reasons", "schema_serves", "schema_contracted", "schema_range")


def ended(run: Run, end: Mapping[str, Any] | None, at: str) -> Run:
    """Return the run with its end.

    :param end: what the controller said of it; None where it died without a word.
    """
    if end is None:
        return replace(run, ended_at=at, verdict=KILLED)
    known: dict[str, Any] = {name: end[name] for name in _AT_THE_END if end.get(name)}
    known |= {name: _texts(known[name]) for name in _TUPLES if name in known}
    return replace(run, ended_at=at, **{"verdict": INTERRUPTED, **known})


def _texts(values: Sequence[Any]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)


def parse(body: bytes) -> Run:
    """Return a run from its object's body.

    :raises ValueError: it is not one.
    """
    try:
        content = json.loads(body)
        run = Run(**{name: content[name] for name in content if name in Run.__annotations__})
    except (ValueError, TypeError) as error:
        raise ValueError(f"not a record of the ledger: {error}") from None
    texts: dict[str, Any] = {name: _texts(getattr(run, name)) for name in _TUPLES}
    return replace(run, **texts)


def months_back(month: str, count: int) -> Sequence[str]:
    """``2026-11``, 3 → ``2026-11``, ``2026-10``, ``2026-09``."""
    year, number = (int(part) for part in month.split("-"))
    found = []
    for _ in range(count):
        found.append(f"{year:04d}-{number:02d}")
        year, number = (year, number - 1) if number > 1 else (year - 1, 12)
    return found
