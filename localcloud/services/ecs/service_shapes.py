"""Services and service deployments as the API shows them."""

from __future__ import annotations

from typing import Any

from localcloud.services.ecs.scheduler import breaker_threshold
from localcloud.services.ecs.service_model import (
    SIDE_BY_SIDE,
    Revision,
    Service,
    ServiceDeployment,
)

_PENDING = frozenset({"PROVISIONING", "PENDING", "ACTIVATING"})


def counts(service: Service, number: str) -> tuple[int, int]:
    """How many tasks of a revision are RUNNING and PENDING."""
    statuses = [record.task.last_status for record in service.records_of(number)]
    running = statuses.count("RUNNING")
    return running, sum(status in _PENDING for status in statuses)


def service_shape(service: Service, *, tags: bool) -> dict[str, Any]:
    """What DescribeServices returns for a service.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html
    """
    totals = [counts(service, number) for number in service.revisions]
    shape: dict[str, Any] = {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster_arn,
        "status": service.status,
        "desiredCount": service.desired_count,
        "runningCount": sum(running for running, _ in totals),
        "pendingCount": sum(pending for _, pending in totals),
        "loadBalancers": [],
        "serviceRegistries": [],
        "placementConstraints": [],
        "placementStrategy": [],
        "taskSets": [],
        **service.config,
        "deployments": _deployments(service),
        "events": [
            {"id": event.id, "createdAt": event.created_at, "message": event.message}
            for event in service.events
        ],
        "createdAt": service.created_at,
    }
    if service.deployments:
        shape["currentServiceDeployment"] = service.deployments[-1].arn
        shape["currentServiceRevisions"] = [
            {"arn": service.revisions[number].arn, **_task_counts(service, number, None)}
            for number in _current(service)
        ]
    if tags:
        shape["tags"] = service.tags
    return shape


def _current(service: Service) -> list[str]:
    others = [n for n in service.revisions if n != service.primary and service.records_of(n)]
    return [service.primary, *reversed(others)]


def _deployments(service: Service) -> list[dict[str, Any]]:
    """PRIMARY first, then every other revision that still has tasks, as ACTIVE."""
    if service.status != "ACTIVE":
        return []
    return [
        _deployment(service, service.revisions[number], "ACTIVE" if index else "PRIMARY")
        for index, number in enumerate(_current(service))
    ]


def _deployment(service: Service, revision: Revision, status: str) -> dict[str, Any]:
    running, pending = counts(service, revision.number)
    wanted = sum(record.wanted for record in service.records_of(revision.number))
    desired = revision.requested if status == "PRIMARY" else wanted
    members = ("launchType", "capacityProviderStrategy", "platformVersion", "platformFamily")
    return {
        "id": revision.deployment_id,
        "status": status,
        "taskDefinition": revision.task_definition_arn,
        "desiredCount": desired,
        "runningCount": running,
        "pendingCount": pending,
        "failedTasks": revision.failed_tasks,
        "createdAt": revision.created_at,
        "updatedAt": revision.updated_at,
        **{m: revision.config[m] for m in members if m in revision.config},
        **(
            {"networkConfiguration": revision.config["networkConfiguration"]}
            if revision.config.get("networkConfiguration")
            else {}
        ),
        "rolloutState": revision.rollout_state,
        "rolloutStateReason": revision.rollout_reason,
    }


def brief_shape(service: Service, deployment: ServiceDeployment) -> dict[str, Any]:
    """What ListServiceDeployments returns for a deployment."""
    shape = {
        "serviceDeploymentArn": deployment.arn,
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "createdAt": deployment.created_at,
        "startedAt": deployment.started_at,
        "finishedAt": deployment.finished_at,
        "targetServiceRevisionArn": service.revisions[deployment.target].arn,
        "status": deployment.status,
        "statusReason": deployment.reason,
    }
    return {member: value for member, value in shape.items() if value is not None}


