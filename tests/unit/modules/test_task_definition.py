from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible.module_utils.lyo_release import task_definition as td

from .fakes import IMAGE_1, IMAGE_2, OUTPUTS, TASK


def described(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition as DescribeTaskDefinition gives it back: more members, other order."""
    answer = copy.deepcopy(definition)
    container = answer["containerDefinitions"][0]
    container["environment"].reverse()
    container["cpu"] = 0
    container["mountPoints"] = []
    container["volumesFrom"] = []
    for port in container.get("portMappings", []):
        port["hostPort"] = port["containerPort"]
    return {
        **answer,
        "taskDefinitionArn": "arn:x/lyo:7",
        "revision": 7,
        "status": "ACTIVE",
        "compatibilities": ["EC2", "FARGATE"],
        "volumes": [],
        "placementConstraints": [],
        "registeredBy": "someone",
    }


def wanted(**changes: Any) -> dict[str, Any]:
    task = {**TASK, "environment": {"A": "b", "C": True, "D": 3}, **changes}
    return td.render(OUTPUTS, task, IMAGE_1, "v1")


def test_render_a_service() -> None:
    definition = wanted(health_command=["CMD", "true"])
    container = definition["containerDefinitions"][0]
    assert definition["family"] == "lyo"
    assert (definition["cpu"], definition["memory"]) == ("256", "512")
    assert container["environment"] == [
        {"name": "A", "value": "b"},
        {"name": "C", "value": "true"},
        {"name": "D", "value": "3"},
    ]
    assert container["secrets"] == [{"name": "S", "valueFrom": "arn:s"}]
    assert container["portMappings"] == [{"containerPort": 8080, "protocol": "tcp"}]
    assert container["healthCheck"]["command"] == ["CMD", "true"]
    assert container["stopTimeout"] == 30
    assert "command" not in container
    assert td.release_of(definition) == "v1"
    assert td.image_of(definition) == IMAGE_1


def test_render_a_one_off_has_a_family_of_its_own_and_no_port() -> None:
    task = {**TASK, "health_command": ["CMD", "true"], "cpu": "1024", "command": ["serve"]}
    definition = td.render(OUTPUTS, task, IMAGE_1, "v1", one_off="migrate", command=["migrate"])
    container = definition["containerDefinitions"][0]
    assert definition["family"] == "lyo-migrate"
    assert definition["cpu"] == "1024"
    assert container["command"] == ["migrate"]
    assert "portMappings" not in container
    assert "healthCheck" not in container
    assert container["logConfiguration"]["options"]["awslogs-stream-prefix"] == "migrate"


def test_the_tasks_own_command_is_used_without_another() -> None:
    definition = wanted(command=["serve", "--quick"])
    assert definition["containerDefinitions"][0]["command"] == ["serve", "--quick"]


def test_what_aws_adds_makes_no_difference() -> None:
    assert td.same(described(wanted()), wanted())
    assert td.same(described(wanted(health_command=["x"])), wanted(health_command=["x"]))


@pytest.mark.parametrize(
    "change",
    [
        {"cpu": "512"},
        {"memory": "1024"},
        {"environment": {"A": "c"}},
        {"environment": {}},
        {"secrets": {"S": "arn:t"}},
        {"stop_timeout": 31},
        {"command": ["x"]},
        {"architecture": "ARM64"},
    ],
)
def test_each_thing_that_was_asked_for_makes_a_difference(change: dict[str, Any]) -> None:
    assert not td.same(described(wanted()), wanted(**change))


def test_image_and_release_make_a_difference() -> None:
    assert not td.same(wanted(), td.render(OUTPUTS, TASK, IMAGE_2, "v1"))
    one = td.render(OUTPUTS, TASK, IMAGE_1, "v1")
    assert not td.same(one, td.render(OUTPUTS, TASK, IMAGE_1, "v2"))


def test_the_order_of_a_command_counts() -> None:
    assert not td.same(wanted(command=["a", "b"]), wanted(command=["b", "a"]))


def test_the_first_essential_container_is_the_application() -> None:
    definition = {
        "containerDefinitions": [
            {"name": "init", "image": "init", "essential": False},
            {"name": "app", "image": "app", "dockerLabels": {"lyo.release": "v9"}},
        ]
    }
    assert td.image_of(definition) == "app"
    assert td.release_of(definition) == "v9"
    assert td.image_of(None) == ""
    assert td.release_of({"containerDefinitions": [{"name": "app"}]}) == ""


def test_arn_parts() -> None:
    arn = "arn:aws:ecs:eu-south-1:123456789012:task-definition/lyo:42"
    assert td.revision_number(arn) == 42
    assert td.family_of(arn) == "lyo"
    assert td.revision_number("lyo") == 0


def test_summary_names_what_lists_hold() -> None:
    shown = td.summary(described(wanted()))
    assert shown["container app"]["environment"] == {"A": "b", "C": "true", "D": "3"}
    assert shown["container app"]["secrets"] == {"S": "arn:s"}
    assert "taskDefinitionArn" not in shown
    assert td.summary(None) == {}
