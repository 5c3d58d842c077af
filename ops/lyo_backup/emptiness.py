"""What a database holds, so that a restore never meets anything; and a broken restore's removal.

While a restore is under way its database has the schema `lyo_backup_restore`: a database with it is
incomplete, and nothing in it is anybody's. The end of the restore removes it in the transaction that
leaves a comment on the database, which says what it was restored from. A setting of the database's own
would be refused: RDS's master user is no superuser.
"""

from __future__ import annotations

from typing import Any

from psycopg import sql

from .database import Connection

MARK = "lyo_backup_restore"
# How the comment on a restored database begins; the ID follows.
RESTORED = "lyo_backup: restored from "

_OURS = """
    n.nspname NOT LIKE 'pg\\_%%' AND n.nspname NOT IN ('information_schema', 'lyo_backup_restore')
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = %s::regclass
                    AND d.objid = o.oid AND d.deptype = 'e')
"""
# What is found, how it is called in DROP, and where. Order matters: what others hang on comes first.
_KINDS: tuple[tuple[str, str, str], ...] = (
    ("VIEW", "pg_class", "o.relkind = 'v'"),
    ("MATERIALIZED VIEW", "pg_class", "o.relkind = 'm'"),
    ("FOREIGN TABLE", "pg_class", "o.relkind = 'f'"),
    ("TABLE", "pg_class", "o.relkind IN ('r', 'p')"),
    ("SEQUENCE", "pg_class", "o.relkind = 'S'"),
    ("TYPE", "pg_class", "o.relkind = 'c'"),
    ("ROUTINE", "pg_proc", "true"),
    ("DOMAIN", "pg_type", "o.typtype = 'd'"),
    ("TYPE", "pg_type", "o.typtype IN ('e', 'r')"),
)
_PREFIXES = {"pg_class": "rel", "pg_proc": "pro", "pg_type": "typ"}


def objects(connection: Connection) -> list[tuple[str, str]]:
    """Return what a database holds besides its extensions: kind and name, ready for DROP."""
    found: list[tuple[str, str]] = []
    for kind, catalog, condition in _KINDS:
        prefix = _PREFIXES[catalog]
        name = (
            "o.oid::regprocedure::text"
            if catalog == "pg_proc"
            else f"format('%%I.%%I', n.nspname, o.{prefix}name)"
        )
        rows = connection.execute(
            f"SELECT {name} FROM {catalog} o JOIN pg_namespace n ON n.oid = o.{prefix}namespace"  # noqa: S608
            f" WHERE {condition} AND {_OURS} ORDER BY 1",
            (catalog,),
        )
        found += [(kind, str(one)) for (one,) in rows]
    rows = connection.execute(
        "SELECT format('%%I', n.nspname) FROM pg_namespace n, LATERAL (SELECT n.oid) o"  # noqa: S608
        f" WHERE {_OURS} AND n.nspname <> 'public' ORDER BY 1",
        ("pg_namespace",),
    )
    found += [("SCHEMA", str(one)) for (one,) in rows]
    rows = connection.execute("SELECT format('%I', pubname) FROM pg_publication ORDER BY 1")
    found += [("PUBLICATION", str(one)) for (one,) in rows]
    rows = connection.execute("SELECT oid FROM pg_largeobject_metadata ORDER BY 1")
    return found + [("LARGE OBJECT", str(one)) for (one,) in rows]


def marked(connection: Connection) -> str:
    """Return the backup whose restore was not completed here, empty for none."""
    there = connection.execute("SELECT to_regclass(%s)", (f"{MARK}.restore",)).fetchone()
    if there is None or there[0] is None:
        return ""
    row = connection.execute(f"SELECT id FROM {MARK}.restore").fetchone()  # noqa: S608
    return str(row[0]) if row else ""


def restored(connection: Connection) -> str:
    """Return the backup that this database was restored from, empty for none."""
    row = connection.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database"
        " WHERE datname = current_database()"
    ).fetchone()
    comment = str(row[0] or "") if row else ""
    return comment.removeprefix(RESTORED) if comment.startswith(RESTORED) else ""


def mark(connection: Connection, backup_id: str) -> None:
    """Say that a restore is under way."""
    with connection.transaction():
        connection.execute(f"CREATE SCHEMA {MARK}")
        connection.execute(f"CREATE TABLE {MARK}.restore (id text NOT NULL)")
        connection.execute(f"INSERT INTO {MARK}.restore VALUES (%s)", (backup_id,))  # noqa: S608


def complete(connection: Connection, backup_id: str) -> None:
    """Say that a restore has ended, and which."""
    with connection.transaction():
        connection.execute(f"DROP SCHEMA {MARK} CASCADE")
        statement = sql.SQL("COMMENT ON DATABASE {} IS {}").format(
            sql.Identifier(connection.info.dbname), sql.Literal(f"{RESTORED}{backup_id}")
        )
        connection.execute(statement)


def clear(connection: Connection) -> None:
    """Remove everything that a broken restore has made; only ever called where its mark is."""
    for kind, name in objects(connection):
        if kind == "LARGE OBJECT":
            connection.execute("SELECT lo_unlink(%s::oid)", (name,))
            continue
        statement: Any = f"DROP {kind} IF EXISTS {name} CASCADE"
        if kind == "PUBLICATION":
            statement = f"DROP PUBLICATION IF EXISTS {name}"
        connection.execute(statement)
    connection.execute(f"DROP SCHEMA {MARK} CASCADE")
