"""Elastic Load Balancing through its API, with real targets behind it."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.conftest import RunningCloud
from tests.localcloud.envoy_harness import Load, backends

FOUND = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}


class Stage:
    """A network and a load balancer of a test's own."""

    def __init__(self, cloud: RunningCloud) -> None:
        self.cloud = cloud
        self.elb = cloud.client("elbv2")
        self.name = f"t-{uuid.uuid4().hex[:8]}"
        ec2 = cloud.client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            ec2.create_subnet(
                VpcId=self.vpc, CidrBlock=f"10.7.{i}.0/24", AvailabilityZone=f"eu-south-1{zone}"
            )["Subnet"]["SubnetId"]
            for i, zone in enumerate("ab")
        ]
        created = self.elb.create_load_balancer(Name=self.name, Subnets=self.subnets)
        self.balancer = created["LoadBalancers"][0]
        self.arn = self.balancer["LoadBalancerArn"]
        self.address = self.balancer["DNSName"]
        self.groups: list[str] = []

    def group(self, suffix: str, delay: int = 60, **more: Any) -> str:
        made = self.elb.create_target_group(
            Name=f"{self.name}-{suffix}",
            Protocol="HTTP",
            Port=8080,
            VpcId=self.vpc,
            TargetType="ip",
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
            HealthyThresholdCount=2,
            **more,
        )["TargetGroups"][0]
        arn = str(made["TargetGroupArn"])
        self.elb.modify_target_group_attributes(
            TargetGroupArn=arn,
            Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(delay)}],
        )
        self.groups.append(arn)
        return arn

    def listener(self, port: int, action: dict[str, Any]) -> str:
        return str(
            self.elb.create_listener(
                LoadBalancerArn=self.arn, Protocol="HTTP", Port=port, DefaultActions=[action]
            )["Listeners"][0]["ListenerArn"]
        )

    def states(self, group: str) -> dict[tuple[str, int], str]:
        described = self.elb.describe_target_health(TargetGroupArn=group)
        return {
            (entry["Target"]["Id"], entry["Target"]["Port"]): entry["TargetHealth"]["State"]
            for entry in described["TargetHealthDescriptions"]
        }

    def get(self, port: int = 10080, path: str = "/") -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.address, port, timeout=10)
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, body

    def close(self) -> None:
        self.elb.modify_load_balancer_attributes(
            LoadBalancerArn=self.arn,
            Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}],
        )
        self.elb.delete_load_balancer(LoadBalancerArn=self.arn)
        for group in self.groups:
            self.elb.delete_target_group(TargetGroupArn=group)


@pytest.fixture
def stage(cloud: RunningCloud) -> Iterator[Stage]:
    made = Stage(cloud)
    yield made
    made.close()


def weighted(*groups: tuple[str, int]) -> dict[str, Any]:
    return {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups]
        },
    }


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.05)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    asyncio.run(main())


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def test_a_load_balancer_is_provisioned_and_served_at_its_address(stage: Stage) -> None:
    assert stage.balancer["State"] == {"Code": "provisioning"}
    assert stage.address.startswith(f"127.{stage.cloud.number}.1.")
    stage.listener(80, FOUND)
    assert stage.get()[0] == 200

    def active() -> bool:
        found = stage.elb.describe_load_balancers(LoadBalancerArns=[stage.arn])
        return bool(found["LoadBalancers"][0]["State"]["Code"] == "active")

    run(lambda: until(active))


def test_a_deleted_load_balancer_serves_nothing_and_frees_its_address(
    cloud: RunningCloud,
) -> None:
    gone = Stage(cloud)
    gone.listener(80, FOUND)
    gone.close()
    with pytest.raises(OSError):
        gone.get()
    again = Stage(cloud)
    try:
        assert again.address == gone.address
    finally:
        again.close()


