from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from ansible.module_utils.lyo_release import request, task_definition
from botocore.validate import validate_parameters

from .fakes import IMAGE_1, OUTPUTS, STRATEGY, TASK


def valid(operation: str, parameters: dict[str, Any]) -> None:
    """Hold a request against the API's own model."""
    model = botocore.session.get_session().get_service_model("ecs").operation_model(operation)
    validate_parameters(parameters, model.input_shape)


@pytest.mark.parametrize("strategy", ["BLUE_GREEN", "CANARY", "LINEAR"])
def test_every_strategy_is_a_valid_request(strategy: str) -> None:
    deployment = {**STRATEGY, "strategy": strategy}
    made = request.update_service(OUTPUTS, deployment, "lyo:2", 2)
    valid("UpdateService", made)
    configuration = made["deploymentConfiguration"]
    assert configuration["strategy"] == strategy
    assert ("canaryConfiguration" in configuration) is (strategy == "CANARY")
    assert ("linearConfiguration" in configuration) is (strategy == "LINEAR")


def test_the_task_definition_is_a_valid_request() -> None:
    task = {**TASK, "health_command": ["CMD", "true"], "command": ["serve"]}
    valid("RegisterTaskDefinition", task_definition.render(OUTPUTS, task, IMAGE_1, "v1"))


def test_the_pause_hook_turns_back_by_itself() -> None:
    own = {"targetType": "AWS_LAMBDA", "hookTargetArn": "arn:l", "lifecycleStages": ["SCALE_UP"]}
    hooks = request.deployment_configuration({**STRATEGY, "hooks": [own]})["lifecycleHooks"]
    assert hooks[0] == {
        "targetType": "PAUSE",
        "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"],
        "timeoutConfiguration": {"timeoutInMinutes": 30, "action": "ROLLBACK"},
    }
    assert hooks[1] == own


def test_alarms_turn_back_only_where_there_are_any() -> None:
    none = request.deployment_configuration(STRATEGY)["alarms"]
    assert none == {"alarmNames": [], "enable": False, "rollback": False}
    some = request.deployment_configuration({**STRATEGY, "alarms": ["a"]})["alarms"]
    assert some == {"alarmNames": ["a"], "enable": True, "rollback": True}


def test_the_number_of_tasks_is_left_to_autoscaling() -> None:
    assert "desiredCount" not in request.update_service(OUTPUTS, STRATEGY, "lyo:2", None)
    assert request.update_service(OUTPUTS, STRATEGY, "lyo:2", 2)["desiredCount"] == 2


def test_both_target_groups_and_the_test_listener_if_there_is_one() -> None:
    (entry,) = request.load_balancers(OUTPUTS)
    assert entry["targetGroupArn"] == "arn:blue"
    assert entry["advancedConfiguration"] == {
        "alternateTargetGroupArn": "arn:green",
        "productionListenerRule": "arn:prod",
        "testListenerRule": "arn:test",
        "roleArn": "arn:infra",
    }
    (entry,) = request.load_balancers({**OUTPUTS, "test_listener_rule_arn": ""})
    assert "testListenerRule" not in entry["advancedConfiguration"]


@pytest.mark.parametrize(
    ("strategy", "on"), [("BLUE_GREEN", True), ("CANARY", False), ("LINEAR", False)]
)
def test_ecs_turns_back_by_itself_where_it_can(strategy: str, on: bool) -> None:
    made = request.deployment_configuration({**STRATEGY, "strategy": strategy})
    assert made["deploymentCircuitBreaker"] == {"enable": on, "rollback": on}
