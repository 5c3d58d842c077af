"""The image's migration command as a one-off task, its report read while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..lyo_aws import Aws
from ..lyo_progress import Progress
from ..lyo_release import live, schema
from ..lyo_release.run_task import OneOff
from ..lyo_release.said import Event, Lines, follow
from . import events

NAME = "migrate"


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    :ivar code: its exit code; None where it never started, or still runs.
    :ivar running: whether it still runs.
    :ivar events: what it said to the runbook.
    :ivar log: the last lines it said to people.
    :ivar reasons: what went wrong, empty for exit code 0.
    :ivar schema: where the schema is, as it said last.
    """

    code: int | None
    running: bool
    arn: str
    events: tuple[Mapping[str, Any], ...]
    log: tuple[str, ...]
    reasons: tuple[str, ...]
    schema: schema.Schema | None


def settings(task: Mapping[str, Any], timeouts: Mapping[str, str], attempts: int) -> dict[str, Any]:
    """Return the option ``task`` with what every statement of a migration is held to.

    PGOPTIONS reaches every client that uses libpq, whatever tool runs the migrations.
    https://www.postgresql.org/docs/current/libpq-envars.html

    :param timeouts: settings of PostgreSQL by name, as ``{lock_timeout: 1s}``.
    """
    options = " ".join(f"-c {name}={value}" for name, value in sorted(timeouts.items()))
    environment = {
        **(task.get("environment") or {}),
        "PGOPTIONS": options,
        "LYO_MIGRATION_ATTEMPTS": str(attempts),
    }
    return {**task, "environment": environment}


class MigrationTask:
    """Starts the command, with arguments, and follows it.

    :param params: the module's arguments.
    """

    def __init__(
        self,
        aws: Aws,
        progress: Progress,
        params: Mapping[str, Any],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.aws, self.progress, self.params = aws, progress, params
        self._sleep, self._clock = sleep, clock

    def _one_off(self, arguments: Sequence[str]) -> OneOff:
        params = {
            **self.params,
            "name": NAME,
            "command": [*self.params["command"], *arguments],
            "task": settings(self.params["task"], self.params["timeouts"], self.params["attempts"]),
            "migrates": True,
        }
        lines: Any = Lines(
            self.progress,
            NAME,
            events.parse,
            events.said_text,
            lambda line: line.startswith(schema.SAID),
        )
        return OneOff(self.aws, lines, params, self._sleep, self._clock)

    def adopt(self) -> Outcome | None:
        """Follow the task of an interrupted run to its end; None where none is running."""
        outputs = self.params["outputs"]
        answer = self.aws.call(
            "ecs",
            "list_tasks",
            cluster=outputs["cluster_name"],
            family=f"{outputs['task_family']}-{NAME}",
            desiredStatus="RUNNING",
        )
        running = [str(arn) for arn in answer.get("taskArns", [])]
        if not running:
            return None
        described = self.aws.call(
            "ecs", "describe_tasks", cluster=outputs["cluster_name"], tasks=running[:1]
        )
        found = described.get("tasks") or []
        definition = (
            live.describe_definition(self.aws, str(found[0]["taskDefinitionArn"]))
            if found
            else None
        )
        if definition is None:
            return None
        self.progress("adopt", "a migration is already running: watching it")
        return self._follow(self._one_off([]), running[0], definition)

    def run(self, *arguments: str) -> Outcome:
        """Run the command with further arguments and follow it to its end.

        :raises AwsFailure: it cannot be started, or followed.
        """
        one_off = self._one_off(arguments)
        definition = one_off.existing_definition()
        arn = one_off.running()
        if definition is None:
            definition = one_off.register()
        if not arn:
            arn = one_off.start(str(definition["taskDefinitionArn"]))
        return self._follow(one_off, arn, definition)

    def _follow(self, one_off: OneOff, arn: str, definition: Mapping[str, Any]) -> Outcome:
        container = str(self.params["outputs"]["container_name"])

        def ended(_: Sequence[Event], lines: Sequence[str]) -> bool:
            # The line about the schema is the last one that the command says.
            return not self.params["reports"] or schema.said(lines) is not None

        told = follow(
            one_off, arn, definition, container, events.parse, ended, self._sleep, self._clock
        )
        return Outcome(
            told.code,
            told.running,
            arn,
            told.events,
            tuple(line for line in told.lines if not line.startswith(schema.SAID)),
            told.reasons,
            schema.said(told.lines),
        )
