from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.lyo_aws import AwsFailure
from ansible.module_utils.lyo_ledger.record import Run
from ansible.module_utils.lyo_progress import Progress
from ansible.module_utils.lyo_release import run_rollback
from ansible.module_utils.lyo_release.schema import Schema

from .fakes import (
    AWS,
    DEFINITION,
    DEPLOYMENT,
    DIGEST_1,
    IMAGE_1,
    IMAGE_2,
    SERVICE_ARN,
    Clock,
    Ended,
    FakeAws,
    FakeModule,
    failure,
    outputs_answer,
)
from .test_schema import Ledger, november, run, told  # noqa: F401 - the fixture is used
from .world import BAKE, DONE, TURNED_BACK, World, definition, hook, stage


@pytest.fixture
def world() -> World:
    """v1 (1) served, v2 (2) serves."""
    world = World()
    world.definitions[2] = definition(2, IMAGE_2, "v2")
    world.images[2] = IMAGE_2
    world.serving = world.target = 2
    world.remember("SUCCESSFUL", 1)
    world.remember("SUCCESSFUL", 2)
    return world


def rollback(aws: FakeAws, *, check_mode: bool = False, **changes: Any) -> Ended:
    params = {
        "aws": AWS,
        "cluster": "lyo",
        "service": "lyo",
        "to": None,
        "smoke": [],
        "base_url": "",
        "max_failed_tasks": 3,
        "healthy_timeout": 900,
        "timeout": 7200,
        "ledger": None,
        "force_schema": None,
        **changes,
    }
    clock = Clock()
    task = run_rollback.Rollback(aws, Progress("test"), params, sleep=clock.sleep, clock=clock)
    with pytest.raises(Ended) as caught:
        run_rollback._run(FakeModule(params, check_mode), task)
    return caught.value


def test_during_bake_the_second_call_decides(world: World) -> None:
    world.serving = 1
    world.begin(2)
    world.script = [stage("BAKE_TIME", status="ROLLBACK_IN_PROGRESS"), TURNED_BACK]
    aws = world.aws()
    done = rollback(aws)
    assert [name for name, _ in aws.calls[:2]] == ["describe_services", "stop_service_deployment"]
    assert aws.named("stop_service_deployment") == [
        {"serviceDeploymentArn": DEPLOYMENT, "stopType": "ROLLBACK"}
    ]
    assert aws.confirmed == [SERVICE_ARN]
    assert not done.failed
    assert (done.answer["verdict"], done.answer["method"]) == ("ROLLED_BACK", "stop")
    assert done.answer["task_definition"] == f"{DEFINITION}:1"
    assert done.answer["previous"]["task_definition"] == f"{DEFINITION}:2"


def test_after_clean_up_the_last_that_served_is_deployed(world: World) -> None:
    world.script = [stage("SCALE_UP"), hook(), BAKE, DONE]
    aws = world.aws(describe_images={"imageDetails": [{}]})
    done = rollback(aws)
    assert (done.answer["verdict"], done.answer["method"]) == ("ROLLED_BACK", "deploy")
    assert not done.failed
    assert aws.named("update_service") == [
        {"cluster": "lyo", "service": "lyo", "taskDefinition": f"{DEFINITION}:1"}
    ]
    assert aws.named("describe_images")[0]["repositoryName"] == "lyo"
    assert done.answer["previous"]["release"] == "v2"
    assert "stop_service_deployment" not in aws.written


def test_check_mode_predicts_both_ways(world: World) -> None:
    aws = world.aws(describe_images={"imageDetails": [{}]})
    done = rollback(aws, check_mode=True)
    assert (done.answer["method"], done.answer["changed"]) == ("deploy", True)
    assert done.answer["task_definition"] == f"{DEFINITION}:1"
    assert aws.written == []
    world.serving = 1
    world.begin(2)
    aws = world.aws()
    done = rollback(aws, check_mode=True)
    assert (done.answer["method"], done.answer["changed"]) == ("stop", True)
    assert aws.written == []


def test_an_ended_deployment_is_not_stopped(world: World) -> None:
    world.begin(2, "SUCCESSFUL")
    service = world.service()
    service["deployments"] = [{"status": "PRIMARY", "rolloutState": "COMPLETED"}]
    aws = world.aws(
        describe_services={"services": [service]}, describe_images={"imageDetails": [{}]}
    )
    done = rollback(aws, check_mode=True)
    assert done.answer["method"] == "deploy"


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_deployment_that_ends_meanwhile_leads_to_the_history(
    world: World, check_mode: bool
) -> None:
    world.begin(2, "SUCCESSFUL")
    aws = world.aws(
        stop_service_deployment=failure("ConflictException"),
        describe_images=failure("ImageNotFoundException"),
    )
    done = rollback(aws, check_mode=check_mode)
    assert "no longer exists" in done.answer["msg"]
    assert not done.answer["changed"]


