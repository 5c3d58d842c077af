"""Faults on purpose: which calls they meet, and what the caller sees."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from localcloud.api import AwsError
from localcloud.faults import RESOURCE, CutError, Faults, Rule, parse

OURS = {"HTTP_USER_AGENT": "Botocore/1 lyo-ops", "PATH_INFO": "/", "localcloud.body": b"1"}


class World:
    """A call that counts how often it took effect."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self) -> str:
        self.done += 1
        return f"answer {self.done}"


@pytest.fixture
def world() -> World:
    return World()


def faults(*rules: dict[str, Any], seed: int = 0) -> Faults[str]:
    made: Faults[str] = Faults()
    made.set(*parse({"seed": seed, "rules": list(rules)}))
    return made


def call(
    made: Faults[str],
    do: Callable[[], str],
    operation: str = "UpdateService",
    kind: str = "write",
    service: str = "ecs",
    **environ: Any,
) -> str:
    return made.around(service, operation, kind, {**OURS, **environ}, do)


@pytest.mark.parametrize(
    ("action", "code", "status"),
    [
        ("throttle", "ThrottlingException", 400),
        ("error", "InternalFailure", 500),
        ("expired", "ExpiredTokenException", 400),
    ],
)
def test_an_error_comes_instead_of_the_call(
    world: World, action: str, code: str, status: int
) -> None:
    with pytest.raises(AwsError) as caught:
        call(faults({"action": action}), world)
    assert (caught.value.code, caught.value.status, world.done) == (code, status, 0)


@pytest.mark.parametrize(("when", "done"), [("before", 0), ("after", 1)])
def test_a_connection_is_cut_before_or_after_the_call_took_effect(
    world: World, when: str, done: int
) -> None:
    with pytest.raises(CutError) as caught:
        call(faults({"action": "cut", "when": when}), world)
    assert (world.done, caught.value.executed) == (done, bool(done))


def test_only_what_a_rule_names_is_met(world: World) -> None:
    made = faults({"action": "error", "service": "ecs", "operation": "UpdateService", "nth": 2})
    call(made, world, "DescribeServices", "read")
    call(made, world, service="rds")
    call(made, world, HTTP_USER_AGENT="APN/1.0 HashiCorp")
    call(made, world)
    with pytest.raises(AwsError):
        call(made, world)
    call(made, world)
    assert world.done == 5


def test_credentials_expire_from_a_call_on(world: World) -> None:
    made = faults({"action": "expired", "first": 3})
    call(made, world)
    call(made, world, "DescribeServices", "read")
    for _ in range(3):
        with pytest.raises(AwsError):
            call(made, world, "DescribeServices", "read")


def test_a_seed_gives_the_same_faults_and_about_the_rate(world: World) -> None:
    def met(seed: int) -> list[bool]:
        made, seen = faults({"action": "throttle", "rate": 0.3}, seed=seed), []
        for _ in range(1000):
            try:
                call(made, world)
            except AwsError:
                seen.append(True)
            else:
                seen.append(False)
        return seen

    assert met(1) == met(1)
    assert met(1) != met(2)
    assert 240 < sum(met(1)) < 360


def test_a_stale_read_shows_what_was_before_and_not_for_ever(world: World) -> None:
    made = faults({"action": "stale", "first": 2, "seconds": 0.2})
    assert call(made, world, "DescribeServices", "read") == "answer 1"
    assert call(made, world, "DescribeServices", "read") == "answer 1"
    assert call(made, world, "DescribeServices", "read", **{"localcloud.body": b"2"}) == "answer 2"
    time.sleep(0.25)
    assert call(made, world, "DescribeServices", "read") == "answer 3"


def test_s3_and_writes_are_never_stale(world: World) -> None:
    made = faults({"action": "stale", "seconds": 60})
    answers = [call(made, world, "GetObject", "read", service="s3") for _ in range(2)]
    answers += [call(made, world) for _ in range(2)]
    assert answers == ["answer 1", "answer 2", "answer 3", "answer 4"]


@pytest.mark.parametrize(
    ("when", "drop", "done", "cut"),
    [("before", True, 0, True), ("before", False, 1, False), ("after", True, 1, True)],
)
def test_a_call_is_held_until_it_is_released(
    world: World, when: str, drop: bool, done: int, cut: bool
) -> None:
    made = faults({"action": "hold", "when": when})
    ends: list[str] = []

    def caller() -> None:
        try:
            ends.append(call(made, world))
        except CutError:
            ends.append("cut")

    thread = threading.Thread(target=caller)
    thread.start()
    while not made.report()["held"]:
        time.sleep(0.005)
    assert made.report()["held"] == ["ecs:UpdateService"]
    assert ends == []
    assert made.release(drop=drop) == 1
    thread.join(5)
    assert (world.done, ends == ["cut"]) == (done, cut)


def test_over_http_a_schedule_is_set_reported_and_cleared() -> None:
    made: Faults[str] = Faults()
    seen: list[str] = []

    def ask(method: str, body: bytes = b"") -> Any:
        environ = {
            "REQUEST_METHOD": method,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        return json.loads(b"".join(made.serve(environ, lambda status, _: seen.append(status))))

    assert ask("PUT", b'{"seed": 3, "rules": [{"action": "slow", "seconds": 0}]}')["seed"] == 3
    assert ask("GET")["rules"][0]["action"] == "slow"
    assert ask("DELETE") == {}
    assert ask("GET")["rules"] == []
    assert "explode" in ask("PUT", b'{"rules": [{"action": "explode"}]}')["problem"]
    assert "colour" in ask("PUT", b'{"rules": [{"action": "cut", "colour": 1}]}')["problem"]
    assert [status[:3] for status in seen] == ["200"] * 4 + ["400"] * 2


def test_without_rules_nothing_is_kept(world: World) -> None:
    made: Faults[str] = Faults()
    call(made, world)
    assert made.report()["calls"] == 0
    assert Rule("slow").meets("ecs", "X", "read", OURS)


def test_an_object_is_named_by_its_path_and_metadata(world: World) -> None:
    made = faults({"action": "cut", "request": r"/lyo\.lock\.json.*state=free"})
    path = {"PATH_INFO": "/bucket/lyo.lock.json", "service": "s3"}
    assert call(made, world, **path, HTTP_X_AMZ_META_LYO_STATE="held") == "answer 1"
    with pytest.raises(CutError):
        call(made, world, **path, HTTP_X_AMZ_META_LYO_STATE="free")
    assert call(made, world, PATH_INFO="/bucket/other", service="s3") == "answer 2"


def test_what_a_call_is_about_can_be_named(world: World) -> None:
    made = faults({"action": "error", "resource": r"/lyo-migrate:\d+$", "nth": 2})
    serves = {RESOURCE: "arn:task-definition/lyo:7"}
    migrates = {RESOURCE: "arn:task-definition/lyo-migrate:7"}
    for about in (serves, migrates, serves, {RESOURCE: None}):
        call(made, world, **about)
    with pytest.raises(AwsError):
        call(made, world, **migrates)


def test_a_spell_has_an_end(world: World) -> None:
    made = faults({"action": "throttle", "first": 2, "last": 3})
    assert call(made, world) == "answer 1"
    for _ in range(2):
        with pytest.raises(AwsError):
            call(made, world)
    assert call(made, world) == "answer 2"
