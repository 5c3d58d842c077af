"""A deployed local environment, driven as a person does: by the runbooks' command lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localcloud import outside
from localcloud.recorder import RecordedCall, read_calls

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Run:
    """How a runbook ended. started: when it was started, aware; seconds: wall time."""

    returncode: int
    output: str
    started: datetime
    seconds: float


class Running:
    """A runbook in the background."""

    def __init__(self, process: subprocess.Popen[str], log: Path, started: datetime) -> None:
        self.process, self.log, self.started = process, log, started

    def output(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(errors="replace")

    def wait_for_output(self, text: str, timeout: float = 600.0) -> None:
        """Until `text` was printed; fails when the runbook ends first."""
        deadline = time.monotonic() + timeout
        while text not in self.output():
            assert self.process.poll() is None, f"ended before {text!r}:\n{self.output()}"
            assert time.monotonic() < deadline, f"no {text!r} in {timeout} s:\n{self.output()}"
            time.sleep(0.05)

    def finish(self, timeout: float = 600.0) -> Run:
        """Wait for the end."""
        code = self.process.wait(timeout)
        elapsed = (datetime.now(UTC) - self.started).total_seconds()
        return Run(code, self.output(), self.started, elapsed)


class Environment:
    """env=local on one local cloud."""

    def __init__(self, content: dict[str, Any], logs: Path) -> None:
        self.content = content
        self.state_dir = Path(content["state_dir"])
        self._logs = logs
        self._runs = 0

    def start(
        self, runbook: str, *arguments: str, environment: dict[str, str] | None = None
    ) -> Running:
        """Start `ansible-playbook <runbook> -e env=local <arguments>`."""
        variables = {**self.variables(), **(environment or {})}
        assert self.content["endpoint"].startswith("http://127."), self.content["endpoint"]
        self._runs += 1
        log = self._logs / f"{self._runs:02}-{runbook}.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                ["ansible-playbook", runbook, "-e", "env=local", *arguments],
                cwd=ROOT,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
            )
        return Running(process, log, datetime.now(UTC))

    def variables(self) -> dict[str, str]:
        """Environment variables of what works on this cloud, and nothing of the caller's own AWS."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("AWS_", "ANSIBLE_"))
        }
        return kept | {
            "PATH": f"{BIN}:{kept['PATH']}",
            "LOCALCLOUD_STATE": str(self.state_dir),
            # A credential of this machine must never be used, not even by mistake.
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "ANSIBLE_FORCE_COLOR": "false",
        }

    def run(
        self,
        runbook: str,
        *arguments: str,
        environment: dict[str, str] | None = None,
        timeout: float = 900.0,
    ) -> Run:
        """Run a runbook to its end."""
        return self.start(runbook, *arguments, environment=environment).finish(timeout)

    def calls(self, since: datetime, *, writes: bool = False) -> list[RecordedCall]:
        """API calls since then."""
        return list(read_calls(self.state_dir / "calls.jsonl", since.isoformat(), writes))

    def client(self, service: str) -> Any:
        """A boto3 client that reaches this cloud only."""
        return outside.client(self.content, service)

    @property
    def outputs(self) -> dict[str, Any]:
        """What Terraform has published."""
        return outside.outputs(self.content)

    @property
    def ca_bundle(self) -> str:
        """File of the local CA's certificate."""
        return str(self.content["ca_bundle"])

    def live_image(self) -> str:
        """Image of the service's present task definition."""
        ecs, names = self.client("ecs"), self.outputs
        service = ecs.describe_services(
            cluster=names["cluster_name"], services=[names["service_name"]]
        )
        definition = ecs.describe_task_definition(
            taskDefinition=service["services"][0]["taskDefinition"]
        )["taskDefinition"]
        return str(definition["containerDefinitions"][0]["image"])

    def running_tasks(self) -> list[str]:
        """ARNs of the service's running tasks."""
        names = self.outputs
        answer = self.client("ecs").list_tasks(
            cluster=names["cluster_name"],
            serviceName=names["service_name"],
            desiredStatus="RUNNING",
        )
        return sorted(answer["taskArns"])

    def secret(self, arn: str) -> dict[str, str]:
        """A JSON secret's value."""
        value = self.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        content: dict[str, str] = json.loads(value)
        return content
