"""AWS/ApplicationELB, from the requests that Envoy has answered and the health it sees.

Counts of codes and rejected connections are reported only when there are any, as AWS does.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from localcloud.services.cloudwatch.watching import Measure
from localcloud.services.elbv2 import translate

if TYPE_CHECKING:
    from localcloud.dataplane.envoy.accesslog import Entry
    from localcloud.services.elbv2.balancing import Balancing

NAMESPACE = "AWS/ApplicationELB"
_OWN_CODES = frozenset({500, 502, 503, 504})
_HEALTH = {"HealthyHostCount": "healthy", "UnHealthyHostCount": "unhealthy"}


class TrafficMetrics:
    """Collects requests as they are read from Envoy's log, and reports them at each look."""

    def __init__(self, balancing: Balancing) -> None:
        self._balancing = balancing
        self._guard = threading.Lock()
        self._counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
        balancing.traffic.observers.append(self.observe)

    def observe(self, entry: Entry) -> None:
        """Take in one request."""
        with self._guard:
            whole = (entry.balancer, "")
            if entry.target_status is None:
                self._counts[whole][f"HTTPCode_ELB_{entry.status // 100}XX_Count"] += 1
                if entry.status in _OWN_CODES:
                    self._counts[whole][f"HTTPCode_ELB_{entry.status}_Count"] += 1
                return
            places = [whole, (entry.balancer, entry.cluster)] if entry.cluster else [whole]
            for place in places:
                self._counts[place]["RequestCount"] += 1
                self._counts[place][f"HTTPCode_Target_{entry.target_status // 100}XX_Count"] += 1
                if entry.target_seconds is not None:
                    self._seconds[place].append(entry.target_seconds)

    def report(self, measure: Measure) -> None:
        """Report what was seen since the last look, and the targets' health now."""
        self._balancing.counters()  # reads what Envoy has written since
        with self._guard:
            counts, seconds = self._counts, self._seconds
            self._counts, self._seconds = defaultdict(Counter), defaultdict(list)
        balancers = {
            translate.identifier(entry.arn): suffix(entry.arn)
            for entry in self._balancing.balancers()
        }
        groups = {
            translate.identifier(arn): suffix(arn)
            for backend in self._balancing.backends()
            for arn in backend.target_groups
        }
        for (balancer, group), found in counts.items():
            if balancer not in balancers or (group and group not in groups):
                continue  # deleted meanwhile
            dimensions = {"LoadBalancer": balancers[balancer]}
            if group:
                dimensions["TargetGroup"] = groups[group]
            for name, count in found.items():
                # One value a request: an average or a maximum of 1, and the number as the sum.
                measure(NAMESPACE, name, dimensions, [1.0] * count)
            measure(NAMESPACE, "TargetResponseTime", dimensions, seconds[balancer, group])
        per_group = {group: found["RequestCount"] for (_, group), found in counts.items()}
        self._report_health(measure, per_group)

    def _report_health(self, measure: Measure, requests: Mapping[str, int]) -> None:
        for backend in self._balancing.backends():
            for arn in list(backend.target_groups):
                states = [health.state for health in self._balancing.health(arn).values()]
                # Its sum over a minute is that minute's requests for each target.
                each = requests.get(translate.identifier(arn), 0) / max(1, states.count("healthy"))
                for balancer in self._balancing.users_of_group(arn) if states else ():
                    dimensions = {"LoadBalancer": suffix(balancer), "TargetGroup": suffix(arn)}
                    measure(NAMESPACE, "RequestCountPerTarget", dimensions, [each])
                    for name, state in _HEALTH.items():
                        measure(NAMESPACE, name, dimensions, [float(states.count(state))])


def suffix(arn: str) -> str:
    """How metrics name a load balancer or a target group: the end of its ARN."""
    return arn.split(":", 5)[5].removeprefix("loadbalancer/")
