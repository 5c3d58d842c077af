from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.lyo_aws import AwsFailure
from ansible.module_utils.lyo_progress import Progress
from ansible.module_utils.lyo_release import run_task, task_definition

from .fakes import (
    AWS,
    DEFINITION,
    IMAGE_1,
    OUTPUTS,
    TASK,
    Clock,
    Ended,
    FakeAws,
    FakeModule,
    failure,
)

TASK_ARN = "arn:aws:ecs:eu-south-1:123456789012:task/lyo/0123456789abcdef"
WANTED = task_definition.render(
    OUTPUTS, TASK, IMAGE_1, "v1", one_off="migrate", command=["migrate"]
)
REGISTERED = {**WANTED, "taskDefinitionArn": f"{DEFINITION}-migrate:1"}


def described(status: str, code: int | None = None, **more: Any) -> dict[str, Any]:
    container = {"name": "app"} | ({} if code is None else {"exitCode": code})
    return {
        "tasks": [{"taskArn": TASK_ARN, "lastStatus": status, "containers": [container], **more}]
    }


def aws(**more: Any) -> FakeAws:
    answers: dict[str, Any] = {
        "describe_task_definition": {"taskDefinition": REGISTERED},
        "list_tasks": {"taskArns": []},
        "run_task": {"tasks": [{"taskArn": TASK_ARN}]},
        "describe_tasks": [
            described("PROVISIONING"),
            described("RUNNING"),
            described("STOPPED", 0),
        ],
        "get_log_events": [
            {"events": [{"message": "one\n"}], "nextForwardToken": "a"},
            {"events": [{"message": "two"}], "nextForwardToken": "b"},
            {"events": [], "nextForwardToken": "b"},
        ],
    }
    return FakeAws(**{**answers, **more})


def run(fake: FakeAws, *, check_mode: bool = False, **changes: Any) -> Ended:
    params = {
        "aws": AWS,
        "outputs": OUTPUTS,
        "name": "migrate",
        "image": IMAGE_1,
        "release": "v1",
        "command": ["migrate"],
        "task": TASK,
        "timeout": 60,
        **changes,
    }
    clock = Clock()
    one_off = run_task.OneOff(fake, Progress("test"), params, sleep=clock.sleep, clock=clock)
    with pytest.raises(Ended) as caught:
        run_task._run(FakeModule(params, check_mode), one_off)
    return caught.value


SAID = 'lyo.schema: {"revision": "f3", "serves": ["b2", "f3"], "contracted": ["a9"]}\n'


@pytest.mark.parametrize("code", [0, 1])
def test_where_the_schema_is_comes_from_the_tasks_own_word(code: int) -> None:
    """Also from the task that failed."""
    events = [
        {"events": [{"message": "migrating\n"}], "nextForwardToken": "a"},
        {"events": [], "nextForwardToken": "a"},
        # The last line is late.
        {"events": [{"message": SAID}], "nextForwardToken": "b"},
        {"events": [], "nextForwardToken": "b"},
    ]
    fake = aws(describe_tasks=[described("STOPPED", code)], get_log_events=events)
    done = run(fake, migrates=True)
    assert done.failed == bool(code)
    assert done.answer["schema"]["revision"] == "f3"
    assert done.answer["record"] == {
        "schema": "f3",
        "schema_serves": ["b2", "f3"],
        "schema_contracted": ["a9"],
    }


def test_a_task_that_says_nothing_puts_nothing_on_record() -> None:
    done = run(aws(), migrates=True)
    assert not done.failed
    assert "record" not in done.answer
    lines = {"events": [{"message": SAID}], "nextForwardToken": "a"}
    assert "record" not in run(aws(get_log_events=lines)).answer, "it is no migration"


