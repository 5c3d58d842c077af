"""The life of one task, from PROVISIONING to STOPPED, in a thread of its own.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
"""

from __future__ import annotations

import contextlib
import logging
import queue
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any

from localcloud.dataplane.tasks import image as images
from localcloud.dataplane.tasks.container import Container, Limits, exit_code, work_limit
from localcloud.dataplane.tasks.dependencies import Progress, Readiness, readiness, stoppable
from localcloud.dataplane.tasks.health import HEALTHY, HealthCheck, task_health
from localcloud.dataplane.tasks.leftovers import MARK
from localcloud.dataplane.tasks.logpump import Deliver
from localcloud.dataplane.tasks.surroundings import Hooks, ResourceError
from localcloud.ports import PulledImage
from localcloud.services.ecs.store import ContainerState, Task, TaskDefinition

if TYPE_CHECKING:
    from localcloud.dataplane.tasks.engine import ProcessTaskEngine

log = logging.getLogger(__name__)

#: What attaching and deleting a network interface take here, cloud seconds.
PROVISIONING_SECONDS = 2
DEPROVISIONING_SECONDS = 1
#: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
DEFAULT_STOP_TIMEOUT = 30
#: Wall seconds of which a stopTimeout keeps at least as many at any clock speed.
_STOP_FLOOR = 1.0
#: A container that never started because of what it depends on reports SIGTERM's exit code.
_NEVER_STARTED = exit_code(-signal.SIGTERM)

_FAILED = "TaskFailedToStart"
_INTERNAL_ERROR = "InternalError: the log of the local cloud has the reason"


@dataclass(frozen=True)
class _Exited:
    name: str
    code: int


@dataclass(frozen=True)
class _Health:
    name: str
    status: str


@dataclass(frozen=True)
class _Prepared:
    """A container whose image, secrets and log stream are at hand."""

    image: PulledImage
    secrets: dict[str, str]
    deliver: Deliver | None


