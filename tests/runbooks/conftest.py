"""One local environment, deployed once, for all tests that need something to run runbooks on.

The tests of this folder are ordered files: each leaves a release serving, and says which.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from localcloud import lifecycle
from tests.localcloud.conftest import localcloud
from tests.runbooks.harness import Environment

# Cloud seconds per wall second: a bake of one minute takes six seconds.
SPEED = "10"


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """env=local with release v1 live. LYO_TEST_STATE names a deployed local cloud to use instead."""
    logs = tmp_path_factory.mktemp("runbooks")
    borrowed = os.environ.get("LYO_TEST_STATE")
    if borrowed:
        from pathlib import Path

        yield Environment(lifecycle.require_running(Path(borrowed)), logs)
        return
    state = tmp_path_factory.mktemp("environment") / "state"
    localcloud("up", "--state", str(state), "--speed", SPEED)
    environment = Environment(lifecycle.require_running(state), logs)
    try:
        for runbook, arguments in (("bootstrap.yml", ()), ("deploy.yml", ("-e", "release=v1"))):
            run = environment.run(runbook, *arguments)
            assert run.returncode == 0, run.output
        yield environment
    finally:
        localcloud("down", "--state", str(state))
