"""Local clouds are started and stopped cleanly, side by side, and clear up after a crash."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError

from localcloud import lifecycle, outside
from localcloud.settings import API_PORT, Addresses
from tests.localcloud.conftest import ROOT, RunningCloud, localcloud


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    yield folder
    if folder.exists() and (folder / "LOCALCLOUD").exists():
        localcloud("down", "--state", str(folder))


def test_up_twice_says_that_it_runs_and_down_leaves_nothing(state: Path) -> None:
    first = localcloud("up", "--state", str(state))
    content = lifecycle.require_running(state)
    again = localcloud("up", "--state", str(state))
    assert f"is up at {content['endpoint']}" in first.stdout
    assert "runs already" in again.stdout
    localcloud("down", "--state", str(state))
    assert not state.exists()
    assert not psutil.pid_exists(content["api_pid"])
    with socket.socket() as probe:
        assert probe.connect_ex((Addresses(content["number"]).api, API_PORT)) != 0
    assert "no local cloud" in localcloud("down", "--state", str(state)).stdout


def test_two_side_by_side_share_nothing(cloud: RunningCloud, state: Path) -> None:
    localcloud("up", "--state", str(state))
    other = lifecycle.require_running(state)
    assert other["endpoint"] != cloud.endpoint
    outside.client(other, "s3").create_bucket(
        Bucket="only-here", CreateBucketConfiguration={"LocationConstraint": other["region"]}
    )
    assert "only-here" not in {b["Name"] for b in cloud.client("s3").list_buckets()["Buckets"]}


def test_clouds_started_in_the_same_instant_share_no_number(tmp_path: Path) -> None:
    states = [tmp_path / f"state-{n}" for n in range(3)]
    command = [sys.executable, "-m", "localcloud", "up", "--state"]
    starting = [
        subprocess.Popen([*command, str(state)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for state in states
    ]
    try:
        said = [process.communicate(timeout=120)[0] for process in starting]
        assert [process.returncode for process in starting] == [0, 0, 0], said
        numbers = {lifecycle.require_running(state)["number"] for state in states}
        assert len(numbers) == 3
    finally:
        for state in states:
            localcloud("down", "--state", str(state), check=False)


def test_an_address_in_use_is_named_and_nothing_is_left(state: Path) -> None:
    with socket.socket() as taken:
        taken.bind((Addresses(199).api, API_PORT))
        taken.listen()
        failed = localcloud("up", "--state", str(state), "--number", "199", check=False)
    assert failed.returncode == 1
    assert f"127.199.0.1:{API_PORT} is in use" in failed.stderr
    assert not state.exists()


def test_what_a_killed_cloud_leaves_is_cleared_by_the_next_up(state: Path) -> None:
    localcloud("up", "--state", str(state))
    pid = lifecycle.require_running(state)["api_pid"]
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)
    assert "no local cloud is up" in localcloud("status", "--state", str(state), check=False).stderr
    again = localcloud("up", "--state", str(state))
    assert "did not stop cleanly" in again.stdout
    assert lifecycle.require_running(state)["api_pid"] != pid


def test_a_cloud_whose_folder_was_removed_stops_by_itself(state: Path) -> None:
    localcloud("up", "--state", str(state))
    daemon = psutil.Process(lifecycle.require_running(state)["api_pid"])
    shutil.rmtree(state)
    gone, _ = psutil.wait_procs([daemon], timeout=30)
    assert gone


def test_a_folder_of_somebody_else_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for command in ("up", "down"):
        refused = localcloud(command, "--state", str(tmp_path), check=False)
        assert refused.returncode == 1
        assert "not a local cloud's folder" in refused.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("command", ["status", "env", "calls"])
def test_commands_without_a_cloud_say_what_to_do(command: str, state: Path) -> None:
    failed = localcloud(command, "--state", str(state), check=False)
    assert failed.returncode == 1
    assert "python -m localcloud up" in failed.stderr


def test_calls_are_recorded_one_line_each(cloud: RunningCloud) -> None:
    cloud.client("sts").get_caller_identity()
    with pytest.raises(ClientError):
        cloud.client("ssm").delete_parameter(Name="/absent")
    printed = localcloud("calls", "--state", str(cloud.state_dir), "--json").stdout
    calls = [json.loads(line) for line in printed.splitlines()]
    assert [call["kind"] for call in calls if call["operation"] == "GetCallerIdentity"][
        -1
    ] == "read"
    deleted = [call for call in calls if call["operation"] == "DeleteParameter"][-1]
    assert (deleted["kind"], deleted["error"]) == ("write", "ParameterNotFound")
    writes = localcloud("calls", "--state", str(cloud.state_dir), "--writes").stdout
    assert "DeleteParameter" in writes
    assert "GetCallerIdentity" not in writes
    wrong = localcloud(
        "calls", "--state", str(cloud.state_dir), "--since", "yesterday", check=False
    )
    assert wrong.returncode == 1
    assert "--since yesterday" in wrong.stderr


def test_env_is_what_a_shell_needs(cloud: RunningCloud) -> None:
    printed = localcloud("env", "--state", str(cloud.state_dir)).stdout
    assert f"export AWS_ENDPOINT_URL={cloud.endpoint}" in printed
    assert all(line.startswith("export ") for line in printed.splitlines())


def test_what_is_not_reproduced_is_refused_at_once(cloud: RunningCloud) -> None:
    with pytest.raises(ClientError) as refused:
        cloud.client("lambda").list_functions()
    assert refused.value.response["Error"]["Code"] == "NotImplemented"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert refused.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_unknown_credentials_are_refused(cloud: RunningCloud) -> None:
    stranger = {**cloud.content, "access_key_id": "AKIANOBODYKNOWSTHISKEY"}
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        outside.client(stranger, "ec2").describe_vpcs()
