"""Reads what a service is and does right now: few calls, side by side where they can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..lyo_aws import Aws, AwsFailure, parallel
from .decide_deploy import Live
from .stages import ENDED
from .task_definition import release_of, same

_NO_SERVICE = frozenset({"ClusterNotFoundException", "ServiceNotFoundException"})


@dataclass
class State:
    """A service with its deployment in progress and the task definitions that matter.

    :ivar service: DescribeServices' answer, None where there is no active service.
    :ivar deployment: the deployment in progress, None without one.
    :ivar last: the latest deployment that AWS still knows, ended or not.
    :ivar live: ARN of the task definition that carries the traffic.
    :ivar live_revision: ARN of its service revision, empty where AWS names none.
    :ivar target: ARN of the task definition the deployment in progress brings.
    :ivar latest: the newest active task definition of the family, None without one.
    :ivar definitions: the definitions read so far, by ARN.
    """

    service: dict[str, Any] | None = None
    deployment: dict[str, Any] | None = None
    last: dict[str, Any] | None = None
    live: str = ""
    live_revision: str = ""
    target: str = ""
    latest: dict[str, Any] | None = None
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def live_definition(self) -> dict[str, Any] | None:
        """The definition that carries the traffic."""
        return self.definitions.get(self.live)

    def equal_definition(self, wanted: Mapping[str, Any]) -> str:
        """Return the ARN of a registered definition with this content, empty without one."""
        candidates = [self.definitions.get(arn) for arn in (self.live, self.target)]
        for definition in (*candidates, self.latest):
            if definition and same(definition, wanted):
                return str(definition["taskDefinitionArn"])
        return ""

    def decided_from(self, wanted: Mapping[str, Any]) -> Live:
        """Return what the decision code needs to know."""
        if self.service is None:
            return Live(exists=False)
        target = self.definitions.get(self.target)
        live = self.live_definition
        deployment = self.deployment or {}
        return Live(
            exists=True,
            desired=int(self.service.get("desiredCount", 0)),
            matches=live is not None and same(live, wanted),
            deployment=str(deployment.get("serviceDeploymentArn", "")),
            deployment_status=str(deployment.get("status", "")),
            deployment_matches=target is not None and same(target, wanted),
            deployment_name=name_of(self.target, target),
        )


def name_of(arn: str, definition: Mapping[str, Any] | None) -> str:
    """Return ``release (family:revision)``, or what of it is known."""
    short = arn.rpartition("/")[2] or "another release"
    release = release_of(definition)
    return f"{release} ({short})" if release else short


def describe_service(aws: Aws, cluster: str, service: str) -> dict[str, Any] | None:
    """Return the active service, None where there is none."""
    try:
        answer = aws.call("ecs", "describe_services", cluster=cluster, services=[service])
    except AwsFailure as failure:
        if failure.code in _NO_SERVICE:
            return None
        raise
    found: list[dict[str, Any]] = answer.get("services", [])
    return found[0] if found and found[0].get("status") == "ACTIVE" else None


def describe_definition(aws: Aws, name: str) -> dict[str, Any] | None:
    """Return a task definition by ARN, ``family:revision`` or family; None where there is none."""
    try:
        answer = aws.call("ecs", "describe_task_definition", taskDefinition=name)
    except AwsFailure as failure:
        if failure.code in ("ClientException", "InvalidParameterException"):
            return None
        raise
    definition: dict[str, Any] = answer["taskDefinition"]
    return definition


def describe_deployment(aws: Aws, arn: str) -> dict[str, Any] | None:
    """Return a service deployment, None where AWS does not (yet) know it."""
    answer = aws.call("ecs", "describe_service_deployments", serviceDeploymentArns=[arn])
    found: list[dict[str, Any]] = answer.get("serviceDeployments", [])
    return found[0] if found else None


def describe_revisions(aws: Aws, arns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return service revisions by ARN; those AWS no longer keeps are left out."""
    found: dict[str, dict[str, Any]] = {}
    wanted = list(dict.fromkeys(arn for arn in arns if arn))
    for start in range(0, len(wanted), 20):  # the API's limit
        answer = aws.call(
            "ecs", "describe_service_revisions", serviceRevisionArns=wanted[start : start + 20]
        )
        for revision in answer.get("serviceRevisions", []):
            found[revision["serviceRevisionArn"]] = revision
    return found


def serving_revision(service: Mapping[str, Any], deployment: Mapping[str, Any] | None) -> str:
    """Return the ARN of the revision that carries production traffic, empty if AWS names none.

    While a deployment runs, that is its source (the heaviest one) until it holds all the traffic.
    """
    if deployment is not None and deployment.get("status") not in ENDED:
        sources: list[Mapping[str, Any]] = deployment.get("sourceServiceRevisions") or []
        if sources:
            heaviest = max(sources, key=lambda r: r.get("requestedProductionTrafficWeight") or 0)
            return str(heaviest["arn"])
        return ""
    if deployment is not None and deployment.get("status") == "SUCCESSFUL":
        return str(deployment.get("targetServiceRevision", {}).get("arn", ""))
    if deployment is not None and deployment.get("rollback", {}).get("serviceRevisionArn"):
        return str(deployment["rollback"]["serviceRevisionArn"])
    current: list[Mapping[str, Any]] = service.get("currentServiceRevisions") or []
    return str(current[0]["arn"]) if len(current) == 1 else ""


def read(aws: Aws, cluster: str, service_name: str, family: str) -> State:
    """Read the state of a service.

    :param family: family whose newest task definition is read too; empty for none.
    :raises AwsFailure: what AWS refuses.
    """
    service, latest = parallel(
        lambda: describe_service(aws, cluster, service_name),
        lambda: describe_definition(aws, family) if family else None,
    )
    state = State(service=service, latest=latest)
    if service is None:
        return state
    current = str(service.get("currentServiceDeployment") or "")
    state.last = deployment = describe_deployment(aws, current) if current else None
    state.live_revision = serving_revision(service, deployment)
    arns = [state.live_revision]
    if deployment is not None and deployment.get("status") not in ENDED:
        state.deployment = deployment
        arns.append(str(deployment.get("targetServiceRevision", {}).get("arn", "")))
    revisions = describe_revisions(aws, arns)
    state.live = _definition_of(revisions, arns[0])
    if state.deployment is not None:
        state.target = _definition_of(revisions, arns[-1]) or str(service["taskDefinition"])
    elif not state.live:
        state.live = str(service["taskDefinition"])
    _read_definitions(aws, state)
    return state


def _definition_of(revisions: Mapping[str, Mapping[str, Any]], arn: str) -> str:
    return str(revisions.get(arn, {}).get("taskDefinition", ""))


def _read_definitions(aws: Aws, state: State) -> None:
    if state.latest is not None:
        state.definitions[state.latest["taskDefinitionArn"]] = state.latest
    missing = [a for a in {state.live, state.target} if a and a not in state.definitions]

    def reader(arn: str) -> Any:
        return lambda: describe_definition(aws, arn)

    if missing:
        for arn, definition in zip(missing, parallel(*map(reader, missing)), strict=True):
            if definition is not None:
                state.definitions[arn] = definition
