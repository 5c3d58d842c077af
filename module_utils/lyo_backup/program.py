"""The ops program (ops/lyo_backup) as a one-off task of the ops image: started, adopted, followed.

What it is told by its environment, and what it says: docs/decisions/backups.md.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_progress import Progress
from ..lyo_release import live
from ..lyo_release.run_task import OneOff
from ..lyo_release.said import Event, Lines, Told, follow, parse
from ..lyo_release.task_definition import image_of

PREFIX = "lyo.backup: "
PROGRAM = "lyo_backup"
# Names of the tasks' families, behind that of the ops image.
WRITES, VERIFIES = "backup", "verify"
# Those of restore.yml, whose backups must not go meanwhile.
FAMILIES = (WRITES, VERIFIES, "restore", "tenant", "drill")
# Exit codes of the program.
DONE, FAILED, REFUSED, DAMAGED = 0, 1, 2, 3
# Events that a verb ends with.
_ENDS = frozenset({"done", "failed", "refused", "damaged"})
_PROGRESS_LINE = re.compile(r"backup: \w+: .* left")
_UNITS = ("bytes", "KiB", "MiB", "GiB")


def size(count: float) -> str:
    """Return a number of bytes as people read it."""
    for unit in _UNITS:
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def parsed(line: str) -> Event | None:
    """Return the event of a line, with its share in percent; None for a line that is for people."""
    event = parse(line, PREFIX)
    if event is None or event["event"] != "progress" or not event.get("total"):
        return event
    return {**event, "percent": min(100, int(100 * event.get("bytes", 0) / event["total"]))}


def words(event: Event) -> str:
    """Return what a person reads of an event while it happens, empty for nothing."""
    if event["event"] != "progress":
        return ""
    parts = [f"{size(event.get('bytes', 0))} of about {size(event.get('total', 0))}"]
    if event.get("bytes_per_second"):
        parts.append(f"{size(event['bytes_per_second'])}/s")
    if event.get("seconds_left") is not None:
        parts.append(f"{event['seconds_left']} s left")
    return f"{event.get('verb', '')}: {', '.join(parts)}"


def ended(events: Sequence[Event], _: Sequence[str] = ()) -> bool:
    """Tell whether the program has said how it ended."""
    return any(event["event"] in _ENDS for event in events)


def reasons(told: Told) -> list[str]:
    """Return why a task did not end well: by its own word, else by what ECS says of it."""
    for event in reversed(told.events):
        if event.get("reasons"):
            return [str(reason) for reason in event["reasons"]]
        if event.get("reason"):
            return [str(event["reason"])]
    return [*told.reasons, *(f"log: {line}" for line in told.lines[-10:])]


@dataclass(frozen=True)
class Target:
    """A database that a task works on.

    :ivar secret_arn: of the secret with ``username`` and ``password``.
    """

    host: str
    port: int
    name: str
    secret_arn: str


@dataclass(frozen=True)
class Running:
    """A task of the program that is under way.

    :ivar family: of its definition.
    :ivar verb: what it does, empty where its command says nothing known.
    :ivar backup: ID that it works on.
    """

    arn: str
    family: str
    verb: str
    backup: str
    definition: str = ""


def of_task(task: Mapping[str, Any]) -> Running:
    """Return a task from ECS's description: its command is in its overrides."""
    definition = str(task.get("taskDefinitionArn", ""))
    family = definition.rpartition("/")[2].partition(":")[0]
    command: list[str] = []
    for override in (task.get("overrides") or {}).get("containerOverrides") or ():
        command = [str(word) for word in override.get("command") or command]
    backup = command[command.index("--id") + 1] if "--id" in command[:-1] else ""
    verb = command[1] if command[:1] == [PROGRAM] and len(command) > 1 else ""
    return Running(str(task["taskArn"]), family, verb, backup, definition)


def environment(
    operations: Mapping[str, Any], target: Target, settings: Mapping[str, Any]
) -> dict[str, str]:
    """Return the environment of the program, without what is secret.

    :param operations: Terraform's output of that name.
    :param settings: ``prefix``, ``sslmode``, ``jobs`` and ``environment``, which wins.
    """
    values = {
        "PGHOST": target.host,
        "PGPORT": target.port,
        "PGDATABASE": target.name,
        "PGSSLMODE": settings.get("sslmode"),
        "LYO_BACKUP_BUCKET": operations["bucket"],
        "LYO_BACKUP_PREFIX": settings.get("prefix"),
        "LYO_BACKUP_KMS_KEY": operations.get("kms_key_arn"),
        "LYO_BACKUP_COPY_BUCKET": operations.get("copy_bucket"),
        "LYO_BACKUP_COPY_REGION": operations.get("copy_region"),
        "LYO_BACKUP_LOCK_DAYS": operations.get("lock_days"),
        "LYO_BACKUP_JOBS": settings.get("jobs"),
        **(settings.get("environment") or {}),
    }
    return {name: str(value) for name, value in values.items() if value not in (None, "")}


def secrets_of(target: Target) -> dict[str, str]:
    """Return what comes from Secrets Manager, as the task definition refers to it."""
    return {
        "PGUSER": f"{target.secret_arn}:username::",
        "PGPASSWORD": f"{target.secret_arn}:password::",
    }


