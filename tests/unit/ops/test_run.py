"""What the ops image starts, and what it writes down of a runbook that runs by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lyo_run import metrics
from lyo_run.command import UsageError, command, short_folder

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
OPS = Path(__file__).resolve().parents[3] / "ops"
PLAYBOOK = (sys.executable, "-m", "ansible", "playbook")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("backup.yml", "status.yml"):
        (tmp_path / name).write_text("---")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "argv", "runbook"),
    [
        (["backup.yml"], ["backup.yml", "-e", "env=staging"], "backup.yml"),
        (
            ["backup.yml", "-e", "kinds=logical"],
            ["backup.yml", "-e", "env=staging", "-e", "kinds=logical"],
            "backup.yml",
        ),
        (["backup.yml", "-e", "env=local"], ["backup.yml", "-e", "env=local"], "backup.yml"),
        (["backup.yml", "--check"], ["backup.yml", "-e", "env=staging", "--check"], ""),
        (["status.yml"], ["status.yml", "-e", "env=staging"], ""),
    ],
)
def test_a_runbook(folder: Path, words: list[str], argv: list[str], runbook: str) -> None:
    found = command(words, {"LYO_ENV": "staging"}, folder)
    assert found.argv == (*PLAYBOOK, *argv)
    assert found.runbook == runbook
    assert found.environment == ("local" if "env=local" in words else "staging")


def test_the_program_of_logical_backups(folder: Path) -> None:
    found = command(["lyo_backup", "dump", "--id", "1"], {}, folder)
    assert found.argv == (sys.executable, "-m", "lyo_backup", "dump", "--id", "1")
    assert found.runbook == ""


@pytest.mark.parametrize(
    ("words", "env", "message"),
    [
        ([], {}, "say what to run: lyo_backup, or a runbook: backup.yml, status.yml"),
        (["sh"], {}, "'sh' is no runbook"),
        (["../x.yml"], {"LYO_ENV": "local"}, "no runbook"),
        (["backup.yml"], {}, "backup.yml -e env=<name>"),
    ],
)
def test_what_means_nothing_is_said(
    folder: Path, words: list[str], env: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        command(words, env, folder)


class CloudWatch:
    """Keeps what is put, and knows the successes of the drill."""

    def __init__(self, successes: list[tuple[datetime, float]]) -> None:
        self.successes = successes
        self.put: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []

    def get_metric_data(self, **params: Any) -> dict[str, Any]:
        self.asked.append(params)
        times = [at for at, _ in self.successes]
        values = [value for _, value in self.successes]
        return {"MetricDataResults": [{"Timestamps": times, "Values": values}]}

    def put_metric_data(self, **params: Any) -> None:
        assert params["Namespace"] == "Lyo/Operations"
        self.put += params["MetricData"]

    def value(self, name: str, runbook: str) -> float:
        (found,) = [
            float(datum["Value"])
            for datum in self.put
            if datum["MetricName"] == name
            and {"Name": "Runbook", "Value": runbook} in datum["Dimensions"]
        ]
        return found


@pytest.mark.parametrize(("good", "value"), [(True, 1.0), (False, 0.0)])
def test_the_end_of_a_run_is_written_down(good: bool, value: float) -> None:
    cloud = CloudWatch([(NOW - timedelta(days=3), 1.0), (NOW - timedelta(days=1), 0.0)])
    metrics.publish(cloud, "staging", "backup.yml", NOW, good=good)
    assert cloud.value("Succeeded", "backup.yml") == value
    # A failure is no success, however young.
    assert cloud.value("SecondsSinceSuccess", "drill.yml") == 3 * 86400
    assert {"Name": "Environment", "Value": "staging"} in cloud.put[0]["Dimensions"]
    (asked,) = cloud.asked
    assert asked["StartTime"] == NOW - metrics.LOOK_BACK


def test_a_drill_that_never_succeeded_is_as_old_as_one_looks_back() -> None:
    cloud = CloudWatch([])
    metrics.publish(cloud, "staging", "drill.yml", NOW, good=False)
    assert cloud.value("SecondsSinceSuccess", "drill.yml") == 62 * 86400
    metrics.publish(fresh := CloudWatch([]), "staging", "drill.yml", NOW, good=True)
    assert fresh.value("SecondsSinceSuccess", "drill.yml") == 0


FAKE_ANSIBLE = """
import signal, sys, time
print(" ".join(sys.argv[1:]), flush=True)
if "slow=1" in sys.argv:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    print("waiting", flush=True)
    time.sleep(60)
sys.exit(3)
"""


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """The entry point with an `ansible` that says its arguments, and no CloudWatch to reach."""
    (folder / "ansible").mkdir()
    (folder / "ansible" / "__init__.py").write_text("")
    (folder / "ansible" / "__main__.py").write_text(FAKE_ANSIBLE)
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env |= {
        "PYTHONPATH": f"{folder}:{OPS}",
        "LYO_ENV": "staging",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_REGION": "eu-south-1",
        "AWS_DEFAULT_REGION": "eu-south-1",
        "AWS_ACCESS_KEY_ID": "nobodys-key",
        "AWS_SECRET_ACCESS_KEY": "nobodys-secret",
        "AWS_MAX_ATTEMPTS": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "lyo_run", *words],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_exit_code_is_the_runbooks_whatever_becomes_of_the_metric(folder: Path) -> None:
    process = start(folder, "backup.yml")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "playbook backup.yml -e env=staging" in out
    assert "not written down" in err


def test_sigterm_reaches_the_runbook(folder: Path) -> None:
    process = start(folder, "backup.yml", "-e", "slow=1")
    assert process.stdout is not None
    while "waiting" not in process.stdout.readline():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 7


def test_no_words_end_with_a_code_of_their_own(folder: Path) -> None:
    process = start(folder)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 64
    assert err.startswith("lyo_run: say what to run")


def test_sockets_fit_into_the_folder_of_temporary_files() -> None:
    listener = "/pymp-12345678/listener-12345678"
    for folder in ("/" + "x" * 59, "/" + "x" * 60, "/" + "long/" * 20):
        chosen = short_folder(folder)
        assert len(chosen + listener) <= 107
        assert (chosen == folder) is (len(folder) <= 60)
