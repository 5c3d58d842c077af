from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from localcloud.api import AwsError
from tests.unit.localcloud.ecs_services.conftest import World, blue_green, pair, pause


def refused(world: World, operation: str, **params: Any) -> AwsError:
    create = operation == "CreateService"
    with pytest.raises(AwsError) as caught:
        world.create(**params) if create else world.call(operation, **params)
    return caught.value


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"serviceName": "a b"}, "Invalid service name"),
        ({"networkConfiguration": {}}, "Network Configuration must be provided when networkMode"),
        (
            {"deploymentConfiguration": {"strategy": "BLUE_GREEN"}},
            "advancedConfiguration field is required for all loadBalancers when using a non-ROLLING deployment strategy.",
        ),
        (
            {"loadBalancers": [{**pair()[0], "containerName": "web"}]},
            "The container web does not exist in the task definition.",
        ),
        (
            {"loadBalancers": [{**pair()[0], "containerPort": 1}]},
            "The container app did not have a container port 1 defined.",
        ),
        (
            {"loadBalancers": [{**pair()[0], "targetGroupArn": "arn:x"}]},
            "The specified target group does not exist: arn:x",
        ),
        (
            {
                "loadBalancers": pair(),
                "deploymentConfiguration": blue_green(
                    lifecycleHooks=pause("PRODUCTION_TRAFFIC_SHIFT")
                ),
            },
            "PAUSE lifecycle hooks cannot be configured at stage PRODUCTION_TRAFFIC_SHIFT.",
        ),
        (
            {
                "loadBalancers": pair(),
                "deploymentConfiguration": blue_green(
                    lifecycleHooks=pause("PRE_SCALE_UP", minutes=20161)
                ),
            },
            "timeoutInMinutes must be between 1 and 20160.",
        ),
        (
            {"deploymentConfiguration": blue_green(bakeTimeInMinutes=1441)},
            "bakeTimeInMinutes must be between 0 and 1440.",
        ),
        (
            {
                "deploymentConfiguration": {
                    "strategy": "CANARY",
                    "canaryConfiguration": {"canaryPercent": 0.05},
                }
            },
            "canaryPercent must be a multiple of 0.1 between 0.1 and 100.0.",
        ),
        (
            {
                "deploymentConfiguration": {
                    "strategy": "LINEAR",
                    "linearConfiguration": {"stepPercent": 2.0},
                }
            },
            "stepPercent must be a multiple of 0.1 between 3.0 and 100.0.",
        ),
    ],
)
def test_requests_that_ecs_refuses(world: World, params: dict[str, Any], message: str):
    error = refused(world, "CreateService", **params)
    assert error.code == "InvalidParameterException"
    assert message in error.message
    assert world.api.services.services == {}


@pytest.mark.parametrize(
    "params",
    [
        {"launchType": "EC2"},
        {"deploymentController": {"type": "CODE_DEPLOY"}},
        {"deploymentController": {"type": "EXTERNAL"}},
        {"serviceConnectConfiguration": {"enabled": True}},
        {"schedulingStrategy": "DAEMON"},
        {"serviceRegistries": [{"registryArn": "arn"}]},
        {
            "loadBalancers": pair(),
            "deploymentConfiguration": blue_green(
                lifecycleHooks=[{"hookTargetArn": "arn", "lifecycleStages": ["PRE_SCALE_UP"]}]
            ),
        },
    ],
)
def test_what_is_not_reproduced_is_refused(world: World, params: dict[str, Any]):
    assert refused(world, "CreateService", **params).status == 501


def test_names_that_are_not_there(world: World):
    missing = {"cluster": "lyo", "service": "web"}
    assert refused(world, "UpdateService", **missing).code == "ServiceNotFoundException"
    assert refused(world, "DeleteService", **missing).code == "ServiceNotFoundException"
    assert refused(world, "ListServiceDeployments", **missing).code == "ServiceNotFoundException"
    stop = {"serviceDeploymentArn": "arn:x"}
    assert refused(world, "StopServiceDeployment", **stop).code == (
        "ServiceDeploymentNotFoundException"
    )
    assert refused(world, "CreateService", cluster="other").code == "ClusterNotFoundException"
    assert refused(world, "CreateService", taskDefinition="lyo:99").code == "ClientException"
    answer = world.call("DescribeServices", cluster="lyo", services=["web"])
    (failure,) = answer["failures"]
    assert failure["reason"] == "MISSING"
    assert failure["arn"].endswith(":service/lyo/web")
    answer = world.call("DescribeServiceDeployments", serviceDeploymentArns=["arn:x"])
    assert answer["failures"] == [{"arn": "arn:x", "reason": "MISSING"}]


def test_create_again(world: World):
    first = world.create(clientToken="t1")
    assert world.create(clientToken="t1")["serviceArn"] == first["serviceArn"]
    assert refused(world, "CreateService").message == "Creation of service was not idempotent."


