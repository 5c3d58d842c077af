"""Reads what a preflight is judged from: side by side, and none of the calls writes.

No secret's value leaves :func:`read_secret`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..lyo_aws import Aws, AwsFailure, parallel
from ..lyo_image.reference import parse
from ..lyo_lock.store import LockStore
from ..lyo_operate.scale import scalable_target
from ..lyo_release import live
from . import needs, permissions, platforms
from .findings import Unread

_NO_SECRET = frozenset({"ResourceNotFoundException", "ParameterNotFound"})


@dataclass(frozen=True)
class Secret:
    """What is known of a secret.

    :ivar keys: members of its JSON value; None where it is not JSON.
    :ivar problem: why it cannot be used: it does not exist, has no value, or is being deleted.
    """

    keys: tuple[str, ...] | None = None
    problem: str = ""


@dataclass(frozen=True)
class Facts:
    """Everything that is judged. What could not be read is :class:`Unread`.

    :ivar env: the environment.
    :ivar wanted: the task definition that would be registered.
    :ivar image: the image with digest; empty where it is still to be built.
    """

    env: str
    outputs: Mapping[str, Any]
    wanted: Mapping[str, Any]
    image: str
    builder: str
    cluster: Any
    service: Any
    lock: Any
    roles: Mapping[str, Any]
    permissions: Any
    secrets: Mapping[needs.SecretReference, Any]
    platforms: Any
    repository: Any
    docker: bool
    subnets: Any
    security_groups: Any
    rules: Mapping[str, Any]
    target_groups: Any
    scaling: Any
    vcpu_quota: Any
    log_groups: Mapping[str, Any]
    alarms: Any
    wanted_alarms: tuple[str, ...]


def attempt(reader: Callable[[], Any]) -> Callable[[], Any]:
    """Make a reader that returns :class:`Unread` where AWS refuses; a wrong account still raises."""

    def run() -> Any:
        try:
            return reader()
        except AwsFailure as failure:
            if failure.code in ("WrongAccount", "NoCredentials", "Unreachable"):
                raise
            return Unread(failure.message)

    return run


def read(aws: Aws, params: Mapping[str, Any], wanted: Mapping[str, Any]) -> Facts:
    """Read everything.

    :param params: the module's arguments.
    :param wanted: the task definition that the release would register.
    :raises AwsFailure: the credentials are not the account's, or AWS cannot be reached.
    """
    outputs = params["outputs"]
    references = needs.secrets_of(wanted)
    arns = list(dict.fromkeys(r.arn for r in references))
    groups = needs.log_groups_of(wanted)
    alarms = tuple(params["deployment"].get("alarms") or ())
    rules = [
        n for n in ("production_listener_rule_arn", "test_listener_rule_arn") if outputs.get(n)
    ]
    region, account = outputs["region"], aws.account_id
    name = parse(str(outputs["repository_url"])).repository
    readers: dict[str, Callable[[], Any]] = {
        "cluster": lambda: _cluster(aws, outputs),
        "service": lambda: live.read(aws, outputs["cluster_name"], outputs["service_name"], ""),
        "lock": lambda: LockStore(aws, params["bucket"], params["lock_key"]).read(),
        "permissions": lambda: _permissions(
            aws, outputs, arns, f"arn:aws:ecr:{region}:{account}:repository/{name}"
        ),
        "platforms": lambda: (
            platforms.read(aws, params["image"], params["aws"].get("ca_bundle"))
            if params["image"]
            else ()
        ),
        "repository": lambda: _repository(aws, name),
        "subnets": lambda: _subnets(aws, outputs["subnet_ids"]),
        "security_groups": lambda: _security_groups(aws, outputs["app_security_group_ids"]),
        "target_groups": lambda: _target_groups(aws, outputs["target_group_arns"]),
        "scaling": lambda: scalable_target(aws, outputs["cluster_name"], outputs["service_name"]),
        "vcpu_quota": lambda: _vcpu_quota(aws),
        "alarms": lambda: _alarms(aws, alarms),
    }
    readers |= {f"role {n}": _role_reader(aws, str(outputs[n])) for n in permissions.ROLES}
    readers |= {f"secret {arn}": _secret_reader(aws, arn, references) for arn in arns}
    readers |= {f"rule {n}": _rule_reader(aws, str(outputs[n])) for n in rules}
    readers |= {f"logs {group}": _log_reader(aws, group) for group in groups}
    if params["own_lock"]:
        readers.pop("lock")
    answers = parallel(*(attempt(reader) for reader in readers.values()))
    found = dict(zip(readers, answers, strict=True))
    return Facts(
        env=params["env"],
        outputs=outputs,
        wanted=wanted,
        image=params["image"],
        builder=params["builder"],
        lock=found.pop("lock", None),
        roles={n: found.pop(f"role {n}") for n in permissions.ROLES},
        secrets={r: found[f"secret {r.arn}"] for r in references},
        docker=shutil.which("docker") is not None,
        rules={n: found[f"rule {n}"] for n in rules},
        log_groups={group: found[f"logs {group}"] for group in groups},
        wanted_alarms=alarms,
        **{key: value for key, value in found.items() if " " not in key},
    )


def _cluster(aws: Aws, outputs: Mapping[str, Any]) -> str:
    """Return the cluster's status, empty where there is none."""
    found = aws.call("ecs", "describe_clusters", clusters=[outputs["cluster_name"]])["clusters"]
    return str(found[0]["status"]) if found else ""


