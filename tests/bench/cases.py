"""What is measured: the runbooks, the bare Ansible they are held against, and the tools people use."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.commands import ROOT, Ended, calls_of, run, sample
from tests.bench.figures import Sample
from tests.bench.target import LONG_BAKE, Target

BARE, BARE_MODULE, NOOP = "bare", "bare_module", "noop"
RELEASE, RELEASE_TRAFFIC = "release", "release_traffic"
# The others' release with the migrations that belong to it, and their deployment alone.
RELEASE_ECS_DEPLOY, RELEASE_AWS = "release_ecs_deploy", "release_aws"
ALONE_ECS_DEPLOY, ALONE_AWS = "alone_ecs_deploy", "alone_aws"
ROLLBACK_BAKE, ROLLBACK_LATER = "rollback_bake", "rollback_later"
#: The moment of the call that decides.
DECIDED = "decided"

ECS_DEPLOY = ROOT / ".tools/bench/bin/python"
BIN = Path(sys.executable).parent


class Cases:
    """Every case against one target.

    :param keep: is given each sample as soon as there is one.
    """

    def __init__(self, target: Target, keep: Callable[[Sample], None]) -> None:
        self.target = target
        self._keep = keep

    def warm_up(self) -> None:
        """Both images exist, all migrations are applied, every command's files are in the page cache."""
        self._runbook("deploy.yml", *_settings(self.target.other(), bake=0))
        self._runbook("deploy.yml", *_settings(self.target.other(), bake=0))
        self.starts(0)

    # One after the other, as often as there are rounds.

    def starts(self, number: int) -> None:
        """Commands that change nothing: mostly the cost of starting."""
        self.bare(number)
        self.noop(number)
        self._bare(number, BARE_MODULE, "bare_module.yml")
        self.bare(number)

    def rollbacks(self, number: int) -> None:
        """A release until it has all the traffic, turned back while it bakes."""
        before, wanted = self.target.serving(), self.target.other()
        ended = self._runbook("deploy.yml", *_settings(wanted, LONG_BAKE, wait_for="bake"))
        self._note(RELEASE_TRAFFIC, number, ended, {DECIDED: "UpdateService"})
        self.bare(number)
        ended = self._runbook("rollback.yml")
        self._note(ROLLBACK_BAKE, number, ended, {DECIDED: "StopServiceDeployment"})
        self._serves(before)
        self.bare(number)

    def releases(self, number: int) -> None:
        """The same release by everybody, and a rollback once the old tasks are gone."""
        self.release(number)
        self.release_ecs_deploy(number, migrate=True)
        self.release_aws(number, migrate=True)
        self.release_ecs_deploy(number, migrate=False)
        self.release_aws(number, migrate=False)
        self.release(number)
        self.bare(number)
        self.rollback_later(number)
        self.bare(number)

    # Each of them.

    def bare(self, number: int) -> None:
        """One task inside Ansible, without this project's configuration."""
        self._bare(number, BARE, "bare.yml")

    def _bare(self, number: int, case: str, playbook: str) -> None:
        environment = self.target.environment()
        del environment["ANSIBLE_CONFIG"]
        with _elsewhere() as folder:
            argv = ["ansible-playbook", "-i", "localhost,", "-c", "local"]
            argv += ["-e", f"ansible_python_interpreter={sys.executable}"]
            ended = run([*argv, str(ROOT / "tests/bench" / playbook)], environment, folder)
        self._note(case, number, ended)

    def noop(self, number: int) -> None:
        """deploy.yml where nothing is to do."""
        ended = self._runbook("deploy.yml")
        assert "UNCHANGED" in ended.output, ended.output
        self._note(NOOP, number, ended)

    def release(self, number: int) -> None:
        """deploy.yml with all it does: lock, migrations, hook, smoke checks, verification, ledger."""
        wanted = self.target.other()
        ended = self._runbook("deploy.yml", *_settings(wanted, bake=0))
        self._released(RELEASE, number, ended, wanted)

    def rollback_later(self, number: int) -> None:
        """rollback.yml when the old tasks are gone: a deployment of the former release."""
        before = self.target.other()
        self._released(ROLLBACK_LATER, number, self._runbook("rollback.yml"), before)

    def release_ecs_deploy(self, number: int, *, migrate: bool) -> None:
        """`ecs deploy`: registers, updates, waits. The former definition is kept, it is to serve again.

        It cannot wait for a one-off task, so the AWS CLI runs the migrations.
        """
        wanted, image = self._prepared()
        container = self.target.outputs["container_name"]
        # By its module: the command has the path in it where the environment was made.
        deploy = [str(ECS_DEPLOY), "-c", "from ecs_deploy.cli import ecs; ecs()", "deploy"]
        deploy += [*self.target.service.values(), "-i", container, image]
        deploy += ["-d", container, "lyo.release", wanted, "--no-deregister", "--timeout", "900"]
        script = (_MIGRATE if migrate else "") + _ECS_DEPLOY
        ended = self._command(["bash", "-euc", script, "ecs", *self._migration(image), *deploy])
        case = RELEASE_ECS_DEPLOY if migrate else ALONE_ECS_DEPLOY
        self._released(case, number, ended, wanted)

    def release_aws(self, number: int, *, migrate: bool) -> None:
        """`aws ecs`: register-task-definition, update-service, wait services-stable.

        The new definition's file is made beforehand.
        """
        wanted, image = self._prepared()
        definition = self.target.current_definition()
        definition["containerDefinitions"][0] |= {
            "image": image,
            "dockerLabels": {"lyo.release": wanted},
        }
        script = (_MIGRATE if migrate else "") + _AWS
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({k: definition[k] for k in _REGISTERED if k in definition}, file)
            file.flush()
            ended = self._command(
                ["bash", "-euc", script, "aws", *self._migration(image), file.name]
            )
        self._released(RELEASE_AWS if migrate else ALONE_AWS, number, ended, wanted)

    # How.

    def _prepared(self) -> tuple[str, str]:
        """Release and image that the others are to release, on a service without our hook."""
        wanted = self.target.other()
        self.target.without_hook()
        return wanted, self.target.image(wanted)

    def _migration(self, image: str) -> list[str]:
        """Cluster, service, task definition of the image's migrations, and where they run."""
        return [
            *self.target.service.values(),
            self.target.migration(image),
            json.dumps({"awsvpcConfiguration": self.target.network()}),
        ]

    def _runbook(self, runbook: str, *arguments: str) -> Ended:
        return self._command(["ansible-playbook", runbook, "-e", "env=local", *arguments])

    def _command(self, argv: Sequence[str]) -> Ended:
        ended = run(argv, self.target.environment(), ROOT)
        assert ended.returncode == 0, f"{argv[:3]}: exit code {ended.returncode}\n{ended.output}"
        return ended

    def _released(self, case: str, number: int, ended: Ended, release: str) -> None:
        """A release whose deployment has ended."""
        self._serves(release)
        deployment = self.target.last_deployment()
        took = (deployment["finishedAt"] - deployment["createdAt"]).total_seconds()
        self._note(case, number, ended, {DECIDED: "UpdateService"}, took)

    def _serves(self, release: str) -> None:
        """What was claimed is true, and nothing is in progress any more."""
        self.target.settle()
        assert self.target.serving() == release, f"{self.target.serving()} serves, not {release}"

    def _note(
        self,
        case: str,
        number: int,
        ended: Ended,
        moments: Mapping[str, str] | None = None,
        ecs: float = 0.0,
    ) -> None:
        calls = calls_of(self.target.record, ended)
        self._keep(sample(case, number, ended, calls, moments or {}, ecs))


