"""The status for people: one section for each question, each made from the facts alone.

A new question is a new function in :data:`SECTIONS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from ..lyo_backup.program import size as bytes_of
from ..lyo_backup.retention import DAMAGED
from ..lyo_cost import report
from ..lyo_ledger.record import Run
from ..lyo_lock.decide import holder
from ..lyo_release import stages
from ..lyo_release.live import name_of
from ..lyo_release.task_definition import image_of, release_of
from .facts import Facts, Unknown

# A service of more tasks is told by its zones.
SHOWN_TASKS = 8


@dataclass(frozen=True)
class Section:
    """An answer.

    :ivar name: the question in a word.
    :ivar lines: the answer, the most important first.
    :ivar well: whether nobody has to look.
    :ivar data: the same for programs.
    """

    name: str
    lines: tuple[str, ...]
    well: bool = True
    data: Mapping[str, Any] = field(default_factory=dict)


def unknown(name: str, part: Unknown) -> Section:
    """Return the section of a part that could not be read."""
    return Section(name, (f"cannot be read: {part.why}",), False, {"unknown": part.why})


def ago(then: datetime, now: datetime) -> str:
    """Return how long ago, in the largest unit that fits twice."""
    seconds = max(0, int((now - then).total_seconds()))
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} seconds ago"


def when(value: Any, now: datetime) -> str:
    """Return a time of AWS's or of ours for people, empty without one."""
    if isinstance(value, str) and value:
        value = datetime.fromisoformat(value)
    return f"{value:%Y-%m-%d %H:%M} ({ago(value, now)})" if isinstance(value, datetime) else ""


def release(facts: Facts) -> Section:
    """What serves, since when, on how many tasks."""
    state = facts.service
    service = state.service
    if service is None:
        return Section("release", ("there is no service",), False, {"exists": False})
    name, image = release_of(state.live_definition), image_of(state.live_definition)
    desired, running = int(service.get("desiredCount", 0)), int(service.get("runningCount", 0))
    data = {
        "release": name,
        "image": image,
        "task_definition": state.live,
        "desired": desired,
        "running": running,
    }
    if not name and not desired:
        return Section("release", ("nothing is released yet",), False, data)
    ended = (state.last or {}).get("finishedAt") if state.deployment is None else None
    data["since"] = ended.isoformat() if isinstance(ended, datetime) else ""
    since = f", since {when(ended, facts.now)}" if ended else ""
    head = f"{name_of(state.live, state.live_definition)}{since}"
    tasks = f"{running} of {desired} tasks run"
    return Section("release", (head, short(image), tasks), running >= desired > 0, data)


def short(image: str) -> str:
    """Return repository and the digest's beginning: enough to tell two images apart."""
    repository, _, digest = image.partition("@")
    return f"{repository.rpartition('/')[2]}@{digest[:19]}" if digest else image


def deployment(facts: Facts) -> Section:
    """What is under way."""
    current = facts.service.deployment
    if current is None:
        return Section("deployment", ("none under way",), True, {"status": ""})
    target = name_of(facts.service.target, facts.service.definitions.get(facts.service.target))
    status = str(current.get("status", ""))
    stage = str(current.get("lifecycleStage", ""))
    started = when(current.get("startedAt") or current.get("createdAt"), facts.now)
    percent = stages.percent(stages.position(stage)) if stage else 0
    weight = (current.get("targetServiceRevision") or {}).get("requestedProductionTrafficWeight")
    parts = [status, stage, f"{percent} %", started and f"started {started}"]
    if weight:
        parts.append(f"{weight:.0f} % of the traffic")
    words = ", ".join(part for part in parts if part)
    data = {
        "status": status,
        "stage": stage,
        "target": facts.service.target,
        "percent": percent,
        "traffic": weight or 0,
    }
    return Section("deployment", (f"{target}: {words}",), False, data)


def tasks(facts: Facts) -> Section:
    """Each task: where it runs, of which revision, how it feels, since when."""
    if isinstance(facts.tasks, Unknown):
        return unknown("tasks", facts.tasks)
    told = sorted(facts.tasks, key=lambda task: str(task.get("startedAt") or ""))
    lines = [task_line(task, facts.now) for task in told[:SHOWN_TASKS]]
    if len(told) > SHOWN_TASKS:
        zones = Counter(str(task.get("availabilityZone", "")) for task in told)
        where = ", ".join(f"{count} in {zone}" for zone, count in sorted(zones.items()))
        lines.append(f"and {len(told) - SHOWN_TASKS} more; of all, {where}")
    data = {
        "tasks": [
            {
                "task": str(task.get("taskArn", "")),
                "task_definition": str(task.get("taskDefinitionArn", "")),
                "zone": str(task.get("availabilityZone", "")),
                "status": str(task.get("lastStatus", "")),
                "health": str(task.get("healthStatus", "")),
                "started_at": started.isoformat()
                if isinstance(started := task.get("startedAt"), datetime)
                else "",
            }
            for task in told
        ]
    }
    well = all(task.get("healthStatus") != "UNHEALTHY" for task in told)
    return Section("tasks", tuple(lines) or ("none",), well, data)


