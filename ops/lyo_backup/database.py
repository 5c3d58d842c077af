"""The database: connections, the snapshot, what the catalog says, what tables hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from . import VERSION
from .manifest import Table
from .settings import Settings
from .tenants import ForeignKey, columns

Connection = psycopg.Connection[tuple[Any, ...]]
# A table's own lock is asked for so long; who holds it exclusively is in the way of everybody.
LOCK_SECONDS = 30
# How a row looks as text must not depend on whose session it is.
_FIXED = {
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "search_path": "pg_catalog",
    "row_security": "off",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": f"{LOCK_SECONDS}s",
    "jit": "off",
    # How much of the server is used the number of jobs alone decides.
    "max_parallel_workers_per_gather": "0",
}
_OURS = """
    n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT 1 FROM pg_depend d
                    WHERE d.classid = {catalog}::regclass AND d.objid = {oid} AND d.deptype = 'e')
"""
_CLASSES = _OURS.format(catalog="'pg_class'", oid="c.oid")


@dataclass(frozen=True)
class Found:
    """A table in the catalog.

    :ivar bytes: on disk, without indexes.
    :ivar columns: in their order.
    :ivar types: of the columns, as SQL names them.
    """

    schema: str
    table: str
    bytes: int
    columns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """With its schema."""
        return f"{self.schema}.{self.table}"


def connect(name: str, *, database: str | None = None) -> Connection:
    """Connect to the database that libpq's environment names.

    :param name: what the session does, for pg_stat_activity.
    :raises psycopg.Error: it cannot be reached.
    """
    connection: Connection = psycopg.connect(
        dbname=database,
        autocommit=True,
        connect_timeout=30,
        application_name=f"lyo_backup {VERSION} {name}",
        keepalives_idle=30,
        keepalives_interval=10,
        keepalives_count=6,
    )
    for setting, value in _FIXED.items():
        connection.execute("SELECT set_config(%s, %s, false)", (setting, value))
    return connection


def lock_number(text: str) -> int:
    """Return the advisory lock of a name: 63 bits of its hash."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1


