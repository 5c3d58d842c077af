from __future__ import annotations

from types import SimpleNamespace

import pytest

from localcloud.api import AwsError
from tests.unit.localcloud.ecs_services.conftest import (
    PRODUCTION,
    TEST,
    TG_A,
    TG_B,
    World,
    blue_green,
    pair,
    pause,
)


@pytest.fixture
def bootstrapped(world: World) -> World:
    """A service as Terraform makes it: rolling, desired count 0, never started."""
    world.create(desiredCount=0)
    world.go(1)
    return world


@pytest.fixture
def live(bootstrapped: World) -> World:
    """The first release is through: revision 2 serves from the alternate target group."""
    bootstrapped.update(
        taskDefinition="lyo:2",
        desiredCount=2,
        loadBalancers=pair(),
        deploymentConfiguration=blue_green(),
    )
    bootstrapped.go(400)
    assert bootstrapped.deployment()["status"] == "SUCCESSFUL"
    return bootstrapped


def stages(world: World, seconds: float) -> list[str]:
    """Lifecycle stages seen while time passes, without repetition."""
    seen: list[str] = []
    for _ in range(int(seconds)):
        world.seconds += 1
        world.api.services.tick()
        world.engine.run_pending()
        stage = world.deployment().get("lifecycleStage")
        if stage and (not seen or seen[-1] != stage):
            seen.append(stage)
    return seen


def test_bootstrap_starts_nothing_and_is_steady(bootstrapped: World):
    service = bootstrapped.service()
    assert bootstrapped.engine.started == []
    assert [d["rolloutState"] for d in service["deployments"]] == ["COMPLETED"]
    assert bootstrapped.messages()[0] == "(service web) has reached a steady state."
    assert bootstrapped.deployment()["status"] == "SUCCESSFUL"


def test_first_release_never_starts_the_bootstrap(live: World):
    assert live.running() == ["2", "2"]
    assert {task.task_definition_arn for task in live.engine.started} == {live.arn(2)}
    assert live.target_groups.rules[PRODUCTION] == {TG_A: 0, TG_B: 100}
    assert live.target_groups.rules[TEST] == {TG_A: 0, TG_B: 100}
    service = live.service()
    assert service["desiredCount"] == service["runningCount"] == 2
    assert [d["status"] for d in service["deployments"]] == ["PRIMARY"]
    assert service["taskDefinition"] == live.arn(2)


def test_target_groups_swap_their_roles(live: World):
    assert len(live.target_groups.targets[TG_B]) == 2
    live.release(3)
    live.go(400)
    assert live.running() == ["3", "3"]
    assert live.target_groups.rules[PRODUCTION] == {TG_A: 100, TG_B: 0}
    assert live.target_groups.targets[TG_B] == {}
    revision = live.service()["currentServiceRevisions"][0]["arn"]
    described = live.call("DescribeServiceRevisions", serviceRevisionArns=[revision, "x"])
    (shape,) = described["serviceRevisions"]
    assert shape["resolvedConfiguration"]["loadBalancers"][0]["targetGroupArn"] == TG_A
    assert shape["containerImages"][0]["imageDigest"] == "sha256:1"
    assert described["failures"] == [{"arn": "x", "reason": "MISSING"}]


def test_every_stage_is_passed_in_order(live: World):
    everywhere = ("PRE_SCALE_UP", "POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT")
    later = ("PRE_PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT")
    live.release(3, lifecycleHooks=pause(*everywhere, *later))
    for stage in (*everywhere, *later):
        live.go(10)
        deployment = live.deployment()
        assert deployment["lifecycleStage"] == stage
        assert deployment["lifecycleHookDetails"][-1]["status"] == "AWAITING_ACTION"
        shifted = stage == "POST_PRODUCTION_TRAFFIC_SHIFT"
        assert (live.target_groups.rules[PRODUCTION][TG_A] == 100) is shifted
        weight = deployment["targetServiceRevision"]["requestedProductionTrafficWeight"]
        assert weight == (100.0 if shifted else 0.0)
        live.answer_hook("CONTINUE")
    live.go(10)
    assert live.deployment()["lifecycleStage"] == "BAKE_TIME"
    assert live.running() == ["2", "2", "3", "3"]
    live.go(300)
    assert live.deployment()["status"] == "SUCCESSFUL"