def test_a_task_runs_once_and_its_log_is_kept() -> None:
    fake = aws()
    done = run(fake)
    assert not done.failed
    assert done.answer["exit_code"] == 0
    assert done.answer["log"] == ["one", "two"]
    assert fake.written == ["run_task"]
    started = fake.named("run_task")[0]
    assert started["startedBy"].startswith("lyo-migrate-")
    assert started["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == ["subnet-1"]
    assert fake.named("get_log_events")[0]["logStreamName"] == "migrate/app/0123456789abcdef"


@pytest.mark.parametrize(
    "latest", [failure("ClientException"), {"taskDefinition": {**REGISTERED, "cpu": "1024"}}]
)
def test_a_definition_is_registered_only_if_none_is_equal(latest: Any) -> None:
    fake = aws(
        describe_task_definition=latest, register_task_definition={"taskDefinition": REGISTERED}
    )
    run(fake)
    assert fake.written == ["register_task_definition", "run_task"]


def test_a_running_task_is_adopted() -> None:
    fake = aws(list_tasks={"taskArns": [TASK_ARN]})
    done = run(fake)
    assert done.answer["exit_code"] == 0
    assert fake.written == []
    assert fake.named("list_tasks")[0]["desiredStatus"] == "RUNNING"


def test_check_mode_writes_nothing() -> None:
    fake = aws(describe_task_definition=failure("ClientException"))
    done = run(fake, check_mode=True)
    assert done.answer["changed"]
    assert fake.written == []


def test_a_failing_task_is_explained() -> None:
    why = {"stoppedReason": "Essential container in task exited"}
    done = run(aws(describe_tasks=described("STOPPED", 1, **why)))
    assert done.failed
    assert done.answer["exit_code"] == 1
    assert "exit code 1" in done.answer["msg"]
    assert "log: two" in done.answer["msg"]


def test_a_task_that_never_started_is_explained() -> None:
    why = {"stoppedReason": "CannotPullContainerError", "stopCode": "TaskFailedToStart"}
    fake = aws(
        describe_tasks=described("STOPPED", None, **why),
        get_log_events=failure("ResourceNotFoundException"),
    )
    done = run(fake)
    assert done.failed
    assert done.answer["exit_code"] is None
    assert "CannotPullContainerError" in done.answer["msg"]


def test_time_up_leaves_the_task_alone() -> None:
    fake = aws(describe_tasks=described("RUNNING"))
    done = run(fake, timeout=5)
    assert done.failed
    assert "still runs after 5 s" in done.answer["msg"]
    assert fake.written == ["run_task"]


def test_what_ecs_does_not_place_is_explained() -> None:
    fake = aws(run_task={"tasks": [], "failures": [{"reason": "RESOURCE:ENI", "detail": "full"}]})
    with pytest.raises(Exception, match="RESOURCE:ENI full"):
        run(fake)


def test_the_token_stays_for_a_repeated_request_and_changes_for_a_new_attempt() -> None:
    first = run_task.client_token("mark", "task:1", [], 600.0)
    assert first == run_task.client_token("mark", "task:1", [], 1199.0)
    again = run_task.client_token("mark", "task:1", ["a", "b"], 600.0)
    assert again != first
    assert again == run_task.client_token("mark", "task:1", ["b", "a"], 600.0)
    assert len(again) <= 64


def test_the_token_changes_where_ecs_would_answer_with_an_old_task_or_refuse() -> None:
    first = run_task.client_token("mark", "task:1", [], 600.0)
    # The family has another revision with this content.
    assert run_task.client_token("mark", "task:3", [], 600.0) != first
    # The former attempt is not listed any more, and its token is still known.
    assert run_task.client_token("mark", "task:1", [], 600.0 + 3600) != first


def test_the_mark_depends_on_the_content() -> None:
    other = task_definition.render(OUTPUTS, TASK, IMAGE_1, "v2", one_off="migrate", command=["x"])
    assert run_task.started_by(WANTED, "migrate") == run_task.started_by(REGISTERED, "migrate")
    assert run_task.started_by(WANTED, "migrate") != run_task.started_by(other, "migrate")
    assert len(run_task.started_by(WANTED, "a-very-long-name-of-a-task")) <= 36


def test_a_refused_log_is_an_error() -> None:
    with pytest.raises(Exception, match="refused"):
        run(aws(get_log_events=failure("AccessDeniedException")))


def test_a_task_is_watched_through_a_spell_of_trouble() -> None:
    trouble = [failure("ThrottlingException"), failure("InternalFailure", status=500)]
    fake = aws(
        describe_tasks=[described("RUNNING"), *trouble, described("STOPPED", 0)],
        get_log_events=[failure("Unreachable"), {"events": [{"message": "one"}]}],
    )
    done = run(fake)
    assert not done.failed
    assert done.answer["exit_code"] == 0
    assert len(fake.named("run_task")) == 1


def test_a_registration_whose_answer_was_lost_is_found() -> None:
    there: list[int] = []

    def register(params: dict[str, Any]) -> Any:
        there.append(1)
        return failure("Unreachable")

    def definition(_: Any) -> Any:
        return {"taskDefinition": REGISTERED} if there else failure("ClientException")

    fake = aws(register_task_definition=register, describe_task_definition=definition)
    done = run(fake)
    assert done.answer["task_definition"] == f"{DEFINITION}-migrate:1"
    assert len(fake.named("register_task_definition")) == 1


def by_hand(fake: FakeAws, repeat: str = "after", **changes: Any) -> Ended:
    return run(fake, name="run", command=["seed", "x"], repeat=repeat, **changes)


RUN_DEFINITION = {
    **task_definition.render(OUTPUTS, TASK, IMAGE_1, "v1", one_off="run"),
    "taskDefinitionArn": f"{DEFINITION}-run:1",
}


def test_what_a_person_types_runs_each_time_with_one_definition_for_all_commands() -> None:
    fake = aws(describe_task_definition={"taskDefinition": RUN_DEFINITION})
    done = by_hand(fake)
    assert (done.failed, done.answer["verdict"]) == (False, "SUCCEEDED")
    assert done.answer["record"]["release"] == "v1"
    assert fake.written == ["run_task"]
    fake.answers["describe_tasks"] = described("STOPPED", 0)
    by_hand(fake)
    first, second = fake.named("run_task")
    assert first["overrides"] == {"containerOverrides": [{"name": "app", "command": ["seed", "x"]}]}
    assert first["startedBy"] == second["startedBy"]
    # ECS would answer the same token with the first task.
    assert first["clientToken"] != second["clientToken"]


def test_what_still_runs_is_watched_unless_another_is_wanted() -> None:
    def running() -> FakeAws:
        return aws(
            describe_task_definition={"taskDefinition": RUN_DEFINITION},
            list_tasks={"taskArns": [TASK_ARN]},
        )

    fake = running()
    by_hand(fake)
    assert fake.written == []
    fake = running()
    by_hand(fake, "always")
    assert fake.written == ["run_task"]


def test_the_mark_depends_on_the_command_too() -> None:
    marks = {run_task.started_by(WANTED, "run", words) for words in ([], ["a"], ["a", "b"])}
    assert len(marks) == 3


def test_a_command_of_a_person_that_fails_or_goes_on_has_a_verdict() -> None:
    known = {"describe_task_definition": {"taskDefinition": RUN_DEFINITION}}
    done = by_hand(aws(**known, describe_tasks=described("STOPPED", 7)))
    assert done.failed
    assert (done.answer["verdict"], done.answer["exit_code"]) == ("FAILED", 7)
    done = by_hand(aws(**known, describe_tasks=described("RUNNING")), timeout=5)
    assert done.failed
    assert done.answer["verdict"] == "STILL_RUNNING"


def test_an_entry_point_has_a_definition_of_its_own() -> None:
    fake = aws(
        describe_task_definition={"taskDefinition": RUN_DEFINITION},
        register_task_definition=lambda p: {"taskDefinition": {**p, "taskDefinitionArn": "arn:2"}},
    )
    by_hand(fake, entrypoint=["python"])
    container = fake.named("register_task_definition")[0]["containerDefinitions"][0]
    assert (container["entryPoint"], "command" in container) == (["python"], False)


def test_every_line_of_a_log_is_shown_also_the_last_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(Progress, "line", lambda _, text: shown.append(text.strip()))
    fake = aws(
        describe_task_definition={"taskDefinition": RUN_DEFINITION},
        describe_tasks=described("STOPPED", 0),
        get_log_events=[
            {"events": [{"message": "one"}], "nextForwardToken": "a"},
            {"events": [], "nextForwardToken": "a"},
            {"events": [{"message": "late"}], "nextForwardToken": "b"},
            {"events": [], "nextForwardToken": "b"},
        ],
    )
    by_hand(fake)
    assert shown[1:] == ["one", "late"]


def test_a_task_is_not_watched_for_longer_than_asked_for() -> None:
    naps: list[float] = []
    params = {"outputs": OUTPUTS, "name": "migrate", "image": IMAGE_1, "release": "v1"}
    params |= {"command": ["migrate"], "task": TASK, "timeout": 30}
    clock = Clock()

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        clock.sleep(seconds)

    fake = aws(describe_tasks=failure("Unreachable"))
    one_off = run_task.OneOff(fake, Progress("test"), params, sleep=sleep, clock=clock)
    with pytest.raises(AwsFailure):
        one_off.follow(TASK_ARN, REGISTERED)
    assert 30 <= clock.now <= 32
