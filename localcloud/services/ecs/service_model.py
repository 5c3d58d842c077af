"""What the local ECS knows of a service: its revisions, service deployments, tasks and events.

Everything is touched with ``cloud.lock`` held. Times named ``…_at`` are aware datetimes that the
API shows; plain floats are cloud seconds of the engine's own clock, for waits.
"""

from __future__ import annotations

import secrets
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localcloud.services.ecs.store import Tags, Task

#: Statuses in which a service deployment is not finished
#: (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html).
ONGOING = frozenset(
    {"PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"}
)
#: Strategies that run two revisions side by side and shift traffic between them
#: (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-blue-green.html).
SIDE_BY_SIDE = frozenset({"BLUE_GREEN", "CANARY", "LINEAR"})
#: DescribeServices shows the latest 100 events
#: (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html).
SHOWN_EVENTS = 100


def new_number() -> str:
    """19 decimal digits, as ECS names service revisions and ``ecs-svc/…`` deployments."""
    return str(10**18 + secrets.randbelow(9 * 10**18))


def new_deployment_id() -> str:
    """21 URL-safe characters, as ECS names service deployments."""
    return secrets.token_urlsafe(16)[:21]


@dataclass(frozen=True)
class Binding:
    """One load balancer entry of a service, resolved for one revision.

    ``other_target_group_arn`` is the second of a blue/green pair; rules are None without
    ``advancedConfiguration``.
    """

    target_group_arn: str
    container_name: str
    container_port: int
    other_target_group_arn: str | None = None
    production_rule: str | None = None
    test_rule: str | None = None


@dataclass
class Revision:
    """A service revision: the workload configuration of one deployment, never changed afterwards.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-revision.html
    """

    number: str
    arn: str
    task_definition_arn: str
    #: taskDefinition, launchType, networkConfiguration, loadBalancers, … as the API spells them.
    config: dict[str, Any]
    bindings: tuple[Binding, ...]
    created_at: datetime
    updated_at: datetime
    #: How many tasks the scheduler keeps of this revision.
    requested: int = 0
    #: Its deployment failed: no task is launched any more.
    blocked: bool = False
    #: A task of it has been healthy once.
    proven: bool = False
    #: Tasks in a row that stopped without having been RUNNING, and when the next may be launched.
    launch_failures: int = 0
    retry_at: float = 0.0
    failed_tasks: int = 0
    rollout_state: str = "IN_PROGRESS"
    rollout_reason: str = ""
    #: Container name → (image, digest), known when the first task has pulled them.
    images: dict[str, tuple[str, str | None]] = field(default_factory=dict)

    @property
    def deployment_id(self) -> str:
        """Its name in ``Service.deployments`` and in the tasks' ``startedBy``."""
        return f"ecs-svc/{self.number}"


@dataclass
class TaskRecord:
    """What the scheduler remembers of a task beside what the task itself says."""

    task: Task
    revision: str
    created: float
    #: When it was first seen RUNNING.
    running_since: float | None = None
    healthy: bool = False
    ever_healthy: bool = False
    #: Why it counts as unhealthy, None while it does not.
    unhealthy: str | None = None
    #: It was told to stop because it is not needed any more: its stop is no failure.
    dismissed: bool = False
    stop_seen: bool = False

    @property
    def wanted(self) -> bool:
        """Whether the task is meant to run."""
        return self.task.desired_status == "RUNNING" and not self.task.stopped


@dataclass
class Hook:
    """A PAUSE lifecycle hook that a deployment has reached.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/pause-lifecycle-hooks.html
    """

    hook_id: str
    stage: str
    #: How many production shifts had been made when it was reached.
    step: int
    expires: float
    expires_at: datetime
    timeout_action: str
    #: AWAITING_ACTION, SUCCEEDED, FAILED or TIMED_OUT.
    status: str = "AWAITING_ACTION"
    #: What ends it: CONTINUE or ROLLBACK, from the caller or from the time-out.
    outcome: str | None = None


