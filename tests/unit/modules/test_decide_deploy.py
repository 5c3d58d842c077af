from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.lyo_release import decide_deploy as d
from ansible.module_utils.lyo_release import stages


def live(**changes: Any) -> d.Live:
    return d.Live(**{"exists": True, "desired": 2, **changes})


RUNNING = {"deployment": "arn:d", "deployment_status": "IN_PROGRESS", "deployment_name": "v2"}


@pytest.mark.parametrize(
    ("state", "policy", "step"),
    [
        (d.Live(exists=False), "refuse", d.REFUSE),
        (live(), "refuse", d.DEPLOY),
        (live(desired=0), "refuse", d.DEPLOY),
        (live(matches=True), "refuse", d.UNCHANGED),
        (live(matches=True, desired=0), "refuse", d.SCALE),
        (live(**RUNNING, deployment_matches=True), "refuse", d.ADOPT),
        (live(**{**RUNNING, "deployment_status": "PENDING"}, deployment_matches=True), "wait", d.ADOPT),
        (live(**RUNNING), "refuse", d.REFUSE),
        (live(**RUNNING), "wait", d.WAIT),
        # What is asked for is live, but something else is on its way.
        (live(**RUNNING, matches=True), "refuse", d.REFUSE),
        (live(**{**RUNNING, "deployment_status": "ROLLBACK_IN_PROGRESS"}), "refuse", d.WAIT),
        (
            live(
                **{**RUNNING, "deployment_status": "ROLLBACK_REQUESTED"}, deployment_matches=True
            ),
            "refuse",
            d.WAIT,
        ),
        (live(**{**RUNNING, "deployment_status": "STOP_REQUESTED"}), "refuse", d.WAIT),
    ],
)  # fmt: skip
def test_first_step(state: d.Live, policy: str, step: str) -> None:
    found, reason = d.first_step(state, policy)
    assert found == step
    assert reason


def test_a_refusal_names_the_release_and_the_way_out() -> None:
    _, reason = d.first_step(live(**RUNNING), "refuse")
    assert "v2" in reason
    assert "rollback.yml" in reason


LIMITS = d.Limits(max_failed_tasks=3, healthy_timeout=100, timeout=1000)


def seen(stage: str = "SCALE_UP", **changes: Any) -> d.Observation:
    values = {"status": "IN_PROGRESS", "stage": stage, "position": stages.position(stage, 2.0)}
    return d.Observation(**{**values, **changes})


BAKING = {"stage": "BAKE_TIME", "production_weight": 100.0}
HOOK = {"waiting_hooks": ("h",)}


@pytest.mark.parametrize(
    ("observation", "changes", "step"),
    [
        (seen(), {}, d.POLL),
        *[(seen(status=status), {}, d.END) for status in sorted(stages.ENDED)],
        (seen(failed_tasks=2), {}, d.POLL),
        (seen(failed_tasks=3), {}, d.TURN_BACK),
        (seen(failed_tasks=3), {"turning_back": True}, d.POLL),
        (seen("PRE_PRODUCTION_TRAFFIC_SHIFT", failed_tasks=3), {}, d.TURN_BACK),
        (seen("PRODUCTION_TRAFFIC_SHIFT", failed_tasks=9), {}, d.POLL),
        (seen(failed_tasks=3, status="ROLLBACK_IN_PROGRESS"), {}, d.POLL),
        (seen(elapsed=100), {}, d.POLL),
        (seen(elapsed=101), {}, d.TURN_BACK),
        (seen(elapsed=101), {"turning_back": True}, d.POLL),
        (seen("POST_SCALE_UP", elapsed=101), {}, d.POLL),
        (seen("UNKNOWN", elapsed=101), {}, d.TURN_BACK),
        (seen("POST_TEST_TRAFFIC_SHIFT", **HOOK), {}, d.CHECK),
        (seen("POST_TEST_TRAFFIC_SHIFT", **HOOK), {"answered": {"h"}}, d.POLL),
        (seen("POST_TEST_TRAFFIC_SHIFT", **HOOK), {"turning_back": True}, d.POLL),
        (seen("PRE_SCALE_UP", **HOOK), {}, d.POLL),
        (seen("POST_PRODUCTION_TRAFFIC_SHIFT", **HOOK), {}, d.POLL),
        (seen(**BAKING), {}, d.POLL),
        (seen(**BAKING), {"wait_for": "bake"}, d.END),
        (seen(**BAKING), {"wait_for": "bake", "turning_back": True}, d.POLL),
        (seen("BAKE_TIME", production_weight=50.0), {"wait_for": "bake"}, d.POLL),
        (seen(**BAKING, elapsed=1000), {}, d.POLL),
        (seen(**BAKING, elapsed=1001), {}, d.GIVE_UP),
        (seen("CLEAN_UP", elapsed=1001), {}, d.GIVE_UP),
        (seen(status="ROLLBACK_IN_PROGRESS", elapsed=1001), {}, d.GIVE_UP),
    ],
)
def test_next_step(observation: d.Observation, changes: dict[str, Any], step: str) -> None:
    limits = d.Limits(3, 100, 1000, changes.get("wait_for", "complete"))
    answered = changes.get("answered", set())
    found, _ = d.next_step(observation, limits, answered, changes.get("turning_back", False))
    assert found == step


def test_no_limit_on_failed_tasks() -> None:
    limits = d.Limits(0, 100, 1000)
    assert d.next_step(seen(failed_tasks=99), limits, (), False)[0] == d.POLL


def test_the_hook_that_waits_is_named() -> None:
    hooks = seen("POST_TEST_TRAFFIC_SHIFT", waiting_hooks=("a", "b"))
    assert d.next_step(hooks, LIMITS, {"a"}, False) == (d.CHECK, "b")


@pytest.mark.parametrize(
    ("desired", "minimum", "asked"), [(0, 2, 2), (0, 0, 1), (1, 2, None), (5, 2, None)]
)
def test_desired_count(desired: int, minimum: int, asked: int | None) -> None:
    assert d.desired_count(desired, minimum) == asked


def test_polling_is_quick_after_a_change_and_slows_down() -> None:
    pause = d.pause_after(9.0, changed=True)
    assert pause == 0.2
    waited = 0.0
    while waited < 60.0:
        # No stage is noticed later than by a fiftieth of what it took, and a little.
        assert pause <= 0.2 + waited / 49
        waited += pause
        following = d.pause_after(pause, changed=False)
        assert following >= pause
        pause = following
    assert pause == 1.0
