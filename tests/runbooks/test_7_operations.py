"""What a person does with a running service: watch, restart, scale, read logs.

What serves before serves after; only the tasks are others.
"""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from ssl import create_default_context
from typing import Any

import pytest

from localcloud.faults import PATH as FAULTS
from tests.runbooks.harness import Environment
from tests.runbooks.processes import send, tree
from tests.runbooks.test_2_releases import assert_nobody_noticed, release_of
from tests.runbooks.test_5_lock import deployments, ledger
from tests.runbooks.traffic import constant_traffic


@pytest.fixture(scope="module")
def serving(environment: Environment) -> str:
    """The release that serves, whichever the files before have left."""
    return release_of(environment)


@contextmanager
def held(environment: Environment, **rule: Any) -> Iterator[None]:
    """The first call that the rule meets waits until the end of the block."""
    url = environment.content["endpoint"] + FAULTS
    rules = json.dumps({"rules": [{"action": "hold", "nth": 1, **rule}]}).encode()
    urllib.request.urlopen(urllib.request.Request(url, rules, method="PUT"), timeout=5)
    try:
        yield
    finally:
        urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=5)


def refused_webhook(environment: Environment) -> None:
    """A request that the application writes a line about."""
    request = urllib.request.Request(
        f"{environment.outputs['api_url']}/webhook", data=b"{}", method="POST"
    )
    context = create_default_context(cafile=environment.ca_bundle)
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(request, timeout=5, context=context)


def test_a_restart_replaces_every_task_unnoticed_and_is_watched_from_another_terminal(
    environment: Environment, serving: str
) -> None:
    before = environment.running_tasks()
    with constant_traffic(environment) as load:
        # It waits at its hook until somebody watches.
        with held(environment, operation="ContinueServiceDeployment"):
            restarting = environment.start("restart.yml")
            restarting.wait_for_output("check  Meta's handshake")
            watching = environment.start("watch.yml")
            watching.wait_for_output("POST_TEST_TRAFFIC_SHIFT")
        watched, restarted = watching.finish(), restarting.finish()
        report = load.stop()
    assert restarted.returncode == 0, restarted.output
    assert f"RESTARTED release {serving}" in restarted.output
    assert_nobody_noticed(report)
    assert not set(environment.running_tasks()) & set(before)
    assert release_of(environment) == serving
    assert watched.returncode == 0, watched.output
    assert "BAKE_TIME" in watched.output
    assert "DEPLOYED" in watched.output.split("PLAY RECAP")[-1]
    record = ledger(environment)[-1]
    assert (record["runbook"], record["verdict"], record["release"]) == (
        "restart.yml", "RESTARTED", serving,
    )  # fmt: skip


def test_a_restart_that_was_killed_is_found_again(environment: Environment) -> None:
    before = deployments(environment)
    killed = environment.start("restart.yml")
    killed.wait_for_output("SCALE_UP")
    send(tree(killed.process.pid), signal.SIGKILL)
    killed.finish()
    again = environment.run("restart.yml", "-e", "lock_wait=20")
    assert again.returncode == 0, again.output
    assert "RESTARTED" in again.output
    assert deployments(environment) == before + 1


def test_watching_nothing_says_so(environment: Environment, serving: str) -> None:
    run = environment.run("watch.yml")
    assert run.returncode == 0, run.output
    assert "no deployment is in progress; the last one ended" in run.output
    assert f"{serving} (" in run.output
    assert environment.calls(run.started, writes=True) == []


