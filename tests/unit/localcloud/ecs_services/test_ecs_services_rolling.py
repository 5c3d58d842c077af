from __future__ import annotations

from dataclasses import replace

import pytest

from localcloud.services.ecs.decisions import (
    ALARMS_REASON,
    BREAKER_REASON,
    NO_CANDIDATE,
    USER_REASON,
    Begin,
    DeploymentSnapshot,
    Enter,
    Finish,
    TurnBack,
)
from localcloud.services.ecs.rolling import RollingSnapshot, decide
from localcloud.services.ecs.scheduler import RevisionSnapshot, Start, Stop, TaskSnapshot

IN_PROGRESS = DeploymentSnapshot("IN_PROGRESS", candidate="1")


def tasks(prefix: str, count: int, *, healthy: bool = True) -> tuple[TaskSnapshot, ...]:
    return tuple(TaskSnapshot(f"{prefix}{i}", float(i), True, healthy) for i in range(count))


def old(count: int, **values) -> RevisionSnapshot:
    values = {"requested": count, "proven": True, "tasks": tasks("old", count), **values}
    return RevisionSnapshot("1", **values)


def new(count: int = 0, *, healthy: bool = True, **values) -> RevisionSnapshot:
    return RevisionSnapshot("2", tasks=tasks("new", count, healthy=healthy), **values)


def rolling(target: RevisionSnapshot, *olds: RevisionSnapshot, **values) -> RollingSnapshot:
    values = {"now": 0.0, "desired": 4, "deployment": IN_PROGRESS, **values}
    return RollingSnapshot(target=target, olds=olds, **values)


def test_pending_begins_without_a_stage():
    assert decide(rolling(new(), deployment=DeploymentSnapshot("PENDING"))) == (Begin(None),)


@pytest.mark.parametrize(
    ("minimum", "maximum", "desired", "expected"),
    [
        # The worked examples of
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
        (100, 200, 4, (Start("2", 4),)),
        (75, 200, 2, (Start("2", 2),)),
        (100, 125, 3, ()),
        (50, 100, 4, (Stop("old3", "replaced"), Stop("old2", "replaced"))),
    ],
)
def test_pace(minimum, maximum, desired, expected):
    snapshot = rolling(
        new(), old(desired), desired=desired, minimum_percent=minimum, maximum_percent=maximum
    )
    assert decide(snapshot) == expected


def test_an_old_task_leaves_for_every_healthy_new_one():
    target = replace(new(2), tasks=(*tasks("new", 2), *tasks("late", 2, healthy=False)))
    assert decide(rolling(target, old(4))) == (Stop("old3", "replaced"), Stop("old2", "replaced"))


def test_old_tasks_that_do_not_serve_leave_at_once():
    idle = old(4, tasks=(*tasks("old", 3), TaskSnapshot("pending", 9.0)))
    assert Stop("pending", "replaced") in decide(rolling(new(4, healthy=False), idle))


def test_a_lost_old_task_is_replaced_in_its_own_revision_while_new_ones_are_not_ready():
    actions = decide(rolling(new(4, healthy=False), old(4, tasks=tasks("old", 3))))
    assert actions == (Start("1", 1),)


def test_old_tasks_are_not_scaled_out():
    actions = decide(rolling(new(4, healthy=False), old(2), desired=4))
    assert actions == ()


def test_tasks_without_production_traffic_leave_first_and_count_for_nothing():
    aside = RevisionSnapshot("0", requested=4, tasks=tasks("aside", 4), proven=True, aside=True)
    stops = decide(rolling(new(), old(4), aside))
    assert stops == tuple(Stop(f"aside{n}", "replaced") for n in range(4))


def test_succeeds_once_the_old_tasks_are_gone():
    assert decide(rolling(new(4), RevisionSnapshot("1", leaving=1))) == ()
    assert decide(rolling(new(4))) == (Finish("SUCCESSFUL"),)


def test_nothing_desired_succeeds_at_once():
    assert decide(rolling(new(0), desired=0)) == (Finish("SUCCESSFUL"),)


def test_alarms_are_watched_for_a_bake_time():
    watched = replace(IN_PROGRESS, bake=180.0, alarms_watched=False)
    assert decide(rolling(new(4), deployment=watched)) == (Enter("BAKE_TIME"),)
    baking = replace(watched, stage="BAKE_TIME", stage_since=10.0, alarms_watched=True)
    assert decide(rolling(new(4), deployment=baking, now=189.0)) == ()
    assert decide(rolling(new(4), deployment=baking, now=190.0)) == (Finish("SUCCESSFUL"),)
    ringing = replace(baking, alarms=("errors",))
    assert decide(rolling(new(4), deployment=ringing, now=20.0)) == (TurnBack(ALARMS_REASON),)


def test_the_breaker_turns_back():
    broken = replace(IN_PROGRESS, failures=3, breaker_threshold=3)
    assert decide(rolling(new(1), old(4), deployment=broken)) == (TurnBack(BREAKER_REASON),)
    almost = replace(broken, failures=2)
    assert decide(rolling(new(4, healthy=False), old(4), deployment=almost)) == ()


def test_failures_without_breaker_are_retried_for_ever():
    failing = replace(IN_PROGRESS, failures=1000)
    assert decide(rolling(new(), old(4), deployment=failing)) == (Start("2", 4),)


def test_the_breaker_without_rollback_stops():
    broken = replace(IN_PROGRESS, failures=3, breaker_threshold=3, breaker_rollback=False)
    (end,) = decide(rolling(new(1), old(4), deployment=broken))
    assert isinstance(end, Finish)
    assert end.status == "STOPPED"


def test_without_a_completed_revision_the_rollback_fails():
    broken = replace(IN_PROGRESS, failures=3, breaker_threshold=3, candidate=None)
    assert decide(rolling(new(1), deployment=broken)) == (
        Finish("ROLLBACK_FAILED", NO_CANDIDATE, BREAKER_REASON),
    )


def test_a_requested_rollback_turns_back_even_without_the_rollback_option():
    asked = DeploymentSnapshot("ROLLBACK_REQUESTED", candidate="1", breaker_rollback=False)
    assert decide(rolling(new(1), old(4), deployment=asked)) == (TurnBack(USER_REASON),)


def test_rolling_back_ends_when_the_failed_tasks_are_gone():
    back = DeploymentSnapshot("ROLLBACK_IN_PROGRESS", candidate="1")
    failed = RevisionSnapshot("2", tasks=tasks("new", 1, healthy=False), blocked=True)
    assert decide(rolling(old(4), failed, deployment=back)) == (Stop("new0", "replaced"),)
    assert decide(rolling(old(4), deployment=back)) == (Finish("ROLLBACK_SUCCESSFUL"),)
    again = replace(back, failures=3, breaker_threshold=3)
    assert decide(rolling(old(1), deployment=again)) == (Finish("ROLLBACK_FAILED", BREAKER_REASON),)


def test_at_rest_only_the_count_is_kept():
    assert decide(rolling(old(3), deployment=None)) == (Start("1", 1),)
    assert decide(rolling(old(4), deployment=None)) == ()
    assert decide(rolling(old(4), deployment=None, desired=3)) == (Stop("old3", "scale-in"),)
