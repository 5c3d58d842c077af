"""The Terraform configuration on a local cloud of its own: apply, empty plan, destroy."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud import lifecycle
from tests.localcloud.conftest import ROOT, RunningCloud, localcloud

# The provider waits about a minute for each of database, load balancer and bucket lifecycle.
APPLY_SECONDS = 600


@pytest.fixture(scope="module")
def own_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """A local cloud that nothing else has made anything in, at a high speed."""
    state = tmp_path_factory.mktemp("terraform") / "state"
    localcloud("up", "--state", str(state), "--speed", "50")
    yield RunningCloud(state, lifecycle.require_running(state))
    localcloud("down", "--state", str(state))


def terraform(cloud: RunningCloud, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `scripts/terraform local …` as a person does."""
    return subprocess.run(
        [str(ROOT / "scripts/terraform"), "local", *arguments],
        env={**os.environ, "LOCALCLOUD_STATE": str(cloud.state_dir)},
        capture_output=True,
        text=True,
        timeout=APPLY_SECONDS,
    )


@pytest.fixture(scope="module")
def applied(own_cloud: RunningCloud) -> RunningCloud:
    """The cloud with the whole stack in it."""
    own_cloud.client("s3").create_bucket(
        Bucket="lyo-local-123456789012-tfstate",
        CreateBucketConfiguration={"LocationConstraint": own_cloud.content["region"]},
    )
    done = terraform(own_cloud, "apply", "-no-color", "-auto-approve", "-parallelism=30")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    return own_cloud


@pytest.fixture(scope="module")
def outputs(applied: RunningCloud) -> dict[str, Any]:
    """What the runbooks read."""
    parameter = applied.client("ssm").get_parameter(Name="/lyo/local/outputs")["Parameter"]
    content: dict[str, Any] = json.loads(parameter["Value"])
    return content


@pytest.mark.timeout(APPLY_SECONDS)
def test_the_plan_after_an_apply_is_empty(applied: RunningCloud) -> None:
    done = terraform(applied, "plan", "-no-color", "-detailed-exitcode")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


def test_the_outputs_name_what_is_there(applied: RunningCloud, outputs: dict[str, Any]) -> None:
    wanted = json.loads((Path(ROOT) / "tests/terraform/outputs.json").read_text())
    assert sorted(outputs) == sorted(wanted)
    assert None not in outputs.values()
    service = applied.client("ecs").describe_services(
        cluster=outputs["cluster_name"], services=[outputs["service_name"]]
    )["services"][0]
    assert service["desiredCount"] == 0
    assert service["taskDefinition"].split("/")[-1] == "lyo-local-bootstrap:1"
    rule = applied.client("elbv2").describe_rules(
        RuleArns=[outputs["production_listener_rule_arn"]]
    )["Rules"][0]
    weights = {
        group["TargetGroupArn"]: group["Weight"]
        for group in rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
    }
    assert weights == {
        outputs["target_group_arns"]["blue"]: 100,
        outputs["target_group_arns"]["green"]: 0,
    }
    assert outputs["api_url"] == f"https://127.{applied.number}.1.1:10443"


def test_no_secret_is_in_the_outputs(applied: RunningCloud, outputs: dict[str, Any]) -> None:
    secrets = applied.client("secretsmanager")
    text = json.dumps(outputs)
    token = secrets.get_secret_value(SecretId=outputs["cache"]["auth_secret_arn"])["SecretString"]
    password = json.loads(
        secrets.get_secret_value(SecretId=outputs["database"]["secret_arn"])["SecretString"]
    )["password"]
    assert len(token) == 64
    assert token not in text
    assert password not in text


def test_changes_that_a_release_makes_leave_the_plan_empty(
    applied: RunningCloud, outputs: dict[str, Any]
) -> None:
    ecs = applied.client("ecs")
    revision = ecs.register_task_definition(
        family=outputs["task_family"],
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu=str(outputs["cpu"]),
        memory=str(outputs["memory"]),
        executionRoleArn=outputs["execution_role_arn"],
        containerDefinitions=[
            {
                "name": outputs["container_name"],
                "image": f"{outputs['repository_url']}:v1",
                "portMappings": [{"containerPort": outputs["container_port"]}],
            }
        ],
    )["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(
        cluster=outputs["cluster_name"],
        service=outputs["service_name"],
        taskDefinition=revision,
        deploymentConfiguration={
            "deploymentCircuitBreaker": {"enable": False, "rollback": False},
            "maximumPercent": 150,
            "minimumHealthyPercent": 50,
        },
    )
    groups = outputs["target_group_arns"]
    applied.client("elbv2").modify_rule(
        RuleArn=outputs["production_listener_rule_arn"],
        Actions=[
            {
                "Type": "forward",
                "ForwardConfig": {
                    "TargetGroups": [
                        {"TargetGroupArn": groups["blue"], "Weight": 0},
                        {"TargetGroupArn": groups["green"], "Weight": 100},
                    ]
                },
            }
        ],
    )
    done = terraform(applied, "plan", "-no-color", "-detailed-exitcode")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


def test_tags_of_a_scalable_target_can_be_changed(applied: RunningCloud) -> None:
    scaling = applied.client("application-autoscaling")
    target = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"][0]
    arn = target["ScalableTargetARN"]
    before = scaling.list_tags_for_resource(ResourceARN=arn)["Tags"]
    assert before["Environment"] == "local"
    scaling.tag_resource(ResourceARN=arn, Tags={"Owner": "on call"})
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == before | {"Owner": "on call"}
    scaling.untag_resource(ResourceARN=arn, TagKeys=["Owner"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == before
    with pytest.raises(scaling.exceptions.ResourceNotFoundException):
        scaling.list_tags_for_resource(ResourceARN=arn[:-1] + "-")


@pytest.mark.timeout(APPLY_SECONDS)
def test_destroy_leaves_nothing(applied: RunningCloud) -> None:
    done = terraform(applied, "destroy", "-no-color", "-auto-approve", "-parallelism=30")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    client = applied.client
    assert client("rds").describe_db_instances()["DBInstances"] == []
    assert client("elasticache").describe_replication_groups()["ReplicationGroups"] == []
    assert client("elbv2").describe_load_balancers()["LoadBalancers"] == []
    assert client("secretsmanager").list_secrets()["SecretList"] == []
    assert client("ecr").describe_repositories()["repositories"] == []
    buckets = [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]]
    assert buckets == ["lyo-local-123456789012-tfstate"]
