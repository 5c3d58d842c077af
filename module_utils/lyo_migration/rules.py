"""Our own rules, where squawk is silent: decisions over statements, without I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .sql import Statement, named, table_of

EXPAND, CONTRACT = "expand", "contract"
KINDS = (EXPAND, CONTRACT)
# Before a statement that a migration's runner repeats for a few rows at a time.
BATCH_MARK = "lyo: in batches"


@dataclass(frozen=True)
class Finding:
    """One rule broken by one statement.

    :ivar message: what is wrong, for people.
    :ivar index: number of the statement, from 0; -1 for the migration as a whole.
    """

    rule: str
    message: str
    index: int = -1


# Each is looked for in Statement.words.
_PATTERNS: tuple[tuple[str, str, str], ...] = (
    ("cluster", r"^CLUSTER\b", "CLUSTER rewrites the table while nobody can read it"),
    ("vacuum-full", r"^VACUUM\b[^;]*\bFULL\b", "VACUUM FULL rewrites the table while nobody can read it"),
    ("lock-table", r"^LOCK\b", "an explicit lock stops everybody else until the transaction ends"),
    (
        "refresh-view",
        r"^REFRESH MATERIALIZED VIEW (?!CONCURRENTLY)",
        "nobody can read the view until it is refreshed",
    ),
    ("truncate", r"^TRUNCATE\b", "all rows are lost, and nobody can read the table meanwhile"),
    (
        "drop-object",
        r"^DROP (?:VIEW|MATERIALIZED VIEW|FUNCTION|PROCEDURE|TRIGGER|TYPE|DOMAIN|SEQUENCE|EXTENSION|RULE)\b",
        "running releases may use it",
    ),
    ("drop-cascade", r"^(?:ALTER TABLE\b.*\b)?DROP\b.*\bCASCADE\b", "CASCADE drops whatever depends on it"),
    ("unlogged", r"^ALTER TABLE\b.*\bSET (?:UN)?LOGGED\b", "the table is rewritten while nobody can read it"),
    ("move-tablespace", r"^ALTER (?:TABLE|INDEX|MATERIALIZED VIEW)\b.*\bSET TABLESPACE\b", "it is copied while nobody can use it"),
    (
        "exclusion-constraint",
        r"^ALTER TABLE\b.*\bADD (?:CONSTRAINT \S+ )?EXCLUDE\b",
        "its index is built while nobody can use the table",
    ),
    (
        "serial-column",
        r"^ALTER TABLE\b.*\bADD (?:COLUMN )?(?:IF NOT EXISTS )?\S+ (?:(?:SMALL|BIG)?SERIAL\d?\b|[^,]*\bAS IDENTITY\b)",
        "every row gets a number: the table is rewritten while nobody can read it",
    ),
    ("json-column", r"\bADD (?:COLUMN )?(?:IF NOT EXISTS )?\S+ JSON\b", "a column of type json"),
    (
        "partition-attach",
        r"^ALTER TABLE\b.*\bATTACH PARTITION\b",
        "all rows of the partition are read under its lock, unless a check constraint shows that they fit",
    ),
    (
        "triggers-off",
        r"^ALTER TABLE\b.*\b(?:DISABLE (?:TRIGGER|RULE|ROW LEVEL SECURITY))\b|^SET (?:LOCAL |SESSION )?SESSION_REPLICATION_ROLE\b",
        "rows written meanwhile are checked by nobody",
    ),
    (
        "set-timeout",
        r"^(?:SET|RESET)\b.*\b(?:LOCK_TIMEOUT|STATEMENT_TIMEOUT|TRANSACTION_TIMEOUT|IDLE_IN_TRANSACTION_SESSION_TIMEOUT|ALL)\b|\bSET_CONFIG \(",
        "the migration changes a setting that protects the application from it",
    ),
    ("opaque-block", r"^DO\b|^EXECUTE\b|^CALL\b", "what it runs cannot be seen before it runs"),
    (
        "renaming-object",
        r"^ALTER (?:VIEW|MATERIALIZED VIEW|TYPE|FUNCTION|SCHEMA|SEQUENCE|DOMAIN)\b.*\b(?:RENAME|SET SCHEMA)\b|^ALTER TABLE\b.*\bSET SCHEMA\b",
        "running releases use the old name",
    ),
)  # fmt: skip
_COMPILED = tuple((rule, re.compile(pattern), why) for rule, pattern, why in _PATTERNS)
_CONCURRENTLY = re.compile(
    r"^CREATE (?:UNIQUE )?INDEX CONCURRENTLY (?P<exists>IF NOT EXISTS )?(?P<name>\S+) ON\b"
)
_DROPPED_INDEX = re.compile(r"^DROP INDEX CONCURRENTLY (?:IF EXISTS )?(?P<name>\S+)")
_DROPPED_CONSTRAINT = re.compile(r"\bDROP CONSTRAINT IF EXISTS (?P<name>\S+)")
_ADDED_CONSTRAINT = re.compile(r"\bADD CONSTRAINT (?P<name>\S+)")
_NEW_TABLE = re.compile(r"^CREATE (?:UNLOGGED |TEMP |TEMPORARY )?TABLE\b")
_ROWS = re.compile(r"^(?:WITH\b.*\) )?(?:UPDATE|DELETE FROM)\b|^INSERT INTO\b.*\bSELECT\b")
_RERUNNABLE = re.compile(
    r"\bIF (?:NOT )?EXISTS\b|^CREATE OR REPLACE\b|^(?:COMMENT|GRANT|REVOKE|SET|RESET|ANALYZE|VACUUM|SELECT)\b"
    r"|\bVALIDATE CONSTRAINT\b|\bALTER COLUMN\b|^UPDATE\b|^DELETE\b|^BEGIN|^START TRANSACTION|^COMMIT|^END\b"
    r"|^REINDEX\b"
)


def new_tables(statements: Sequence[Statement]) -> frozenset[str]:
    """Return the tables that these statements create: nobody uses them yet."""
    return frozenset(table_of(s.words) for s in statements if _NEW_TABLE.match(s.words))


def in_batches(statement: Statement) -> bool:
    """Tell whether the migration's runner repeats the statement for a few rows at a time."""
    return any(BATCH_MARK in comment for comment in statement.comments)


