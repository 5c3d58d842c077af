"""Reading parts: every byte hashed and held against the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack

from . import codec, said, tools
from .failures import DamagedError, FailedError, RefusedError
from .manifest import Manifest, Part
from .store import MANIFEST, Store
from .tools import Group, StoppedError

# Kept back from pg_restore until the part is known to be whole. The last bytes of an archive end its
# last block of data, without which pg_restore cannot commit.
HELD_BYTES = 4096
RESTORE = "pg_restore"
# What pg_restore says when it is the server, not the archive, that fails.
_SERVER = (
    "No space left",
    "could not extend",
    "out of memory",
    "out of shared memory",  # locks: max_locks_per_transaction
    "connection to server",
    "server closed the connection",
    "terminating connection",
    "the database system is",
    "could not connect",
    "permission denied",
    "must be owner",
    "must be able to SET ROLE",
    "canceling statement",
    "remaining connection slots",
    "is not available",  # an extension that the server does not have
    "is not allow-listed",
)


def require(store: Store, backup_id: str) -> Manifest:
    """Return a backup's manifest.

    :raises RefusedError: there is no such backup.
    :raises DamagedError: the manifest cannot be relied on.
    """
    found = store.manifest(backup_id)
    if found is None and store.finished(backup_id):
        raise DamagedError([f"{store.key(backup_id, MANIFEST)} was deleted"])
    if found is None:
        left = "; something unfinished is there" if store.versions(backup_id) else ""
        raise RefusedError(
            f"{store.bucket}/{store.key(backup_id, MANIFEST)} is not there: no such backup{left}"
        )
    return found


def checked(store: Store, part: Part) -> Iterator[bytes]:
    """Yield a part's bytes; at the end, compare what they were.

    :raises DamagedError: size or sha256 differ from the manifest.
    """
    digest, size = hashlib.sha256(), 0
    for chunk in store.chunks(part):
        digest.update(chunk)
        size += len(chunk)
        yield chunk
    if size != part.bytes:
        raise DamagedError([f"{part.key} has {size} bytes, the manifest says {part.bytes}"])
    if digest.hexdigest() != part.sha256:
        raise DamagedError([f"{part.key} was changed: its sha256 is not the manifest's"])


def plain(store: Store, manifest: Manifest, part: Part) -> Iterator[bytes]:
    """Yield a part's archive, decompressed and checked.

    :raises DamagedError: the part is not what the manifest says.
    """
    source = checked(store, part)
    try:
        yield from codec.decoded(source, manifest.compression)
    except codec.CorruptError as error:
        for _ in source:  # size and sha256 say more than the codec
            pass
        raise DamagedError([f"{part.key} cannot be decompressed: {error}"]) from error


def feed(
    store: Store,
    manifest: Manifest,
    part: Part,
    group: Group,
    arguments: list[str],
    env: dict[str, str],
    progress: said.Progress,
) -> None:
    """Run pg_restore over a part that is checked while it streams.

    Its end reaches pg_restore only when all of it has proven right, so a damaged part is rolled
    back as a whole.

    :raises DamagedError: the part is damaged, or pg_restore cannot read it.
    :raises FailedError: the server or the connection to it fails.
    """
    with ExitStack() as stack:
        child = stack.enter_context(group.run([RESTORE, *arguments], env, stdin=tools.PIPE))
        held, reads = b"", True
        source = plain(store, manifest, part)
        for chunk in source:
            if group.stopped.is_set():
                raise StoppedError
            more, held = _but_the_end(held, chunk)
            reads = reads and all(child.write(piece) for piece in more)
            progress.add(len(chunk))
        if reads:
            child.write(held)
            child.close()
        try:
            child.wait(f"restoring {part.label}")
        except FailedError as error:
            if any(words in child.errors for words in _SERVER):
                raise
            raise DamagedError([f"{part.key} cannot be restored: {child.errors}"]) from error


def _but_the_end(held: bytes, chunk: bytes) -> tuple[list[bytes | memoryview], bytes]:
    """Return what may be written of what was held and what has come, and what is held now."""
    if len(chunk) < HELD_BYTES:
        both = held + chunk
        return [both[:-HELD_BYTES]], both[-HELD_BYTES:]
    # Without copying what is large.
    view = memoryview(chunk)
    return [held, view[:-HELD_BYTES]], bytes(view[-HELD_BYTES:])
