"""`list`: every backup with its latest verdict."""

from __future__ import annotations

from typing import Any

from . import said
from .failures import DamagedError
from .settings import Settings
from .store import BEGAN, MANIFEST, Store

UNFINISHED, UNVERIFIED, DAMAGED = "UNFINISHED", "UNVERIFIED", "DAMAGED"


def listing(settings: Settings, *, copy: bool = False) -> int:
    """Say an event for each backup, the oldest first."""
    store = Store.of(settings, copy=copy)
    found = [describe(store, backup_id) for backup_id in store.ids()]
    for one in found:
        said.event("backup", **one)
        said.line(
            f"{one['id']}  {one['verdict']:<10}  {said.size(one.get('bytes', 0)):>10}"
            f"  schema {one.get('schema_revision') or '-'}  {'; '.join(one['reasons'])}"
        )
    finished = sum(one["verdict"] != UNFINISHED for one in found)
    said.event("done", verb="list", count=len(found), finished=finished)
    return 0


def describe(store: Store, backup_id: str) -> dict[str, Any]:
    """Return what is known of an ID: its verdict is UNFINISHED, UNVERIFIED, VERIFIED or DAMAGED.

    The latest verdict counts. UNFINISHED is what a dump has not completed, or is making now.
    """
    one: dict[str, Any] = {"id": backup_id, "verdict": UNVERIFIED, "reasons": []}
    objects = store.versions(backup_id)
    keys = {entry.key for entry in objects if entry.latest and not entry.marker}
    try:
        manifest = store.manifest(backup_id)
    except DamagedError as error:
        return {**one, "verdict": DAMAGED, "reasons": error.reasons}
    if manifest is None:
        began = store.document(store.key(backup_id, BEGAN))
        manifest_key = store.key(backup_id, MANIFEST)
        if any(entry.key == manifest_key and not entry.marker for entry in objects):
            return {**one, "verdict": DAMAGED, "reasons": ["its manifest was deleted"]}
        return {**one, "verdict": UNFINISHED, "place": began.get("place", "")}
    one |= {
        "began": manifest.began,
        "finished": manifest.finished,
        "bytes": manifest.total_bytes,
        "schema_revision": manifest.schema_revision,
        "snapshot_lsn": manifest.snapshot_lsn,
        "server_version": manifest.server_version,
        "tables": len(manifest.tables),
        "rows": sum(table.rows for table in manifest.tables),
        "tenants": len({t for table in manifest.tables for t in table.rows_per_tenant if t}),
        "copied_from": manifest.copied_from,
    }
    verdicts = sorted(key for key in keys if key.rpartition("/")[2].startswith("verdict-"))
    if verdicts:
        last = store.document(verdicts[-1])
        one["verdict"] = str(last.get("verdict", UNVERIFIED))
        one["reasons"] = [str(reason) for reason in last.get("reasons", [])]
        one["verified_at"] = last.get("at", "")
    return one
