"""Clusters, task definitions, tags and settings: every answer is compared with botocore's model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.api import AwsError
from tests.localcloud.ecs_tasks_harness import Ecs, conforms, container, definition, model, start


@pytest.fixture(scope="module")
def ecs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ecs]:
    found = start(tmp_path_factory.mktemp("ecs-api"))
    yield found
    found.cloud.stop()


def refused(ecs: Ecs, operation: str, **params: Any) -> AwsError:
    with pytest.raises(AwsError) as error:
        ecs.call(operation, **params)
    return error.value


def test_the_comparison_with_the_model_finds_what_aws_does_not_have() -> None:
    shape = model().shape_for("Task")
    for wrong in ({"nonsense": 1}, {"healthStatus": "GOOD"}, {"lastStatus": 3}):
        with pytest.raises(AssertionError):
            conforms(wrong, shape)


def test_every_operation_of_ours_is_one_of_aws() -> None:
    from botocore import xform_name

    from localcloud.services.ecs.tasks import EcsTasksApi

    known = {xform_name(name) for name in model().operation_names}
    ours = {name for name in vars(EcsTasksApi) | _inherited(EcsTasksApi) if name[0] != "_"}
    assert ours - {"cloud", "store", "engine", "run_task_tokens"} <= known
    assert {"run_task", "create_cluster", "register_task_definition"} <= ours
    # Refused by the core, because they have no method.
    assert not {"start_task", "execute_command", "create_capacity_provider"} & ours


def _inherited(cls: type) -> dict[str, Any]:
    return {name: value for base in cls.__mro__[:-1] for name, value in vars(base).items()}


def test_a_cluster_from_creation_to_deletion(ecs: Ecs) -> None:
    created = ecs.call(
        "CreateCluster",
        clusterName="kitchen",
        settings=[{"name": "containerInsights", "value": "enabled"}],
        tags=[{"key": "env", "value": "test"}],
    )["cluster"]
    assert created["status"] == "ACTIVE"
    again = ecs.call("CreateCluster", clusterName="kitchen")["cluster"]
    assert again["clusterArn"] == created["clusterArn"]
    assert again["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    other = [{"name": "containerInsights", "value": "disabled"}]
    assert (
        "inconsistent"
        in refused(ecs, "CreateCluster", clusterName="kitchen", settings=other).message.lower()
    )
    put = ecs.call(
        "PutClusterCapacityProviders",
        cluster="kitchen",
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1, "base": 1}],
    )["cluster"]
    assert put["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    error = refused(
        ecs,
        "PutClusterCapacityProviders",
        cluster="kitchen",
        capacityProviders=["FARGATE"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT"}],
    )
    assert error.code == "InvalidParameterException"
    ecs.call("UpdateClusterSettings", cluster=created["clusterArn"], settings=other)
    described = ecs.call(
        "DescribeClusters",
        clusters=["kitchen", "none"],
        include=["SETTINGS", "TAGS", "STATISTICS", "CONFIGURATIONS"],
    )
    assert described["clusters"][0]["settings"] == other
    assert described["clusters"][0]["tags"] == [{"key": "env", "value": "test"}]
    assert described["failures"] == [
        {"arn": created["clusterArn"].replace("kitchen", "none"), "reason": "MISSING"}
    ]
    assert created["clusterArn"] in ecs.call("ListClusters")["clusterArns"]
    assert ecs.call("DeleteCluster", cluster="kitchen")["cluster"]["status"] == "INACTIVE"
    assert created["clusterArn"] not in ecs.call("ListClusters")["clusterArns"]
    assert refused(ecs, "ListTasks", cluster="kitchen").code == "ClusterNotFoundException"


def test_a_cluster_with_a_service_is_not_deleted(ecs: Ecs) -> None:
    ecs.call("CreateCluster", clusterName="served")
    store = ecs.part.store
    before = store.count_services
    store.count_services = lambda _arn: 1
    error = refused(ecs, "DeleteCluster", cluster="served")
    store.count_services = before
    assert error.code == "ClusterContainsServicesException"


def test_a_task_definition_from_registration_to_deletion(ecs: Ecs) -> None:
    given = definition(
        container(
            "web",
            portMappings=[{"containerPort": 8080, "name": "http", "appProtocol": "http"}],
            environment=[{"name": "A", "value": "1"}],
            secrets=[{"name": "S", "valueFrom": "colour"}],
            healthCheck={"command": ["CMD", "true"]},
            ulimits=[{"name": "nofile", "softLimit": 1024, "hardLimit": 2048}],
        ),
        family="dish",
        taskRoleArn="arn:aws:iam::123456789012:role/task",
        runtimePlatform={"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        tags=[{"key": "release", "value": "v1"}],
    )
    first = ecs.call("RegisterTaskDefinition", **given)
    assert first["taskDefinition"]["revision"] == 1
    assert first["tags"] == [{"key": "release", "value": "v1"}]
    second = ecs.call("RegisterTaskDefinition", **given)["taskDefinition"]
    assert second["revision"] == 2
    one, two = first["taskDefinition"]["taskDefinitionArn"], second["taskDefinitionArn"]

    def describe(ref: str) -> dict[str, Any]:
        answer = ecs.call("DescribeTaskDefinition", taskDefinition=ref, include=["TAGS"])
        found: dict[str, Any] = answer["taskDefinition"]
        return found

    assert describe("dish") == describe("dish:2") == describe(two) == second
    assert ecs.call("ListTaskDefinitions", familyPrefix="dish")["taskDefinitionArns"] == [one, two]
    page = ecs.call("ListTaskDefinitions", familyPrefix="dish", maxResults=1, sort="DESC")
    assert page["taskDefinitionArns"] == [two]
    page = ecs.call(
        "ListTaskDefinitions",
        familyPrefix="dish",
        maxResults=1,
        sort="DESC",
        nextToken=page["nextToken"],
    )
    assert page == {"taskDefinitionArns": [one]}

    gone = ecs.call("DeregisterTaskDefinition", taskDefinition="dish:2")["taskDefinition"]
    assert (gone["status"], "deregisteredAt" in gone) == ("INACTIVE", True)
    assert describe("dish")["revision"] == 1
    assert describe("dish:2")["status"] == "INACTIVE"
    assert refused(ecs, "DeregisterTaskDefinition", taskDefinition="dish").code == "ClientException"
    answer = ecs.call("DeleteTaskDefinitions", taskDefinitions=["dish:1", "dish:2"])
    assert [d["status"] for d in answer["taskDefinitions"]] == ["DELETE_IN_PROGRESS"]
    assert "ACTIVE" in answer["failures"][0]["reason"]
    error = refused(ecs, "DescribeTaskDefinition", taskDefinition="dish:2")
    assert (error.code, error.message) == (
        "ClientException",
        "Unable to describe task definition.",
    )
    # A number is never given twice.
    assert ecs.call("RegisterTaskDefinition", **given)["taskDefinition"]["revision"] == 3
    families = ecs.call("ListTaskDefinitionFamilies", familyPrefix="dis", status="ACTIVE")
    assert families["families"] == ["dish"]


def test_tags(ecs: Ecs) -> None:
    arn = ecs.call("RegisterTaskDefinition", **definition(family="tagged"))["taskDefinition"][
        "taskDefinitionArn"
    ]
    tags = [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]
    ecs.call("TagResource", resourceArn=arn, tags=tags)
    ecs.call("TagResource", resourceArn=arn, tags=[{"key": "b", "value": "3"}])
    ecs.call("UntagResource", resourceArn=arn, tagKeys=["a"])
    found = ecs.call("ListTagsForResource", resourceArn=arn)["tags"]
    assert found == [{"key": "b", "value": "3"}]
    error = refused(ecs, "ListTagsForResource", resourceArn=arn.replace("tagged", "none"))
    assert error.code == "InvalidParameterException"


def test_account_settings(ecs: Ecs) -> None:
    assert ecs.call("ListAccountSettings")["settings"] == []
    ecs.call("PutAccountSettingDefault", name="containerInsights", value="enhanced")
    found = ecs.call("ListAccountSettings", name="containerInsights", effectiveSettings=True)
    assert found["settings"][0]["value"] == "enhanced"
    created = ecs.call("CreateCluster", clusterName="insights")["cluster"]
    assert created["settings"] == [{"name": "containerInsights", "value": "enhanced"}]
    ecs.call("DeleteAccountSetting", name="containerInsights")
    assert ecs.call("ListAccountSettings")["settings"] == []


def test_capacity_providers_are_fargates(ecs: Ecs) -> None:
    found = ecs.call("DescribeCapacityProviders")["capacityProviders"]
    assert [provider["name"] for provider in found] == ["FARGATE", "FARGATE_SPOT"]
    unknown = ecs.call("DescribeCapacityProviders", capacityProviders=["mine"])
    assert unknown["failures"][0]["reason"] == "MISSING"


def test_a_strategy_decides_the_provider_and_only_service_tasks_can_be_protected(ecs: Ecs) -> None:
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    ecs.call(
        "PutClusterCapacityProviders",
        cluster="lyo",
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=strategy,
    )
    arn = ecs.register(container("main", "serve", "0"))
    task = ecs.call(
        "RunTask",
        cluster="lyo",
        taskDefinition=arn,
        networkConfiguration={"awsvpcConfiguration": {"subnets": [ecs.subnet]}},
    )["tasks"][0]
    assert task["capacityProviderName"] == "FARGATE_SPOT"
    change = {"cluster": "lyo", "tasks": [task["taskArn"]], "protectionEnabled": True}
    answer = ecs.call("UpdateTaskProtection", **change)
    assert answer["failures"][0]["reason"] == "TASK_NOT_VALID"
    ecs.part.store.tasks[task["taskArn"]].group = "service:web"
    protected = ecs.call("UpdateTaskProtection", **change)["protectedTasks"][0]
    assert protected["protectionEnabled"] is True
    shown = ecs.call("GetTaskProtection", cluster="lyo")["protectedTasks"]
    assert [p["taskArn"] for p in shown] == [task["taskArn"]]
    ecs.call("StopTask", cluster="lyo", task=task["taskArn"])
    ecs.wait_status(task["taskArn"], "STOPPED")
