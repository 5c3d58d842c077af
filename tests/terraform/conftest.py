"""Terraform on a copy of the configuration, initialised once without a backend."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TERRAFORM = ROOT / ".tools/bin/terraform"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A function that runs Terraform offline: without credentials and with nowhere to call."""
    folder = tmp_path_factory.mktemp("terraform")
    copy = folder / "terraform"
    shutil.copytree(ROOT / "terraform", copy, ignore=shutil.ignore_patterns(".terraform"))
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
    return run
