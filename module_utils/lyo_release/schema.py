"""Which releases the database's schema still serves: decisions without I/O.

A release names the schema revisions its code runs on, as a set: revisions of Alembic have no order
that could be read from their names. Only the migrations know the order, so what they lead to is said
by the task that runs them: the revision the schema is at, the revisions whose code it still serves,
and those whose code it no longer does, because something was contracted. A release is served where
the two sets meet, however much later than it a migration was written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..lyo_ledger.record import Run
from .task_definition import SCHEMA_LABEL

# How the line of a migration's log begins that says where the schema is; JSON follows.
SAID = f"{SCHEMA_LABEL}: "
# Ends after which a run's migrations, if there were any, are on record.
_TOLD = frozenset({"DEPLOYED", "MIGRATED", "ROLLED_BACK", "UNCHANGED", "APPLIED", "STILL_RUNNING"})
_MIGRATING = ("deploy.yml", "migrate.yml")


@dataclass(frozen=True)
class Schema:
    """Where the database's schema is.

    :ivar revision: the revision it is at, empty for an empty database.
    :ivar serves: revisions whose code it serves, itself included; empty where nobody could say.
    :ivar contracted: revisions whose code it no longer serves.
    """

    revision: str
    serves: tuple[str, ...] = ()
    contracted: tuple[str, ...] = ()


def said(lines: Sequence[str]) -> Schema | None:
    """Return what a migration's log says last about the schema, None where it says nothing."""
    for line in reversed(lines):
        if line.startswith(SAID):
            return _parsed(line.removeprefix(SAID))
    return None


def _parsed(text: str) -> Schema | None:
    try:
        content = json.loads(text)
        revision = content["revision"]
        serves, contracted = (
            tuple(str(entry) for entry in content.get(name) or ())
            for name in ("serves", "contracted")
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return Schema("" if revision is None else str(revision), serves, contracted)


def on_record(runs: Iterable[Run]) -> tuple[Schema | None, Run | None]:
    """Return where the schema is by the ledger, and the run after which that is in doubt.

    :param runs: newest first.

    A run that was killed may have migrated without a word. A release that does not know the present
    revision names it alone; what it serves is then taken from the run that brought it about.
    """
    doubt: Run | None = None
    bare = ""
    for run in runs:
        if run.schema and bare in ("", run.schema):
            if run.schema_serves:
                return Schema(run.schema, run.schema_serves, run.schema_contracted), doubt
            bare = run.schema
        elif not bare and run.runbook in _MIGRATING and run.verdict not in _TOLD:
            doubt = doubt or run
    return (Schema(bare) if bare else None), doubt


def cannot_serve(name: str, revisions: Sequence[str], schema: Schema | None) -> str:
    """Return why a release cannot run on the schema as it is, empty where it can or nobody knows.

    :param name: the release, for people.
    :param revisions: what the release runs on.
    """
    if schema is None or not schema.serves or not revisions or set(revisions) & set(schema.serves):
        return ""
    if outlived(revisions, schema):
        return (
            f"{name} runs on schema {_either(revisions)}, but the database is at {schema.revision}, "
            f"which was contracted since and serves only {_either(schema.serves)}"
        )
    return f"{name} needs schema {_either(revisions)}, but the database is at {schema.revision}"


def outlived(revisions: Sequence[str], schema: Schema | None) -> bool:
    """Tell whether all that a release runs on was contracted: no migration of its own helps."""
    return schema is not None and bool(revisions) and set(revisions) <= set(schema.contracted)


def unknown(name: str, revisions: Sequence[str], schema: Schema | None) -> str:
    """Return why it could not be checked whether the schema serves a release, empty where it could."""
    if not revisions:
        return f"not checked against the schema: {name} does not say what it runs on"
    if schema is None or not schema.serves:
        return "not checked against the schema: no run on record says what it serves"
    return ""


def _either(revisions: Sequence[str]) -> str:
    """``0001``, ``0001 or 0002``, ``0001, 0002 or 0003``."""
    *most, last = revisions
    return f"{', '.join(most)} or {last}" if most else last
