from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible.module_utils.lyo_checks import Result
from ansible.module_utils.lyo_progress import Progress
from ansible.module_utils.lyo_release import run_release

from .fakes import (
    AWS,
    DEFINITION,
    DEPLOYMENT,
    IMAGE_1,
    IMAGE_2,
    OUTPUTS,
    STRATEGY,
    TASK,
    Clock,
    Ended,
    FakeAws,
    FakeModule,
    failure,
)
from .world import BAKE, DONE, TURNED_BACK, World, definition, hook, stage

SMOKE = {"name": "smoke", "path": "/smoke"}


@pytest.fixture
def world() -> World:
    return World()


def release(
    aws: FakeAws, *, check_mode: bool = False, problems: list[str] | None = None, **changes: Any
) -> Ended:
    """Run the module for release v2."""
    params = {
        "aws": AWS,
        "outputs": OUTPUTS,
        "image": IMAGE_2,
        "release": "v2",
        "task": TASK,
        "deployment": STRATEGY,
        "smoke": [],
        "wait_for": "complete",
        "in_progress": "refuse",
        **changes,
    }
    clock = Clock()
    run = run_release.Release(aws, Progress("test"), params, sleep=clock.sleep, clock=clock)
    if problems is not None:
        run.check = lambda: problems  # type: ignore[method-assign]
    with pytest.raises(Ended) as caught:
        run_release._run(FakeModule(params, check_mode), run)
    return caught.value


def test_a_release_from_start_to_end(world: World) -> None:
    world.script = [stage("SCALE_UP"), stage("SCALE_UP"), hook(), BAKE, stage("CLEAN_UP"), DONE]
    aws = world.aws()
    done = release(aws)
    assert not done.failed
    assert done.answer["verdict"] == "DEPLOYED"
    assert done.answer["changed"]
    assert done.answer["task_definition"] == f"{DEFINITION}:2"
    assert done.answer["deployment"] == DEPLOYMENT
    assert done.answer["previous"]["release"] == "v1"
    assert aws.written == [
        "register_task_definition",
        "update_service",
        "continue_service_deployment",
    ]
    assert aws.named("continue_service_deployment") == [
        {"serviceDeploymentArn": DEPLOYMENT, "hookId": "hook-1", "action": "CONTINUE"}
    ]
    assert "desiredCount" not in aws.named("update_service")[0]
    assert [entry["stage"] for entry in done.answer["stages"]] == [
        "SCALE_UP",
        "POST_TEST_TRAFFIC_SHIFT",
        "BAKE_TIME",
        "CLEAN_UP",
        "SUCCESSFUL",
    ]


@pytest.mark.parametrize("right", [True, False])
def test_what_the_outside_reaches_is_looked_at_while_the_old_tasks_stop(
    world: World, monkeypatch: pytest.MonkeyPatch, right: bool
) -> None:
    asked: list[list[dict[str, Any]]] = []

    def look(checks: list[dict[str, Any]], base: str, *_: Any) -> list[Result]:
        assert base == "https://api.example"
        asked.append(checks)
        return [Result("health", right, 200, 1, 1, "")]

    monkeypatch.setattr(run_release, "run_checks", look)
    world.script = [hook(), BAKE, stage("CLEAN_UP"), stage("CLEAN_UP"), DONE]
    outside = [{"name": "health", "path": "/health", "attempts": 49}]
    aws = world.aws()
    outputs = {**OUTPUTS, "api_url": "https://api.example"}
    done = release(aws, outputs=outputs, outside=outside)
    assert asked == [[{"name": "health", "path": "/health", "attempts": 1}]]
    assert done.answer["verdict"] == "DEPLOYED"
    assert done.answer["verified"] is right
    # It decides nothing.
    assert "stop_service_deployment" not in aws.written