@pytest.fixture
def no_scale_in(environment: Environment) -> Iterator[None]:
    """Little load is a reason to scale in; for the length of a test it is none."""
    client, names = environment.client("application-autoscaling"), environment.outputs
    target = {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{names['cluster_name']}/{names['service_name']}",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    for suspended in (True, False):
        state = {"DynamicScalingInSuspended": suspended}
        client.register_scalable_target(**target, SuspendedState=state)
        if suspended:
            yield


@pytest.mark.usefixtures("no_scale_in")
def test_scaling_stays_in_the_bounds_and_does_nothing_twice(environment: Environment) -> None:
    bounds = environment.outputs["autoscaling"]
    tasks = len(environment.running_tasks())
    refused = environment.run("scale.yml", "-e", f"count={bounds['max'] + 1}")
    assert refused.returncode == 2
    assert "terraform/local.tfvars" in refused.output
    predicted = environment.run("scale.yml", "-e", f"count={tasks + 1}", "--check", "--diff")
    assert predicted.returncode == 0, predicted.output
    assert f"+desired: {tasks + 1}" in predicted.output
    assert environment.calls(refused.started, writes=True) == []
    assert len(environment.running_tasks()) == tasks

    more = environment.run("scale.yml", "-e", f"count={tasks + 1}")
    assert more.returncode == 0, more.output
    assert "SCALED" in more.output
    assert "scaling in is suspended" in more.output
    assert len(environment.running_tasks()) == tasks + 1
    assert ledger(environment)[-1]["command"] == f"scale.yml count={tasks + 1}"
    again = environment.run("scale.yml", "-e", f"count={tasks + 1}")
    assert "UNCHANGED" in again.output
    assert environment.calls(again.started, writes=True) == []
    fewer = environment.run("scale.yml", "-e", f"count={tasks}")
    assert fewer.returncode == 0, fewer.output


def test_logs_show_the_last_lines_and_those_that_come(environment: Environment) -> None:
    following = environment.start("logs.yml", "-e", "follow_for=8", "-e", "since=1s")
    following.wait_for_output("Ctrl-C ends it")
    assert "webhook refused" not in following.output()
    refused_webhook(environment)
    run = following.finish()
    assert run.returncode == 0, run.output
    assert run.output.count("webhook refused") == 1
    assert environment.calls(run.started, writes=True) == []

    last = environment.run("logs.yml", "-e", "since=5m", "-e", "limit=1", "-e", "filter=refused")
    assert last.returncode == 0, last.output
    assert "1 lines of" in last.output
    assert "webhook refused" in last.output
    wrong = environment.run("logs.yml", "-e", "since=yesterday")
    assert wrong.returncode == 2
    assert "write 90s, 15m, 2h or 1d" in wrong.output


def test_a_command_runs_each_time_with_its_log_and_its_exit_code(
    environment: Environment, serving: str
) -> None:
    for _ in range(2):
        run = environment.run("run.yml", "-e", "command='seed --file tenants.json'")
        assert run.returncode == 0, run.output
        assert "booking seed: 3 tenants" in run.output
        assert f"SUCCEEDED release {serving}" in run.output
        writes = [call.operation for call in environment.calls(run.started, writes=True)]
        assert writes.count("RunTask") == 1
        # Only the run's own record besides, and a definition where the release had none yet.
        assert set(writes) <= {"RunTask", "PutObject", "RegisterTaskDefinition"}
    record = ledger(environment)[-1]
    assert record["command"] == "run.yml command=seed --file tenants.json"
    assert (record["verdict"], record["token"]) == ("SUCCEEDED", 0)

    script = "import sys; print('goodbye'); sys.exit(7)"
    arguments = json.dumps({"command": ["-c", script], "entrypoint": "python"})
    failed = environment.run("run.yml", "-e", arguments)
    assert failed.returncode == 2
    assert "\n  goodbye\n" in failed.output
    assert "exit code 7" in failed.output.split("PLAY RECAP")[-1]
    logs = environment.run("logs.yml", "-e", "filter=goodbye")
    assert "lyo-local-run: task" in logs.output
    assert "exit code 7" in logs.output


def test_a_command_that_cannot_be_run_or_shown_is_refused(environment: Environment) -> None:
    run = environment.run("run.yml", "-e", "command='psql postgres://lyo:correct-horse@db/lyo'")
    assert run.returncode == 2
    assert "seems to hold a secret" in run.output
    assert "correct-horse" not in run.output
    missing = f"image={environment.outputs['repository_url']}:never-built"
    unknown = environment.run("run.yml", "-e", "command=smoke", "-e", missing)
    assert unknown.returncode == 2, unknown.output
    assert "never-built" in unknown.output
    migrates = environment.run("run.yml", "-e", "command=migrate", "-e", "release=v2")
    assert migrates.returncode == 2
    assert "ansible-playbook migrate.yml -e env=local -e release=v2" in migrates.output
    assert environment.calls(migrates.started, writes=True) == []
    predicted = environment.run("run.yml", "-e", "command=smoke", "--check")
    assert predicted.returncode == 0, predicted.output
    assert "PREDICTED" in predicted.output
    assert environment.calls(predicted.started, writes=True) == []


@contextmanager
def distrusted(environment: Environment) -> Iterator[None]:
    """The tasks' role trusts somebody else for the length of the block."""
    iam, name = environment.client("iam"), environment.outputs["task_role_arn"].rpartition("/")[2]
    before = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    other = json.loads(json.dumps(before).replace("ecs-tasks.amazonaws.com", "ec2.amazonaws.com"))
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(other))
    try:
        yield
    finally:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(before))


