"""Tasks: run, stop, describe, list, protect.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/standalone-tasks.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud
from localcloud.dataplane.tasks.logpump import Deliver
from localcloud.dataplane.tasks.surroundings import ResourceError
from localcloud.ports import ImageNotFoundError, Images, PulledImage
from localcloud.services.ecs.clusters import ClustersApi, choose_provider
from localcloud.services.ecs.secrets import SecretResolver
from localcloud.services.ecs.shapes import page, present, task_shape
from localcloud.services.ecs.store import Cluster, EcsBase, Task, TaskDefinition, checked_tags
from localcloud.services.ecs.task_definition_rules import (
    check_fargate_size,
    cpu_units,
    memory_mib,
)
from localcloud.services.ecs.task_definitions import TaskDefinitionsApi
from localcloud.services.logs import LogGroupNotFoundError, MotoLogSink

#: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html
_PROTECTION_MINUTES = 2 * 60
#: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html
_TOKEN_LIFETIME = timedelta(hours=24)


class CloudSurroundings:
    """Gives tasks what the other parts of this cloud have."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._secrets = SecretResolver(cloud)

    def image(self, reference: str) -> PulledImage:
        """Pull from ECR.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html
        """
        images: Images = self._cloud.parts["ecr"]
        try:
            return images.pull(reference)
        except ImageNotFoundError as error:
            raise ResourceError(
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
                f"failed to resolve ref {reference}: {error}"
            ) from error

    def secrets(self, container: Mapping[str, Any]) -> dict[str, str]:
        """Values from Secrets Manager and SSM."""
        return self._secrets.resolve(container)

    def log(self, container: Mapping[str, Any], task_id: str) -> Deliver | None:
        """The stream ``<prefix>/<container>/<task id>``.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
        """
        if "logConfiguration" not in container:
            return None
        options = container["logConfiguration"]["options"]
        group = options["awslogs-group"]
        stream = f"{options['awslogs-stream-prefix']}/{container['name']}/{task_id}"
        sink: MotoLogSink = self._cloud.parts["logs"]
        try:
            sink.ensure_stream(
                group, stream, create_group=options.get("awslogs-create-group") == "true"
            )
        except LogGroupNotFoundError as error:
            raise ResourceError(
                "ResourceInitializationError: failed to validate logger args: create stream has "
                "been retried 1 times: failed to create Cloudwatch log stream: "
                f"ResourceNotFoundException: The specified log group does not exist: {group}"
            ) from error
        return lambda lines: sink.put(group, stream, lines)

    def availability_zone(self, subnet_id: str) -> str:
        """From moto's subnet; the region's first zone when there is none such."""
        for zone in self._cloud.backend("ec2").subnets.values():
            if subnet_id in zone:
                return str(zone[subnet_id].availability_zone)
        return f"{self._cloud.settings.region}a"


def check_network(cloud: Cloud, configuration: Mapping[str, Any] | None) -> dict[str, Any]:
    """The network configuration of a task or service, checked against moto's subnets and groups.

    Raises ``InvalidParameterException``
    (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AwsVpcConfiguration.html).
    """
    vpc = (configuration or {}).get("awsvpcConfiguration")
    if not vpc or not vpc.get("subnets"):
        raise AwsError(
            "InvalidParameterException",
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        )
    subnets, groups = vpc["subnets"], vpc.get("securityGroups", [])
    if len(subnets) > 16 or len(groups) > 5:
        raise AwsError(
            "InvalidParameterException", "At most 16 subnets and 5 security groups are allowed."
        )
    backend = cloud.backend("ec2")
    known = {subnet for zone in backend.subnets.values() for subnet in zone}
    for subnet in subnets:
        if subnet not in known:
            raise AwsError(
                "InvalidParameterException",
                f"Error retrieving subnet information for [{subnet}]: The subnet ID '{subnet}' "
                "does not exist (ErrorCode: InvalidSubnetID.NotFound)",
            )
    for group in groups:
        if backend.get_security_group_from_id(group) is None:
            raise AwsError(
                "InvalidParameterException",
                f"Error retrieving security group information for [{group}]: The security group "
                f"'{group}' does not exist (ErrorCode: InvalidGroup.NotFound)",
            )
    return {
        "awsvpcConfiguration": {
            "subnets": list(subnets),
            "securityGroups": list(groups),
            "assignPublicIp": vpc.get("assignPublicIp", "DISABLED"),
        }
    }


