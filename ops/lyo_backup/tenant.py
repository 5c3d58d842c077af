"""`tenant`: one tenant's rows brought back into the live database, nobody else's touched.

The rows are read from the backup into temporary tables first. Everything else is one transaction: what
was shown is compared again, and what was changed is counted against what the server itself counted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import psycopg
from psycopg import sql

from . import copy_rows, database, parts, said, tools
from .failures import DamagedError, FailedError, RefusedError
from .manifest import DATA, Manifest, Part, Table
from .settings import Settings
from .store import Store
from .tenant_tables import Beside, Difference
from .tenants import order

NOTHING = "nothing"
# The application waits as long for its own locks; a restore of one tenant must not hold it up.
LOCK_TIMEOUT = "2s"


def tenant(
    settings: Settings,
    backup_id: str,
    name: str,
    *,
    approve: str = "",
    replace: bool = False,
    copy: bool = False,
) -> int:
    """Show what of a tenant is missing or different, and bring it back once that is approved.

    :param approve: the digest of what was shown; without it nothing is changed.
    :param replace: also change what differs and delete what the backup has not.
    :raises RefusedError: it does not fit, or something else than what was shown; nothing was changed.
    :raises DamagedError: the backup is damaged; nothing was changed.
    :raises FailedError: the database refused it; nothing was changed.
    """
    tools.require([parts.RESTORE])
    store = Store.of(settings, copy=copy)
    manifest = parts.require(store, backup_id)
    tables = held(manifest, name)
    with closing(database.connect("tenant")) as live:
        live.execute("SELECT set_config('lock_timeout', %s, false)", (LOCK_TIMEOUT,))
        # The application's triggers run in this session: they find their tables as always.
        live.execute("RESET search_path")
        keys = database.foreign_keys(live)
        try:
            ordered = order([table.name for table in tables], keys)
        except ValueError as error:
            raise RefusedError(f"the live database has {error}") from error
        stages = _stage(live, store, manifest, tables, name)
        besides = [next(b for b in stages if b.table.name == one) for one in ordered]
        referenced = {key.references for key in keys if key.table != key.references}
        try:
            with live.transaction():
                live.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                return _bring(live, manifest, besides, referenced, approve, replace=replace)
        except psycopg.errors.SerializationFailure as error:
            raise FailedError(
                "somebody changed the same rows meanwhile: run the same again"
            ) from error
        except psycopg.errors.IntegrityError as error:
            place = f"{error.diag.table_name} ({error.diag.constraint_name})"
            raise RefusedError(
                f"{place} does not allow it: a live row of today has taken the place of one of the"
                " backup's; nothing was changed"
            ) from error


def held(manifest: Manifest, name: str) -> list[Table]:
    """Return the tables that hold tenants' rows.

    :raises RefusedError: the backup knows no such tenant.
    """
    tables = [table for table in manifest.tables if table.tenant_column]
    known = {tenant for table in tables for tenant in table.rows_per_tenant if tenant}
    if name not in known:
        raise RefusedError(
            f"tenant {name!r} is not in {manifest.id}, which has {len(known)} tenants"
        )
    return tables


def _stage(
    live: database.Connection,
    store: Store,
    manifest: Manifest,
    tables: Sequence[Table],
    name: str,
) -> list[Beside]:
    """Read the tenant's rows of every table into temporary tables.

    :raises RefusedError: the live schema has no place for them.
    """
    live.execute(sql.SQL("SET client_encoding = {}").format(sql.Literal(manifest.encoding)))
    besides, problems = [], []
    for number, table in enumerate(tables):
        there, key = _columns(live, table)
        if not there:
            problems.append(f"table {table.name} is not there")
            continue
        beside = Beside(table, name, number, there, key)
        if not table.rows_per_tenant.get(name):
            beside.prepare(live)
        besides.append(beside)
    filled = {one.table.name: one for one in besides if one.table.rows_per_tenant.get(name)}
    for part in manifest.of(DATA):
        if its := {table: filled[table] for table in part.tables if table in filled}:
            problems += _fill(live, store, manifest, part, its)
    if problems:
        raise RefusedError(
            f"the live schema cannot take the rows of the backup (schema {manifest.schema_revision}):"
            f" {'; '.join(problems)}. Restore the backup beside and migrate it"
        )
    return besides


def _fill(
    live: database.Connection,
    store: Store,
    manifest: Manifest,
    part: Part,
    besides: Mapping[str, Beside],
) -> list[str]:
    """Read a part's rows of the tenant; returns what the live tables lack for them."""
    problems = []
    wanted = {name: beside.table.tenant_column for name, beside in besides.items()}
    tenant = next(iter(besides.values())).tenant
    left = set(wanted)
    for block in copy_rows.of_tenant(store, manifest, part, wanted, tenant):
        left.remove(block.table)
        beside = besides[block.table]
        missing = [name for name in block.columns if name not in beside.columns]
        if missing:
            problems.append(f"{block.table} has no {', '.join(missing)}")
            continue
        beside.columns = block.columns
        beside.prepare(live)
        count = _copy(live, beside, block.rows)
        expected = beside.table.rows_per_tenant[tenant]
        if count != expected:
            raise FailedError(
                f"{block.table}: read {count} rows of the tenant, the manifest has {expected}"
            )
        live.execute(sql.SQL("ANALYZE {}").format(beside.kept))
        said.line(f"{block.table}: {count} rows read")
    if left:
        raise DamagedError([f"{part.key} lacks {', '.join(sorted(left))}"])
    return problems


