"""Reads what the status shows: few calls, side by side, and none of them writes.

What the environment cannot be without (outputs, service) fails the whole; a part that cannot be read
besides, such as alarms without the permission for them, is told in its own place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..lyo_aws import Aws, AwsFailure, parallel
from ..lyo_backup.catalogue import Catalogue, Logical
from ..lyo_backup.retention import VERIFIED
from ..lyo_cost import report, sources
from ..lyo_cost.tables import BadTableError
from ..lyo_ledger.record import Run
from ..lyo_ledger.store import Ledger
from ..lyo_lock.decide import Found
from ..lyo_lock.store import LockStore
from ..lyo_operate import place
from ..lyo_operate.decide import Scaling
from ..lyo_operate.scale import scalable_target
from ..lyo_release import infra_marker, live
from ..lyo_release.outputs import read_both
from ..lyo_restore import drill, record

# Of so many logical backups, from the newest, the verdict is read.
VERDICTS = 7


@dataclass(frozen=True)
class Unknown:
    """What takes the place of a part that could not be read.

    :ivar why: in a sentence.
    """

    why: str


@dataclass(frozen=True)
class Infrastructure:
    """What the note beside Terraform's state says.

    :ivar planned_at: ISO 8601 time of the last empty plan, empty where none is on record.
    :ivar why_plan: why the next deploy plans again; empty while that plan counts.
    """

    planned_at: str
    why_plan: str


@dataclass(frozen=True)
class Pending:
    """What a deploy of what is written down would do.

    :ivar steps: its steps, none where it would do nothing.
    :ivar reasons: why each.
    :ivar problem: why it cannot be told, or why a deploy would be refused; empty for neither.
    """

    steps: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Backups:
    """The logical backups, as far as the status tells of them.

    :ivar last: the newest complete one, None without one.
    :ivar verified: the newest that is verified, among the last ones; None without one.
    :ivar count: how many complete ones there are.
    """

    last: Logical | None = None
    verified: Logical | None = None
    count: int = 0


@dataclass(frozen=True)
class Facts:
    """Everything that the sections are made from.

    :ivar now: when it was read.
    :ivar outputs: Terraform's outputs.
    :ivar service: the service, its deployments and definitions.
    :ivar targets: target group's name → states of its targets → how many.
    :ivar alarms: alarms in ALARM, by name, with their reasons.
    :ivar cost: the estimate of what is deployed.
    :ivar lock: who holds the environment, or held it last.
    :ivar runs: the last runs on record, newest first.
    :ivar tasks: the service's running tasks, as DescribeTasks has them.
    :ivar scaling: its scalable target, None without one.
    :ivar pending: what a deploy would do; None where nobody has looked.
    :ivar backups: None where there is no place for them.
    :ivar backup_hours: how old the last backup may be.
    :ivar drill: the last recovery drill, None where there was none.
    :ivar database: which database serves, and what is kept beside it; None before anybody says.
    """

    env: str
    now: datetime
    outputs: Mapping[str, Any]
    service: live.State
    targets: Mapping[str, Mapping[str, int]] | Unknown
    alarms: Mapping[str, str] | Unknown
    infrastructure: Infrastructure | Unknown
    cost: report.Report | Unknown
    lock: Found | Unknown = field(default_factory=lambda: Found(None))
    runs: Sequence[Run] | Unknown = ()
    tasks: Sequence[Mapping[str, Any]] | Unknown = ()
    scaling: Scaling | Unknown | None = None
    pending: Pending | None = None
    backups: Backups | Unknown | None = None
    backup_hours: float = 26
    drill: drill.Drill | Unknown | None = None
    database: record.Record | None = None


def read(aws: Aws, params: Mapping[str, Any], edge: Aws | None = None) -> Facts:
    """Read an environment.

    :param edge: the same account in us-east-1, where the alarms of Route 53 and CloudFront are.
    :raises place.NothingYetError: Terraform has made nothing yet, or not everything.
    :raises AwsFailure: AWS refuses what the status cannot be without.
    """
    env = params["env"]
    now = datetime.now(UTC)
    infra = params["infra"]
    (outputs, database), infrastructure, cost, lock, runs, drilled = parallel(
        lambda: read_both(aws, place.parameter(params)),
        _or_unknown(lambda: _infrastructure(aws, infra, now)),
        _or_unknown(lambda: _cost(aws, env, infra, params["cost"])),
        _or_unknown(LockStore(aws, infra["bucket"], infra["lock_key"]).read),
        _or_unknown(
            lambda: Ledger(aws, infra["bucket"], infra["ledger_prefix"]).recent(params["runs"])
        ),
        _or_unknown(lambda: drill.last(aws, infra["bucket"], infra["drills_prefix"])),
    )
    outputs = record.over(outputs, database)
    place.complete(outputs, env)
    cluster, name = outputs["cluster_name"], outputs["service_name"]
    service, targets, alarms, tasks, scaling, backups = parallel(
        lambda: live.read(aws, cluster, name, ""),
        _or_unknown(lambda: _targets(aws, outputs.get("target_group_arns") or {})),
        _or_unknown(lambda: _alarms([aws, *([edge] if edge else [])], params["alarm_prefix"])),
        _or_unknown(lambda: _tasks(aws, cluster, name)),
        _or_unknown(lambda: scalable_target(aws, cluster, name)),
        _or_unknown(lambda: _backups(aws, outputs.get("operations") or {}, params["backups"])),
    )
    told = (service, targets, alarms, infrastructure, cost, lock, runs, tasks, scaling)
    hours = float(params["backups"]["max_age_hours"])
    pending = pending_of(params.get("plan") or {})
    return Facts(env, now, outputs, *told, pending, backups, hours, drilled, database)


def pending_of(plan: Mapping[str, Any]) -> Pending | None:
    """Return what the module release_plan has said, None where it was not asked."""
    if not plan:
        return None
    if plan.get("failed"):
        return Pending(problem=str(plan.get("msg", "")))
    return Pending(tuple(plan.get("steps") or ()), tuple(plan.get("reasons") or ()))


def _backups(aws: Aws, operations: Mapping[str, Any], wanted: Mapping[str, Any]) -> Backups | None:
    """Return the logical backups, with the verdicts of the last few."""
    if not operations.get("bucket"):
        return None
    found = Catalogue(aws, str(operations["bucket"]), wanted["prefix"]).read(VERDICTS)
    complete = [backup for backup in found if backup.complete]
    verified = [backup for backup in complete if backup.verdict == VERIFIED]
    last = complete[-1] if complete else None
    return Backups(last, verified[-1] if verified else None, len(complete))


def _tasks(aws: Aws, cluster: str, service: str) -> list[dict[str, Any]]:
    """Return the running tasks, a hundred at most."""
    arns = aws.call(
        "ecs", "list_tasks", cluster=cluster, serviceName=service, desiredStatus="RUNNING"
    ).get("taskArns", [])
    if not arns:
        return []
    answer = aws.call("ecs", "describe_tasks", cluster=cluster, tasks=arns[:100])
    found: list[dict[str, Any]] = answer.get("tasks", [])
    return found


def _or_unknown(reader: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        try:
            return reader()
        except (AwsFailure, BadTableError, FileNotFoundError, sources.SourceError) as error:
            return Unknown(str(error))

    return run


def _targets(aws: Aws, groups: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Return how many targets each group has, by state."""

    def reader(arn: str) -> Callable[[], Any]:
        return lambda: aws.call("elbv2", "describe_target_health", TargetGroupArn=arn)

    found: dict[str, dict[str, int]] = {}
    for name, answer in zip(groups, parallel(*map(reader, groups.values())), strict=True):
        states: dict[str, int] = {}
        for entry in answer.get("TargetHealthDescriptions", []):
            state = str(entry.get("TargetHealth", {}).get("State", "unknown"))
            states[state] = states.get(state, 0) + 1
        found[name] = states
    return found


