"""Starts tasks, keeps track of them and takes them down with the local cloud."""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event
from typing import Any

from localcloud.cloud import Cloud
from localcloud.dataplane.tasks.addresses import AddressPool
from localcloud.dataplane.tasks.image import write_python_shim
from localcloud.dataplane.tasks.leftovers import kill_leftovers
from localcloud.dataplane.tasks.logpump import LogPump
from localcloud.dataplane.tasks.run import TaskRun
from localcloud.dataplane.tasks.surroundings import Hooks, Surroundings
from localcloud.dataplane.tasks.usage import Usage
from localcloud.services.ecs.role_credentials import RoleCredentials
from localcloud.services.ecs.store import (
    Cluster,
    ContainerState,
    EcsStore,
    Tags,
    Task,
    TaskDefinition,
)

#: How long stopped tasks are kept: at least an hour
#: (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html), and long
#: enough for a person to look at when the clock runs fast. Cloud seconds and wall seconds.
STOPPED_TASK_SECONDS = 3600
STOPPED_TASK_WALL_SECONDS = 600

#: Wall seconds that tasks get to end when the local cloud goes down.
_SHUTDOWN_GRACE = 1.0


class ProcessTaskEngine:
    """The task engine whose containers are processes of this machine."""

    def __init__(self, cloud: Cloud, store: EcsStore, surroundings: Surroundings) -> None:
        self.cloud = cloud
        self.store = store
        self.surroundings = surroundings
        self.pump = LogPump()
        self.shutdown = Event()
        self.credentials = RoleCredentials(cloud)
        self._pool = AddressPool(cloud.addresses.task)
        self._runs: dict[str, TaskRun] = {}
        self._runs_guard = threading.Lock()
        self._folder = cloud.settings.state_dir / "tasks"
        self._subnet_turn = 0
        # What a killed local cloud of the same state folder may have left.
        kill_leftovers(self._folder)
        shutil.rmtree(self._folder, ignore_errors=True)
        write_python_shim(self.shims)
        cloud.on_stop(self.stop_all)

    @property
    def shims(self) -> Path:
        """Folder with the ``python`` that a container's shell finds."""
        return self._folder / "bin"

    def folder(self, task: Task) -> Path:
        """The task's ephemeral storage."""
        return self._folder / task.id

    def start(
        self,
        *,
        cluster: Cluster,
        task_definition: TaskDefinition,
        group: str,
        started_by: str | None,
        network_configuration: dict[str, Any],
        overrides: dict[str, Any] | None = None,
        launch_type: str | None = "FARGATE",
        capacity_provider: str | None = None,
        platform_version: str | None = None,
        enable_execute_command: bool = False,
        tags: Tags | None = None,
        service_revision_arn: str | None = None,
        on_change: Callable[[Task], None] | None = None,
        on_activate: Callable[[Task], None] | None = None,
        on_deactivate: Callable[[Task, Event], None] | None = None,
    ) -> Task:
        """See :class:`localcloud.services.ecs.store.TaskEngine`."""
        shape = task_definition.shape
        overrides = overrides or {}
        subnet = self._subnet(network_configuration)
        arn = self.store.arn("task", f"{cluster.name}/{self.store.new_id()}")
        task = Task(
            arn=arn,
            cluster_arn=cluster.arn,
            task_definition_arn=task_definition.arn,
            group=group,
            started_by=started_by,
            launch_type=launch_type,
            address=self._pool.take(),
            containers=[
                _container(container, arn, self.store, overrides)
                for container in task_definition.containers
            ],
            created_at=self.cloud.clock.now(),
            overrides=overrides,
            network_configuration=network_configuration,
            subnet_id=subnet,
            availability_zone=self.surroundings.availability_zone(subnet),
            network_interface_id=f"eni-{self.store.new_id()[:17]}",
            enable_execute_command=enable_execute_command,
            tags=list(tags or []),
            platform_version=platform_version
            if platform_version not in (None, "LATEST")
            else "1.4.0",
            capacity_provider_name=capacity_provider,
            cpu=overrides.get("cpu") or shape.get("cpu", "256"),
            memory=overrides.get("memory") or shape.get("memory", "512"),
            architecture={"ARM64": "arm64"}.get(
                shape.get("runtimePlatform", {}).get("cpuArchitecture", ""), "x86_64"
            ),
            ephemeral_storage_gib=(
                overrides.get("ephemeralStorage") or shape.get("ephemeralStorage") or {}
            ).get("sizeInGiB", 20),
            service_revision_arn=service_revision_arn,
        )
        run = TaskRun(self, task, task_definition, Hooks(on_change, on_activate, on_deactivate))
        self._forget_old_tasks()
        self.store.tasks[arn] = task
        with self._runs_guard:
            self._runs[arn] = run
        self.cloud.background(f"task-{task.id[:8]}", lambda _stop: run.run())
        return task

    def stop(self, task: Task, *, reason: str, code: str) -> None:
        """See :class:`localcloud.services.ecs.store.TaskEngine`."""
        with self.cloud.lock:
            if task.desired_status == "STOPPED":
                return
            task.desired_status = "STOPPED"
            task.stop_code, task.stopped_reason = code, reason
        with self._runs_guard:
            run = self._runs.get(task.arn)
        if run is not None:
            run.interrupt()

    def tasks(
        self,
        *,
        cluster_arn: str | None = None,
        group: str | None = None,
        desired_status: str | None = None,
    ) -> list[Task]:
        """See :class:`localcloud.services.ecs.store.TaskEngine`."""
        with self.cloud.lock:
            self._forget_old_tasks()
            return [
                task
                for task in self.store.tasks.values()
                if cluster_arn in (None, task.cluster_arn)
                and group in (None, task.group)
                and desired_status in (None, task.desired_status)
            ]

    def usage(self, measure: Callable[[set[int]], dict[int, Usage]]) -> dict[str, Usage]:
        """What each task with a living process uses.

        measure: usage by process group.
        """
        with self._runs_guard:
            groups = {arn: run.process_groups() for arn, run in self._runs.items()}
        found = measure({group for members in groups.values() for group in members})
        return {
            arn: sum((found[g] for g in members if g in found), Usage())
            for arn, members in groups.items()
            if members & found.keys()
        }

    def stop_all(self) -> None:
        """End every task at once: the local cloud goes down."""
        self.shutdown.set()
        with self._runs_guard:
            runs = list(self._runs.values())
        for run in runs:
            run.interrupt()
        for run in runs:
            run.finished.wait(_SHUTDOWN_GRACE + 2)
        self.pump.stop()

    @property
    def stop_grace(self) -> float | None:
        """Wall seconds that replace every ``stopTimeout`` while the local cloud goes down."""
        return _SHUTDOWN_GRACE if self.shutdown.is_set() else None

    def ended(self, task: Task) -> None:
        """A task's run is over: its address and folder are free again."""
        shutil.rmtree(self.folder(task), ignore_errors=True)
        self._pool.give_back(task.address)
        self.credentials.forget(task.id)
        with self._runs_guard:
            self._runs.pop(task.arn, None)

    def _subnet(self, network_configuration: dict[str, Any]) -> str:
        """Tasks are spread over the subnets they may run in."""
        subnets = network_configuration.get("awsvpcConfiguration", {}).get("subnets") or [""]
        self._subnet_turn += 1
        return str(subnets[self._subnet_turn % len(subnets)])

    def _forget_old_tasks(self) -> None:
        keep = max(self.cloud.clock.wall(STOPPED_TASK_SECONDS), STOPPED_TASK_WALL_SECONDS)
        now = self.cloud.clock.now()
        old = [
            arn
            for arn, task in self.store.tasks.items()
            if task.stopped_at is not None and (now - task.stopped_at).total_seconds() > keep
        ]
        for arn in old:
            del self.store.tasks[arn]


def _container(
    definition: Mapping[str, Any], task_arn: str, store: EcsStore, overrides: Mapping[str, Any]
) -> ContainerState:
    override: Mapping[str, Any] = next(
        (o for o in overrides.get("containerOverrides", ()) if o.get("name") == definition["name"]),
        {},
    )
    cluster_and_id = task_arn.split(":task/", 1)[1]

    def size(member: str) -> str | None:
        value = override.get(member, definition.get(member))
        return None if value is None else str(value)

    return ContainerState(
        name=definition["name"],
        arn=store.arn("container", f"{cluster_and_id}/{uuid.uuid4()}"),
        image=definition["image"],
        essential=definition.get("essential", True),
        has_health_check="healthCheck" in definition,
        cpu=size("cpu") or "0",
        memory=size("memory"),
        memory_reservation=size("memoryReservation"),
    )
