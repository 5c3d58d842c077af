"""A local cloud for the tests in this folder, started once a session (and worker)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localcloud import lifecycle, outside

ROOT = Path(__file__).resolve().parents[2]
SPEED = 20.0


@dataclass(frozen=True)
class RunningCloud:
    """A local cloud that is up; `client` gives boto3 clients that can reach nothing else."""

    state_dir: Path
    content: dict[str, Any]

    @property
    def endpoint(self) -> str:
        return str(self.content["endpoint"])

    @property
    def number(self) -> int:
        return int(self.content["number"])

    def client(self, service: str) -> Any:
        assert self.endpoint.startswith(f"http://127.{self.number}."), self.endpoint
        return outside.client(self.content, service)

    def environment(self) -> dict[str, str]:
        """This process's environment with the cloud's exports, for programs started by a test."""
        return {**os.environ, **outside.exports(self.content)}


def localcloud(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run `python -m localcloud` as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "localcloud", *arguments],
        cwd=ROOT,
        check=check,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    state = tmp_path_factory.mktemp("cloud") / "state"
    localcloud("up", "--state", str(state), "--speed", str(SPEED))
    content = lifecycle.require_running(state)
    yield RunningCloud(state, content)
    localcloud("down", "--state", str(state))
