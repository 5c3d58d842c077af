"""What a customer told us is still known after whatever happened to the servers."""

from __future__ import annotations

import json
import time

import pytest

from tests.runbooks.harness import Environment
from tests.runbooks.traffic import Customer


@pytest.fixture(scope="module")
def giulia(environment: Environment) -> Customer:
    customer = Customer(environment)
    status, message = customer.say("Mi chiamo Giulia")
    assert status == 200
    customer.reply_to(message)
    assert customer.is_known_as("Giulia")
    return customer


def test_after_every_task_was_replaced(environment: Environment, giulia: Customer) -> None:
    ecs, outputs = environment.client("ecs"), environment.outputs
    before = environment.running_tasks()
    for task in before:
        ecs.stop_task(cluster=outputs["cluster_name"], task=task, reason="test")
        wait_until(lambda: len(healthy(environment)) >= len(before))
    assert not set(before) & set(environment.running_tasks())
    assert giulia.is_known_as("Giulia")


def test_after_postgresql_was_restarted(environment: Environment, giulia: Customer) -> None:
    rds, instance = environment.client("rds"), environment.outputs["database"]["identifier"]
    rds.reboot_db_instance(DBInstanceIdentifier=instance)
    rds.get_waiter("db_instance_available").wait(
        DBInstanceIdentifier=instance, WaiterConfig={"Delay": 1}
    )
    wait_until(lambda: giulia.request("/health")[0] == 200)
    assert giulia.is_known_as("Giulia")


def test_after_a_rollback(environment: Environment, giulia: Customer) -> None:
    run = environment.run("rollback.yml", "-e", "to=v2")
    assert run.returncode == 0, run.output
    assert "ROLLED_BACK release v2" in run.output
    assert json.loads(giulia.request("/version")[1])["release"] == "v2"
    assert giulia.is_known_as("Giulia")


def healthy(environment: Environment) -> list[str]:
    """Targets that get traffic."""
    elb = environment.client("elbv2")
    return [
        entry["Target"]["Id"]
        for arn in environment.outputs["target_group_arns"].values()
        for entry in elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        if entry["TargetHealth"]["State"] == "healthy"
    ]


def wait_until(condition: object, timeout: float = 60.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.2)