def _permissions(
    aws: Aws, outputs: Mapping[str, Any], arns: list[str], repository: str
) -> list[tuple[permissions.Question, Any]]:
    secrets = [arn for arn in arns if ":secretsmanager:" in arn]
    asked = permissions.questions(outputs, permissions.principal_of(aws), secrets, repository)

    def reader(question: permissions.Question) -> Callable[[], Any]:
        return attempt(lambda: permissions.ask(aws, question))

    # One first: where the simulator may not be asked, the others need not be.
    first = reader(asked[0])()
    if isinstance(first, Unread):
        return [(asked[0], first)]
    return list(zip(asked, [first, *parallel(*map(reader, asked[1:]))], strict=True))


def _role_reader(aws: Aws, arn: str) -> Callable[[], Any]:
    return lambda: permissions.read_role(aws, arn)


def _secret_reader(
    aws: Aws, arn: str, references: list[needs.SecretReference]
) -> Callable[[], Any]:
    wanted = [reference for reference in references if reference.arn == arn]
    return lambda: read_secret(aws, arn, keys=any(reference.key for reference in wanted))


def read_secret(aws: Aws, arn: str, *, keys: bool) -> Secret:
    """Return what is known of a secret or parameter; its value is looked at for its keys' names only.

    :param keys: whether the names of its members are needed.
    """
    try:
        if ":secretsmanager:" not in arn:
            aws.call(
                "ssm", "get_parameter", Name=arn.rpartition(":parameter")[2], WithDecryption=False
            )
            return Secret()
        described = aws.call("secretsmanager", "describe_secret", SecretId=arn)
        if described.get("DeletedDate"):
            return Secret(problem="it is being deleted")
        stages = described.get("VersionIdsToStages") or {}
        if not any("AWSCURRENT" in names for names in stages.values()):
            return Secret(problem="it has no value yet")
        if not keys:
            return Secret()
        value = aws.call("secretsmanager", "get_secret_value", SecretId=arn).get("SecretString", "")
    except AwsFailure as failure:
        if failure.code in _NO_SECRET:
            return Secret(problem="it does not exist, or has no value")
        raise
    try:
        content = json.loads(value)
    except ValueError:
        return Secret()
    return Secret(keys=tuple(sorted(content)) if isinstance(content, dict) else None)


def _subnets(aws: Aws, ids: list[str]) -> list[dict[str, Any]]:
    # A filter leaves out what does not exist; SubnetIds would refuse all of them.
    filters = [{"Name": "subnet-id", "Values": list(ids)}]
    return aws.all("ec2", "describe_subnets", "Subnets", Filters=filters)


def _security_groups(aws: Aws, ids: list[str]) -> list[dict[str, Any]]:
    filters = [{"Name": "group-id", "Values": list(ids)}]
    return aws.all("ec2", "describe_security_groups", "SecurityGroups", Filters=filters)


def _target_groups(aws: Aws, arns: Mapping[str, str]) -> list[dict[str, Any]]:
    try:
        answer = aws.call("elbv2", "describe_target_groups", TargetGroupArns=list(arns.values()))
    except AwsFailure as failure:
        if failure.code in ("TargetGroupNotFound", "TargetGroupNotFoundException"):
            return []
        raise
    found: list[dict[str, Any]] = answer["TargetGroups"]
    return found


def _rule_reader(aws: Aws, arn: str) -> Callable[[], Any]:
    def run() -> Any:
        try:
            rules = aws.call("elbv2", "describe_rules", RuleArns=[arn])["Rules"]
        except AwsFailure as failure:
            if failure.code in ("RuleNotFound", "RuleNotFoundException"):
                return None
            raise
        return rules[0] if rules else None

    return run


def _repository(aws: Aws, name: str) -> bool:
    """Whether the image repository is there."""
    try:
        aws.call("ecr", "describe_repositories", repositoryNames=[name])
    except AwsFailure as failure:
        if failure.code == "RepositoryNotFoundException":
            return False
        raise
    return True


def _vcpu_quota(aws: Aws) -> float:
    """Return how many vCPUs of Fargate may run in the region.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
    """
    quotas = aws.all("service-quotas", "list_service_quotas", "Quotas", ServiceCode="fargate")
    for quota in quotas:
        if quota.get("QuotaName") == "Fargate On-Demand vCPU resource count":
            return float(quota["Value"])
    raise AwsFailure("NoQuota", "Service Quotas names no quota for Fargate On-Demand vCPUs")


def _log_reader(aws: Aws, group: str) -> Callable[[], Any]:
    def run() -> bool:
        found = aws.all("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=group)
        return any(entry["logGroupName"] == group for entry in found)

    return run


def _alarms(aws: Aws, names: tuple[str, ...]) -> dict[str, str]:
    """Return the state of each alarm that exists."""
    if not names:
        return {}
    answer = aws.call(
        "cloudwatch",
        "describe_alarms",
        AlarmNames=list(names),
        AlarmTypes=["MetricAlarm", "CompositeAlarm"],
    )
    return {
        str(entry["AlarmName"]): str(entry["StateValue"])
        for entry in (*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", []))
    }