def test_preflight_finds_what_a_release_would_stumble_over_before_it_writes(
    environment: Environment, serving: str
) -> None:
    ready = environment.run("preflight.yml")
    assert ready.returncode == 0, ready.output
    assert f"READY release {serving}" in ready.output
    # What nobody can tell here is not passed over.
    assert "? permissions: cannot be checked" in ready.output
    secret = environment.secret(environment.outputs["whatsapp_secret_arn"])
    assert not any(value in ready.output for value in secret.values() if len(value) > 16)

    with distrusted(environment):
        wrong = environment.run("preflight.yml")
        assert wrong.returncode == 2
        assert "! roles: lyo-local-task does not trust ecs-tasks.amazonaws.com" in wrong.output
        deploying = environment.run(
            *("deploy.yml", "-e", "release=slow", "-e", "infra=skip"),
            *("-e", "lyo_deploy_preflight=true"),
        )
    assert deploying.returncode == 2, deploying.output
    assert "lyo-local-task does not trust" in deploying.output
    # Only lock and record were written, and the roles by this test.
    writes = {
        call.operation
        for call in environment.calls(ready.started, writes=True)
        if call.error != "NotImplemented"
    }
    assert writes <= {"PutObject", "UpdateAssumeRolePolicy"}, writes
    assert release_of(environment) == serving


def as_it_is(environment: Environment) -> tuple[str, str]:
    """The deployment settings that the service has: those of the last release, turned back or not."""
    outputs = environment.outputs
    services = environment.client("ecs").describe_services(
        cluster=outputs["cluster_name"], services=[outputs["service_name"]]
    )["services"]
    found = services[0]["deploymentConfiguration"]
    settings = {
        "strategy": "BLUE_GREEN",
        "bake_time_minutes": found["bakeTimeInMinutes"],
        "pause_timeout_minutes": 30,
        "healthy_timeout": 180,
    }
    return "-e", json.dumps({"lyo_deployment": settings})


def test_diff_shows_what_a_deploy_would_change_and_changes_nothing(
    environment: Environment, serving: str
) -> None:
    other = "v1" if serving != "v1" else "v2"
    asked = ("-e", f"release={other}", "-e", "infra=skip", *as_it_is(environment))
    run = environment.run("diff.yml", *asked)
    assert run.returncode == 0, run.output
    assert f"-    lyo.release: {serving}" in run.output
    assert f"+    lyo.release: {other}" in run.output
    assert f"-digest: {environment.live_image().rpartition('@')[2]}" in run.output
    assert "--- service" not in run.output
    assert "a deploy would do: " in run.output
    assert f"DIFFERS release {other} (was {serving})" in run.output
    told = environment.run("diff.yml", *asked, "-e", "exit_code=true")
    assert told.returncode == 2, told.output
    assert environment.calls(run.started, writes=True) == []
