"""destroy.yml at the very end: predicted, killed in the middle, typed again, and nothing is left.

What is left is told by AWS's own list calls in three regions, compared with what they listed before
anything was made. On a borrowed environment (LYO_TEST_STATE) these are not among the tests.
"""

from __future__ import annotations

import os
import signal

import pytest

from tests.conftest import DEPLOYMENT
from tests.localcloud.leftovers import Item
from tests.runbooks.deployment import Deployment
from tests.runbooks.harness import Environment
from tests.runbooks.test_6_phases import State

pytestmark = [pytest.mark.ends_environment, pytest.mark.timeout(1800)]
WORD = ("-e", "destroy=local")


@pytest.fixture(scope="module")
def deployment(request: pytest.FixtureRequest) -> Deployment:
    return request.config.stash[DEPLOYMENT]


def echo(item: Item) -> bool:
    """Whether an item speaks only of what is gone, or is kept on purpose."""
    # moto keeps tags, the closed network ACL and endpoints of a deleted VPC; AWS too goes on to list a
    # deleted NAT gateway for an hour, its tags with it.
    kept = {"DescribeTags", "DescribeNetworkAcls", "DescribeNatGateways", "DescribeVpcEndpoints"}
    if item.service == "ec2" and item.operation in kept:
        return True
    if item.service == "resourcegroupstaggingapi":
        return ":natgateway/" in item.identity or ":vpc-endpoint/" in item.identity
    # The bucket of Terraform's state, which bootstrap.yml has made.
    return item.service == "s3" and item.identity.endswith("-tfstate")


def test_destroying_is_predicted(environment: Environment) -> None:
    run = environment.run("destroy.yml", "--check")
    assert run.returncode == 0, run.output
    assert "module.database.aws_db_instance.this" in run.output
    assert "resources would go" in run.output
    assert environment.calls(run.started, writes=True) == []


def test_what_was_interrupted_is_finished_by_the_same_command(
    environment: Environment, deployment: Deployment
) -> None:
    made = deployment.made()
    # Or nothing would be found afterwards, whatever is left.
    assert len(made) > 150, "most of what was applied is not listed"
    assert {item.region for item in made} == {"eu-south-1", "us-east-1", "eu-central-1"}

    running = environment.start("destroy.yml", *WORD)
    running.wait_for_output("destroying module.database.aws_db_instance.this", timeout=600)
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()

    run = environment.run("destroy.yml", *WORD)
    assert run.returncode == 0, run.output
    assert "DESTROYED" in run.output

    left = sorted(item for item in deployment.made() if not echo(item))
    assert left == [], "\n".join(map(str, left))
    ec2 = environment.client("ec2")
    gateways = ec2.describe_nat_gateways()["NatGateways"]
    assert {gateway["State"] for gateway in gateways} <= {"deleted"}
    endpoints = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    assert {endpoint["State"] for endpoint in endpoints} <= {"deleted"}


def test_what_is_gone_is_not_destroyed_again(environment: Environment) -> None:
    run = environment.run("destroy.yml", *WORD)
    assert run.returncode == 0, run.output
    assert "0 resources destroyed" in run.output
    written = {call.operation for call in environment.calls(run.started, writes=True)}
    assert written <= {"PutObject", "DeleteObject"}, "more than the lock and the record"


def test_the_state_that_tells_what_there_was_is_kept(environment: Environment) -> None:
    state = State(environment)
    versions = state.s3.list_object_versions(Bucket=state.bucket, Prefix="lyo.tfstate")["Versions"]
    assert len(versions) > 1