def _copy(live: database.Connection, beside: Beside, rows: Iterator[bytes]) -> int:
    """Read rows into the temporary table; returns how many."""
    count = 0
    with live.cursor() as cursor, cursor.copy(beside.stage) as stream:
        for row in rows:
            stream.write(row)
            count += 1
    return count


def _columns(live: database.Connection, table: Table) -> tuple[list[str], list[str]]:
    """Return the columns of a live table that can be written, and its primary key's."""
    rows = live.execute(
        "SELECT a.attname, coalesce(a.attnum = ANY (i.indkey), false)"
        " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary"
        " WHERE n.nspname = %s AND c.relname = %s AND c.relkind = 'r'"
        " AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum",
        (table.schema, table.table),
    ).fetchall()
    return [str(name) for name, _ in rows], [str(name) for name, key in rows if key]


def _bring(
    live: database.Connection,
    manifest: Manifest,
    besides: Sequence[Beside],
    referenced: set[str],
    approve: str,
    *,
    replace: bool,
) -> int:
    """Compare, and bring back what was approved; inside of one transaction."""
    found = [(beside, beside.compare(live)) for beside in besides]
    others = [f"{b.table.name}: {count}" for b in besides if (count := b.foreign(live))]
    if others:
        raise RefusedError(
            f"rows of the backup have keys that belong to other tenants by now ({', '.join(others)});"
            " nothing was changed"
        )
    digest = digest_of(manifest, found, replace=replace)
    totals = _show(found, digest, replace=replace)
    if digest == NOTHING or not approve:
        if digest != NOTHING:
            said.line(f"nothing was changed; to bring it back: --approve {digest}")
        said.event("done", verb="tenant", id=manifest.id, changed=False, digest=digest, **totals)
        return 0
    if approve != digest:
        raise RefusedError(
            f"what is missing is not what was approved ({approve}): look again; now it is {digest}"
        )
    changed = _apply(live, besides, referenced, replace=replace)
    _prove(live, found, changed, replace=replace)
    for beside in besides:
        _advance(live, beside)
    said.event("done", verb="tenant", id=manifest.id, changed=True, digest=digest, **totals)
    said.line("brought back")
    return 0


def digest_of(
    manifest: Manifest, found: Sequence[tuple[Beside, Difference]], *, replace: bool
) -> str:
    """Return the digest of what would be done: these rows, in this way."""
    content = []
    for beside, one in found:
        counts = [one.missing, one.different, one.extra] if replace else [one.missing]
        if any(counts):
            content.append([beside.table.name, counts, one.hashes[: len(counts)]])
    if not content:
        return NOTHING
    text = json.dumps([manifest.id, besides_tenant(found), replace, content])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def besides_tenant(found: Sequence[tuple[Beside, Difference]]) -> str:
    """Return whose rows they are."""
    return found[0][0].tenant


