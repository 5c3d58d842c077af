"""Cluster, load balancer, registry, logs and scaling; with them what backups and schedules need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..lyo_aws import parallel
from . import operations
from .findings import Finding, Findings, at_least, expect, one
from .target import Target, found, listed


def read(target: Target) -> dict[str, Any]:
    """Return what AWS says about what a release runs on."""
    aws, name = target.aws, target.name
    service = f"service/{name}/{name}"
    balancers, groups, services, repositories, logs, scaling, ops = parallel(
        lambda: _balancers(target),
        lambda: listed(
            aws,
            "elbv2",
            "describe_target_groups",
            "TargetGroups",
            Names=[f"{name}-blue", f"{name}-green"],
        ),
        lambda: found(aws, "ecs", "describe_services", cluster=name, services=[name]).get(
            "services", []
        ),
        lambda: listed(aws, "ecr", "describe_repositories", "repositories", repositoryNames=[name]),
        lambda: aws.all("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=f"/{name}/"),
        lambda: {
            "targets": aws.all(
                "application-autoscaling",
                "describe_scalable_targets",
                "ScalableTargets",
                ServiceNamespace="ecs",
                ResourceIds=[service],
            ),
            "policies": aws.all(
                "application-autoscaling",
                "describe_scaling_policies",
                "ScalingPolicies",
                ServiceNamespace="ecs",
                ResourceId=service,
            ),
        },
        lambda: operations.read(target),
    )
    used = sorted({arn for balancer in balancers for arn in balancer["certificates"]})
    return {
        "balancers": balancers,
        "groups": groups,
        "services": services,
        "repositories": repositories,
        "log_groups": logs,
        "scaling": scaling,
        "operations": ops,
        "certificates": {
            arn: found(aws, "acm", "describe_certificate", CertificateArn=arn).get(
                "Certificate", {}
            )
            for arn in used
        },
    }


def _balancers(target: Target) -> list[dict[str, Any]]:
    """The load balancer with its HTTPS listeners, and the groups their rules forward to."""
    aws = target.aws
    balancers = listed(
        aws, "elbv2", "describe_load_balancers", "LoadBalancers", Names=[target.name]
    )
    for balancer in balancers:
        arn = balancer["LoadBalancerArn"]
        listeners = aws.all("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=arn)
        balancer["listeners"] = [item for item in listeners if item["Protocol"] == "HTTPS"]
        balancer["certificates"] = [
            certificate["CertificateArn"]
            for listener in balancer["listeners"]
            for certificate in listener.get("Certificates", [])
        ]
        for listener in balancer["listeners"]:
            rules = aws.all("elbv2", "describe_rules", "Rules", ListenerArn=listener["ListenerArn"])
            listener["forwards"] = forwards(rules)
    return balancers


def forwards(rules: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The target groups of each rule that forwards."""
    return [
        sorted(group["TargetGroupArn"] for group in action["ForwardConfig"]["TargetGroups"])
        for rule in rules
        for action in rule["Actions"]
        if action["Type"] == "forward" and "ForwardConfig" in action
    ]


def problems(facts: Mapping[str, Any], expected: Mapping[str, Any]) -> Findings:
    """What is wrong with cluster, load balancer, registry, logs and scaling."""
    both = sorted(group["TargetGroupArn"] for group in facts["groups"])
    yield from one(facts["balancers"], "load balancers")
    for balancer in facts["balancers"]:
        yield from _balancer(balancer, both, facts["certificates"])
    colours = sorted(group["TargetGroupName"].rpartition("-")[2] for group in facts["groups"])
    if colours != ["blue", "green"]:
        yield Finding("target groups", colours, ["blue", "green"])
    for group in facts["groups"]:
        yield from expect(group, f"target group {group['TargetGroupName']}", TargetType="ip")
    yield from one(facts["services"], "services")
    for service in facts["services"]:
        yield from expect(service, f"service {service['serviceName']}", status="ACTIVE")
    yield from one(facts["repositories"], "image repositories")
    for repository in facts["repositories"]:
        name = f"repository {repository['repositoryName']}"
        yield from expect(repository, name, imageTagMutability="IMMUTABLE")
        scanning = repository.get("imageScanningConfiguration") or {}
        yield from expect(scanning, name, scanOnPush=True)
    if not facts["log_groups"]:
        yield Finding("number of log groups", 0, "one at least")
    for group in facts["log_groups"]:
        yield from at_least(group, f"log group {group['logGroupName']}", retentionInDays=1)
    yield from _scaling(facts["scaling"], expected)
    yield from operations.problems(facts["operations"], expected)


def _balancer(
    balancer: Mapping[str, Any], both: list[str], certificates: Mapping[str, Any]
) -> Findings:
    name = f"load balancer {balancer['LoadBalancerName']}"
    yield from expect(balancer.get("State") or {}, name, Code="active")
    if len(balancer["listeners"]) < 2:
        yield Finding(f"{name} HTTPS listeners", len(balancer["listeners"]), "production and test")
    for listener in balancer["listeners"]:
        if both not in listener["forwards"]:
            yield Finding(
                f"{name} port {listener['Port']} rules", listener["forwards"], "blue and green"
            )
    for arn in balancer["certificates"]:
        yield from expect(certificates.get(arn, {}), f"certificate {arn}", Status="ISSUED")


def _scaling(scaling: Mapping[str, Any], expected: Mapping[str, Any]) -> Findings:
    yield from one(scaling["targets"], "scalable targets")
    for target in scaling["targets"]:
        name = f"scaling of {target['ResourceId']}"
        yield from at_least(target, name, MinCapacity=expected["min_tasks"])
        if target["MaxCapacity"] <= target["MinCapacity"]:
            yield Finding(
                f"{name} MaxCapacity", target["MaxCapacity"], f"more than {target['MinCapacity']}"
            )
    if not scaling["policies"]:
        yield Finding("number of scaling policies", 0, "one at least")