def test_a_release_by_weights_and_draining_fails_no_request(stage: Stage) -> None:
    async def test() -> None:
        async with backends(stage.cloud.number, "blue", "green") as (blue, green):
            old, new = stage.group("blue"), stage.group("green")
            listener = stage.listener(80, weighted((old, 100), (new, 0)))
            rule = stage.elb.create_rule(
                ListenerArn=listener,
                Priority=1,
                Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
                Actions=[weighted((old, 100), (new, 0))],
            )["Rules"][0]["RuleArn"]

            async def call(operation: str, **members: Any) -> Any:
                return await asyncio.to_thread(getattr(stage.elb, operation), **members)

            await call("register_targets", TargetGroupArn=old, Targets=[{"Id": blue.ip}])
            await until(lambda: stage.states(old) == {(blue.ip, 8080): "healthy"})
            load = Load(f"http://{stage.address}:10080/")
            slow = Load(f"http://{stage.address}:10080/slow?seconds=2", rate=5)
            async with load.running(), slow.running():
                await asyncio.sleep(0.5)
                await call(
                    "register_targets",
                    TargetGroupArn=new,
                    Targets=[{"Id": green.ip, "Port": 8080}],
                )
                await until(lambda: stage.states(new) == {(green.ip, 8080): "healthy"})
                await call("modify_rule", RuleArn=rule, Actions=[weighted((old, 90), (new, 10))])
                await asyncio.sleep(0.5)
                await call("modify_rule", RuleArn=rule, Actions=[weighted((old, 0), (new, 100))])
                await call("deregister_targets", TargetGroupArn=old, Targets=[{"Id": blue.ip}])
                assert await asyncio.to_thread(stage.states, old) == {(blue.ip, 8080): "draining"}
                # The deregistration delay is 60 s of the cloud's time.
                await until(lambda: stage.states(old) == {})
                await blue.stop()
                await asyncio.sleep(0.5)
            print(
                f"release: {len(load.failures)} of {load.total}, "
                f"slow {len(slow.failures)} of {slow.total} failed"
            )
            assert load.failures == slow.failures == []
            assert load.answers["green"] > 50
            assert slow.answers["blue"] > 0

    run(test)


def test_targets_are_told_apart_by_port_and_unused_without_a_rule(stage: Stage) -> None:
    group = stage.group("ports")
    address = f"127.{stage.cloud.number}.250.9"
    stage.elb.register_targets(
        TargetGroupArn=group, Targets=[{"Id": address}, {"Id": address, "Port": 9090}]
    )
    assert stage.states(group) == {(address, 8080): "unused", (address, 9090): "unused"}
    described = stage.elb.describe_target_health(
        TargetGroupArn=group, Targets=[{"Id": address, "Port": 1}]
    )["TargetHealthDescriptions"]
    assert described[0]["TargetHealth"]["Reason"] == "Target.NotRegistered"
    stage.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": address, "Port": 9090}])
    assert stage.states(group)[address, 8080] == "unused"
    stage.listener(80, {"Type": "forward", "TargetGroupArn": group})
    assert stage.states(group)[address, 8080] == "initial"
    found = stage.elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]
    assert found["LoadBalancerArns"] == [stage.arn]


def test_rules_are_described_in_both_notations_and_by_priority(stage: Stage) -> None:
    group = stage.group("one")
    listener = stage.listener(80, {"Type": "forward", "TargetGroupArn": group})
    for priority in (30, 10, 20):
        stage.elb.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=[
                {"Field": "host-header", "HostHeaderConfig": {"Values": [f"{priority}.test"]}}
            ],
            Actions=[{"Type": "forward", "TargetGroupArn": group}],
        )
    rules = stage.elb.describe_rules(ListenerArn=listener)["Rules"]
    assert [rule["Priority"] for rule in rules] == ["10", "20", "30", "default"]
    for rule in rules:
        action = rule["Actions"][0]
        assert action["TargetGroupArn"] == group
        assert action["ForwardConfig"]["TargetGroups"] == [{"TargetGroupArn": group, "Weight": 1}]


def test_what_aws_refuses(cloud: RunningCloud, stage: Stage) -> None:
    group = stage.group("used")
    listener = stage.listener(80, {"Type": "forward", "TargetGroupArn": group})
    other = Stage(cloud)
    try:
        elb = stage.elb
        stolen = {"Type": "forward", "TargetGroupArn": group}
        assert code_of(lambda: other.listener(80, stolen)) == "TargetGroupAssociationLimit"
        assert code_of(lambda: stage.listener(80, FOUND)) == "DuplicateListener"
        assert code_of(lambda: elb.delete_target_group(TargetGroupArn=group)) == "ResourceInUse"
        assert (
            code_of(lambda: elb.create_load_balancer(Name=stage.name, Subnets=stage.subnets))
            == "DuplicateLoadBalancerName"
        )
        assert (
            code_of(
                lambda: elb.create_listener(
                    LoadBalancerArn=stage.arn, Protocol="HTTPS", Port=443, DefaultActions=[FOUND]
                )
            )
            == "ValidationError"
        )
        elb.modify_load_balancer_attributes(
            LoadBalancerArn=stage.arn,
            Attributes=[{"Key": "deletion_protection.enabled", "Value": "true"}],
        )
        assert (
            code_of(lambda: elb.delete_load_balancer(LoadBalancerArn=stage.arn))
            == "OperationNotPermitted"
        )
        default = elb.describe_rules(ListenerArn=listener)["Rules"][-1]["RuleArn"]
        assert code_of(lambda: elb.delete_rule(RuleArn=default)) == "OperationNotPermitted"
        assert (
            code_of(
                lambda: elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.7.0.9"}])
            )
            == "InvalidTarget"
        )
        assert (
            code_of(
                lambda: elb.modify_target_group(
                    TargetGroupArn=group, Matcher={"HttpCode": "200-699"}
                )
            )
            == "ValidationError"
        )
    finally:
        other.close()