def test_a_deployment_that_turns_back_by_itself_is_followed(world: World) -> None:
    world.serving = 1
    world.begin(2, "ROLLBACK_IN_PROGRESS")
    world.script = [{}, {}, TURNED_BACK]
    aws = world.aws(stop_service_deployment=failure("ConflictException"))
    done = rollback(aws)
    assert (done.answer["verdict"], done.answer["method"]) == ("ROLLED_BACK", "stop")


def test_a_refused_stop_of_a_running_deployment_is_an_error(world: World) -> None:
    world.serving = 1
    world.begin(2)
    aws = world.aws(stop_service_deployment=failure("ConflictException", "not now"))
    with pytest.raises(Exception, match="not now"):
        rollback(aws)
    aws = world.aws(stop_service_deployment=failure("AccessDeniedException", "no"))
    with pytest.raises(Exception, match="no"):
        rollback(aws)


def test_a_rollback_that_lost_its_controller_is_adopted(world: World) -> None:
    world.begin(1)
    world.script = [{}, hook(), BAKE, DONE]
    aws = world.aws()
    done = rollback(aws)
    assert (done.answer["verdict"], done.answer["method"]) == ("ROLLED_BACK", "adopt")
    assert aws.written == ["continue_service_deployment"]


def test_a_second_rollback_changes_nothing(world: World) -> None:
    world.remember("SUCCESSFUL", 1)
    world.serving = world.target = 1
    aws = world.aws()
    done = rollback(aws)
    assert done.answer["verdict"] == "UNCHANGED"
    assert not done.failed
    assert not done.answer["changed"]
    assert aws.written == []


def test_an_image_that_is_gone_is_refused_before_anything_is_written(world: World) -> None:
    aws = world.aws(describe_images=failure("ImageNotFoundException"))
    done = rollback(aws)
    assert done.failed
    assert done.answer["verdict"] == "FAILED"
    assert f"{IMAGE_1} no longer exists" in done.answer["msg"]
    assert aws.written == []


def test_an_image_elsewhere_is_not_looked_for(world: World) -> None:
    world.images[1] = "public.ecr.aws/lyo/booking@sha256:" + "1" * 64
    done = rollback(world.aws(), check_mode=True)
    assert done.answer["method"] == "deploy"


def test_a_named_release(world: World) -> None:
    world.definitions[3] = definition(3, IMAGE_2, "v3")
    world.remember("SUCCESSFUL", 3)
    world.serving = world.target = 3
    aws = world.aws(describe_images={"imageDetails": [{}]})
    done = rollback(aws, check_mode=True, to="v1")
    assert done.answer["task_definition"] == f"{DEFINITION}:1"
    done = rollback(world.aws(), to="v9")
    assert done.failed
    assert "v2 (lyo:2), v1 (lyo:1)" in done.answer["msg"]


def test_a_named_release_while_a_deployment_is_in_progress(world: World) -> None:
    world.serving = 1
    world.begin(2)
    done = rollback(world.aws(), to="v1", check_mode=True)
    assert done.answer["method"] == "stop"
    aws = world.aws()
    done = rollback(aws, to="v7")
    assert done.failed
    assert "leads to v1 (lyo:1)" in done.answer["msg"]
    assert aws.written == []


def test_a_deregistered_definition_is_refused_and_the_others_are_named(world: World) -> None:
    world.definitions[3] = definition(3, IMAGE_2, "v3")
    world.remember("SUCCESSFUL", 3)
    world.serving = world.target = 3
    world.definitions[2]["status"] = "INACTIVE"
    aws = world.aws(describe_images={"imageDetails": [{}]})
    done = rollback(aws)
    assert done.failed
    assert "cannot go back to v2 (lyo:2): its task definition is deregistered" in done.answer["msg"]
    assert "v1 (lyo:1) (-e to=<release>)" in done.answer["msg"]
    assert aws.written == []
    del world.definitions[1]
    done = rollback(world.aws(), to="lyo:1")
    assert "its task definition is deregistered" in done.answer["msg"]


def test_a_rollback_that_cannot_take_over_has_failed(world: World) -> None:
    world.script = [stage("SCALE_UP"), TURNED_BACK]
    aws = world.aws(describe_images={"imageDetails": [{}]})
    done = rollback(aws)
    assert done.failed
    assert done.answer["verdict"] == "FAILED"
    assert "still serves" in done.answer["msg"]


def test_no_service_is_said(world: World) -> None:
    aws = world.aws(describe_services={"services": []})
    with pytest.raises(Exception, match="nothing to roll back"):
        rollback(aws)


