"""One run at a time: two deploys at once, a killed controller, an owner that stalls and comes back.

v2 is live before and after.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.runbooks.harness import Environment
from tests.runbooks.processes import send, tree
from tests.runbooks.test_2_releases import release_of

LOCK = "lyo.lock.json"


def bucket(environment: Environment) -> str:
    return f"lyo-local-{environment.content['account_id']}-tfstate"


def stored(environment: Environment, key: str) -> dict[str, Any]:
    answer = environment.client("s3").get_object(Bucket=bucket(environment), Key=key)
    content: dict[str, Any] = json.loads(answer["Body"].read())
    return content


def ledger(environment: Environment) -> list[dict[str, Any]]:
    """Every run on record, oldest first."""
    pages = environment.client("s3").get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=bucket(environment), Prefix="ledger/")
    keys = sorted(item["Key"] for page in found for item in page.get("Contents", []))
    return [stored(environment, key) for key in keys]


def deployments(environment: Environment) -> int:
    """How many service deployments there have been."""
    ecs, names, found = environment.client("ecs"), environment.outputs, 0
    place = {"cluster": names["cluster_name"], "service": names["service_name"]}
    page = ecs.list_service_deployments(**place)
    while True:
        found += len(page["serviceDeployments"])
        if not page.get("nextToken"):
            return found
        page = ecs.list_service_deployments(**place, nextToken=page["nextToken"])


@pytest.fixture(scope="module", autouse=True)
def v2_live(environment: Environment) -> None:
    run = environment.run("deploy.yml", "-e", "release=v2")
    assert run.returncode == 0, run.output


@pytest.fixture(autouse=True)
def free_again(environment: Environment) -> Iterator[None]:
    """Every test ends with a free lock: what it began has ended."""
    yield
    deadline = time.monotonic() + 20
    while stored(environment, LOCK)["state"] != "free":
        assert time.monotonic() < deadline, stored(environment, LOCK)
        time.sleep(0.2)


def test_of_two_deploys_at_once_one_leaves_with_the_holders_name(environment: Environment) -> None:
    before = deployments(environment)
    first = environment.start("deploy.yml", "-e", "release=v1")
    first.wait_for_output("TASK [lock : From here on")
    second = environment.run("deploy.yml", "-e", "release=slow")
    assert second.returncode == 2, second.output
    held = stored(environment, LOCK)
    assert f"locked by {held['owner']}@{held['host']}" in second.output
    assert "deploy.yml release=v1" in second.output
    assert f"take_over={held['token']}" in second.output
    done = first.finish()
    assert done.returncode == 0, done.output
    assert release_of(environment) == "v1"
    assert deployments(environment) == before + 1
    assert [run["release"] for run in ledger(environment)[-1:]] == ["v1"], "the refused run wrote"


def test_a_second_deploy_that_waits_goes_on_with_what_the_first_has_left(
    environment: Environment,
) -> None:
    before = deployments(environment)
    first = environment.start("deploy.yml", "-e", "release=v2")
    first.wait_for_output("SCALE_UP")
    second = environment.run("deploy.yml", "-e", "release=v2", "-e", "lock_wait=120")
    assert first.finish().returncode == 0
    assert second.returncode == 0, second.output
    assert "waiting for" in second.output
    assert "UNCHANGED" in second.output
    assert deployments(environment) == before + 1


def test_a_killed_controller_leaves_a_free_lock_a_record_and_a_release_to_finish(
    environment: Environment,
) -> None:
    before = deployments(environment)
    killed = environment.start("deploy.yml", "-e", "release=v1")
    killed.wait_for_output("SCALE_UP")
    token = stored(environment, LOCK)["token"]
    send(tree(killed.process.pid), signal.SIGKILL)
    killed.finish()
    again = environment.run("deploy.yml", "-e", "release=v1", "-e", "lock_wait=20")
    assert again.returncode == 0, again.output
    assert "DEPLOYED release v1" in again.output
    assert "take" not in again.output.split("PLAY RECAP")[-1], "the lock had to be taken over"
    assert deployments(environment) == before + 1, (
        "the deployment that was under way was not adopted"
    )
    first, second = ledger(environment)[-2:]
    assert (first["verdict"], first["token"]) == ("KILLED", token)
    assert (second["verdict"], second["token"]) == ("DEPLOYED", token + 1)


def test_an_owner_that_stalled_cannot_write_after_it_was_overtaken(
    environment: Environment,
) -> None:
    before = deployments(environment)
    stalled = environment.start("deploy.yml", "-e", "release=slow", "-e", "lyo_lock_lease=4")
    stalled.wait_for_output("TASK [migration")
    processes = tree(stalled.process.pid)
    send(processes, signal.SIGSTOP)
    time.sleep(6)
    other = environment.run("deploy.yml", "-e", "release=v2")
    assert other.returncode == 0, other.output
    assert release_of(environment) == "v2"
    woken = time.monotonic()
    send(processes, signal.SIGCONT)
    run = stalled.finish(120)
    assert run.returncode == 2, run.output
    assert "another run has taken over" in run.output
    assert release_of(environment) == "v2"
    assert deployments(environment) == before + 1
    assert time.monotonic() - woken < 120
    last, overtaking = ledger(environment)[-2:]
    assert (last["release"], last["verdict"]) == ("slow", "FAILED")
    assert (overtaking["release"], overtaking["token"]) == ("v2", last["token"] + 1)


def test_a_rollback_during_bake_waits_for_nobody_and_is_on_record(environment: Environment) -> None:
    deploying = environment.start("deploy.yml", "-e", "release=v1")
    deploying.wait_for_output("BAKE_TIME")
    rolled_back = environment.run("rollback.yml")
    assert rolled_back.returncode == 0, rolled_back.output
    assert deploying.finish().returncode == 2
    assert release_of(environment) == "v2"
    runs = {run["runbook"]: run for run in ledger(environment)[-2:]}
    assert runs["rollback.yml"]["verdict"] == "ROLLED_BACK"
    assert runs["rollback.yml"]["token"] == 0, "it took the lock of the run it turned back"
    assert runs["deploy.yml"]["verdict"] == "ROLLED_BACK"


def test_a_lock_set_by_hand_stops_a_release_until_it_is_opened(environment: Environment) -> None:
    closed = environment.run("lock.yml", "-e", "message='tasting tonight'")
    assert closed.returncode == 0, closed.output
    refused = environment.run("deploy.yml", "-e", "release=v1", "-e", "lock_wait=1")
    assert refused.returncode == 2
    assert "tasting tonight" in refused.output
    token = stored(environment, LOCK)["token"]
    wrong = environment.run("unlock.yml", "-e", f"token={token - 1}")
    assert wrong.returncode == 2
    assert stored(environment, LOCK)["state"] == "held"
    assert environment.run("unlock.yml", "-e", f"token={token}").returncode == 0
    assert release_of(environment) == "v2"


def test_what_changes_nothing_takes_no_lock(environment: Environment) -> None:
    token, runs = stored(environment, LOCK)["token"], len(ledger(environment))
    run = environment.run("deploy.yml")
    assert "UNCHANGED" in run.output
    assert environment.calls(run.started, writes=True) == []
    assert stored(environment, LOCK)["token"] == token
    assert len(ledger(environment)) == runs
