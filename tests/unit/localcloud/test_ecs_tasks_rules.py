"""What a task definition must satisfy, secret references, capacity providers."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.api import AwsError, NotReproducedError
from localcloud.services.ecs.clusters import choose_provider
from localcloud.services.ecs.secrets import SecretReference, parse_reference
from localcloud.services.ecs.store import Cluster
from localcloud.services.ecs.task_definition_rules import cpu_units, memory_mib, normalise

SECRET = "arn:aws:secretsmanager:eu-south-1:123456789012:secret:lyo/db-AbCdEf"
PARAMETER = "arn:aws:ssm:eu-south-1:123456789012:parameter/lyo/colour"


def definition(*containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "family": "web",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "containerDefinitions": list(containers or [container()]),
        **more,
    }


def container(name: str = "web", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "repo:1", **more}


def test_defaults_are_filled_in() -> None:
    shape = normalise(
        definition(
            container(
                portMappings=[{"containerPort": 8080}], healthCheck={"command": ["CMD", "true"]}
            ),
            cpu=".25 vCPU",
            memory="0.5GB",
        ),
        "eu-south-1",
    )
    only = shape["containerDefinitions"][0]
    assert only["cpu"] == 0
    assert only["essential"] is True
    assert only["environment"] == only["mountPoints"] == only["volumesFrom"] == []
    assert only["portMappings"] == [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}]
    assert only["healthCheck"] == {
        "command": ["CMD", "true"],
        "interval": 30,
        "timeout": 5,
        "retries": 3,
    }
    assert (shape["cpu"], shape["memory"]) == ("256", "512")
    assert shape["compatibilities"] == ["EC2", "FARGATE"]
    assert {"name": "ecs.capability.task-eni"} in shape["requiresAttributes"]


def test_the_input_is_not_changed() -> None:
    given = definition()
    normalise(given, "eu-south-1")
    assert given == definition()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"family": "not valid"}, "Family"),
        ({"networkMode": "bridge"}, "awsvpc"),
        ({"memory": "4096"}, "No Fargate configuration"),
        ({"cpu": "300"}, "No Fargate configuration"),
        ({"cpu": "much"}, "cpu"),
        ({"containerDefinitions": []}, "empty"),
        ({"containerDefinitions": [container(), container()]}, "Duplicate"),
        ({"containerDefinitions": [container("a b")]}, "invalid characters"),
        ({"containerDefinitions": [container(essential=False)]}, "essential"),
        ({"containerDefinitions": [container(image="")]}, "image"),
        ({"containerDefinitions": [container(links=["x"])]}, "links"),
        ({"containerDefinitions": [container(privileged=True)]}, "privileged"),
        ({"containerDefinitions": [container(stopTimeout=121)]}, "stopTimeout"),
        ({"containerDefinitions": [container(memory=1024)]}, "memory"),
        (
            {
                "containerDefinitions": [
                    container(portMappings=[{"containerPort": 1, "hostPort": 2}])
                ]
            },
            "must match",
        ),
        (
            {
                "containerDefinitions": [
                    container("a", portMappings=[{"containerPort": 80}]),
                    container("b", portMappings=[{"containerPort": 80}]),
                ]
            },
            "more than once",
        ),
        (
            {
                "containerDefinitions": [
                    container(dependsOn=[{"containerName": "x", "condition": "START"}])
                ]
            },
            "not in the task definition",
        ),
        (
            {
                "containerDefinitions": [
                    container("a", dependsOn=[{"containerName": "b", "condition": "START"}]),
                    container("b", dependsOn=[{"containerName": "a", "condition": "START"}]),
                ]
            },
            "cycle",
        ),
        (
            {
                "containerDefinitions": [
                    container("a", dependsOn=[{"containerName": "b", "condition": "SUCCESS"}]),
                    container("b"),
                ]
            },
            "essential",
        ),
        (
            {
                "containerDefinitions": [
                    container("a", dependsOn=[{"containerName": "b", "condition": "HEALTHY"}]),
                    container("b"),
                ]
            },
            "health check",
        ),
        ({"containerDefinitions": [container(healthCheck={"command": ["true"]})]}, "CMD"),
        (
            {
                "containerDefinitions": [
                    container(healthCheck={"command": ["CMD", "x"], "interval": 1})
                ]
            },
            "interval",
        ),
        (
            {
                "containerDefinitions": [
                    container(
                        environment=[{"name": "A", "value": "1"}],
                        secrets=[{"name": "A", "valueFrom": SECRET}],
                    )
                ]
            },
            "unique",
        ),
        (
            {
                "containerDefinitions": [
                    container(secrets=[{"name": "A", "valueFrom": "arn:aws:s3"}])
                ]
            },
            "Invalid secret",
        ),
        ({"ephemeralStorage": {"sizeInGiB": 20}}, "Ephemeral"),
    ],
)
def test_what_aws_refuses_is_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(AwsError, match=text) as error:
        normalise(definition(**change), "eu-south-1")
    assert error.value.code == "ClientException"


@pytest.mark.parametrize(
    "given",
    [
        container(secrets=[{"name": "A", "valueFrom": SECRET}]),
        container(image="123456789012.dkr.ecr.eu-south-1.amazonaws.com/web:1"),
        container(
            logConfiguration={
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": "/web",
                    "awslogs-region": "eu-south-1",
                    "awslogs-stream-prefix": "web",
                },
            }
        ),
    ],
)
def test_secrets_ecr_and_logs_need_an_execution_role(given: dict[str, Any]) -> None:
    without = definition(given)
    normalise(without, "eu-south-1")
    del without["executionRoleArn"]
    with pytest.raises(AwsError, match="xecution"):
        normalise(without, "eu-south-1")


@pytest.mark.parametrize(
    "change",
    [
        {"volumes": [{"name": "data"}]},
        {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}},
        {"containerDefinitions": [container(environmentFiles=[{"value": "x", "type": "s3"}])]},
        {"containerDefinitions": [container(logConfiguration={"logDriver": "splunk"})]},
    ],
)
def test_what_a_process_cannot_do_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(NotReproducedError):
        normalise(definition(**change), "eu-south-1")


def test_what_only_isolates_is_kept() -> None:
    shape = normalise(definition(container(user="1000", readonlyRootFilesystem=True)), "eu-south-1")
    assert shape["containerDefinitions"][0]["user"] == "1000"


def test_a_definition_that_does_not_ask_for_fargate_may_lack_it() -> None:
    shape = normalise({"family": "web", "containerDefinitions": [container()]}, "eu-south-1")
    assert shape["compatibilities"] == ["EC2"]


def test_sizes() -> None:
    assert [cpu_units(v) for v in ("1024", "1 vCPU", ".5 vcpu")] == [1024, 1024, 512]
    assert [memory_mib(v) for v in ("2048", "2 GB", "0.5GB")] == [2048, 2048, 512]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SECRET, SecretReference("secretsmanager", SECRET)),
        (f"{SECRET}:password::", SecretReference("secretsmanager", SECRET, "password")),
        (
            f"{SECRET}:password:AWSPREVIOUS:v-1",
            SecretReference("secretsmanager", SECRET, "password", "AWSPREVIOUS", "v-1"),
        ),
        (
            f"{SECRET}::AWSPREVIOUS:",
            SecretReference("secretsmanager", SECRET, None, "AWSPREVIOUS"),
        ),
        (PARAMETER, SecretReference("ssm", PARAMETER)),
        ("colour", SecretReference("ssm", "colour")),
    ],
)
def test_secret_references(value: str, expected: SecretReference) -> None:
    assert parse_reference(value) == expected


@pytest.mark.parametrize("value", ["", "arn:aws:s3:::bucket", f"{SECRET}:password", "arn:aws:ssm"])
def test_secret_references_that_are_none(value: str) -> None:
    with pytest.raises(ValueError, match=r"valueFrom|neither"):
        parse_reference(value)


def test_the_base_is_filled_first_then_weights_decide() -> None:
    cluster = Cluster("arn", "lyo", capacity_providers=["FARGATE", "FARGATE_SPOT"])
    strategy = [
        {"capacityProvider": "FARGATE", "base": 1, "weight": 1},
        {"capacityProvider": "FARGATE_SPOT", "weight": 3},
    ]
    counts: dict[str, int] = {}
    for _ in range(9):
        name = choose_provider(strategy, cluster, counts)
        counts[name] = counts.get(name, 0) + 1
    assert counts == {"FARGATE": 3, "FARGATE_SPOT": 6}
    cluster.capacity_providers = ["FARGATE"]
    with pytest.raises(AwsError, match="not associated"):
        choose_provider(strategy, cluster, {})
