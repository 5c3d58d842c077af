"""Which instance a restore goes on with, and which are left of runs that were killed. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .record import Record
from .template import DRILL_TAG, RESTORE_TAG, VALIDATED_TAG

AVAILABLE, DELETING = "available", "deleting"
# An instance in one of these gets well by nobody waiting.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html
LOST = frozenset(
    {
        "failed",
        "incompatible-network",
        "incompatible-option-group",
        "incompatible-parameters",
        "incompatible-restore",
        "insufficient-capacity",
        "inaccessible-encryption-credentials",
        "storage-full",
    }
)


@dataclass(frozen=True)
class Found:
    """An RDS instance of the environment.

    :ivar status: ``DBInstanceStatus``.
    :ivar tags: its tags.
    """

    identifier: str
    status: str
    tags: Mapping[str, str]

    @classmethod
    def of(cls, instance: Mapping[str, Any]) -> Found:
        """Return a DBInstance as far as it is decided from."""
        tags = {tag["Key"]: tag.get("Value", "") for tag in instance.get("TagList") or ()}
        return cls(str(instance["DBInstanceIdentifier"]), str(instance["DBInstanceStatus"]), tags)


@dataclass(frozen=True)
class Decision:
    """What is to do.

    :ivar serving: whether what was asked for serves already.
    :ivar adopt: the instance that an interrupted run has made for the same request, empty without one.
    :ivar delete: what killed runs have left, and what cannot be used.
    :ivar notes: what is worth knowing.
    """

    serving: bool = False
    adopt: str = ""
    delete: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def restores(record: Record, instances: Sequence[Found]) -> list[Found]:
    """Return the restored instances that the environment does not use: neither serving nor kept."""
    used = {record.serving, *record.kept, *record.releasing}
    return [
        one
        for one in instances
        if RESTORE_TAG in one.tags and one.identifier not in used and one.status != DELETING
    ]


def decide(record: Record, instances: Sequence[Found], key: str, *, again: bool) -> Decision:
    """Return what a restore is to do.

    :param key: of the request.
    :param again: whether another is wanted though the serving one was restored for this request.

    What serves, or is kept, is never deleted here.
    """
    status = {one.identifier: one.status for one in instances}.get(record.serving)
    if record.request == key and not again and status is not None and status not in LOST:
        return Decision(serving=True, delete=_left(record, instances, key="", notes=None))
    notes: list[str] = []
    delete = _left(record, instances, key, notes)
    mine = [
        one.identifier
        for one in restores(record, instances)
        if one.tags[RESTORE_TAG] == key and one.status not in LOST
    ]
    # Two are there only if an answer was lost; the older one is as good.
    adopt, *twice = sorted(mine) or [""]
    return Decision(adopt=adopt, delete=(*delete, *twice), notes=tuple(notes))


def _left(
    record: Record, instances: Sequence[Found], key: str, notes: list[str] | None
) -> tuple[str, ...]:
    delete = []
    for one in restores(record, instances):
        mine = one.tags[RESTORE_TAG] == key
        if mine and one.status not in LOST:
            continue
        if VALIDATED_TAG in one.tags and one.status not in LOST and not mine:
            if notes is not None:
                notes.append(
                    f"{one.identifier} was restored and never switched to; "
                    "restore.yml -e discard=true deletes it"
                )
            continue
        delete.append(one.identifier)
    return tuple(delete)


def drills(instances: Sequence[Found]) -> tuple[str, ...]:
    """Return the instances that drills have made and not deleted."""
    return tuple(
        one.identifier for one in instances if DRILL_TAG in one.tags and one.status != DELETING
    )