def test_the_hook_on_the_test_listener_sees_green_while_production_is_blue(live: World):
    live.release(3, lifecycleHooks=pause("POST_TEST_TRAFFIC_SHIFT"))
    live.go(10)
    assert live.target_groups.rules[TEST] == {TG_A: 100, TG_B: 0}
    assert live.target_groups.rules[PRODUCTION] == {TG_A: 0, TG_B: 100}
    live.answer_hook("ROLLBACK")
    live.go(10)
    deployment = live.deployment()
    assert deployment["status"] == "ROLLBACK_SUCCESSFUL"
    assert "POST_TEST_TRAFFIC_SHIFT lifecycle hook(s) failed" in deployment["statusReason"]
    assert deployment["lifecycleHookDetails"][0]["status"] == "FAILED"
    assert live.running() == ["2", "2"]
    assert live.target_groups.rules[TEST] == {TG_A: 0, TG_B: 100}
    assert all(
        shift[1][TG_B] == 100 for shift in live.target_groups.shifts if shift[0] == PRODUCTION
    )
    assert live.service()["taskDefinition"] == live.arn(2)


@pytest.mark.parametrize(
    ("action", "status"), [("ROLLBACK", "ROLLBACK_SUCCESSFUL"), ("CONTINUE", "SUCCESSFUL")]
)
def test_a_hook_times_out(live: World, action: str, status: str):
    hooks = pause("POST_TEST_TRAFFIC_SHIFT", minutes=10, action=action)
    live.release(3, lifecycleHooks=hooks)
    live.go(590)
    hook = live.deployment()["lifecycleHookDetails"][0]
    assert (hook["status"], hook["timeoutAction"]) == ("AWAITING_ACTION", action)
    assert 0 < (hook["expiresAt"] - live.now()).total_seconds() <= 20
    live.go(20)
    assert live.deployment()["lifecycleHookDetails"][0]["status"] == "TIMED_OUT"
    live.go(310)
    assert live.deployment()["status"] == status


def test_rollback_during_bake_flips_weights_and_starts_no_task(live: World):
    live.release(3)
    live.go(60)
    assert live.deployment()["lifecycleStage"] == "BAKE_TIME"
    started = len(live.engine.started)
    arn = live.deployment()["serviceDeploymentArn"]
    live.call("StopServiceDeployment", serviceDeploymentArn=arn, stopType="ROLLBACK")
    assert live.deployment()["status"] == "ROLLBACK_REQUESTED"
    live.go(5)
    assert live.deployment()["status"] == "ROLLBACK_SUCCESSFUL"
    assert len(live.engine.started) == started
    assert live.target_groups.rules[PRODUCTION] == {TG_A: 0, TG_B: 100}
    assert live.running() == ["2", "2"]
    rollback = live.deployment()["rollback"]
    assert rollback["serviceRevisionArn"] == live.service()["currentServiceRevisions"][0]["arn"]
    with pytest.raises(AwsError) as error:
        live.call("StopServiceDeployment", serviceDeploymentArn=arn, stopType="ROLLBACK")
    assert error.value.code == "ConflictException"


def test_a_release_after_a_rollback_uses_the_free_target_group(live: World):
    live.release(3)
    live.go(60)
    arn = live.deployment()["serviceDeploymentArn"]
    live.call("StopServiceDeployment", serviceDeploymentArn=arn)
    live.go(5)
    live.release(4)
    live.go(400)
    assert live.deployment()["status"] == "SUCCESSFUL"
    assert live.target_groups.rules[PRODUCTION] == {TG_A: 100, TG_B: 0}


