"""Releases and rollbacks under constant load: nobody's request fails, whatever is released or scaled.

100 requests a second from a process of its own, 3-second requests among them, measured at the client.
The tests follow each other: v1 is live before the first, v2 from then on; how many tasks there are is
changed while it happens, by hand and by Application Auto Scaling, and stays as it was changed.
`make soak` does it for 50,000 requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.load import Report
from tests.runbooks.harness import Environment, Run
from tests.runbooks.scaling import Scaling
from tests.runbooks.traffic import constant_traffic


@pytest.fixture(scope="module")
def scaling(environment: Environment) -> Iterator[Scaling]:
    """With scale-in suspended: between releases it would take back what a test has added."""
    scaling = Scaling(environment)
    before = scaling.desired()
    scaling.scale_in(suspended=True)
    yield scaling
    scaling.scale_in(suspended=False)
    scaling.set(before)
    scaling.wait_for(running=before)


def release_of(environment: Environment) -> str:
    """Name of the live release, from its image's tag."""
    repository = environment.outputs["repository_name"]
    digest = environment.live_image().rsplit("@", 1)[-1]
    image = environment.client("ecr").describe_images(
        repositoryName=repository, imageIds=[{"imageDigest": digest}]
    )["imageDetails"][0]
    return str(image["imageTags"][0]).rsplit("-", 1)[0]


def under_load(environment: Environment, runbook: str, *arguments: str) -> tuple[Run, Report]:
    """Run a runbook beside constant traffic."""
    with constant_traffic(environment) as load:
        run = environment.run(runbook, *arguments)
        return run, load.stop()


def scaled_under_load(
    environment: Environment, scaling: Scaling, count: int, release: str
) -> tuple[Run, Report]:
    """Deploy a release beside constant traffic, and change the desired count while it starts."""
    with constant_traffic(environment) as load:
        deploying = environment.start("deploy.yml", "-e", f"release={release}")
        deploying.wait_for_output("SCALE_UP")
        scaling.set(count)
        run = deploying.finish()
        return run, load.stop()


def assert_nobody_noticed(report: Report) -> None:
    assert report.failed == 0, report.summary()
    assert report.sent > 500
    assert report.requests["slow"]["sent"] > 0


def test_release_v2(environment: Environment, scaling: Scaling) -> None:
    run, report = scaled_under_load(environment, scaling, 3, "v2")
    assert run.returncode == 0, run.output
    assert "DEPLOYED release v2" in run.output
    assert_nobody_noticed(report)
    assert set(report.releases) == {"v1", "v2"}
    assert release_of(environment) == "v2"
    scaling.is_kept(3)


def test_rollback_after_clean_up_and_forward_again(
    environment: Environment, scaling: Scaling
) -> None:
    run, report = under_load(environment, "rollback.yml")
    assert run.returncode == 0, run.output
    assert "ROLLED_BACK" in run.output
    assert_nobody_noticed(report)
    assert release_of(environment) == "v1"
    scaling.is_kept(3)

    run, report = under_load(environment, "deploy.yml", "-e", "release=v2")
    assert run.returncode == 0, run.output
    assert_nobody_noticed(report)
    assert release_of(environment) == "v2"


def test_rollback_during_bake_is_a_flip_of_weights(
    environment: Environment, scaling: Scaling
) -> None:
    deployment = json.dumps({"lyo_deployment": {"bake_time_minutes": 10}})
    with constant_traffic(environment) as load:
        deploying = environment.start("deploy.yml", "-e", "release=v1", "-e", deployment)
        deploying.wait_for_output("BAKE_TIME")
        scaling.set(4)
        scaling.wait_for(running=8)  # blue and green
        tasks = environment.running_tasks()
        rolled_back = environment.run("rollback.yml")
        deployed = deploying.finish()
        report = load.stop()
    assert rolled_back.returncode == 0, rolled_back.output
    assert "ROLLED_BACK" in rolled_back.output
    assert_nobody_noticed(report)
    assert release_of(environment) == "v2"
    assert set(environment.running_tasks()) <= set(tasks), "a task was started for the rollback"
    # Whoever watched the release hears that it does not serve.
    assert deployed.returncode != 0
    assert "ROLLED_BACK" in deployed.output
    scaling.is_kept(4)


