"""What a run of backup.yml has to do, and what it may delete."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible.module_utils.lyo_backup import decide as d
from ansible.module_utils.lyo_backup import ids
from ansible.module_utils.lyo_backup.catalogue import Logical
from ansible.module_utils.lyo_backup.program import Running
from ansible.module_utils.lyo_backup.retention import DAMAGED, VERIFIED, Policy
from ansible.module_utils.lyo_backup.scratch import Scratch
from ansible.module_utils.lyo_backup.snapshots import AVAILABLE, CREATING, FAILED, Snapshot

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
SOURCE = "lyo-test"
NOTHING_STAYS = d.Keep({kind: Policy(0, 0, 0, 0, 0) for kind in d.KINDS}, 35)


def ident(days: float) -> str:
    """The ID of a backup that began so many days ago."""
    return ids.new(NOW - timedelta(days=days), f"{round(days * 10):08x}")


def logical(
    days: float, verdict: str = "", *, complete: bool = True, judged: bool | None = None
) -> Logical:
    """A logical backup; `judged` tells whether it has a verdict, which it has with a word in it."""
    name = ident(days)
    keys = [f"logical/{name}/parts/0001"]
    keys += [f"logical/{name}/manifest.json"] if complete else []
    if judged or (judged is None and verdict):
        keys.append(f"logical/{name}/verdict-20261127T120000Z.json")
    at = NOW - timedelta(days=days)
    return Logical(name, at, complete, 10, tuple(sorted(keys)), verdict)


def snapshot(days: float, status: str = AVAILABLE, **more: Any) -> Snapshot:
    name = ids.snapshot_name(SOURCE, ident(days))
    return Snapshot(name, SOURCE, status, NOW - timedelta(days=days), **more)


def before_migration(days: float, *, at: bool = True) -> Snapshot:
    when = NOW - timedelta(days=days)
    name = f"{SOURCE}-migrate-0123456789ab-{when:%Y%m%d%H%M%S}"
    return Snapshot(name, SOURCE, AVAILABLE, when if at else None)


def task(verb: str, days: float, family: str = "backup") -> Running:
    return Running(f"arn:{verb}", f"lyo-test-ops-{family}", verb, ident(days))


# What is ours.


def test_a_snapshot_is_ours_by_its_name_and_by_its_source_or_its_tag() -> None:
    mine, migration = snapshot(1), before_migration(1)
    former = Snapshot(f"former-backup-{ident(2).lower()}", "former", AVAILABLE)
    tagged = Snapshot(former.name, "former", AVAILABLE, tags={"Environment": "test"})
    other = Snapshot(former.name, "former", AVAILABLE, tags={"Environment": "production"})
    by_hand = Snapshot(f"{SOURCE}-final", SOURCE, AVAILABLE, tags={"Environment": "test"})
    every = [mine, migration, former, tagged, other, by_hand]
    assert d.ours(every, [SOURCE], "test") == [mine, migration, tagged]


# What nobody works on any more.


def orphans(found: d.Found) -> dict[str, list[Any]]:
    """What is removed, without what is not."""
    left = d.orphans(found)
    every = {field.name: list(getattr(left, field.name)) for field in fields(left)}
    return {name: members for name, members in every.items() if members}


def test_what_a_broken_run_has_left_is_removed_unless_somebody_works_on_it() -> None:
    left, busy = logical(1, complete=False), logical(2, complete=False)
    uploads = [(one.id, f"key {one.id}", "u") for one in (left, busy)]
    found = d.Found(
        logical=[logical(0), left, busy],
        copies=[],
        uploads=uploads,
        running=[task("dump", 2), task("copy", 1), task("verify", 1)],
    )
    assert orphans(found) == {"uploads": uploads[:1], "remains": [left]}
    without = d.Found(logical=[left], copies=None)
    assert orphans(without) == {"remains": [left]}


def test_what_was_complete_once_is_never_removed_as_a_rest() -> None:
    """Its manifest was deleted: the verdict, or the whole copy, says that there was one."""
    judged, copied = logical(1, complete=False, judged=True), logical(2, complete=False)
    found = d.Found(logical=[judged, copied], copies=[logical(2), logical(3, complete=False)])
    assert orphans(found) == {"copy_remains": [logical(3, complete=False)]}
    assert d.lost_manifests(found, []) == [judged.id, copied.id]
    assert d.lost_manifests(found, [judged.id]) == [copied.id]
    dumping = d.Found(logical=[judged], running=[task("dump", 1)])
    assert d.lost_manifests(dumping, []) == []
    copying = d.Found(logical=[judged], running=[task("copy", 1)])
    assert d.lost_manifests(copying, []) == [judged.id]
    assert d.lost_manifests(d.Found(logical=[logical(1, VERIFIED)]), []) == []
    nobody = d.Found(logical=[logical(1, complete=False)], copies=[logical(1, complete=False)])
    assert d.lost_manifests(nobody, []) == []


def test_a_copy_that_broke_off_is_removed_unless_it_goes_on_or_can_go_on() -> None:
    left, busy, again = (logical(days, complete=False) for days in (1, 2, 3))
    uploads = [(one.id, f"key {one.id}", "u") for one in (left, busy)]
    found = d.Found(
        logical=[logical(3), logical(1, complete=False)],
        copies=[logical(0), left, busy, again],
        copy_uploads=uploads,
        running=[task("copy", 2), task("dump", 1)],
    )
    assert orphans(found) == {"copy_uploads": uploads[:1], "copy_remains": [left]}


def test_a_scratch_instance_goes_unless_it_is_used_or_going() -> None:
    used = Scratch("used", ident(1), "available")
    idle = Scratch("idle", ident(2), "available")
    going = Scratch("going", ident(2), "deleting")
    running = [task("verify", 1, "verify"), task("dump", 2)]
    found = d.Found(scratch=[used, idle, going], running=running)
    assert orphans(found) == {"scratch": [idle]}


def test_failed_snapshots_of_both_services_go() -> None:
    bad, also = snapshot(1, FAILED), snapshot(2, FAILED)
    found = d.Found(snapshots=[snapshot(3), bad], cache=[also, snapshot(3, CREATING)])
    assert orphans(found) == {"snapshots": [("snapshot", bad), ("cache", also)]}


def test_what_is_removed_is_told_line_by_line() -> None:
    one, other = logical(1), logical(2)
    orphans = d.Orphans(
        uploads=[("id", "key", "u")],
        copy_uploads=[("id", "other", "u")],
        remains=[one],
        copy_remains=[other],
        scratch=[Scratch("scratch", "id", "available")],
        snapshots=[("cache", snapshot(3))],
    )
    assert orphans.lines() == [
        "multipart upload of key",
        "multipart upload of other in the copies",
        f"parts of {one.id}, which has no manifest",
        f"parts of {other.id} in the copies",
        "scratch instance scratch",
        f"failed snapshot {snapshot(3).name}",
    ]


# What goes on.


def test_the_newest_snapshot_that_is_being_made_is_gone_on_with() -> None:
    by_hand = Snapshot("by-hand", SOURCE, CREATING)
    found = d.Found(
        snapshots=[snapshot(0), snapshot(2, CREATING), snapshot(1, CREATING), by_hand],
        cache=[snapshot(3, CREATING)],
    )
    assert d.under_way(found, "snapshot") == snapshot(1, CREATING)
    assert d.under_way(found, "cache") == snapshot(3, CREATING)
    assert d.under_way(d.Found(snapshots=[snapshot(0), by_hand]), "snapshot") is None


def test_a_task_of_ours_is_gone_on_with_and_no_other() -> None:
    dump, verify = task("dump", 1), task("verify", 1, "verify")
    elsewhere = [task("dump", 1, "restore"), task("verify", 1), task("dump", 1, "verify")]
    unknown = Running("arn:x", "lyo-test-ops-backup", "dump", "")
    found = d.Found(running=[*elsewhere, unknown, dump, verify])
    assert d.task_under_way(found, "dump") == dump
    assert d.task_under_way(found, "verify") == verify
    assert d.task_under_way(found, "copy") is None


def test_what_another_run_has_made_meanwhile_is_shared() -> None:
    since = NOW - timedelta(days=2)
    found = d.Found(
        logical=[logical(3), logical(2), logical(1), logical(0, complete=False)],
        snapshots=[
            snapshot(3),
            snapshot(2),
            snapshot(1, CREATING),
            Snapshot("by-hand", SOURCE, AVAILABLE, NOW),
        ],
        cache=[snapshot(3)],
    )
    assert d.shared(found, "logical", since) == ident(1)
    assert d.shared(found, "logical", NOW - timedelta(days=1)) == ident(1)
    assert d.shared(found, "logical", NOW) == ""
    assert d.shared(found, "snapshot", since) == ident(2)
    assert d.shared(found, "cache", since) == ""
    assert d.shared(found, "logical", None) == ""
    assert d.shared(found, "snapshot", None) == ""


def test_dumps_that_were_cut_off_at_their_end_are_ended_the_newest_first_and_two_at_most() -> None:
    def marked(one: Logical) -> Logical:
        return replace(one, keys=(*one.keys, f"logical/{one.id}/began.json"))

    cut = [marked(logical(days)) for days in (5, 4, 3, 2)]
    half = marked(logical(1, complete=False))
    found = d.Found(logical=[*cut, half, logical(0)], running=[task("copy", 3)])
    assert d.to_end(found) == [ident(2), ident(3)]
    busy = d.Found(logical=found.logical, running=[task("dump", 3)])
    assert d.to_end(busy) == [ident(2), ident(4)]


def test_the_runs_own_backup_is_copied_first_and_two_more() -> None:
    own, *others = (logical(days) for days in (0, 1, 2, 3, 4))
    half = logical(0.5, complete=False)
    every = [*reversed(others), half, own]
    assert d.to_copy(every, None, own.id) == []
    assert d.to_copy(every, [], own.id) == [ident(0), ident(1), ident(2)]
    assert d.to_copy(every, [logical(1), logical(2, complete=False)], own.id) == [
        ident(0),
        ident(2),
        ident(3),
    ]
    assert d.to_copy(every, [own], own.id) == [ident(1), ident(2)]


def test_the_runs_own_backup_is_verified_first_and_two_young_ones() -> None:
    own = logical(0)
    every = [
        logical(1.5),
        logical(1.4),
        logical(1.3, VERIFIED),
        logical(1.2, DAMAGED),
        logical(1.1),
        logical(0.5, complete=False),
        own,
    ]
    policy = Policy(hours=36)
    assert d.to_verify(every, own.id, policy, NOW) == [ident(0), ident(1.1), ident(1.4)]
    assert d.to_verify(every[:1], "", policy, NOW) == []  # just as old as 36 hours
    assert d.to_verify(every[:1], "", Policy(hours=37), NOW) == [ident(1.5)]
    assert d.to_verify(every[:1], ident(1.5), policy, NOW) == [ident(1.5)]
    assert d.to_verify([logical(0, VERIFIED)], ident(0), policy, NOW) == []


# What retention no longer keeps.


def names(*snapshots: Snapshot) -> list[str]:
    return [one.name for one in snapshots]


def test_snapshots_go_oldest_first_and_those_before_migrations_later() -> None:
    old, older = snapshot(40), snapshot(50)
    kept, gone = before_migration(34), before_migration(36)
    every = [snapshot(0), old, older, kept, gone, snapshot(60, CREATING)]
    assert d.surplus_snapshots(every, NOTHING_STAYS, "snapshot", NOW) == names(older, old, gone)
    long = d.Keep(NOTHING_STAYS.policies, 37)
    assert d.surplus_snapshots(every, long, "snapshot", NOW) == names(older, old)


def test_each_kind_has_a_policy_of_its_own() -> None:
    policies = {**NOTHING_STAYS.policies, d.CACHE: Policy(0, 0, 0, 0, hours=24 * 9)}
    keep = d.Keep(policies, 35)
    every = [snapshot(0), snapshot(8), snapshot(10)]
    found = d.Found(
        snapshots=every, cache=every, logical=[logical(0), logical(8), logical(10)], copies=None
    )
    assert d.surplus_of(found, keep, 0, NOW) == {
        "snapshot": names(every[2], every[1]),
        "cache": names(every[2]),
        "logical": [ident(10), ident(8)],
    }


def test_a_snapshot_without_a_time_has_the_one_of_its_name() -> None:
    old = Snapshot(snapshot(9).name, SOURCE, AVAILABLE)
    migrated = before_migration(36, at=False)
    by_hand = Snapshot("by-hand", SOURCE, AVAILABLE)
    every = [by_hand, snapshot(0), old, migrated]
    assert d.surplus_snapshots(every, NOTHING_STAYS, "snapshot", NOW) == names(migrated, old)


def test_what_is_used_or_locked_stays() -> None:
    found = d.Found(
        logical=[logical(9), logical(8), logical(7), logical(0)], running=[task("restore", 8)]
    )
    assert d.surplus_logical(found, NOTHING_STAYS, 0, NOW) == [ident(9), ident(7)]
    assert d.surplus_logical(found, NOTHING_STAYS, 7.5, NOW) == [ident(9)]
    assert d.surplus_logical(found, NOTHING_STAYS, 9.5, NOW) == []


def test_a_copy_whose_original_is_gone_stands_for_it() -> None:
    copy = logical(30)
    found = d.Found(logical=[logical(0)], copies=[copy, logical(40, complete=False), logical(0)])
    assert d.surplus_logical(found, NOTHING_STAYS, 0, NOW) == [copy.id]
    assert d.surplus_logical(found, d.Keep(), 0, NOW) == []
    # The original's verdict counts, not the copy's, which has none.
    both = d.Found(logical=[logical(20, VERIFIED), logical(0)], copies=[logical(20)])
    assert d.surplus_logical(both, NOTHING_STAYS, 0, NOW) == []


def test_one_whose_deletion_has_begun_goes_if_it_would_go_as_a_whole() -> None:
    """Its manifest went first; the verdict is there still."""
    begun = logical(30, VERIFIED, complete=False)
    newest = logical(0, VERIFIED)
    found = d.Found(logical=[begun, newest])
    assert d.surplus_logical(found, NOTHING_STAYS, 0, NOW) == [begun.id]
    assert d.surplus_logical(found, NOTHING_STAYS, 31, NOW) == []
    # As a whole it would be the last verified one: somebody else has deleted the manifest.
    alone = d.Found(logical=[begun, logical(0)])
    assert d.surplus_logical(alone, NOTHING_STAYS, 0, NOW) == []
    # Without a verdict it is no backup that was begun to be deleted.
    half = d.Found(logical=[logical(30, complete=False), newest])
    assert d.surplus_logical(half, NOTHING_STAYS, 0, NOW) == []
    # Where its copy is whole, that counts.
    copied = d.Found(logical=[begun, newest], copies=[logical(30)])
    assert d.surplus_logical(copied, NOTHING_STAYS, 0, NOW) == [begun.id]
    mixed = d.Found(logical=[begun, logical(10, VERIFIED), newest])
    assert d.surplus_logical(mixed, NOTHING_STAYS, 0, NOW) == [ident(30), ident(10)]


def test_the_newest_complete_one() -> None:
    every = [logical(1), logical(2), logical(0, complete=False)]
    assert d.newest_complete(every) == logical(1)
    assert d.newest_complete(every[2:]) is None


@pytest.mark.parametrize(
    ("retention", "kind", "policy", "days"),
    [
        ({}, "logical", Policy(), 35.0),
        ({"logical": {"daily": 3, "hours": 5.5}}, "logical", Policy(3, hours=5.5), 35.0),
        ({"logical": {"daily": 3}}, "snapshot", Policy(), 35.0),
        (
            {"cache": {"daily": 0, "weekly": 1, "monthly": 2, "yearly": 3, "hours": 4}},
            "cache",
            Policy(0, 1, 2, 3, 4),
            35.0,
        ),
        ({"snapshot": {"daily": None}, "migration_days": 7}, "snapshot", Policy(), 7.0),
        ({"snapshot": None}, "snapshot", Policy(), 35.0),
    ],
)
def test_the_modules_option_says_how_long(
    retention: dict[str, Any], kind: str, policy: Policy, days: float
) -> None:
    keep = d.keep_of(retention)
    assert keep.policies[kind] == policy
    assert keep.migration_days == days
    assert set(keep.policies) == set(d.KINDS)
