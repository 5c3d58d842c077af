"""When a target that is being deregistered has drained, and when it is forgotten."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localcloud.clock import Clock
from localcloud.dataplane.envoy.health import Host
from localcloud.services.elbv2.balancing import Balancing

ARN = "arn:aws:elasticloadbalancing:eu-south-1:123456789012:targetgroup/blue/1a"
KEY = ("127.1.16.1", 8080)


@dataclass
class FakePlane:
    """What Envoy would show."""

    known: dict[str, dict[tuple[str, int], Host]] = field(default_factory=dict)
    in_flight: int = 0

    def hosts(self) -> dict[str, dict[tuple[str, int], Host]]:
        return self.known

    def active_requests(self, _: str) -> int:
        return self.in_flight


@pytest.fixture
def plane() -> FakePlane:
    return FakePlane()


@pytest.fixture
def balancing(tmp_path: Path, plane: FakePlane, monkeypatch: pytest.MonkeyPatch) -> Balancing:
    cloud: Any = SimpleNamespace(
        settings=SimpleNamespace(state_dir=tmp_path, number=1, account_id="123456789012"),
        clock=Clock(10),
    )
    made = Balancing(cloud)
    monkeypatch.setattr(made, "plane", plane)
    group = SimpleNamespace(attributes={"deregistration_delay.timeout_seconds": "60"})
    monkeypatch.setattr(made, "group", lambda _: group)
    made.targets.register(ARN, *KEY)
    return made


def leave(balancing: Balancing, *, seconds_ago: float) -> None:
    balancing.targets.deregister(ARN, *KEY, time.monotonic() - seconds_ago)


def drained(balancing: Balancing) -> bool:
    return balancing.targets.of(ARN)[KEY].drained


def test_a_target_with_requests_in_flight_is_waited_for(
    balancing: Balancing, plane: FakePlane
) -> None:
    plane.known = {"blue-1a": {KEY: Host(False, False, True, active_requests=1)}}
    leave(balancing, seconds_ago=1)
    assert not balancing.settle()
    assert not drained(balancing)
    plane.known = {"blue-1a": {KEY: Host(False, False, True, active_requests=0)}}
    assert balancing.settle()
    assert drained(balancing)


def test_an_idle_target_is_given_time_for_what_is_being_handed_over(
    balancing: Balancing, plane: FakePlane
) -> None:
    plane.known = {"blue-1a": {KEY: Host(False, False, True, active_requests=0)}}
    leave(balancing, seconds_ago=0)
    assert not balancing.settle()


def test_the_last_target_is_judged_by_the_groups_requests(
    balancing: Balancing, plane: FakePlane
) -> None:
    plane.known, plane.in_flight = {"blue-1a": {}}, 2
    leave(balancing, seconds_ago=1)
    assert not balancing.settle()
    plane.in_flight = 0
    assert balancing.settle()


def test_a_group_that_is_not_served_drains_at_once(balancing: Balancing) -> None:
    leave(balancing, seconds_ago=0)
    assert balancing.settle()
    assert drained(balancing)


def test_after_the_delay_it_is_gone_whatever_is_in_flight(
    balancing: Balancing, plane: FakePlane
) -> None:
    plane.known = {"blue-1a": {KEY: Host(False, False, True, active_requests=1)}}
    leave(balancing, seconds_ago=6.1)  # 61 s of the cloud's time
    assert balancing.settle()
    assert balancing.targets.of(ARN) == {}
