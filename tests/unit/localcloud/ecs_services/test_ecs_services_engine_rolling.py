from __future__ import annotations

import pytest

from tests.unit.localcloud.ecs_services.conftest import TG_A, World

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


@pytest.fixture
def live(world: World) -> World:
    world.create(deploymentConfiguration=BREAKER)
    world.go(10)
    return world


def test_create_registers_tells_and_gets_steady(live: World):
    service = live.service()
    assert service["status"] == "ACTIVE"
    assert (service["runningCount"], service["pendingCount"]) == (2, 0)
    assert len(live.target_groups.targets[TG_A]) == 2
    (primary,) = service["deployments"]
    assert (primary["status"], primary["rolloutState"]) == ("PRIMARY", "COMPLETED")
    oldest_first = live.messages()[::-1]
    assert oldest_first[0].startswith("(service web) has started 2 tasks: (task ")
    assert oldest_first[1] == f"(service web) registered 1 targets in (target-group {TG_A})"
    assert oldest_first[-1] == "(service web) has reached a steady state."
    assert service["currentServiceDeployment"] == live.deployment()["serviceDeploymentArn"]
    task = live.engine.started[0]
    assert (task.group, task.started_by) == ("service:web", primary["id"])


def test_steady_is_told_once(live: World):
    live.go(300)
    assert sum("steady" in message for message in live.messages()) == 1


def test_a_release_replaces_every_task(live: World):
    live.update(taskDefinition="lyo:2")
    live.api.services.tick()
    assert [d["status"] for d in live.service()["deployments"]] == ["PRIMARY", "ACTIVE"]
    assert live.deployment()["status"] == "IN_PROGRESS"
    live.go(10)
    assert live.running() == ["2", "2"]
    assert live.deployment()["status"] == "SUCCESSFUL"
    assert len(live.target_groups.targets[TG_A]) == 2
    stopped = [t for t in live.engine.started if t.stopped_reason]
    assert all(t.stopped_reason.startswith("Scaling activity initiated by") for t in stopped)
    assert {t.stop_code for t in stopped} == {"ServiceSchedulerInitiated"}


