from __future__ import annotations

import pytest

from localcloud.services.ecs.scheduler import (
    RevisionSnapshot,
    Start,
    Stop,
    TaskSnapshot,
    balance,
    breaker_threshold,
    pause_after,
)


def task(name: str, *, healthy: bool = True, running: bool = True, unhealthy: str | None = None):
    return TaskSnapshot(name, float(len(name)), running, healthy and not unhealthy, unhealthy)


def revision(*tasks: TaskSnapshot, **values) -> RevisionSnapshot:
    return RevisionSnapshot("1", tasks=tasks, **values)


@pytest.mark.parametrize(
    ("configuration", "desired", "threshold"),
    [
        # The worked examples of
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
        ({}, 1, 3),
        ({}, 25, 13),
        ({}, 400, 200),
        ({}, 800, 200),
        ({"thresholdConfiguration": {"type": "UNBOUNDED_PERCENT", "value": 50}}, 800, 400),
        ({"thresholdConfiguration": {"type": "COUNT", "value": 5}}, 800, 5),
    ],
)
def test_breaker_threshold(configuration, desired, threshold):
    assert breaker_threshold(configuration, desired) == threshold


def test_starts_what_is_missing():
    assert balance(revision(task("a")), 3, 6, 0) == (Start("1", 2),)


def test_leaves_a_full_revision_alone():
    assert balance(revision(task("a"), task("bb")), 2, 4, 0) == ()


def test_never_starts_beyond_the_room():
    assert balance(revision(task("a")), 3, 2, 0) == (Start("1", 1),)


def test_blocked_and_throttled_revisions_launch_nothing():
    assert balance(revision(blocked=True), 2, 4, 0) == ()
    assert balance(revision(retry_at=10.0), 2, 4, 9.9) == ()
    assert balance(revision(retry_at=10.0), 2, 4, 10.0) == (Start("1", 2),)


def test_scale_in_takes_pending_then_unready_then_the_youngest():
    tasks = (task("a"), task("bb"), task("ccc", healthy=False), task("dddd", running=False))
    stops = balance(revision(*tasks), 1, 4, 0)
    # "dddd" does not run yet, "ccc" is not healthy, "bb" is younger than "a".
    assert stops == tuple(Stop(name, "scale-in") for name in ("dddd", "ccc", "bb"))


def test_a_proven_revision_replaces_an_unhealthy_task_before_stopping_it():
    sick = task("sick", unhealthy="503")
    before = balance(revision(task("a"), sick, proven=True), 2, 4, 0)
    assert before == (Start("1", 1),)
    replacement = task("new", running=True, healthy=False)
    assert balance(revision(task("a"), sick, replacement, proven=True), 2, 4, 0) == ()
    after = balance(revision(task("a"), sick, task("new"), proven=True), 2, 4, 0)
    assert after == (Stop("sick", "unhealthy", "503"),)


def test_without_room_unhealthy_tasks_are_stopped_one_by_one():
    sick = [task("s1", unhealthy="503"), task("s2", unhealthy="503")]
    actions = balance(revision(*sick, proven=True), 2, 2, 0)
    assert actions == (Stop("s1", "unhealthy", "503"), Start("1", 1))


def test_an_unproven_revision_gives_up_its_unhealthy_tasks_at_once():
    sick = [task("s1", unhealthy="503"), task("s2", unhealthy="503")]
    assert balance(revision(*sick), 2, 2, 0) == (
        Stop("s1", "unhealthy", "503"),
        Stop("s2", "unhealthy", "503"),
        Start("1", 2),
    )


def test_pauses_between_failing_launches_grow_up_to_27_minutes():
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html
    pauses = [pause_after(failures) for failures in range(40)]
    assert pauses[:3] == [0, 0, 0]
    assert pauses[3] > 0
    assert pauses == sorted(pauses)
    assert pauses[-1] == 27 * 60