def try_lock(connection: Connection, name: str) -> bool:
    """Take the advisory lock of a name for this session, without waiting."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (lock_number(name),)).fetchone()
    return bool(row and row[0])


def release(connection: Connection, name: str) -> None:
    """Give an advisory lock back."""
    connection.execute("SELECT pg_advisory_unlock(%s)", (lock_number(name),))


def one(connection: Connection, query: str, parameters: Sequence[Any] = ()) -> Any:
    """Return the first column of the first row."""
    row = connection.execute(query, parameters or None).fetchone()
    return row[0] if row else None


def tables(connection: Connection) -> list[Found]:
    """Return tables that hold rows themselves, the largest first; no members of extensions."""
    rows = connection.execute(
        "SELECT n.nspname, c.relname, pg_table_size(c.oid), a.names, a.types"  # noqa: S608 - a constant
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,"
        " LATERAL (SELECT coalesce(array_agg(attname::text ORDER BY attnum), '{}') AS names,"
        " coalesce(array_agg(format_type(atttypid, NULL) ORDER BY attnum), '{}') AS types"
        " FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) a"
        f" WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND {_CLASSES}"
        " ORDER BY 3 DESC, 1, 2"
    )
    return [Found(str(s), str(t), int(size), tuple(c), tuple(ty)) for s, t, size, c, ty in rows]


def foreign_keys(connection: Connection) -> list[ForeignKey]:
    """Return the foreign keys of all tables."""
    rows = connection.execute("""
        SELECT n.nspname || '.' || c.relname, fn.nspname || '.' || f.relname,
               (SELECT array_agg(a.attname::text ORDER BY k.i) FROM unnest(o.conkey) WITH ORDINALITY k(n, i)
                JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.n),
               (SELECT array_agg(a.attname::text ORDER BY k.i) FROM unnest(o.confkey) WITH ORDINALITY k(n, i)
                JOIN pg_attribute a ON a.attrelid = o.confrelid AND a.attnum = k.n)
        FROM pg_constraint o
        JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_class f ON f.oid = o.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
        WHERE o.contype = 'f' ORDER BY o.oid""")
    return [ForeignKey(t, tuple(c), r, tuple(rc)) for t, r, c, rc in rows]


def sequences(connection: Connection) -> dict[str, tuple[int, bool]]:
    """Return where each sequence is, by its name with schema: last value, and whether it was called."""
    names = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class c"  # noqa: S608 - a constant
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND {_CLASSES}"
        " ORDER BY 1, 2"
    ).fetchall()
    found = {}
    for schema, name in names:
        query = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, name))
        row = connection.execute(query).fetchone()
        assert row is not None
        found[f"{schema}.{name}"] = (int(row[0]), bool(row[1]))
    return found


def constraints(connection: Connection) -> dict[str, bool]:
    """Return every constraint by table and name, and whether all rows are known to keep it."""
    rows = connection.execute(
        "SELECT n.nspname || '.' || c.relname || ' ' || o.conname, o.convalidated"  # noqa: S608
        " FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid"
        f" JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_CLASSES}"
        " ORDER BY 1"
    )
    return {str(name): bool(validated) for name, validated in rows}


def indexes(connection: Connection) -> list[str]:
    """Return the valid indexes, which are those that pg_dump takes along."""
    rows = connection.execute(
        "SELECT n.nspname || '.' || c.relname FROM pg_index i"  # noqa: S608 - a constant
        " JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE i.indisvalid AND i.indisready AND {_CLASSES} ORDER BY 1"
    )
    return [str(name) for (name,) in rows]


def roles(connection: Connection) -> list[str]:
    """Return the roles that own something or were granted something, predefined ones apart."""
    rows = connection.execute("""
        SELECT DISTINCT r.rolname FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
        WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype IN ('o', 'a')
          AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND r.rolname NOT LIKE 'pg\\_%'
        UNION SELECT pg_get_userbyid(c.relowner) FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1""")
    return [str(name) for (name,) in rows]


def schema_revision(connection: Connection, table: str) -> str:
    """Return the revision that Alembic keeps, empty where it keeps none."""
    schema, _, name = table.rpartition(".")
    where = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND c.relname = %s AND n.nspname = coalesce(nullif(%s, ''), n.nspname)"
        " ORDER BY n.nspname = 'public' DESC LIMIT 1",
        (name, schema),
    ).fetchone()
    if where is None:
        return ""
    query = sql.SQL("SELECT version_num FROM {} ORDER BY 1").format(sql.Identifier(*where))
    return ",".join(str(revision) for (revision,) in connection.execute(query))


def hash_methods(connection: Connection, found: Iterable[Found]) -> Mapping[str, str]:
    """Return how each table's rows can be hashed: as records, or as text where a type has no hash.

    PostgreSQL itself decides: it refuses a record with a column of such a type.
    """
    hashed: dict[str, bool] = {}

    def has_hash(kind: str) -> bool:
        try:
            with connection.transaction():
                connection.execute(f"SELECT hash_record_extended(ROW(NULL::{kind}), 0)")
        except (psycopg.errors.UndefinedFunction, psycopg.errors.SyntaxError):
            return False
        except psycopg.errors.IntegrityError:  # a domain that takes no NULL
            return False
        return True

    methods = {}
    for table in found:
        for kind in set(table.types) - hashed.keys():
            hashed[kind] = has_hash(kind)
        known = bool(table.types) and all(hashed[kind] for kind in table.types)
        methods[table.name] = "record" if known else "text"
    return methods


def measure(connection: Connection, table: Found, tenant_column: str, method: str) -> Table:
    """Return what a table holds, in one scan: rows, rows per tenant, a checksum of all rows.

    The checksum is the sum of the rows' 64-bit hashes, so the order of the rows does not matter.
    Hashes are PostgreSQL's own, seeded with 0, and the same on every server of a major version.
    """
    hashed: sql.Composable = sql.SQL("hashtextextended(t::text, 0)")
    if method == "record":
        # The same as t itself, which PostgreSQL would put together anew at a fifth more time.
        columns = sql.SQL(", ").join(sql.Identifier("t", name) for name in table.columns)
        hashed = sql.SQL("hash_record_extended(ROW({}), 0)").format(columns)
    relation = sql.Identifier(table.schema, table.table)
    counted = sql.SQL(", count(*), coalesce(sum({}), 0) FROM ONLY {} AS t").format(hashed, relation)
    if tenant_column:
        column = sql.Identifier(tenant_column)
        query = sql.SQL("SELECT t.{}::text{} GROUP BY t.{}").format(column, counted, column)
    else:
        query = sql.SQL("SELECT NULL{}").format(counted)
    per_tenant: dict[str, int] = {}
    rows = total = 0
    for tenant, count, hashes in connection.execute(query):
        rows, total = rows + int(count), total + int(hashes)
        if tenant_column:
            per_tenant["" if tenant is None else str(tenant)] = int(count)
    return Table(
        schema=table.schema,
        table=table.table,
        name=table.name,
        rows=rows,
        bytes=table.bytes,
        checksum=f"{total % 2**64:016x}",
        method=method,
        tenant_column=tenant_column,
        rows_per_tenant=dict(sorted(per_tenant.items())),
    )


def count(connection: Connection, table: Found) -> int:
    """Return how many rows a table has."""
    relation = sql.Identifier(table.schema, table.table)
    row = connection.execute(sql.SQL("SELECT count(*) FROM ONLY {}").format(relation)).fetchone()
    return int(row[0]) if row else 0


def tenant_columns(
    connection: Connection, found: Sequence[Found], settings: Settings
) -> Mapping[str, str]:
    """Return the tenant's column by table."""
    names = [table.name for table in found]
    return columns(names, foreign_keys(connection), settings.tenant_table, settings.tenant_columns)
