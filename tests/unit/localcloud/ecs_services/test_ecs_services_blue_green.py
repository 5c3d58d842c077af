from __future__ import annotations

from dataclasses import replace

import pytest

from localcloud.services.ecs.blue_green import STAGES, BlueGreenSnapshot, decide, shifts_of
from localcloud.services.ecs.decisions import (
    ALARMS_REASON,
    BREAKER_REASON,
    NO_CANDIDATE,
    USER_REASON,
    Ask,
    Begin,
    DeploymentSnapshot,
    Enter,
    Finish,
    OpenHooks,
    ShiftProduction,
    ShiftTest,
    TurnBack,
)
from localcloud.services.ecs.hooks import HookSnapshot
from localcloud.services.ecs.scheduler import RevisionSnapshot, Start, Stop, TaskSnapshot


def tasks(prefix: str, count: int, *, healthy: bool = True) -> tuple[TaskSnapshot, ...]:
    return tuple(TaskSnapshot(f"{prefix}{i}", float(i), True, healthy) for i in range(count))


BLUE = RevisionSnapshot("1", requested=2, tasks=tasks("blue", 2), proven=True)
GREEN = RevisionSnapshot("2", requested=2, tasks=tasks("green", 2), proven=True)
NONE = RevisionSnapshot("2")
GONE = RevisionSnapshot("1", proven=True)


def at(stage: str | None, **values) -> DeploymentSnapshot:
    values = {"status": "IN_PROGRESS", "candidate": "1", "now": 1000.0, **values}
    return DeploymentSnapshot(stage=stage, stage_since=1000.0, **values)


def snapshot(deployment: DeploymentSnapshot, **values) -> BlueGreenSnapshot:
    values = {"desired": 2, "green": GREEN, "blue": BLUE, **values}
    return BlueGreenSnapshot(deployment, **values)


def hooked(stage: str, *outcomes: str | None, step: int = 0, **values) -> DeploymentSnapshot:
    hooks = tuple(
        HookSnapshot(f"hook{i}", stage, step, "SUCCEEDED" if o else "AWAITING_ACTION", o)
        for i, o in enumerate(outcomes)
    )
    return at(stage, hooks=hooks, hook_stages=frozenset({stage}), **values)


# -- the way forward ---------------------------------------------------------------------------


def test_begins_at_pre_scale_up_without_leftovers():
    assert decide(snapshot(at(None, status="PENDING"), green=NONE)) == (Begin("PRE_SCALE_UP"),)


def test_reconciles_first_when_a_superseded_deployment_left_tasks():
    leftover = RevisionSnapshot("0", requested=2, tasks=tasks("left", 2))
    begin = snapshot(at(None, status="PENDING"), green=NONE, leftovers=(leftover,))
    assert decide(begin) == (Begin("RECONCILE_SERVICE"),)
    reconciling = replace(begin, deployment=at("RECONCILE_SERVICE"))
    assert decide(reconciling) == (Ask("0", 0),)
    leaving = RevisionSnapshot("0", leaving=2)
    assert decide(replace(reconciling, leftovers=(leaving,))) == ()
    gone = replace(reconciling, leftovers=(RevisionSnapshot("0"),))
    assert decide(gone) == (Enter("PRE_SCALE_UP"),)


def test_reconciling_waits_until_blue_is_whole_again():
    leftover = RevisionSnapshot("0", requested=2, tasks=tasks("left", 2))
    half = replace(BLUE, tasks=BLUE.tasks[:1])
    reconciling = snapshot(at("RECONCILE_SERVICE"), green=NONE, blue=half, leftovers=(leftover,))
    assert decide(reconciling) == (Start("1", 1),)


