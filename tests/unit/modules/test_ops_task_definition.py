"""What schedules start: registered when it is new, and left alone when it is not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.lyo_image import ops
from ansible.module_utils.lyo_release.task_definition import image_of

from .fakes import AWS, IMAGE_1, IMAGE_2, OUTPUTS, TASK, Ended, FakeAws, FakeModule, failure

OWN = {
    "repository_name": "lyo-ops",
    "repository_url": "123456789012.dkr.ecr.eu-south-1.amazonaws.com/lyo-ops",
    "execution_role_arn": "arn:ops-exec",
    "task_role_arn": "arn:ops-task",
    "runner_role_arn": "arn:ops-runner",
    "log_group": "/lyo/operations",
}
ENVIRONMENT = {**OUTPUTS, "environment": "x", "operations": OWN}
ARN = "arn:aws:ecs:eu-south-1:123456789012:task-definition/lyo-ops"


class Registry:
    """The revisions of the family."""

    def __init__(self) -> None:
        self.revisions: list[dict[str, Any]] = []

    def aws(self) -> FakeAws:
        return FakeAws(
            get_caller_identity={},
            describe_task_definition=self.describe,
            register_task_definition=self.register,
        )

    def describe(self, params: dict[str, Any]) -> Any:
        assert params["taskDefinition"] == "lyo-ops"
        if not self.revisions:
            return failure("ClientException")
        return {"taskDefinition": self.revisions[-1]}

    def register(self, params: dict[str, Any]) -> dict[str, Any]:
        arn = f"{ARN}:{len(self.revisions) + 1}"
        self.revisions.append({**params, "taskDefinitionArn": arn})
        return {"taskDefinition": self.revisions[-1]}


def run(
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    *,
    check_mode: bool = False,
    **changes: Any,
) -> tuple[Ended, FakeAws]:
    params = {
        "aws": AWS,
        "outputs": ENVIRONMENT,
        "image": IMAGE_1,
        "release": "ops-1",
        "task": TASK,
        **changes,
    }
    fake = registry.aws()
    monkeypatch.setattr(ops, "Aws", lambda _: fake)
    with pytest.raises(Ended) as caught:
        ops.run(FakeModule(params, check_mode=check_mode))
    return caught.value, fake


def test_the_first_is_registered_with_the_runners_role(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry()
    predicted, fake = run(registry, monkeypatch, check_mode=True)
    assert predicted.answer["changed"]
    assert predicted.answer["task_definition"] == ""
    assert fake.written == []

    done, _ = run(registry, monkeypatch)
    assert done.answer["task_definition"] == f"{ARN}:1"
    (made,) = registry.revisions
    assert made["taskRoleArn"] == "arn:ops-runner"
    assert made["executionRoleArn"] == "arn:ops-exec"
    (container,) = made["containerDefinitions"]
    assert container["name"] == "ops"
    assert "command" not in container
    assert "portMappings" not in container
    assert container["logConfiguration"]["options"]["awslogs-group"] == "/lyo/operations"


def test_the_same_again_is_left_alone_and_a_new_image_is_a_revision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry = Registry()
    run(registry, monkeypatch)
    again, fake = run(registry, monkeypatch)
    assert not again.answer["changed"]
    assert again.answer["task_definition"] == f"{ARN}:1"
    assert fake.written == []

    newer, _ = run(registry, monkeypatch, image=IMAGE_2)
    assert newer.answer["task_definition"] == f"{ARN}:2"
    assert newer.answer["previous"] == f"{ARN}:1"
    assert IMAGE_2 in newer.answer["diff"]["after"]
    assert image_of(registry.revisions[-1]) == IMAGE_2


def test_an_environment_without_operations_says_what_to_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done, fake = run(Registry(), monkeypatch, outputs={**OUTPUTS, "environment": "x"})
    assert done.failed
    assert done.answer["msg"] == "x has no registry of the ops image yet: run deploy.yml"
    assert fake.written == []