def _alarms(regions: Sequence[Aws], prefix: str) -> dict[str, str]:
    """Return the alarms in ALARM and why each is. Application Auto Scaling's begin with another
    name: their scale-in alarms are in ALARM whenever there is little to do.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
    """

    def reader(aws: Aws) -> Callable[[], Any]:
        return lambda: aws.call(
            "cloudwatch",
            "describe_alarms",
            AlarmNamePrefix=prefix,
            StateValue="ALARM",
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
        )

    return {
        str(entry["AlarmName"]): str(entry.get("StateReason", ""))
        for answer in parallel(*map(reader, regions))
        for entry in (*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", []))
    }


def _infrastructure(aws: Aws, infra: Mapping[str, Any], now: datetime) -> Infrastructure:
    files = infra_marker.fingerprint(infra["paths"], infra["variables"])
    bucket = infra["bucket"]
    marker, state = parallel(
        lambda: infra_marker.read_marker(aws, bucket, infra["marker_key"]),
        lambda: infra_marker.state_version(aws, bucket, infra["state_key"]),
    )
    why = infra_marker.why_plan(marker, files, state, now, int(infra["max_age_hours"]))
    return Infrastructure(marker.planned_at if marker else "", why)


def _cost(aws: Aws, env: str, infra: Mapping[str, Any], cost: Mapping[str, Any]) -> report.Report:
    environment = sources.state(aws, infra["bucket"], infra["state_key"], env)
    region = str(environment.outputs.get("region", aws.region))
    return report.make(Path(cost["tables"]), environment, env, region, "state", cost["usage"])