def test_a_service_read_from_before_its_deployment_began_is_read_again(world: World) -> None:
    """Otherwise a release that bakes would be taken for the past, and one too far gone back."""
    quiet = world.service()
    world.serving = 1
    world.begin(2)
    world.script = [BAKE, TURNED_BACK]
    aws = world.aws()
    plain, lag = aws.answers["describe_services"], [quiet, quiet]
    aws.answers["describe_services"] = lambda p: {"services": [lag.pop()]} if lag else plain(p)
    done = rollback(aws)
    assert (done.answer["verdict"], done.answer["method"]) == ("ROLLED_BACK", "stop")
    assert aws.written == ["stop_service_deployment"]


def test_a_contradiction_without_an_end_is_told_and_nothing_is_written(world: World) -> None:
    quiet = world.service()
    world.begin(2)
    aws = world.aws(describe_services={"services": [quiet]})
    with pytest.raises(AwsFailure, match="run the same command again"):
        rollback(aws)
    assert aws.written == []


def test_a_lower_number_that_never_served_is_stopped(world: World) -> None:
    world.past = []
    world.begin(1)
    done = rollback(world.aws(), check_mode=True)
    assert done.answer["method"] == "stop"


def test_in_the_common_case_nothing_is_read_of_the_past(world: World) -> None:
    world.serving = 1
    world.begin(2)
    aws = world.aws(list_service_deployments=failure("AccessDeniedException"))
    assert rollback(aws, check_mode=True).answer["method"] == "stop"


# The ledger.

PLACE = {"bucket": "b", "prefix": "ledger/"}
CONTRACTED = Schema("0003", ("0002", "0003"), ("0001",))


def with_ledger(world: World, *runs: Run, **more: Any) -> FakeAws:
    book = Ledger([*runs])
    return world.aws(**{**book.answers, "describe_images": {"imageDetails": [{}]}, **more})


def declared(number: int, image: str, release: str, *revisions: str) -> dict[str, Any]:
    """A definition that says which schema it runs on."""
    made = definition(number, image, release)
    made["containerDefinitions"][0]["dockerLabels"]["lyo.schema"] = " ".join(revisions)
    return made


def test_a_killed_rollback_is_known_by_the_aim_it_had_told(world: World) -> None:
    world.past = []
    world.begin(1)
    killed = run(5, runbook="rollback.yml", verdict="KILLED", aim=f"{DEFINITION}:1")
    aws = with_ledger(world, killed)
    done = rollback(aws, check_mode=True, ledger=PLACE)
    assert done.answer["method"] == "adopt"
    assert rollback(with_ledger(world), check_mode=True, ledger=PLACE).answer["method"] == "stop"


def test_what_ecs_has_forgotten_the_ledger_remembers(world: World) -> None:
    world.past = []
    served = run(1, release="v1", task_definition=f"{DEFINITION}:1", image=IMAGE_1, deployment="x")
    world.script = [stage("SCALE_UP"), hook(), BAKE, DONE]
    aws = with_ledger(world, served, **told_nothing(world))
    done = rollback(aws, ledger=PLACE)
    assert done.answer["verdict"] == "ROLLED_BACK"
    assert aws.named("update_service")[0]["taskDefinition"] == f"{DEFINITION}:1"
    assert aws.named("describe_images")[0]["imageIds"] == [{"imageDigest": DIGEST_1}]


def told_nothing(world: World) -> dict[str, Any]:
    """ECS lists no deployment but those that the rollback starts."""
    return {"list_service_deployments": lambda _: {"serviceDeployments": world.listed()}}


def test_a_ledger_longer_than_a_look_is_read_to_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_rollback, "RUNS", 2)
    world.past = []
    served = run(1, release="v1", task_definition=f"{DEFINITION}:1", image=IMAGE_1, deployment="x")
    later = [run(n, verdict="UNCHANGED") for n in range(2, 20)]
    done = rollback(with_ledger(world, served, *later), check_mode=True, ledger=PLACE)
    assert done.answer["task_definition"] == f"{DEFINITION}:1"


def test_a_ledger_that_cannot_be_read_does_not_stand_in_the_way(world: World) -> None:
    broken = {"list_objects_v2": failure("AccessDenied", "not yours")}
    done = rollback(with_ledger(world, **broken), check_mode=True, ledger=PLACE)
    assert done.answer["method"] == "deploy"
    assert any("not yours" in reason for reason in done.answer["reasons"])
    world.past = []
    done = rollback(with_ledger(world, **broken), ledger=PLACE)
    assert "nothing to go back to" in done.answer["msg"]
    assert "not yours" in done.answer["msg"]


