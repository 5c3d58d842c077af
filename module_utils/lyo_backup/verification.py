"""Verification of a logical backup: restored into a scratch instance of its own, compared, and used.

Used by the application itself: its own smoke test, as a one-off task of the release that serves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..lyo_aws import AwsFailure
from ..lyo_progress import Progress
from ..lyo_release.said import Told
from . import scratch
from .program import DONE, VERIFIES, Program, Running, forget
from .reading import Place
from .scratch import Instances, Scratch
from .smoke import Smoke


class Verifier:
    """Makes the scratch instance, runs the verification on it, and deletes it, whatever comes of it.

    :param params: the module's arguments: ``scratch_class``, ``scratch_timeout``.
    :param smoke: the application's own check of a restored database, None for none.
    :ivar smoked: why the last one failed, empty where it was well.
    """

    def __init__(
        self,
        place: Place,
        program: Program,
        instances: Instances,
        params: Mapping[str, Any],
        progress: Progress,
        smoke: Smoke | None = None,
    ) -> None:
        self._smoke = smoke
        self._place, self._program, self._instances = place, program, instances
        self._params, self._progress = params, progress
        self.smoked = ""

    def request(self, backup: str, source: Mapping[str, Any]) -> dict[str, Any]:
        """Return the CreateDBInstance request for a backup's scratch instance."""
        return scratch.request(
            source,
            scratch.new_name(self._place.name, backup),
            str(self._place.outputs["database"]["name"]),
            {"Project": "lyo", "Environment": self._place.env, scratch.TAG: backup},
            str(self._params.get("scratch_class") or ""),
        )

    def source(self) -> dict[str, Any]:
        """Return the instance that serves, which the scratch instance is made like.

        :raises AwsFailure: ``NoInstance``, it is gone.
        """
        found = self._instances.find(self._place.instance)
        if found is None:
            raise AwsFailure(
                "NoInstance", f"the instance {self._place.instance} does not exist any more"
            )
        return found

    def verify(self, backup: str) -> Told:
        """Return what came of verifying a backup; the scratch instance is gone, unless it goes on.

        :raises AwsFailure: it could not be tried.
        """
        wanted = self.request(backup, self.source())
        name = str(wanted["DBInstanceIdentifier"])
        self._progress("verify", f"{backup} on {name}", 0)
        self.smoked, goes_on = "", False
        try:
            self._instances.create(wanted)
            ready = self._instances.wait(name, float(self._params["scratch_timeout"]))
            target = scratch.target_of(ready)
            told = self._program.run(VERIFIES, target, "verify", backup)
            goes_on = told.running
            if told.code == DONE and self._smoke is not None:
                self.smoked = self._smoke.run(target)
            return told
        finally:
            if not goes_on:
                self._instances.delete(name)

    def adopt(self, task: Running, left: Sequence[Scratch]) -> Told:
        """Return what came of a verification that another run has begun.

        What it has restored is used as well, and every scratch instance is gone then, unless it goes on.

        :raises AwsFailure: it cannot be followed, or used.
        """
        self.smoked = ""
        host = self._program.host(task)
        told = self._program.adopt(task)
        if told.running:
            return told
        try:
            if told.code == DONE and self._smoke is not None:
                for found in filter(None, (self._instances.find(one.name) for one in left)):
                    if (found.get("Endpoint") or {}).get("Address") == host:
                        self.smoked = self._smoke.run(scratch.target_of(found))
        finally:
            for one in left:
                self._instances.delete(one.name)
        return told

    def forget(self) -> None:
        """Deregister the task definitions of scratch instances, which will not come again."""
        forget(self._program.aws, f"{self._program.family}-{VERIFIES}")
        if self._smoke is not None:
            self._smoke.forget()
