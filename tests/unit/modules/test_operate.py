"""Watching, restarting and scaling a service that answers as AWS does."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.lyo_operate import place, restart, scale, watch
from ansible.module_utils.lyo_progress import Progress

from .fakes import (
    AWS,
    DEFINITION,
    DEPLOYMENT,
    OUTPUTS,
    Clock,
    Ended,
    FakeAws,
    FakeModule,
    ended,
    failure,
    outputs_answer,
)
from .world import BAKE, DONE, TURNED_BACK, World, definition, hook, stage

PARAMS: dict[str, Any] = {
    "aws": AWS,
    "env": "production",
    "smoke": [],
    "deployment": {
        "strategy": "BLUE_GREEN",
        "bake_time_minutes": 7,
        "pause_timeout_minutes": 30,
        "alarms": [],
        "max_failed_tasks": 3,
        "healthy_timeout": 60,
        "timeout": 60,
    },
    "release_alarms": False,
    "healthy_timeout": 60,
    "timeout": 60,
    "begin": False,
    "tasks": 3,
}
TARGET = {"MinCapacity": 2, "MaxCapacity": 6}
HEALTHY = {"TargetHealth": {"State": "healthy"}}


def cloud(world: World, outputs: dict[str, Any] = OUTPUTS, **more: Any) -> FakeAws:
    def targets(params: dict[str, Any]) -> dict[str, Any]:
        count = world.desired if params["TargetGroupArn"] == "arn:blue" else 0
        return {"TargetHealthDescriptions": [HEALTHY] * count}

    return world.aws(
        **{
            "get_parameters": outputs_answer(outputs),
            "describe_scalable_targets": {"ScalableTargets": [TARGET]},
            "describe_target_health": targets,
            **more,
        }
    )


def do(work: Any, aws: FakeAws, *, check_mode: bool = False, **changes: Any) -> Ended:
    clock = Clock()

    def run(module: Any) -> None:
        work(module, aws, Progress("test"), sleep=clock.sleep, clock=clock)

    return ended(run, FakeModule({**PARAMS, **changes}, check_mode))


def turned_back() -> World:
    world = World()
    world.definitions[2] = definition(2, release="v2")
    world.begin(2)
    failed = {
        "taskArn": "arn:task/cluster/1234567890abcdef",
        "taskDefinitionArn": f"{DEFINITION}:2",
        "lastStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "app", "exitCode": 1}],
    }
    world.stopped_tasks = [failed]
    world.script = [stage("SCALE_UP"), stage("SCALE_UP"), TURNED_BACK]
    return world


def test_watching_nothing_says_how_the_last_one_ended() -> None:
    aws = cloud(World())
    done = do(watch.work, aws)
    assert not done.failed
    assert not done.answer["in_progress"]
    assert "v1 (lyo:1) serves" in done.answer["lyo_summary"]["report"][0]
    assert aws.written == []


def test_an_onlooker_answers_no_hook_and_ends_with_the_verdict() -> None:
    world = World()
    world.definitions[2] = definition(2, release="v2")
    world.begin(2)
    world.script = [stage("SCALE_UP"), hook(), hook(), BAKE, BAKE, DONE]
    aws = cloud(world)
    done = do(watch.work, aws)
    assert not done.failed, done
    assert (done.answer["verdict"], done.answer["release"]) == ("DEPLOYED", "v2")
    assert aws.written == []
    assert [s["stage"] for s in done.answer["stages"]][-2:] == ["BAKE_TIME", "SUCCESSFUL"]


def test_an_onlooker_hears_why_a_release_was_turned_back() -> None:
    aws = cloud(turned_back())
    done = do(watch.work, aws)
    assert done.failed
    assert done.answer["verdict"] == "ROLLED_BACK"
    assert any("exit code 1" in line for line in done.answer["reasons"])
    assert "log: boom" in done.answer["reasons"]
    assert aws.written == []


def test_an_onlooker_leaves_when_the_time_is_up() -> None:
    world = World()
    world.begin(1)
    world.script = [stage("SCALE_UP")] * 1000
    done = do(watch.work, cloud(world), timeout=5)
    assert done.failed
    assert done.answer["verdict"] == "STILL_RUNNING"


def test_a_restart_deploys_what_serves_and_is_followed() -> None:
    world = World()
    world.script = [stage("SCALE_UP"), hook(), BAKE, DONE]
    aws = cloud(world)
    done = do(restart.work, aws)
    assert not done.failed, done
    assert done.answer["verdict"] == "RESTARTED"
    (update,) = aws.named("update_service")
    configuration = update.pop("deploymentConfiguration")
    assert update == {"cluster": "lyo", "service": "lyo", "taskDefinition": f"{DEFINITION}:1",
                      "forceNewDeployment": True}  # fmt: skip
    assert (configuration["strategy"], configuration["bakeTimeInMinutes"]) == ("BLUE_GREEN", 7)
    assert configuration["alarms"] == {"alarmNames": [], "enable": False, "rollback": False}
    assert [hook["targetType"] for hook in configuration["lifecycleHooks"]] == ["PAUSE"]
    assert aws.named("continue_service_deployment")[0]["action"] == "CONTINUE"
    assert done.answer["record"]["deployment"] == DEPLOYMENT
    assert done.answer["record"]["release"] == "v1"


@pytest.mark.parametrize(
    ("own", "named", "wanted"),
    [(True, [], ["high-5xx"]), (True, ["mine"], ["high-5xx"]), (False, ["mine"], ["mine"])],
)
def test_a_restart_is_turned_back_by_the_alarms_of_a_release(
    own: bool, named: list[str], wanted: list[str]
) -> None:
    world = World()
    world.script = [hook(), DONE]
    aws = cloud(world, {**OUTPUTS, "alarms": {"release": ["high-5xx"]}})
    deployment = {**PARAMS["deployment"], "alarms": named}
    do(restart.work, aws, deployment=deployment, release_alarms=own)
    (update,) = aws.named("update_service")
    alarms = update["deploymentConfiguration"]["alarms"]
    assert alarms == {"alarmNames": wanted, "enable": True, "rollback": True}


def test_a_restart_that_is_under_way_is_not_started_twice() -> None:
    world = World()
    world.begin(1)
    world.script = [stage("SCALE_UP"), hook(), BAKE, DONE]
    aws = cloud(world)
    done = do(restart.work, aws)
    assert done.answer["verdict"] == "RESTARTED"
    assert "update_service" not in aws.written


def test_a_restart_whose_answer_was_lost_is_not_started_twice() -> None:
    world = World()
    world.script = [stage("SCALE_UP"), hook(), BAKE, DONE]
    aws = cloud(world)
    update = aws.answers["update_service"]

    def lost(params: dict[str, Any]) -> Any:
        update(params)
        return failure("Unreachable")

    aws.answers["update_service"] = lost
    done = do(restart.work, aws)
    assert (done.failed, done.answer["verdict"]) == (False, "RESTARTED")
    assert len(aws.named("update_service")) == 1


def test_a_restart_whose_checks_fail_leaves_the_old_tasks() -> None:
    world = World()
    world.script = [stage("SCALE_UP"), hook(), TURNED_BACK]
    smoke = [{"name": "health", "path": "/health", "attempts": 1}]
    aws = cloud(world)
    done = do(restart.work, aws, smoke=smoke)
    assert done.failed
    assert done.answer["verdict"] == "ROLLED_BACK"
    assert done.answer["reasons"][0] == "the new tasks were turned back, the old ones serve"
    assert aws.named("continue_service_deployment")[0]["action"] == "ROLLBACK"


def test_a_restart_that_another_deployment_overtook_is_no_success() -> None:
    world = World()
    world.script = [hook(), DONE]
    world.definitions[2] = definition(2, release="v2")
    aws = cloud(world)
    inner = aws.answers["describe_services"]

    def overtaken(params: dict[str, Any]) -> Any:
        # After the end of ours, what serves is a revision of another deployment.
        if world.current and world.current.get("status") == "SUCCESSFUL":
            world.current = None
            world.serving = 2
        return inner(params)

    aws.answers["describe_services"] = overtaken
    done = do(restart.work, aws)
    assert done.failed
    assert done.answer["verdict"] == "FAILED"
    assert "taken over" in done.answer["reasons"][0]


@pytest.mark.parametrize("work", [restart.work, scale.work])
def test_check_mode_writes_nothing_and_predicts(work: Any) -> None:
    aws = cloud(World())
    done = do(work, aws, check_mode=True)
    assert (done.failed, done.answer["verdict"]) == (False, "PREDICTED")
    assert done.answer["changed"]
    assert aws.written == []


@pytest.mark.parametrize("work", [restart.work, scale.work])
def test_while_another_release_is_deployed_nothing_is_written(work: Any) -> None:
    world = World()
    world.definitions[2] = definition(2, release="v2")
    world.begin(2)
    aws = cloud(world)
    done = do(work, aws)
    assert done.failed
    assert "v2 (lyo:2) is just being deployed" in done.answer["msg"]
    assert aws.written == []


def test_scaling_waits_for_healthy_tasks_and_says_how_long_it_lasts() -> None:
    world = World()
    aws = cloud(world)
    done = do(scale.work, aws)
    assert not done.failed
    assert done.answer["verdict"] == "SCALED"
    assert aws.named("update_service") == [{"cluster": "lyo", "service": "lyo", "desiredCount": 3}]
    assert "between 2 and 6" in done.answer["reasons"][-1]


def test_scaling_is_told_first_where_it_writes_and_not_where_it_does_not() -> None:
    aws = cloud(World())
    assert do(scale.work, aws, begin=True).answer["pending"]
    done = do(scale.work, aws, begin=True, tasks=2)
    assert (done.answer["pending"], done.answer["verdict"]) == (False, "UNCHANGED")
    assert aws.written == []


def test_scaling_that_autoscaling_overrules_is_no_success() -> None:
    world = World()
    aws = cloud(world)

    def targets(params: dict[str, Any]) -> dict[str, Any]:
        if world.desired == 3:
            world.desired = 5  # between two looks
        return {"TargetHealthDescriptions": []}

    aws.answers["describe_target_health"] = targets
    done = do(scale.work, aws)
    assert done.failed
    assert done.answer["verdict"] == "FAILED"
    assert "decided otherwise" in done.answer["reasons"][-1]


def test_scaling_ends_when_the_time_is_up() -> None:
    world = World()
    world.running = 2
    done = do(scale.work, cloud(world), timeout=5)
    assert done.failed
    assert done.answer["verdict"] == "STILL_RUNNING"


def test_suspended_scaling_is_told() -> None:
    suspended = {**TARGET, "SuspendedState": {"DynamicScalingOutSuspended": True}}
    aws = cloud(World(), describe_scalable_targets={"ScalableTargets": [suspended]})
    assert "scaling out is suspended" in do(scale.work, aws).answer["reasons"][-1]


def test_what_is_not_complete_says_what_to_type() -> None:
    with pytest.raises(place.NothingYetError, match=r"deploy\.yml -e env=production"):
        place.complete({}, "production")
    with pytest.raises(place.NothingYetError, match=r"lack .*log_group"):
        place.complete({**OUTPUTS, "log_group": ""}, "production")
    place.complete(OUTPUTS, "production")