def test_a_release_that_is_turned_back_is_not_verified(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(run_release, "run_checks", lambda *_: asked.append("") or [])
    world.script = [stage("SCALE_UP"), TURNED_BACK]
    done = release(world.aws(), outside=[{"name": "health", "path": "/health"}])
    assert (asked, done.answer["verified"]) == ([], False)


@pytest.mark.parametrize(
    ("days", "pushed", "surplus"),
    [(30, 29, False), (30, 31, True), (10, 29, True), (None, 29, True)],
)
def test_whether_retention_has_anything_to_do_is_known_before_the_old_tasks_are_gone(
    world: World, days: int | None, pushed: int, surplus: bool
) -> None:
    now = datetime.now(UTC)
    world.definitions[1]["registeredAt"] = now - timedelta(days=20)
    images = [{"imageDigest": "sha256:1", "imagePushedAt": now - timedelta(days=pushed)}]
    aws = world.aws(
        list_task_definitions={"taskDefinitionArns": [f"{DEFINITION}:1"]},
        describe_images={"imageDetails": images},
    )
    world.script = [hook(), stage("CLEAN_UP"), stage("CLEAN_UP"), DONE]
    done = release(aws, keep_days=days)
    assert (done.answer["verdict"], done.answer["surplus"]) == ("DEPLOYED", surplus)
    assert len(aws.named("list_task_definitions")) == (0 if days is None else 1)


def test_a_stock_that_cannot_be_read_is_left_to_the_retention(world: World) -> None:
    world.script = [hook(), stage("CLEAN_UP"), DONE]
    aws = world.aws(list_task_definitions=failure("AccessDeniedException"), describe_images={})
    done = release(aws, keep_days=30)
    assert (done.answer["verdict"], done.answer["surplus"]) == ("DEPLOYED", True)


def test_the_first_release_sets_the_number_of_tasks() -> None:
    world = World(desired=0)
    world.script = [DONE]
    aws = world.aws()
    release(aws)
    assert aws.named("update_service")[0]["desiredCount"] == 2


def test_a_first_release_that_fails_leaves_no_task_behind() -> None:
    world = World(desired=0)
    placeholder = definition(1, release="")
    del placeholder["containerDefinitions"][0]["dockerLabels"]
    world.definitions, world.running = {1: placeholder}, 0
    world.script = [stage("SCALE_UP"), TURNED_BACK]
    aws = world.aws()
    done = release(aws)
    assert done.answer["verdict"] == "ROLLED_BACK"
    assert "no release served before" in done.answer["reasons"][0]
    assert [call.get("desiredCount") for call in aws.named("update_service")] == [2, 0]


def test_what_served_before_keeps_its_tasks(world: World) -> None:
    world.script = [stage("SCALE_UP"), TURNED_BACK]
    world.running = 0  # seen in the middle of it
    aws = world.aws()
    done = release(aws)
    assert "the former release serves" in done.answer["reasons"][0]
    assert [call.get("desiredCount") for call in aws.named("update_service")] == [None]


def test_what_is_live_is_left_alone(world: World) -> None:
    aws = world.aws()
    done = release(aws, image=IMAGE_1, release="v1")
    assert done.answer["verdict"] == "UNCHANGED"
    assert not done.answer["changed"]
    assert not done.failed
    assert aws.written == []


def test_check_mode_predicts_and_writes_nothing(world: World) -> None:
    aws = world.aws()
    done = release(aws, check_mode=True)
    assert done.answer["changed"]
    assert done.answer["verdict"] == "DEPLOYED"
    assert IMAGE_2 in done.answer["diff"]["after"]
    assert IMAGE_1 in done.answer["diff"]["before"]
    assert aws.written == []


def test_a_definition_registered_before_a_crash_is_used(world: World) -> None:
    world.definitions[2] = definition(2, IMAGE_2, "v2")
    world.script = [DONE]
    aws = world.aws()
    done = release(aws)
    assert done.answer["task_definition"] == f"{DEFINITION}:2"
    assert "register_task_definition" not in aws.written


@pytest.mark.parametrize("status", ["PENDING", "IN_PROGRESS"])
def test_a_deployment_of_the_same_is_adopted(world: World, status: str) -> None:
    world.definitions[2] = definition(2, IMAGE_2, "v2")
    world.begin(2, status)
    world.script = [{}, {}, hook(), BAKE, DONE]
    aws = world.aws()
    done = release(aws)
    assert done.answer["verdict"] == "DEPLOYED"
    assert aws.written == ["continue_service_deployment"]


def test_another_deployment_is_refused(world: World) -> None:
    world.definitions[2] = definition(2, "other", "v9")
    world.begin(2)
    aws = world.aws()
    done = release(aws)
    assert done.failed
    assert done.answer["verdict"] == "FAILED"
    assert "v9" in done.answer["msg"]
    assert aws.written == []


def test_another_deployment_is_waited_for_without_touching_it(world: World) -> None:
    world.definitions[2] = definition(2, "other", "v9")
    world.begin(2)
    world.script = [{}, hook(), {"status": "SUCCESSFUL"}]
    aws = world.aws()
    seen: list[str] = []

    def update(params: dict[str, Any]) -> Any:
        seen.append(params["taskDefinition"])
        world.script = [DONE]
        world.begin(3)
        return {"service": {}}

    aws.answers["update_service"] = update

    def listed(_: Any) -> Any:
        entries = world.listed()
        name = "arn:new" if seen else "arn:old"
        return {"serviceDeployments": [{**entries[0], "serviceDeploymentArn": name}]}

    aws.answers["list_service_deployments"] = listed
    plain = aws.answers["describe_service_deployments"]
    aws.answers["describe_service_deployments"] = lambda _: plain(
        {"serviceDeploymentArns": [DEPLOYMENT]}
    )
    done = release(aws, in_progress="wait")
    assert done.answer["verdict"] == "DEPLOYED"
    assert aws.written == ["register_task_definition", "update_service"]


def test_a_failing_smoke_check_turns_back_at_the_hook(world: World) -> None:
    world.script = [stage("SCALE_UP"), hook(), TURNED_BACK]
    world.events = [{"message": "(service lyo) was unable to place a task"}]
    aws = world.aws()
    done = release(aws, problems=["check smoke failed"])
    assert done.failed
    assert done.answer["verdict"] == "ROLLED_BACK"
    assert "check smoke failed" in done.answer["reasons"]
    assert "event: (service lyo) was unable to place a task" in done.answer["reasons"]
    assert aws.named("continue_service_deployment")[0]["action"] == "ROLLBACK"


def test_a_failing_check_also_turns_back_when_the_hook_is_gone(world: World) -> None:
    world.script = [hook(), TURNED_BACK]
    aws = world.aws(continue_service_deployment=failure("ConflictException"))
    done = release(aws, problems=["bad"])
    assert done.answer["verdict"] == "ROLLED_BACK"
    assert aws.named("stop_service_deployment") == [
        {"serviceDeploymentArn": DEPLOYMENT, "stopType": "ROLLBACK"}
    ]


def test_a_hook_that_was_not_released_is_answered_again(world: World) -> None:
    world.script = [hook(), hook(), BAKE, DONE]
    aws = world.aws(continue_service_deployment=[failure("ConflictException"), {}])
    assert release(aws).answer["verdict"] == "DEPLOYED"
    assert len(aws.named("continue_service_deployment")) == 2


def failed_task(number: int) -> dict[str, Any]:
    return {
        "taskArn": f"arn:task/{number:032x}",
        "lastStatus": "STOPPED",
        "taskDefinitionArn": f"{DEFINITION}:2",
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "app", "exitCode": 3}],
    }