def deployment_shape(service: Service, deployment: ServiceDeployment) -> dict[str, Any]:
    """What DescribeServiceDeployments returns for a deployment.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html
    """
    shape = brief_shape(service, deployment)
    del shape["targetServiceRevisionArn"]
    shape |= {
        "updatedAt": deployment.updated_at,
        "sourceServiceRevisions": [
            {
                "arn": service.revisions[number].arn,
                **_task_counts(service, number, deployment),
                **_weights(deployment, number),
            }
            for number in deployment.requested
        ],
        "targetServiceRevision": {
            "arn": service.revisions[deployment.target].arn,
            **_task_counts(service, deployment.target, deployment),
            **_weights(deployment, deployment.target),
        },
        "deploymentConfiguration": deployment.configuration,
        "deploymentCircuitBreaker": _breaker(service, deployment),
        "alarms": _alarms(deployment),
    }
    if deployment.stopped_at is not None:
        shape["stoppedAt"] = deployment.stopped_at
    if deployment.stage is not None and deployment.strategy in SIDE_BY_SIDE:
        shape["lifecycleStage"] = deployment.stage
    if deployment.hooks:
        shape["lifecycleHookDetails"] = [
            {
                "hookId": hook.hook_id,
                "targetType": "PAUSE",
                "status": hook.status,
                "expiresAt": hook.expires_at,
                "timeoutAction": hook.timeout_action,
            }
            for hook in deployment.hooks
        ]
    if deployment.rollback is not None:
        shape["rollback"] = {
            "reason": deployment.rollback.reason,
            "startedAt": deployment.rollback.started_at,
        }
        if deployment.rollback.revision is not None:
            revision = service.revisions[deployment.rollback.revision]
            shape["rollback"]["serviceRevisionArn"] = revision.arn
    return shape


def _task_counts(
    service: Service, number: str, deployment: ServiceDeployment | None
) -> dict[str, Any]:
    """Requested, running and pending tasks; of a finished deployment as they were at its end."""
    if deployment is not None and deployment.final is not None:
        requested, running, pending = deployment.final.get(number, (0, 0, 0))
    else:
        requested = service.revisions[number].requested
        running, pending = counts(service, number)
    return {
        "requestedTaskCount": requested,
        "runningTaskCount": running,
        "pendingTaskCount": pending,
    }


def _weights(deployment: ServiceDeployment, number: str) -> dict[str, float]:
    """Traffic weights, for strategies that shift traffic."""
    if deployment.strategy not in SIDE_BY_SIDE:
        return {}
    if number == deployment.target:
        production, test = deployment.production_percent, deployment.test_percent
    elif number == deployment.source:
        production, test = 100 - deployment.production_percent, 100 - deployment.test_percent
    else:
        production = test = 0.0
    return {
        "requestedProductionTrafficWeight": production,
        "requestedTestTrafficWeight": test,
    }


def _breaker(service: Service, deployment: ServiceDeployment) -> dict[str, Any]:
    configuration = deployment.configuration.get("deploymentCircuitBreaker") or {}
    return {
        "status": _monitor(
            bool(configuration.get("enable")), deployment.breaker_triggered, deployment
        ),
        "failureCount": deployment.failures,
        "threshold": breaker_threshold(configuration, service.desired_count),
    }


def _alarms(deployment: ServiceDeployment) -> dict[str, Any]:
    configuration = deployment.configuration.get("alarms") or {}
    enabled = bool(configuration.get("enable")) and not deployment.alarms_ignored
    shape: dict[str, Any] = {
        "status": _monitor(enabled, bool(deployment.triggered_alarms), deployment)
    }
    if enabled:
        shape["alarmNames"] = list(configuration.get("alarmNames") or ())
        shape["triggeredAlarmNames"] = list(deployment.triggered_alarms)
    return shape


def _monitor(enabled: bool, triggered: bool, deployment: ServiceDeployment) -> str:
    if not enabled:
        return "DISABLED"
    if triggered:
        return "TRIGGERED"
    return "MONITORING" if deployment.ongoing else "MONITORING_COMPLETE"