def test_scale_up_waits_for_healthy_tasks():
    assert decide(snapshot(at("SCALE_UP"), green=NONE)) == (Ask("2", 2),)
    asked = RevisionSnapshot("2", requested=2)
    assert decide(snapshot(at("SCALE_UP"), green=asked)) == (Start("2", 2),)
    unready = replace(asked, tasks=tasks("green", 2, healthy=False))
    assert decide(snapshot(at("SCALE_UP"), green=unready)) == ()
    assert decide(snapshot(at("SCALE_UP"))) == (Enter("POST_SCALE_UP"),)


def test_the_first_release_scales_green_from_a_blue_that_never_had_tasks():
    never = RevisionSnapshot("1")
    assert decide(snapshot(at("SCALE_UP"), green=NONE, blue=never)) == (Ask("2", 2),)
    assert decide(snapshot(at("CLEAN_UP"), blue=never)) == (Finish("SUCCESSFUL"),)


def test_scaling_out_while_scaling_up_is_honoured():
    assert decide(snapshot(at("SCALE_UP"), desired=3)) == (Ask("2", 3),)


def test_the_test_listener_goes_to_green():
    shift = snapshot(at("TEST_TRAFFIC_SHIFT"), has_test_rule=True)
    assert decide(shift) == (ShiftTest(100.0),)
    done = replace(shift, deployment=at("TEST_TRAFFIC_SHIFT", test_percent=100.0))
    assert decide(done) == (Enter("POST_TEST_TRAFFIC_SHIFT"),)
    assert decide(snapshot(at("TEST_TRAFFIC_SHIFT"))) == (Enter("POST_TEST_TRAFFIC_SHIFT"),)


def test_all_at_once_shift():
    shift = snapshot(at("PRODUCTION_TRAFFIC_SHIFT"))
    assert decide(shift) == (ShiftProduction(100.0),)
    done = at("PRODUCTION_TRAFFIC_SHIFT", shifted=1000.0, step=1, production_percent=100.0)
    assert decide(snapshot(done)) == (Enter("POST_PRODUCTION_TRAFFIC_SHIFT"),)


@pytest.mark.parametrize(
    ("configuration", "shifts", "pause"),
    [
        ({"strategy": "BLUE_GREEN"}, (100.0,), 0),
        ({"strategy": "CANARY"}, (5.0, 100.0), 600),
        (
            {
                "strategy": "CANARY",
                "canaryConfiguration": {"canaryPercent": 0.5, "canaryBakeTimeInMinutes": 1},
            },
            (0.5, 100.0),
            60,
        ),
        (
            {
                "strategy": "LINEAR",
                "linearConfiguration": {"stepPercent": 33.3, "stepBakeTimeInMinutes": 2},
            },
            (33.3, 66.6, 99.9, 100.0),
            120,
        ),
        ({"strategy": "LINEAR"}, tuple(10.0 * n for n in range(1, 11)), 360),
    ],
)
def test_shifts(configuration, shifts, pause):
    assert shifts_of(configuration) == (shifts, pause)


def test_canary_waits_between_its_two_steps_and_not_after_the_last():
    canary = snapshot(at("PRODUCTION_TRAFFIC_SHIFT"), shifts=(5.0, 100.0), shift_pause=600.0)
    assert decide(canary) == (ShiftProduction(5.0),)
    first = at("PRODUCTION_TRAFFIC_SHIFT", shifted=1000.0, step=1, production_percent=5.0)
    assert decide(replace(canary, deployment=replace(first, now=1599.0))) == ()
    over = replace(canary, deployment=replace(first, now=1600.0))
    assert decide(over) == (Enter("PRE_PRODUCTION_TRAFFIC_SHIFT"),)
    second = replace(canary, deployment=at("PRODUCTION_TRAFFIC_SHIFT", step=1))
    assert decide(second) == (ShiftProduction(100.0),)
    last = at("PRODUCTION_TRAFFIC_SHIFT", shifted=1600.0, step=2, production_percent=100.0)
    assert decide(replace(canary, deployment=last)) == (Enter("POST_PRODUCTION_TRAFFIC_SHIFT"),)


