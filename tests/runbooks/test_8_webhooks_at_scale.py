"""webhooks.yml for many restaurants that the deployed application serves. Leaves what served.

LYO_TEST_RESTAURANTS says how many: 300, so that it does not take long, a thousand and more by hand.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.runbooks import processes
from tests.runbooks.harness import Environment, Run
from tests.runbooks.restaurants import Restaurants, restaurants

COUNT = int(os.environ.get("LYO_TEST_RESTAURANTS", "300"))
# Messages a second that the restaurants get while something changes.
RATE = 20.0
# The application ignores it, so that it stands for another deployment.
OTHER = "lyo_webhooks_path=/webhook?deployment=2"


@pytest.fixture(scope="module")
def many(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Restaurants]:
    with restaurants(environment, COUNT, tmp_path_factory.mktemp("restaurants")) as made:
        # The double answers at once, so that how fast it is called is up to this machine.
        made.faster(rate=500, max_rate=2000)
        yield made


def register(many: Restaurants, *arguments: str) -> Run:
    return many.environment.run("webhooks.yml", *many.options, *arguments)


@contextmanager
def traffic(many: Restaurants) -> Iterator[None]:
    """Messages to every restaurant meanwhile: none is refused, lost, or without a way."""
    many.double.deliver(rate=RATE, timeout=30)
    yield
    report = many.double.stop_delivery(drain=20)
    assert report["sent"] > RATE
    troubles = ("refused", "unanswered", "unrouted", "lost", "pending")
    assert {name: report[name] for name in troubles} == dict.fromkeys(troubles, 0)


def test_the_first_registration_is_proven_in_the_applications_log(many: Restaurants) -> None:
    run = register(many)
    assert run.returncode == 0, run.output
    assert "REGISTERED" in run.output
    assert set(many.double.routes().values()) == {many.url}
    logs = many.environment.client("logs").get_paginator("filter_log_events")
    pages = logs.paginate(
        logGroupName=many.environment.outputs["log_group"],
        startTime=int(run.started.timestamp() * 1000),
        filterPattern='"webhook probe"',
    )
    told = "\n".join(event["message"] for page in pages for event in page["events"])
    assert [t["id"] for t in many.tenants if f'"{t["id"]}"' not in told] == []


def test_a_run_with_nothing_to_do_writes_nothing_anywhere(many: Restaurants) -> None:
    since = many.double.calls()[-1]["number"]
    run = register(many)
    assert run.returncode == 0, run.output
    assert "UNCHANGED" in run.output
    assert len(many.double.calls(since)) == 1 + 2 * COUNT
    assert many.double.calls(since, writes=True) == []
    assert many.environment.calls(run.started, writes=True) == []


def test_killed_in_the_middle_of_a_change_it_is_finished_by_the_next_run(
    many: Restaurants,
) -> None:
    double, new = many.double, many.url + "?deployment=2"
    double.watch(many.url, new)
    with traffic(many):
        double.faults({"action": "hold", "when": "after", "kind": "write", "nth": COUNT // 2})
        running = many.environment.start("webhooks.yml", *many.options, "-e", OTHER)
        assert double.wait_held(120), running.output()
        processes.send(processes.tree(running.process.pid), signal.SIGKILL)
        running.process.wait(30)
        double.release(drop=True)
        double.faults()
        reached = list(double.routes().values()).count(new)
        assert COUNT // 4 < reached < COUNT
        run = register(many, "-e", OTHER)
    assert run.returncode == 0, run.output
    assert set(double.routes().values()) == {new}
    assert double.gaps() == []


def test_what_was_before_the_change_comes_back(many: Restaurants) -> None:
    double = many.double
    with traffic(many):
        run = register(many, "-e", "restore=last")
    assert run.returncode == 0, run.output
    assert "RESTORED" in run.output
    assert set(double.routes().values()) == {many.url}
    assert double.gaps() == []
