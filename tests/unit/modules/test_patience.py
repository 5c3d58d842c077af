"""What a watch does while AWS cannot be read, or shows what was before."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.lyo_aws import AwsFailure
from ansible.module_utils.lyo_progress import Progress
from ansible.module_utils.lyo_release import decide_deploy as decide
from ansible.module_utils.lyo_release import patience, result, run_release
from ansible.module_utils.lyo_release.follow import Follower, Outcome, find_new

from .fakes import (
    DEFINITION,
    DEPLOYMENT,
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
from .test_run_release import release
from .world import BAKE, DONE, TURNED_BACK, World, definition, hook, stage

THROTTLED = failure("ThrottlingException")
BROKEN = failure("InternalFailure", status=500)
LOST = failure("Unreachable", status=0)
EXPIRED = failure("ExpiredTokenException")


@pytest.fixture
def world() -> World:
    world = World()
    world.definitions[2] = definition(2, IMAGE_2, "v2")
    return world


class Trouble:
    """Answers with failures first, then as it should."""

    def __init__(self, plain: Any, *failures: AwsFailure) -> None:
        self.plain, self.failures = plain, list(failures)

    def __call__(self, params: dict[str, Any]) -> Any:
        if self.failures:
            return self.failures.pop(0)
        return self.plain(params) if callable(self.plain) else self.plain


def follow(aws: FakeAws, *, check: Any = None, clock: Clock | None = None) -> Outcome:
    clock = clock or Clock()
    follower = Follower(
        aws, Progress("test"), decide.Limits(), check=check, sleep=clock.sleep, clock=clock
    )
    return follower.follow(DEPLOYMENT)


def troubled(aws: FakeAws, operation: str, *failures: AwsFailure) -> FakeAws:
    aws.answers[operation] = Trouble(aws.answers[operation], *failures)
    return aws


@pytest.mark.parametrize("trouble", [THROTTLED, BROKEN, LOST])
def test_a_watch_outlives_a_spell_of_trouble(world: World, trouble: AwsFailure) -> None:
    world.begin(2)
    world.script = [hook(), BAKE, DONE]
    aws = troubled(world.aws(), "describe_service_deployments", *[trouble] * 30)
    outcome = follow(aws)
    assert outcome.deployment["status"] == "SUCCESSFUL"
    assert not outcome.gave_up


def test_a_watch_does_not_outlive_trouble_without_an_end(world: World) -> None:
    world.begin(2)
    clock = Clock()
    aws = world.aws(describe_service_deployments=THROTTLED)
    with pytest.raises(AwsFailure, match="refused"):
        follow(aws, clock=clock)
    assert patience.PATIENCE_SECONDS <= clock.now < patience.PATIENCE_SECONDS + 2


def test_a_watch_ends_in_time_also_in_trouble(world: World) -> None:
    world.begin(2)
    clock = Clock()
    aws = world.aws(describe_service_deployments=LOST)
    follower = Follower(
        aws, Progress("test"), decide.Limits(timeout=30), sleep=clock.sleep, clock=clock
    )
    with pytest.raises(AwsFailure):
        follower.follow(DEPLOYMENT)
    assert 30 < clock.now < 32


def test_spells_do_not_add_up(world: World) -> None:
    world.begin(2)
    world.script = [stage("SCALE_UP"), stage("SCALE_UP"), stage("SCALE_UP"), DONE]
    aws = world.aws()
    plain, clock = aws.answers["describe_service_deployments"], Clock()

    def answer(params: dict[str, Any]) -> Any:
        clock.now += patience.PATIENCE_SECONDS * 0.4
        looked.append(1)
        return THROTTLED if len(looked) % 2 else plain(params)

    looked: list[int] = []
    aws.answers["describe_service_deployments"] = answer
    assert follow(aws, clock=clock).deployment["status"] == "SUCCESSFUL"


def test_credentials_that_have_ended_end_the_watch_at_once(world: World) -> None:
    world.begin(2)
    clock = Clock()
    with pytest.raises(AwsFailure):
        follow(world.aws(describe_service_deployments=EXPIRED), clock=clock)
    assert clock.now == 0


def test_a_hook_that_could_not_be_answered_is_answered_again(world: World) -> None:
    world.begin(2)
    world.script = [hook(), hook(), hook(), BAKE, DONE]
    aws = troubled(world.aws(), "continue_service_deployment", LOST, THROTTLED)
    checked: list[int] = []

    def check() -> list[str]:
        checked.append(1)
        return []

    assert follow(aws, check=check).deployment["status"] == "SUCCESSFUL"
    assert len(aws.named("continue_service_deployment")) == 3
    assert len(checked) == 1, "the checks were run again"


def test_checks_that_cannot_be_made_now_say_nothing_about_the_release(world: World) -> None:
    world.begin(2)
    world.script = [hook(), hook(), BAKE, DONE]
    aws, tries = world.aws(), [THROTTLED]

    def check() -> list[str]:
        if tries:
            raise tries.pop()
        return []

    assert follow(aws, check=check).deployment["status"] == "SUCCESSFUL"
    assert [c["action"] for c in aws.named("continue_service_deployment")] == ["CONTINUE"]


def test_turning_back_is_asked_for_until_it_is_heard(world: World) -> None:
    world.begin(2)
    world.script = [hook(), hook(), TURNED_BACK]
    aws = troubled(world.aws(), "continue_service_deployment", LOST)
    outcome = follow(aws, check=lambda: ["bad"])
    assert [c["action"] for c in aws.named("continue_service_deployment")] == ["ROLLBACK"] * 2
    assert outcome.reasons.count("bad") == 1


def test_a_stop_that_was_lost_is_repeated(world: World) -> None:
    world.begin(2)
    world.script = [stage("SCALE_UP") for _ in range(4000)]
    aws = world.aws()

    def stop(_: Any) -> Any:
        if len(aws.named("stop_service_deployment")) < 3:
            return LOST
        world.script = [TURNED_BACK]
        return {}

    aws.answers["stop_service_deployment"] = stop
    assert follow(aws).deployment["status"] == "ROLLBACK_SUCCESSFUL"


def test_a_stage_that_was_seen_is_not_taken_back(world: World) -> None:
    world.begin(2)
    # At the end of `healthy_timeout` a read shows once more what was long ago.
    world.script = [stage("SCALE_UP"), BAKE, *[BAKE] * 2000, stage("SCALE_UP"), DONE]
    aws = world.aws()
    assert follow(aws).deployment["status"] == "SUCCESSFUL"
    assert "stop_service_deployment" not in aws.written


def test_an_update_that_started_nothing_new_leads_to_what_is_in_progress(world: World) -> None:
    world.begin(2)
    aws = world.aws()
    known, wanted = {DEPLOYMENT}, f"{DEFINITION}:2"
    assert find_new(aws, "lyo", "lyo", known, DEPLOYMENT, wanted, lambda _: None) == DEPLOYMENT
    other = f"{DEFINITION}:1"
    with pytest.raises(AwsFailure, match="started no deployment"):
        find_new(aws, "lyo", "lyo", known, DEPLOYMENT, other, lambda _: None)


def test_a_deployment_that_was_turned_back_is_not_the_new_one(world: World) -> None:
    world.begin(2, "ROLLBACK_SUCCESSFUL")
    with pytest.raises(AwsFailure, match="started no deployment"):
        find_new(world.aws(), "lyo", "lyo", {DEPLOYMENT}, "", f"{DEFINITION}:2", lambda _: None)


@pytest.mark.parametrize("lag", [1, 3, 8])
def test_a_read_from_before_the_end_is_not_believed(world: World, lag: int) -> None:
    world.script = [hook(), BAKE, DONE]
    aws = world.aws()
    plain = aws.answers["describe_service_deployments"]
    kept: list[Any] = []

    def described(params: dict[str, Any]) -> Any:
        answer = plain(params)
        if answer["serviceDeployments"][0]["status"] == "SUCCESSFUL" and not kept:
            kept.append([old] * lag)
            return answer
        if kept and kept[0]:
            return kept[0].pop()
        return answer

    world.begin(2)
    old = plain({"serviceDeploymentArns": [DEPLOYMENT]})
    world.current = None
    aws.answers["describe_service_deployments"] = described
    done = release(aws)
    assert done.answer["verdict"] == "DEPLOYED", done.answer


def test_the_state_is_read_through_a_spell_after_the_end(world: World) -> None:
    world.script = [hook(), BAKE, DONE]
    aws = world.aws()
    aws.answers["describe_service_revisions"] = Trouble(aws.answers["describe_service_revisions"])

    def ended(params: dict[str, Any]) -> Any:
        answer = plain(params)
        if answer["serviceDeployments"][0]["status"] == "SUCCESSFUL" and not hurt:
            hurt.append(1)
            aws.answers["describe_service_revisions"].failures += [THROTTLED] * 20
        return answer

    hurt: list[int] = []
    plain = aws.answers["describe_service_deployments"]
    aws.answers["describe_service_deployments"] = ended
    assert release(aws).answer["verdict"] == "DEPLOYED"
    assert hurt


def test_events_that_cannot_be_read_do_not_change_the_verdict(world: World) -> None:
    world.script = [stage("SCALE_UP"), TURNED_BACK]
    aws = world.aws()
    plain = aws.answers["describe_services"]

    def described(params: dict[str, Any]) -> Any:
        return EXPIRED if len(aws.named("describe_services")) > 2 else plain(params)

    aws.answers["describe_services"] = described
    assert release(aws).answer["verdict"] == "ROLLED_BACK"


def interrupted(trouble: AwsFailure, *, started: bool) -> Ended:
    with pytest.raises(Ended) as caught:
        result.interrupt(
            FakeModule({}), trouble, "the deployment", started=started, changed=started
        )
    return caught.value


def test_what_is_started_is_still_running_when_it_cannot_be_seen_any_more() -> None:
    ended = interrupted(failure("ExpiredTokenException", "they have expired"), started=True)
    assert ended.failed
    assert ended.answer["verdict"] == "STILL_RUNNING"
    assert ended.answer["msg"] == ("they have expired; the deployment goes on by itself meanwhile")


def test_nothing_started_or_the_lock_lost_is_a_failure() -> None:
    assert interrupted(EXPIRED, started=False).answer["verdict"] == "FAILED"
    lost = interrupted(failure("LockLost", "overtaken"), started=True)
    assert (lost.answer["verdict"], lost.answer["msg"]) == ("FAILED", "overtaken")


def test_a_release_knows_when_its_deployment_has_started(world: World) -> None:
    aws = world.aws(list_service_deployments={"serviceDeployments": []})
    clock = Clock()
    run = run_release.Release(
        aws,
        Progress("test"),
        {
            "outputs": OUTPUTS,
            "image": IMAGE_2,
            "release": "v2",
            "task": TASK,
            "deployment": STRATEGY,
        },
        sleep=clock.sleep,
        clock=clock,
    )
    state = run.read()
    assert not run.started
    aws.answers["update_service"] = THROTTLED
    with pytest.raises(AwsFailure):
        run.start(state, f"{DEFINITION}:2")
    assert not run.started
    aws.answers["update_service"] = {"service": {"currentServiceDeployment": "arn:new"}}
    assert run.start(state, f"{DEFINITION}:2") == "arn:new"
    assert run.started
