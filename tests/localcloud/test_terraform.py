"""The Terraform configuration on a local cloud of its own: apply, empty plan, destroy."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud import lifecycle, outside
from tests.localcloud.conftest import ROOT, RunningCloud, localcloud
from tests.localcloud.leftovers import Finder, Item

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
def finder(own_cloud: RunningCloud) -> tuple[Finder, set[Item]]:
    """Finds what is in the cloud; and what was in it, with the state's bucket, before the apply."""
    own_cloud.client("s3").create_bucket(
        Bucket="lyo-local-123456789012-tfstate",
        CreateBucketConfiguration={"LocationConstraint": own_cloud.content["region"]},
    )
    finder = Finder(own_cloud.content)
    return finder, finder.look()


@pytest.fixture(scope="module")
def applied(own_cloud: RunningCloud, finder: tuple[Finder, set[Item]]) -> RunningCloud:
    """The cloud with the whole stack in it."""
    del finder  # looked before
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


def certificates(cloud: RunningCloud, region: str) -> list[dict[str, Any]]:
    """The certificates of a region, as DescribeCertificate shows them."""
    acm = outside.client(cloud.content, "acm", region=region)
    listed = acm.list_certificates()["CertificateSummaryList"]
    return [
        acm.describe_certificate(CertificateArn=c["CertificateArn"])["Certificate"] for c in listed
    ]


def test_certificates_were_validated_by_records_and_are_served(
    applied: RunningCloud, outputs: dict[str, Any]
) -> None:
    domain = "local.lyo-prenota.it"  # of no reserved suffix: it took the records to be issued
    (regional,), (edge,) = (
        certificates(applied, region) for region in (applied.content["region"], "us-east-1")
    )
    assert regional["SubjectAlternativeNames"] == [f"api.{domain}", f"direct.{domain}"]
    assert edge["SubjectAlternativeNames"] == [f"dashboard.{domain}", f"api.{domain}"]
    assert (regional["Status"], edge["Status"]) == ("ISSUED", "ISSUED")
    assert regional["InUseBy"] == [outputs["load_balancer_arn"]]
    assert len(edge["InUseBy"]) == 2


def answer(cloud: RunningCloud, name: str, kind: str = "A") -> list[str]:
    """What Route 53 answers to a question for a name below the domain."""
    route53 = cloud.client("route53")
    (zone,) = route53.list_hosted_zones()["HostedZones"]
    response = route53.test_dns_answer(
        HostedZoneId=zone["Id"].split("/")[-1],
        RecordName=f"{name}.{zone['Name']}",
        RecordType=kind,
    )
    found: list[str] = response["RecordData"]
    return found


def test_names_lead_where_they_should(applied: RunningCloud, outputs: dict[str, Any]) -> None:
    dashboard = outputs["dashboard_url"].split("//")[1].split(":")[0]
    assert answer(applied, "direct") == [outputs["load_balancer_dns_name"]]
    assert answer(applied, "dashboard") == [dashboard]
    assert answer(applied, "api", "AAAA") == []


def test_while_nothing_serves_the_api_leads_to_the_page_that_says_so(
    applied: RunningCloud, outputs: dict[str, Any]
) -> None:
    """No release has been made here: the load balancer answers 503 of itself."""
    deadline = time.monotonic() + 60
    while (found := answer(applied, "api")) == [outputs["load_balancer_dns_name"]]:
        assert time.monotonic() < deadline, "Route 53 still takes it for healthy"
        time.sleep(0.5)
    assert found != answer(applied, "dashboard")
    trust = ssl.create_default_context(cafile=applied.content["ca_bundle"])
    for method in ("GET", "POST"):
        request = urllib.request.Request(
            f"https://{found[0]}:10443/webhook",
            method=method,
            data=b"{}" if method == "POST" else None,
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10, context=trust)
        assert refused.value.code == 503, "WhatsApp sends again what was not answered with 200"
        assert refused.value.headers["Retry-After"] == "60"
        page = refused.value.read().decode()
        assert "Torniamo subito" in page
        assert "Back soon" in page


def test_the_dashboard_may_ask_the_api_and_nobody_else(
    applied: RunningCloud, outputs: dict[str, Any]
) -> None:
    applied.client("s3").put_object(
        Bucket=outputs["dashboard_bucket"],
        Key="index.html",
        Body=b"<html>",
        ContentType="text/html",
    )
    trust = ssl.create_default_context(cafile=applied.content["ca_bundle"])
    with urllib.request.urlopen(outputs["dashboard_url"], timeout=10, context=trust) as page:
        headers = page.headers
    assert f"connect-src 'self' {outputs['api_url']};" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    with pytest.raises(urllib.error.HTTPError) as missing:
        urllib.request.urlopen(
            f"{outputs['dashboard_url']}/no-such-page", timeout=10, context=trust
        )
    assert missing.value.code == 404


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


def echo(item: Item) -> bool:
    """Whether an item speaks only of what is gone, or was not Terraform's to take."""
    # moto keeps tags, the closed network ACL and endpoints of a deleted VPC; AWS too goes on to list a
    # deleted NAT gateway for an hour, its tags with it.
    kept = {"DescribeTags", "DescribeNetworkAcls", "DescribeNatGateways", "DescribeVpcEndpoints"}
    if item.service == "ec2" and item.operation in kept:
        return True
    if item.service == "resourcegroupstaggingapi":
        return ":natgateway/" in item.identity or ":vpc-endpoint/" in item.identity
    # What the test above registers, as a release does.
    return item.service == "ecs" and item.operation.startswith("ListTaskDefinition")


@pytest.mark.timeout(APPLY_SECONDS)
def test_destroy_leaves_nothing(applied: RunningCloud, finder: tuple[Finder, set[Item]]) -> None:
    find, before = finder
    made = find.look() - before
    # Or nothing would be found afterwards, whatever is left.
    assert len(made) > 150, "most of what was applied is not listed"
    assert {item.region for item in made} == {"eu-south-1", "us-east-1", "eu-central-1"}
    done = terraform(applied, "destroy", "-no-color", "-auto-approve", "-parallelism=30")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    left = sorted(item for item in find.look() - before if not echo(item))
    assert left == [], "\n".join(map(str, left))
    client = applied.client("ec2")
    gateways = client.describe_nat_gateways()["NatGateways"]
    assert {gateway["State"] for gateway in gateways} <= {"deleted"}
    endpoints = client.describe_vpc_endpoints()["VpcEndpoints"]
    assert {endpoint["State"] for endpoint in endpoints} <= {"deleted"}