def task_line(task: Mapping[str, Any], now: datetime) -> str:
    """Return a task in one line."""
    started = task.get("startedAt")
    health = str(task.get("healthStatus", "UNKNOWN"))
    parts = (
        str(task.get("taskArn", "")).rpartition("/")[2][:8],
        str(task.get("taskDefinitionArn", "")).rpartition("/")[2],
        str(task.get("availabilityZone", "")),
        str(task.get("lastStatus", "")) + ("" if health == "UNKNOWN" else f" {health}"),
        f"since {ago(started, now).removesuffix(' ago')}" if isinstance(started, datetime) else "",
    )
    return "  ".join(part for part in parts if part)


def scaling(facts: Facts) -> Section:
    """Whose the number of tasks is, and how far it may go."""
    if isinstance(facts.scaling, Unknown):
        return unknown("scaling", facts.scaling)
    desired = int((facts.service.service or {}).get("desiredCount", 0))
    if facts.scaling is None:
        return Section("scaling", (f"nothing scales it; {desired} tasks wanted",), True, {})
    low, high = facts.scaling.minimum, facts.scaling.maximum
    lines = [f"{desired} tasks wanted, {low} to {high} allowed"]
    if facts.scaling.suspended:
        lines.append(f"{facts.scaling.suspended} is suspended")
    elif desired == high:
        lines.append("at its maximum: more load finds no more tasks")
    data = {"desired": desired, "minimum": low, "maximum": high}
    return Section("scaling", tuple(lines), len(lines) == 1, data)


def pending(facts: Facts) -> Section:
    """What a deploy of what is written down would do."""
    found = facts.pending
    if found is None:
        return Section("pending", ("not looked at",), True, {})
    data = {"steps": list(found.steps), "problem": found.problem}
    if found.problem:
        return Section("pending", (f"a deploy would not begin: {found.problem}",), False, data)
    if not found.steps:
        return Section("pending", ("a deploy would do nothing",), True, data)
    head = f"a deploy would do: {', '.join(found.steps)}"
    return Section("pending", (head, *found.reasons), True, data)


def targets(facts: Facts) -> Section:
    """Health behind the load balancer: one group serves, the other may be empty."""
    if isinstance(facts.targets, Unknown):
        return unknown("targets", facts.targets)
    lines = tuple(
        f"{name}: {', '.join(f'{count} {state}' for state, count in sorted(states.items()))}"
        for name, states in facts.targets.items()
        if states
    )
    healthy = sum(states.get("healthy", 0) for states in facts.targets.values())
    data = {name: dict(states) for name, states in facts.targets.items()}
    return Section("targets", lines or ("none",), healthy > 0, data)


def alarms(facts: Facts) -> Section:
    """What CloudWatch complains about."""
    if isinstance(facts.alarms, Unknown):
        return unknown("alarms", facts.alarms)
    lines = tuple(f"{name}: {why}" for name, why in sorted(facts.alarms.items()))
    return Section("alarms", lines or ("none in ALARM",), not lines, dict(facts.alarms))


def infrastructure(facts: Facts) -> Section:
    """When Terraform last found nothing to do, and whether that still counts."""
    if isinstance(facts.infrastructure, Unknown):
        return unknown("infrastructure", facts.infrastructure)
    planned, why = facts.infrastructure.planned_at, facts.infrastructure.why_plan
    last = f"last found as written {when(planned, facts.now)}" if planned else "never planned empty"
    then = f"the next deploy plans: {why}" if why else "the next deploy need not plan"
    data = {"planned_at": planned, "why_plan": why}
    return Section("infrastructure", (last, then), not why, data)


def backup(facts: Facts) -> Section:
    """How old the last backup is, and whether anybody has proved that it can be restored."""
    found = facts.backups
    if isinstance(found, Unknown):
        return unknown("backup", found)
    if found is None:
        return Section("backup", ("there is no place for backups yet",), True, {"exists": False})
    last, verified = found.last, found.verified
    if last is None:
        return Section("backup", ("none yet: backup.yml makes one",), False, {"exists": False})
    hours = (facts.now - last.at).total_seconds() / 3600
    verdict = last.verdict or "not verified"
    lines = [f"{last.id}, {when(last.at, facts.now)}, {bytes_of(last.bytes)}, {verdict}"]
    lines += [f"damaged: {reason}" for reason in last.reasons[:3] if last.verdict == DAMAGED]
    if hours > facts.backup_hours:
        lines.append(f"older than {facts.backup_hours:g} hours: did its schedule run?")
    if verified is not last:
        lines.append(
            f"the last verified one is {verified.id}, {when(verified.at, facts.now)}"
            if verified
            else "none of the last ones is verified"
        )
    data = {
        "exists": True,
        "id": last.id,
        "at": last.at.isoformat(),
        "bytes": last.bytes,
        "verdict": last.verdict,
        "verified": verified.id if verified else "",
        "count": found.count,
    }
    return Section("backup", tuple(lines), len(lines) == 1, data)


