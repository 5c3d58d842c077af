"""The pure decisions behind tasks: order, health, exit codes, images, addresses, lines."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pytest

from localcloud.clock import Clock
from localcloud.dataplane.tasks import image as images
from localcloud.dataplane.tasks.addresses import AddressPool, NoAddressLeftError
from localcloud.dataplane.tasks.container import exit_code, work_limit
from localcloud.dataplane.tasks.dependencies import (
    Progress,
    Readiness,
    condition,
    find_cycle,
    readiness,
    stoppable,
)
from localcloud.dataplane.tasks.health import HealthCheck, HealthTracker, task_health
from localcloud.dataplane.tasks.logpump import BUFFER_BYTES, EVENT_BYTES, Channel

NOTHING, STARTED = Progress(), Progress(started=True)
HEALTHY = Progress(started=True, healthy=True)
DONE, FAILED = Progress(started=True, exit_code=0), Progress(started=True, exit_code=1)
NEVER_STARTED = Progress(exit_code=127)


@pytest.mark.parametrize(
    ("kind", "progress", "expected"),
    [
        ("START", NOTHING, Readiness.WAITING),
        ("START", STARTED, Readiness.READY),
        ("START", FAILED, Readiness.READY),
        ("START", NEVER_STARTED, Readiness.NEVER),
        ("COMPLETE", STARTED, Readiness.WAITING),
        ("COMPLETE", FAILED, Readiness.READY),
        ("SUCCESS", STARTED, Readiness.WAITING),
        ("SUCCESS", DONE, Readiness.READY),
        ("SUCCESS", FAILED, Readiness.NEVER),
        ("HEALTHY", STARTED, Readiness.WAITING),
        ("HEALTHY", HEALTHY, Readiness.READY),
        ("HEALTHY", DONE, Readiness.NEVER),
    ],
)
def test_a_dependency_is_met_possible_or_lost(
    kind: str, progress: Progress, expected: Readiness
) -> None:
    assert condition(kind, progress) is expected


def test_a_container_waits_for_all_and_gives_up_for_one() -> None:
    needs = {"app": [("init", "SUCCESS"), ("db", "HEALTHY")]}
    assert readiness("app", needs, {"init": DONE, "db": STARTED}) is Readiness.WAITING
    assert readiness("app", needs, {"init": DONE, "db": HEALTHY}) is Readiness.READY
    assert readiness("app", needs, {"init": FAILED, "db": STARTED}) is Readiness.NEVER
    assert readiness("free", needs, {}) is Readiness.READY


def test_containers_stop_in_the_reverse_order() -> None:
    needs = {"app": [("db", "START")], "proxy": [("app", "START")], "db": []}
    assert stoppable(needs, {"app", "db", "proxy"}) == {"proxy"}
    assert stoppable(needs, {"app", "db"}) == {"app"}
    assert stoppable(needs, {"db"}) == {"db"}


def test_a_cycle_is_found_and_named() -> None:
    assert find_cycle({"a": [("b", "START")], "b": [("c", "START")], "c": []}) == []
    assert find_cycle({"a": [("b", "START")], "b": [("a", "START")]}) == ["a", "b", "a"]
    assert find_cycle({"a": [("a", "START")]}) == ["a", "a"]


@pytest.mark.parametrize(("returncode", "code"), [(0, 0), (3, 3), (-9, 137), (-15, 143)])
def test_exit_codes_are_a_containers(returncode: int, code: int) -> None:
    assert exit_code(returncode) == code


def test_limits_on_real_work_are_not_scaled_to_nothing() -> None:
    assert work_limit(Clock(10), 30) == 3.0
    assert work_limit(Clock(1000), 30) == 2.0
    assert work_limit(Clock(1000), 1) == 1
    assert work_limit(Clock(1), 30) == 30


def test_health_needs_as_many_failures_as_retries_in_a_row() -> None:
    tracker = HealthTracker(HealthCheck(("CMD", "x"), retries=2))
    assert tracker.status == "UNKNOWN"
    assert tracker.record(succeeded=False, age=30) == "UNKNOWN"
    assert tracker.record(succeeded=True, age=60) == "HEALTHY"
    assert tracker.record(succeeded=False, age=90) == "HEALTHY"
    assert tracker.record(succeeded=False, age=120) == "UNHEALTHY"
    assert tracker.record(succeeded=True, age=150) == "HEALTHY"


def test_failures_in_the_start_period_do_not_count_until_a_success() -> None:
    tracker = HealthTracker(HealthCheck(("CMD", "x"), retries=1, start_period=100))
    assert tracker.record(succeeded=False, age=99) == "UNKNOWN"
    assert tracker.record(succeeded=False, age=100) == "UNHEALTHY"
    early = HealthTracker(HealthCheck(("CMD", "x"), retries=1, start_period=100))
    early.record(succeeded=True, age=10)
    assert early.record(succeeded=False, age=20) == "UNHEALTHY"


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        (["UNHEALTHY", "UNKNOWN"], "UNHEALTHY"),
        (["UNHEALTHY", "HEALTHY"], "UNHEALTHY"),
        (["HEALTHY", "UNKNOWN"], "UNKNOWN"),
        (["HEALTHY", "HEALTHY"], "HEALTHY"),
        ([], "UNKNOWN"),
    ],
)
def test_the_tasks_health_follows_the_documented_table(
    containers: list[str], expected: str
) -> None:
    assert task_health(containers) == expected


def test_health_commands() -> None:
    assert HealthCheck.of({"command": ["CMD", "a", "b"]}).argv == ("a", "b")
    assert HealthCheck.of({"command": ["CMD-SHELL", "a || b"]}).argv == ("/bin/sh", "-c", "a || b")


@pytest.mark.parametrize(
    ("entry_point", "command", "expected"),
    [
        (None, None, ["python", "-m", "app", "serve"]),
        (None, ["migrate"], ["python", "-m", "app", "migrate"]),
        (["sh"], None, ["sh"]),
        (["sh"], ["-c", "true"], ["sh", "-c", "true"]),
    ],
)
def test_entry_point_and_command_combine_as_in_a_container(
    entry_point: list[str] | None, command: list[str] | None, expected: list[str]
) -> None:
    config = {"Entrypoint": ["python", "-m", "app"], "Cmd": ["serve"]}
    assert images.words(config, entry_point, command) == expected


def test_paths_of_the_image_are_below_its_root(tmp_path: Path) -> None:
    config = {"Env": ["PATH=/app/bin:/usr/bin", "PYTHONPATH=/app:/deps", "DATA=/data"]}
    env = images.environment(config, tmp_path, {"PYTHONPATH": "/other"}, base_path=["/shims"])
    assert env["PYTHONPATH"] == f"{tmp_path}/other"
    assert env["DATA"] == "/data"
    assert env["PATH"].split(os.pathsep)[:3] == [
        f"{tmp_path}/app/bin",
        f"{tmp_path}/usr/bin",
        "/shims",
    ]
    assert images.below(tmp_path, "/../../etc") == tmp_path / "etc"


def test_programs_are_the_images_but_for_python_and_sh(tmp_path: Path) -> None:
    tool = tmp_path / "app" / "tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    path = f"{tmp_path}/app{os.pathsep}/usr/bin"

    def resolve(*argv: str) -> tuple[str, ...]:
        return images.resolve(argv, tmp_path, tmp_path / "app", path)

    assert resolve("tool", "x") == (str(tool), "x")
    assert resolve("/app/tool") == (str(tool),)
    assert resolve("./tool") == (str(tool),)
    assert resolve("python", "-c", "") == (images.interpreter(), "-c", "")
    assert resolve("/usr/local/bin/python3.12")[0] == images.interpreter()
    assert resolve("sh", "-c", "true") == ("/bin/sh", "-c", "true")
    for absent in (["env"], ["/bin/ls"], ["./nothing"], []):
        with pytest.raises(images.NotRunnableError):
            resolve(*absent)


def test_only_process_images_are_run() -> None:
    images.check_kind({"Labels": {"lyo.image.kind": "process"}}, "i")
    for config in ({}, {"Labels": None}, {"Labels": {"lyo.image.kind": "container"}}):
        with pytest.raises(images.NotRunnableError, match="container engine"):
            images.check_kind(config, "i")


def test_an_image_for_another_python_is_refused_before_it_fails_to_import() -> None:
    labels = {"lyo.image.kind": "process", "lyo.image.python": images.PYTHON_VERSION}
    images.check_kind({"Labels": labels}, "i")
    with pytest.raises(images.NotRunnableError, match=r"built for Python 2\.7"):
        images.check_kind({"Labels": {**labels, "lyo.image.python": "2.7"}}, "i")


def test_an_image_does_not_see_the_packages_of_the_local_cloud() -> None:
    found = subprocess.run(
        [images.interpreter(), "-c", "import moto"], capture_output=True, text=True, check=False
    )
    assert "ModuleNotFoundError" in found.stderr


def test_an_address_comes_back_last() -> None:
    pool = AddressPool(lambda index: f"127.1.16.{index + 1}", size=3)
    assert pool.take() == "127.1.16.1"
    pool.give_back("127.1.16.1")
    assert [pool.take() for _ in range(3)] == ["127.1.16.2", "127.1.16.3", "127.1.16.1"]
    with pytest.raises(NoAddressLeftError):
        pool.take()
    pool.give_back("127.1.16.2")
    assert pool.take() == "127.1.16.2"


def test_output_is_cut_into_lines() -> None:
    channel = Channel(io.BytesIO(), lambda _: None)
    channel.feed(b"one\r\ntw", 1)
    channel.feed(b"o\n\nthr", 2)
    channel.finish(3)
    assert list(channel.lines) == [(1, "one"), (2, "two"), (3, "thr")]


def test_a_line_too_long_for_an_event_is_split_and_a_full_buffer_drops() -> None:
    channel = Channel(io.BytesIO(), lambda _: None)
    channel.feed(b"x" * (EVENT_BYTES + 1) + b"\n", 1)
    assert [len(text) for _, text in channel.lines] == [EVENT_BYTES, 1]
    channel.buffered = BUFFER_BYTES
    channel.feed(b"lost\n", 2)
    assert len(channel.lines) == 2
