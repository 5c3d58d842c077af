"""The tasks of services: launched, registered with load balancers, judged, drained, stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Event
from typing import TYPE_CHECKING, Any

from localcloud.api import AwsError
from localcloud.ports import TargetGroups, TargetHealth
from localcloud.services.ecs import events
from localcloud.services.ecs.revisions import learn_digests
from localcloud.services.ecs.scheduler import SETTLE_SECONDS, Stop, pause_after
from localcloud.services.ecs.service_model import Binding, Revision, Service, TaskRecord
from localcloud.services.ecs.store import EcsStore, Tags, Task, TaskEngine

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

log = logging.getLogger("localcloud")

Health = dict[tuple[str, int], TargetHealth]
_FEWEST_WALL_SECONDS = 0.05
_SCHEDULER = "ServiceSchedulerInitiated"


class ServiceTasks:
    """The hands of the service scheduler: all it does to tasks, and what it learns from them.

    ``wake`` is called (from any thread) when something has happened that decisions may depend on;
    ``time`` gives cloud seconds.
    """

    def __init__(
        self,
        cloud: Cloud,
        store: EcsStore,
        engine: TaskEngine,
        time: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self._cloud = cloud
        self._store = store
        self._engine = engine
        self._time = time
        self._wake = wake

    @property
    def target_groups(self) -> TargetGroups:
        """The load balancers' part."""
        part: TargetGroups = self._cloud.parts["elbv2"]
        return part

    # -- acting --------------------------------------------------------------------------------

    def launch(self, service: Service, revision: Revision, count: int) -> None:
        """Launch tasks; a launch that the engine refuses counts as a failed one."""
        cluster = self._store.find_cluster(service.cluster_arn)
        definition = self._store.find_task_definition(revision.task_definition_arn)
        if cluster is None or definition is None:
            return
        started: list[str] = []
        for _ in range(count):
            try:
                task = self._engine.start(
                    cluster=cluster,
                    task_definition=definition,
                    group=service.group,
                    started_by=revision.deployment_id,
                    network_configuration=revision.config.get("networkConfiguration") or {},
                    launch_type=revision.config.get("launchType"),
                    capacity_provider=_capacity_provider(revision),
                    platform_version=revision.config.get("platformVersion"),
                    enable_execute_command=bool(service.config.get("enableExecuteCommand")),
                    tags=_task_tags(service, definition.tags),
                    service_revision_arn=revision.arn,
                    on_change=lambda _task: self._wake(),
                    on_activate=lambda task: self._register(service, revision, task),
                    on_deactivate=lambda task, ended: self._drain(service, revision, task, ended),
                )
            except AwsError as error:
                service.say(events.unable_to_place(error.message), self._cloud.clock.now())
                self._note_launch_failure(service, revision)
                break
            service.records[task.arn] = TaskRecord(task, revision.number, self._time())
            started.append(task.arn)
        if started:
            service.steady = False
            service.say(events.started(started), self._cloud.clock.now())

    def stop(self, service: Service, stops: Sequence[Stop]) -> None:
        """Stop tasks; each is deregistered and drained before it gets SIGTERM."""
        now = self._cloud.clock.now()
        primary = service.revisions[service.primary]
        stopped = []
        for stop in stops:
            record = service.records[stop.arn]
            if not record.wanted:
                continue
            reason = events.stopped_scaling(primary.deployment_id)
            if stop.cause == "unhealthy":
                reason = self._tell_unhealthy(service, record, stop.reason or "")
            else:
                record.dismissed = True
            self._engine.stop(record.task, reason=reason, code=_SCHEDULER)
            stopped.append(stop.arn)
        if stopped:
            service.steady = False
            service.say(events.stopped(stopped), now)

    def _tell_unhealthy(self, service: Service, record: TaskRecord, reason: str) -> str:
        """Say why a task is replaced; the answer is its ``stoppedReason``."""
        now = self._cloud.clock.now()
        target_group, _, why = reason.partition(" ")
        if not target_group.startswith("arn:"):
            service.say(events.unhealthy_container(record.task.arn), now)
            return events.STOPPED_UNHEALTHY_CONTAINER
        service.say(events.unhealthy_target(record.task.arn, target_group, why), now)
        return events.stopped_unhealthy_target(target_group)

    # -- hooks of the task engine, in the task's own thread --------------------------------------

    def _register(self, service: Service, revision: Revision, task: Task) -> None:
        with self._cloud.lock:
            learn_digests(revision, task)
            for binding in revision.bindings:
                self.target_groups.register(
                    binding.target_group_arn, task.address, binding.container_port
                )
                now = self._cloud.clock.now()
                service.say(events.registered(1, binding.target_group_arn), now)
        self._wake()

    def _drain(self, service: Service, revision: Revision, task: Task, ended: Event) -> None:
        """Deregister, then wait until the targets are gone or the task has ended by itself.

        Deregistration comes before SIGTERM:
        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
        """
        waiting: list[Binding] = []
        with self._cloud.lock:
            now = self._cloud.clock.now()
            for binding in revision.bindings:
                self.target_groups.deregister(
                    binding.target_group_arn, task.address, binding.container_port
                )
                service.say(events.deregistered(1, binding.target_group_arn), now)
                waiting.append(binding)
            if waiting and not ended.is_set():
                service.say(events.DRAINING, now)
        pause = max(self._cloud.clock.wall(1.0), _FEWEST_WALL_SECONDS)
        while waiting:
            with self._cloud.lock:
                waiting = [b for b in waiting if self._target(b, task) is not None]
            if not waiting or ended.wait(pause):
                return

    def _target(self, binding: Binding, task: Task) -> TargetHealth | None:
        health = self._health(binding.target_group_arn)
        return health.get((task.address, binding.container_port))

    def _health(self, target_group_arn: str) -> Health:
        """Health by target; a target group that was deleted has no targets."""
        try:
            return self.target_groups.health(target_group_arn)
        except (AwsError, KeyError):
            return {}

    # -- learning ------------------------------------------------------------------------------

    def observe(self, service: Service) -> None:
        """Bring the records up to date: who runs, who is healthy, who failed."""
        known: dict[str, Health] = {}
        for record in list(service.records.values()):
            revision = service.revisions[record.revision]
            if record.wanted:
                self._judge(service, revision, record, known)
                continue
            # Once it is going to stop, not only when it has: its replacement is launched at once.
            record.healthy, record.unhealthy = False, None
            if not record.stop_seen:
                record.stop_seen = True
                self._note_stop(service, revision, record)
            if record.task.stopped:
                del service.records[record.task.arn]

    def _judge(
        self,
        service: Service,
        revision: Revision,
        record: TaskRecord,
        known: dict[str, Health],
    ) -> None:
        record.healthy, record.unhealthy = False, None
        if record.task.last_status != "RUNNING":
            return
        if record.running_since is None:
            record.running_since = self._time()
            revision.launch_failures = 0
            learn_digests(revision, record.task)
        age = self._time() - record.running_since
        # Unhealthy results are ignored for the grace period, healthy ones count at once
        # (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html).
        patient = age < (service.config.get("healthCheckGracePeriodSeconds") or 0)
        healthy, unhealthy = self._health_of(record.task, revision, known)
        if healthy and not revision.bindings and not _has_health_check(record.task):
            healthy = age >= SETTLE_SECONDS
        record.healthy = healthy
        record.unhealthy = None if patient else unhealthy
        if healthy and not record.ever_healthy:
            record.ever_healthy = True
            revision.proven = True
            self._note_success(service, revision)

    def _health_of(
        self, task: Task, revision: Revision, known: dict[str, Health]
    ) -> tuple[bool, str | None]:
        """Whether a running task is healthy, and why it is unhealthy (None: not, or not yet)."""
        healthy = True
        if _has_health_check(task):
            if task.health_status == "UNHEALTHY":
                return False, "container"
            healthy = task.health_status == "HEALTHY"
        for binding in revision.bindings:
            arn = binding.target_group_arn
            if arn not in known:
                known[arn] = self._health(arn)
            target = known[arn].get((task.address, binding.container_port))
            if target is not None and target.state == "unhealthy":
                return False, f"{arn} {target.description or target.reason or 'Unhealthy'}"
            healthy = healthy and target is not None and target.state == "healthy"
        return healthy, None

    # -- failures ------------------------------------------------------------------------------

    def _note_stop(self, service: Service, revision: Revision, record: TaskRecord) -> None:
        service.steady = False
        if record.dismissed or record.task.stop_code == "UserInitiated":
            return
        if record.running_since is None and record.task.started_at is None:
            self._note_launch_failure(service, revision)
        else:
            self._count_failure(service, revision)

    def _note_launch_failure(self, service: Service, revision: Revision) -> None:
        revision.launch_failures += 1
        pause = pause_after(revision.launch_failures)
        revision.retry_at = self._time() + pause
        if pause:
            service.say(events.UNABLE, self._cloud.clock.now())
        self._count_failure(service, revision)

    def _count_failure(self, service: Service, revision: Revision) -> None:
        """A task of the revision being deployed failed to start, crashed or failed its checks.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
        """
        deployment = service.deployment
        if deployment is None or revision.number != service.primary:
            return
        deployment.failures += 1
        deployment.updated_at = self._cloud.clock.now()
        revision.failed_tasks += 1

    def _note_success(self, service: Service, revision: Revision) -> None:
        """A task got healthy: failures are counted anew, unless they are to be added up."""
        deployment = service.deployment
        if deployment is None or revision.number != service.primary:
            return
        breaker = deployment.configuration.get("deploymentCircuitBreaker") or {}
        if breaker.get("resetOnHealthyTask", True):
            deployment.failures = 0
            revision.failed_tasks = 0


def _has_health_check(task: Task) -> bool:
    return any(container.has_health_check and container.essential for container in task.containers)


def _capacity_provider(revision: Revision) -> str | None:
    strategy = revision.config.get("capacityProviderStrategy") or []
    return str(strategy[0]["capacityProvider"]) if strategy else None


def _task_tags(service: Service, definition_tags: Tags) -> Tags:
    """Tags of a new task: propagated from service or task definition, plus ECS's own if enabled.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html
    """
    propagate: Any = service.config.get("propagateTags")
    source = {"SERVICE": service.tags, "TASK_DEFINITION": definition_tags}.get(propagate, [])
    tags = [dict(tag) for tag in source]
    if service.config.get("enableECSManagedTags"):
        tags += [
            {"key": "aws:ecs:clusterName", "value": service.cluster_name},
            {"key": "aws:ecs:serviceName", "value": service.name},
        ]
    return tags
