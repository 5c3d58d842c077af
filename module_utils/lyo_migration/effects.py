"""What statements do to data: what is lost for good, what is read or written as a whole."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .lint import Migration, shortened
from .rules import changes_rows, in_batches, new_tables
from .sql import Statement, named, table_of

REWRITE, INDEX, SCAN, ROWS = "rewrites", "indexes", "reads", "changes rows of"
_LOSSES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), what)
    for pattern, what in (
        (r"^DROP (?:TABLE|SCHEMA|DATABASE|MATERIALIZED VIEW)\b", "drops what it holds"),
        (r"^ALTER TABLE\b.*\bDROP (?:COLUMN\b|(?!CONSTRAINT|DEFAULT|NOT|EXPRESSION|IDENTITY)\S+)", "drops a column"),
        (r"^TRUNCATE\b", "empties a table"),
        (r"^(?:WITH\b.*\) )?DELETE FROM\b", "deletes rows"),
    )
)  # fmt: skip
_TYPE = re.compile(
    r"\bALTER (?:COLUMN )?(?P<column>\"[^\"]+\"|\S+) (?:SET DATA )?TYPE (?P<type>.+?)(?: USING\b| COLLATE\b|,|$)"
)
# Each holds everything that the ones before it in its row hold.
_WIDENING = (
    ("smallint", "integer", "bigint", "numeric"),
    ("real", "double precision"),
    ("character varying", "text"),
)
_NAMES = {
    "int": "integer", "int4": "integer", "int8": "bigint", "int2": "smallint", "varchar": "character varying",
    "float4": "real", "float8": "double precision", "decimal": "numeric", "timestamptz": "timestamp with time zone",
    "bool": "boolean",
}  # fmt: skip


@dataclass(frozen=True)
class Effect:
    """What one statement does to one table as a whole: ``what`` is one of the words above."""

    revision: str
    table: str
    what: str
    statement: str


def losses(migrations: Sequence[Migration], tables: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what is lost for good, one line each: a snapshot is taken before it.

    :param tables: the live ones, with their columns' types; a type that is not known counts as
        wider than the new one.
    """
    found = []
    new: frozenset[str] = frozenset()
    for migration in migrations:
        parsed = migration.statements
        new |= new_tables(parsed)
        for statement in parsed:
            if table_of(statement.words) in new:
                continue
            for pattern, what in _LOSSES:
                if pattern.search(statement.words):
                    found.append(f"{migration.revision} {what}: {shortened(statement.text)}")
            columns = tables.get(table_of(statement.words), {}).get("columns") or {}
            if statement.words.startswith("ALTER TABLE"):
                for match in _TYPE.finditer(statement.words):
                    old = str(columns.get(named(match.group("column")), ""))
                    if not widens(old, match.group("type").lower()):
                        found.append(
                            f"{migration.revision} narrows a type: {shortened(statement.text)}"
                        )
    return found


def widens(old: str, new: str) -> bool:
    """Tell whether each value of the type ``old`` is one of the type ``new``."""
    (old_name, old_size), (new_name, new_size) = _type(old), _type(new)
    if not old_name:
        return False
    if old_name == new_name:
        return new_size is None or (
            old_size is not None and len(old_size) == 1 and old_size <= new_size
        )
    for row in _WIDENING:
        if old_name in row and new_name in row:
            return row.index(old_name) < row.index(new_name) and new_size is None
    return False


def _type(text: str) -> tuple[str, tuple[int, ...] | None]:
    """Return a type's full name and its size: ``varchar ( 20 )`` is character varying and (20,)."""
    name = " ".join(re.sub(r"\(.*?\)", " ", text).split())
    size = re.search(r"\(([\d\s,]+)\)", text)
    numbers = tuple(int(part) for part in size.group(1).split(",")) if size else None
    return _NAMES.get(name, name), numbers


_WHOLE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), what)
    for pattern, what in (
        (r"^CREATE (?:UNIQUE )?INDEX\b|^REINDEX\b", INDEX),
        (r"^ALTER TABLE\b.*\bADD (?:CONSTRAINT \S+ )?(?:UNIQUE|PRIMARY KEY|EXCLUDE)\b(?!.*\bUSING INDEX\b)", INDEX),
        (r"\bVALIDATE CONSTRAINT\b", SCAN),
        (r"^ALTER TABLE\b.*\bADD (?:CONSTRAINT \S+ )?(?:CHECK|FOREIGN KEY)\b(?!.*\bNOT VALID\b)", SCAN),
        (r"^ALTER TABLE\b.*\bSET NOT NULL\b", SCAN),
        (r"^ALTER TABLE\b.*\bTYPE\b|^ALTER TABLE\b.*\bSET (?:UN)?LOGGED\b|^ALTER TABLE\b.*\bSTORED\b|^CLUSTER\b|^VACUUM\b.*\bFULL\b", REWRITE),
    )
)  # fmt: skip


def effects(migrations: Sequence[Migration]) -> list[Effect]:
    """Return what the plan does to tables as a whole, in order."""
    found: list[Effect] = []
    new: frozenset[str] = frozenset()
    for migration in migrations:
        parsed = migration.statements
        new |= new_tables(parsed)
        for statement in parsed:
            table = table_of(statement.words)
            if table and table not in new:
                found += [
                    Effect(migration.revision, table, what, shortened(statement.text))
                    for what in _whole(statement)
                ]
    return found


def _whole(statement: Statement) -> list[str]:
    if changes_rows(statement):
        return [ROWS]
    return [what for pattern, what in _WHOLE if pattern.search(statement.words)][:1]


def unbatched(migrations: Sequence[Migration]) -> list[tuple[str, str, str]]:
    """Return revision, table and text of what changes rows by one query, not in batches."""
    return [
        (migration.revision, table_of(statement.words), shortened(statement.text))
        for migration in migrations
        for statement in migration.statements
        if changes_rows(statement) and not in_batches(statement)
    ]


def waits_for_everybody(migrations: Sequence[Migration]) -> bool:
    """Tell whether a statement waits for every transaction that began before it."""
    return any(
        re.search(r"\bCONCURRENTLY\b", statement.words)
        for migration in migrations
        for statement in migration.statements
    )


def touched(migrations: Sequence[Migration]) -> set[str]:
    """Return the tables that the plan names."""
    return {
        table
        for migration in migrations
        for statement in migration.statements
        if (table := table_of(statement.words))
    }
