"""Wrong targets, typed for real: one message with the command to type, a failure, nothing called."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
RUNBOOKS = [
    *("deploy.yml", "rollback.yml", "verify.yml", "cost.yml", "bootstrap.yml"),
    *("lock.yml", "unlock.yml", "status.yml"),
]
ACCOUNT = '{"lyo_aws": {"account_id": "123456789012", "region": "eu-south-1"}}'


def type_in(
    *arguments: str,
    folder: Path = ROOT,
    config: Path | None = ROOT / "ansible.cfg",
    more: dict[str, str] | None = None,
    timeout: float = 60,
) -> tuple[int, str]:
    """Exit code and output of `ansible-playbook …` in a shell that knows nothing of AWS."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "ANSIBLE_", "LOCALCLOUD_"))
    }
    if config and folder != ROOT:
        environment["ANSIBLE_CONFIG"] = str(config)
    done = subprocess.run(
        [PLAYBOOK, *arguments],
        cwd=folder,
        # Wide, so that a message is not wrapped where the test looks for it.
        env={**environment, "COLUMNS": "500", "AWS_CONFIG_FILE": os.devnull, **(more or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


class Recorder:
    """A server in the place of AWS that notes whether anybody asked it for anything."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                line = self.rfile.readline()
                if line:
                    recorder.requests.append(line.decode(errors="replace"))
                self.close_connection = True

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def aws() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.server.shutdown()
    recorder.server.server_close()


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_every_runbook_refuses_a_missing_environment(runbook: str) -> None:
    code, output = type_in(runbook)
    assert code == 2
    command = f"Type: ansible-playbook {runbook} -e env=<local | production | staging>"
    assert f"No environment was named. {command}" in output
    assert "ok=0" in output


@pytest.mark.parametrize("runbook", RUNBOOKS)
@pytest.mark.parametrize("mode", [[], ["--check"]])
def test_every_runbook_refuses_an_unknown_environment(runbook: str, mode: list[str]) -> None:
    code, output = type_in(runbook, "-e", "env=typo", *mode)
    assert code == 2
    assert f"There is no environment 'typo'. Type: ansible-playbook {runbook} -e env=" in output


@pytest.mark.parametrize(
    "env", ["all", "ungrouped", "lyo-staging", "staging:production", "localhost"]
)
def test_a_name_that_matches_hosts_is_not_an_environment(env: str) -> None:
    code, output = type_in("deploy.yml", "-e", f"env={env}", "-e", ACCOUNT)
    assert code == 2
    assert f"There is no environment '{env}'" in output


def test_an_empty_environment_is_a_missing_one() -> None:
    code, output = type_in("deploy.yml", "-e", "env=")
    assert code == 2
    assert "No environment was named" in output


@pytest.mark.parametrize("mode", [[], ["--check"]])
def test_a_limit_to_another_environment_is_refused(mode: list[str]) -> None:
    code, output = type_in("deploy.yml", "-e", "env=production", "--limit", "staging", *mode)
    assert code == 2
    assert (
        "-e env=production and --limit disagree: the limit leaves lyo-staging, production is "
        "lyo-production. Type, without --limit: ansible-playbook deploy.yml -e env=production"
    ) in output


def test_a_limit_to_more_than_the_environment_is_refused() -> None:
    code, output = type_in("deploy.yml", "-e", "env=production", "--limit", "staging,production")
    assert code == 2
    assert "--limit disagree" in output


def test_a_limit_that_leaves_nobody_is_refused() -> None:
    code, output = type_in("deploy.yml", "-e", "env=production", "--limit", "nothing")
    assert code == 1
    assert "Could not match supplied host pattern, ignoring: nothing" in output
    assert "leaves us with no hosts to target" in output


def test_a_limit_to_the_environment_itself_says_nothing() -> None:
    code, output = type_in("deploy.yml", "-e", "env=production", "--limit", "lyo-production")
    assert code == 2
    assert "--limit disagree" not in output
    assert "'000000000000' is not an AWS account id" in output


def test_another_environments_name_in_lyo_env_is_refused() -> None:
    code, output = type_in("deploy.yml", "-e", "env=staging", "-e", "lyo_env=local")
    assert code == 2
    assert "-e env=staging, but lyo_env is 'local'" in output


@pytest.mark.parametrize("env", ["staging", "production"])
def test_an_account_that_was_never_set_is_named_with_its_place(env: str) -> None:
    code, output = type_in("deploy.yml", "-e", f"env={env}")
    assert code == 2
    assert (
        "'000000000000' is not an AWS account id. Set lyo_aws.account_id in "
        f"inventories/{env}/group_vars/{env}/aws.yml"
    ) in output


@pytest.mark.parametrize("region", ["eu-south", "", "Milan"])
def test_a_region_that_is_none_is_refused(region: str) -> None:
    account = json.dumps({"lyo_aws": {"account_id": "123456789012", "region": region}})
    code, output = type_in("deploy.yml", "-e", "env=staging", "-e", account)
    assert code == 2
    assert f"'{region}' is not an AWS region" in output


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_another_region_in_the_shell_is_refused(name: str) -> None:
    code, output = type_in(
        "deploy.yml", "-e", "env=staging", "-e", ACCOUNT, more={name: "us-east-1"}
    )
    assert code == 2
    assert (
        f"{name} is us-east-1 in this shell, but staging is in eu-south-1. "
        f"Type: unset {name} && ansible-playbook deploy.yml -e env=staging"
    ) in output


def test_an_endpoint_left_in_the_shell_is_refused(aws: Recorder) -> None:
    code, output = type_in(
        "deploy.yml", "-e", "env=production", "-e", ACCOUNT, more={"AWS_ENDPOINT_URL": aws.url}
    )
    assert code == 2
    assert "Type: unset AWS_ENDPOINT_URL" in output
    assert aws.requests == []


def test_a_local_cloud_that_was_never_started_is_told(tmp_path: Path) -> None:
    code, output = type_in(
        "deploy.yml", "-e", "env=local", more={"LOCALCLOUD_STATE": str(tmp_path)}
    )
    assert code == 2
    assert f"there is no {tmp_path}/cloud.json. Type: python -m localcloud up" in output


def local_cloud_file(folder: Path, endpoint: str) -> None:
    """What a local cloud says about itself, for one that is not there."""
    content = {
        "endpoint": endpoint,
        "region": "eu-south-1",
        "account_id": "123456789012",
        "access_key_id": "AKIAGUARDTEST00000001",
        "secret_access_key": "guard-test-secret-access-key",
        "ca_bundle": str(folder / "ca.pem"),
    }
    (folder / "cloud.json").write_text(json.dumps(content))


def test_a_local_cloud_that_died_is_told(tmp_path: Path) -> None:
    local_cloud_file(tmp_path, "http://127.0.0.1:9")
    code, output = type_in(
        "deploy.yml", "-e", "env=local", more={"LOCALCLOUD_STATE": str(tmp_path)}
    )
    assert code == 2
    assert "does not answer at http://127.0.0.1:9. Type: python -m localcloud down" in output


@pytest.mark.parametrize(
    "arguments",
    [
        ["-e", "env=typo"],
        ["--limit", "staging", "-e", "env=local"],
        ["-e", "env=local", "-e", "lyo_env=staging"],
    ],
)
def test_nothing_is_called_for_a_wrong_target(
    arguments: list[str], tmp_path: Path, aws: Recorder
) -> None:
    local_cloud_file(tmp_path, aws.url)
    code, _ = type_in(
        "deploy.yml",
        *arguments,
        more={"LOCALCLOUD_STATE": str(tmp_path), "AWS_ENDPOINT_URL": aws.url},
    )
    assert code == 2
    assert aws.requests == []


def test_started_from_another_folder_it_says_where_to_go(tmp_path: Path) -> None:
    code, output = type_in(
        str(ROOT / "deploy.yml"), "-e", "env=production", folder=tmp_path, config=None
    )
    assert code == 2
    assert (
        "Ansible reads ansible.cfg only from the folder it is started in. "
        f"Type: cd {ROOT} && ansible-playbook deploy.yml -e env=production"
    ) in output