def test_tasks_that_keep_failing_turn_it_back_with_the_reasons(world: World) -> None:
    world.stopped_tasks = [failed_task(number) for number in range(3)]
    world.script = [stage("SCALE_UP"), stage("SCALE_UP"), TURNED_BACK]
    aws = world.aws()
    done = release(aws)
    assert done.answer["verdict"] == "ROLLED_BACK"
    assert "stop_service_deployment" in aws.written
    text = "\n".join(done.answer["reasons"])
    assert "3 tasks of the new revision have failed" in text
    assert "3 tasks: Essential container in task exited; container app: exit code 3" in text
    assert "log: boom" in text


def test_two_failed_tasks_are_not_enough(world: World) -> None:
    world.stopped_tasks = [failed_task(number) for number in range(2)]
    world.script = [stage("SCALE_UP"), stage("SCALE_UP"), BAKE, DONE]
    assert release(world.aws()).answer["verdict"] == "DEPLOYED"


def test_tasks_of_another_revision_do_not_count(world: World) -> None:
    other = {"taskDefinitionArn": f"{DEFINITION}:1"}
    world.stopped_tasks = [{**failed_task(number), **other} for number in range(9)]
    world.script = [stage("SCALE_UP"), stage("SCALE_UP"), BAKE, DONE]
    assert release(world.aws()).answer["verdict"] == "DEPLOYED"


def test_a_revision_that_never_gets_healthy_is_turned_back(world: World) -> None:
    world.script = [stage("SCALE_UP") for _ in range(200)]
    aws = world.aws()

    def stop(_: Any) -> Any:
        world.script = [{"status": "ROLLBACK_IN_PROGRESS"}, TURNED_BACK]
        return {}

    aws.answers["stop_service_deployment"] = stop
    done = release(aws, deployment={**STRATEGY, "healthy_timeout": 30})
    assert done.answer["verdict"] == "ROLLED_BACK"
    assert "not healthy after 30 s" in done.answer["msg"]


def test_time_up_is_still_running_and_not_a_failure_of_the_release(world: World) -> None:
    world.script = [BAKE]
    aws = world.aws()
    done = release(aws, deployment={**STRATEGY, "timeout": 20})
    assert done.failed
    assert done.answer["verdict"] == "STILL_RUNNING"
    assert "stop_service_deployment" not in aws.written


def test_wait_for_bake_returns_early(world: World) -> None:
    world.script = [hook(), BAKE]
    done = release(world.aws(), wait_for="bake")
    assert not done.failed
    assert done.answer["verdict"] == "DEPLOYED"


