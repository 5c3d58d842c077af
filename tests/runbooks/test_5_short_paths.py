"""What has to be quick, counted: tasks, modules and calls of the runbooks. No clock is looked at here.

v2 is live before and after. The seconds are measured by tests/bench.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from localcloud.recorder import RecordedCall
from tests.runbooks.harness import ROOT, Environment, Run

# So long that nothing is over before the rollback.
LONG_BAKE = {
    "strategy": "BLUE_GREEN",
    "bake_time_minutes": 8,
    "pause_timeout_minutes": 30,
    "healthy_timeout": 180,
}


@pytest.fixture(scope="module", autouse=True)
def v2_live(environment: Environment) -> None:
    run = environment.run("deploy.yml", "-e", "release=v2")
    assert run.returncode == 0, run.output


class Counted:
    """A runbook and what it took.

    :ivar modules: the modules of ours that it ran, in their order.
    :ivar apart: the modules that had a process of their own, with Python and all imports begun anew.
    :ivar tasks: how many tasks were run or skipped; each is a process of Ansible's.
    :ivar calls: its API calls.
    """

    def __init__(self, environment: Environment, folder: Path, *arguments: str) -> None:
        folder.mkdir(exist_ok=True)
        taken = folder / "taken"
        kept = {
            "ANSIBLE_KEEP_REMOTE_FILES": "1",
            "ANSIBLE_REMOTE_TMP": str(folder),
            "ANSIBLE_CALLBACK_PLUGINS": f"{ROOT}/callback_plugins:{ROOT}/tests/runbooks/plugins",
            "ANSIBLE_CALLBACKS_ENABLED": "lyo_progress,actions_taken",
            "LYO_ACTIONS_TAKEN": str(taken),
        }
        self.run: Run = environment.run(*arguments, environment=kept)
        assert self.run.returncode == 0, self.run.output
        ours = {file.stem for file in (ROOT / "library").glob("*.py")}
        self.modules = [action for action in taken.read_text().split() if action in ours]
        packed = folder.glob("*/AnsiballZ_*.py")
        self.apart = {file.stem.removeprefix("AnsiballZ_") for file in packed}
        recap = re.search(r"ok=(\d+) .* skipped=(\d+) ", self.run.output)
        assert recap, self.run.output
        self.tasks = int(recap[1]) + int(recap[2])
        self.calls: list[RecordedCall] = environment.calls(self.run.started)

    def writes(self, service: str) -> Counter[str]:
        """How often each write was called."""
        return Counter(c.operation for c in self.calls if (c.service, c.kind) == (service, "write"))


def test_nothing_to_do_is_one_module_and_a_dozen_reads(
    environment: Environment, tmp_path: Path
) -> None:
    counted = Counted(environment, tmp_path, "deploy.yml")
    assert "UNCHANGED" in counted.run.output
    assert counted.modules == ["release_plan"]
    assert not counted.apart
    assert counted.tasks <= 7
    # Ten; one more where the live task definition is not the family's newest, one for webhooks.
    assert len(counted.calls) <= 12, [call.operation for call in counted.calls]
    assert [call.operation for call in counted.calls if call.kind == "write"] == []


def test_release_and_rollback_during_bake(environment: Environment, tmp_path: Path) -> None:
    """One module a step; a rollback's deciding call is the second of all and needs one module."""
    settings = json.dumps({"lyo_deployment": LONG_BAKE})
    away, back = tmp_path / "away", tmp_path / "back"
    arguments = ("-e", "release=v1", "-e", "wait_for=bake", "-e", settings)
    release = Counted(environment, away, "deploy.yml", *arguments)
    steps = ["release_plan", "run_lock", "schema_migration", "ecs_release", "http_checks"]
    # Each once and in this order; besides, what looks before, builds, or tidies up afterwards.
    assert [module for module in release.modules if module in steps] == steps
    assert set(release.modules) - set(steps) <= {
        "release_preflight",
        "ecr_image",
        "release_retention",
    }
    assert not release.apart & set(steps)
    once = ("RunTask", "UpdateService", "ContinueServiceDeployment")
    found = release.writes("ecs")
    assert {name: found[name] for name in once} == dict.fromkeys(once, 1)

    rollback = Counted(environment, back, "rollback.yml")
    assert [call.operation for call in rollback.calls[:2]] == [
        "DescribeServices",
        "StopServiceDeployment",
    ]
    assert rollback.modules[0] == "ecs_rollback"
    assert len(rollback.modules) <= 6
    assert not rollback.apart
    assert rollback.writes("ecs") == {"StopServiceDeployment": 1}
    assert "ROLLED_BACK release v2" in rollback.run.output