@dataclass
class Rollback:
    """Why and when a deployment turned back, and to which revision."""

    reason: str
    started_at: datetime
    revision: str | None


@dataclass
class ServiceDeployment:
    """A service deployment: the way of a service from its source revisions to the target one.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html
    """

    arn: str
    target: str
    #: The revision that serves and to which a failure turns back; None for the first one.
    source: str | None
    #: Further revisions that still have tasks: left over by a deployment this one supersedes.
    leftovers: tuple[str, ...]
    configuration: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    status: str = "PENDING"
    reason: str | None = None
    stage: str | None = None
    stage_since: float = 0.0
    #: When the present stage moved production traffic, None while it has not.
    shifted: float | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    stopped_at: datetime | None = None
    #: Revision number → tasks it had been asked for when this deployment began.
    requested: dict[str, int] = field(default_factory=dict)
    #: Percent of production and test traffic on the target, and how many shifts were made.
    production_percent: float = 0.0
    test_percent: float = 0.0
    step: int = 0
    hooks: list[Hook] = field(default_factory=list)
    rollback: Rollback | None = None
    failures: int = 0
    breaker_triggered: bool = False
    triggered_alarms: tuple[str, ...] = ()
    #: Alarms were in ALARM when it began, so they are ignored.
    alarms_ignored: bool = False
    #: Revision number → tasks requested, running and pending when it ended.
    final: dict[str, tuple[int, int, int]] | None = None
    #: A problem found while acting (a rule that is gone, …), as a sentence.
    fault: str | None = None

    @property
    def ongoing(self) -> bool:
        """Whether it has not come to its end."""
        return self.status in ONGOING

    @property
    def strategy(self) -> str:
        """ROLLING, BLUE_GREEN, CANARY or LINEAR."""
        return str(self.configuration.get("strategy", "ROLLING"))


@dataclass(frozen=True)
class ServiceEvent:
    """A line of a service's event stream."""

    id: str
    created_at: datetime
    message: str


@dataclass
class Service:
    """An ECS service."""

    arn: str
    name: str
    cluster_arn: str
    cluster_name: str
    #: What the API shows as it was given: loadBalancers, deploymentConfiguration, …
    config: dict[str, Any]
    desired_count: int
    created_at: datetime
    status: str = "ACTIVE"
    tags: Tags = field(default_factory=list)
    events: deque[ServiceEvent] = field(default_factory=lambda: deque(maxlen=SHOWN_EVENTS))
    revisions: dict[str, Revision] = field(default_factory=dict)
    deployments: list[ServiceDeployment] = field(default_factory=list)
    records: dict[str, TaskRecord] = field(default_factory=dict)
    #: The revision shown as PRIMARY.
    primary: str = ""
    #: The revision that has proven itself and holds the production traffic.
    serving: str | None = None
    #: Whether the present quiet has been told as "has reached a steady state".
    steady: bool = False
    client_token: str | None = None

    @property
    def group(self) -> str:
        """The ``group`` of its tasks."""
        return f"service:{self.name}"

    @property
    def deployment(self) -> ServiceDeployment | None:
        """The deployment that is under way, None when there is none."""
        last = self.deployments[-1] if self.deployments else None
        return last if last is not None and last.ongoing else None

    @property
    def strategy(self) -> str:
        """The strategy the next deployment will have."""
        return str(self.config["deploymentConfiguration"].get("strategy", "ROLLING"))

    def records_of(self, number: str) -> list[TaskRecord]:
        """The tasks of a revision that have not stopped, oldest first."""
        return [r for r in self.records.values() if r.revision == number and not r.task.stopped]

    def say(self, message: str, now: datetime) -> None:
        """Put a line at the head of the event stream."""
        self.events.appendleft(
            ServiceEvent(str(uuid.uuid4()), now, f"(service {self.name}) {message}")
        )
