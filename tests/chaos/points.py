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
CONTROLLER, TREE = "controller", "tree"


@dataclass(frozen=True)
class Point:
    """One mutating call of a run.

    :ivar what: which object of S3 it writes, as a regular expression of the request; else empty.
    :ivar nth: the how-manieth of these calls in the run, from 1.
    :ivar resource: what the call was about in the clean run, as far as it has the same name in each.
    """

    service: str
    operation: str
    what: str = ""
    nth: int = 1
    resource: str = ""

    @property
    def kind(self) -> tuple[str, ...]:
        """Calls of one kind do the same to things of the same kind."""
        # A record of the ledger is begun and ended: two kinds. So is the lock taken and renewed.
        number = str(self.nth) if self.what else ""
        return (self.service, self.operation, self.what, number, self.resource)

    @property
    def code(self) -> tuple[str, ...]:
        """What makes the call: the object of S3 tells it, whichever runbook it belongs to."""
        return (self.service, self.operation, self.what) if self.what else ()

    def next(self) -> Point:
        """The same point in a run that finds what comes before it done already.

        A run takes the lock and begins its record anew, whatever it finds.
        """
        return self if self.what else replace(self, nth=1)

    def rule(self, when: str, **more: Any) -> dict[str, Any]:
        """The rule of `localcloud/faults.py` that holds this call."""
        rule = {
            "action": "hold",
            "when": when,
            "service": self.service,
            "operation": self.operation,
            "nth": self.nth,
            **more,
        }
        return rule | ({"request": self.what} if self.what else {})

    def __str__(self) -> str:
        number = f" {self.nth}" if self.nth > 1 else ""
        name = re.sub(r"\(\$\| \)|[\\$^]|\.\*", "", self.what) or self.resource
        return f"{self.service}:{self.operation}{' ' + name if name else ''}{number}"


@dataclass(frozen=True)
class Row:
    """One row of the table: who is killed, and on which side of which call."""

    point: Point
    when: str
    victim: str

    def __str__(self) -> str:
        return f"{self.victim} killed {self.when} {self.point}"


def _object(resource: str | None) -> str:
    """The object of a call to S3, the same in every run: a record of the ledger has a new name."""
    key = (resource or "").partition("/")[2]
    if key.startswith("ledger/"):
        return r"/ledger/"
    return re.escape("/" + key) + r"($| )"


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
        point = Point(call.service, call.operation, what)
        seen[point] += 1
        resource = "" if what or (call.resource or "").startswith("arn:") else call.resource or ""
        found.append(replace(point, nth=seen[point], resource=resource))
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


def every_row(found: Sequence[Point]) -> list[Row]:
    """Both sides of every point, the victims taking turns."""
    return [
        Row(point, when, victim)
        for number, point in enumerate(found)
        for when, victim in zip(
            (BEFORE, AFTER),
            (CONTROLLER, TREE) if number % 2 == 0 else (TREE, CONTROLLER),
            strict=True,
        )
    ]


def some_rows(found: Sequence[Point]) -> list[Row]:
    """Each kind of call once, sides and victims taking turns."""
    turns = [(BEFORE, CONTROLLER), (AFTER, TREE), (AFTER, CONTROLLER), (BEFORE, TREE)]
    return [
        Row(point, *turns[number % len(turns)]) for number, point in enumerate(each_kind(found))
    ]