class TaskRun:
    """Drives one task."""

    def __init__(
        self, engine: ProcessTaskEngine, task: Task, definition: TaskDefinition, hooks: Hooks
    ) -> None:
        self._engine = engine
        self._clock = engine.cloud.clock
        self._task = task
        self._definition = definition
        self._hooks = hooks
        self._events: queue.SimpleQueue[_Exited | _Health | None] = queue.SimpleQueue()
        self._interrupted = Event()
        #: Set when a drain has nothing left to wait for.
        self._nothing_to_drain = Event()
        self._dependencies = {
            c["name"]: [(d["containerName"], d["condition"]) for d in c.get("dependsOn", ())]
            for c in definition.containers
        }
        self._prepared: dict[str, _Prepared] = {}
        self._started: dict[str, Container] = {}
        self._activated = False
        self.finished = Event()

    def interrupt(self) -> None:
        """Make the run look at the task's desired status, or at the engine's shutdown."""
        self._interrupted.set()
        if self._engine.shutdown.is_set():
            self._nothing_to_drain.set()
        self._events.put(None)

    def process_groups(self) -> set[int]:
        """Process groups of the containers that were started."""
        return {container.pid for container in list(self._started.values())}

    def run(self) -> None:
        """The whole life; returns when the task is STOPPED."""
        try:
            self._live()
            self._wind_down()
        except Exception:
            log.exception("task %s ended by an error of the local cloud", self._task.arn)
            self._fail(_FAILED, _INTERNAL_ERROR)
            for container in self._started.values():
                container.kill()
            self._set_status("STOPPED", stopped_at=self._clock.now())
        finally:
            self._engine.ended(self._task)
            self.finished.set()

    def _live(self) -> None:
        """Until there is a reason to stop."""
        try:
            self._bring_up()
            while not self._should_end():
                self._handle(self._next_event(None))
        except ResourceError as error:
            self._fail(_FAILED, str(error))
        except Exception:
            log.exception("task %s stops by an error of the local cloud", self._task.arn)
            self._fail(_FAILED, _INTERNAL_ERROR)

    # -- coming up -----------------------------------------------------------------------------

    def _bring_up(self) -> None:
        if self._clock.sleep(PROVISIONING_SECONDS, self._interrupted):
            return
        self._set_status("PENDING", connectivity_at=self._clock.now())
        self._prepare()
        if self._should_end():
            return
        self._set_status("ACTIVATING")
        self._engine.folder(self._task).mkdir(parents=True, exist_ok=True)
        self._start_containers()
        if self._should_end():
            return
        self._activated = True
        if self._hooks.on_activate is not None:
            self._call(self._hooks.on_activate, self._task)
        self._set_status("RUNNING", started_at=self._clock.now())

    def _prepare(self) -> None:
        outside = self._engine.surroundings
        definitions = self._definition.containers
        secrets = {c["name"]: outside.secrets(c) for c in definitions}
        self._task.pull_started_at = self._clock.now()
        pulled: dict[str, PulledImage] = {}
        for definition in definitions:
            reference = definition["image"]
            if reference not in pulled:
                try:
                    pulled[reference] = outside.image(reference)
                except ResourceError as error:
                    self._state(definition["name"]).reason = str(error)
                    raise
            self._state(definition["name"]).image_digest = pulled[reference].digest
        self._task.pull_stopped_at = self._clock.now()
        for definition in definitions:
            name = definition["name"]
            self._prepared[name] = _Prepared(
                pulled[definition["image"]],
                secrets[name],
                outside.log(definition, self._task.id),
            )

    def _start_containers(self) -> None:
        """Start each container when its dependencies allow it; return when all have started."""
        waiting = [c["name"] for c in self._definition.containers]
        while waiting and not self._should_end():
            progress = self._progress()
            found = {name: readiness(name, self._dependencies, progress) for name in waiting}
            for name in waiting:
                if found[name] is Readiness.WAITING and self._overdue(name, progress):
                    found[name] = Readiness.NEVER
            startable = [name for name in waiting if found[name] is not Readiness.WAITING]
            for name in startable:
                waiting.remove(name)
                if found[name] is Readiness.NEVER:
                    self._never_start(name)
                else:
                    self._start_container(name)
                if self._should_end():
                    return
            if waiting and not startable:
                self._handle(self._next_event(self._next_deadline(waiting, progress)))

    def _overdue(self, name: str, progress: dict[str, Progress]) -> bool:
        """Whether a container this one depends on has used up its ``startTimeout``."""
        deadlines = self._deadlines(name, progress)
        return bool(deadlines) and min(deadlines) <= time.monotonic()

    def _next_deadline(self, waiting: list[str], progress: dict[str, Progress]) -> float | None:
        return min((d for name in waiting for d in self._deadlines(name, progress)), default=None)

    def _deadlines(self, name: str, progress: dict[str, Progress]) -> list[float]:
        deadlines = []
        for other, _ in self._dependencies[name]:
            definition = self._definition.container(other) or {}
            if "startTimeout" in definition and progress[other].started:
                limit = work_limit(self._clock, definition["startTimeout"])
                deadlines.append(self._started[other].started + limit)
        return deadlines

    def _never_start(self, name: str) -> None:
        with self._engine.cloud.lock:
            state = self._state(name)
            state.last_status, state.exit_code = "STOPPED", _NEVER_STARTED
            state.reason = "DependencyError: a container it depends on did not get ready"
        if state.essential:
            self._fail(_FAILED, "Task failed to start")
        self._changed()

    def _start_container(self, name: str) -> None:
        definition = self._definition.container(name) or {}
        prepared = self._prepared[name]
        state = self._state(name)
        try:
            command = self._command(definition, prepared)
            container = Container(
                name=f"task {self._task.id[:8]} {name}",
                command=command,
                children=self._engine.cloud.children,
                clock=self._clock,
                limits=Limits(
                    {u["name"]: (u["softLimit"], u["hardLimit"]) for u in _ulimits(definition)}
                ),
                pump=self._engine.pump,
                deliver=prepared.deliver,
                mark=self._engine.folder(self._task) / name,
                on_exit=lambda code: self._exited(name, code),
            )
        except (images.NotRunnableError, OSError) as error:
            reason = f"CannotStartContainerError: {error}"
            with self._engine.cloud.lock:
                state.last_status, state.reason = "STOPPED", reason
            if state.essential:
                self._fail(_FAILED, reason)
            self._changed()
            return
        self._started[name] = container
        with self._engine.cloud.lock:
            state.last_status = "RUNNING"
            state.runtime_id = f"{self._task.id}-{container.pid:010d}"
        if "healthCheck" in definition:
            check = HealthCheck.of(definition["healthCheck"])
            argv: tuple[str, ...] | None = None
            with contextlib.suppress(images.NotRunnableError):
                argv = images.resolve(
                    check.argv, prepared.image.root, command.cwd, command.env["PATH"]
                )
            container.watch_health(
                check, argv, lambda status: self._events.put(_Health(name, status))
            )

    def _command(self, definition: dict[str, Any], prepared: _Prepared) -> images.Command:
        override: dict[str, Any] = next(
            (
                o
                for o in self._task.overrides.get("containerOverrides", ())
                if o.get("name") == definition["name"]
            ),
            {},
        )
        image = prepared.image
        images.check_kind(image.config, definition["image"])
        folder = self._engine.folder(self._task)
        env = images.environment(
            image.config,
            image.root,
            {"TMPDIR": str(folder), "HOME": str(folder)},
            _pairs(definition.get("environment")),
            _pairs(override.get("environment")),
            prepared.secrets,
            self._given_variables(),
            {MARK: str(folder / definition["name"])},
            base_path=[str(self._engine.shims)],
        )
        cwd = images.working_directory(image.config, image.root, definition.get("workingDirectory"))
        argv = images.words(
            image.config,
            definition.get("entryPoint"),
            override.get("command") or definition.get("command"),
        )
        return images.Command(images.resolve(argv, image.root, cwd, env["PATH"]), env, cwd)

    def _given_variables(self) -> dict[str, str]:
        """What Fargate sets in every container, and what a process needs in its place."""
        settings = self._engine.cloud.settings
        dashed = self._task.address.replace(".", "-")
        return {
            "HOST": self._task.address,
            "HOSTNAME": f"ip-{dashed}.{settings.region}.compute.internal",
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "AWS_REGION": settings.region,
            "AWS_DEFAULT_REGION": settings.region,
            # An SDK in a task must reach this cloud and nothing else.
            "AWS_ENDPOINT_URL": settings.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            **self._engine.credentials.given(self._task.id, self._task_role()),
        }

    def _task_role(self) -> str | None:
        """ARN of the role that the containers may call AWS with."""
        role = self._task.overrides.get("taskRoleArn") or self._definition.shape.get("taskRoleArn")
        return str(role) if role else None

    # -- events --------------------------------------------------------------------------------

    def _exited(self, name: str, code: int) -> None:
        """Called by the thread that waits for the process."""
        if self._state(name).essential:
            self._nothing_to_drain.set()
        self._events.put(_Exited(name, code))

    def _next_event(self, deadline: float | None) -> _Exited | _Health | None:
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        with contextlib.suppress(queue.Empty):
            return self._events.get(timeout=timeout)
        return None

    def _handle(self, event: _Exited | _Health | None) -> None:
        if event is None:
            return
        with self._engine.cloud.lock:
            state = self._state(event.name)
            if isinstance(event, _Exited):
                state.last_status, state.exit_code = "STOPPED", event.code
            else:
                state.health_status = event.status
                self._task.health_status = task_health(
                    c.health_status for c in self._task.containers if c.essential
                )
        if isinstance(event, _Exited) and (state.essential or self._all_ended()):
            self._fail("EssentialContainerExited", "Essential container in task exited")
        self._changed()

    def _fail(self, code: str, reason: str) -> None:
        """The task is to stop for this reason unless it has one already."""
        with self._engine.cloud.lock:
            self._task.desired_status = "STOPPED"
            if self._task.stop_code is None:
                self._task.stop_code, self._task.stopped_reason = code, reason

    def _should_end(self) -> bool:
        return self._task.desired_status == "STOPPED" or self._engine.shutdown.is_set()

    def _all_ended(self) -> bool:
        return all(c.last_status == "STOPPED" for c in self._task.containers)

    # -- going down ----------------------------------------------------------------------------

    def _wind_down(self) -> None:
        if self._engine.shutdown.is_set():
            self._fail("TerminationNotice", "The local cloud goes down")
        if self._activated:
            self._set_status("DEACTIVATING")
            if self._hooks.on_deactivate is not None and not self._engine.shutdown.is_set():
                self._call(self._hooks.on_deactivate, self._task, self._nothing_to_drain)
        self._task.stopping_at = self._clock.now()
        if self._started:
            self._set_status("STOPPING")
            self._stop_containers()
        self._task.execution_stopped_at = self._clock.now()
        self._set_status("DEPROVISIONING")
        self._clock.sleep(DEPROVISIONING_SECONDS, self._engine.shutdown)
        with self._engine.cloud.lock:
            for container in self._task.containers:
                container.last_status = "STOPPED"
        self._set_status("STOPPED", stopped_at=self._clock.now())

    def _stop_containers(self) -> None:
        """SIGTERM, ``stopTimeout``, SIGKILL; a container before those it depends on."""
        told: dict[str, float] = {}
        killed: set[str] = set()
        while running := self._running():
            for name in stoppable(self._dependencies, running) - told.keys():
                told[name] = time.monotonic() + self._stop_timeout(name)
                self._started[name].signal(signal.SIGTERM)
            now = time.monotonic()
            for name in running:
                if name in told and told[name] <= now and name not in killed:
                    killed.add(name)
                    self._started[name].kill()
            pending = [told[name] for name in running if name in told and name not in killed]
            self._handle(self._next_event(min(pending, default=None)))
            if self._engine.shutdown.is_set():
                latest = time.monotonic() + (self._engine.stop_grace or 0)
                told = {name: min(at, latest) for name, at in told.items()}

    def _stop_timeout(self, name: str) -> float:
        """Wall seconds between SIGTERM and SIGKILL."""
        definition = self._definition.container(name) or {}
        seconds = definition.get("stopTimeout", DEFAULT_STOP_TIMEOUT)
        limit = work_limit(self._clock, seconds, _STOP_FLOOR)
        grace = self._engine.stop_grace
        return limit if grace is None else min(limit, grace)

    def _running(self) -> set[str]:
        return {name for name in self._started if self._state(name).exit_code is None}

    # -- small things --------------------------------------------------------------------------

    def _state(self, name: str) -> ContainerState:
        state = self._task.container(name)
        if state is None:
            raise LookupError(name)
        return state

    def _progress(self) -> dict[str, Progress]:
        return {
            c.name: Progress(
                started=c.name in self._started,
                exit_code=_end_of(c),
                healthy=c.health_status == HEALTHY,
            )
            for c in self._task.containers
        }

    def _set_status(self, status: str, **times: Any) -> None:
        with self._engine.cloud.lock:
            self._task.last_status = status
            for name, value in times.items():
                setattr(self._task, name, value)
        self._changed()

    def _changed(self) -> None:
        with self._engine.cloud.lock:
            self._task.version += 1
        if self._hooks.on_change is not None and not self._engine.shutdown.is_set():
            self._call(self._hooks.on_change, self._task)

    def _call(self, hook: Callable[..., None], *args: object) -> None:
        try:
            hook(*args)
        except Exception:
            log.exception("a hook of task %s failed", self._task.arn)


def _end_of(container: ContainerState) -> int | None:
    """Exit code for those that depend on a container; 127 when it could not be started."""
    if container.last_status != "STOPPED":
        return None
    return 127 if container.exit_code is None else container.exit_code


def _pairs(environment: list[dict[str, str]] | None) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in environment or ()}


def _ulimits(definition: dict[str, Any]) -> list[dict[str, Any]]:
    ulimits: list[dict[str, Any]] = definition.get("ulimits") or []
    return ulimits