def cost(facts: Facts) -> Section:
    """The estimate of what is deployed, against the budget."""
    if isinstance(facts.cost, Unknown):
        return unknown("cost", facts.cost)
    data = {"total": round(facts.cost.estimate.total, 2), "budget": facts.cost.budget.usd}
    return Section("cost", (report.one_line(facts.cost),), facts.cost.over <= 0, data)


def lock(facts: Facts) -> Section:
    """Who may write."""
    if isinstance(facts.lock, Unknown):
        return unknown("lock", facts.lock)
    held = facts.lock.lock
    if held is None or not held.held:
        return Section("lock", ("free",), True, {"held": False})
    why = f" ({held.message})" if held.message else ""
    data = {"held": True, "owner": holder(held), "token": held.token, "by_hand": held.by_hand}
    since = when(held.acquired_at, facts.now)
    if held.by_hand:
        opens = f"unlock.yml -e token={held.token} opens it"
        return Section("lock", (f"set by hand by {holder(held)} {since}{why}", opens), False, data)
    life = f"last sign of life {facts.lock.age:.0f} seconds ago"
    lines = (f"{holder(held)} since {since}: {held.command}{why}", life)
    return Section("lock", lines, facts.lock.age <= held.lease_seconds, data)


def recovery(facts: Facts) -> Section:
    """Which database serves, and how long it would take to have it back: the last drill."""
    lines: list[str] = []
    data: dict[str, Any] = {}
    well = True
    if facts.database is not None and facts.database.restored:
        what = facts.database.restored.get("what", "")
        lines.append(f"{facts.database.serving} serves, restored from {what}")
    if facts.database is not None and (facts.database.kept or facts.database.releasing):
        former = ", ".join((*facts.database.kept, *facts.database.releasing))
        lines.append(f"kept beside it: {former}; restore.yml -e release_old=true deletes it")
        data["kept"] = former
    if isinstance(facts.drill, Unknown):
        return unknown("recovery", facts.drill)
    drill = facts.drill
    if drill is None:
        return Section("recovery", ("never drilled: drill.yml", *lines), False, data)
    at = when(drill.at, facts.now)
    if drill.reasons:
        first, well = f"the drill of {at} failed: {'; '.join(drill.reasons)}", False
    else:
        first = f"drilled {at}: RTO {drill.rto_seconds:,.0f} s, RPO {drill.rpo_seconds:,.0f} s"
    data |= {"drill": asdict(drill)}
    return Section("recovery", (first, *lines), well, data)


def took(run: Run) -> str:
    """Return how long a run took, empty while it has not ended."""
    if not run.ended_at or not run.started_at:
        return ""
    begun, ended = datetime.fromisoformat(run.started_at), datetime.fromisoformat(run.ended_at)
    minutes, seconds = divmod(max(0, int((ended - begun).total_seconds())), 60)
    return f"in {minutes}:{seconds:02d}"


def runs(facts: Facts) -> Section:
    """What was done here last, and how it ended."""
    if isinstance(facts.runs, Unknown):
        return unknown("runs", facts.runs)
    lines = tuple(
        " ".join(
            part
            for part in (
                when(run.started_at, facts.now),
                run.verdict,
                run.command or run.runbook,
                took(run),
                f"by {run.owner}@{run.host}",
            )
            if part
        )
        for run in facts.runs
    )
    data = {
        "runs": [
            {
                "run": r.run,
                "verdict": r.verdict,
                "command": r.command,
                "release": r.release,
                "owner": f"{r.owner}@{r.host}",
                "started_at": r.started_at,
                "ended_at": r.ended_at,
                "durations": dict(r.durations),
            }
            for r in facts.runs
        ]
    }
    return Section("runs", lines or ("none on record",), True, data)


SECTIONS: tuple[Callable[[Facts], Section], ...] = (
    release,
    deployment,
    pending,
    tasks,
    scaling,
    targets,
    alarms,
    infrastructure,
    backup,
    cost,
    lock,
    recovery,
    runs,
)


def all_of(facts: Facts) -> list[Section]:
    """Return every section."""
    return [make(facts) for make in SECTIONS]


def text(facts: Facts, sections: Sequence[Section], width: int) -> list[str]:
    """Return the status for a terminal: what nobody has to look at is marked as well."""
    region = facts.outputs.get("region", "")
    lines = [f"{facts.env} in {region}, {facts.now:%Y-%m-%d %H:%M} UTC", ""]
    longest = max(len(section.name) for section in sections)
    for section in sections:
        for index, line in enumerate(section.lines):
            mark = " " if section.well or index else "!"
            name = section.name if not index else ""
            head = f"{mark} {name:<{longest}}  "
            first, *more = report.wrapped(line, max(30, width - len(head))) or [""]
            lines += [head + first, *(" " * len(head) + rest for rest in more)]
    return lines