def changes_rows(statement: Statement) -> bool:
    """Tell whether the statement writes rows of a table by a query."""
    return _ROWS.match(statement.words) is not None


def find(
    statements: Sequence[Statement], kind: str, known_new: frozenset[str] = frozenset()
) -> list[Finding]:
    """Return what our rules say about one migration.

    :param known_new: tables that an earlier migration of the same plan creates.
    """
    found = []
    if kind not in KINDS:
        shown = repr(kind) if kind else "nothing"
        found.append(Finding("unknown-kind", f"the migration says {shown} about its kind"))
    new = new_tables(statements) | known_new
    for index, statement in enumerate(statements):
        if table_of(statement.words) in new:
            continue
        for rule, pattern, why in _COMPILED:
            if pattern.search(statement.words):
                found.append(Finding(rule, why, index))
        found += [Finding(rule, why, index) for rule, why in _rows(statement)]
    found += _validated_at_once(statements)
    found += _mixed(statements, new)
    found += _not_rerunnable(statements)
    return found


def _rows(statement: Statement) -> Iterator[tuple[str, str]]:
    """Yield what changes every row at once."""
    if in_batches(statement) or not changes_rows(statement):
        return
    words = _without_parentheses(statement.words)
    if re.search(r"\bWHERE\b", words):
        return
    if re.search(r"\bDELETE FROM\b", words):
        yield "unbounded-delete", "every row is deleted, in one transaction"
    elif re.match(r"(?:WITH\b.* )?UPDATE\b", words):
        yield "unbounded-update", "every row is rewritten and stays locked, in one transaction"


def _without_parentheses(words: str) -> str:
    """Return the words outside of parentheses: a WHERE in a subquery bounds nothing."""
    depth, kept = 0, []
    for word in words.split(" "):
        depth += word == "("
        if depth == 0:
            kept.append(word)
        depth -= word == ")"
    return " ".join(kept)


def _validated_at_once(statements: Sequence[Statement]) -> Iterator[Finding]:
    """A constraint added and validated in one transaction gains nothing."""
    added: set[str] = set()
    for index, statement in enumerate(statements):
        if not statement.in_transaction:
            added.clear()
            continue
        added |= {
            named(m)
            for m in re.findall(r"\bADD CONSTRAINT (\S+) .*?\bNOT VALID\b", statement.words)
        }
        for name in re.findall(r"\bVALIDATE CONSTRAINT (\S+)", statement.words):
            if named(name) in added:
                yield Finding(
                    "validate-at-once",
                    f"{named(name)} is validated in the transaction that adds it",
                    index,
                )


def _mixed(statements: Sequence[Statement], new: frozenset[str]) -> Iterator[Finding]:
    """Rows changed while an ALTER TABLE of the same transaction holds its lock."""
    altered = False
    for index, statement in enumerate(statements):
        if not statement.in_transaction:
            altered = False
        elif statement.words.startswith("ALTER TABLE") and table_of(statement.words) not in new:
            altered = True
        elif altered and changes_rows(statement) and table_of(statement.words) not in new:
            yield Finding(
                "mixed-change",
                "rows are changed while the lock of an ALTER TABLE before it is held",
                index,
            )


def _not_rerunnable(statements: Sequence[Statement]) -> Iterator[Finding]:
    """What an interrupted migration could not be repeated with.

    A migration in one transaction leaves nothing behind; any other is repeated from its start.
    """
    controls = ("BEGIN", "START TRANSACTION", "COMMIT", "END")
    real = [s for s in statements if not s.words.startswith(controls)]
    split = len(real) > 1 and not all(s.in_transaction for s in real)
    dropped: set[str] = set()
    for index, statement in enumerate(statements):
        gone = _DROPPED_INDEX.match(statement.words)
        if gone:
            dropped.add(named(gone.group("name")).rpartition(".")[2])
        built = _CONCURRENTLY.match(statement.words)
        if built:
            name = named(built.group("name"))
            if built.group("exists") or name not in dropped:
                why = (
                    "IF NOT EXISTS takes an invalid index for a good one"
                    if built.group("exists")
                    else f"an interrupted build leaves {name} invalid, and the next run stumbles over it"
                )
                yield Finding("index-not-rerunnable", why, index)
        gone = _DROPPED_CONSTRAINT.search(statement.words)
        if gone:
            dropped.add(named(gone.group("name")))
        added = _ADDED_CONSTRAINT.search(statement.words)
        if added and named(added.group("name")) in dropped:
            continue
        if split and not built and not _RERUNNABLE.search(statement.words):
            yield Finding(
                "not-rerunnable",
                "part of the migration is outside of a transaction, and this cannot be repeated",
                index,
            )