def test_bake_time():
    baking = at("BAKE_TIME", bake=300.0)
    assert decide(snapshot(replace(baking, now=1299.0))) == ()
    assert decide(snapshot(replace(baking, now=1300.0))) == (Enter("CLEAN_UP"),)


def test_clean_up_ends_when_blue_is_gone():
    assert decide(snapshot(at("CLEAN_UP"))) == (Ask("1", 0),)
    asked = replace(BLUE, requested=0)
    stops = decide(snapshot(at("CLEAN_UP"), blue=asked))
    assert {type(action) for action in stops} == {Stop}
    leaving = RevisionSnapshot("1", leaving=2)
    assert decide(snapshot(at("CLEAN_UP"), blue=leaving)) == ()
    assert decide(snapshot(at("CLEAN_UP"), blue=GONE)) == (Finish("SUCCESSFUL"),)
    assert decide(snapshot(at("CLEAN_UP"), blue=None)) == (Finish("SUCCESSFUL"),)


# -- hooks -------------------------------------------------------------------------------------

PAUSABLE = [s for s in STAGES if s.startswith(("PRE_", "POST_"))]


@pytest.mark.parametrize("stage", PAUSABLE)
def test_hooks_hold_their_stage(stage):
    following = Enter(STAGES[STAGES.index(stage) + 1])
    assert decide(snapshot(at(stage))) == (following,)
    assert decide(snapshot(hooked(stage))) == (OpenHooks(stage),)
    assert decide(snapshot(hooked(stage, None))) == ()
    assert decide(snapshot(hooked(stage, "CONTINUE", None))) == ()
    assert decide(snapshot(hooked(stage, "CONTINUE", "CONTINUE"))) == (following,)


@pytest.mark.parametrize("stage", PAUSABLE)
def test_one_hook_turns_the_deployment_back(stage):
    (action,) = decide(snapshot(hooked(stage, None, "ROLLBACK")))
    assert isinstance(action, TurnBack)
    assert f"because {stage} lifecycle hook(s) failed" in action.reason
    assert "hook1" in action.reason


def test_the_hook_before_a_shift_opens_at_every_step():
    stage = "PRE_PRODUCTION_TRAFFIC_SHIFT"
    again = replace(hooked(stage, "CONTINUE"), step=1)
    assert decide(snapshot(again, shifts=(5.0, 100.0))) == (OpenHooks(stage),)


def test_a_hook_may_wait_longer_than_a_stage_may_take():
    waiting = replace(hooked("POST_SCALE_UP", None), now=1000.0 + 13 * 24 * 3600)
    assert decide(snapshot(waiting)) == ()


# -- failure -----------------------------------------------------------------------------------

BEFORE_CLEAN_UP = [s for s in STAGES if s != "CLEAN_UP"]


@pytest.mark.parametrize("stage", BEFORE_CLEAN_UP)
@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ({"failures": 3, "breaker_threshold": 3}, BREAKER_REASON),
        ({"alarms": ("errors",), "alarms_watched": True}, ALARMS_REASON),
    ],
)
def test_failures_turn_back_at_every_stage(stage, failure, reason):
    assert decide(snapshot(at(stage, **failure))) == (TurnBack(reason),)


def test_a_failure_during_clean_up_changes_nothing():
    cleaning = at("CLEAN_UP", failures=9, breaker_threshold=3)
    assert decide(snapshot(cleaning, blue=GONE)) == (Finish("SUCCESSFUL"),)


def test_alarms_outside_their_stages_change_nothing():
    quiet = at("POST_SCALE_UP", alarms=("errors",), alarms_watched=False)
    assert decide(snapshot(quiet)) == (Enter("TEST_TRAFFIC_SHIFT"),)


def test_failure_without_rollback_option_stops():
    stopped = at("SCALE_UP", failures=3, breaker_threshold=3, breaker_rollback=False)
    (end,) = decide(snapshot(stopped))
    assert isinstance(end, Finish)
    assert end.status == "STOPPED"


