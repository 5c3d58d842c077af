"""What the local ECS knows: clusters, task definitions and tasks.

Everything here is touched with ``cloud.lock`` held: API calls hold it anyway, engine threads take
it. Lookups accept what the API accepts (name, ``family:revision`` or ARN) and raise
:class:`~localcloud.api.AwsError` with the codes of
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html and the operations'
own pages.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING, Any, Protocol

from localcloud.api import AwsError

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.dataplane.tasks.usage import Usage

#: The states of a task in the order they are passed
#: (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html).
TASK_STATES = (
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
)

Tags = list[dict[str, str]]

_MOST_TAGS = 50


def checked_tags(tags: Tags | None) -> Tags:
    """A copy of the tags a caller gives a resource.

    Raises ``InvalidParameterException`` for tags AWS refuses
    (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html#tag-restrictions).
    """
    given = [dict(tag) for tag in tags or ()]
    keys = [tag.get("key", "") for tag in given]
    if len(given) > _MOST_TAGS:
        raise AwsError("InvalidParameterException", f"A resource has {_MOST_TAGS} tags at most.")
    if len({*keys}) < len(keys):
        raise AwsError("InvalidParameterException", "Duplicate tag keys are not allowed.")
    for tag in given:
        key, value = tag.get("key", ""), tag.get("value", "")
        if not 1 <= len(key) <= 128 or len(value) > 256:
            raise AwsError(
                "InvalidParameterException",
                "A tag's key has 1 to 128 characters, its value 256 at most.",
            )
        if key.lower().startswith("aws:"):
            raise AwsError(
                "InvalidParameterException",
                "aws: prefixed tag key names are not allowed for external use.",
            )
    return given


@dataclass
class Cluster:
    """An ECS cluster."""

    arn: str
    name: str
    status: str = "ACTIVE"
    settings: list[dict[str, str]] = field(default_factory=list)
    configuration: dict[str, Any] | None = None
    capacity_providers: list[str] = field(default_factory=list)
    default_capacity_provider_strategy: list[dict[str, Any]] = field(default_factory=list)
    service_connect_defaults: dict[str, str] | None = None
    tags: Tags = field(default_factory=list)


@dataclass
class TaskDefinition:
    """One revision of a task definition family; ``shape`` is what the API returns for it."""

    arn: str
    family: str
    revision: int
    shape: dict[str, Any]
    tags: Tags = field(default_factory=list)
    status: str = "ACTIVE"
    registered_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    deregistered_at: datetime | None = None
    delete_requested_at: datetime | None = None

    @property
    def containers(self) -> list[dict[str, Any]]:
        """The container definitions, defaults filled in."""
        containers: list[dict[str, Any]] = self.shape["containerDefinitions"]
        return containers

    def container(self, name: str) -> dict[str, Any] | None:
        """The definition of one container, None when there is none of that name."""
        return next((c for c in self.containers if c["name"] == name), None)


@dataclass
class ContainerState:
    """One container of a task."""

    name: str
    arn: str
    image: str
    essential: bool = True
    last_status: str = "PENDING"
    exit_code: int | None = None
    reason: str | None = None
    #: HEALTHY, UNHEALTHY or UNKNOWN; UNKNOWN also when the container has no health check.
    health_status: str = "UNKNOWN"
    has_health_check: bool = False
    runtime_id: str | None = None
    image_digest: str | None = None
    network_bindings: list[dict[str, Any]] = field(default_factory=list)
    cpu: str = "0"
    memory: str | None = None
    memory_reservation: str | None = None


@dataclass
class Task:
    """A task. Fields carry the API's values in Python's spelling; times are aware, in UTC."""

    arn: str
    cluster_arn: str
    task_definition_arn: str
    #: ``service:<name>`` or ``family:<family>`` or what the caller of RunTask gave.
    group: str
    started_by: str | None
    launch_type: str | None
    #: The task's IP address; unique among the tasks of this local cloud that are not stopped.
    address: str
    containers: list[ContainerState]
    created_at: datetime
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    health_status: str = "UNKNOWN"
    started_at: datetime | None = None
    stopping_at: datetime | None = None
    stopped_at: datetime | None = None
    execution_stopped_at: datetime | None = None
    pull_started_at: datetime | None = None
    pull_stopped_at: datetime | None = None
    connectivity_at: datetime | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    network_configuration: dict[str, Any] = field(default_factory=dict)
    subnet_id: str = ""
    availability_zone: str = ""
    attachment_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    network_interface_id: str = ""
    enable_execute_command: bool = False
    tags: Tags = field(default_factory=list)
    platform_version: str = "1.4.0"
    platform_family: str = "Linux"
    capacity_provider_name: str | None = None
    cpu: str = "256"
    memory: str = "512"
    architecture: str = "x86_64"
    ephemeral_storage_gib: int = 20
    version: int = 1
    #: Until when the task is protected from scale-in, None when it is not.
    protected_until: datetime | None = None
    #: The service revision the task belongs to; not shown by the API.
    service_revision_arn: str | None = None

    @property
    def id(self) -> str:
        """The last part of the ARN: 32 hexadecimal digits."""
        return self.arn.rsplit("/", 1)[1]

    @property
    def running(self) -> bool:
        """Whether the task is RUNNING and meant to be."""
        return self.last_status == "RUNNING" and self.desired_status == "RUNNING"

    @property
    def stopped(self) -> bool:
        """Whether the task has reached its last state."""
        return self.last_status == "STOPPED"

    def container(self, name: str) -> ContainerState | None:
        """The state of one container, None when there is none of that name."""
        return next((c for c in self.containers if c.name == name), None)


class EcsStore:
    """Clusters, task definitions and tasks of one account and region."""

    def __init__(self, region: str, account_id: str) -> None:
        self.region = region
        self.account_id = account_id
        #: By name; INACTIVE ones stay until a cluster of the same name is created.
        self.clusters: dict[str, Cluster] = {}
        #: Family → revision number → task definition.
        self.task_definitions: dict[str, dict[int, TaskDefinition]] = {}
        #: Highest revision each family ever had: numbers are never given twice.
        self.last_revisions: dict[str, int] = {}
        #: By ARN.
        self.tasks: dict[str, Task] = {}
        self.account_settings: dict[str, str] = {}
        #: Set by whoever keeps services: cluster ARN → number of ACTIVE or DRAINING services.
        self.count_services: Callable[[str], int] = lambda _cluster_arn: 0
        #: Set by whoever keeps services: whether a service uses this task definition ARN.
        self.uses_task_definition: Callable[[str], bool] = lambda _arn: False
        #: Kind in an ARN (``service``, …) → the mutable list of tags of that ARN, or None.
        self.taggable: dict[str, Callable[[str], Tags | None]] = {}

    # -- names ---------------------------------------------------------------------------------

    def arn(self, kind: str, name: str) -> str:
        """The ARN of a resource of this account and region."""
        return f"arn:aws:ecs:{self.region}:{self.account_id}:{kind}/{name}"

    def new_id(self) -> str:
        """32 hexadecimal digits, as ECS uses in the ARNs of tasks and deployments."""
        return uuid.uuid4().hex

    # -- clusters ------------------------------------------------------------------------------

    def find_cluster(self, ref: str | None) -> Cluster | None:
        """The cluster of this name or ARN (``default`` when None), whatever its status."""
        ref = ref or "default"
        if ref.startswith("arn:"):
            return next((c for c in self.clusters.values() if c.arn == ref), None)
        return self.clusters.get(ref)

    def cluster(self, ref: str | None) -> Cluster:
        """The ACTIVE cluster of this name or ARN.

        Raises ``ClusterNotFoundException``
        (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html#API_RunTask_Errors).
        """
        found = self.find_cluster(ref)
        if found is None or found.status != "ACTIVE":
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
        return found

    # -- task definitions ----------------------------------------------------------------------

    def find_task_definition(self, ref: str) -> TaskDefinition | None:
        """By family (its latest ACTIVE revision), ``family:revision`` or ARN."""
        name = ref
        if ref.startswith("arn:"):
            prefix = self.arn("task-definition", "")
            if not ref.startswith(prefix):
                return None
            name = ref.removeprefix(prefix)
        family, colon, revision = name.partition(":")
        revisions = self.task_definitions.get(family, {})
        if not colon:
            active = [r for r, t in revisions.items() if t.status == "ACTIVE"]
            return revisions[max(active)] if active else None
        return revisions.get(int(revision)) if revision.isdecimal() else None

    def task_definition(self, ref: str) -> TaskDefinition:
        """A task definition of any status.

        Raises ``ClientException``
        (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html).
        """
        found = self.find_task_definition(ref)
        if found is None:
            raise AwsError("ClientException", "Unable to describe task definition.")
        return found

    def runnable_task_definition(self, ref: str) -> TaskDefinition:
        """A task definition that new tasks and services may use: it must be ACTIVE.

        Raises ``ClientException``
        (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html).
        """
        found = self.find_task_definition(ref)
        if found is None:
            raise AwsError("ClientException", "TaskDefinition not found.")
        if found.status != "ACTIVE":
            raise AwsError("ClientException", "TaskDefinition is inactive")
        return found

    def all_task_definitions(self) -> Iterator[TaskDefinition]:
        """Every revision, by family and number."""
        for family in sorted(self.task_definitions):
            for revision in sorted(self.task_definitions[family]):
                yield self.task_definitions[family][revision]

    # -- tasks ---------------------------------------------------------------------------------

    def find_task(self, cluster: Cluster, ref: str) -> Task | None:
        """The task of this id or ARN in a cluster."""
        arn = ref if ref.startswith("arn:") else self.arn("task", f"{cluster.name}/{ref}")
        task = self.tasks.get(arn)
        return task if task is not None and task.cluster_arn == cluster.arn else None

    def task(self, cluster: Cluster, ref: str) -> Task:
        """The task of this id or ARN.

        Raises ``InvalidParameterException``
        (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html#API_StopTask_Errors).
        """
        found = self.find_task(cluster, ref)
        if found is None:
            raise AwsError("InvalidParameterException", "The referenced task was not found.")
        return found

    # -- tags ----------------------------------------------------------------------------------

    def tags_of(self, arn: str) -> Tags:
        """The mutable tags of any taggable resource.

        Raises ``InvalidParameterException`` when there is no such resource
        (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TagResource.html).
        """
        kind = arn.split(":", 5)[-1].split("/", 1)[0]
        tags: Tags | None = None
        if kind == "cluster":
            cluster = self.find_cluster(arn)
            tags = cluster.tags if cluster and cluster.status == "ACTIVE" else None
        elif kind == "task-definition":
            definition = self.find_task_definition(arn)
            tags = definition.tags if definition else None
        elif kind == "task":
            task = self.tasks.get(arn)
            tags = task.tags if task and not task.stopped else None
        elif kind in self.taggable:
            tags = self.taggable[kind](arn)
        if tags is None:
            raise AwsError(
                "InvalidParameterException",
                "The specified resource is not found or is not active. "
                "Specify an active resource and try again.",
            )
        return tags


class TaskEngine(Protocol):
    """Starts and stops tasks; the services half of ECS and RunTask stand on it.

    The hooks given to :meth:`start` run in the task's own thread, without ``cloud.lock``; they take
    it themselves for whatever they touch. A hook that raises is recorded and does not end the task.
    """

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
        """Register a task and return it at once in PROVISIONING; call it with the lock held.

        ``on_change`` is called after each change of the task's status or health. ``on_activate``
        is called in ACTIVATING, once the containers run: targets are registered there.
        ``on_deactivate`` is called in DEACTIVATING, before any container gets SIGTERM: targets are
        deregistered there, and the task waits until it returns, so it may wait for the drain; its
        Event is set when an essential container has exited or the local cloud goes down (there is
        then nothing left to drain). Both are called at most once, ``on_deactivate`` only
        after ``on_activate``. Order and meaning follow
        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html.
        """
        ...

    def stop(self, task: Task, *, reason: str, code: str) -> None:
        """Set the desired status to STOPPED and return at once; a second stop changes nothing.

        The containers get SIGTERM and, after their ``stopTimeout``, SIGKILL. ``code`` is one of the
        API's ``stopCode`` values (``UserInitiated``, ``ServiceSchedulerInitiated``, …).
        """
        ...

    def usage(self, measure: Callable[[set[int]], dict[int, Usage]]) -> dict[str, Usage]:
        """What each task with a living process uses, given usage by process group."""
        ...

    def tasks(
        self,
        *,
        cluster_arn: str | None = None,
        group: str | None = None,
        desired_status: str | None = None,
    ) -> list[Task]:
        """The known tasks, oldest first, stopped ones of the last hour included."""
        ...


class EcsBase:
    """What the halves of the ECS API share."""

    cloud: Cloud
    store: EcsStore
    engine: TaskEngine
