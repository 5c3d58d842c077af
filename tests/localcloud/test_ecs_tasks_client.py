"""Tasks as a client sees them: an image pushed to ECR, run through the API with boto3."""

from __future__ import annotations

import json
import time
import urllib.request
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.conftest import RunningCloud
from tests.localcloud.ecs_tasks_harness import definition
from tests.localcloud.test_ecr import layer, manifest, upload

SERVER = """
import http.server, os, signal, sys

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if sys.argv[1:] == ["exit"]:
    sys.exit(5)
print("listening", flush=True)
http.server.HTTPServer(
    (os.environ["HOST"], 8080), http.server.SimpleHTTPRequestHandler
).serve_forever()
"""


@pytest.fixture(scope="module")
def place(cloud: RunningCloud) -> dict[str, Any]:
    """A cluster, a subnet, a log group and a pushed image."""
    name = f"tasks-{uuid.uuid4().hex[:8]}"
    ec2, ecr = cloud.client("ec2"), cloud.client("ecr")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    cloud.client("logs").create_log_group(logGroupName=f"/{name}")
    cloud.client("ecs").create_cluster(clusterName=name)
    repository = ecr.create_repository(repositoryName=name)["repository"]
    config = json.dumps(
        {
            "config": {
                "Entrypoint": ["python", "server.py"],
                "WorkingDir": "/app",
                "Labels": {"lyo.image.kind": "process"},
            }
        }
    ).encode()
    content = layer({"app/server.py": SERVER})
    for blob in (config, content):
        upload(ecr, name, blob)
    ecr.put_image(repositoryName=name, imageManifest=manifest(config, content), imageTag="v1")
    only = {
        "name": "web",
        "image": f"{repository['repositoryUri']}:v1",
        "portMappings": [{"containerPort": 8080}],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": f"/{name}",
                "awslogs-region": "eu-south-1",
                "awslogs-stream-prefix": "app",
            },
        },
    }
    cloud.client("ecs").register_task_definition(**definition(only, family=name))
    return {
        "name": name,
        "run": {
            "cluster": name,
            "taskDefinition": name,
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": [subnet]}},
        },
    }


def wait(client: Any, waiter: str, cluster: str, arn: str) -> dict[str, Any]:
    client.get_waiter(waiter).wait(
        cluster=cluster, tasks=[arn], WaiterConfig={"Delay": 0.1, "MaxAttempts": 200}
    )
    found: dict[str, Any] = client.describe_tasks(cluster=cluster, tasks=[arn])["tasks"][0]
    return found


def test_a_task_serves_at_its_address_until_it_is_stopped(
    cloud: RunningCloud, place: dict[str, Any]
) -> None:
    ecs, name = cloud.client("ecs"), place["name"]
    arn = ecs.run_task(**place["run"])["tasks"][0]["taskArn"]
    task = wait(ecs, "tasks_running", name, arn)
    address = task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    assert address.startswith(f"127.{cloud.number}.")
    logs = cloud.client("logs")
    stream = f"app/web/{arn.rsplit('/', 1)[1]}"
    deadline = time.monotonic() + 10
    while not (events := logs.get_log_events(logGroupName=f"/{name}", logStreamName=stream))[
        "events"
    ]:
        assert time.monotonic() < deadline, "nothing in the log"
        time.sleep(0.05)
    assert events["events"][0]["message"] == "listening"
    with urllib.request.urlopen(f"http://{address}:8080/", timeout=5) as answer:
        assert answer.status == 200
    ecs.stop_task(cluster=name, task=arn, reason="test")
    stopped = wait(ecs, "tasks_stopped", name, arn)
    assert stopped["containers"][0]["exitCode"] == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://{address}:8080/", timeout=5)


def test_a_one_off_with_another_command(cloud: RunningCloud, place: dict[str, Any]) -> None:
    ecs = cloud.client("ecs")
    overrides = {"containerOverrides": [{"name": "web", "command": ["exit"]}]}
    arn = ecs.run_task(**place["run"], overrides=overrides)["tasks"][0]["taskArn"]
    stopped = wait(ecs, "tasks_stopped", place["name"], arn)
    assert stopped["containers"][0]["exitCode"] == 5
    assert stopped["stopCode"] == "EssentialContainerExited"


def test_errors_arrive_with_awss_codes(cloud: RunningCloud, place: dict[str, Any]) -> None:
    ecs = cloud.client("ecs")
    with pytest.raises(ecs.exceptions.ClusterNotFoundException):
        ecs.run_task(**{**place["run"], "cluster": "none"})
    with pytest.raises(ecs.exceptions.ClientException, match="Unable to describe"):
        ecs.describe_task_definition(taskDefinition="none")
    refused: list[tuple[str, dict[str, Any]]] = [
        ("start_task", {"taskDefinition": place["name"], "containerInstances": ["i"]}),
        ("execute_command", {"task": "t", "command": "sh", "interactive": True}),
    ]
    for operation, params in refused:
        with pytest.raises(ClientError) as error:
            getattr(ecs, operation)(cluster=place["name"], **params)
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
