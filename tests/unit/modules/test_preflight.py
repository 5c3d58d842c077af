"""Preflight: what is read, what stands in the way of a release, and what is only told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible.module_utils.lyo_lock.decide import Found
from ansible.module_utils.lyo_lock.record import Lock
from ansible.module_utils.lyo_operate.decide import Scaling
from ansible.module_utils.lyo_preflight import facts as f
from ansible.module_utils.lyo_preflight import judge, needs, permissions, platforms, run
from ansible.module_utils.lyo_preflight.findings import Finding, Unread
from ansible.module_utils.lyo_release import live, task_definition

from .fakes import AWS, IMAGE_1, OUTPUTS, STRATEGY, FakeAws, FakeModule, ended, failure
from .world import World

SECRET = "arn:aws:secretsmanager:eu-south-1:123456789012:secret:lyo/whatsapp-AbCdEf"
TASK = {"secrets": {"TOKEN": f"{SECRET}:verify_token::", "ALL": SECRET, "P": "arn:aws:ssm:eu-south-1:1:parameter/a/b"}}  # fmt: skip
WANTED = task_definition.render(OUTPUTS, TASK, IMAGE_1, "v1")
TRUST = {
    service: {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}]}
    for service in ("ecs-tasks.amazonaws.com", "ecs.amazonaws.com")
}  # fmt: skip
ROLES = {
    name: {"Arn": OUTPUTS[name], "AssumeRolePolicyDocument": TRUST[service]}
    for name, (service, _) in permissions.ROLES.items()
}
ALL, PARAMETER, TOKEN = needs.secrets_of(WANTED)  # by name of the variable
SERVICE = {"desiredCount": 2, "runningCount": 2}
RULE = {
    "Actions": [
        {
            "Type": "forward",
            "ForwardConfig": {
                "TargetGroups": [
                    {"TargetGroupArn": "arn:blue", "Weight": 100},
                    {"TargetGroupArn": "arn:green", "Weight": 0},
                ]
            },
        }
    ]
}
SUBNET = {"SubnetId": "subnet-1", "VpcId": "vpc-1", "AvailabilityZone": "a", "AvailableIpAddressCount": 100}  # fmt: skip
GROUPS = [{"TargetGroupArn": f"arn:{c}", "TargetGroupName": c, "TargetType": "ip"} for c in ("blue", "green")]  # fmt: skip
HELD = Lock("held", 7, "r", "anna", "laptop", "deploy.yml", "", "2026-11-01T11:00:00+00:00", 60)

WELL = f.Facts(
    env="production",
    outputs=OUTPUTS,
    wanted=WANTED,
    image=IMAGE_1,
    builder="docker",
    cluster="ACTIVE",
    service=live.State(service=SERVICE),
    lock=Found(None),
    roles=ROLES,
    permissions=[],
    secrets={TOKEN: f.Secret(("app_secret", "verify_token")), ALL: f.Secret(), PARAMETER: f.Secret()},
    platforms=("LINUX/X86_64",),
    repository=True,
    docker=True,
    subnets=[SUBNET],
    security_groups=[{"GroupId": "sg-1", "VpcId": "vpc-1"}],
    rules={"production_listener_rule_arn": RULE, "test_listener_rule_arn": RULE},
    target_groups=GROUPS,
    scaling=Scaling(2, 6),
    vcpu_quota=6.0,
    log_groups={"/lyo/app": True},
    alarms={"lyo-5xx": "OK"},
    wanted_alarms=("lyo-5xx",),
)  # fmt: skip


def weights(blue: int, green: int) -> dict[str, Any]:
    rule = json.loads(json.dumps(RULE))
    for group, weight in zip(
        rule["Actions"][0]["ForwardConfig"]["TargetGroups"], (blue, green), strict=True
    ):
        group["Weight"] = weight
    return {"production_listener_rule_arn": rule, "test_listener_rule_arn": RULE}  # fmt: skip


def test_where_everything_is_well_nothing_is_said() -> None:
    assert judge.findings(WELL) == []


DEPLOYING = live.State(service=SERVICE, deployment={"status": "IN_PROGRESS"}, target="arn:x/lyo:2")


@pytest.mark.parametrize(
    ("changes", "level", "area", "word"),
    [
        ({"cluster": ""}, "problem", "cluster", "missing"),
        ({"cluster": "INACTIVE"}, "problem", "cluster", "INACTIVE"),
        ({"service": live.State()}, "problem", "service", "not active"),
        ({"service": DEPLOYING}, "warning", "service", "just being deployed"),
        ({"lock": Found(HELD, "e", 5.0)}, "problem", "lock", "anna@laptop"),
        ({"lock": Found(replace(HELD, lease_seconds=0), "e", 9e9)}, "problem", "lock", "by hand"),
        ({"roles": {**ROLES, "task_role_arn": None}}, "problem", "roles", "no role"),
        (
            {"roles": {**ROLES, "task_role_arn": {**ROLES["task_role_arn"], "AssumeRolePolicyDocument": TRUST["ecs.amazonaws.com"]}}},
            "problem", "roles", "does not trust ecs-tasks",
        ),
        ({"secrets": {TOKEN: f.Secret(("app_secret",))}}, "problem", "secrets", "no key verify_token"),
        ({"secrets": {TOKEN: f.Secret()}}, "problem", "secrets", "not JSON"),
        ({"secrets": {ALL: f.Secret(problem="it does not exist")}}, "problem", "secrets", "does not exist"),
        ({"platforms": ("LINUX/ARM64",)}, "problem", "image", "LINUX/X86_64"),
        ({"repository": False}, "problem", "image", "no repository"),
        ({"image": "", "docker": False}, "problem", "image", "no docker command"),
        ({"subnets": []}, "problem", "subnets", "there is no subnet-1"),
        ({"subnets": [{**SUBNET, "AvailableIpAddressCount": 9}]}, "problem", "subnets", "9 addresses"),
        ({"security_groups": []}, "problem", "security groups", "there is no sg-1"),
        ({"security_groups": [{"GroupId": "sg-1", "VpcId": "vpc-2"}]}, "problem", "security groups", "vpc-1, vpc-2"),
        ({"target_groups": GROUPS[:1]}, "problem", "target groups", "missing"),
        ({"target_groups": [{**g, "TargetType": "instance"} for g in GROUPS[:1]] + GROUPS[1:]}, "problem", "target groups", "blue"),
        ({"rules": {"production_listener_rule_arn": None}}, "problem", "listener rules", "does not lead"),
        ({"rules": weights(50, 50)}, "problem", "listener rules", "50 and 50"),
        ({"rules": weights(0, 0)}, "problem", "listener rules", "0 and 0"),
        ({"vcpu_quota": 2.0}, "problem", "quotas", "may need 3"),
        ({"log_groups": {"/lyo/app": False}}, "problem", "logs", "/lyo/app"),
        ({"alarms": {}}, "problem", "alarms", "there is no lyo-5xx"),
        ({"alarms": {"lyo-5xx": "ALARM"}}, "warning", "alarms", "rings already"),
    ],
)  # fmt: skip
def test_what_is_found(changes: dict[str, Any], level: str, area: str, word: str) -> None:
    found = judge.findings(replace(WELL, **changes))
    assert len(found) == 1, found
    assert (found[0].level, found[0].area) == (level, area)
    assert word in str(found[0])
    assert found[0].why


@pytest.mark.parametrize(
    "changes",
    [
        {"lock": None},
        {"lock": Found(replace(HELD, state="free"), "e", 5.0)},
        {"lock": Found(HELD, "e", 61.0)},  # its run is gone: a release takes it over
        {"image": "", "builder": "process", "docker": False},
        {"image": "", "docker": True, "platforms": ()},
        {"subnets": [{**SUBNET, "AvailableIpAddressCount": 10}]},
        {"rules": weights(0, 100)},
        {"vcpu_quota": 3.0},
        {"wanted_alarms": (), "alarms": {}},
        {"scaling": None},
    ],
)
def test_what_is_no_finding(changes: dict[str, Any]) -> None:
    assert judge.findings(replace(WELL, **changes)) == []


def test_weights_are_not_looked_at_while_something_is_deployed() -> None:
    found = judge.findings(replace(WELL, service=DEPLOYING, rules=weights(90, 10)))
    assert [finding.area for finding in found] == ["service"]


def test_one_zone_that_is_short_of_addresses_is_only_told() -> None:
    outputs = {**OUTPUTS, "subnet_ids": ["subnet-1", "subnet-2"]}
    small = {**SUBNET, "SubnetId": "subnet-2", "AvailableIpAddressCount": 4}
    found = judge.findings(replace(WELL, outputs=outputs, subnets=[SUBNET, small]))
    assert [(finding.level, "only 4" in finding.what) for finding in found] == [("warning", True)]


@pytest.mark.parametrize(
    "name",
    ["cluster", "service", "lock", "repository", "platforms", "subnets", "security_groups",
     "target_groups", "vcpu_quota", "alarms", "permissions"],
)  # fmt: skip
def test_what_cannot_be_read_is_unknown_and_no_problem(name: str) -> None:
    found = judge.findings(replace(WELL, **{name: Unread("access denied")}))
    assert {finding.level for finding in found} == {"unknown"}
    assert "access denied" in found[0].what


def test_what_cannot_be_read_of_many_is_unknown() -> None:
    unread = Unread("access denied")
    changes: dict[str, Any] = {
        "roles": dict.fromkeys(ROLES, unread),
        "secrets": {TOKEN: unread},
        "rules": {"production_listener_rule_arn": unread},
        "log_groups": {"/lyo/app": unread},
    }
    found = judge.findings(replace(WELL, **changes))
    assert {finding.level for finding in found} == {"unknown"}
    assert {finding.area for finding in found} == {"roles", "secrets", "listener rules", "logs"}


def test_the_worst_comes_first() -> None:
    found = judge.findings(
        replace(WELL, cluster=Unread("?"), alarms={"lyo-5xx": "ALARM"}, repository=False)
    )
    assert [finding.level for finding in found] == ["problem", "warning", "unknown"]


def test_references_to_secrets() -> None:
    assert needs.secret_reference("A", f"{SECRET}:key:AWSPREVIOUS:") == needs.SecretReference(
        "A", SECRET, "key", "AWSPREVIOUS"
    )
    assert needs.secret_reference("A", SECRET) == needs.SecretReference("A", SECRET)
    assert not needs.secret_reference("A", "parameter").in_secrets_manager
    assert (TOKEN.key, ALL.key, PARAMETER.arn) == (
        "verify_token", "", "arn:aws:ssm:eu-south-1:1:parameter/a/b",
    )  # fmt: skip


@pytest.mark.parametrize(("desired", "maximum", "more"), [(2, 6, 10), (0, 6, 12), (8, 6, 8)])
def test_how_many_tasks_may_start(desired: int, maximum: int, more: int) -> None:
    assert needs.more_tasks(desired, maximum) == more


def test_trust_policies() -> None:
    assert permissions.trusted_services(TRUST["ecs.amazonaws.com"]) == {"ecs.amazonaws.com"}
    statement = {
        "Effect": "Allow",
        "Action": ["sts:AssumeRole"],
        "Principal": {"Service": ["a", "b"]},
    }
    assert permissions.trusted_services({"Statement": statement}) == {"a", "b"}
    assert permissions.trusted_services(json.dumps({"Statement": [statement]})) == {"a", "b"}
    assert permissions.trusted_services({"Statement": [{**statement, "Effect": "Deny"}]}) == set()
    assert permissions.trusted_services({"Statement": [{**statement, "Principal": "*"}]}) == set()
    assert permissions.trusted_services({"Statement": [{**statement, "Action": "sts:TagSession"}]}) == set()  # fmt: skip


@pytest.mark.parametrize(
    ("arn", "principal"),
    [
        ("arn:aws:sts::1:assumed-role/deploy/ci-17", "arn:aws:iam::1:role/path/deploy"),
        ("arn:aws:iam::1:user/anna", "arn:aws:iam::1:user/anna"),
        ("arn:aws:iam::1:root", ""),
    ],
)
def test_whose_permissions_count(arn: str, principal: str) -> None:
    aws = FakeAws(
        get_caller_identity={"Arn": arn},
        get_role={"Role": {"Arn": "arn:aws:iam::1:role/path/deploy"}},
    )
    assert permissions.principal_of(aws) == principal


def test_what_is_not_allowed_is_found_for_each_resource() -> None:
    asked = permissions.questions(OUTPUTS, "arn:aws:iam::1:role/ci", [SECRET], "arn:repository")
    assert [q.principal for q in asked] == ["arn:aws:iam::1:role/ci"] * 3 + ["arn:exec"] * 2
    passed = {q.context["iam:PassedToService"]: q.resources for q in asked if q.context}
    assert passed == {
        "ecs-tasks.amazonaws.com": ("arn:task", "arn:exec"),
        "ecs.amazonaws.com": ("arn:infra",),
    }
    results = [
        {"EvalActionName": "ecs:RunTask", "EvalResourceName": "*", "EvalDecision": "implicitDeny"},
        {"EvalActionName": "ecs:UpdateService", "EvalResourceName": "*", "EvalDecision": "allowed"},
        {
            "EvalActionName": "iam:PassRole",
            "EvalDecision": "implicitDeny",
            "ResourceSpecificResults": [
                {"EvalResourceName": "arn:task", "EvalResourceDecision": "allowed"},
                {"EvalResourceName": "arn:exec", "EvalResourceDecision": "explicitDeny"},
            ],
        },
    ]
    aws = FakeAws(simulate_principal_policy={"EvaluationResults": results})
    answer = permissions.ask(aws, asked[1])
    assert answer == ["ecs:RunTask", "iam:PassRole on arn:exec"]
    found = list(permissions.permission_problems([(asked[1], answer)]))
    assert [finding.level for finding in found] == ["problem", "problem"]
    assert "ci may not iam:PassRole on arn:exec" in found[1].what
    refused = [(q, Unread("access denied")) for q in asked]
    assert len(list(permissions.permission_problems(refused))) == 1


def test_platforms() -> None:
    assert platforms.named({"architecture": "amd64", "os": "linux"}) == "LINUX/X86_64"
    entries = [("amd64", "linux"), ("arm64", "linux"), ("unknown", "unknown")]
    index = {"manifests": [{"platform": {"architecture": a, "os": o}} for a, o in entries]}
    assert platforms.of_index(index) == ("LINUX/X86_64", "LINUX/ARM64")


@pytest.mark.parametrize(
    ("answers", "secret"),
    [
        ({}, f.Secret(("a", "b"))),
        ({"get_secret_value": {"SecretString": "plain"}}, f.Secret()),
        ({"get_secret_value": {"SecretString": "[1]"}}, f.Secret()),
        ({"describe_secret": {"VersionIdsToStages": {}}}, f.Secret(problem="it has no value yet")),
        ({"describe_secret": {"DeletedDate": 1}}, f.Secret(problem="it is being deleted")),
        ({"describe_secret": failure("ResourceNotFoundException")}, f.Secret(problem="it does not exist, or has no value")),
    ],
)  # fmt: skip
def test_secrets_are_known_by_the_names_of_their_keys(answers: dict[str, Any], secret: Any) -> None:
    aws = FakeAws(
        **{
            "describe_secret": {"VersionIdsToStages": {"1": ["AWSCURRENT"]}},
            "get_secret_value": {"SecretString": '{"b": "hunter22", "a": 1}'},
            **answers,
        }
    )
    found = f.read_secret(aws, SECRET, keys=True)
    assert found == secret
    assert "hunter22" not in repr(found)
    if not answers:
        f.read_secret(aws, SECRET, keys=False)
        assert len(aws.named("get_secret_value")) == 1


PARAMS: dict[str, Any] = {
    "aws": AWS, "env": "production", "outputs": OUTPUTS, "image": "", "tag": "v1-1", "release": "v1",
    "builder": "process", "task": TASK, "deployment": {**STRATEGY, "alarms": ["lyo-5xx"]},
    "bucket": "state", "lock_key": "lyo.lock.json", "own_lock": False,
}  # fmt: skip


def cloud(**more: Any) -> FakeAws:
    answers: dict[str, Any] = {
        "describe_clusters": {"clusters": [{"status": "ACTIVE"}]},
        "get_object": failure("NoSuchKey"),
        "get_caller_identity": {"Arn": "arn:aws:iam::1:root"},
        "simulate_principal_policy": {"EvaluationResults": []},
        "get_role": lambda p: {"Role": next(r for r in ROLES.values() if r["Arn"].endswith(p["RoleName"]))},
        "describe_repositories": {},
        "describe_subnets": {"Subnets": [SUBNET]},
        "describe_security_groups": {"SecurityGroups": [{"GroupId": "sg-1", "VpcId": "vpc-1"}]},
        "describe_target_groups": {"TargetGroups": GROUPS},
        "describe_rules": {"Rules": [RULE]},
        "describe_scalable_targets": {"ScalableTargets": [{"MinCapacity": 2, "MaxCapacity": 6}]},
        "list_service_quotas": {"Quotas": [{"QuotaName": "Fargate On-Demand vCPU resource count", "Value": 6.0}]},
        "describe_log_groups": {"logGroups": [{"logGroupName": "/lyo/app"}, {"logGroupName": "/lyo/application"}]},
        "describe_alarms": {"MetricAlarms": [{"AlarmName": "lyo-5xx", "StateValue": "OK"}]},
        "describe_secret": {"VersionIdsToStages": {"1": ["AWSCURRENT"]}},
        "get_secret_value": {"SecretString": '{"verify_token": "hunter22"}'},
        "get_parameter": {},
        **more,
    }  # fmt: skip
    aws = World().aws(**answers)
    aws.account_id = "123456789012"  # type: ignore[attr-defined]
    return aws


def test_everything_is_read_and_nothing_written() -> None:
    aws = cloud()
    found = judge.findings(f.read(aws, PARAMS, WANTED))
    assert found == []
    assert aws.written == ["simulate_principal_policy"] * 2  # which only asks


def test_a_lock_of_ones_own_is_not_looked_at() -> None:
    aws = cloud()
    assert f.read(aws, {**PARAMS, "own_lock": True}, WANTED).lock is None
    assert aws.named("get_object") == []


def test_one_refused_call_leaves_the_others() -> None:
    aws = cloud(describe_subnets=failure("UnauthorizedOperation"), describe_alarms={})
    found = judge.findings(f.read(aws, PARAMS, WANTED))
    assert [(finding.level, finding.area) for finding in found] == [
        ("problem", "alarms"), ("unknown", "subnets"),
    ]  # fmt: skip


def test_a_wrong_account_ends_it() -> None:
    with pytest.raises(Exception, match="refused"):
        f.read(cloud(describe_clusters=failure("WrongAccount")), PARAMS, WANTED)


@pytest.mark.parametrize(
    ("levels", "failed"), [([], False), (["warning", "unknown"], False), (["problem"], True)]
)
def test_only_problems_fail_and_every_finding_is_told(levels: list[str], failed: bool) -> None:
    found = [Finding(level, "area", f"what {level}", "why", "do") for level in levels]
    finish: Callable[[Any], None] = lambda module: run.finish(module, found)  # noqa: E731
    done = ended(finish, FakeModule({}))
    assert done.failed == failed
    assert len(done.answer["report"]) == 3 * len(levels)
    assert [entry["level"] for entry in done.answer["findings"]] == levels
    if failed:
        assert done.answer["reasons"] == ["area: what problem; why; do"]
