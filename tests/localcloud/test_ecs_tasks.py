"""Tasks as real processes: start, exit, stop, secrets, logs, order, health."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psutil
import pytest

from localcloud.api import AwsError
from localcloud.credentials import check_credentials
from tests.localcloud.ecs_tasks_harness import IMAGE, NUMBER, Ecs, container, definition, start

#: Variables a container is asked for.
PRINTED = (
    *("LYO_RELEASE", "SHARED", "KEPT", "TOKEN", "DB_PORT", "WHOLE", "COLOUR", "HOST", "HOME"),
    "AWS_SECRET_ACCESS_KEY",
)


@pytest.fixture(scope="module")
def ecs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ecs]:
    found = start(tmp_path_factory.mktemp("ecs"))
    yield found
    found.cloud.stop()


def main_of(task: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = task["containers"][0]
    return first


def test_a_one_off_task_ends_with_its_real_exit_code(ecs: Ecs) -> None:
    started = ecs.run(ecs.register(container("main", "exit", "3")))
    assert started["lastStatus"] == "PROVISIONING"
    task = ecs.wait_status(started["taskArn"], "STOPPED")
    assert main_of(task)["exitCode"] == 3
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["desiredStatus"] == "STOPPED"
    assert ecs.logs(started["taskArn"]) == ["leaving"]


def test_a_container_finds_the_credentials_of_its_task_role(ecs: Ecs) -> None:
    variable = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
    role = "arn:aws:iam::123456789012:role/ops"
    with_role = ecs.run(ecs.register(container("main", "serve", "0"), taskRoleArn=role))
    ecs.wait_status(with_role["taskArn"], "RUNNING")
    path = "/_lyo/task-credentials/" + with_role["taskArn"].rsplit("/", 1)[1]
    answered: list[str] = []

    def fetch() -> dict[str, Any]:
        serve = ecs.cloud.routes["/_lyo/task-credentials/"]
        body = serve({"PATH_INFO": path}, lambda status, _: answered.append(status))
        found: dict[str, Any] = json.loads(b"".join(body))
        return found

    given = fetch()
    assert given["RoleArn"] == role
    assert given["Expiration"].endswith("Z")
    # The cloud takes the key, and no other.
    check_credentials(ecs.cloud, given["AccessKeyId"], ecs.cloud.clock.now())
    with pytest.raises(AwsError):
        check_credentials(ecs.cloud, given["AccessKeyId"] + "X", ecs.cloud.clock.now())
    ecs.call("StopTask", cluster="lyo", task=with_role["taskArn"])
    ecs.wait_status(with_role["taskArn"], "STOPPED")
    end = time.monotonic() + 10
    while answered[-1] == "200 OK" and time.monotonic() < end:
        fetch()
    assert answered[-1] == "404 Not Found"

    for more, says in (
        ({"taskRoleArn": role}, f"{variable}=http://127."),
        ({}, f"{variable}=None"),
    ):
        task = ecs.run(ecs.register(container("main", "env", variable), **more))
        ecs.wait_status(task["taskArn"], "STOPPED")
        assert ecs.logs(task["taskArn"])[0].startswith(says)


def test_a_task_goes_through_the_states_in_order_and_hooks_run_at_theirs(ecs: Ecs) -> None:
    seen: list[str] = []
    part = ecs.part
    with ecs.cloud.lock:
        task = part.engine.start(
            cluster=part.store.cluster("lyo"),
            task_definition=part.store.task_definition(
                ecs.register(container("main", "serve", "0"))
            ),
            group="service:web",
            started_by="ecs-svc/1",
            network_configuration={"awsvpcConfiguration": {"subnets": [ecs.subnet]}},
            on_change=lambda t: seen.append(t.last_status),
            on_activate=lambda t: seen.append(f"activate {t.containers[0].last_status}"),
            on_deactivate=lambda t, _event: seen.append(
                f"deactivate {t.containers[0].last_status}"
            ),
        )
    ecs.wait_status(task.arn, "RUNNING")
    part.engine.stop(task, reason="Scaling activity", code="ServiceSchedulerInitiated")
    stopped = ecs.wait_status(task.arn, "STOPPED")
    assert stopped["stopCode"] == "ServiceSchedulerInitiated"
    order = list(dict.fromkeys(seen))
    assert order == [
        "PENDING",
        "ACTIVATING",
        "activate RUNNING",
        "RUNNING",
        "DEACTIVATING",
        "deactivate RUNNING",
        "STOPPING",
        "DEPROVISIONING",
        "STOPPED",
    ]


def test_containers_get_no_signal_before_the_drain_is_over(ecs: Ecs) -> None:
    drained = threading.Event()
    part = ecs.part
    with ecs.cloud.lock:
        task = part.engine.start(
            cluster=part.store.cluster("lyo"),
            task_definition=part.store.task_definition(
                ecs.register(container("main", "serve", "0"))
            ),
            group="service:web",
            started_by=None,
            network_configuration={"awsvpcConfiguration": {"subnets": [ecs.subnet]}},
            on_activate=lambda _t: None,
            on_deactivate=lambda _t, _event: drained.wait(10) and None,
        )
    ecs.wait(task.arn, lambda t: bool(t["lastStatus"] == "RUNNING" and ecs.logs(task.arn)))
    part.engine.stop(task, reason="Scaling", code="ServiceSchedulerInitiated")
    ecs.wait_status(task.arn, "DEACTIVATING")
    time.sleep(0.2)
    assert ecs.logs(task.arn) == ["serving"]
    drained.set()
    ecs.wait_status(task.arn, "STOPPED")
    assert ecs.logs(task.arn) == ["serving", "asked to leave"]


def test_stop_task_sends_sigterm_and_the_program_may_end_by_itself(ecs: Ecs) -> None:
    arn = ecs.run(ecs.register(container("main", "serve", "7")))["taskArn"]
    ecs.wait(arn, lambda t: bool(t["lastStatus"] == "RUNNING" and ecs.logs(arn)))
    answer = ecs.call("StopTask", cluster="lyo", task=arn, reason="enough")["task"]
    assert answer["desiredStatus"] == "STOPPED"
    task = ecs.wait_status(arn, "STOPPED")
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "enough")
    assert main_of(task)["exitCode"] == 7
    assert ecs.logs(arn)[-1] == "asked to leave"


def test_sigkill_comes_after_the_stop_timeout_to_all_processes(ecs: Ecs) -> None:
    arn = ecs.run(ecs.register(container("main", "stubborn", stopTimeout=2)))["taskArn"]
    ecs.wait(arn, lambda t: bool(t["lastStatus"] == "RUNNING" and ecs.logs(arn)))
    children = [psutil.Process(int(pid)) for pid in ecs.logs(arn)[0].split()[1:]]
    ecs.call("StopTask", cluster="lyo", task=arn)
    task = ecs.wait_status(arn, "STOPPED")
    assert main_of(task)["exitCode"] == 137
    # One was in the container's process group, one in a session of its own.
    assert len(children) == 2
    assert [c for c in children if c.is_running() and c.status() != psutil.STATUS_ZOMBIE] == []


def test_a_process_killed_from_outside_reports_its_signal(ecs: Ecs) -> None:
    arn = ecs.run(ecs.register(container("main", "serve", "0")))["taskArn"]
    ecs.wait(arn, lambda t: bool(t["lastStatus"] == "RUNNING" and ecs.logs(arn)))
    pid = int(main_of(ecs.describe(arn))["runtimeId"].rsplit("-", 1)[1])
    os.kill(pid, 11)
    assert main_of(ecs.wait_status(arn, "STOPPED"))["exitCode"] == 139


def test_environment_overrides_secrets_and_the_tasks_address(ecs: Ecs) -> None:
    secret = ecs.cloud.backend("secretsmanager").create_secret(
        name="lyo-env",
        secret_string='{"token": "sesame", "port": 5432}',
        secret_binary=None,
        description=None,
        tags=[],
        kms_key_id=None,
        client_request_token=None,
        replica_regions=[],
        force_overwrite=False,
    )
    arn_of_secret = json.loads(secret)["ARN"]
    ecs.cloud.backend("ssm").put_parameter(
        name="/lyo/colour",
        description="",
        value="azzurro",
        parameter_type="SecureString",
        allowed_pattern="",
        keyid="alias/aws/ssm",
        overwrite=True,
        tags=[],
        data_type="text",
        tier=None,
        policies=None,
    )
    arn = ecs.run(
        ecs.register(
            container(
                "main",
                "env",
                environment=[
                    {"name": "SHARED", "value": "definition"},
                    {"name": "KEPT", "value": "yes"},
                    {"name": "HOST", "value": "192.0.2.1"},
                ],
                secrets=[
                    {"name": "TOKEN", "valueFrom": f"{arn_of_secret}:token::"},
                    {"name": "DB_PORT", "valueFrom": f"{arn_of_secret}:port::"},
                    {"name": "WHOLE", "valueFrom": arn_of_secret},
                    {"name": "COLOUR", "valueFrom": "/lyo/colour"},
                ],
            )
        ),
        overrides={
            "containerOverrides": [
                {
                    "name": "main",
                    "command": ["env", *PRINTED],
                    "environment": [{"name": "SHARED", "value": "override"}],
                }
            ]
        },
    )["taskArn"]
    task = ecs.wait_status(arn, "STOPPED")
    told = dict(line.split("=", 1) for line in ecs.logs(arn))
    address = main_of(task)["networkInterfaces"][0]["privateIpv4Address"]
    assert address.startswith(f"127.{NUMBER}.")
    assert told.pop("HOME").endswith(arn.rsplit("/", 1)[1])
    assert told == {
        "LYO_RELEASE": "v1",
        "SHARED": "override",
        "KEPT": "yes",
        "TOKEN": "sesame",
        "DB_PORT": "5432",
        "WHOLE": '{"token": "sesame", "port": 5432}',
        "COLOUR": "azzurro",
        "HOST": address,
        "AWS_SECRET_ACCESS_KEY": "None",
    }
    details = {d["name"]: d["value"] for d in task["attachments"][0]["details"]}
    assert details["privateIPv4Address"] == address
    assert details["subnetId"] == ecs.subnet
    assert task["availabilityZone"] == "eu-south-1b"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"secrets": [{"name": "X", "valueFrom": "/lyo/nothing"}]},
            "ResourceInitializationError: unable to pull secrets or registry auth: ",
        ),
        (
            {
                "secrets": [
                    {
                        "name": "X",
                        "valueFrom": "arn:aws:secretsmanager:eu-south-1:123456789012:secret:no-Abc123",
                    }
                ]
            },
            "ResourceInitializationError: unable to pull secrets or registry auth: ",
        ),
        ({"image": IMAGE.replace("v1", "absent")}, "CannotPullContainerError: "),
        ({"image": IMAGE.replace("v1", "container")}, "CannotStartContainerError: "),
        ({"entryPoint": ["/app/nothing"]}, "CannotStartContainerError: "),
        ({"workingDirectory": "/nowhere"}, "CannotStartContainerError: "),
        (
            {
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": "/no/such/group",
                        "awslogs-region": "eu-south-1",
                        "awslogs-stream-prefix": "app",
                    },
                }
            },
            "ResourceInitializationError: failed to validate logger args: ",
        ),
    ],
)
def test_a_task_that_cannot_start_says_why(ecs: Ecs, changes: dict[str, Any], reason: str) -> None:
    arn = ecs.run(ecs.register(container("main", "exit", "0", **changes)))["taskArn"]
    task = ecs.wait_status(arn, "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith(reason)
    assert "exitCode" not in main_of(task)
    assert "startedAt" not in task


def test_a_log_group_is_created_when_asked_for(ecs: Ecs) -> None:
    definition_ = container("main", "exit", "0")
    options = definition_["logConfiguration"]["options"]
    options.update({"awslogs-group": "/lyo/made", "awslogs-create-group": "true"})
    arn = ecs.run(ecs.register(definition_))["taskArn"]
    ecs.wait_status(arn, "STOPPED")
    stream = f"app/main/{arn.rsplit('/', 1)[1]}"
    assert stream in ecs.cloud.backend("logs").groups["/lyo/made"].streams


def test_every_line_reaches_the_log_before_the_task_is_stopped(ecs: Ecs) -> None:
    arn = ecs.run(ecs.register(container("main", "talk", "5000")))["taskArn"]
    ecs.wait_status(arn, "STOPPED")
    lines = ecs.logs(arn)
    assert [line for line in lines if line.startswith("line")] == [f"line {n}" for n in range(5000)]
    assert "on stderr" in lines
    assert "no newline at the end" in lines


def test_containers_start_in_the_order_of_their_dependencies(ecs: Ecs) -> None:
    arn = ecs.run(
        ecs.register(
            container(
                "main", "has", "made", dependsOn=[{"containerName": "init", "condition": "SUCCESS"}]
            ),
            container("init", "touch", "made", "0.2", essential=False),
        )
    )["taskArn"]
    task = ecs.wait_status(arn, "STOPPED")
    codes = {c["name"]: c.get("exitCode") for c in task["containers"]}
    assert codes == {"main": 0, "init": 0}


def test_a_failed_dependency_keeps_its_dependents_from_starting(ecs: Ecs) -> None:
    arn = ecs.run(
        ecs.register(
            container("main", dependsOn=[{"containerName": "init", "condition": "SUCCESS"}]),
            container("init", "exit", "4", essential=False),
        )
    )["taskArn"]
    task = ecs.wait_status(arn, "STOPPED")
    codes = {c["name"]: c.get("exitCode") for c in task["containers"]}
    assert codes == {"main": 143, "init": 4}
    assert task["stopCode"] == "TaskFailedToStart"
    assert ecs.logs(arn, "main") == []


def test_a_start_timeout_ends_the_wait_for_a_dependency(ecs: Ecs) -> None:
    arn = ecs.run(
        ecs.register(
            container("main", dependsOn=[{"containerName": "init", "condition": "COMPLETE"}]),
            container("init", "serve", "0", essential=False, startTimeout=2),
        )
    )["taskArn"]
    task = ecs.wait_status(arn, "STOPPED")
    assert {c["name"]: c["exitCode"] for c in task["containers"]} == {"main": 143, "init": 0}


def test_a_container_stops_before_those_it_depends_on(ecs: Ecs) -> None:
    arn = ecs.run(
        ecs.register(
            container(
                "main",
                "serve",
                "0",
                "0.3",
                dependsOn=[{"containerName": "db", "condition": "START"}],
            ),
            container("db", "serve", "0"),
        )
    )["taskArn"]
    ecs.wait(
        arn,
        lambda t: bool(
            t["lastStatus"] == "RUNNING" and ecs.logs(arn, "main") and ecs.logs(arn, "db")
        ),
    )
    ecs.call("StopTask", cluster="lyo", task=arn)
    ecs.wait_status(arn, "STOPPED")
    streams = ecs.cloud.backend("logs").groups["/lyo/tiny"].streams
    left = {
        name: streams[f"app/{name}/{arn.rsplit('/', 1)[1]}"].events[-1].timestamp
        for name in ("main", "db")
    }
    assert left["main"] <= left["db"]
    assert ecs.logs(arn, "db") == ["serving", "asked to leave"]


def test_health_checks_decide_the_health_of_the_task(ecs: Ecs) -> None:
    check = {"command": ["CMD", "python", "-m", "tiny", "has", "well"], "interval": 5, "retries": 1}
    arn = ecs.run(ecs.register(container("main", "touch", "well", "0", "stay", healthCheck=check)))[
        "taskArn"
    ]
    task = ecs.wait(arn, lambda t: bool(t["healthStatus"] != "UNKNOWN"))
    assert task["healthStatus"] == main_of(task)["healthStatus"] == "HEALTHY"
    folder = ecs.part.engine.folder(ecs.part.store.tasks[arn])
    (folder / "well").unlink()
    task = ecs.wait(arn, lambda t: bool(t["healthStatus"] == "UNHEALTHY"))
    assert task["lastStatus"] == "RUNNING"
    ecs.call("StopTask", cluster="lyo", task=arn)
    ecs.wait_status(arn, "STOPPED")
    assert not folder.exists()


def test_a_shell_check_finds_python(ecs: Ecs) -> None:
    check = {"command": ["CMD-SHELL", "python -m tiny has well || exit 1"], "interval": 5}
    arn = ecs.run(
        ecs.register(
            container("main", "touch", "well", "0", "stay", healthCheck=check),
            container(
                "next", "exit", "0", dependsOn=[{"containerName": "main", "condition": "HEALTHY"}]
            ),
        )
    )["taskArn"]
    task = ecs.wait_status(arn, "STOPPED")
    assert {c["name"]: c["exitCode"] for c in task["containers"]}["next"] == 0


def test_addresses_are_unique_and_both_containers_share_the_tasks(ecs: Ecs) -> None:
    definition_ = ecs.register(container("a", "serve", "0"), container("b", "serve", "0"))
    arns = [
        task["taskArn"]
        for task in ecs.call(
            "RunTask",
            cluster="lyo",
            taskDefinition=definition_,
            count=3,
            launchType="FARGATE",
            startedBy="several",
            networkConfiguration={"awsvpcConfiguration": {"subnets": [ecs.subnet]}},
        )["tasks"]
    ]
    addresses = [
        {c["networkInterfaces"][0]["privateIpv4Address"] for c in ecs.describe(arn)["containers"]}
        for arn in arns
    ]
    assert all(len(found) == 1 for found in addresses)
    assert len(set.union(*addresses)) == 3
    listed = ecs.call("ListTasks", cluster="lyo", startedBy="several")["taskArns"]
    assert sorted(listed) == sorted(arns)
    for arn in arns:
        ecs.call("StopTask", cluster="lyo", task=arn)
    for arn in arns:
        ecs.wait_status(arn, "STOPPED")
    assert ecs.call("ListTasks", cluster="lyo", startedBy="several")["taskArns"] == []
    stopped = ecs.call("ListTasks", cluster="lyo", startedBy="several", desiredStatus="STOPPED")
    assert sorted(stopped["taskArns"]) == sorted(arns)


def test_a_client_token_starts_a_task_once(ecs: Ecs) -> None:
    definition_ = ecs.register(container("main", "exit", "0"))
    first = ecs.run(definition_, clientToken="once")
    assert ecs.run(definition_, clientToken="once")["taskArn"] == first["taskArn"]
    assert ecs.run(definition_)["taskArn"] != first["taskArn"]
    with pytest.raises(AwsError) as error:
        ecs.run(definition_, clientToken="once", startedBy="else")
    assert error.value.code == "ConflictException"


def test_a_stopped_task_is_forgotten_after_its_time(ecs: Ecs) -> None:
    arn = ecs.run(ecs.register(container("main", "exit", "0")))["taskArn"]
    ecs.wait_status(arn, "STOPPED")
    task = ecs.part.store.tasks[arn]
    task.stopped_at -= timedelta(seconds=590)
    assert arn in ecs.call("ListTasks", cluster="lyo", desiredStatus="STOPPED")["taskArns"]
    task.stopped_at -= timedelta(seconds=20)
    assert arn not in ecs.call("ListTasks", cluster="lyo", desiredStatus="STOPPED")["taskArns"]
    assert ecs.call("DescribeTasks", cluster="lyo", tasks=[arn])["failures"]


def test_an_error_of_the_local_cloud_stops_the_task(
    ecs: Ecs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ecs.cloud.parts["ecr"], "pull", lambda _image: 1 / 0)
    arn = ecs.run(ecs.register(container("main", "exit", "0")))["taskArn"]
    task = ecs.wait_status(arn, "STOPPED")
    assert task["stoppedReason"].startswith("InternalError")


def test_tags_of_a_task(ecs: Ecs) -> None:
    definition_ = ecs.register(
        container("main", "exit", "0"),
        tags=[{"key": "a", "value": "definition"}, {"key": "b", "value": "definition"}],
    )
    started = ecs.run(
        definition_,
        tags=[{"key": "b", "value": "request"}],
        propagateTags="TASK_DEFINITION",
        enableECSManagedTags=True,
    )
    expected = [
        {"key": "a", "value": "definition"},
        {"key": "b", "value": "request"},
        {"key": "aws:ecs:clusterName", "value": "lyo"},
    ]
    assert started["tags"] == expected
    shown = ecs.call("DescribeTasks", cluster="lyo", tasks=[started["taskArn"]], include=["TAGS"])[
        "tasks"
    ][0]
    assert shown["tags"] == expected
    assert ecs.describe(started["taskArn"])["tags"] == []
    for wrong in ([{"key": "aws:x", "value": ""}], [{"key": "a"}, {"key": "a"}]):
        with pytest.raises(AwsError) as error:
            ecs.run(definition_, tags=wrong)
        assert error.value.code == "InvalidParameterException"


def test_a_cluster_with_a_task_is_not_deleted(ecs: Ecs) -> None:
    arn = ecs.run(ecs.register(container("main", "serve", "0")))["taskArn"]
    with pytest.raises(AwsError) as error:
        ecs.call("DeleteCluster", cluster="lyo")
    assert error.value.code == "ClusterContainsTasksException"
    ecs.call("StopTask", cluster="lyo", task=arn)
    ecs.wait_status(arn, "STOPPED")


def test_nothing_is_left_when_the_cloud_goes_down(tmp_path: Any) -> None:
    ecs = start(tmp_path)
    arns = [
        ecs.run(ecs.register(container("main", what, "0")))["taskArn"]
        for what in ("serve", "stubborn")
    ]
    for arn in arns:
        ecs.wait_status(arn, "RUNNING")
    ecs.wait(arns[1], lambda _: all(ecs.logs(arn) for arn in arns))
    pids = [int(main_of(ecs.describe(arn))["runtimeId"].rsplit("-", 1)[1]) for arn in arns]
    ecs.cloud.stop()
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert list((tmp_path / "state" / "children").iterdir()) == []


def test_the_request_that_is_wrong_is_refused(ecs: Ecs) -> None:
    good = ecs.call("RegisterTaskDefinition", **definition())["taskDefinition"]
    arn = good["taskDefinitionArn"]
    network = {"awsvpcConfiguration": {"subnets": [ecs.subnet]}}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"cluster": "none"}, "ClusterNotFoundException"),
        ({"count": 11}, "InvalidParameterException"),
        ({"taskDefinition": "nothing"}, "ClientException"),
        ({"networkConfiguration": {}}, "InvalidParameterException"),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-none"]}}},
            "InvalidParameterException",
        ),
        (
            {
                "networkConfiguration": {
                    "awsvpcConfiguration": {"subnets": [ecs.subnet], "securityGroups": ["sg-none"]}
                }
            },
            "InvalidParameterException",
        ),
        ({"launchType": "EC2"}, "InvalidParameterException"),
        ({"platformVersion": "1.3.0"}, "PlatformUnknownException"),
        ({"propagateTags": "SERVICE"}, "InvalidParameterException"),
        (
            {"overrides": {"containerOverrides": [{"name": "other"}]}},
            "InvalidParameterException",
        ),
        ({"overrides": {"cpu": "256", "memory": "9999"}}, "ClientException"),
    ]
    for change, code in cases:
        request = {
            "cluster": "lyo",
            "taskDefinition": arn,
            "launchType": "FARGATE",
            "networkConfiguration": network,
            **change,
        }
        with pytest.raises(AwsError) as error:
            ecs.call("RunTask", **request)
        assert error.value.code == code, change
    ecs.call("DeregisterTaskDefinition", taskDefinition=arn)
    with pytest.raises(AwsError) as error:
        ecs.run(arn)
    assert error.value.message == "TaskDefinition is inactive"
    missing = ecs.call("DescribeTasks", cluster="lyo", tasks=["0" * 32])
    assert missing["failures"][0]["reason"] == "MISSING"
    with pytest.raises(AwsError) as error:
        ecs.call("StopTask", cluster="lyo", task="0" * 32)
    assert error.value.message == "The referenced task was not found."
