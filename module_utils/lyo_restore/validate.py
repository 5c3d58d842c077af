"""Whether what was restored can be used: asked by one-off tasks of the application's own image.

The database is in private subnets, so whoever looks at it is a task there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..lyo_aws import Aws
from ..lyo_backup.program import forget
from ..lyo_migration import events
from ..lyo_progress import Progress
from ..lyo_release import schema
from ..lyo_release.run_task import AFTER, OneOff, judge

# Families of the tasks, behind that of the application: drills have their own, so that one that ends
# takes no definition away from a restore beside it.
NAME, DRILLED = "restored", "drilled"
# The log may arrive later than the end of the task.
REPORT_SECONDS = 30.0


@dataclass(frozen=True)
class Checked:
    """What a restored database was found to be.

    :ivar schema: where its schema is; None where the image does not say.
    :ivar rows: rows by table, as far as they were asked for.
    :ivar pending: the migrations that the release would run on it, as far as its image names them.
    :ivar behind: whether the release has migrations to run on it.
    :ivar sound: whether pg_amcheck has looked and found nothing; it cannot without an ops image.
    """

    schema: schema.Schema | None
    rows: Mapping[str, int]
    sound: bool = False
    pending: tuple[str, ...] = ()
    behind: bool = False


class NotUsableError(Exception):
    """What was restored cannot be used; the message says why."""


class Validation:
    """Looks at one restored instance.

    :param outputs: Terraform's outputs, their ``database`` the restored one.
    :param params: ``image``, ``release``, ``task``, ``checks`` {plan, count} and ``check_timeout``.
    :param name: NAME or DRILLED.
    """

    def __init__(
        self,
        aws: Aws,
        progress: Progress,
        outputs: Mapping[str, Any],
        params: Mapping[str, Any],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        name: str = NAME,
    ) -> None:
        self.aws, self.progress, self.name = aws, progress, name
        self.outputs, self.params = outputs, params
        self._sleep, self._clock = sleep, clock

    def check(self) -> Checked:
        """Return what the database is.

        :raises NotUsableError: a task could not use it.
        """
        checks = self.params["checks"]
        found: schema.Schema | None = None
        behind = False
        pending: tuple[str, ...] = ()
        if checks.get("plan"):
            code, lines = self._task(checks["plan"], lambda seen: schema.said(seen) is not None)
            if code not in (events.DONE, events.PENDING):
                raise NotUsableError(_why("its schema cannot be read", lines))
            found = schema.said(lines)
            behind, pending = code == events.PENDING, migrations_in(lines)
        counted: Mapping[str, int] = {}
        if checks.get("count"):
            code, lines = self._task(checks["count"], lambda seen: rows_in(seen) is not None)
            if code != 0:
                raise NotUsableError(_why("its rows cannot be counted", lines))
            counted = rows_in(lines) or {}
        return Checked(found, counted, pending=pending, behind=behind)

    def _task(
        self, command: Sequence[str], complete: Callable[[Sequence[str]], bool]
    ) -> tuple[int | None, list[str]]:
        """Run a command of the image and return its exit code and every line that it said."""
        params = {
            "outputs": self.outputs,
            "task": self.params["task"],
            "image": self.params["image"],
            "release": self.params["release"],
            "name": self.name,
            "command": list(command),
            "timeout": self.params["check_timeout"],
            "repeat": AFTER,
        }
        one_off = OneOff(self.aws, _Quiet(self.progress), params, self._sleep, self._clock)
        lines: list[str] = []
        one_off.listen = lines.append
        definition = one_off.existing_definition() or one_off.register()
        arn = one_off.running() or one_off.start(str(definition["taskDefinitionArn"]))
        task, log = one_off.follow(arn, definition)
        code, wrong = judge(task, str(self.outputs["container_name"]))
        if task.get("lastStatus") != "STOPPED":
            raise NotUsableError(f"the task that looks at it still runs ({arn})")
        if code is None:
            raise NotUsableError("; ".join(wrong))
        until = self._clock() + REPORT_SECONDS
        while code in (events.DONE, events.PENDING) and not complete(lines):
            if self._clock() > until:
                raise NotUsableError(
                    f"the log of the task that looks at it is not complete ({arn})"
                )
            self._sleep(1.0)
            log.read()
        return code, lines

    def forget(self) -> None:
        """Deregister the definitions that name this instance, or one of a run that was killed."""
        forget(self.aws, f"{self.outputs['task_family']}-{self.name}")


class _Quiet(Progress):
    """Progress of a task without what it says to the runbook."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __call__(self, stage: str, text: str, percent: int | None = None) -> None:
        self._progress(f"validate: {stage}", text, percent)

    def line(self, text: str, sleep: Callable[[float], None] = time.sleep) -> None:
        """The log of a task that looks: nothing that stays on the terminal."""


def rows_in(lines: Sequence[str]) -> dict[str, int] | None:
    """Return rows by table from lines ``{"name": …, "rows": …}``; None until ``{"rows": <how many>}``."""
    found: dict[str, int] = {}
    for line in lines:
        if not line.startswith("{"):
            continue
        try:
            content = json.loads(line)
        except ValueError:
            continue
        if set(content) == {"rows"}:
            return found if int(content["rows"]) == len(found) else None
        if "name" in content and "rows" in content:
            found[str(content["name"])] = int(content["rows"])
    return None


def migrations_in(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the pending migrations that a plan tells, oldest first: ``0002 (its title)``."""
    said = [event for line in lines if (event := events.parse(line)) is not None]
    return tuple(
        f"{one['revision']} ({one.get('title') or 'no title'})"
        for one in said
        if one["event"] == "migration"
    )


def _why(what: str, lines: Sequence[str]) -> str:
    told = [line for line in lines if line and not line.startswith(("{", "lyo."))]
    return "\n  ".join([what, *(f"log: {line}" for line in told[-5:])])
