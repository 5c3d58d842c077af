"""Who may do what: trust policies read, permissions asked of IAM's own simulator.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from ..lyo_aws import Aws, AwsFailure
from .findings import Findings, Unread, problem

# Which service must be able to assume which role, and why a release needs it.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/security-ecs-iam-role-overview.html
ROLES = {
    "task_role_arn": ("ecs-tasks.amazonaws.com", "the application works with it"),
    "execution_role_arn": ("ecs-tasks.amazonaws.com", "ECS fetches image and secrets with it"),
    "ecs_infrastructure_role_arn": ("ecs.amazonaws.com", "ECS moves the traffic with it"),
}
# What deploy.yml and rollback.yml call.
CALLS = (
    "ecs:RegisterTaskDefinition",
    "ecs:RunTask",
    "ecs:UpdateService",
    "ecs:ContinueServiceDeployment",
    "ecs:StopServiceDeployment",
)
_ASSUMED = re.compile(r"arn:(aws[\w-]*):sts::(\d+):assumed-role/([^/]+)/.+")


@dataclass(frozen=True)
class Question:
    """One question to the simulator.

    :ivar principal: ARN of the user or role whose policies count.
    :ivar context: IAM context keys with their values.
    :ivar why: what does not work without it.
    """

    principal: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    why: str
    context: Mapping[str, str] = field(default_factory=dict)


def trusted_services(document: Any) -> set[str]:
    """Return the services that a trust policy lets assume the role.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    content = json.loads(unquote(document)) if isinstance(document, str) else document
    statements = content.get("Statement", [])
    found: set[str] = set()
    for statement in [statements] if isinstance(statements, Mapping) else statements:
        actions = statement.get("Action", [])
        actions = [actions] if isinstance(actions, str) else actions
        if statement.get("Effect") != "Allow" or "sts:AssumeRole" not in actions:
            continue
        principal = statement.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, Mapping) else []
        found |= {services} if isinstance(services, str) else set(services)
    return found


def read_role(aws: Aws, arn: str) -> dict[str, Any] | None:
    """Return a role, None where there is none."""
    try:
        role: dict[str, Any] = aws.call("iam", "get_role", RoleName=arn.rpartition("/")[2])["Role"]
    except AwsFailure as failure:
        if failure.code == "NoSuchEntity":
            return None
        raise
    return role


def role_problems(outputs: Mapping[str, Any], roles: Mapping[str, Any]) -> Findings:
    """What is wrong with the roles of a release."""
    for name, (service, why) in ROLES.items():
        arn, role = str(outputs[name]), roles[name]
        short = arn.rpartition("/")[2]
        if isinstance(role, Unread):
            yield role.finding("roles", "grant iam:GetRole")
        elif role is None or role.get("Arn") != arn:
            yield problem(
                "roles",
                f"there is no role {short}",
                why,
                "deploy.yml -e phases=application makes it",
            )
        elif service not in trusted_services(role["AssumeRolePolicyDocument"]):
            yield problem(
                "roles",
                f"{short} does not trust {service}",
                why,
                "somebody changed it: drift.yml shows it, deploy.yml puts it back",
            )


def principal_of(aws: Aws) -> str:
    """Return the ARN of the user or role behind the credentials; empty for the account's root.

    :raises AwsFailure: the role of a session cannot be read.
    """
    arn = str(aws.call("sts", "get_caller_identity")["Arn"])
    match = _ASSUMED.fullmatch(arn)
    if match:
        # Only the role itself knows its path.
        return str(aws.call("iam", "get_role", RoleName=match[3])["Role"]["Arn"])
    return "" if arn.endswith(":root") else arn.replace(":sts:", ":iam:")


def questions(
    outputs: Mapping[str, Any], principal: str, secrets: Sequence[str], repository: str
) -> list[Question]:
    """Return what has to be allowed for a release.

    :param principal: who releases; empty for somebody who may do everything.
    :param secrets: ARNs of the secrets that tasks are given.
    :param repository: ARN of the image repository.
    """
    asked = []
    if principal:
        asked.append(Question(principal, CALLS, ("*",), "the release calls it"))
        for service in sorted({service for service, _ in ROLES.values()}):
            passed = tuple(str(outputs[n]) for n, (s, _) in ROLES.items() if s == service)
            asked.append(
                Question(
                    principal,
                    ("iam:PassRole",),
                    passed,
                    "ECS is given this role",
                    {"iam:PassedToService": service},
                )
            )
    execution = str(outputs["execution_role_arn"])
    if secrets:
        why = "tasks get this secret, and do not start without it"
        asked.append(Question(execution, ("secretsmanager:GetSecretValue",), tuple(secrets), why))
    pull = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
    asked.append(Question(execution, pull, (repository,), "tasks do not start without their image"))
    return asked


def ask(aws: Aws, question: Question) -> list[str]:
    """Return what is not allowed, as ``action on resource``.

    :raises AwsFailure: the simulator cannot be asked.
    """
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in question.context.items()
    ]
    answer = aws.call(
        "iam",
        "simulate_principal_policy",
        PolicySourceArn=question.principal,
        ActionNames=list(question.actions),
        ResourceArns=list(question.resources),
        ContextEntries=entries,
    )
    return list(denied(answer.get("EvaluationResults", [])))


def denied(results: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """Return what the simulator does not allow; one answer may be about several resources."""
    for result in results:
        action = result["EvalActionName"]
        specific = result.get("ResourceSpecificResults") or []
        for entry in specific:
            if entry["EvalResourceDecision"] != "allowed":
                yield f"{action} on {entry['EvalResourceName']}"
        if not specific and result["EvalDecision"] != "allowed":
            where = result.get("EvalResourceName", "*")
            yield action if where == "*" else f"{action} on {where}"


def permission_problems(answers: Sequence[tuple[Question, Any]] | Unread) -> Findings:
    """What is not allowed; what cannot be asked is told once for each principal."""
    todo = "grant iam:SimulatePrincipalPolicy; until then only the release itself will tell"
    if isinstance(answers, Unread):
        yield answers.finding("permissions", todo)
        return
    unread: dict[str, Unread] = {}
    for question, answer in answers:
        who = question.principal.rpartition("/")[2]
        if isinstance(answer, Unread):
            unread.setdefault(who, answer)
            continue
        for what in answer:
            yield problem("permissions", f"{who} may not {what}", question.why, "allow it in IAM")
    for answer in dict.fromkeys(unread.values()):
        yield answer.finding("permissions", todo)
