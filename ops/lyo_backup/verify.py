"""`verify`: a backup restored into a scratch database and compared with its manifest."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

from . import amcheck, check, database, parallel, parts, restore, said, tools
from .failures import DamagedError
from .grouping import grouped
from .manifest import Manifest, Sequence, Table
from .settings import Settings
from .store import Store
from .tools import Group

MOST_REASONS = 20


def verify(settings: Settings, backup_id: str, *, copy: bool = False) -> int:
    """Prove that a backup can be restored and is what its manifest says; leaves a verdict.

    :raises RefusedError: the scratch database is not empty, or there is no such backup.
    :raises DamagedError: with the reasons; the verdict is DAMAGED.
    :raises FailedError: it could not be found out; no verdict is left.
    """
    tools.require([parts.RESTORE, amcheck.PROGRAM])
    began = time.monotonic()
    store = Store.of(settings, copy=copy)
    try:
        manifest = parts.require(store, backup_id)
        with closing(database.connect("verify")) as lead:
            restore.fill(settings, store, manifest, lead, no_owner=True)
            reasons = compare(settings, lead, manifest) or amcheck.find(settings.jobs, lead)
        check.none(reasons + check.strangers(store, manifest))
    except DamagedError as error:
        seconds = time.monotonic() - began
        check.give_verdict(
            store, backup_id, check.DAMAGED, error.reasons[:MOST_REASONS], seconds, "verify"
        )
        raise
    seconds = time.monotonic() - began
    check.give_verdict(store, backup_id, check.VERIFIED, [], seconds, "verify")
    rows = sum(table.rows for table in manifest.tables)
    said.line(
        f"{backup_id} is VERIFIED in {said.duration(seconds)}: {len(manifest.tables)} tables,"
        f" {rows} rows, {len(manifest.sequences)} sequences, {len(manifest.constraints)} constraints"
    )
    said.event(
        "done",
        verb="verify",
        id=backup_id,
        verdict=check.VERIFIED,
        seconds=round(seconds, 1),
        rows=rows,
    )
    return 0


def compare(settings: Settings, lead: database.Connection, manifest: Manifest) -> list[str]:
    """Return how a restored database differs from the manifest."""
    found = {table.name: table for table in database.tables(lead)}
    expected = {table.name: table for table in manifest.tables}
    reasons = [f"table {name} is missing" for name in sorted(expected.keys() - found.keys())]
    reasons += [f"table {name} is too many" for name in sorted(found.keys() - expected.keys())]
    progress = said.Progress("compare", sum(table.bytes for table in expected.values()))

    def job(group: tuple[database.Found, ...]) -> Callable[[], list[str]]:
        def measured() -> list[str]:
            wrong = []
            with closing(database.connect("compare")) as connection:
                for one in group:
                    table = expected[one.name]
                    got = database.measure(connection, one, table.tenant_column, table.method)
                    wrong += differences(table, got)
                    progress.add(table.bytes)
            return wrong

        return measured

    both = [table for table in found.values() if table.name in expected]
    jobs = [job(group) for group in grouped(both, settings.part_bytes)]
    for wrong in parallel.run(Group(), [(settings.jobs, jobs)]):
        reasons += wrong
    reasons += sequences(manifest.sequences, database.sequences(lead))
    got = database.constraints(lead)
    for name, validated in manifest.constraints.items():
        if name not in got:
            reasons.append(f"constraint {name} is missing")
        elif validated and not got[name]:
            reasons.append(f"constraint {name} is not validated")
    missing = sorted(set(manifest.indexes) - set(database.indexes(lead)))
    reasons += [f"index {name} is missing" for name in missing]
    revision = database.schema_revision(lead, settings.schema_table)
    if revision != manifest.schema_revision:
        reasons.append(f"the schema is at {revision or 'none'}, not {manifest.schema_revision}")
    return sorted(reasons)


def differences(expected: Table, got: Table) -> list[str]:
    """Return how a table differs: rows, whose rows, content."""
    reasons = []
    if got.rows != expected.rows:
        reasons.append(f"{expected.name} has {got.rows} rows, not {expected.rows}")
    wrong = [
        tenant
        for tenant in sorted(expected.rows_per_tenant.keys() | got.rows_per_tenant.keys())
        if expected.rows_per_tenant.get(tenant, 0) != got.rows_per_tenant.get(tenant, 0)
    ]
    if wrong:
        shown = ", ".join(wrong[:5])
        reasons.append(f"{expected.name} has other rows of {len(wrong)} tenants: {shown}")
    if not reasons and got.checksum != expected.checksum:
        reasons.append(f"{expected.name} has as many rows, but not the same: its checksum differs")
    return reasons


def sequences(expected: tuple[Sequence, ...], got: dict[str, tuple[int, bool]]) -> list[str]:
    """Return the sequences that are missing, or not between where they were before and after."""
    reasons = []
    for one in expected:
        if one.name not in got:
            reasons.append(f"sequence {one.name} is missing")
            continue
        value, called = got[one.name]
        low, high = sorted((one.last_value, one.latest))
        exact = (value, called) in (
            (one.last_value, one.is_called),
            (one.latest, one.latest_is_called),
        )
        if not exact and not (low < value < high):
            reasons.append(f"sequence {one.name} is at {value}, not between {low} and {high}")
    return reasons
