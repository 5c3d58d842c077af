"""What the access log tells: counters for metrics, and an ALB's own log lines."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.dataplane.envoy.accesslog import Entry, parse
from localcloud.dataplane.envoy.tail import Tail

# A log is begun anew beyond this.
_LARGEST_FILE = 64 * 1024 * 1024

Certificates = dict[str, list[tuple[str, tuple[str, ...]]]]


@dataclass
class GroupCounters:
    """Since the start, for one target group, in the words of CloudWatch's metrics.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html

    requests: RequestCount (those a target was chosen for). target_codes: HTTPCode_Target_<class>_Count
    by `2XX` … `5XX`. response_seconds: the sum of TargetResponseTime over `responses` samples.
    """

    requests: int = 0
    target_codes: Counter[str] = field(default_factory=Counter)
    responses: int = 0
    response_seconds: float = 0.0


@dataclass
class BalancerCounters:
    """Since the start, for one load balancer; elb_codes: HTTPCode_ELB_<class or code>_Count."""

    requests: int = 0
    target_codes: Counter[str] = field(default_factory=Counter)
    elb_codes: Counter[str] = field(default_factory=Counter)


@dataclass
class Counters:
    """All counters, by the id of the target group and of the load balancer."""

    groups: dict[str, GroupCounters] = field(default_factory=dict)
    balancers: dict[str, BalancerCounters] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Count one request."""
        balancer = self.balancers.setdefault(entry.balancer, BalancerCounters())
        balancer.requests += 1
        if entry.target_status is None:
            balancer.elb_codes[f"{entry.status // 100}XX"] += 1
            if entry.status in (500, 502, 503, 504):
                balancer.elb_codes[str(entry.status)] += 1
        else:
            balancer.target_codes[f"{entry.target_status // 100}XX"] += 1
        if entry.cluster is None or entry.target_status is None:
            return
        group = self.groups.setdefault(entry.cluster, GroupCounters())
        group.requests += 1
        group.target_codes[f"{entry.target_status // 100}XX"] += 1
        if entry.target_seconds is not None:
            group.responses += 1
            group.response_seconds += entry.target_seconds


class Traffic:
    """Reads Envoy's access log.

    source: the file Envoy writes. folder: for one `<load balancer id>.log` each, in an ALB's
    format. reopen: makes Envoy open its file anew after it was renamed.
    """

    def __init__(self, source: Path, folder: Path, reopen: Callable[[], object]) -> None:
        self._source = source
        self._folder = folder
        self._reopen = reopen
        self._tail = Tail(source)
        self._lock = threading.Lock()
        self._counters = Counters()
        # Told of each request as it is read.
        self.observers: list[Callable[[Entry], None]] = []
        folder.mkdir(parents=True, exist_ok=True)

    def update(self, certificates: Certificates) -> Counters:
        """Take in what was written since, and return the counters (Envoy writes every 0.1 s)."""
        with self._lock:
            self._take_in(self._tail.lines(), certificates)
            if self._tail.offset > _LARGEST_FILE:
                self._rotate(certificates)
            return self._counters

    def _take_in(self, texts: list[str], certificates: Certificates) -> None:
        lines: dict[str, list[str]] = {}
        for text in texts:
            entry = parse(text, certificates)
            self._counters.add(entry)
            for observer in self.observers:
                observer(entry)
            lines.setdefault(entry.balancer, []).append(entry.line)
        for balancer, content in lines.items():
            with self.log_file(balancer).open("a") as file:
                file.writelines(f"{line}\n" for line in content)

    def log_file(self, balancer: str) -> Path:
        """The access log of a load balancer that has not been delivered yet."""
        return self._folder / f"{balancer}.log"

    def take(self, balancer: str) -> bytes:
        """The entries of a load balancer that were not taken before."""
        with self._lock:
            path = self.log_file(balancer)
            if not path.exists():
                return b""
            content = path.read_bytes()
            path.unlink()
            return content

    def limit(self, balancer: str) -> None:
        """Begin the log of a load balancer anew when nobody takes it and it has become large."""
        path = self.log_file(balancer)
        if path.exists() and path.stat().st_size > _LARGEST_FILE:
            self.take(balancer)

    def _rotate(self, certificates: Certificates) -> None:
        done = self._source.with_suffix(".done")
        self._source.replace(done)
        self._reopen()
        # Lines written between the last look and the renaming.
        self._take_in(Tail(done, self._tail.offset).lines(), certificates)
        self._tail = Tail(self._source)
