"""What happened: every request counted, failures by kind, latencies from the intended time."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FAILURES_KEPT = 100
BODY_KEPT = 300  # characters of a failed answer's body


@dataclass(frozen=True)
class Failure:
    """One request that did not get its 200.

    kind: `connect` (no connection), `connection` (broken while in use), `timeout`, or
    `status 503` and the like.
    """

    at: str  # ISO time, UTC, of the intended send
    second: float  # since the start
    request: str
    kind: str
    fresh: bool
    detail: str


@dataclass(frozen=True)
class Outcome:
    """How one request ended. Times in seconds; latency counts from the intended send."""

    intended: float  # since the start
    request: str
    fresh: bool
    latency: float
    lag: float  # how late it was sent
    kind: str | None = None  # of failure
    detail: str = ""
    release: str | None = None  # as the answer says


def write_outcomes(path: Path, started: datetime, outcomes: Iterable[Outcome]) -> None:
    """Write every request as a line of JSON, after a first line with the start."""
    with path.open("w") as file:
        file.write(json.dumps(started.isoformat()) + "\n")
        file.writelines(json.dumps(astuple(outcome)) + "\n" for outcome in outcomes)


def read_outcomes(path: Path) -> tuple[datetime, list[Outcome]]:
    """Read what `write_outcomes` wrote: the start, aware, and every request."""
    first, *lines = path.read_text().splitlines()
    return datetime.fromisoformat(json.loads(first)), [Outcome(*json.loads(x)) for x in lines]


@dataclass(frozen=True)
class Report:
    """The result of a run; `as_json` and `from_json` carry it between processes."""

    url: str
    rate: float
    started: str  # ISO time, UTC
    seconds: float
    sent: int
    ok: int
    failed: int
    kinds: dict[str, int]  # failures by kind
    failures: list[Failure]  # the first of them
    requests: dict[str, dict[str, int]]  # by request: sent, failed
    latency_ms: dict[str, dict[str, float]]  # by request and for `all` but slow ones
    lag_ms: dict[str, float]  # the generator's own lateness
    releases: dict[str, int]  # answers by the release that gave them
    series: list[dict[str, Any]]  # for each second: sent, failed, p50, p99, max (ms), releases

    def as_json(self) -> str:
        """Return the report as one JSON object."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read what `as_json` wrote."""
        values = json.loads(text)
        values["failures"] = [Failure(**failure) for failure in values["failures"]]
        return cls(**values)

    def summary(self) -> str:
        """Return a few lines for people."""
        latency = self.latency_ms.get("all", {})
        lines = [
            f"{self.sent} requests in {self.seconds:.1f} s to {self.url}: {self.failed} failed",
            "latency ms: " + ", ".join(f"{name} {value:g}" for name, value in latency.items()),
            "sent late by ms: " + ", ".join(f"{name} {ms:g}" for name, ms in self.lag_ms.items()),
        ]
        if self.releases:
            counts = ", ".join(f"{name} {count}" for name, count in self.releases.items())
            lines.append(f"answered by: {counts}")
        lines += [f"failed: {kind}: {count}" for kind, count in self.kinds.items()]
        lines += [
            f"  {failure.second:7.2f} s {failure.at} {failure.request}"
            f" {'fresh' if failure.fresh else 'kept'} {failure.kind}: {failure.detail[:120]}"
            for failure in self.failures[:10]
        ]
        return "\n".join(lines)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` (0 to 1) of the values do not exceed."""
    rank = max(1, -(-len(ordered) * share // 1))
    return ordered[int(rank) - 1]


def spread(seconds: Iterable[float]) -> dict[str, float]:
    """Return p50, p90, p99 and max in milliseconds; nothing for no values."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {name: round(percentile(ordered, share) * 1000, 1) for name, share in shares.items()}


def report(
    url: str, rate: float, started: datetime, seconds: float, outcomes: Sequence[Outcome]
) -> Report:
    """Make the report of all outcomes. `started` is aware, `seconds` how long was sent."""
    failed = [outcome for outcome in outcomes if outcome.kind]
    failed.sort(key=lambda outcome: outcome.intended)
    requests: dict[str, dict[str, int]] = defaultdict(lambda: {"sent": 0, "failed": 0})
    latencies: dict[str, list[float]] = defaultdict(list)
    for outcome in outcomes:
        requests[outcome.request]["sent"] += 1
        requests[outcome.request]["failed"] += bool(outcome.kind)
        latencies[outcome.request].append(outcome.latency)
        if outcome.request != "slow":
            latencies["all"].append(outcome.latency)
    return Report(
        url=url,
        rate=rate,
        started=started.isoformat(),
        seconds=round(seconds, 3),
        sent=len(outcomes),
        ok=len(outcomes) - len(failed),
        failed=len(failed),
        kinds=dict(Counter(str(outcome.kind) for outcome in failed).most_common()),
        failures=[_failure(outcome, started) for outcome in failed[:FAILURES_KEPT]],
        requests=dict(sorted(requests.items())),
        latency_ms={name: spread(values) for name, values in sorted(latencies.items())},
        lag_ms=spread(outcome.lag for outcome in outcomes),
        releases=_releases(outcomes),
        series=_series(outcomes),
    )


def _failure(outcome: Outcome, started: datetime) -> Failure:
    at = datetime.fromtimestamp(started.timestamp() + outcome.intended, UTC)
    return Failure(
        at=at.isoformat(timespec="milliseconds"),
        second=round(outcome.intended, 3),
        request=outcome.request,
        kind=str(outcome.kind),
        fresh=outcome.fresh,
        detail=outcome.detail,
    )


def _releases(outcomes: Iterable[Outcome]) -> dict[str, int]:
    return dict(Counter(o.release for o in outcomes if o.release is not None))


def _series(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    seconds: dict[int, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        seconds[int(outcome.intended)].append(outcome)
    return [
        {
            "second": second,
            "sent": len(group),
            "failed": sum(1 for outcome in group if outcome.kind),
            **spread(outcome.latency for outcome in group if outcome.request != "slow"),
            "releases": _releases(group),
        }
        for second, group in sorted(seconds.items())
    ]
