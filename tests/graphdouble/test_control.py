"""Seeding, records, secrets, and the life of the process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from graphdouble import cli, lifecycle
from graphdouble.client import DoubleClient
from tests.graphdouble.meta import VERIFY, Meta
from tests.graphdouble.receiver import Receiver


def test_the_same_seed_gives_the_same_tenants(double: DoubleClient) -> None:
    first = double.seed(1000, seed=5)
    double.reset()
    assert double.seed(1000, seed=5) == first
    double.reset()
    assert double.seed(1000, seed=6)["tenants"] != first["tenants"]
    assert len({tenant["token"] for tenant in first["tenants"]}) == 1000
    assert len({tenant["account_id"] for tenant in first["tenants"]}) == 1000


def test_ten_thousand_tenants_are_seeded_at_once(double: DoubleClient) -> None:
    double.seed(10_000, numbers=1)
    assert double.call("GET", "health")["numbers"] == 10_000


def test_tenants_are_seeded_as_given(double: DoubleClient) -> None:
    given = [
        {"account_id": "11", "token": "token-of-both", "numbers": [{"id": "21"}]},
        {"account_id": "12", "token": "token-of-both", "numbers": [{"id": "22"}], "name": "Faro"},
    ]
    seeded = double.seed(given, new_app_id="77", app_secret="secret-of-the-app")
    assert seeded["app"] == {"id": "77", "secret": "secret-of-the-app"}
    meta = Meta(double, seeded)
    assert meta.call("GET", "21").status == meta.call("GET", "22").status == 200
    with pytest.raises(ValueError, match="21 exists"):
        double.seed([{"account_id": "13", "token": "t", "numbers": [{"id": "21"}]}])
    with pytest.raises(ValueError, match="missing"):
        double.seed([{"account_id": "13"}])


@pytest.mark.parametrize(
    "changes", [{"colour": 1}, {"lag": 100.0}, {"success": "maybe"}, {"page_size": "many"}]
)
def test_a_setting_that_is_none(double: DoubleClient, changes: dict[str, object]) -> None:
    before = double.call("GET", "settings")
    with pytest.raises(ValueError, match=r"setting|lag|success|page_size"):
        double.settings(**changes)
    assert double.call("GET", "settings") == before


def test_calls_are_recorded_by_what_they_are(
    meta: Meta, double: DoubleClient, receiver: Receiver
) -> None:
    meta.call("GET", meta.number)
    meta.subscribe()
    meta.override("http://127.0.0.1:1/")
    meta.call("GET", f"{meta.app_id}/subscriptions", token=meta.app_token)
    found = [
        (c["operation"], c["tenant"], c["kind"], c["took_effect"], c["status"], c["code"])
        for c in double.calls()
    ]
    assert found == [
        ("GET /{phone-number-id}", meta.account, "read", False, 200, 0),
        ("POST /{waba-id}/subscribed_apps", meta.account, "write", True, 200, 0),
        ("POST /{waba-id}/subscribed_apps", meta.account, "write", False, 400, 2200),
        ("GET /{app-id}/subscriptions", meta.app_id, "read", False, 200, 0),
    ]
    last = double.calls()[-1]["number"]
    meta.subscribe()
    assert len(double.calls(since=last)) == len(double.calls(since=last, writes=True)) == 1


def test_no_secret_is_kept_on_disk_or_told(
    double_process: tuple[DoubleClient, Path], meta: Meta, receiver: Receiver
) -> None:
    double, state = double_process
    meta.subscribe_app(receiver.url())
    meta.subscribe()
    meta.override(receiver.url("waba"))
    meta.call("GET", meta.number, token="", access_token=meta.token)
    meta.call("GET", "unknown/path", token="", access_token=meta.token)
    told = f"{double.calls()} {double.state()} {double.gaps()} {double.call('GET', 'settings')}"
    for path in state.iterdir():
        told += path.read_text()
    told += " ".join(psutil.Process(double_pid(state)).cmdline())
    assert meta.number in told
    for secret in (meta.token, meta.secret, VERIFY):
        assert secret not in told


def double_pid(state: Path) -> int:
    found = lifecycle.running(state)
    assert found is not None
    return int(found["pid"])


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def run(*arguments: str) -> Outcome:
        code = cli.main(list(arguments))
        return Outcome(code, *capsys.readouterr())

    return run


def test_the_commands(tmp_path: Path, command: Callable[..., Outcome]) -> None:
    state = ("--state", str(tmp_path / "one"))
    assert "no double" in command("status", *state).err
    assert command("status", *state).code == 1
    assert command("up", *state, "--set", "latency=0.01").code == 0
    try:
        assert "runs already" in command("up", *state).out
        endpoint = command("env", *state).out.strip().removeprefix("export LYO_GRAPH_URL=")
        assert DoubleClient(endpoint).call("GET", "settings")["latency"] == 0.01
        with lifecycle.started(tmp_path / "two") as second:
            assert second.endpoint != endpoint
        meta = Meta(DoubleClient(endpoint), DoubleClient(endpoint).seed(1))
        meta.subscribe()
        meta.call("GET", meta.number)
        assert "POST /{waba-id}/subscribed_apps" in command("calls", *state).out
        assert len(command("calls", "--writes", *state).out.splitlines()) == 1
        pid = double_pid(tmp_path / "one")
    finally:
        assert command("down", *state).code == 0
    assert not psutil.pid_exists(pid)
    assert not (tmp_path / "one").exists()
    assert "no double" in command("down", *state).out


def test_what_cannot_be_started_leaves_nothing(
    tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    for arguments in (
        ("--host", "8.8.8.8"),
        ("--host", "192.168.1.1"),
        ("--ca", str(tmp_path / "none.pem")),
        ("--set", "colour=1"),
        ("--set", "latency"),
    ):
        outcome = command("up", "--state", str(tmp_path / "state"), *arguments)
        assert (outcome.code, outcome.err[:13]) == (1, "graphdouble: "), arguments
        assert not (tmp_path / "state").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious").touch()
    for verb in ("up", "down"):
        assert command(verb, "--state", str(tmp_path / "mine")).code == 1
    assert (tmp_path / "mine" / "precious").exists()


def test_a_double_that_was_killed_is_replaced(tmp_path: Path) -> None:
    first = lifecycle.up(tmp_path / "state")
    os.kill(first["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while lifecycle.running(tmp_path / "state") is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    second = lifecycle.up(tmp_path / "state")
    try:
        assert second["pid"] != first["pid"]
    finally:
        lifecycle.down(tmp_path / "state")
