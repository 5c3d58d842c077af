"""Terraform as a child process, played by a script: what it is given, and how its ends are told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from module_utils.lyo_terraform.command import Terraform, TerraformFailure, child_environment

ROOT = Path(__file__).resolve().parents[2]
AWS = {"region": "eu-south-1", "account_id": "123456789012"}
KEYS = {"access_key": "AKIATEST", "secret_key": "s3cret", "endpoint_url": "http://127.0.0.1:1"}

SCRIPT = """#!{python}
import json, os, sys
with open({log!r}, "a") as log:
    log.write(json.dumps([sys.argv[1:], os.environ.get("AWS_SECRET_ACCESS_KEY")]) + "\\n")
{body}
"""


class Played:
    """A Terraform whose command is a script of ours."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "calls"
        self.project = folder / "project"
        self.project.mkdir()
        (self.project / "main.tf").write_text('module "a" {\n  source = "./a"\n}\n')
        self.binary = folder / "terraform"
        self.seen: list[tuple[str, str, int | None]] = []
        self.plays("")

    def plays(self, body: str) -> None:
        text = SCRIPT.format(python=sys.executable, log=str(self.log), body=body)
        self.binary.write_text(text)
        self.binary.chmod(0o755)

    def make(self, **backend: str) -> Terraform:
        return Terraform(
            str(self.binary),
            self.project,
            self.folder / "data",
            backend or {"bucket": "states"},
            child_environment({**AWS, **KEYS}, self.folder / "data", None),
            lambda stage, text, percent: self.seen.append((stage, text, percent)),
            "Type: ansible-playbook bootstrap.yml -e env=local",
        )

    def calls(self) -> list[list[Any]]:
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def played(tmp_path: Path) -> Played:
    return Played(tmp_path)


def event(kind: str, **content: Any) -> str:
    return f"print({json.dumps({'type': kind, **content})!r}, flush=True)\n"


def error(summary: str, detail: str = "") -> str:
    diagnostic = {"severity": "error", "summary": summary, "detail": detail}
    return event("diagnostic", diagnostic=diagnostic) + "sys.exit(1)\n"


def test_the_child_is_this_account_and_nobody_elses(tmp_path: Path) -> None:
    shell = {
        "PATH": "/bin",
        "AWS_PROFILE": "other",
        "AWS_SESSION_TOKEN": "other",
        "AWS_ENDPOINT_URL_S3": "http://other",
        "AWS_CONFIG_FILE": "/config",
        "TF_CLI_ARGS_apply": "-auto-approve",
        "TF_VAR_region": "other",
        "TF_LOG": "debug",
    }
    env = child_environment({**AWS, **KEYS}, tmp_path, None, shell)
    assert env == {
        "PATH": "/bin",
        "AWS_CONFIG_FILE": "/config",
        "TF_LOG": "debug",
        "AWS_REGION": "eu-south-1",
        "AWS_DEFAULT_REGION": "eu-south-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": "s3cret",
        "TF_DATA_DIR": str(tmp_path),
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
    }


def test_where_the_inventory_names_nobody_the_shells_credentials_stay(tmp_path: Path) -> None:
    shell = {"AWS_PROFILE": "mine", "AWS_ENDPOINT_URL": "http://other"}
    env = child_environment(AWS, tmp_path, "/x.rc", shell)
    assert env["AWS_PROFILE"] == "mine"
    assert env["TF_CLI_CONFIG_FILE"] == "/x.rc"
    assert "AWS_ENDPOINT_URL" not in env


def test_it_initialises_once_until_something_it_depends_on_changes(played: Played) -> None:
    played.make().init()
    played.make().init()
    assert len(played.calls()) == 1
    played.make(bucket="others").init()
    assert len(played.calls()) == 2
    (played.project / "main.tf").write_text('module "a" {\n  source = "./b"\n}\n')
    played.make(bucket="others").init()
    assert len(played.calls()) == 3
    (played.project / ".terraform.lock.hcl").write_text("locked")
    played.make(bucket="others").init()
    arguments, secret = played.calls()[-1]
    assert "-lockfile=readonly" in arguments
    assert "-backend-config=bucket=others" in arguments
    assert secret == "s3cret"
    assert "s3cret" not in " ".join(arguments)


