"""A small ECS service that answers as AWS does, for the tests of whole modules."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.lyo_release import task_definition

from .fakes import (
    DEFINITION,
    DEPLOYMENT,
    DIGEST_1,
    IMAGE_1,
    OUTPUTS,
    REVISION,
    SERVICE_ARN,
    TASK,
    FakeAws,
    failure,
)


def definition(number: int, image: str = IMAGE_1, release: str = "v1") -> dict[str, Any]:
    """A registered definition."""
    content = task_definition.render(OUTPUTS, TASK, image, release)
    return {**content, "taskDefinitionArn": f"{DEFINITION}:{number}", "status": "ACTIVE"}


class World:
    """The service `lyo`, which serves revision 1; deployments run through `script`.

    :ivar script: what DescribeServiceDeployments says of the deployment, one step a call.
    """

    def __init__(self, desired: int = 2) -> None:
        self.definitions = {1: definition(1)}
        self.images = {1: IMAGE_1}
        self.desired = desired
        self.running: int | None = None  # as many as desired
        self.serving = 1
        self.current: dict[str, Any] | None = None
        self.past: list[dict[str, Any]] = []
        self.target = 1
        self.script: list[dict[str, Any]] = []
        self.stopped_tasks: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.starts = True

    def aws(self, **more: Any) -> FakeAws:
        """The service's answers, with others besides or instead."""
        answers: dict[str, Any] = {
            "describe_services": lambda _: {"services": [self.service()]},
            "describe_task_definition": self._definition,
            "describe_service_deployments": lambda p: self._deployment(p),
            "describe_service_revisions": self._revisions,
            "list_service_deployments": lambda _: {"serviceDeployments": self.listed()},
            "register_task_definition": self._register,
            "update_service": self._update,
            "continue_service_deployment": {},
            "stop_service_deployment": {},
            "list_tasks": lambda _: {"taskArns": [t["taskArn"] for t in self.stopped_tasks]},
            "describe_tasks": lambda _: {"tasks": self.stopped_tasks},
            "describe_target_health": {"TargetHealthDescriptions": []},
            "get_log_events": {"events": [{"message": "boom\n"}]},
        }
        return FakeAws(**{**answers, **more})

    def service(self) -> dict[str, Any]:
        deployments = [{"status": "PRIMARY", "taskDefinition": f"{DEFINITION}:{self.target}"}]
        deployments[0]["rolloutState"] = "IN_PROGRESS" if self.current else "COMPLETED"
        if self.current:
            deployments.append(
                {
                    "status": "ACTIVE",
                    "taskDefinition": f"{DEFINITION}:{self.serving}",
                    "rolloutState": "COMPLETED",
                }
            )
        return {
            "serviceArn": SERVICE_ARN,
            "status": "ACTIVE",
            "desiredCount": self.desired,
            "runningCount": self.desired if self.running is None else self.running,
            "taskDefinition": f"{DEFINITION}:{self.target}",
            "currentServiceDeployment": (self.current or {}).get("serviceDeploymentArn"),
            "currentServiceRevisions": [{"arn": f"{REVISION}:{self.serving}"}],
            "deployments": deployments,
            "events": self.events,
            "loadBalancers": [
                {
                    "targetGroupArn": "arn:blue",
                    "advancedConfiguration": {"alternateTargetGroupArn": "arn:green"},
                }
            ],
        }

    def begin(self, target: int, status: str = "IN_PROGRESS") -> None:
        """A deployment of a definition is in progress."""
        self.target = target
        self.current = {"serviceDeploymentArn": DEPLOYMENT, "status": status}

    def listed(self) -> list[dict[str, Any]]:
        return [*([self._entry()] if self.current else []), *self.past]

    def _entry(self) -> dict[str, Any]:
        assert self.current is not None
        return {
            "serviceDeploymentArn": DEPLOYMENT,
            "status": self.current["status"],
            "targetServiceRevisionArn": f"{REVISION}:{self.target}",
        }

    def remember(self, status: str, number: int) -> None:
        """One more deployment of the past, newer than the others."""
        entry = {
            "serviceDeploymentArn": f"arn:past-{len(self.past)}",
            "status": status,
            "targetServiceRevisionArn": f"{REVISION}:{number}",
        }
        self.past.insert(0, entry)

    def _definition(self, params: dict[str, Any]) -> Any:
        name = params["taskDefinition"]
        if name == "lyo":
            return {"taskDefinition": self.definitions[max(self.definitions)]}
        number = int(name.rpartition(":")[2]) if ":" in name else 0
        if number not in self.definitions:
            return failure("ClientException")
        return {"taskDefinition": self.definitions[number]}

    def _register(self, params: dict[str, Any]) -> dict[str, Any]:
        number = max(self.definitions) + 1
        self.definitions[number] = {
            **params,
            "taskDefinitionArn": f"{DEFINITION}:{number}",
            "status": "ACTIVE",
        }
        return {"taskDefinition": self.definitions[number]}

    def _update(self, params: dict[str, Any]) -> dict[str, Any]:
        if "desiredCount" in params:
            self.desired = params["desiredCount"]
        if self.starts and "taskDefinition" in params:
            self.begin(int(params["taskDefinition"].rpartition(":")[2]))
        return {"service": self.service()}

    def _deployment(self, params: dict[str, Any]) -> dict[str, Any]:
        if self.current is None or params["serviceDeploymentArns"] != [DEPLOYMENT]:
            return {"serviceDeployments": []}
        step = self.script.pop(0) if self.script else {}
        self.current |= step
        entry = {
            "sourceServiceRevisions": [
                {"arn": f"{REVISION}:{self.serving}", "requestedProductionTrafficWeight": 100.0}
            ],
            "targetServiceRevision": {
                "arn": f"{REVISION}:{self.target}",
                "requestedTaskCount": 2,
                "runningTaskCount": 2,
                "requestedProductionTrafficWeight": self.current.get("weight", 0.0),
            },
            **self.current,
        }
        if entry["status"] == "SUCCESSFUL":
            self.serving = self.target
        if entry["status"].startswith("ROLLBACK_S"):
            entry["rollback"] = {"serviceRevisionArn": f"{REVISION}:{self.serving}"}
            self.target = self.serving
        return {"serviceDeployments": [entry]}

    def _revisions(self, params: dict[str, Any]) -> dict[str, Any]:
        found = []
        for arn in params["serviceRevisionArns"]:
            number = int(arn.rpartition(":")[2])
            image = self.images.get(number, IMAGE_1)
            found.append(
                {
                    "serviceRevisionArn": arn,
                    "taskDefinition": f"{DEFINITION}:{number}",
                    "containerImages": [
                        {"containerName": "app", "image": image, "imageDigest": DIGEST_1}
                    ],
                }
            )
        return {"serviceRevisions": found}


def stage(name: str, **more: Any) -> dict[str, Any]:
    """One step of a script."""
    return {"status": "IN_PROGRESS", "lifecycleStage": name, "lifecycleHookDetails": [], **more}


def hook(**more: Any) -> dict[str, Any]:
    """The step at which the PAUSE hook waits."""
    details = [{"hookId": "hook-1", "targetType": "PAUSE", "status": "AWAITING_ACTION"}]
    return stage("POST_TEST_TRAFFIC_SHIFT", lifecycleHookDetails=details, **more)


BAKE = stage("BAKE_TIME", weight=100.0)
DONE = {"status": "SUCCESSFUL", "lifecycleStage": "CLEAN_UP", "weight": 100.0}
TURNED_BACK = {"status": "ROLLBACK_SUCCESSFUL", "statusReason": "rolled back"}
