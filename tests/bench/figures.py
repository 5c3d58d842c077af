"""From samples to figures: medians, spreads, and ratios that count because both ran side by side."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Sample:
    """One measurement.

    :ivar case: what was measured.
    :ivar round: the round it belongs to; cases of one round ran one after the other.
    :ivar seconds: wall seconds from the start of the command, by moment; ``end`` is its end.
    :ivar cpu: seconds of CPU, of the command and its children.
    :ivar calls: number of API calls of the command, ``read`` and ``write``.
    :ivar load: load average of the last minute when it started.
    :ivar ecs: seconds that ECS itself took for the deployment, 0 where there was none.
    """

    case: str
    round: int
    seconds: Mapping[str, float]
    cpu: float
    calls: Mapping[str, int] = field(default_factory=dict)
    load: float = 0.0
    ecs: float = 0.0

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True)
class Figure:
    """Median, smallest and largest of some values."""

    median: float
    low: float
    high: float
    count: int

    def text(self, digits: int = 1) -> str:
        """`12.3 (11.9-14.0)`."""
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}-{self.high:.{digits}f})"


def figure(values: Sequence[float]) -> Figure:
    """The figure of some values.

    :raises ValueError: there are none.
    """
    if not values:
        raise ValueError("nothing was measured")
    return Figure(statistics.median(values), min(values), max(values), len(values))


class Samples:
    """All samples of a run."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self.all = list(samples)

    def of(self, case: str) -> list[Sample]:
        """The samples of a case."""
        return [sample for sample in self.all if sample.case == case]

    def seconds(self, case: str, moment: str = "end") -> Figure:
        """Wall seconds until ``moment``.

        :raises ValueError: nothing was measured.
        """
        return figure([s.seconds[moment] for s in self.of(case) if moment in s.seconds])

    def besides(self, case: str) -> Figure:
        """Wall seconds besides those that ECS itself took."""
        return figure([s.seconds["end"] - s.ecs for s in self.of(case)])

    def ecs(self, case: str) -> Figure:
        """Seconds that ECS itself took for the deployment."""
        return figure([s.ecs for s in self.of(case)])

    def cpu(self, case: str) -> Figure:
        """CPU seconds."""
        return figure([s.cpu for s in self.of(case)])

    def calls(self, case: str) -> str:
        """Reads and writes of the middle run, `9 + 0`; empty for a command that makes none."""
        counted = [s.calls for s in self.of(case) if s.calls]
        if not counted:
            return ""
        reads, writes = (
            statistics.median_low([c.get(kind, 0) for c in counted]) for kind in ("read", "write")
        )
        return f"{reads} + {writes}"

    def ratio(self, case: str, base: str, moment: str = "end") -> Figure:
        """How many times as long as ``base`` a case took, round by round.

        Within a round both met the same machine: where ``base`` ran several times in it, its mean
        counts. Rounds without both do not.

        :raises ValueError: no round has both.
        """
        ratios = []
        for sample in self.of(case):
            beside = [s.seconds["end"] for s in self.of(base) if s.round == sample.round]
            if beside and moment in sample.seconds:
                ratios.append(sample.seconds[moment] / statistics.fmean(beside))
        return figure(ratios)
