"""What to do instead: the safe recipe of each rule, squawk's and ours.

Sources of the recipes: https://squawkhq.com/docs/rules, https://github.com/ankane/strong_migrations,
https://www.postgresql.org/docs/current/sql-altertable.html (Notes) and
https://www.postgresql.org/docs/current/sql-createindex.html (Building Indexes Concurrently).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """What a rule's finding tells its reader.

    :ivar steps: what to write instead, one step a line.
    :ivar contract: whether a contract migration may do it: nothing that needs the old shape is left.
    :ivar by_size: whether the danger grows with the table, so that an allowance has a limit.
    """

    steps: tuple[str, ...]
    contract: bool = False
    by_size: bool = False


_NEW_COLUMN = (
    "expand: add a new column beside it (nullable, no default)",
    "expand: a trigger keeps both the same; backfill in batches (booking.migration.backfill)",
    "expand: constraints NOT VALID, then VALIDATE CONSTRAINT in a migration of its own",
    "release: read and write the new column",
    "contract, a release later: drop the trigger and the old column",
)
_LATER = (
    "release: stop using it, with everything that expanded in between",
    'contract, a release later: the same statement in a migration with lyo_kind = "contract"',
)
_BATCHES = (
    "backfill in batches of some thousand rows, each its own transaction: booking.migration.backfill",
)
_INDEX = (
    "outside of a transaction (Alembic: with op.get_context().autocommit_block()):",
    "DROP INDEX CONCURRENTLY IF EXISTS name;  -- an interrupted build leaves an invalid one",
    "CREATE INDEX CONCURRENTLY name ON …;",
)
_NOT_VALID = (
    "ALTER TABLE … ADD CONSTRAINT … NOT VALID;  -- holds for new rows at once, reads no old one",
    "ALTER TABLE … VALIDATE CONSTRAINT …;  -- in the next migration: writers go on",
)
_UNIQUE = (
    *_INDEX[:2],
    "CREATE UNIQUE INDEX CONCURRENTLY name ON …;",
    "then, in a transaction: ALTER TABLE … ADD CONSTRAINT name UNIQUE USING INDEX name;",
)
_VIEW = (
    "do not rename: running releases use the old name",
    "expand: add the new name beside it (a column kept the same by a trigger; for a table a view)",
    "release: use the new name",
    "contract, a release later: drop the old one",
)

RECIPES: dict[str, Recipe] = {
    # squawk's
    "adding-field-with-default": Recipe(
        (
            "ADD COLUMN without the default: a volatile one, or a generated column, rewrites the table",
            "ALTER COLUMN … SET DEFAULT …;  -- for new rows",
            *_BATCHES,
        ),
        by_size=True,
    ),
    "adding-foreign-key-constraint": Recipe(_NOT_VALID, by_size=True),
    "adding-not-nullable-field": Recipe(
        (
            "ADD CONSTRAINT c CHECK (col IS NOT NULL) NOT VALID;",
            "VALIDATE CONSTRAINT c;  -- in the next migration",
            "SET NOT NULL, then DROP CONSTRAINT c;  -- PostgreSQL 12 and later use the check, no scan",
        ),
        by_size=True,
    ),
    "adding-required-field": Recipe(
        (
            "ADD COLUMN with a constant default (rewrites nothing), or nullable",
            *_BATCHES,
            "then NOT NULL by a CHECK constraint: NOT VALID, VALIDATE, SET NOT NULL",
        )
    ),
    "adding-serial-primary-key-field": Recipe(
        (
            *_UNIQUE[:3],
            "then: ALTER TABLE … ADD CONSTRAINT name PRIMARY KEY USING INDEX name;",
        ),
        by_size=True,
    ),
    "ban-alter-domain-with-add-constraint": Recipe(
        ("ALTER DOMAIN … ADD CONSTRAINT … NOT VALID;", "ALTER DOMAIN … VALIDATE CONSTRAINT …;")
    ),
    "ban-concurrent-index-creation-in-transaction": Recipe(_INDEX),
    "ban-create-domain-with-constraint": Recipe(
        ("use text or numeric with a CHECK constraint of the table: NOT VALID, then VALIDATE",)
    ),
    "ban-drop-column": Recipe(_LATER, contract=True),
    "ban-drop-constraint": Recipe(
        (
            "running releases may rely on what it guarantees: release code that does not",
            *_LATER[1:],
        ),
        contract=True,
    ),
    "ban-drop-database": Recipe(("never in a migration: destroy.yml takes an environment down",)),
    "ban-drop-not-null": Recipe(
        (
            "running releases may not expect NULL: release code that does first",
            "then allow it here with that reason",
        ),
        contract=True,
    ),
    "ban-drop-table": Recipe(_LATER, contract=True),
    "ban-drop-schema": Recipe(_LATER, contract=True),
    "ban-truncate-cascade": Recipe(
        ("name each table: CASCADE also empties tables that nobody named",)
    ),
    "ban-uncommitted-transaction": Recipe(("end the transaction with COMMIT",)),
    "changing-column-type": Recipe(_NEW_COLUMN, by_size=True),
    "constraint-missing-not-valid": Recipe(_NOT_VALID, by_size=True),
    "disallowed-unique-constraint": Recipe(_UNIQUE, by_size=True),
    "renaming-column": Recipe(_VIEW),
    "renaming-table": Recipe(_VIEW),
    "renaming-object": Recipe(_VIEW),
    "require-concurrent-index-creation": Recipe(_INDEX, by_size=True),
    "require-concurrent-index-deletion": Recipe(
        (_INDEX[0], "DROP INDEX CONCURRENTLY IF EXISTS name;")
    ),
    "require-concurrent-partition-detach": Recipe(
        ("outside of a transaction: ALTER TABLE … DETACH PARTITION … CONCURRENTLY;",)
    ),
    "require-concurrent-reindex": Recipe(
        ("outside of a transaction: REINDEX INDEX CONCURRENTLY …;",), by_size=True
    ),
    "syntax-error": Recipe(("correct the statement: PostgreSQL would refuse it too",)),
    "transaction-nesting": Recipe(
        ("leave BEGIN and COMMIT out: each migration is one transaction",)
    ),
    # ours
    "cluster": Recipe(
        ("pg_repack (an RDS extension) rewrites a table with short locks only",), by_size=True
    ),
    "drop-cascade": Recipe(
        ("drop what depends on it by name first: CASCADE drops what nobody has read",)
    ),
    "drop-object": Recipe(_LATER, contract=True),
    "exclusion-constraint": Recipe(
        (
            "it cannot be NOT VALID and builds its index under the lock: create the table anew with it",
            "and move the rows in batches, or allow it here while the table is small",
        ),
        by_size=True,
    ),
    "index-not-rerunnable": Recipe(_INDEX),
    "json-column": Recipe(("jsonb: json has no equality, so SELECT DISTINCT and UNION fail",)),
    "lock-table": Recipe(
        ("leave it out: statements take the lock they need; LOCK TABLE stops everybody else",)
    ),
    "mixed-change": Recipe(
        (
            "one migration changes the schema, the next the rows: together the table stays locked",
            *_BATCHES,
        )
    ),
    "move-tablespace": Recipe(("RDS has one storage; leave it out",), by_size=True),
    "not-rerunnable": Recipe(
        (
            "with a part outside of a transaction an interrupted migration is repeated from its start:",
            "ADD COLUMN IF NOT EXISTS, CREATE … IF NOT EXISTS, DROP … IF EXISTS",
            "or move it into a migration of its own",
        )
    ),
    "opaque-block": Recipe(
        ("write the statements out: what DO or EXECUTE runs cannot be checked before it runs",)
    ),
    "partition-attach": Recipe(
        (
            "ALTER TABLE part ADD CONSTRAINT c CHECK (…the bounds…) NOT VALID; then VALIDATE CONSTRAINT c;",
            "then ATTACH PARTITION, which need not read the rows; allow it here with that reason",
        ),
        by_size=True,
    ),
    "refresh-view": Recipe(
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY …;  -- needs a unique index on it",), by_size=True
    ),
    "serial-column": Recipe(_NEW_COLUMN, by_size=True),
    "set-timeout": Recipe(
        (
            "leave it out: lock_timeout and statement_timeout are the inventory's (lyo_migration_timeouts)",
            "and hold for every statement",
        )
    ),
    "triggers-off": Recipe(
        ("leave triggers on: foreign keys and kept-the-same columns depend on them",)
    ),
    "truncate": Recipe(
        (
            "delete in batches, with what is kept in the WHERE: booking.migration.backfill",
            "or a contract migration that drops the table",
        )
    ),
    "unbounded-delete": Recipe(("DELETE with a WHERE, in batches of some thousand rows",)),
    "unbounded-update": Recipe(_BATCHES),
    "unknown-kind": Recipe(
        ('lyo_kind = "expand" or lyo_kind = "contract" at the top of the migration\'s file',)
    ),
    "unlogged": Recipe(
        ("a new table beside it and rows in batches: the change rewrites the table",), by_size=True
    ),
    "vacuum-full": Recipe(
        ("VACUUM without FULL; or pg_repack, which locks for moments only",), by_size=True
    ),
    "validate-at-once": Recipe(
        (
            "VALIDATE CONSTRAINT in a later migration: in one transaction the lock of ADD CONSTRAINT",
            "is held for the whole scan",
        )
    ),
    "bad-allow": Recipe(("-- lyo: allow <rule>: <reason>",)),
}
# For a rule of a newer squawk that has none here.
UNKNOWN = Recipe(("see https://squawkhq.com/docs/rules",))


def recipe(rule: str) -> Recipe:
    """Return the recipe of a rule."""
    return RECIPES.get(rule, UNKNOWN)