def check_fargate_use(definition: TaskDefinition) -> None:
    """Raises ``InvalidParameterException`` when a task definition does not run on Fargate."""
    if "FARGATE" not in definition.shape["compatibilities"]:
        raise AwsError(
            "InvalidParameterException", "Task definition does not support launch_type FARGATE."
        )


class TasksApi(EcsBase):
    """Operations on tasks."""

    #: clientToken → when it was used, the request, and the tasks it started.
    run_task_tokens: dict[str, tuple[datetime, str, list[Task]]]

    def run_task(self, call: Call) -> dict[str, Any]:
        """RunTask, on Fargate only.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
        """
        p = call.params
        if known := self._tasks_of_token(p):
            return {"tasks": [task_shape(t, tags=True) for t in known], "failures": []}
        cluster = self.store.cluster(p.get("cluster"))
        count = p.get("count", 1)
        if not 1 <= count <= 10:
            raise AwsError("InvalidParameterException", "count must be between 1 and 10.")
        definition = self.store.runnable_task_definition(p["taskDefinition"])
        for member in ("placementConstraints", "placementStrategy", "volumeConfigurations"):
            if p.get(member):
                raise NotReproducedError("ecs", f"RunTask with {member}")
        strategy = self._strategy(p, cluster)
        check_fargate_use(definition)
        network = check_network(self.cloud, p.get("networkConfiguration"))
        overrides = checked_overrides(definition, p.get("overrides"))
        tags = _task_tags(p, definition, cluster)
        check_platform_version(p.get("platformVersion"))
        tasks: list[Task] = []
        for _ in range(count):
            counts: dict[str, int] = {}
            for task in tasks:
                name = task.capacity_provider_name or ""
                counts[name] = counts.get(name, 0) + 1
            tasks.append(
                self.engine.start(
                    cluster=cluster,
                    task_definition=definition,
                    group=p.get("group") or f"family:{definition.family}",
                    started_by=p.get("startedBy"),
                    network_configuration=network,
                    overrides=overrides,
                    launch_type="FARGATE",
                    capacity_provider=choose_provider(strategy, cluster, counts)
                    if strategy
                    else None,
                    platform_version=p.get("platformVersion"),
                    enable_execute_command=p.get("enableExecuteCommand", False),
                    tags=tags,
                )
            )
        if "clientToken" in p:
            self.run_task_tokens[p["clientToken"]] = (
                self.cloud.clock.now(),
                _fingerprint(p),
                tasks,
            )
        return {"tasks": [task_shape(t, tags=True) for t in tasks], "failures": []}

    def stop_task(self, call: Call) -> dict[str, Any]:
        """StopTask: SIGTERM, ``stopTimeout``, SIGKILL; stopping twice is no error.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html
        """
        task = self.store.task(self.store.cluster(call.params.get("cluster")), call.params["task"])
        reason = call.params.get("reason") or "Task stopped by user"
        self.engine.stop(task, reason=reason, code="UserInitiated")
        return {"task": task_shape(task)}

    def describe_tasks(self, call: Call) -> dict[str, Any]:
        """DescribeTasks: stopped ones for an hour at least; unknown ones are failures (MISSING).

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
        """
        cluster = self.store.cluster(call.params.get("cluster"))
        refs = call.params["tasks"]
        if not 1 <= len(refs) <= 100:
            raise AwsError("InvalidParameterException", "Tasks cannot be empty, nor more than 100.")
        tags = "TAGS" in call.params.get("include", ())
        found, failures = [], []
        for ref in refs:
            task = self.store.find_task(cluster, ref)
            if task is None:
                arn = ref
                if not ref.startswith("arn:"):
                    arn = self.store.arn("task", f"{cluster.name}/{ref}")
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append(task_shape(task, tags=tags))
        return {"tasks": found, "failures": failures}

    def list_tasks(self, call: Call) -> dict[str, Any]:
        """ListTasks: those whose desired status is RUNNING unless another is asked for.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
        """
        p = call.params
        cluster = self.store.cluster(p.get("cluster"))
        if p.get("containerInstance") or p.get("daemonName"):
            raise NotReproducedError("ecs", "ListTasks by container instance or daemon")
        group = f"service:{p['serviceName'].rsplit('/', 1)[-1]}" if p.get("serviceName") else None
        arns = [
            task.arn
            for task in self.engine.tasks(
                cluster_arn=cluster.arn,
                group=group,
                desired_status=p.get("desiredStatus", "RUNNING"),
            )
            if p.get("startedBy") in (None, task.started_by)
            and p.get("launchType") in (None, task.launch_type)
            and p.get("family") in (None, task.task_definition_arn.split("/")[1].split(":")[0])
        ]
        items, token = page(arns, p.get("nextToken"), p.get("maxResults"))
        return present({"taskArns": items, "nextToken": token})

    def update_task_protection(self, call: Call) -> dict[str, Any]:
        """UpdateTaskProtection, for tasks of services only.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateTaskProtection.html
        """
        p = call.params
        protected, failures = [], []
        for task, failure in self._service_tasks(p["cluster"], p["tasks"]):
            if task is None:
                failures.append(failure)
                continue
            minutes = p.get("expiresInMinutes", _PROTECTION_MINUTES)
            if not 1 <= minutes <= 2880:
                raise AwsError(
                    "InvalidParameterException", "expiresInMinutes must be between 1 and 2880."
                )
            wall = timedelta(seconds=self.cloud.clock.wall(minutes * 60))
            task.protected_until = self.cloud.clock.now() + wall if p["protectionEnabled"] else None
            protected.append(self._protection(task))
        return {"protectedTasks": protected, "failures": failures}

    def get_task_protection(self, call: Call) -> dict[str, Any]:
        """GetTaskProtection; without ``tasks``, of every task of services in the cluster."""
        cluster = self.store.cluster(call.params["cluster"])
        refs = call.params.get("tasks") or [
            task.arn
            for task in self.engine.tasks(cluster_arn=cluster.arn, desired_status="RUNNING")
            if task.group.startswith("service:")
        ]
        found = list(self._service_tasks(call.params["cluster"], refs))
        return {
            "protectedTasks": [self._protection(task) for task, _ in found if task is not None],
            "failures": [failure for task, failure in found if task is None],
        }

    def _service_tasks(
        self, cluster_ref: str, refs: list[str]
    ) -> list[tuple[Task | None, dict[str, str]]]:
        cluster = self.store.cluster(cluster_ref)
        found: list[tuple[Task | None, dict[str, str]]] = []
        for ref in refs:
            task = self.store.find_task(cluster, ref)
            if task is None or task.stopped:
                found.append((None, {"arn": ref, "reason": "MISSING"}))
            elif not task.group.startswith("service:"):
                found.append((None, {"arn": task.arn, "reason": "TASK_NOT_VALID"}))
            else:
                found.append((task, {}))
        return found

    def _protection(self, task: Task) -> dict[str, Any]:
        until = task.protected_until
        if until is not None and until <= self.cloud.clock.now():
            until = task.protected_until = None
        return present(
            {
                "taskArn": task.arn,
                "protectionEnabled": until is not None,
                "expirationDate": until,
            }
        )

    def _strategy(self, params: Mapping[str, Any], cluster: Cluster) -> list[dict[str, Any]]:
        """The capacity provider strategy in effect, empty for launch type FARGATE."""
        strategy: list[dict[str, Any]] = params.get("capacityProviderStrategy", [])
        launch_type = params.get("launchType")
        if strategy and launch_type:
            raise AwsError(
                "InvalidParameterException",
                "Specifying both a launch type and capacity provider strategy is not supported. "
                "Remove one and try again.",
            )
        if launch_type is None:
            strategy = strategy or cluster.default_capacity_provider_strategy
        if launch_type != "FARGATE" and not strategy:
            # The default launch type is EC2, and there are no instances here.
            raise AwsError(
                "InvalidParameterException", "No Container Instances were found in your cluster."
            )
        return strategy

    def _tasks_of_token(self, params: Mapping[str, Any]) -> list[Task]:
        """The tasks an earlier request with this token started.

        Raises ``ConflictException`` when it asked for something else
        (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html).
        """
        now = self.cloud.clock.now()
        for token, (used, _, _) in list(self.run_task_tokens.items()):
            if now - used > _TOKEN_LIFETIME:
                del self.run_task_tokens[token]
        if params.get("clientToken") not in self.run_task_tokens:
            return []
        _, fingerprint, tasks = self.run_task_tokens[params["clientToken"]]
        if fingerprint != _fingerprint(params):
            raise AwsError(
                "ConflictException",
                "The clientToken was used for a RunTask request with other parameters.",
            )
        return tasks