def test_a_release_that_starts_slowly_is_waited_for(environment: Environment) -> None:
    run, report = under_load(environment, "deploy.yml", "-e", "release=slow")
    assert run.returncode == 0, run.output
    assert "DEPLOYED release slow" in run.output
    assert_nobody_noticed(report)
    assert release_of(environment) == "slow"


@pytest.mark.parametrize(
    ("release", "reason", "count"),
    [
        ("crash", "exit code 3", 2),
        ("unhealthy", "503", 3),
        ("badsmoke", "/smoke", 2),
    ],
)
def test_a_broken_release_is_turned_back(
    environment: Environment, scaling: Scaling, release: str, reason: str, count: int
) -> None:
    before = environment.live_image()
    run, report = scaled_under_load(environment, scaling, count, release)
    assert run.returncode == 2, run.output
    assert f"ROLLED_BACK release {release}" in run.output
    assert reason in run.output
    assert_nobody_noticed(report)
    assert set(report.releases) == {"slow"}, "customers reached the broken release"
    assert environment.live_image() == before
    scaling.is_kept(count)


def test_a_canary_gets_its_share_before_the_rest_and_is_scaled_out(
    environment: Environment, scaling: Scaling
) -> None:
    deployment = {
        "strategy": "CANARY",
        "canary_percent": 10,
        "canary_bake_time_minutes": 8,
        "bake_time_minutes": 1,
    }
    canary = ("-e", "release=v1", "-e", json.dumps({"lyo_deployment": deployment}))
    with constant_traffic(environment) as load:
        deploying = environment.start("deploy.yml", *canary)
        deploying.wait_for_output("10 % of the traffic")
        count = scaling.out_by_policy()
        scaling.wait_for(running=2 * count)  # blue and green
        run, report = deploying.finish(), load.stop()
    assert run.returncode == 0, run.output
    assert "DEPLOYED release v1" in run.output
    assert "10 % of the traffic" in run.output
    assert_nobody_noticed(report)
    # While the canary bakes, most answers are still the old release's.
    mixed = [s["releases"] for s in report.series if {"v1", "slow"} <= set(s["releases"])]
    assert mixed
    assert sum(s["v1"] for s in mixed) < sum(s["slow"] for s in mixed)
    scaling.is_kept(count)
    (last, *_) = scaling.activities()
    assert last["Description"] == f"Setting desired count to {count}."
    assert "triggered policy test" in last["Cause"]
    assert last["StatusCode"] == "Successful"


def test_bad_traffic_under_a_canary_is_turned_back_by_its_alarm(environment: Environment) -> None:
    deployment = {
        "strategy": "CANARY",
        "canary_percent": 10,
        "canary_bake_time_minutes": 10,
        "bake_time_minutes": 3,
    }
    run, report = under_load(
        environment,
        "deploy.yml",
        *("-e", "release=badtraffic", "-e", json.dumps({"lyo_deployment": deployment})),
    )
    assert run.returncode == 2, run.output
    assert "ROLLED_BACK release badtraffic" in run.output
    assert "alarms in state ALARM: lyo-local-release-5xx" in run.output
    assert release_of(environment) == "v1"
    # What failed is the canary's share at most, and only what the release itself answered.
    assert set(report.kinds) == {"status 500"}, report.summary()
    assert report.failed < 0.1 * report.sent
    assert report.releases["badtraffic"] < 0.2 * report.releases["v1"]
    said = re.search(
        r"([\d,]+) of ([\d,]+) requests \([\d.]+ %\) were answered with 5xx by the new revision "
        r"while 10 % of the traffic was on it; it got ([\d,]+) of them",
        run.output,
    )
    assert said, run.output
    failed, everyone, canary = (int(number.replace(",", "")) for number in said.groups())
    assert failed == report.failed
    assert failed < canary < 0.15 * everyone
    assert re.search(
        r"alarm lyo-local-release-5xx: .* was [\d.]+, above its threshold of 5\b", run.output
    )


def test_after_all_of_it_nothing_is_left_to_do(environment: Environment) -> None:
    """Not even for Terraform: how many tasks there are is not its business."""
    planned = environment.run("deploy.yml", "-e", "infra=plan")
    assert planned.returncode == 0, planned.output
    assert "changed=0" in planned.output, planned.output
    run = environment.run("deploy.yml")
    assert run.returncode == 0, run.output
    assert "UNCHANGED" in run.output
    assert environment.calls(run.started, writes=True) == []
