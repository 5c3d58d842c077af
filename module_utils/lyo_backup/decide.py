"""What a run of backup.yml has to do, from what it found: decisions without I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from . import ids
from .catalogue import Logical
from .program import VERIFIES, WRITES, Running
from .retention import Backup, Policy, surplus
from .scratch import Scratch
from .snapshots import AVAILABLE, CREATING, FAILED, Snapshot

SNAPSHOT, CACHE, LOGICAL = "snapshot", "cache", "logical"
KINDS = (SNAPSHOT, CACHE, LOGICAL)
# How many earlier backups a run copies and verifies besides its own.
CATCH_UP = 2

Upload = tuple[str, str, str]


@dataclass(frozen=True)
class Found:
    """What there is, before a run changes anything.

    :ivar snapshots: manual snapshots of RDS that are ours.
    :ivar cache: those of ElastiCache.
    :ivar logical: the logical backups, complete or not.
    :ivar copies: those in the second bucket; None where there is none.
    :ivar running: tasks of the ops program.
    :ivar uploads: multipart uploads that have not ended: ID, key, upload ID.
    :ivar copy_uploads: those in the second bucket.
    :ivar scratch: scratch instances.
    """

    snapshots: Sequence[Snapshot] = ()
    cache: Sequence[Snapshot] = ()
    logical: Sequence[Logical] = ()
    copies: Sequence[Logical] | None = None
    running: Sequence[Running] = ()
    uploads: Sequence[Upload] = ()
    copy_uploads: Sequence[Upload] = ()
    scratch: Sequence[Scratch] = ()

    def of(self, kind: str) -> Sequence[Snapshot]:
        """Return the snapshots of a kind."""
        return self.snapshots if kind == SNAPSHOT else self.cache


@dataclass(frozen=True)
class Orphans:
    """What interrupted runs have left, and nobody works on any more.

    :ivar remains: parts without a manifest.
    :ivar snapshots: failed ones, by kind.
    """

    uploads: Sequence[Upload] = ()
    copy_uploads: Sequence[Upload] = ()
    remains: Sequence[Logical] = ()
    copy_remains: Sequence[Logical] = ()
    scratch: Sequence[Scratch] = ()
    snapshots: Sequence[tuple[str, Snapshot]] = ()

    def lines(self) -> list[str]:
        """Return a line for each, for people."""
        return [
            *(f"multipart upload of {key}" for _, key, _ in self.uploads),
            *(f"multipart upload of {key} in the copies" for _, key, _ in self.copy_uploads),
            *(f"parts of {one.id}, which has no manifest" for one in self.remains),
            *(f"parts of {one.id} in the copies" for one in self.copy_remains),
            *(f"scratch instance {one.name}" for one in self.scratch),
            *(f"failed snapshot {one.name}" for _, one in self.snapshots),
        ]


@dataclass(frozen=True)
class Keep:
    """How long what stays.

    :ivar policies: by kind.
    :ivar migration_days: how long the snapshot before a migration stays at least.
    """

    policies: dict[str, Policy] = field(default_factory=lambda: {kind: Policy() for kind in KINDS})
    migration_days: float = 35


def ours(
    snapshots: Iterable[Snapshot], sources: Collection[str], environment: str
) -> list[Snapshot]:
    """Return the snapshots that a runbook of this environment has taken.

    :param sources: instances or groups that are the environment's now; of others, the tag says.
    :param environment: value of the tag ``Environment``.
    """
    found = []
    for snapshot in snapshots:
        source = ids.backup_of(snapshot.name)[0] or ids.migration_of(snapshot.name)[0]
        if source and (source in sources or snapshot.tags.get("Environment") == environment):
            found.append(snapshot)
    return found


def orphans(found: Found) -> Orphans:
    """Return what can be removed because nobody works on it.

    What was complete once is never among it: it has a verdict, or a whole copy.
    """
    dumping = {task.backup for task in found.running if task.verb == "dump"}
    copying = {task.backup for task in found.running if task.verb == "copy"}
    verifying = {task.backup for task in found.running if task.verb == "verify"}
    copies = found.copies or ()
    whole = {one.id for one in copies if one.complete}
    originals = {one.id for one in found.logical if one.complete}
    return Orphans(
        uploads=[u for u in found.uploads if u[0] not in dumping],
        copy_uploads=[u for u in found.copy_uploads if u[0] not in copying],
        remains=[
            one
            for one in found.logical
            if not one.complete
            and not one.verdict_key
            and one.id not in dumping
            and one.id not in whole
        ],
        copy_remains=[
            one
            for one in copies
            if not one.complete and one.id not in copying and one.id not in originals
        ],
        scratch=[
            one for one in found.scratch if one.backup not in verifying and one.status != "deleting"
        ],
        snapshots=[(kind, s) for kind in KINDS[:2] for s in found.of(kind) if s.status == FAILED],
    )


def lost_manifests(found: Found, going: Collection[str]) -> list[str]:
    """Return the IDs of backups that were complete once and have no manifest any more.

    :param going: IDs that retention deletes: of these an interrupted run has begun to.
    """
    dumping = {task.backup for task in found.running if task.verb == "dump"}
    whole = {one.id for one in found.copies or () if one.complete}
    return [
        one.id
        for one in found.logical
        if not one.complete
        and one.id not in dumping
        and one.id not in going
        and (one.verdict_key or one.id in whole)
    ]


def under_way(found: Found, kind: str) -> Snapshot | None:
    """Return a backup's snapshot that an interrupted run has begun, the newest, None without one."""
    return max(
        (s for s in found.of(kind) if s.status == CREATING and ids.backup_of(s.name)[1]),
        key=lambda snapshot: snapshot.name,
        default=None,
    )