def test_success_of_another_revision_is_no_success(world: World) -> None:
    world.script = [hook(), BAKE, DONE]
    aws = world.aws()
    finished = aws.answers["describe_service_deployments"]

    def described(params: dict[str, Any]) -> Any:
        answer = finished(params)
        if answer["serviceDeployments"][0]["status"] == "SUCCESSFUL":
            world.current, world.serving, world.target = None, 1, 1
        return answer

    aws.answers["describe_service_deployments"] = described
    done = release(aws)
    assert done.failed
    assert done.answer["verdict"] == "FAILED"


def test_a_live_release_without_tasks_gets_them() -> None:
    world = World(desired=0)
    aws = world.aws()
    done = release(aws, image=IMAGE_1, release="v1")
    assert done.answer["verdict"] == "DEPLOYED"
    assert aws.named("update_service") == [{"cluster": "lyo", "service": "lyo", "desiredCount": 2}]


def test_the_deployment_is_looked_for_where_the_answer_does_not_name_it(world: World) -> None:
    world.starts = False
    world.script = [DONE]
    aws = world.aws()
    looked: list[int] = []

    def listed(_: Any) -> Any:
        looked.append(1)
        if len(looked) == 3:  # the list lags behind
            world.begin(2)
        return {"serviceDeployments": world.listed()}

    aws.answers["list_service_deployments"] = listed
    assert release(aws).answer["verdict"] == "DEPLOYED"


def test_no_deployment_at_all_is_an_error(world: World) -> None:
    world.starts = False
    params_failed = None
    aws = world.aws()
    try:
        release(aws)
    except Exception as error:
        params_failed = str(error)
    assert params_failed is not None
    assert "started no deployment" in params_failed


def test_a_service_that_does_not_exist_is_refused() -> None:
    aws = World().aws(describe_services=failure("ClusterNotFoundException"))
    done = release(aws)
    assert done.failed
    assert "does not exist" in done.answer["msg"]
    assert aws.written == []


def test_a_registration_whose_answer_was_lost_is_not_repeated(world: World) -> None:
    world.script = [DONE]
    aws = world.aws()
    plain = aws.answers["register_task_definition"]

    def register(params: dict[str, Any]) -> Any:
        plain(params)
        return failure("InternalFailure", status=500)

    aws.answers["register_task_definition"] = register
    done = release(aws)
    assert done.answer["verdict"] == "DEPLOYED"
    assert done.answer["task_definition"] == f"{DEFINITION}:2"
    assert list(world.definitions) == [1, 2]


ALARMED = {**TURNED_BACK, "alarms": {"triggeredAlarmNames": ["lyo-5xx"]}}


def alarmed(world: World, *script: dict[str, Any], **more: Any) -> FakeAws:
    world.script = [*script, ALARMED]
    alarm = {"AlarmName": "lyo-5xx", "StateReason": "too many"}
    return world.aws(describe_alarms={"MetricAlarms": [], "CompositeAlarms": [alarm]}, **more)


def with_balancer() -> dict[str, Any]:
    return {**OUTPUTS, "load_balancer_arn": "arn:x:loadbalancer/app/lyo/1"}


def test_an_alarm_that_turned_back_is_asked_how_many_requests_failed(world: World) -> None:
    counts = {"release_all": 500.0, "release_green": 50.0, "release_errors": 5.0}
    results = [{"Id": name, "Values": [value]} for name, value in counts.items()]
    shift = stage("PRODUCTION_TRAFFIC_SHIFT", weight=10.0)
    aws = alarmed(world, shift, get_metric_data={"MetricDataResults": results})
    done = release(aws, outputs=with_balancer())
    assert done.answer["verdict"] == "ROLLED_BACK"
    assert (
        "5 of 500 requests (1.0 %) were answered with 5xx by the new revision while 10 % of the "
        "traffic was on it; it got 50 of them"
    ) in done.answer["reasons"]
    assert "alarm lyo-5xx: too many" in done.answer["reasons"]
    (asked,) = aws.named("get_metric_data")
    assert asked["EndTime"] >= asked["StartTime"]


def test_without_an_alarm_no_metric_is_read(world: World) -> None:
    world.script = [stage("SCALE_UP"), TURNED_BACK]
    aws = world.aws()
    release(aws, outputs=with_balancer())
    assert aws.named("get_metric_data") == aws.named("describe_alarms") == []


def test_metrics_that_cannot_be_read_change_no_verdict(world: World) -> None:
    aws = alarmed(world, stage("BAKE_TIME", weight=100.0), get_metric_data=failure("AccessDenied"))
    done = release(aws, outputs=with_balancer())
    assert done.answer["verdict"] == "ROLLED_BACK"
    assert any("could not be read" in line for line in done.answer["reasons"])