@pytest.mark.parametrize("kind", ["crash", "pull"])
def test_a_release_that_does_not_start_turns_back(live: World, kind: str):
    live.engine.broken[live.arn(3)] = kind
    before = list(live.target_groups.shifts)
    live.release(3)
    live.go(30)
    deployment = live.deployment()
    assert deployment["status"] == "ROLLBACK_SUCCESSFUL"
    assert deployment["statusReason"] == (
        "Service deployment rolled back because the circuit breaker threshold was exceeded."
    )
    assert deployment["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    assert live.running() == ["2", "2"]
    assert live.target_groups.shifts == before
    assert any("deployment failed: tasks failed to start." in m for m in live.messages())
    assert any("rolling back to deployment ecs-svc/" in m for m in live.messages())


def test_a_release_that_never_gets_healthy_turns_back(live: World):
    blue = dict(live.target_groups.targets[TG_B])
    live.target_groups.initial = "unhealthy"
    live.update(healthCheckGracePeriodSeconds=30)
    live.release(3)
    live.go(29)
    assert live.deployment()["status"] == "IN_PROGRESS"
    live.go(120)
    assert live.deployment()["status"] == "ROLLBACK_SUCCESSFUL"
    assert live.target_groups.targets[TG_B] == blue
    assert live.target_groups.targets[TG_A] == {}
    assert any(
        f"is unhealthy in (target-group {TG_A}) due to (reason" in m for m in live.messages()
    )
    stopped = [t for t in live.engine.started if t.task_definition_arn == live.arn(3)]
    assert f"Task failed ELB health checks in (target-group {TG_A})" in {
        t.stopped_reason for t in stopped
    }


def test_without_breaker_a_release_that_never_gets_healthy_fails_after_a_day(live: World):
    live.engine.broken[live.arn(3)] = "pull"
    live.release(3, deploymentCircuitBreaker={"enable": False, "rollback": False})
    live.go(23 * 3600, step=600)
    assert live.deployment()["status"] == "IN_PROGRESS"
    assert len(live.engine.started) < 200  # launches are throttled
    live.go(2 * 3600, step=600)
    assert live.deployment()["status"] == "ROLLBACK_SUCCESSFUL"


def test_the_first_release_of_a_service_without_history_cannot_turn_back(world: World):
    world.engine.broken[world.arn(1)] = "crash"
    world.create(loadBalancers=pair(), deploymentConfiguration=blue_green())
    world.go(30)
    deployment = world.deployment()
    assert deployment["status"] == "ROLLBACK_FAILED"
    assert deployment["statusReason"] == "No rollback candidate was found to run the rollback."
    assert any("tasks failed to start" in m for m in world.messages())


def test_a_service_can_be_created_blue_green(world: World):
    world.create(loadBalancers=pair(), deploymentConfiguration=blue_green())
    world.go(400)
    assert world.deployment()["status"] == "SUCCESSFUL"
    assert world.target_groups.rules[PRODUCTION] == {TG_A: 100, TG_B: 0}


def test_a_rolling_service_with_traffic_becomes_blue_green_in_one_update(world: World):
    world.create()
    world.go(60)
    assert world.running() == ["1", "1"]
    world.release(2)
    world.go(60)
    assert world.deployment()["lifecycleStage"] == "BAKE_TIME"
    assert world.running() == ["1", "1", "2", "2"]
    assert world.target_groups.rules[PRODUCTION] == {TG_A: 0, TG_B: 100}
    world.go(400)
    assert world.running() == ["2", "2"]


def test_canary_and_linear_shift_step_by_step(live: World):
    live.release(
        3,
        strategy="CANARY",
        canaryConfiguration={"canaryPercent": 12.5, "canaryBakeTimeInMinutes": 2},
    )
    live.go(100)
    assert live.target_groups.rules[PRODUCTION] == {TG_A: 125, TG_B: 875}
    target = live.deployment()["targetServiceRevision"]
    assert target["requestedProductionTrafficWeight"] == 12.5
    live.go(60)
    assert live.target_groups.rules[PRODUCTION] == {TG_A: 100, TG_B: 0}
    live.go(400)
    live.target_groups.shifts.clear()
    live.release(
        4,
        strategy="LINEAR",
        linearConfiguration={"stepPercent": 40.0, "stepBakeTimeInMinutes": 1},
    )
    live.go(600)
    assert live.deployment()["status"] == "SUCCESSFUL"
    green = [w[TG_B] for rule, w in live.target_groups.shifts if rule == PRODUCTION]
    assert green == [40, 80, 100]


def test_an_alarm_during_bake_turns_back(live: World):
    live.alarms["errors"] = SimpleNamespace(state_value="OK")
    alarms = {"alarmNames": ["errors"], "enable": True, "rollback": True}
    live.release(3, alarms=alarms)
    live.go(60)
    assert live.deployment()["alarms"]["status"] == "MONITORING"
    live.alarms["errors"].state_value = "ALARM"
    live.go(5)
    deployment = live.deployment()
    assert deployment["status"] == "ROLLBACK_SUCCESSFUL"
    assert deployment["statusReason"] == (
        "Service deployment rolled back because of one or more active alarms."
    )
    assert deployment["alarms"]["triggeredAlarmNames"] == ["errors"]
    assert live.running() == ["2", "2"]


def test_an_alarm_that_rings_already_is_ignored(live: World):
    live.alarms["errors"] = SimpleNamespace(state_value="ALARM")
    live.release(3, alarms={"alarmNames": ["errors"], "enable": True, "rollback": True})
    live.go(400)
    assert live.deployment()["status"] == "SUCCESSFUL"
    assert live.deployment()["alarms"]["status"] == "DISABLED"


def test_a_second_update_supersedes_the_first_and_reconciles(live: World):
    live.release(3)
    live.go(60)
    assert live.target_groups.rules[PRODUCTION] == {TG_A: 100, TG_B: 0}
    live.release(4)
    assert live.deployment(1)["status"] == "STOPPED"
    assert live.target_groups.rules[PRODUCTION] == {TG_A: 0, TG_B: 100}
    deployment = live.deployment()
    assert len(deployment["sourceServiceRevisions"]) == 2
    seen = stages(live, 30)
    assert seen[0] == "RECONCILE_SERVICE"
    live.go(400)
    assert live.deployment()["status"] == "SUCCESSFUL"
    assert live.running() == ["4", "4"]


def test_scale_out_during_bake_reaches_both_revisions(live: World):
    live.release(3)
    live.go(60)
    live.update(desiredCount=3)
    live.go(10)
    assert live.running() == ["2", "2", "2", "3", "3", "3"]
    live.go(400)
    assert live.running() == ["3", "3", "3"]
    assert live.deployment()["status"] == "SUCCESSFUL"


def reach(world: World, stage: str | None) -> None:
    """Let time pass, as little as can be, until the deployment is there."""
    for _ in range(4000):
        if world.deployment().get("lifecycleStage") == stage:
            return
        world.seconds += 0.25
        world.api.services.tick()
        if world.deployment().get("lifecycleStage") != stage:
            world.engine.run_pending()
    raise AssertionError(f"{stage} was never reached")


@pytest.mark.parametrize(
    ("stage", "count"),
    [
        (None, 4),
        ("SCALE_UP", 4),
        ("SCALE_UP", 1),
        ("POST_TEST_TRAFFIC_SHIFT", 4),
        ("BAKE_TIME", 4),
        ("BAKE_TIME", 1),
        ("CLEAN_UP", 4),
    ],
)
@pytest.mark.parametrize("ending", ["SUCCESSFUL", "ROLLBACK_SUCCESSFUL"])
def test_a_desired_count_set_at_any_stage_outlives_the_deployment(
    live: World, ending: str, stage: str | None, count: int
):
    live.release(3, lifecycleHooks=pause("POST_TEST_TRAFFIC_SHIFT", action="CONTINUE", minutes=1))
    reach(live, stage)
    live.update(desiredCount=count)
    if ending != "SUCCESSFUL":
        arn = live.deployment()["serviceDeploymentArn"]
        live.call("StopServiceDeployment", serviceDeploymentArn=arn)
    live.go(450, step=10.0)
    assert live.deployment()["status"] == ending
    assert live.service()["desiredCount"] == count
    assert live.running() == ["3" if ending == "SUCCESSFUL" else "2"] * count


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("kind", ["crash", "pull"])
def test_a_desired_count_set_during_a_broken_release_outlives_it(
    live: World, kind: str, count: int
):
    live.engine.broken[live.arn(3)] = kind
    live.release(3, deploymentCircuitBreaker={"enable": True, "rollback": True})
    live.go(3)
    live.update(desiredCount=count)
    live.go(1000, step=10.0)
    assert live.deployment()["status"] == "ROLLBACK_SUCCESSFUL"
    assert live.service()["desiredCount"] == count
    assert live.running() == ["2"] * count


def test_scaling_to_none_and_back_during_bake_reaches_both_revisions(live: World):
    live.release(3)
    live.go(60)
    live.update(desiredCount=0)
    live.go(10)
    assert live.running() == []
    live.update(desiredCount=2)
    live.go(20)
    assert live.deployment()["lifecycleStage"] == "BAKE_TIME"
    assert live.running() == ["2", "2", "3", "3"]


def test_rollback_during_clean_up_launches_blue_again_first(live: World):
    live.release(3)
    live.go(60)
    while live.deployment()["lifecycleStage"] != "CLEAN_UP":
        live.seconds += 1
        live.api.services.tick()
    arn = live.deployment()["serviceDeploymentArn"]
    live.call("StopServiceDeployment", serviceDeploymentArn=arn)
    live.go(30)
    assert live.deployment()["status"] == "ROLLBACK_SUCCESSFUL"
    assert live.running() == ["2", "2"]
    assert live.target_groups.rules[PRODUCTION] == {TG_A: 0, TG_B: 100}


def test_target_groups_must_hang_at_the_rules(live: World):
    live.target_groups.rules[PRODUCTION] = {TG_B: 100}
    live.target_groups.rules[TEST] = {TG_B: 100}
    live.release(3)
    live.go(5)
    deployment = live.deployment()
    assert deployment["status"] == "ROLLBACK_SUCCESSFUL"
    assert deployment["statusReason"] == (
        "Service deployment rolled back because of invalid networking configuration. "
        "Both targetGroup and alternateTargetGroup must be associated with the "
        "productionListenerRule or testListenerRule."
    )


def test_failure_without_rollback_leaves_both_sides_as_they_are(live: World):
    live.alarms["errors"] = SimpleNamespace(state_value="OK")
    live.release(3, alarms={"alarmNames": ["errors"], "enable": True, "rollback": False})
    live.go(60)
    live.alarms["errors"].state_value = "ALARM"
    live.go(60)
    assert live.deployment()["status"] == "STOPPED"
    assert live.running() == ["2", "2", "3", "3"]
    live.alarms["errors"].state_value = "OK"
    live.release(4)
    live.go(500)
    assert live.deployment()["status"] == "SUCCESSFUL"
    assert live.running() == ["4", "4"]


def test_a_first_release_that_fails_leaves_a_service_that_can_be_scaled_and_released(
    bootstrapped: World,
):
    bootstrapped.engine.broken[bootstrapped.arn(1)] = "pull"
    bootstrapped.engine.broken[bootstrapped.arn(2)] = "crash"
    bootstrapped.update(
        taskDefinition="lyo:2",
        desiredCount=2,
        loadBalancers=pair(),
        deploymentConfiguration=blue_green(),
    )
    bootstrapped.go(30)
    assert bootstrapped.deployment()["status"] == "ROLLBACK_SUCCESSFUL"
    bootstrapped.update(desiredCount=0)
    bootstrapped.go(10)
    assert bootstrapped.running() == []
    bootstrapped.update(
        taskDefinition="lyo:3",
        desiredCount=2,
        loadBalancers=pair(),
        deploymentConfiguration=blue_green(),
    )
    bootstrapped.go(400)
    assert bootstrapped.deployment()["status"] == "SUCCESSFUL"
    assert bootstrapped.running() == ["3", "3"]


def test_an_update_during_a_rollback_supersedes_it(live: World):
    live.release(3)
    live.go(60)
    arn = live.deployment()["serviceDeploymentArn"]
    live.call("StopServiceDeployment", serviceDeploymentArn=arn)
    live.api.services.tick()
    assert live.deployment()["status"] == "ROLLBACK_IN_PROGRESS"
    live.release(4)
    assert live.deployment(1)["status"] == "STOPPED"
    assert live.target_groups.rules[PRODUCTION] == {TG_A: 0, TG_B: 100}
    live.go(500)
    assert live.deployment()["status"] == "SUCCESSFUL"
    assert live.running() == ["4", "4"]
    assert live.target_groups.rules[PRODUCTION] == {TG_A: 100, TG_B: 0}


def test_blue_green_supersedes_a_rolling_deployment_midway(world: World):
    world.create()
    world.go(60)
    world.target_groups.initial = "initial"
    world.update(taskDefinition="lyo:2")
    world.go(10)
    assert world.running() == ["1", "1", "2", "2"]
    world.target_groups.initial = "healthy"
    world.release(3)
    world.go(400)
    assert world.deployment(1)["status"] == "STOPPED"
    assert world.deployment()["status"] == "SUCCESSFUL"
    assert world.running() == ["3", "3"]
    assert world.target_groups.rules[PRODUCTION] == {TG_A: 0, TG_B: 100}


def test_rolling_supersedes_blue_green_in_the_target_group_that_serves(live: World):
    live.release(3)
    live.go(60)
    live.update(taskDefinition="lyo:4", deploymentConfiguration={"strategy": "ROLLING"})
    live.go(60)
    assert live.running() == ["4", "4"]
    assert live.target_groups.rules[PRODUCTION] == {TG_A: 0, TG_B: 100}
    assert len(live.target_groups.targets[TG_B]) == 2


def test_rolling_does_not_trade_serving_tasks_for_those_of_a_superseded_release(live: World):
    live.release(3)
    live.go(60)
    live.engine.end(next(t for t in live.engine.started if t.last_status == "RUNNING"))
    live.go(5)  # the youngest task is one that serves now
    live.target_groups.initial = "initial"
    live.update(taskDefinition="lyo:4", deploymentConfiguration={"strategy": "ROLLING"})
    live.go(60)
    assert live.running() == ["2", "2", "4", "4"]


def test_an_update_during_clean_up_starts_from_the_release_that_has_the_traffic(live: World):
    live.release(3)
    live.go(60)
    while live.deployment()["lifecycleStage"] != "CLEAN_UP":
        live.seconds += 1
        live.api.services.tick()
    live.release(4, lifecycleHooks=pause("POST_SCALE_UP"))
    live.go(30)
    assert live.target_groups.rules[PRODUCTION] == {TG_A: 100, TG_B: 0}
    assert live.running() == ["3", "3", "4", "4"]
    live.answer_hook("ROLLBACK")
    live.go(30)
    assert live.running() == ["3", "3"]