def test_the_circuit_breaker_rolls_back(live: World):
    live.engine.broken[live.arn(2)] = "crash"
    live.update(taskDefinition="lyo:2")
    live.go(60)
    deployment = live.deployment()
    assert deployment["status"] == "ROLLBACK_SUCCESSFUL"
    assert deployment["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    assert deployment["deploymentCircuitBreaker"]["threshold"] == 3
    assert live.running() == ["1", "1"]
    service = live.service()
    assert service["taskDefinition"] == live.arn(1)
    assert [d["taskDefinition"] for d in service["deployments"]] == [live.arn(1)]


def test_the_circuit_breaker_without_rollback_leaves_the_old_tasks(live: World):
    live.engine.broken[live.arn(2)] = "pull"
    stop = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
    live.update(taskDefinition="lyo:2", deploymentConfiguration=stop)
    live.go(60)
    assert live.deployment()["status"] == "STOPPED"
    primary = live.service()["deployments"][0]
    assert primary["rolloutState"] == "FAILED"
    assert primary["rolloutStateReason"] == (
        "ECS deployment circuit breaker: tasks failed to start."
    )
    assert primary["failedTasks"] >= 3
    assert live.running() == ["1", "1"]
    started = len(live.engine.started)
    live.go(600)
    assert len(live.engine.started) == started


def test_failures_in_a_row_are_forgotten_when_a_task_gets_healthy(live: World):
    live.engine.broken[live.arn(2)] = "crash"
    live.update(taskDefinition="lyo:2")
    live.api.services.tick()
    live.engine.run_pending()
    live.api.services.tick()
    assert live.deployment()["deploymentCircuitBreaker"]["failureCount"] == 2
    del live.engine.broken[live.arn(2)]
    live.go(60)
    assert live.deployment()["status"] == "SUCCESSFUL"
    assert live.deployment()["deploymentCircuitBreaker"]["failureCount"] == 0


def test_a_second_update_stops_the_first_deployment(live: World):
    live.engine.broken[live.arn(2)] = "pull"
    live.update(taskDefinition="lyo:2")
    live.api.services.tick()
    live.update(taskDefinition="lyo:3")
    assert live.deployment(1)["status"] == "STOPPED"
    live.go(60)
    assert live.deployment()["status"] == "SUCCESSFUL"
    assert live.running() == ["3", "3"]


def test_force_new_deployment_replaces_tasks_of_the_same_definition(live: World):
    first = {task.arn for task in live.engine.started}
    live.update(taskDefinition="lyo:1")
    live.go(10)
    assert {task.arn for task in live.engine.started} == first
    live.update(forceNewDeployment=True)
    live.go(10)
    assert live.running() == ["1", "1"]
    assert len(live.engine.started) == 4


def test_a_crashed_task_is_replaced(live: World):
    live.engine.end(live.engine.started[0])
    live.go(10)
    assert live.running() == ["1", "1"]
    assert len(live.target_groups.targets[TG_A]) == 2
    assert live.messages()[0].endswith("has reached a steady state.")


def test_an_unhealthy_task_is_replaced_before_it_is_stopped(live: World):
    sick = live.engine.started[0]
    live.target_groups.targets[TG_A][sick.address, 8080] = "unhealthy"
    live.api.services.tick()
    assert sick.desired_status == "RUNNING"
    assert len(live.engine.started) == 3
    live.go(10)
    assert sick.last_status == "STOPPED"
    assert live.running() == ["1", "1"]


def test_a_container_that_fails_its_checks_is_replaced(world: World):
    world.create(loadBalancers=[])
    world.go(100)
    sick = world.engine.started[0]
    sick.containers[0].has_health_check = True
    sick.health_status = "UNHEALTHY"
    world.go(60)
    assert sick.stopped_reason == "Task failed container health checks"
    assert world.running() == ["1", "1"]


def test_without_load_balancer_a_task_counts_after_40_seconds(world: World):
    world.create(loadBalancers=[])
    world.go(39, step=1)
    assert world.deployment()["status"] == "IN_PROGRESS"
    world.go(3, step=1)
    assert world.deployment()["status"] == "SUCCESSFUL"


def test_the_grace_period_keeps_unhealthy_tasks(world: World):
    world.target_groups.initial = "unhealthy"
    world.create(healthCheckGracePeriodSeconds=60)
    world.go(55)
    assert len(world.engine.started) == 2
    world.go(10)
    assert len(world.engine.started) > 2


def test_scaling(live: World):
    live.update(desiredCount=4)
    live.go(10)
    assert len(live.running()) == 4
    live.api.set_desired_count(live.service()["serviceArn"], 1)
    live.go(10)
    assert len(live.running()) == 1
    assert len(live.target_groups.targets[TG_A]) == 1
    assert (
        len(live.call("ListServiceDeployments", cluster="lyo", service="web")["serviceDeployments"])
        == 1
    )


def test_stop_rolls_a_rolling_deployment_back(live: World):
    live.target_groups.initial = "initial"
    live.update(taskDefinition="lyo:2")
    live.go(10)
    assert live.running() == ["1", "1", "2", "2"]
    arn = live.deployment()["serviceDeploymentArn"]
    live.call("StopServiceDeployment", serviceDeploymentArn=arn, stopType="ROLLBACK")
    live.go(10)
    assert live.deployment()["status"] == "ROLLBACK_SUCCESSFUL"
    assert live.running() == ["1", "1"]


def test_delete_drains_then_is_inactive(live: World):
    deleted = live.call("DeleteService", cluster="lyo", service="web", force=True)
    assert deleted["service"]["status"] == "DRAINING"
    assert live.call("ListServices", cluster="lyo")["serviceArns"] == []
    live.go(10)
    assert live.service()["status"] == "INACTIVE"
    assert live.running() == []
    assert live.target_groups.targets[TG_A] == {}
    live.create(desiredCount=0)
    assert live.service()["status"] == "ACTIVE"


@pytest.mark.parametrize(("reset", "failures"), [(True, 0), (False, 2)])
def test_failures_are_counted_in_a_row_or_added_up(live: World, reset: bool, failures: int):
    breaker = {"enable": True, "rollback": True, "resetOnHealthyTask": reset}
    live.engine.broken[live.arn(2)] = "crash"
    live.update(
        taskDefinition="lyo:2", deploymentConfiguration={"deploymentCircuitBreaker": breaker}
    )
    live.api.services.tick()
    live.engine.run_pending()
    del live.engine.broken[live.arn(2)]
    live.go(60)
    assert live.deployment()["status"] == "SUCCESSFUL"
    assert live.deployment()["deploymentCircuitBreaker"]["failureCount"] == failures


def test_scaling_in_during_a_deployment_is_no_failure(live: World):
    live.target_groups.initial = "initial"
    live.update(desiredCount=8)
    live.update(forceNewDeployment=True)
    live.go(10)
    live.update(desiredCount=2)
    live.go(10)
    assert live.deployment()["status"] == "IN_PROGRESS"
    assert live.deployment()["deploymentCircuitBreaker"]["failureCount"] == 0


def test_launches_are_paused_as_soon_as_a_task_is_going_to_stop(live: World):
    live.update(
        taskDefinition="lyo:2",
        deploymentConfiguration={"deploymentCircuitBreaker": {"enable": False, "rollback": False}},
    )
    live.api.services.tick()
    for _ in range(10):
        for task in live.engine.started:
            if task.last_status == "PROVISIONING":
                task.desired_status = "STOPPED"  # and still on its way to STOPPED
        live.api.services.tick()
    assert len(live.engine.started) == 2 + 4
    assert any("unable to consistently start tasks" in message for message in live.messages())


def test_a_task_stopped_by_a_user_is_no_failure(live: World):
    live.target_groups.initial = "initial"
    live.update(forceNewDeployment=True)
    live.go(10)
    task = live.engine.started[-1]
    live.engine.stop(task, reason="test", code="UserInitiated")
    live.go(10)
    assert live.deployment()["deploymentCircuitBreaker"]["failureCount"] == 0
    assert live.running() == ["1"] * 4
