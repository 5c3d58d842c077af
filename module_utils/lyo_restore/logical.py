"""Restoring from a logical backup: chosen from the bucket, brought in by the ops program's tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ..lyo_aws import Aws
from ..lyo_backup import program
from ..lyo_backup.catalogue import PREFIX, Catalogue
from ..lyo_progress import Progress
from .request import Point, Request, RequestError, from_backup
from .validate import NotUsableError

# Families of the tasks, behind that of the ops image.
RESTORES, TENANTS = "restore", "tenant"


class Logical:
    """The logical backups of an environment, and the program that restores them.

    :param outputs: Terraform's outputs, with ``operations``.
    :param settings: the module's option ``program``.
    """

    def __init__(
        self,
        aws: Aws,
        progress: Progress,
        outputs: Mapping[str, Any],
        name: str,
        settings: Mapping[str, Any],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not outputs.get("operations"):
            raise RequestError("Terraform has made no place for logical backups: run deploy.yml")
        self._aws, self._operations = aws, outputs["operations"]
        self._prefix = str(settings.get("prefix") or PREFIX)
        known = {key: value for key, value in settings.items() if value is not None}
        self._program = program.Program(aws, progress, outputs, f"{name}-ops", known, sleep, clock)

    def choose(self, wanted: Request) -> Point:
        """Return the backup that was asked for.

        :raises RequestError: there is none such.
        """
        catalogue = Catalogue(self._aws, str(self._operations["bucket"]), self._prefix)
        return from_backup(wanted, catalogue.read())

    def fill(self, database: Mapping[str, Any], backup: str) -> None:
        """Restore a backup into an empty database; nothing where that was done already.

        :param database: as Terraform's output of that name.
        :raises NotUsableError: it could not be restored.
        """
        told = self._program.run(RESTORES, target(database), "restore", backup, "--no-owner")
        self._program.forget(RESTORES)
        if told.code != program.DONE:
            reasons = program.reasons(told)
            raise NotUsableError("\n  ".join([f"the backup {backup} was not restored", *reasons]))


def target(database: Mapping[str, Any]) -> program.Target:
    """Return how the program reaches a database."""
    return program.Target(
        str(database["host"]),
        int(database["port"]),
        str(database["name"]),
        str(database["secret_arn"]),
    )
