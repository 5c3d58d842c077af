"""From a point to an instance that can be used: what a restore and a drill have in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_cost import sources
from ..lyo_progress import Progress
from ..lyo_release.outputs import read_both
from . import decide, request, template
from .rds import Instances
from .record import Record, name_of, over
from .request import Point, Request, RequestError
from .validate import DRILLED, NAME, Checked, Validation

if TYPE_CHECKING:
    from .logical import Logical


class Work:
    """What a run knows of the environment, and how it restores.

    :param params: the module's arguments.
    :param drills: whether it is a drill, whose tasks have families of their own.
    :ivar outputs: Terraform's outputs, with the database that serves.
    :ivar record: which instance serves.
    :ivar found: the environment's instances.
    """

    def __init__(
        self,
        aws: Aws,
        progress: Progress,
        params: Mapping[str, Any],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        drills: bool = False,
    ) -> None:
        self.aws, self.progress, self.params = aws, progress, params
        self._drills = drills
        self._sleep, self._clock, self.now = sleep, clock, now
        self.name = str(params["name"])
        self.parameter = params.get("outputs_parameter") or f"/lyo/{params['env']}/outputs"
        self.instances = Instances(aws, self.name, progress, sleep, clock)
        self.outputs: dict[str, Any] = {}
        self.record = Record(self.name)
        self.found: list[decide.Found] = []

    def read(self) -> None:
        """Read what serves and which instances there are.

        :raises RequestError: Terraform has not made what this needs.
        """
        outputs, record = read_both(self.aws, self.parameter)
        deploy = f"ansible-playbook deploy.yml -e env={self.params['env']}"
        if not outputs.get("database"):
            raise RequestError(f"{self.params['env']} has no database yet. Type: {deploy}")
        if record is None:
            raise RequestError(
                f"there is no parameter {name_of(self.parameter)}, which says what serves. Type: {deploy}"
            )
        self.record, self.outputs = record, over(outputs, record)
        self.found = [decide.Found.of(one) for one in self.instances.all()]

    def attributes(self) -> Mapping[str, Any]:
        """Return what a restored instance has to be like, from Terraform's state.

        :raises RequestError: there is none.
        """
        state = self.params["state"]
        try:
            known = sources.state(self.aws, state["bucket"], state["key"], self.params["env"])
        except sources.SourceError as error:
            raise RequestError(str(error)) from None
        return template.of_state(known.resources, self.record.serving)

    def point(self, wanted: Request) -> Point:
        """Return what to restore from.

        :raises RequestError: it cannot be had.
        """
        if wanted.source == request.LOGICAL:
            return self.logical().choose(wanted)
        serving = self.record.serving
        if wanted.source == request.SNAPSHOT:
            return request.from_snapshot(wanted, self.instances.snapshots(), serving)
        at = self.record.restored.get("switched_at")
        switched = request.moment(at) if at else None
        # Restored instances that were never switched to have backups too, of what nobody wrote.
        unused = {one.identifier for one in decide.restores(self.record, self.found)}
        backups = self.instances.backups()
        served = [one for one in backups if one["DBInstanceIdentifier"] not in unused]
        return request.to_time(wanted, served, serving, switched, self.now())

    def delete(self, identifiers: tuple[str, ...]) -> None:
        """Delete instances that nobody uses."""
        for identifier in identifiers:
            self.progress("delete", f"{identifier} is left of an earlier run")
            self.instances.delete(identifier, float(self.params["timeout"]))

    def begin(
        self, identifier: str, point: Point, tags: Mapping[str, str], *, isolated: bool = False
    ) -> str:
        """Begin to restore and return the identifier of the instance."""
        if point.backup:
            database = str(self.outputs["database"]["name"])
            operation, params = template.create(self.attributes(), identifier, database, tags)
        else:
            operation, params = template.restore(
                self.attributes(), identifier, point, tags, isolated=isolated
            )
        self.progress("restore", f"{point.words} into {identifier}")
        return self.instances.restore(operation, identifier, params)

    def logical(self) -> Logical:
        """Return the logical backups.

        :raises RequestError: there is no place for them.
        """
        from .logical import Logical  # only who restores from one waits for it

        return Logical(
            self.aws,
            self.progress,
            self.outputs,
            self.name,
            self.params.get("program") or {},
            self._sleep,
            self._clock,
        )

    def where(self, instance: Mapping[str, Any]) -> dict[str, Any]:
        """Return an instance as the outputs' ``database``."""
        return template.where(instance, self.outputs["database"])

    def check(self, instance: Mapping[str, Any]) -> Checked:
        """Return what a restored database is found to be.

        :raises NotUsableError: it cannot be used.
        """
        self.progress("validate", f"{instance['DBInstanceIdentifier']}: schema and rows")
        validation = self._validation(instance)
        try:
            checked = validation.check()
        finally:
            self._forget(validation)
        if not self.outputs.get("operations"):
            return checked
        from .logical import DRILLS, RESTORES

        name = DRILLS if self._drills else RESTORES
        return replace(checked, sound=self.logical().inspect(self.where(instance), name))

    def _validation(self, instance: Mapping[str, Any]) -> Validation:
        outputs = {**self.outputs, "database": self.where(instance)}
        name = DRILLED if self._drills else NAME
        return Validation(
            self.aws, self.progress, outputs, self.params, self._sleep, self._clock, name
        )

    def _forget(self, validation: Validation) -> None:
        try:
            validation.forget()
        except AwsFailure as failure:
            # One definition too many is no reason to lose a restore.
            self.progress("validate", f"a task definition was left: {failure.message}")

    def write(self, record: Record) -> None:
        """Write which instance serves, unless it is so already; Terraform then has to plan."""
        if record == self.record:
            return
        state = self.params["state"]
        self.aws.call("s3", "delete_object", Bucket=state["bucket"], Key=state["marker_key"])
        self.aws.call(
            "ssm",
            "put_parameter",
            Name=name_of(self.parameter),
            Value=record.text(),
            Type="String",
            Overwrite=True,
        )
        self.record = record


def rows_in_words(rows: Mapping[str, int]) -> str:
    """Return rows by table for people."""
    return ", ".join(f"{name} {count:,}" for name, count in sorted(rows.items()))