def test_a_release_that_the_schema_no_longer_serves_is_refused_unless_forced_by_name(
    world: World,
) -> None:
    world.definitions[1] = declared(1, IMAGE_1, "v1", "0001")
    contracted = run(2, **told(CONTRACTED))
    aws = with_ledger(world, contracted)
    done = rollback(aws, ledger=PLACE)
    assert done.failed
    assert "v1 (lyo:1) runs on schema 0001, but the database is at 0003" in done.answer["msg"]
    assert "-e force_schema=v1" in done.answer["msg"]
    assert aws.written == []
    for wrong in ("v2", "true", "lyo:2", DIGEST_1 + "0"):
        done = rollback(with_ledger(world, contracted), ledger=PLACE, force_schema=wrong)
        assert done.failed, wrong
        assert f"force_schema={wrong} names another one" in done.answer["msg"]
    for right in ("v1", "lyo:1", DIGEST_1):
        aws = with_ledger(world, contracted)
        done = rollback(aws, ledger=PLACE, force_schema=right, check_mode=True)
        assert (done.failed, done.answer["method"]) == (False, "deploy"), right
        assert any(reason.startswith("forced by name: ") for reason in done.answer["reasons"])


def test_a_release_that_the_schema_serves_is_allowed_without_a_remark(world: World) -> None:
    world.definitions[1] = declared(1, IMAGE_1, "v1", "0001", "0002")
    aws = with_ledger(world, run(2, **told(CONTRACTED)))
    done = rollback(aws, ledger=PLACE, check_mode=True)
    assert done.answer["reasons"] == ["going back to v1 (lyo:1)"]


def test_what_could_not_be_checked_is_said_and_allowed(world: World) -> None:
    done = rollback(with_ledger(world, run(2)), ledger=PLACE, check_mode=True)
    assert not done.failed
    assert any("does not say what it runs on" in reason for reason in done.answer["reasons"])


def test_during_bake_the_schema_only_warns_and_only_afterwards(world: World) -> None:
    world.definitions[1] = declared(1, IMAGE_1, "v1", "0001")
    world.serving = 1
    world.begin(2)
    world.script = [stage("BAKE_TIME", status="ROLLBACK_IN_PROGRESS"), TURNED_BACK]
    aws = with_ledger(world, run(2, **told(CONTRACTED)))
    done = rollback(aws, ledger=PLACE)
    assert done.answer["verdict"] == "ROLLED_BACK"
    assert [name for name, _ in aws.calls[:2]] == ["describe_services", "stop_service_deployment"]
    assert any("database is at 0003" in reason for reason in done.answer["reasons"])


def test_the_run_is_told_what_it_sets_out_to_deploy(world: World) -> None:
    done = rollback(with_ledger(world), ledger=PLACE, begin=True)
    assert done.answer["pending"]
    assert done.answer["task_definition"] == f"{DEFINITION}:1"


def test_what_is_on_its_way_already_is_followed(world: World) -> None:
    world.serving = 1
    world.begin(2)
    aws = world.aws()
    done = rollback(aws, to="v2", check_mode=True)
    assert done.answer["method"] == "adopt"
    assert done.answer["reasons"] == ["v2 (lyo:2) is just being deployed"]
    done = rollback(world.aws(), to="v1", check_mode=True)
    assert done.answer["method"] == "stop"


def smoke(
    world: World, monkeypatch: pytest.MonkeyPatch, parameter: Any, problems: list[str]
) -> tuple[Ended, list[str]]:
    """A rollback that deploys, with a smoke check that finds these problems."""
    asked: list[str] = []

    def checks(_checks: Any, base: str, *_: Any) -> list[str]:
        asked.append(base)
        return problems

    monkeypatch.setattr(run_rollback, "run_checks", checks)
    monkeypatch.setattr(run_rollback, "failures", list)
    world.script = [
        stage("SCALE_UP"),
        hook(),
        TURNED_BACK if problems and parameter is OUTPUTS_FOUND else DONE,
    ]
    aws = with_ledger(world, get_parameters=parameter)
    check = {"name": "smoke", "path": "/smoke"}
    return rollback(aws, smoke=[check], outputs_parameter="/lyo/local/outputs"), asked


OUTPUTS_FOUND = outputs_answer({"test_url": "http://test"})


def test_a_former_release_is_checked_before_it_gets_traffic(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, asked = smoke(world, monkeypatch, OUTPUTS_FOUND, ["smoke: 500"])
    assert asked == ["http://test"]
    assert done.failed
    assert "smoke: 500" in done.answer["reasons"]


def test_a_former_release_that_is_well_takes_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, asked = smoke(world, monkeypatch, OUTPUTS_FOUND, [])
    assert (done.answer["verdict"], asked) == ("ROLLED_BACK", ["http://test"])


@pytest.mark.parametrize("parameter", [failure("AccessDeniedException"), outputs_answer(None)])
def test_without_outputs_a_rollback_goes_on_unchecked(
    world: World, monkeypatch: pytest.MonkeyPatch, parameter: Any
) -> None:
    done, asked = smoke(world, monkeypatch, parameter, ["never asked"])
    assert (done.answer["verdict"], asked) == ("ROLLED_BACK", [])
