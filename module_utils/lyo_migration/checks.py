"""A plan against the live database: what would hurt now, decided without I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import effects
from .events import Plan, session
from .lint import Result
from .recipes import recipe

# Storage for less than this is not worth a question.
WORTH_BYTES = 64 * 1024**2


@dataclass(frozen=True)
class Limits:
    """From when on something counts, from the inventory (``lyo_migration_limits``).

    :ivar allowed_bytes: size of a table up to which an allowed finding is really allowed, where its
        danger grows with the table.
    :ivar rows: rows of a table from which on they are changed in batches only.
    :ivar transaction_seconds: age from which on a transaction is in the way.
    :ivar lag_seconds: how far a replica may be behind.
    :ivar free_share: share of the storage (0 to 1) that has to stay free.
    """

    allowed_bytes: int = 100 * 1024**2
    rows: int = 100_000
    transaction_seconds: int = 60
    lag_seconds: float = 30.0
    free_share: float = 0.1


@dataclass(frozen=True)
class Storage:
    """The instance's storage in bytes; ``free`` is None where nothing measured it."""

    allocated: int = 0
    free: int | None = None


@dataclass
class Verdict:
    """What forbids the plan now, and what is worth knowing."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check(plan: Plan, findings: Sequence[Result], storage: Storage, limits: Limits) -> Verdict:
    """Return what the live database says to a plan; nothing for an empty database."""
    verdict = Verdict()
    if plan.fresh:
        return verdict
    _allowed(plan, findings, limits, verdict)
    _rows(plan, limits, verdict)
    _transactions(plan, limits, verdict)
    _indexes(plan, verdict)
    _replicas(plan, limits, verdict)
    _storage(plan, storage, limits, verdict)
    return verdict


def _allowed(plan: Plan, findings: Sequence[Result], limits: Limits, verdict: Verdict) -> None:
    tables = plan.tables()
    for finding in findings:
        if not finding.reason:
            continue
        size = int(tables.get(finding.table, {}).get("total_bytes", 0))
        if recipe(finding.rule).by_size and size > limits.allowed_bytes:
            verdict.problems.append(
                f"{finding.revision}: {finding.rule} is allowed ({finding.reason}), but {finding.table} has"
                f" {human(size)} by now; the limit is {human(limits.allowed_bytes)}"
                " (lyo_migration_limits.allowed_bytes)"
            )
        else:
            verdict.notes.append(f"{finding.revision}: {finding.rule} is allowed: {finding.reason}")


def _rows(plan: Plan, limits: Limits, verdict: Verdict) -> None:
    tables = plan.tables()
    for revision, table, text in effects.unbatched(plan.migrations):
        rows = int(tables.get(table, {}).get("rows", 0))
        if rows > limits.rows:
            verdict.problems.append(
                f"{revision}: {text}: {table} has about {rows:,} rows; from {limits.rows:,} on they are"
                " changed in batches (booking.migration.backfill)"
            )


def _transactions(plan: Plan, limits: Limits, verdict: Verdict) -> None:
    """A plain statement only waits for who holds its tables, CONCURRENTLY for everybody."""
    everybody = effects.waits_for_everybody(plan.migrations)
    touched = effects.touched(plan.migrations)
    for one in plan.facts.get("transaction", ()):
        if int(one.get("seconds") or 0) < limits.transaction_seconds:
            continue
        held = touched & {str(name).removeprefix("public.") for name in one.get("tables") or ()}
        if not everybody and not held:
            verdict.notes.append(f"a long transaction, not in the way: {session(one)}")
            continue
        why = f"it holds {', '.join(sorted(held))}" if held else "CONCURRENTLY waits for it"
        verdict.problems.append(
            f"a long transaction is in the way ({why}): {session(one)}. Wait for it, or end it with"
            f" SELECT pg_terminate_backend({one.get('pid')})"
        )
    for one in plan.facts.get("prepared", ()):
        verdict.problems.append(
            f"a prepared transaction of {one.get('seconds')} s is in the way: ROLLBACK PREPARED or COMMIT"
            f" PREPARED '{one.get('gid')}'"
        )


def _indexes(plan: Plan, verdict: Verdict) -> None:
    text = "\n".join(s.words for m in plan.migrations for s in m.statements)
    for one in plan.facts.get("invalid_index", ()):
        name = str(one["name"])
        if one.get("building"):
            verdict.notes.append(f"the index {name} is being built by somebody else")
        elif f"DROP INDEX CONCURRENTLY IF EXISTS {name.removeprefix('public.').upper()}" in text:
            verdict.notes.append(f"the invalid index {name} of an interrupted run is dropped first")
        else:
            verdict.notes.append(
                f"an invalid index is left on {one['table']}: it slows writes down and serves nobody."
                f" DROP INDEX CONCURRENTLY {name};"
            )


def _replicas(plan: Plan, limits: Limits, verdict: Verdict) -> None:
    heavy = effects.effects(plan.migrations)
    for one in plan.facts.get("replica", ()):
        lag = float(one.get("lag_seconds") or 0)
        if lag <= limits.lag_seconds:
            continue
        text = f"the replica {one.get('application')} is {lag:.0f} s behind (limit {limits.lag_seconds:.0f} s)"
        (verdict.problems if heavy else verdict.notes).append(text)


def needed(plan: Plan) -> dict[str, int]:
    """Return about how many bytes of storage the plan takes for a while, by table.

    A rewritten table exists twice. An index is at most as large as what it is built from. A changed
    row leaves its old version behind.
    """
    tables: Mapping[str, Mapping[str, Any]] = plan.tables()
    share = {effects.REWRITE: 1.0, effects.INDEX: 1.0, effects.ROWS: 1.0}
    found: dict[str, int] = {}
    for effect in effects.effects(plan.migrations):
        size = tables.get(effect.table, {})
        key = "total_bytes" if effect.what == effects.REWRITE else "bytes"
        taken = int(int(size.get(key, 0)) * share.get(effect.what, 0))
        found[effect.table] = found.get(effect.table, 0) + taken
    return {table: taken for table, taken in found.items() if taken}


def _storage(plan: Plan, storage: Storage, limits: Limits, verdict: Verdict) -> None:
    takes = needed(plan)
    total = sum(takes.values())
    if total < WORTH_BYTES:
        return
    shown = ", ".join(f"{table} {human(size)}" for table, size in takes.items())
    free = storage.free
    if free is None:
        used = sum(int(d.get("bytes", 0)) for d in plan.facts.get("database", ()))
        free = max(0, storage.allocated - used)
        verdict.notes.append(
            f"free storage is not measured (FreeStorageSpace); by the database's size it is {human(free)} at most"
        )
    after = free - total
    if after < storage.allocated * limits.free_share:
        verdict.problems.append(
            f"too little storage: the plan takes up to {human(total)} for a while ({shown}), free is"
            f" {human(free)} of {human(storage.allocated)}, and {limits.free_share:.0%} has to stay free"
        )
    else:
        verdict.notes.append(
            f"takes up to {human(total)} of storage for a while; {human(free)} is free"
        )


def human(size: float) -> str:
    """Return bytes as people read them, in powers of 1,024."""
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
