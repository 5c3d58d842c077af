"""The points at which a run is killed: made from the calls that a clean run has made.

A call that a runbook makes tomorrow is in the table tomorrow: nothing here names an operation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from localcloud.recorder import RecordedCall

BEFORE, AFTER = "before", "after"
# Who dies: ansible-playbook alone, it with all of its processes, the task that has made the call, or all.
CONTROLLER, TREE, TASK, EVERYBODY = "controller", "tree", "task", "everybody"
# Who makes a call: the runbook's modules, Terraform, or the program of the ops image in its task.
RUNBOOK, TERRAFORM, PROGRAM = "", "Terraform", "the task"
_AGENTS = {
    PROGRAM: r"lyo-backup/",
    TERRAFORM: r"[Tt]erraform",
    RUNBOOK: r"^(?!.*(lyo-backup/|[Tt]erraform)).*(lyo-ops|[Aa]nsible)",
}
LEDGER = "/ledger/"
# What of a name is another in each run: IDs of backups, times, tokens, revisions.
_VARIES = re.compile(
    r"\d{8}[tT]\d{6}(?:\.\d+)?[zZ](?:-[0-9a-f]{8})?|\d{14}|[0-9a-f]{12}(?=-\d{14})"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8}-[0-9a-f]{4}$|(?<=:)\d+$"
)
_ANYTHING = "[0-9A-Za-z.-]+"


def same_in_each_run(name: str) -> str:
    """Return a regular expression for a name, with what varies left open.

    The parts of a backup are all alike.
    """
    name = re.sub(r"/parts/[^/]+$", "/parts/", name)
    fixed = [re.escape(text) for text in _VARIES.split(name)]
    return _ANYTHING.join(fixed)


@dataclass(frozen=True)
class Point:
    """One mutating call of a run.

    :ivar what: which object of S3 it writes, as a regular expression of the request; else empty.
    :ivar nth: the how-manieth of these calls in the run, from 1.
    :ivar resource: what the call is about, as a regular expression of the record's; empty for S3.
    :ivar caller: who makes it: RUNBOOK, TERRAFORM or PROGRAM.
    """

    service: str
    operation: str
    what: str = ""
    nth: int = 1
    resource: str = ""
    caller: str = RUNBOOK

    @property
    def kind(self) -> tuple[str, ...]:
        """Calls of one kind do the same to things of the same kind."""
        # A record of the ledger is begun and ended: two kinds. So is the lock taken and renewed.
        numbered = self.what == LEDGER or "state=" in self.what
        number = str(self.nth) if numbered else ""
        if self.caller == TERRAFORM and not self.what:
            return (self.caller,)  # it resumes one way, whatever it was making
        return (self.caller, self.service, self.operation, self.what, number, self.resource)

    @property
    def code(self) -> tuple[str, ...]:
        """What makes the call: the object of S3 tells it, whichever runbook it belongs to."""
        return (self.service, self.operation, self.what) if self.what else ()

    def next(self) -> Point:
        """The same point in a run that finds what comes before it done already.

        A run takes the lock and begins its record anew, whatever it finds.
        """
        if self.what:
            return self
        if self.caller == TERRAFORM:
            return replace(self, nth=1, resource="")
        return replace(self, nth=1)

    def rule(self, when: str, **more: Any) -> dict[str, Any]:
        """The rule of `localcloud/faults.py` that holds this call."""
        rule = {
            "action": "hold",
            "when": when,
            "service": self.service,
            "operation": self.operation,
            "user_agent": _AGENTS[self.caller],
            "nth": self.nth,
            **more,
        }
        if self.what:
            return rule | {"request": self.what}
        return rule | ({"resource": f"^{self.resource}$"} if self.resource else {})

    def __str__(self) -> str:
        number = f" {self.nth}" if self.nth > 1 else ""
        name = (self.what or self.resource).replace(_ANYTHING, "…")
        name = re.sub(r"\(\$\| \)|[\\$^]|\.\*", "", name)
        by = f"{self.caller}'s " if self.caller else ""
        return f"{by}{self.service}:{self.operation}{' ' + name if name else ''}{number}"


@dataclass(frozen=True)
class Row:
    """One row of the table: who is killed, and on which side of which call."""

    point: Point
    when: str
    victim: str

    @property
    def completed(self) -> bool:
        """Whether a run has completed its record when it dies; the lock is freed after that."""
        if self.point.what == LEDGER:
            return self.point.nth > 1 and self.when == AFTER
        return "state=free" in self.point.what

    @property
    def dead(self) -> bool:
        """Whether nobody stays beside the run that could complete its record and free its lock.

        The guardian comes after both.
        """
        begins = self.point.what == LEDGER or "state=held" in self.point.what
        return self.victim in (TREE, EVERYBODY) or (begins and self.point.nth == 1)

    def __str__(self) -> str:
        return f"{self.victim} killed {self.when} {self.point}"


def _object(resource: str | None) -> str:
    """The object of a call to S3, the same in every run: a record of the ledger has a new name."""
    bucket, _, key = (resource or "").partition("/")
    if key.startswith("ledger/"):
        return LEDGER
    if not key:
        return rf"^/{re.escape(bucket)}/?($| )"
    # The copy of a backup has the same key in another bucket.
    place = "/" if re.search("tfstate$", bucket) else f"/{bucket}/"
    end = "" if "/parts/" in key else r"($| )"
    return same_in_each_run(place + key) + end


def _about(resource: str) -> str:
    """What else a call is about; of most ARNs nobody knows what of them is the same in each run."""
    if resource.startswith("arn:") and ":task-definition/" not in resource:
        return ""
    return same_in_each_run(resource)


def _caller(call: RecordedCall) -> str:
    for caller in (PROGRAM, TERRAFORM):
        if re.search(_AGENTS[caller], call.user_agent):
            return caller
    return RUNBOOK


def points(calls: Iterable[RecordedCall], lock_key: str = "lyo.lock.json") -> list[Point]:
    """Return the points of a run in order.

    The lock is renewed as often as the run lasts, so its object counts three times: taken, renewed,
    freed.
    """
    found: list[Point] = []
    seen: Counter[Point] = Counter()
    for call in calls:
        if call.kind != "write" or call.error:
            continue
        what = _object(call.resource) if call.service == "s3" else ""
        if call.service == "s3" and (call.resource or "").endswith(f"/{lock_key}"):
            continue
        resource = "" if what else _about(call.resource or "")
        point = Point(call.service, call.operation, what, 1, resource, _caller(call))
        seen[point] += 1
        found.append(replace(point, nth=seen[point]))
    lock = [c for c in calls if c.kind == "write" and (c.resource or "").endswith(f"/{lock_key}")]
    if not lock:
        return found
    held, freed = (rf"/{re.escape(lock_key)}.*state={state}" for state in ("held", "free"))
    operation = lock[0].operation
    renewed = [Point("s3", operation, held, 2)] if len(lock) > 2 else []
    return [Point("s3", operation, held), *found, *renewed, Point("s3", operation, freed)]


def each_kind(found: Sequence[Point]) -> list[Point]:
    """The first call of each kind: of the layers of an image, the first."""
    kinds: dict[tuple[str, ...], Point] = {}
    for point in found:
        kinds.setdefault(point.kind, point)
    return list(kinds.values())


# The run dies, alone or with all of its processes; or its task does, alone or with the run.
_RUNBOOKS = [(BEFORE, CONTROLLER), (AFTER, TREE), (AFTER, CONTROLLER), (BEFORE, TREE)]
_PROGRAMS = [(AFTER, TASK), (BEFORE, EVERYBODY), (BEFORE, TREE), (AFTER, EVERYBODY)]


def every_row(found: Sequence[Point]) -> list[Row]:
    """Both sides of every point, before it first, the victims taking turns."""
    rows = []
    for number, point in enumerate(found):
        turns = _PROGRAMS if point.caller == PROGRAM else _RUNBOOKS
        first = 2 * (number % 2)
        # The same side twice is no turn: before and after, each with another victim.
        both = sorted(turns[first : first + 2], key=lambda turn: turn[0] == AFTER)
        rows += [Row(point, when, victim) for when, victim in both]
    return rows


def some_rows(found: Sequence[Point]) -> list[Row]:
    """Each kind of call once, sides and victims taking turns."""
    rows = []
    seen: Counter[bool] = Counter()
    for point in each_kind(found):
        by_task = point.caller == PROGRAM
        turns = _PROGRAMS if by_task else _RUNBOOKS
        rows.append(Row(point, *turns[seen[by_task] % len(turns)]))
        seen[by_task] += 1
    return rows
