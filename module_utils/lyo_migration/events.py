"""What the image's migration command says, read from its log: docs/decisions/migrations.md.

A line ``lyo.migrate: {"event": …}`` is for the runbook; every other line is for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..lyo_release.said import parse as parse_event
from ..lyo_release.schema import Schema
from .lint import Migration

PREFIX = "lyo.migrate: "
NOTHING = "nothing"
# Exit codes of the command.
DONE, PENDING, LOCKED = 0, 3, 4
FACTS = ("table", "transaction", "prepared", "invalid_index", "replica", "database")


class BadReportError(Exception):
    """The command's report cannot be relied on; the message says why."""


@dataclass(frozen=True)
class Plan:
    """What is pending, and what it would meet.

    :ivar digest: what an approval names, ``nothing`` where nothing is pending.
    :ivar fresh: the database is empty: nobody waits for it, and nothing can be lost.
    :ivar current: revision the schema is at, empty for none.
    :ivar server: PostgreSQL's version, as ``18.6``.
    :ivar problem: why the command itself would refuse, empty where it would not.
    :ivar after: where the schema will be.
    :ivar facts: by kind (``table``, ``transaction``, …), a list each.
    """

    digest: str = NOTHING
    migrations: tuple[Migration, ...] = ()
    fresh: bool = False
    current: str = ""
    target: str = ""
    server: str = ""
    problem: str = ""
    after: Schema | None = None
    facts: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def contracts(self) -> bool:
        """Whether anything in it contracts."""
        return any(migration.kind == "contract" for migration in self.migrations)

    def tables(self) -> dict[str, Mapping[str, Any]]:
        """Return the live tables by name, without ``public``."""
        return {str(t["name"]).removeprefix("public."): t for t in self.facts.get("table", ())}


def parse(line: str) -> dict[str, Any] | None:
    """Return the event of a line, None for a line that is for people."""
    return parse_event(line, PREFIX)


def plan(events: Iterable[Mapping[str, Any]]) -> Plan:
    """Return the plan that a task said.

    :raises BadReportError: it said none, or only a part of it reached the log.
    """
    said = list(events)
    heads = [e for e in said if e["event"] == "plan"]
    if not heads:
        raise BadReportError("the migration command said no plan (see lyo_migration_reports)")
    head = heads[-1]
    texts: dict[str, list[str]] = {}
    promised: dict[str, int] = {}
    facts: dict[str, list[Mapping[str, Any]]] = {name: [] for name in FACTS}
    steps = []
    for event in said:
        if event["event"] == "migration":
            steps.append(event)
        elif event["event"] == "sql":
            texts.setdefault(str(event["revision"]), []).append(str(event["text"]))
            promised[str(event["revision"])] = int(event["parts"])
        elif event["event"] in facts:
            facts[str(event["event"])].append(event)
    count = sum(len(found) for found in facts.values())
    short = any(
        len(texts.get(str(s["revision"]), ())) != promised.get(str(s["revision"]), 1) for s in steps
    )
    if len(steps) != int(head["count"]) or short or count != int(head.get("facts", 0)):
        raise BadReportError(
            "part of the plan is missing in the task's log: run the same command again"
        )
    return Plan(
        digest=str(head["digest"]),
        migrations=tuple(
            Migration(
                str(s["revision"]),
                str(s.get("kind", "")),
                str(s.get("title", "")),
                "".join(texts.get(str(s["revision"]), ())),
                {str(k): str(v) for k, v in (s.get("allow") or {}).items()},
            )
            for s in steps
        ),
        fresh=bool(head.get("fresh")),
        current=str(head.get("current", "")),
        target=str(head.get("target", "")),
        server=str(head.get("server", "")),
        problem=str(head.get("problem", "")),
        after=_schema(head.get("after")),
        facts=facts,
    )


def _schema(said: Any) -> Schema | None:
    """Return a schema as the command describes it, None where it does not."""
    if not isinstance(said, Mapping) or not said.get("revision"):
        return None
    serves, contracted = (
        tuple(str(entry) for entry in said.get(name) or ()) for name in ("serves", "contracted")
    )
    return Schema(str(said["revision"]), serves, contracted)


def shown(plan: Plan) -> list[str]:
    """Return the plan as people read it: each migration with its SQL, unless the database is empty."""
    lines = []
    for migration in plan.migrations:
        lines.append(
            f"migration {migration.revision} ({migration.kind or 'of no kind'}): {migration.title}"
        )
        if not plan.fresh:
            lines += [f"    {line}" for line in migration.sql.splitlines() if line.strip()]
    return lines


def said_text(event: Mapping[str, Any]) -> str:
    """Return what a person reads of an event while it happens, empty for what only a plan needs."""
    name = event["event"]
    if name == "step":
        return f"{event['revision']} {event.get('title', '')} ({event['number']} of {event['of']})"
    if name == "batch":
        return f"{event['table']}: {event['changed']} rows changed"
    if name == "index":
        return f"index on {event.get('table')}: {event.get('phase')}"
    if name == "retry":
        return f"no lock, attempt {event['attempt']} of {event['of']}: once more in {event['seconds']} s"
    if name == "waiting":
        return "waits for " + ("; ".join(blockers(event)) or "a lock")
    return ""


def blockers(event: Mapping[str, Any]) -> list[str]:
    """Return a line for each session that an event says is in the way."""
    return [session(one) for one in event.get("blockers") or ()]


def session(one: Mapping[str, Any]) -> str:
    """Return a session of PostgreSQL in words."""
    parts = [f"pid {one.get('pid')} ({one.get('application') or 'no name'}), {one.get('state')}"]
    if one.get("seconds") is not None:
        parts.append(f"in its transaction for {one['seconds']} s")
    if one.get("query_start"):
        parts.append(f"query since {str(one['query_start'])[:19]}")
    if one.get("query"):
        parts.append(str(one["query"]))
    return ", ".join(parts)


def failure(events: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the event that says why a task failed, empty where it said nothing."""
    found: Mapping[str, Any] = {}
    for event in events:
        if event["event"] == "failed":
            found = event
    return found
