"""Terraform on a copy of the configuration, initialised once without a backend."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.children import die_with_parent
from tests.terraform.inventory import ENVIRONMENTS, Instance, planned

ROOT = Path(__file__).resolve().parents[2]
TERRAFORM = ROOT / ".tools/bin/terraform"

Run = Callable[..., subprocess.CompletedProcess[str]]
PlanOf = Callable[[str], dict[str, Any]]


@contextlib.contextmanager
def running_provider(data: Path, environment: dict[str, str]) -> Iterator[str]:
    """Start the AWS provider once; yields TF_REATTACH_PROVIDERS, with which Terraform uses it.

    Terraform would start one for each `run` block, and end them all at the end: four times the
    processor time, and hundreds of megabytes each. Only for mocks: a provider's configurations
    (its aliases) would share this one process, and the last would win.
    https://developer.hashicorp.com/terraform/plugin/debugging#starting-a-provider-in-debug-mode
    """
    command = next(data.glob("providers/registry.terraform.io/hashicorp/aws/*/*/*_v*"))
    with subprocess.Popen(
        [str(command), "-debug"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # traces of every call
        text=True,
        preexec_fn=die_with_parent,
    ) as provider:
        assert provider.stdout is not None
        try:
            for line in provider.stdout:
                found = re.search(r"TF_REATTACH_PROVIDERS='(.+)'", line)
                if found:
                    yield found.group(1)
                    return
            pytest.fail("the AWS provider did not start")
        finally:
            provider.terminate()


@pytest.fixture(scope="session")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the configuration, to which tests may add."""
    copy = tmp_path_factory.mktemp("terraform") / "terraform"
    shutil.copytree(ROOT / "terraform", copy, ignore=shutil.ignore_patterns(".terraform"))
    return copy


@pytest.fixture(scope="session")
def terraform(configuration: Path) -> Iterator[Run]:
    """A function that runs Terraform offline: without credentials and with nowhere to call."""
    folder, copy = configuration.parent, configuration
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "TF_VAR_", "TF_CLI_ARGS", "TF_WORKSPACE"))
    } | {
        "TF_DATA_DIR": str(folder / "data"),
        "TF_IN_AUTOMATION": "1",
        # A discard port: a call that a mock does not catch fails at once.
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(TERRAFORM), f"-chdir={copy}", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        if check and done.returncode:
            pytest.fail(f"terraform {' '.join(arguments)}: {done.stdout}\n{done.stderr}")
        return done

    run("init", "-backend=false", "-input=false", "-lockfile=readonly", "-no-color")
    with running_provider(folder / "data", environment) as reattach:
        environment["TF_REATTACH_PROVIDERS"] = reattach
        yield run


def plan_documents(terraform: Run, *arguments: str) -> dict[str, dict[str, Any]]:
    """What is planned by `terraform test`, by the name of the `run`."""
    output = terraform("test", "-json", "-verbose", *arguments).stdout
    events = [json.loads(line) for line in output.splitlines()]
    return {
        event["@testrun"]: event["test_plan"] for event in events if event["type"] == "test_plan"
    }


@pytest.fixture(scope="session")
def environment_plan(terraform: Run) -> PlanOf:
    """A function that returns what is planned of an environment; planned once, which takes half a minute."""

    @functools.cache
    def plan(environment: str) -> dict[str, Any]:
        folder, values = "-test-directory=tests/environments", f"-var-file={environment}.tfvars"
        return plan_documents(terraform, folder, values)["plan"]

    return plan


@pytest.fixture(scope="session")
def plans(environment_plan: PlanOf) -> dict[str, list[Instance]]:
    """Every managed resource that is planned, by environment."""
    return {environment: planned(environment_plan(environment)) for environment in ENVIRONMENTS}