def test_delete_needs_no_tasks_or_force(world: World):
    world.create()
    named = {"cluster": "lyo", "service": "web"}
    assert "scaled above 0" in refused(world, "DeleteService", **named).message
    world.update(desiredCount=0)
    world.call("DeleteService", **named)
    world.go(5)
    assert refused(world, "UpdateService", **named).code == "ServiceNotActiveException"


def test_deployments_are_listed_newest_first_filtered_and_paged(world: World):
    world.create()
    world.go(10)
    for _ in range(2):
        world.update(forceNewDeployment=True)
        world.go(10)
    named = {"cluster": "lyo", "service": "web"}
    every = world.call("ListServiceDeployments", **named)["serviceDeployments"]
    assert [d["createdAt"] for d in every] == sorted((d["createdAt"] for d in every), reverse=True)
    assert len(every) == 3
    page = world.call("ListServiceDeployments", **named, maxResults=2)
    rest = world.call("ListServiceDeployments", **named, nextToken=page["nextToken"])
    assert page["serviceDeployments"] + rest["serviceDeployments"] == every
    assert "nextToken" not in rest
    stopped = world.call("ListServiceDeployments", **named, status=["STOPPED"])
    assert stopped["serviceDeployments"] == []
    after = every[1]["createdAt"]
    later = world.call("ListServiceDeployments", **named, createdAt={"after": after})
    assert later["serviceDeployments"] == every[:1]
    window = {"before": after + timedelta(seconds=1)}
    earlier = world.call("ListServiceDeployments", **named, createdAt=window)
    assert earlier["serviceDeployments"] == every[1:]


def test_hooks_are_answered_once(world: World):
    world.create(
        loadBalancers=pair(),
        deploymentConfiguration=blue_green(lifecycleHooks=pause("PRE_SCALE_UP")),
    )
    world.go(1)
    deployment = world.deployment()
    answer = {
        "serviceDeploymentArn": deployment["serviceDeploymentArn"],
        "hookId": deployment["lifecycleHookDetails"][0]["hookId"],
    }
    unknown = {**answer, "hookId": "ecs-pause-x"}
    assert "was not found" in refused(world, "ContinueServiceDeployment", **unknown).message
    world.call("ContinueServiceDeployment", **answer)
    assert "not awaiting" in refused(world, "ContinueServiceDeployment", **answer).message


def test_tags_and_their_propagation(world: World):
    world.create(
        tags=[{"key": "env", "value": "local"}],
        propagateTags="SERVICE",
        enableECSManagedTags=True,
    )
    world.go(5)
    tags = {tag["key"]: tag["value"] for tag in world.engine.started[0].tags}
    assert tags == {
        "env": "local",
        "aws:ecs:clusterName": "lyo",
        "aws:ecs:serviceName": "web",
    }
    arn = world.service()["serviceArn"]
    world.store.tags_of(arn).append({"key": "team", "value": "ops"})
    assert [tag["key"] for tag in world.service()["tags"]] == ["env", "team"]


def test_services_are_listed_and_counted(world: World):
    arns = [world.create(serviceName=f"s{n}", desiredCount=0)["serviceArn"] for n in range(12)]
    page = world.call("ListServices", cluster="lyo")
    assert page["serviceArns"] == arns[:10]
    rest = world.call("ListServices", cluster="lyo", nextToken=page["nextToken"])
    assert rest["serviceArns"] == arns[10:]
    assert world.call("ListServices", cluster="lyo", launchType="EC2")["serviceArns"] == []
    assert world.store.count_services(world.store.clusters["lyo"].arn) == 12
    assert world.store.uses_task_definition(world.arn(1))
    assert not world.store.uses_task_definition(world.arn(2))


def test_abort_is_not_reproduced(world: World):
    world.create()
    arn = world.deployment()["serviceDeploymentArn"]
    stop = {"serviceDeploymentArn": arn, "stopType": "ABORT"}
    assert refused(world, "StopServiceDeployment", **stop).status == 501


def test_hooks_end_with_the_strategy_that_knows_them(world: World):
    hooks = pause("PRE_SCALE_UP")
    world.create(loadBalancers=pair(), deploymentConfiguration=blue_green(lifecycleHooks=hooks))
    configuration = world.update(deploymentConfiguration={"strategy": "ROLLING"})[
        "deploymentConfiguration"
    ]
    assert configuration["strategy"] == "ROLLING"
    assert "lifecycleHooks" not in configuration
    with_hooks = {"strategy": "ROLLING", "lifecycleHooks": hooks}
    named = {"cluster": "lyo", "service": "web", "deploymentConfiguration": with_hooks}
    assert refused(world, "UpdateService", **named).status == 501