def _show(
    found: Sequence[tuple[Beside, Difference]], digest: str, *, replace: bool
) -> dict[str, int]:
    """Say what differs; returns the sums."""
    totals = {"missing": 0, "different": 0, "extra": 0}
    for beside, one in found:
        counts = {"missing": one.missing, "different": one.different, "extra": one.extra}
        for name, count in counts.items():
            totals[name] += count
        said.event("table", table=beside.table.name, same=one.same, **counts)
        if any(counts.values()):
            said.line(
                f"{beside.table.name}: {one.missing} missing, {one.different} different,"
                f" {one.extra} not in the backup, {one.same} the same"
            )
    does = "all of it is made as in the backup" if replace else "what is missing is brought back"
    said.line(f"with this approval {does}: {digest}")
    said.event("approval", digest=digest, replace=replace, **totals)
    return totals


def _apply(
    live: database.Connection, besides: Sequence[Beside], referenced: set[str], *, replace: bool
) -> dict[str, tuple[int, int, int]]:
    """Do it; returns rows inserted, updated and deleted by table.

    What nobody references is deleted first, so that it makes room; the rest last, when nothing of
    the tenant hangs on it any more that a cascade could take along.
    """
    inserted, updated, deleted = {}, {}, dict.fromkeys((b.table.name for b in besides), 0)
    leaves = [beside for beside in besides if beside.table.name not in referenced]
    if replace:
        for beside in leaves:
            deleted[beside.table.name] = beside.delete(live)
    for beside in besides:
        inserted[beside.table.name] = beside.insert(live)
        updated[beside.table.name] = beside.update(live) if replace else 0
    if replace:
        for beside in reversed(besides):
            if beside not in leaves:
                deleted[beside.table.name] = beside.delete(live)
    return {name: (inserted[name], updated[name], deleted[name]) for name in inserted}


def _prove(
    live: database.Connection,
    before: Sequence[tuple[Beside, Difference]],
    changed: dict[str, tuple[int, int, int]],
    *,
    replace: bool,
) -> None:
    """Compare again, and hold what was changed against what the server has counted.

    :raises FailedError: something else has changed too, by a trigger or a cascade.
    """
    rows = live.execute(
        "SELECT schemaname || '.' || relname, n_tup_ins, n_tup_upd, n_tup_del"
        " FROM pg_stat_xact_user_tables WHERE schemaname NOT LIKE 'pg\\_temp\\_%'"
        " AND n_tup_ins + n_tup_upd + n_tup_del > 0"
    ).fetchall()
    counted = {str(name): (int(i), int(u), int(d)) for name, i, u, d in rows}
    meant = {name: counts for name, counts in changed.items() if any(counts)}
    if counted != meant:
        wrong = sorted(n for n in counted.keys() | meant.keys() if counted.get(n) != meant.get(n))
        raise FailedError(
            f"a trigger or a cascade has changed other rows too ({', '.join(wrong)}):"
            " all of it was rolled back"
        )
    for beside, was in before:
        now = beside.compare(live)
        left = now.missing or now.different > (0 if replace else was.different)
        if left or (replace and now.extra):
            raise FailedError(
                f"{beside.table.name} is not as in the backup afterwards, a trigger changes what"
                " is written: all of it was rolled back"
            )


def _advance(live: database.Connection, beside: Beside) -> None:
    """Move sequences beyond the values that came back; they never go back."""
    for column in beside.columns:
        row = live.execute(
            "SELECT pg_get_serial_sequence(format('%%I.%%I', %s::text, %s::text), %s)",
            (beside.table.schema, beside.table.table, column),
        ).fetchone()
        if row is None or row[0] is None:
            continue
        live.execute(
            sql.SQL(
                "SELECT setval({0}::regclass, m.top) FROM (SELECT max({1}) AS top FROM {2}) m"
                " WHERE m.top > (SELECT last_value FROM {3})"
            ).format(sql.Literal(row[0]), sql.Identifier(column), beside.kept, sql.SQL(str(row[0])))
        )