def test_a_failed_initialisation_is_tried_again(played: Played) -> None:
    played.plays("print('Error: no network', file=sys.stderr); sys.exit(1)")
    with pytest.raises(TerraformFailure, match="no network"):
        played.make().init()
    played.plays("")
    played.make().init()
    assert len(played.calls()) == 2


def test_a_missing_state_bucket_is_told_with_the_command(played: Played) -> None:
    played.plays("print('Error: NoSuchBucket: …', file=sys.stderr); sys.exit(1)")
    with pytest.raises(TerraformFailure, match=r"states does not exist\. Type: .*bootstrap\.yml"):
        played.make().init()


def test_progress_comes_while_it_runs(played: Played) -> None:
    hook = {"resource": {"addr": "aws_vpc.a"}, "action": "create"}
    played.plays(
        event("apply_start", hook=hook)
        + "import time; time.sleep(0.6)\n"
        + event("apply_complete", hook=hook)
    )
    assert played.make().follow("apply", ["apply"], total=1) == 0
    assert played.seen == [
        ("apply", "0/1  creating aws_vpc.a", 0),
        ("apply", "1/1  done aws_vpc.a", 99),
    ]


@pytest.mark.parametrize(("code", "ok"), [(0, True), (2, True), (1, False), (3, False)])
def test_exit_codes(played: Played, code: int, ok: bool) -> None:
    played.plays(f"sys.exit({code})")
    if ok:
        assert played.make().follow("plan", ["plan"]) == code
    else:
        with pytest.raises(TerraformFailure, match=f"it ended with {code} and said nothing"):
            played.make().follow("plan", ["plan"])


def test_its_errors_are_told_with_what_to_do(played: Played) -> None:
    played.plays(error("creating VPC", "limit reached"))
    with pytest.raises(TerraformFailure, match=r"creating VPC\. limit reached\. What was done"):
        played.make().follow("apply", ["apply"])


def test_an_error_with_a_good_exit_code_is_an_error(played: Played) -> None:
    played.plays(error("creating VPC").replace("sys.exit(1)", "sys.exit(0)"))
    with pytest.raises(TerraformFailure):
        played.make().follow("plan", ["plan"])


def test_a_held_lock_is_told(played: Played) -> None:
    played.plays(error("Error acquiring the state lock", "Lock Info:\n  ID: abc\n  Who: giulia\n"))
    with pytest.raises(TerraformFailure, match=r"locked by giulia .* force-unlock abc"):
        played.make().follow("plan", ["plan"])


def test_a_backend_that_wants_initialisation_gets_it_next_time(played: Played) -> None:
    played.make().init()
    played.plays(error("Backend initialization required, please run init"))
    with pytest.raises(TerraformFailure):
        played.make().follow("plan", ["plan"])
    played.plays("")
    played.make().init()
    assert [call[0][0] for call in played.calls()] == ["init", "plan", "init"]


def test_a_missing_command_is_told(played: Played) -> None:
    played.binary.unlink()
    with pytest.raises(TerraformFailure, match="make setup"):
        played.make()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal on a parent's death")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_is_stopped_once_when_its_parents_group_is_signalled(
    played: Played, tmp_path: Path, end: signal.Signals
) -> None:
    started, stopped = tmp_path / "started", tmp_path / "stopped"
    played.plays(
        "import pathlib, signal, time\n"
        "signals = []\n"
        "def stop(number, _):\n"
        "    signals.append(number)\n"
        "    if len(signals) > 1: sys.exit(9)\n"
        # What Terraform does then: it finishes, writes to its output, saves its state.
        "    time.sleep(0.7); print('{}', flush=True)\n"
        f"    pathlib.Path({str(stopped)!r}).touch(); sys.exit(1)\n"
        "for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, stop)\n"
        f"pathlib.Path({str(started)!r}).touch()\n"
        "time.sleep(30)\n"
    )
    parent = (
        "import signal\n"
        # A shell's background jobs inherit that SIGINT is ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from pathlib import Path\n"
        "from module_utils.lyo_terraform.command import Terraform\n"
        f"t = Terraform({str(played.binary)!r}, Path({str(played.project)!r}),"
        f" Path({str(tmp_path / 'data')!r}), {{}}, {{}}, lambda *_: None)\n"
        "t.follow('apply', ['apply'])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", parent],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        env={**os.environ},
        start_new_session=True,
    )
    _until(started)
    os.killpg(process.pid, end)
    _until(stopped)
    process.wait(timeout=10)


def _until(path: Path, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} did not come"
        time.sleep(0.05)
