"""The thread that keeps all services of the local ECS as they are asked to be."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING

from localcloud.api import AwsError
from localcloud.services.ecs import events
from localcloud.services.ecs.blue_green import STAGES
from localcloud.services.ecs.deployments import Deployments
from localcloud.services.ecs.scheduler import Start, Stop
from localcloud.services.ecs.service_model import (
    SIDE_BY_SIDE,
    Hook,
    Service,
    ServiceDeployment,
)
from localcloud.services.ecs.service_tasks import ServiceTasks
from localcloud.services.ecs.store import EcsStore, TaskEngine

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

log = logging.getLogger("localcloud")

#: How often a service is looked at: cloud seconds, with bounds in wall seconds. Task changes wake
#: the thread at once; only target health, alarms and waits need the look.
_BUSY, _BUSY_WALL = 1.0, (0.05, 0.5)
_QUIET, _QUIET_WALL = 10.0, (0.5, 5.0)
_MOST_ROUNDS = 50
_DELETED_REASON = "Scaling activity initiated by the deletion of the service"


class ServiceEngine:
    """Services by ARN, and the loop: observe, decide, apply, until nothing is left to do."""

    def __init__(
        self,
        cloud: Cloud,
        store: EcsStore,
        engine: TaskEngine,
        cloud_time: Callable[[], float] | None = None,
    ) -> None:
        self.services: dict[str, Service] = {}
        self._cloud = cloud
        self._engine = engine
        self._wake = Event()
        self._time = cloud_time or (lambda: time.monotonic() / cloud.clock.wall(1.0))
        self.tasks = ServiceTasks(cloud, store, engine, self._time, self._wake.set)
        self.deployments = Deployments(cloud, store, self.tasks, self._time)

    # -- the loop ------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread; it ends with the local cloud."""
        self._cloud.on_stop(self._wake.set)
        self._cloud.background("ecs-services", self.run)

    def run(self, stop: Event) -> None:
        """Look at every service when something happened, and from time to time."""
        while not stop.is_set():
            self._wake.clear()
            with self._cloud.lock:
                pause = self.tick()
            self._wake.wait(pause)

    def wake(self) -> None:
        """Look at the services now."""
        self._wake.set()

    def tick(self) -> float | None:
        """One look at every service; the wall seconds until the next, None to wait for a change."""
        pauses = []
        for service in list(self.services.values()):
            if service.status == "INACTIVE":
                continue
            try:
                pause = self._look(service)
            except Exception:  # one service's trouble must not stop the others
                log.exception("service %s could not be looked at", service.name)
                pause = _BUSY_WALL[1]
            if pause is not None:
                pauses.append(pause)
        return min(pauses, default=None)

    def _look(self, service: Service) -> float | None:
        self.tasks.observe(service)
        if service.status == "DRAINING":
            if not service.records:
                service.status = "INACTIVE"
                return None
            return self._pause(busy=True)
        acted = False
        for _ in range(_MOST_ROUNDS):
            actions = self.deployments.decide(service)
            again = False
            for action in actions:
                again |= self.deployments.apply(service, action)
                acted |= isinstance(action, Start | Stop)
                if again:
                    break  # a step changes what the rest was decided from
            if not again:
                break
        quiet = not acted and service.deployment is None and _settled(service)
        if quiet and not service.steady:
            service.steady = True
            service.say(events.STEADY, self._cloud.clock.now())
        if quiet and not service.records:
            return None
        return self._pause(busy=not quiet)

    def _pause(self, *, busy: bool) -> float:
        seconds, (least, most) = (_BUSY, _BUSY_WALL) if busy else (_QUIET, _QUIET_WALL)
        return min(max(self._cloud.clock.wall(seconds), least), most)

    # -- what the API asks ---------------------------------------------------------------------

    def add(self, service: Service) -> None:
        """Take a new service into care and begin its first deployment."""
        self.services[service.arn] = service
        self.deployments.create(service)
        self.wake()

    def redeploy(self, service: Service, desired_count: int | None) -> None:
        """Begin a deployment; a new desired count is the new revision's, not the serving one's."""
        self.deployments.create(service)
        if desired_count is not None:
            service.desired_count = desired_count
        self.wake()

    def set_desired_count(self, service: Service, count: int) -> None:
        """Scale; during a side-by-side deployment both revisions that have tasks are scaled.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-blue-green.html
        """
        if count != service.desired_count:
            service.steady = False
        service.desired_count = count
        deployment = service.deployment
        last = deployment or service.deployments[-1]
        if deployment is None and last.status in ("SUCCESSFUL", "ROLLBACK_SUCCESSFUL"):
            service.revisions[service.primary].requested = count
        elif last.strategy in SIDE_BY_SIDE:
            for number in filter(None, (last.source, last.target)):
                revision = service.revisions[number]
                if revision.requested or _has_part(last, number):
                    revision.requested = count
        self.wake()

    def delete(self, service: Service) -> None:
        """Stop all tasks; the service is INACTIVE once they have stopped."""
        service.status = "DRAINING"
        service.desired_count = 0
        for record in service.records.values():
            record.dismissed = True
            self._engine.stop(record.task, reason=_DELETED_REASON, code="ServiceSchedulerInitiated")
        self.wake()

    def request_rollback(self, deployment: ServiceDeployment) -> None:
        """StopServiceDeployment with ROLLBACK: from PENDING and IN_PROGRESS it turns back.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html
        """
        if not deployment.ongoing:
            raise AwsError(
                "ConflictException",
                f"Service deployment {deployment.arn} is {deployment.status} and cannot be stopped.",
            )
        if deployment.status in ("PENDING", "IN_PROGRESS"):
            deployment.status = "ROLLBACK_REQUESTED"
            deployment.updated_at = self._cloud.clock.now()
            self.wake()

    def answer_hook(self, deployment: ServiceDeployment, hook: Hook, action: str) -> None:
        """ContinueServiceDeployment: end a PAUSE hook with CONTINUE or ROLLBACK."""
        hook.outcome = action
        hook.status = "SUCCEEDED" if action == "CONTINUE" else "FAILED"
        deployment.updated_at = self._cloud.clock.now()
        self.wake()


def _has_part(deployment: ServiceDeployment, number: str) -> bool:
    """Whether a revision is meant to have tasks now, even where it was just scaled to none."""
    if deployment.status != "IN_PROGRESS" or deployment.stage not in STAGES:
        return False
    if number == deployment.source:
        return deployment.stage != "CLEAN_UP" and deployment.requested.get(number, 0) > 0
    return STAGES.index(deployment.stage) > STAGES.index("SCALE_UP")


def _settled(service: Service) -> bool:
    wanted = [record for record in service.records.values() if record.wanted]
    return len(wanted) == len(service.records) == service.desired_count and all(
        record.healthy for record in wanted
    )