def test_failure_of_the_very_first_deployment_has_nothing_to_turn_back_to():
    first = at("SCALE_UP", failures=3, breaker_threshold=3, candidate=None)
    assert decide(snapshot(first, blue=None)) == (
        Finish("ROLLBACK_FAILED", NO_CANDIDATE, BREAKER_REASON),
    )


def test_an_unhealthy_green_task_is_stopped_and_counts():
    sick = tuple(replace(t, healthy=False, unhealthy="503") for t in GREEN.tasks)
    green = replace(GREEN, tasks=sick, proven=False)
    actions = decide(snapshot(at("SCALE_UP"), green=green))
    assert actions == (
        Stop("green0", "unhealthy", "503"),
        Stop("green1", "unhealthy", "503"),
        Start("2", 2),
    )


def test_scale_up_is_given_24_hours():
    unready = replace(GREEN, tasks=tasks("green", 2, healthy=False))
    late = at("SCALE_UP", now=1000.0 + 24 * 3600 + 1)
    (action,) = decide(snapshot(late, green=unready))
    assert isinstance(action, TurnBack)
    assert "SCALE_UP" in action.reason


def test_a_fault_turns_back_and_names_itself():
    (action,) = decide(snapshot(at("PRE_SCALE_UP", fault="No such rule.")))
    assert isinstance(action, TurnBack)
    assert "invalid networking configuration. No such rule." in action.reason


@pytest.mark.parametrize("stage", STAGES)
def test_a_user_can_turn_back_at_every_stage(stage):
    assert decide(snapshot(at(stage, status="ROLLBACK_REQUESTED"))) == (TurnBack(USER_REASON),)


# -- the way back ------------------------------------------------------------------------------


def back(stage: str, **values) -> DeploymentSnapshot:
    return at(stage, status="ROLLBACK_IN_PROGRESS", **values)


def test_before_any_shift_only_green_goes():
    assert decide(snapshot(back("POST_SCALE_UP"))) == (Ask("2", 0),)


def test_during_bake_the_way_back_is_a_flip_of_weights_without_a_new_task():
    shifted = back("BAKE_TIME", production_percent=100.0, test_percent=100.0)
    green = replace(GREEN, blocked=True)
    assert decide(snapshot(shifted, green=green)) == (ShiftProduction(0.0),)
    flipped = replace(shifted, production_percent=0.0)
    assert decide(snapshot(flipped, green=green)) == (ShiftTest(0.0),)
    tested = replace(flipped, test_percent=0.0)
    assert decide(snapshot(tested, green=green)) == (Ask("2", 0),)


def test_during_clean_up_blue_is_launched_again_before_the_flip():
    shifted = back("CLEAN_UP", production_percent=100.0)
    stopping = RevisionSnapshot("1", leaving=2, proven=True)
    assert decide(snapshot(shifted, blue=stopping)) == (Ask("1", 2),)
    asked = replace(stopping, requested=2)
    assert decide(snapshot(shifted, blue=asked)) == (Start("1", 2),)
    unready = replace(asked, tasks=tasks("blue", 2, healthy=False))
    assert decide(snapshot(shifted, blue=unready)) == ()
    assert decide(snapshot(shifted)) == (ShiftProduction(0.0),)


def test_back_ends_when_green_is_gone():
    leaving = RevisionSnapshot("2", leaving=1)
    assert decide(snapshot(back("BAKE_TIME"), green=leaving)) == ()
    ended = decide(snapshot(back("BAKE_TIME"), green=RevisionSnapshot("2")))
    assert ended == (Finish("ROLLBACK_SUCCESSFUL"),)


def test_a_fault_on_the_way_back_fails_it():
    ended = decide(snapshot(back("BAKE_TIME", production_percent=100.0, fault="No rule.")))
    assert ended == (Finish("ROLLBACK_FAILED", "No rule."),)
