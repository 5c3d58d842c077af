"""Stand-ins for AWS and for AnsibleModule, and the data that the tests share."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ansible.module_utils.lyo_aws import AwsFailure

REPOSITORY = "123456789012.dkr.ecr.eu-south-1.amazonaws.com/lyo"
DIGEST_1 = "sha256:" + "1" * 64
DIGEST_2 = "sha256:" + "2" * 64
IMAGE_1 = f"{REPOSITORY}@{DIGEST_1}"
IMAGE_2 = f"{REPOSITORY}@{DIGEST_2}"
SERVICE_ARN = "arn:aws:ecs:eu-south-1:123456789012:service/lyo/lyo"
DEFINITION = "arn:aws:ecs:eu-south-1:123456789012:task-definition/lyo"
DEPLOYMENT = "arn:aws:ecs:eu-south-1:123456789012:service-deployment/lyo/lyo/one"
REVISION = "arn:aws:ecs:eu-south-1:123456789012:service-revision/lyo/lyo"

READS = ("describe_", "list_", "get_", "head_", "batch_check_", "batch_get_", "filter_")
AWS = {"region": "eu-south-1", "account_id": "123456789012"}

OUTPUTS: dict[str, Any] = {
    "cluster_name": "lyo",
    "service_name": "lyo",
    "task_family": "lyo",
    "container_name": "app",
    "container_port": 8080,
    "repository_url": REPOSITORY,
    "log_group": "/lyo/app",
    "subnet_ids": ["subnet-1"],
    "app_security_group_ids": ["sg-1"],
    "execution_role_arn": "arn:exec",
    "task_role_arn": "arn:task",
    "ecs_infrastructure_role_arn": "arn:infra",
    "target_group_arns": {"blue": "arn:blue", "green": "arn:green"},
    "production_listener_rule_arn": "arn:prod",
    "test_listener_rule_arn": "arn:test",
    "test_url": "http://127.0.0.1:1",
    "autoscaling": {"min": 2, "max": 6},
    "cpu": 256,
    "memory": 512,
    "region": "eu-south-1",
}
STRATEGY: dict[str, Any] = {
    "strategy": "BLUE_GREEN",
    "bake_time_minutes": 5,
    "canary_percent": 10.0,
    "canary_bake_time_minutes": 4,
    "linear_step_percent": 25.0,
    "linear_step_bake_time_minutes": 2,
    "pause_timeout_minutes": 30,
    "alarms": [],
    "hooks": [],
    "max_failed_tasks": 3,
    "healthy_timeout": 900,
    "timeout": 7200,
}
TASK: dict[str, Any] = {"environment": {"A": "b"}, "secrets": {"S": "arn:s"}, "stop_timeout": 30}


def outputs_answer(outputs: Any, database: str = "") -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What GetParameters answers to whoever reads Terraform's outputs.

    :param outputs: them, or the parameter's text; None where there is none.
    :param database: text of the parameter that says which database serves, empty where there is none.
    """

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        name, beside = params["Names"]
        text = outputs if isinstance(outputs, str) else json.dumps(outputs)
        values = {name: None if outputs is None else text, beside: database or None}
        known = [{"Name": key, "Value": value} for key, value in values.items() if value]
        return {"Parameters": known, "InvalidParameters": [k for k, v in values.items() if not v]}

    return answer


class FakeAws:
    """Answers calls from a table: operation to an answer, a failure or a function of the params.

    A list is used up one by one, its last answer stays. An operation that is not in the table
    fails the test.
    """

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.writes = 0
        self.secrets: list[str] = []
        self.confirmed: list[str] = []

    def confirm_account(self, arn: str) -> None:
        self.confirmed.append(arn)

    def call(self, service: str, operation: str, /, **params: Any) -> Any:
        self.calls.append((operation, params))
        if not operation.startswith(READS):
            self.writes += 1
        if operation not in self.answers:
            pytest.fail(f"unexpected call {service}:{operation} {params}")
        answer = self.answers[operation]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(params)
        if isinstance(answer, Exception):
            raise answer
        return copy.deepcopy(answer) if isinstance(answer, dict) else answer

    def create(self, service: str, operation: str, find: Any, /, **params: Any) -> Any:
        try:
            return self.call(service, operation, **params)
        except AwsFailure as failure:
            if not failure.open:
                raise
            return find() or self.call(service, operation, **params)

    def all(self, service: str, operation: str, key: str, /, **params: Any) -> Any:
        return self.call(service, operation, **params).get(key, [])

    def named(self, operation: str) -> list[dict[str, Any]]:
        """The parameters of every call of an operation."""
        return [params for name, params in self.calls if name == operation]

    @property
    def written(self) -> list[str]:
        """The operations that write, in order."""
        return [name for name, _ in self.calls if not name.startswith(READS)]


class Ended(Exception):  # noqa: N818
    """The module has ended with this answer."""

    def __init__(self, answer: dict[str, Any], failed: bool) -> None:
        super().__init__(answer.get("msg", ""))
        self.answer = answer
        self.failed = failed


class FakeModule:
    """AnsibleModule as far as the modules use it."""

    def __init__(self, params: Mapping[str, Any], check_mode: bool = False) -> None:
        self.params = dict(params)
        self.check_mode = check_mode

    def exit_json(self, **answer: Any) -> None:
        raise Ended(answer, failed=False)

    def fail_json(self, msg: str, **answer: Any) -> None:
        raise Ended({"msg": msg, **answer}, failed=True)


def ended(run: Callable[[Any], None], module: FakeModule) -> Ended:
    """Run a module's code and return how it ended."""
    with pytest.raises(Ended) as caught:
        run(module)
    return caught.value


def failure(code: str, message: str = "refused", status: int = 400) -> AwsFailure:
    """A failure as `Aws.call` raises it."""
    return AwsFailure(code, message, status=status)


class Clock:
    """Time that passes only while something sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
