"""Where the resources come from: a plan without AWS, or the state of what is deployed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from .resources import Environment, from_plan, from_state

# A run of this folder plans the variables' file with a mocked provider, which calls nobody.
TEST_DIRECTORY = "tests/environments"
# Variables of the caller's shell that must not reach Terraform: accounts, and other configurations.
FOREIGN = ("AWS_", "TF_CLI_ARGS", "TF_DATA_DIR", "TF_VAR_", "TF_WORKSPACE")


class SourceError(Exception):
    """The resources cannot be had; the message says what to do."""


def state(aws: Aws, bucket: str, key: str, env: str) -> Environment:
    """Return what is deployed, from Terraform's state in its bucket.

    :raises SourceError: there is no state.
    :raises AwsFailure: it cannot be read.
    """
    try:
        body = aws.call("s3", "get_object", Bucket=bucket, Key=key)["Body"].read()
    except AwsFailure as failure:
        if failure.code in ("NoSuchKey", "NoSuchBucket", "404"):
            raise SourceError(
                f"{env} has no Terraform state yet, so nothing is deployed. What it would cost: "
                f"ansible-playbook cost.yml -e env={env}"
            ) from None
        raise
    try:
        return from_state(json.loads(body))
    except ValueError as error:
        raise SourceError(f"the state s3://{bucket}/{key} cannot be used: {error}") from None


def environment_without_aws(
    data_dir: Path, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the environment of a Terraform that has no account to call."""
    kept = {name: value for name, value in environ.items() if not name.startswith(FOREIGN)}
    return kept | {
        "TF_DATA_DIR": str(data_dir),
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def plan(terraform: str, project: Path, var_file: Path, data_dir: Path) -> Environment:
    """Return what the configuration makes of a variables' file: planned by ``terraform test`` with
    a mocked provider, so without credentials, state or AWS.

    https://developer.hashicorp.com/terraform/language/tests/mocking

    :param data_dir: Terraform's working data, kept from one run to the next.
    :raises SourceError: Terraform is missing, or refuses the configuration.
    """
    binary = shutil.which(terraform)
    if not binary:
        raise SourceError(f"{terraform} is not there. Type: make setup")
    if not var_file.is_file():
        raise SourceError(f"{var_file} does not exist: which environment is this?")
    data_dir.mkdir(parents=True, exist_ok=True)
    env = environment_without_aws(data_dir)
    _init(binary, project, data_dir, env)
    done = _run(
        binary,
        project,
        env,
        "test",
        "-json",
        "-verbose",
        f"-test-directory={TEST_DIRECTORY}",
        f"-var-file={var_file.resolve()}",
    )
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for event in events:
        if event.get("type") == "test_plan":
            return from_plan(event["test_plan"])
    raise SourceError(f"Terraform could not plan {var_file.name}: {_errors(events, done.stderr)}")


def _init(binary: str, project: Path, data_dir: Path, env: Mapping[str, str]) -> None:
    """Initialise without a backend where sources or versions have changed; one run at a time."""
    digest = hashlib.sha256(binary.encode())
    for file in sorted([project / ".terraform.lock.hcl", *project.rglob("*.tf")]):
        digest.update(f"{file.relative_to(project)}\0".encode())
        digest.update(file.read_bytes() if file.name in _DECISIVE else b"")
    stamp = data_dir / "lyo-init"
    with (data_dir / "lyo-init.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == digest.hexdigest():
            return
        arguments = ("init", "-backend=false", "-input=false", "-lockfile=readonly", "-no-color")
        done = _run(binary, project, env, *arguments)
        if done.returncode:
            text = " ".join((done.stderr or done.stdout).split())[-1000:]
            raise SourceError(f"terraform init failed: {text}")
        stamp.write_text(digest.hexdigest())


# Files that name modules, providers and their versions.
_DECISIVE = (".terraform.lock.hcl", "main.tf", "versions.tf")


def _run(
    binary: str, project: Path, env: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [binary, *arguments],
        cwd=project,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _errors(events: list[dict[str, Any]], stderr: str) -> str:
    found = [
        f"{event['diagnostic']['summary']}: {event['diagnostic'].get('detail', '')}"
        for event in events
        if event.get("type") == "diagnostic" and event["diagnostic"].get("severity") == "error"
    ]
    return " ".join((" ".join(found) or stderr or "it said nothing").split())[:1000]
