"""Restoring from a logical backup: chosen from the bucket, brought in by the ops program's tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_backup import program
from ..lyo_backup.catalogue import PREFIX, Catalogue
from ..lyo_progress import Progress
from .request import Point, Request, RequestError, from_backup
from .validate import NotUsableError

# Families of the tasks, behind that of the ops image.
RESTORES, TENANTS, DRILLS = "restore", "tenant", "drill"


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
        program.forget(self._aws, f"{self._program.family}-{RESTORES}")
        if told.code != program.DONE:
            reasons = program.reasons(told)
            raise NotUsableError("\n  ".join([f"the backup {backup} was not restored", *reasons]))

    def tenant(
        self, database: Mapping[str, Any], backup: str, tenant: str, approve: str, *, replace: bool
    ) -> tuple[str, bool, list[str]]:
        """Compare a tenant's rows with a backup, and bring them back where that is approved.

        :param approve: the digest of what was shown, empty to be shown it.
        :param replace: also change what differs, and delete what the backup has not.
        :return: the digest, whether rows were changed, and what the program says for people.
        :raises NotUsableError: it was refused, or failed; then nothing was changed.
        """
        more = ["--tenant", tenant]
        more += ["--approve", approve] if approve else []
        more += ["--replace"] if replace else []
        told = self._program.run(TENANTS, target(database), "tenant", backup, *more)
        if told.code != program.DONE:
            raise NotUsableError("\n  ".join(program.reasons(told)))
        for event in reversed(told.events):
            if event["event"] == "done":
                return str(event["digest"]), bool(event["changed"]), list(told.lines)
        raise NotUsableError(f"the log of the task is not complete ({told.arn})")

    def inspect(self, database: Mapping[str, Any], name: str = RESTORES) -> bool:
        """Run pg_amcheck on a database; return False where there is no ops image to run it with.

        :param name: RESTORES or DRILLS: the family of the task.
        :raises NotUsableError: it found something.
        """
        try:
            self._program.image()
        except AwsFailure as failure:
            if failure.code != "NoImage":
                raise
            return False
        told = self._program.run(name, target(database), "inspect", "")
        program.forget(self._aws, f"{self._program.family}-{name}")
        if told.code != program.DONE:
            reasons = program.reasons(told)
            raise NotUsableError("\n  ".join(["pg_amcheck does not find it sound", *reasons]))
        return True


def target(database: Mapping[str, Any]) -> program.Target:
    """Return how the program reaches a database."""
    return program.Target(
        str(database["host"]),
        int(database["port"]),
        str(database["name"]),
        str(database["secret_arn"]),
    )
