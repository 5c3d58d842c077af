"""`copy`: a finished backup into the second bucket, its manifest last.

Every byte passes through here, so that what arrives is what the manifest says: the source is hashed
as it streams, S3 is given the SHA-256 of what it stores, and an object is completed only when the
whole part has proven right. A copied part carries its sha256, so a repeated run knows it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace

from . import parallel, parts, said
from .failures import DamagedError, RefusedError
from .locking import protect
from .manifest import Manifest, Part
from .settings import Settings
from .store import BEGAN, MANIFEST, Store
from .tools import Group, StoppedError
from .upload import Upload

MARK = "lyo-sha256"


def copy(settings: Settings, backup_id: str) -> int:
    """Copy a backup; what is there already is not copied again.

    :raises RefusedError: there is no second bucket, or no such backup.
    :raises DamagedError: the backup is damaged, or another one has this ID in the second bucket.
    :raises FailedError: it broke off; running it again does the rest.
    """
    if not settings.copy_bucket:
        raise RefusedError("LYO_BACKUP_COPY_BUCKET is not set: there is no second bucket")
    began = time.monotonic()
    source, target = Store.of(settings), Store.of(settings, copy=True)
    manifest = parts.require(source, backup_id)
    found = target.manifest(backup_id)
    if found is not None:
        if _content(found) != _content(manifest):
            raise DamagedError([f"{target.bucket} has another backup under {backup_id}"])
        said.line(f"{backup_id} is in {target.bucket} already")
    else:
        target.abort_uploads(backup_id)
        # Until the copy is locked: whoever lists the bucket sees that it is not at its end.
        target.put(target.key(backup_id, BEGAN), _mark(source))
        found = _copied(settings, source, target, manifest)
        target.put(target.key(backup_id, MANIFEST), found.encode(), locked=True)
    protect(target, found)
    target.delete_if_there(target.key(backup_id, BEGAN))
    seconds = time.monotonic() - began
    said.line(
        f"{backup_id}: {len(found.parts)} parts, {said.size(found.total_bytes)} in"
        f" {target.bucket} in {said.duration(seconds)}"
    )
    said.event(
        "done",
        verb="copy",
        id=backup_id,
        bytes=found.total_bytes,
        seconds=round(seconds, 1),
        bucket=target.bucket,
    )
    return 0


def _mark(source: Store) -> bytes:
    return json.dumps({"copied_from": source.bucket}).encode() + b"\n"


def _content(manifest: Manifest) -> list[tuple[str, int, str]]:
    """Return what a backup and its copy have in common."""
    return sorted((part.key, part.bytes, part.sha256) for part in manifest.parts)


def _copied(settings: Settings, source: Store, target: Store, manifest: Manifest) -> Manifest:
    """Copy the parts; returns the copy's manifest."""
    group = Group()
    progress = said.Progress("copy", manifest.total_bytes)

    def job(part: Part) -> Callable[[], Part]:
        def copied() -> Part:
            version = target.known(part.key, {MARK: part.sha256}, part.bytes)
            if version is None:
                version = _stream(group, source, target, part, progress)
            return replace(part, version_id=version)

        return copied

    ordered = sorted(manifest.parts, key=lambda part: -part.bytes)
    done = parallel.run(group, [(settings.jobs, [job(part) for part in ordered])])
    return replace(
        manifest,
        parts=tuple(sorted(done, key=lambda part: part.key)),
        copied_from=source.bucket,
    )


def _stream(group: Group, source: Store, target: Store, part: Part, progress: said.Progress) -> str:
    """Copy one part; returns its version."""
    upload = Upload(target, part.key, part.bytes, {MARK: part.sha256})
    try:
        for chunk in parts.checked(source, part):
            if group.stopped.is_set():
                raise StoppedError
            upload.write(chunk)
            progress.add(len(chunk))
        done = upload.finish()
    finally:
        upload.abort()
    said.event("part", key=part.key, what=part.label, bytes=done.bytes)
    return done.version_id