def test_what_is_not_reproduced_is_refused(stage: Stage) -> None:
    elb, group = stage.elb, stage.group("plain")
    sticky = weighted((group, 1))
    sticky["ForwardConfig"]["TargetGroupStickinessConfig"] = {
        "Enabled": True,
        "DurationSeconds": 60,
    }
    login = {
        "Type": "authenticate-oidc",
        "AuthenticateOidcConfig": {
            "Issuer": "https://x.test",
            "AuthorizationEndpoint": "https://x.test/a",
            "TokenEndpoint": "https://x.test/t",
            "UserInfoEndpoint": "https://x.test/u",
            "ClientId": "x",
            "ClientSecret": "not-one",
        },
    }
    calls: list[Callable[[], object]] = [
        lambda: elb.create_load_balancer(
            Name=f"{stage.name}-n", Type="network", Subnets=stage.subnets
        ),
        lambda: elb.create_target_group(Name=f"{stage.name}-l", TargetType="lambda"),
        lambda: stage.listener(80, sticky),
        lambda: stage.listener(80, login),
        lambda: elb.modify_target_group_attributes(
            TargetGroupArn=group, Attributes=[{"Key": "stickiness.enabled", "Value": "true"}]
        ),
        lambda: elb.create_trust_store(
            Name="x", CaCertificatesBundleS3Bucket="x", CaCertificatesBundleS3Key="x"
        ),
    ]
    assert [code_of(call) for call in calls] == ["NotImplemented"] * len(calls)
    assert elb.describe_listeners(LoadBalancerArn=stage.arn)["Listeners"] == []


def test_a_port_that_is_taken_leaves_no_listener_behind(stage: Stage) -> None:
    with socket.socket() as taken:
        taken.bind((stage.address, 18080))
        taken.listen()
        assert code_of(lambda: stage.listener(18080, FOUND)) == "InvalidConfigurationRequest"
    assert stage.elb.describe_listeners(LoadBalancerArn=stage.arn)["Listeners"] == []
    stage.listener(18080, FOUND)
    assert stage.get(18080)[0] == 200


def test_access_logs_are_delivered_to_the_bucket(stage: Stage) -> None:
    s3, bucket = stage.cloud.client("s3"), f"{stage.name}-logs"
    attributes = [
        {"Key": "access_logs.s3.enabled", "Value": "true"},
        {"Key": "access_logs.s3.bucket", "Value": bucket},
        {"Key": "access_logs.s3.prefix", "Value": "alb"},
    ]

    def enable() -> object:
        return stage.elb.modify_load_balancer_attributes(
            LoadBalancerArn=stage.arn, Attributes=attributes
        )

    assert code_of(enable) == "InvalidConfigurationRequest"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-south-1"})
    enable()
    stage.listener(80, FOUND)
    assert stage.get(path="/logged")[0] == 200
    folder = "alb/AWSLogs/123456789012/"

    def keys() -> list[str]:
        found = s3.list_objects_v2(Bucket=bucket, Prefix=folder)
        return [entry["Key"] for entry in found["Contents"]]

    assert keys() == [f"{folder}ELBAccessLogTestFile"]
    # Every 300 s of the cloud's time.
    run(lambda: until(lambda: len(keys()) == 2, 30))
    (key,) = [key for key in keys() if key.endswith(".log.gz")]
    assert key.startswith(f"{folder}elasticloadbalancing/eu-south-1/")
    line = gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).decode()
    assert f'"GET http://{stage.address}:80/logged HTTP/1.1"' in line
    assert line.split(" ")[2] == stage.arn.split(":loadbalancer/")[1]