_REGISTERED = (
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "containerDefinitions",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "runtimePlatform",
)
# Cluster, service, the migrations' task definition and network are the first four arguments.
_MIGRATE = """
task=$(aws ecs run-task --cluster "$1" --task-definition "$3" --launch-type FARGATE \\
  --network-configuration "$4" --query "tasks[0].taskArn" --output text)
aws ecs wait tasks-stopped --cluster "$1" --tasks "$task"
code=$(aws ecs describe-tasks --cluster "$1" --tasks "$task" \\
  --query "tasks[0].containers[0].exitCode" --output text)
[ "$code" = 0 ]
"""
_ECS_DEPLOY = """
shift 4
"$@"
"""
_AWS = """
definition=$(aws ecs register-task-definition --cli-input-json "file://$5" \\
  --query taskDefinition.taskDefinitionArn --output text)
aws ecs update-service --cluster "$1" --service "$2" --task-definition "$definition" >/dev/null
aws ecs wait services-stable --cluster "$1" --services "$2"
"""


def _settings(release: str, bake: int, wait_for: str = "complete") -> Sequence[str]:
    """What deploy.yml is told: as the inventory has it, but for the bake."""
    deployment = {
        "strategy": "BLUE_GREEN",
        "bake_time_minutes": bake,
        "pause_timeout_minutes": 30,
        "healthy_timeout": 180,
    }
    settings = json.dumps({"lyo_deployment": deployment})
    return ["-e", f"release={release}", "-e", settings, "-e", f"wait_for={wait_for}"]


@contextmanager
def _elsewhere() -> Iterator[Path]:
    """A folder without an ansible.cfg."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
