"""The object lock of a finished backup."""

from __future__ import annotations

from datetime import datetime

from . import said
from .manifest import Manifest
from .store import Store


def protect(store: Store, manifest: Manifest) -> None:
    """Lock the parts of a finished backup; also those that a broken run has left unlocked.

    The manifest was locked as it was written.
    """
    retention = store.retention()
    if not retention:
        return
    until: datetime = retention["ObjectLockRetainUntilDate"]
    count = 0
    for part in manifest.parts:
        if part.version_id and store.locked_until(part.key, part.version_id) is None:
            store.lock(part.key, part.version_id, until)
            count += 1
    if count:
        said.event("locked", id=manifest.id, until=until.isoformat(timespec="seconds"), count=count)