def task_under_way(found: Found, verb: str) -> Running | None:
    """Return a task that does this, None without one."""
    name = VERIFIES if verb == "verify" else WRITES
    return next(
        (t for t in found.running if t.verb == verb and t.backup and t.family.endswith(name)), None
    )


def shared(found: Found, kind: str, since: datetime | None) -> str:
    """Return the ID of a backup that another run has made since, empty without one.

    :param since: when this run was started; None where it did not wait for another.
    """
    if since is None:
        return ""
    if kind == LOGICAL:
        made = [one.id for one in found.logical if one.complete and one.at >= since]
    else:
        named = [ids.backup_of(s.name)[1] for s in found.of(kind) if s.status == AVAILABLE]
        made = [one for one in named if one and (ids.began(one) or since) >= since]
    return max(made, default="")


def to_end(found: Found) -> list[str]:
    """Return the IDs of complete backups whose dump was cut off at its end, the newest first.

    They may not be locked; the same dump again sees to that, and dumps nothing.
    """
    dumping = {task.backup for task in found.running if task.verb == "dump"}
    missing = [one.id for one in reversed(found.logical) if one.complete and one.marked]
    return [one for one in missing if one not in dumping][:CATCH_UP]


def to_copy(
    logical: Sequence[Logical],
    copies: Sequence[Logical] | None,
    own: str,
    going: Collection[str] = (),
) -> list[str]:
    """Return the IDs of the backups that need a copy: the run's own first, then the newest ones.

    A copy that was cut off at its end needs it too: it may not be locked.

    :param going: IDs that retention deletes: of these an interrupted run has deleted the copy already.
    """
    if copies is None:
        return []
    whole = {one.id for one in copies if one.complete and not one.marked} | set(going)
    missing = [one.id for one in reversed(logical) if one.complete and one.id not in whole]
    return [*(i for i in missing if i == own), *[i for i in missing if i != own][:CATCH_UP]]


def to_verify(logical: Sequence[Logical], own: str, policy: Policy, now: datetime) -> list[str]:
    """Return the IDs of the backups that need verification: the run's own, then young ones without a verdict."""
    young = timedelta(hours=policy.hours)
    missing = [one for one in reversed(logical) if one.complete and not one.verdict]
    others = [one.id for one in missing if one.id != own and now - one.at < young]
    return [*(one.id for one in missing if one.id == own), *others[:CATCH_UP]]


def surplus_snapshots(
    snapshots: Sequence[Snapshot], keep: Keep, kind: str, now: datetime
) -> list[str]:
    """Return the names of the snapshots that can go, oldest first.

    Those before migrations count like any other, and stay ``migration_days`` besides.
    """
    backups = []
    for snapshot in snapshots:
        backup, (_, before) = ids.backup_of(snapshot.name)[1], ids.migration_of(snapshot.name)
        at = snapshot.at or before or ids.began(backup)
        if at is None:
            continue
        until = at + timedelta(days=keep.migration_days) if before else None
        complete = snapshot.status == AVAILABLE
        backups.append(Backup(snapshot.name, at, complete=complete, until=until))
    return [one.name for one in surplus(backups, keep.policies[kind], now)]


def surplus_logical(found: Found, keep: Keep, lock_days: float, now: datetime) -> list[str]:
    """Return the IDs of the logical backups that can go from both buckets, oldest first.

    :param lock_days: how long they are locked: nothing goes before.
    """
    busy = {task.backup for task in found.running}
    copies = {one.id: one for one in found.copies or () if one.complete}
    # Verification speaks of the originals; where one is gone, its copy stands for it.
    whole = {**copies, **{one.id: one for one in found.logical if one.complete}}

    def promised(one: Logical) -> Backup:
        until = now + timedelta(days=1) if one.id in busy else one.at + timedelta(days=lock_days)
        return Backup(one.id, one.at, verdict=one.verdict, until=until)

    backups = [promised(one) for one in whole.values()]
    policy = keep.policies[LOGICAL]
    going = [one.name for one in surplus(backups, policy, now)]
    # Of what an interrupted run has begun to delete, the manifest went first. It must not count among
    # the others, but would it go if it were whole?
    begun = [
        one.id
        for one in found.logical
        if one.verdict_key
        and one.id not in whole
        and promised(one) in surplus([*backups, promised(one)], policy, now)
    ]
    return sorted([*going, *begun])


def newest_complete(logical: Sequence[Logical]) -> Logical | None:
    """Return the newest complete logical backup, None without one."""
    return max((one for one in logical if one.complete), key=lambda one: one.id, default=None)


def surplus_of(found: Found, keep: Keep, lock_days: float, now: datetime) -> dict[str, list[str]]:
    """Return what retention no longer keeps, by kind."""
    return {
        SNAPSHOT: surplus_snapshots(found.snapshots, keep, SNAPSHOT, now),
        CACHE: surplus_snapshots(found.cache, keep, CACHE, now),
        LOGICAL: surplus_logical(found, keep, lock_days, now),
    }


def keep_of(retention: Mapping[str, Any]) -> Keep:
    """Return the retention from the module's option."""
    numbers = ("daily", "weekly", "monthly", "yearly", "hours")
    policies = {}
    for kind in KINDS:
        own = retention.get(kind) or {}
        values = {name: own[name] for name in numbers if own.get(name) is not None}
        policies[kind] = Policy(**values)
    return Keep(policies, float(retention.get("migration_days", 35)))
