"""The UpdateService request of a release, as plain data.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-blue-green.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .stages import HOOK_STAGE


def deployment_configuration(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``deploymentConfiguration`` for the module option ``deployment``.

    The PAUSE hook is what makes a release safe without its controller: where nobody answers it in
    time, ECS turns back by itself.
    """
    strategy = deployment["strategy"]
    pause = {
        "targetType": "PAUSE",
        "lifecycleStages": [HOOK_STAGE],
        "timeoutConfiguration": {
            "timeoutInMinutes": int(deployment["pause_timeout_minutes"]),
            "action": "ROLLBACK",
        },
    }
    # The second line behind the one who watches: it also turns back when nobody watches any more.
    # Rolling and blue/green only, so it is switched off for the others:
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-failure-detection.html
    breaker = strategy == "BLUE_GREEN"
    configuration: dict[str, Any] = {
        "strategy": strategy,
        "bakeTimeInMinutes": int(deployment["bake_time_minutes"]),
        "minimumHealthyPercent": 100,
        "maximumPercent": 200,
        "lifecycleHooks": [pause, *deployment.get("hooks", [])],
        "deploymentCircuitBreaker": {"enable": breaker, "rollback": breaker},
    }
    if strategy == "CANARY":
        configuration["canaryConfiguration"] = {
            "canaryPercent": float(deployment["canary_percent"]),
            "canaryBakeTimeInMinutes": int(deployment["canary_bake_time_minutes"]),
        }
    if strategy == "LINEAR":
        configuration["linearConfiguration"] = {
            "stepPercent": float(deployment["linear_step_percent"]),
            "stepBakeTimeInMinutes": int(deployment["linear_step_bake_time_minutes"]),
        }
    names = list(deployment.get("alarms") or [])
    configuration["alarms"] = {"alarmNames": names, "enable": bool(names), "rollback": bool(names)}
    return configuration


def load_balancers(outputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return ``loadBalancers`` with both target groups; ECS itself knows which one is in use."""
    advanced = {
        "alternateTargetGroupArn": outputs["target_group_arns"]["green"],
        "productionListenerRule": outputs["production_listener_rule_arn"],
        "roleArn": outputs["ecs_infrastructure_role_arn"],
    }
    if outputs.get("test_listener_rule_arn"):
        advanced["testListenerRule"] = outputs["test_listener_rule_arn"]
    return [
        {
            "targetGroupArn": outputs["target_group_arns"]["blue"],
            "containerName": outputs["container_name"],
            "containerPort": int(outputs["container_port"]),
            "advancedConfiguration": advanced,
        }
    ]


def update_service(
    outputs: Mapping[str, Any],
    deployment: Mapping[str, Any],
    task_definition: str,
    desired_count: int | None,
) -> dict[str, Any]:
    """Return the whole UpdateService request.

    :param desired_count: None leaves the number of tasks to Application Auto Scaling.
    """
    request: dict[str, Any] = {
        "cluster": outputs["cluster_name"],
        "service": outputs["service_name"],
        "taskDefinition": task_definition,
        "deploymentConfiguration": deployment_configuration(deployment),
        "loadBalancers": load_balancers(outputs),
    }
    if desired_count is not None:
        request["desiredCount"] = desired_count
    return request
