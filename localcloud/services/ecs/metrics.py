"""AWS/ECS and ECS/ContainerInsights of services, from what their tasks' processes use.

Utilization is what is used of what all tasks of the service reserve.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service_utilization.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-metrics-ECS.html
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from localcloud.dataplane.tasks import usage
from localcloud.dataplane.tasks.usage import Usage
from localcloud.services.cloudwatch.watching import Measure

if TYPE_CHECKING:
    from localcloud.services.ecs.service_model import Service
    from localcloud.services.ecs.store import Task
    from localcloud.services.ecs.whole import Ecs

_MIB = 1024 * 1024
_CPU_UNITS = 1024


class ServiceMetrics:
    """Compares what tasks have used with the last look."""

    def __init__(self, ecs: Ecs, clock: Callable[[], float] = time.monotonic) -> None:
        self._ecs = ecs
        self._clock = clock
        self._last: dict[str, tuple[float, float]] = {}  # task → (moment, CPU seconds until then)

    def report(self, measure: Measure) -> None:
        """Report every active service."""
        used = self._ecs.engine.usage(usage.of_groups)
        now, seen = self._clock(), dict(self._last)
        self._last = {arn: (now, found.cpu_seconds) for arn, found in used.items()}
        for service in list(self._ecs.services.services.values()):
            if service.status == "ACTIVE":
                self._report(service, used, seen, now, measure)

    def _report(
        self,
        service: Service,
        used: dict[str, Usage],
        seen: dict[str, tuple[float, float]],
        now: float,
        measure: Measure,
    ) -> None:
        dimensions = {"ClusterName": service.cluster_name, "ServiceName": service.name}
        tasks = [
            task
            for task in self._ecs.engine.tasks(group=f"service:{service.name}")
            if task.cluster_arn == service.cluster_arn and task.last_status == "RUNNING"
        ]
        insights = {"RunningTaskCount": len(tasks), "DesiredTaskCount": service.desired_count}
        for name, value in insights.items():
            measure("ECS/ContainerInsights", name, dimensions, [float(value)])
        known = [task for task in tasks if task.arn in used and task.arn in seen]
        if not known:
            return
        spent = sum(used[t.arn].cpu_seconds - seen[t.arn][1] for t in known)
        reserved = sum(int(t.cpu) / _CPU_UNITS * max(1e-3, now - seen[t.arn][0]) for t in known)
        measure("AWS/ECS", "CPUUtilization", dimensions, [max(0.0, 100 * spent / reserved)])
        measure("AWS/ECS", "MemoryUtilization", dimensions, [_memory_percent(known, used)])


def _memory_percent(tasks: list[Task], used: dict[str, Usage]) -> float:
    held = sum(used[task.arn].memory_bytes for task in tasks)
    return 100 * held / sum(int(task.memory) * _MIB for task in tasks)
