"""The module ``recovery_drill``: a whole recovery into isolation, timed, and nothing left of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_progress import Progress
from ..lyo_release.verdict import FAILED, SUCCEEDED
from . import decide, request, template
from .rds import new_name
from .request import Request, RequestError
from .validate import NotUsableError
from .work import Work, rows_in_words

LAST = "last.json"


@dataclass(frozen=True)
class Drill:
    """What came of a drill.

    :ivar at: when it began, ISO 8601 in UTC.
    :ivar what: what was restored.
    :ivar rto_seconds: from the beginning until the restored database was found usable.
    :ivar rpo_seconds: what would have been lost: from the point that could be reached to the beginning.
    :ivar sound: whether pg_amcheck has looked, and found nothing.
    :ivar restore_seconds: of the RTO, until RDS had the instance.
    :ivar reasons: why it failed.
    """

    at: str
    verdict: str
    what: str = ""
    rto_seconds: float = 0.0
    rpo_seconds: float = 0.0
    restore_seconds: float = 0.0
    rows: dict[str, int] = field(default_factory=dict)
    schema: str = ""
    sound: bool = False
    reasons: tuple[str, ...] = ()


def parse(body: bytes) -> Drill:
    """Return a drill from its object's body.

    :raises ValueError: it is not one.
    """
    try:
        content = json.loads(body)
        known = {name: content[name] for name in content if name in Drill.__annotations__}
        return Drill(**{**known, "reasons": tuple(known.get("reasons") or ())})
    except (ValueError, TypeError) as error:
        raise ValueError(f"not a drill: {error}") from None


def last(aws: Aws, bucket: str, prefix: str) -> Drill | None:
    """Return the last drill, None where there was none.

    :raises AwsFailure: it cannot be read.
    """
    try:
        answer = aws.call("s3", "get_object", Bucket=bucket, Key=f"{prefix}{LAST}")
    except AwsFailure as failure:
        if failure.code in ("NoSuchKey", "NoSuchBucket", "404"):
            return None
        raise
    try:
        return parse(answer["Body"].read())
    except ValueError as error:
        raise AwsFailure("Drill", f"s3://{bucket}/{prefix}{LAST} is {error}") from None


class Driller:
    """One run of the module.

    :ivar answer: what the module returns.
    """

    def __init__(self, work: Work, *, check_mode: bool) -> None:
        self.work, self.check_mode = work, check_mode
        self.answer: dict[str, Any] = {"changed": True, "reasons": [], "drill": {}}

    def run(self) -> None:
        """Drill; what was made is deleted whatever comes of it.

        :raises RequestError, NotUsableError, AwsFailure: it failed.
        """
        work, params = self.work, self.work.params
        work.read()
        left = decide.drills(work.found)
        wanted = Request(params["source"], params["snapshot"] or request.LATEST)
        if self.check_mode:
            point = work.point(wanted)
            self.answer["reasons"] = [
                *(f"{name} is left of an earlier drill and would be deleted" for name in left),
                f"{point.words} would be restored into isolation, validated, timed and deleted",
            ]
            return
        work.delete(left)
        began, clock = work.now(), work.now
        at = request.written(began)
        identifier = ""
        drill = Drill(at, FAILED)
        try:
            point = work.point(wanted)
            identifier = new_name(work.name, "drill-", began)
            tags = {template.DRILL_TAG: at, template.POINT_TAG: point.words}
            identifier = work.begin(identifier, point, tags, isolated=True)
            instance = work.instances.wait(identifier, float(params["timeout"]))
            restored = (clock() - began).total_seconds()
            checked = work.check(instance)
            drill = Drill(
                at,
                SUCCEEDED,
                point.words,
                rto_seconds=round((clock() - began).total_seconds(), 1),
                rpo_seconds=round(max(0.0, (began - point.time).total_seconds()), 1),
                restore_seconds=round(restored, 1),
                rows=dict(checked.rows),
                sound=checked.sound,
                schema=checked.schema.revision if checked.schema else "",
            )
        except (RequestError, NotUsableError, AwsFailure) as error:
            drill = Drill(at, FAILED, reasons=(str(error),))
            raise
        finally:
            self._end(drill, identifier)

    def _end(self, drill: Drill, identifier: str) -> None:
        """Delete what was made, then keep what came of it; an old result is not kept for a new one."""
        if identifier:
            self.work.progress("delete", f"{identifier} has done its duty")
            self.work.instances.delete(identifier, float(self.work.params["timeout"]))
        self.answer["drill"] = asdict(drill)
        self.answer["record"] = {"drill": asdict(drill)}
        state = self.work.params["state"]
        self.work.aws.call(
            "s3",
            "put_object",
            Bucket=state["bucket"],
            Key=f"{state['drills_prefix']}{LAST}",
            Body=json.dumps(asdict(drill), sort_keys=True, indent=1).encode(),
            ContentType="application/json",
        )
        if drill.verdict == SUCCEEDED:
            self.answer |= {"verdict": SUCCEEDED, "reasons": in_words(drill)}


def in_words(drill: Drill) -> list[str]:
    """Return a drill that went well, for people."""
    lines = [
        (
            f"{drill.what} was recovered: usable after {drill.rto_seconds:,.0f} s (RTO), "
            f"{drill.rpo_seconds:,.0f} s of writes would be lost (RPO)"
        ),
        f"of the time, {drill.restore_seconds:,.0f} s until the instance was there",
    ]
    if drill.rows:
        lines.append(f"rows: {rows_in_words(drill.rows)}")
    if drill.sound:
        lines.append("pg_amcheck finds it sound")
    if drill.schema:
        lines.append(f"schema: {drill.schema}")
    return lines


def run(module: Any) -> None:
    """Run the module ``recovery_drill``."""
    params = module.params
    aws = Aws(params["aws"])
    work = Work(aws, Progress("drill", aws.secrets), params, drills=True)
    finish(module, Driller(work, check_mode=module.check_mode))


def finish(module: Any, driller: Driller) -> None:
    """Run to the end that the module has."""
    answer = driller.answer
    try:
        driller.run()
    except (RequestError, NotUsableError, AwsFailure) as error:
        answer |= {"reasons": [str(error)], "changed": driller.work.aws.writes > 0}
        answer.pop("verdict", None)
        module.fail_json(msg=str(error), verdict=FAILED, **answer)
    module.exit_json(**answer)