def _fingerprint(params: Mapping[str, Any]) -> str:
    return json.dumps(params, sort_keys=True, default=str)


def check_platform_version(version: str | None) -> None:
    """Raises ``PlatformUnknownException`` for a version AWS no longer has.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/platform-linux-fargate.html
    """
    if version not in (None, "LATEST", "1.4.0"):
        raise AwsError("PlatformUnknownException", "The specified platform does not exist.")


def _task_tags(
    params: Mapping[str, Any], definition: TaskDefinition, cluster: Cluster
) -> list[dict[str, str]]:
    """The tags of the request over those of the task definition, where they are propagated.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html
    """
    if params.get("propagateTags") == "SERVICE":
        raise AwsError(
            "InvalidParameterException", "SERVICE is not a valid value of propagateTags for a task."
        )
    tags = {}
    if params.get("propagateTags") == "TASK_DEFINITION":
        tags.update({tag["key"]: dict(tag) for tag in definition.tags})
    tags.update({tag["key"]: tag for tag in checked_tags(params.get("tags"))})
    if params.get("enableECSManagedTags"):
        tags["aws:ecs:clusterName"] = {"key": "aws:ecs:clusterName", "value": cluster.name}
    return list(tags.values())


def checked_overrides(
    definition: TaskDefinition, overrides: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Overrides of a task, sizes as AWS writes them.

    Raises ``InvalidParameterException`` and ``ClientException``
    (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskOverride.html).
    """
    checked = dict(overrides or {})
    if len(json.dumps(checked)) > 8192:
        raise AwsError("InvalidParameterException", "Overrides can be 8192 characters at most.")
    for override in checked.get("containerOverrides", ()):
        name = override.get("name")
        if definition.container(name or "") is None:
            raise AwsError(
                "InvalidParameterException",
                f"Override for container named {name} is not a container in the TaskDefinition.",
            )
        for member in ("environmentFiles", "resourceRequirements"):
            if override.get(member):
                raise NotReproducedError("ecs", f"container overrides with {member}")
    if "cpu" in checked:
        checked["cpu"] = str(cpu_units(checked["cpu"]))
    if "memory" in checked:
        checked["memory"] = str(memory_mib(checked["memory"]))
    if "cpu" in checked or "memory" in checked:
        check_fargate_size(
            checked.get("cpu", definition.shape["cpu"]),
            checked.get("memory", definition.shape["memory"]),
        )
    return checked


class EcsTasksApi(ClustersApi, TaskDefinitionsApi, TasksApi):
    """Clusters, task definitions and tasks: the half of the API below services."""
