"""What a run of backup.yml would do: read, decided, and said; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..lyo_release import verdict
from . import decide, ids, reading, scratch
from .catalogue import Logical
from .decide import CACHE, LOGICAL, SNAPSHOT
from .snapshots import AVAILABLE, Snapshot
from .verification import Verifier

if TYPE_CHECKING:
    from .run import Backup


def predict(backup: Backup) -> dict[str, Any]:
    """Return the module's answer in check mode.

    :raises AwsFailure: something cannot be read.
    """
    place = backup.place
    found = reading.read(place, backup.program, backup.instances)
    lines = [f"would remove {line}" for line in decide.orphans(found).lines()]
    made: list[str] = []
    for kind, source in ((SNAPSHOT, place.instance), (CACHE, place.group)):
        if kind in backup.kinds:
            under_way = decide.under_way(found, kind)
            name = under_way.name if under_way else ids.snapshot_name(source, backup.id)
            how = "would wait for" if under_way else "would take"
            lines.append(f"{kind}: {how} {name} of {source}")
            made.append(f"{kind} {name}")
    if LOGICAL in backup.kinds:
        lines += _logical(backup, found)
        made.append(f"{LOGICAL} {backup.id}")
    going = _going(backup, found)
    lines += [f"retention: would delete {name}" for name in going]
    before = [*(f"{LOGICAL} {one.id}" for one in found.logical)]
    before += [f"{kind} {s.name}" for kind in (SNAPSHOT, CACHE) for s in found.of(kind)]
    after = [line for line in before if line not in going] + made
    return {
        "changed": True,
        "verdict": verdict.PREDICTED,
        "reasons": lines,
        "backup": backup.id,
        "removed": going,
        "diff": difference(before, after),
    }


def _logical(backup: Backup, found: decide.Found) -> list[str]:
    place = backup.place
    under_way = decide.task_under_way(found, "dump")
    own = under_way.backup if under_way else backup.id
    how = "would follow the task that dumps" if under_way else "would dump"
    where = f"s3://{place.bucket}/{place.logical.prefix}{own}/"
    name = f"{place.outputs['database']['name']} of {place.instance}"
    lines = [f"{LOGICAL}: {how} {name} to {where} by a task of {backup.program.image()}"]
    lines += [f"dump: would lock {one}, which is complete" for one in decide.to_end(found)]
    dumped = [one for one in found.logical if one.complete]
    if place.copies is not None:
        going = [name.removeprefix(f"{LOGICAL} ") for name in _going(backup, found)]
        to_copy = [own, *decide.to_copy(dumped, found.copies, own, going)]
        lines.append(f"copy: would copy {', '.join(to_copy)} to s3://{place.copies.bucket}")
    if backup.params["verify"]:
        policy = backup.keep.policies[LOGICAL]
        verifier = Verifier(place, backup.program, backup.instances, backup.params, backup.progress)
        source = verifier.source()
        for one in [own, *decide.to_verify(dumped, own, policy, backup.now())]:
            wanted = verifier.request(one, source)
            lines.append(
                f"verify: would restore {one} into {wanted['DBInstanceIdentifier']}"
                f" ({wanted['DBInstanceClass']}, {wanted['AllocatedStorage']} GiB,"
                f" {wanted['Engine']} {wanted['EngineVersion']},"
                f" parameter group {wanted.get('DBParameterGroupName', 'of RDS')},"
                f" subnet group {wanted.get('DBSubnetGroupName', 'of RDS')}), and delete it,"
                f" by its tag {scratch.TAG}"
            )
    return lines


def _going(backup: Backup, found: decide.Found) -> list[str]:
    """Return what retention would delete once the new backups are there."""
    now = backup.now()
    with_new = decide.Found(
        [*found.snapshots, _new_snapshot(backup, backup.place.instance)],
        [*found.cache, _new_snapshot(backup, backup.place.group)],
        [*found.logical, Logical(backup.id, now, True, 0, ())],
        found.copies,
        found.running,
    )
    going = decide.surplus_of(with_new, backup.keep, backup.place.lock_days, now)
    return [f"{kind} {name}" for kind in backup.kinds for name in going[kind]]


def _new_snapshot(backup: Backup, source: str) -> Snapshot:
    return Snapshot(ids.snapshot_name(source, backup.id), source, AVAILABLE, backup.now())


def difference(before: Sequence[str], after: Sequence[str]) -> dict[str, str]:
    """Return Ansible's diff of two lists of backups."""
    return {
        "before": "".join(f"{line}\n" for line in before),
        "after": "".join(f"{line}\n" for line in after),
        "before_header": "backups",
        "after_header": "backups",
    }