class Program:
    """Runs the program on the databases of one environment.

    :param outputs: Terraform's outputs, with ``operations``.
    :param settings: ``prefix``, ``sslmode``, ``jobs``, ``environment``, ``cpu``, ``memory``,
        ``architecture``, ``timeout`` (seconds), ``container``, and ``image`` (by default that of the
        family of the ops image).
    """

    def __init__(
        self,
        aws: Aws,
        progress: Progress,
        outputs: Mapping[str, Any],
        family: str,
        settings: Mapping[str, Any],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.aws, self.progress, self.settings = aws, progress, settings
        self.operations: Mapping[str, Any] = outputs["operations"]
        self.container = str(settings.get("container") or "ops")
        self.family = family
        self.outputs = {
            **outputs,
            "task_family": family,
            "container_name": self.container,
            "execution_role_arn": self.operations["execution_role_arn"],
            "task_role_arn": self.operations["task_role_arn"],
            "log_group": self.operations["log_group"],
        }
        self._image = str(settings.get("image") or "")
        self._sleep, self._clock = sleep, clock

    def image(self) -> str:
        """Return the ops image, by digest.

        :raises AwsFailure: ``NoImage``, none was pushed yet.
        """
        if not self._image:
            self._image = image_of(live.describe_definition(self.aws, self.family))
        if not self._image:
            raise AwsFailure(
                "NoImage",
                f"there is no ops image yet (no task definition {self.family}). "
                "Type: ansible-playbook ops_image.yml -e env=…",
            )
        return self._image

    def running(self) -> list[Running]:
        """Return the tasks of the program that are under way, also those that have not begun yet."""
        found: list[Running] = []
        for name in FAMILIES:
            arns = self.aws.all(
                "ecs",
                "list_tasks",
                "taskArns",
                cluster=self.outputs["cluster_name"],
                family=f"{self.family}-{name}",
                desiredStatus="RUNNING",
            )
            if arns:
                answer = self.aws.call(
                    "ecs", "describe_tasks", cluster=self.outputs["cluster_name"], tasks=arns[:100]
                )
                found += [
                    of_task(task)
                    for task in answer.get("tasks") or ()
                    if task.get("lastStatus") != "STOPPED"
                ]
        return found

    def run(self, name: str, target: Target, verb: str, backup: str, *more: str) -> Told:
        """Run a verb on a database and follow it to its end.

        :param name: ``WRITES`` or ``VERIFIES``: the family.
        :param backup: empty for a verb that is about none.
        :param more: further arguments of the verb.
        :raises AwsFailure: it cannot be started, or followed.
        """
        which = ["--id", backup] if backup else []
        one_off = self._one_off(name, target, [PROGRAM, verb, *which, *more], self.image())
        definition = one_off.existing_definition() or one_off.register()
        arn = one_off.running() or one_off.start(str(definition["taskDefinitionArn"]))
        return self._follow(one_off, arn, definition)

    def adopt(self, running: Running) -> Told:
        """Follow a task that somebody else has started to its end."""
        definition = live.describe_definition(self.aws, running.definition)
        if definition is None:
            raise AwsFailure("NoDefinition", f"{running.definition} of a running task is gone")
        self.progress("adopt", f"{running.verb} {running.backup} is under way already: watching it")
        name = running.family.removeprefix(f"{self.family}-")
        # Only followed, so what a new one would be made from does not matter.
        nowhere = Target("", 0, "", "")
        return self._follow(
            self._one_off(name, nowhere, [], image_of(definition)), running.arn, definition
        )

    def host(self, running: Running) -> str:
        """Return the host of the database that a task works on, empty where its definition is gone."""
        definition = live.describe_definition(self.aws, running.definition) or {}
        for container in definition.get("containerDefinitions") or ():
            for entry in container.get("environment") or ():
                if entry["name"] == "PGHOST":
                    return str(entry["value"])
        return ""

    def _one_off(self, name: str, target: Target, command: list[str], image: str) -> OneOff:
        params = {
            "outputs": self.outputs,
            "name": name,
            "image": image,
            "release": "ops",
            "command": command,
            "repeat": "after",
            "timeout": self.settings["timeout"],
            "task": {
                "cpu": self.settings.get("cpu"),
                "memory": self.settings.get("memory"),
                "architecture": self.settings.get("architecture"),
                "environment": environment(self.operations, target, self.settings),
                "secrets": secrets_of(target),
                "stop_timeout": 60,
            },
        }
        lines: Any = Lines(
            self.progress,
            name,
            parsed,
            words,
            lambda line: _PROGRESS_LINE.fullmatch(line) is not None,
        )
        return OneOff(self.aws, lines, params, self._sleep, self._clock)

    def _follow(self, one_off: OneOff, arn: str, definition: Mapping[str, Any]) -> Told:
        return follow(
            one_off, arn, definition, self.container, parsed, ended, self._sleep, self._clock
        )


def forget(aws: Aws, family: str) -> int:
    """Deregister the definitions of a family whose tasks work on what will not come again.

    :return: how many there were.
    :raises AwsFailure: one cannot be; the next run goes on.
    """
    arns = aws.all(
        "ecs", "list_task_definitions", "taskDefinitionArns", familyPrefix=family, status="ACTIVE"
    )
    # The prefix of one family may be the whole of another.
    mine = [arn for arn in arns if arn.rpartition("/")[2].partition(":")[0] == family]
    for arn in mine:
        aws.call("ecs", "deregister_task_definition", taskDefinition=arn)
    return len(mine)
