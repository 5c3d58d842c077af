"""A small site on a fast local cloud of its own: what a release needs, and nothing that takes time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from localcloud import lifecycle, outside
from tests.localcloud.conftest import localcloud

SPEED = 60
TINY = Path(__file__).parent / "tiny"
ROLE = "arn:aws:iam::123456789012:role/"
PORTS = (18080, 18081)


class Site:
    """A cluster, a load balancer with two target groups, one service; and a tiny application.

    :ivar content: the cloud's description of itself.
    """

    def __init__(self, folder: Path) -> None:
        self.state_dir = folder / "state"
        localcloud("up", "--state", str(self.state_dir), "--speed", str(SPEED))
        self.content: dict[str, Any] = lifecycle.require_running(self.state_dir)
        self._folder = folder / "tiny"
        shutil.copytree(TINY, self._folder)
        self._salt = 0
        self.secret = self.client("secretsmanager").create_secret(
            Name="site/token", SecretString="not-a-real-token"
        )["ARN"]
        self.client("s3").create_bucket(
            Bucket=f"lyo-local-{self.content['account_id']}-tfstate",
            CreateBucketConfiguration={"LocationConstraint": self.content["region"]},
        )
        self._outputs = self._build()
        self.client("ssm").put_parameter(
            Name="/lyo/local/outputs", Type="String", Value=json.dumps(self.outputs)
        )

    def remove(self) -> None:
        """Stop the cloud."""
        localcloud("down", "--state", str(self.state_dir))

    def client(self, service: str) -> Any:
        """A boto3 client that reaches this cloud only, and that no fault meets."""
        return outside.client(self.content, service)

    @property
    def outputs(self) -> dict[str, Any]:
        """What Terraform would have published."""
        return self._outputs

    @property
    def aws(self) -> dict[str, Any]:
        """The module option of that name."""
        return {
            "region": self.content["region"],
            "account_id": self.content["account_id"],
            "endpoint_url": self.content["endpoint"],
            "access_key": self.content["access_key_id"],
            "secret_key": self.content["secret_access_key"],
        }

    @property
    def app(self) -> dict[str, Any]:
        """The module option of that name."""
        return {"path": str(self._folder), "builder": "process"}

    def renew(self) -> None:
        """Let the application's next release be one that nobody has built."""
        self._salt += 1
        (self._folder / "salt.txt").write_text(f"{self._salt}\n")

    def _build(self) -> dict[str, Any]:
        ec2, ecs = self.client("ec2"), self.client("ecs")
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(
                VpcId=vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"eu-south-1{zone}"
            )["Subnet"]["SubnetId"]
            for number, zone in enumerate("ab")
        ]
        group = ec2.create_security_group(GroupName="site", Description="site", VpcId=vpc)
        repository = self.client("ecr").create_repository(
            repositoryName="site", imageTagMutability="IMMUTABLE"
        )["repository"]["repositoryUri"]
        self.client("logs").create_log_group(logGroupName="/site")
        balancer = self._balance(vpc, subnets)
        ecs.create_cluster(clusterName="site")
        placeholder = ecs.register_task_definition(
            family="site",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            executionRoleArn=f"{ROLE}execution",
            containerDefinitions=[
                {
                    "name": "app",
                    "image": f"{repository}:none",
                    "portMappings": [{"containerPort": 8080}],
                }
            ],
        )["taskDefinition"]["taskDefinitionArn"]
        ecs.create_service(
            cluster="site",
            serviceName="site",
            taskDefinition=placeholder,
            desiredCount=0,
            launchType="FARGATE",
            healthCheckGracePeriodSeconds=120,
            networkConfiguration={"awsvpcConfiguration": {"subnets": subnets}},
            loadBalancers=[
                {
                    "targetGroupArn": balancer["target_group_arns"]["blue"],
                    "containerName": "app",
                    "containerPort": 8080,
                }
            ],
        )
        return {
            "cluster_name": "site",
            "service_name": "site",
            "task_family": "site",
            "container_name": "app",
            "container_port": 8080,
            "repository_url": repository,
            "repository_name": "site",
            "log_group": "/site",
            "subnet_ids": subnets,
            "app_security_group_ids": [group["GroupId"]],
            "execution_role_arn": f"{ROLE}execution",
            "task_role_arn": f"{ROLE}task",
            "ecs_infrastructure_role_arn": f"{ROLE}infrastructure",
            "autoscaling": {"min": 1, "max": 2},
            "cpu": 256,
            "memory": 512,
            "region": self.content["region"],
            **balancer,
        }

    def _balance(self, vpc: str, subnets: list[str]) -> dict[str, Any]:
        elb = self.client("elbv2")
        balancer = elb.create_load_balancer(Name="site", Subnets=subnets, Type="application")
        host = balancer["LoadBalancers"][0]["DNSName"]
        groups = {}
        for name in ("blue", "green"):
            arn = elb.create_target_group(
                Name=name,
                Protocol="HTTP",
                Port=8080,
                VpcId=vpc,
                TargetType="ip",
                HealthCheckPath="/health",
                HealthCheckIntervalSeconds=10,
                HealthyThresholdCount=2,
                UnhealthyThresholdCount=5,
            )["TargetGroups"][0]["TargetGroupArn"]
            elb.modify_target_group_attributes(
                TargetGroupArn=arn,
                Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "10"}],
            )
            groups[name] = arn
        rules = []
        for port in PORTS:
            listener = elb.create_listener(
                LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
                Protocol="HTTP",
                Port=port,
                DefaultActions=[
                    {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
                ],
            )["Listeners"][0]["ListenerArn"]
            forward = [
                {"TargetGroupArn": groups["blue"], "Weight": 1},
                {"TargetGroupArn": groups["green"], "Weight": 0},
            ]
            rule = elb.create_rule(
                ListenerArn=listener,
                Priority=1,
                Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
                Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": forward}}],
            )["Rules"][0]["RuleArn"]
            rules.append(rule)
        return {
            "target_group_arns": groups,
            "production_listener_rule_arn": rules[0],
            "test_listener_rule_arn": rules[1],
            "api_url": f"http://{host}:{PORTS[0]}",
            "test_url": f"http://{host}:{PORTS[1]}",
        }
