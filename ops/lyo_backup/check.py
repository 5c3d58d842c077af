"""`check`: every byte of a backup read back and held against its manifest; needs no database."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

from . import parallel, parts, said
from .failures import DamagedError
from .manifest import Manifest, Part
from .settings import Settings
from .store import MANIFEST, Store
from .tools import Group

VERIFIED, DAMAGED = "VERIFIED", "DAMAGED"


def check(settings: Settings, backup_id: str, *, copy: bool = False) -> int:
    """Read a backup, and leave a verdict beside it if it is damaged.

    :param copy: the copy in the second bucket instead.
    :raises RefusedError: there is no such backup.
    :raises DamagedError: with every reason, not only the first.
    """
    began = time.monotonic()
    store = Store.of(settings, copy=copy)
    try:
        manifest = parts.require(store, backup_id)
        none(_read(settings, store, manifest) + strangers(store, manifest))
    except DamagedError as error:
        give_verdict(store, backup_id, DAMAGED, error.reasons, time.monotonic() - began, "check")
        raise
    seconds = time.monotonic() - began
    said.line(
        f"{backup_id} is whole: {len(manifest.parts)} parts, {said.size(manifest.total_bytes)}"
        f" read in {said.duration(seconds)}"
    )
    said.event(
        "done",
        verb="check",
        id=backup_id,
        bytes=manifest.total_bytes,
        seconds=round(seconds, 1),
        copy=copy,
    )
    return 0


def _read(settings: Settings, store: Store, manifest: Manifest) -> list[str]:
    """Return what is wrong with the parts."""
    progress = said.Progress("check", manifest.total_bytes)

    def job(part: Part) -> Callable[[], list[str]]:
        def read() -> list[str]:
            try:
                for chunk in parts.checked(store, part):
                    progress.add(len(chunk))
            except DamagedError as error:
                return error.reasons
            return []

        return read

    ordered = sorted(manifest.parts, key=lambda part: -part.bytes)
    found = parallel.run(Group(), [(settings.jobs, [job(part) for part in ordered])])
    return sorted(reason for reasons in found for reason in reasons)


def strangers(store: Store, manifest: Manifest) -> list[str]:
    """Return what lies among the parts and is none: put there, or put over one, afterwards."""
    ours = {part.key: part for part in manifest.parts}
    reasons = []
    for one in store.versions(manifest.id, "parts/"):
        part = ours.get(one.key)
        version = "" if one.version_id == "null" else one.version_id
        if part is None:
            if one.latest and not one.marker:
                reasons.append(f"{one.key} is no part of the backup")
        elif part.version_id and one.latest and version != part.version_id:
            what = "deleted" if one.marker else "replaced"
            reasons.append(
                f"{one.key} was {what} after the backup: its own version {part.version_id}"
                f" is what is read, version {version} does not belong there"
            )
    for one in store.versions(manifest.id, MANIFEST):
        if one.latest and one.marker:
            reasons.append(f"{one.key} was deleted")
    if len([m for m in store.versions(manifest.id, MANIFEST) if not m.marker]) > 1:
        reasons.append(f"{store.key(manifest.id, MANIFEST)} was replaced: it has several versions")
    return reasons


def none(reasons: list[str]) -> None:
    """Raise DamagedError if there are reasons to."""
    if reasons:
        raise DamagedError(reasons)


def give_verdict(
    store: Store, backup_id: str, verdict: str, reasons: list[str], seconds: float, by: str
) -> str:
    """Write a verdict beside a backup; returns its key."""
    now = datetime.now(UTC)
    key = store.key(backup_id, f"verdict-{now.strftime('%Y%m%dT%H%M%S.%fZ')}.json")
    document = {
        "id": backup_id,
        "verdict": verdict,
        "reasons": reasons,
        "seconds": round(seconds, 1),
        "by": by,
        "at": now.isoformat(timespec="seconds"),
    }
    store.put(key, json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n")
    said.event("verdict", **{**document, "reasons": said.short(reasons)}, key=key)
    return key
