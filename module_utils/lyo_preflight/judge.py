"""What stands in the way of a release, from what was read: decisions without I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..lyo_lock.decide import sentence
from ..lyo_release.live import name_of
from . import needs
from .facts import Facts, Secret
from .findings import Finding, Findings, Unread, ordered, problem, warning
from .permissions import permission_problems, role_problems

_APPLY = "deploy.yml -e phases=application makes it as it should be"


def cluster(facts: Facts) -> Findings:
    """Cluster and service."""
    if isinstance(facts.cluster, Unread):
        yield facts.cluster.finding("cluster")
    elif facts.cluster != "ACTIVE":
        name = facts.outputs["cluster_name"]
        state = facts.cluster or "missing"
        yield problem("cluster", f"{name} is {state}", "nothing can run in it", _APPLY)
    if isinstance(facts.service, Unread):
        yield facts.service.finding("service")
    elif facts.service.service is None:
        name = facts.outputs["service_name"]
        yield problem("service", f"{name} is not active", "there is nothing to release on", _APPLY)
    elif facts.service.deployment is not None:
        target = facts.service.target
        name = name_of(target, facts.service.definitions.get(target))
        yield warning(
            "service",
            f"{name} is just being deployed ({facts.service.deployment.get('status')})",
            "another release waits for it or is refused",
            "watch.yml shows its end",
        )


def lock(facts: Facts) -> Findings:
    """Who holds the environment."""
    if facts.lock is None:
        return
    if isinstance(facts.lock, Unread):
        yield facts.lock.finding("lock", "bootstrap.yml makes its bucket")
    elif facts.lock.lock is not None and facts.lock.lock.held:
        expired = facts.lock.age > facts.lock.lock.lease_seconds and not facts.lock.lock.by_hand
        if not expired:
            yield problem("lock", sentence(facts.lock), "a release would be refused", "")


def secrets(facts: Facts) -> Findings:
    """Secrets that containers are given."""
    for reference, found in facts.secrets.items():
        name = reference.arn.rpartition(":secret:")[2] or reference.arn
        why = f"a task that cannot get {reference.variable} does not start"
        if isinstance(found, Unread):
            yield found.finding("secrets", f"{reference.variable} comes from {name}")
            continue
        assert isinstance(found, Secret)
        if found.problem:
            yield problem("secrets", f"{name}: {found.problem}", why, "write it, or name another")
        elif reference.key and found.keys is None:
            yield problem(
                "secrets", f"{name} is not JSON", why, f"it needs the key {reference.key}"
            )
        elif reference.key and reference.key not in (found.keys or ()):
            known = ", ".join(found.keys or ()) or "none"
            yield problem(
                "secrets",
                f"{name} has no key {reference.key}",
                why,
                f"it has {known}: add the key, or correct lyo_task.secrets",
            )


def image(facts: Facts) -> Findings:
    """The image, or what it is built with."""
    if isinstance(facts.repository, Unread):
        yield facts.repository.finding("image")
    elif not facts.repository:
        yield problem("image", "there is no repository", "the image has no place", _APPLY)
    if not facts.image:
        if facts.builder == "docker" and not facts.docker:
            yield problem(
                "image",
                "it is still to be built, and there is no docker command here",
                "it cannot be built",
                "name one that CI has built: -e image=…",
            )
        return
    wanted = facts.wanted.get("runtimePlatform") or {}
    platform = (
        f"{wanted.get('operatingSystemFamily', 'LINUX')}/{wanted.get('cpuArchitecture', 'X86_64')}"
    )
    if isinstance(facts.platforms, Unread):
        yield facts.platforms.finding("image")
    elif platform not in facts.platforms:
        yield problem(
            "image",
            f"it is built for {', '.join(facts.platforms) or 'nothing'}, tasks run on {platform}",
            "its tasks end with 'exec format error'",
            "build it for that platform, or set lyo_task.architecture",
        )


def network(facts: Facts) -> Findings:
    """Subnets with room for both revisions, and security groups."""
    if isinstance(facts.subnets, Unread):
        yield facts.subnets.finding("subnets")
    else:
        yield from _subnets(facts)
    if isinstance(facts.security_groups, Unread):
        yield facts.security_groups.finding("security groups")
        return
    known = {group["GroupId"]: group for group in facts.security_groups}
    for name in facts.outputs["app_security_group_ids"]:
        if name not in known:
            yield problem("security groups", f"there is no {name}", "no task starts", _APPLY)
    if not isinstance(facts.subnets, Unread):
        networks = {subnet["VpcId"] for subnet in facts.subnets}
        networks |= {group["VpcId"] for group in facts.security_groups}
        if len(networks) > 1:
            where = ", ".join(sorted(networks))
            yield problem(
                "security groups", f"subnets and groups are in {where}", "no task starts", _APPLY
            )


def _tasks(facts: Facts) -> tuple[int, int]:
    """How many tasks are wanted now, and at most."""
    service = {} if isinstance(facts.service, Unread) else facts.service.service or {}
    desired = int(service.get("desiredCount", 0))
    scaling = facts.scaling
    bounds = facts.outputs["autoscaling"]
    maximum = (
        int(bounds["max"]) if scaling is None or isinstance(scaling, Unread) else scaling.maximum
    )
    return desired, maximum


def _subnets(facts: Facts) -> Findings:
    wanted = list(facts.outputs["subnet_ids"])
    missing = sorted(set(wanted) - {subnet["SubnetId"] for subnet in facts.subnets})
    if missing:
        yield problem("subnets", f"there is no {', '.join(missing)}", "no task starts", _APPLY)
        return
    desired, maximum = _tasks(facts)
    more = needs.more_tasks(desired, maximum)
    free = sum(int(subnet["AvailableIpAddressCount"]) for subnet in facts.subnets)
    why = f"blue and green with {maximum} tasks each need an address a task"
    if free < more:
        yield problem(
            "subnets", f"{free} addresses are free, {more} may be needed", why,
            "larger subnets (network in the tfvars), or a lower scaling.max",
        )  # fmt: skip
        return
    share = -(-more // len(wanted))
    for subnet in facts.subnets:
        if int(subnet["AvailableIpAddressCount"]) < share:
            yield warning(
                "subnets",
                f"{subnet['SubnetId']} in {subnet['AvailabilityZone']} has only "
                f"{subnet['AvailableIpAddressCount']} free addresses, {share} may be needed",
                why + ", spread over the zones",
                "larger subnets (network in the tfvars)",
            )


def balancing(facts: Facts) -> Findings:
    """Both target groups on the rules, and all the traffic on one of them between releases."""
    both = set(facts.outputs["target_group_arns"].values())
    if isinstance(facts.target_groups, Unread):
        yield facts.target_groups.finding("target groups")
    elif {group["TargetGroupArn"] for group in facts.target_groups} != both:
        yield problem("target groups", "blue or green is missing", "ECS has nowhere to go", _APPLY)
    else:
        for group in facts.target_groups:
            if group.get("TargetType") != "ip":
                name = group["TargetGroupName"]
                yield problem(
                    "target groups", f"{name} is not of type ip", "tasks are addresses", _APPLY
                )
    deploying = not isinstance(facts.service, Unread) and facts.service.deployment is not None
    for name, rule in facts.rules.items():
        which = name.removesuffix("_listener_rule_arn")
        if isinstance(rule, Unread):
            yield rule.finding("listener rules")
            continue
        weights = weights_of(rule)
        if not both <= set(weights):
            yield problem(
                "listener rules",
                f"the {which} rule does not lead to blue and green",
                "ECS moves the traffic between these two",
                _APPLY,
            )
        elif which == "production" and not deploying and sorted(weights.values()) != [0, 100]:
            shown = " and ".join(str(weight) for weight in weights.values())
            yield problem(
                "listener rules",
                f"the weights of the production rule are {shown} while nothing is deployed",
                "ECS does not look at weights before it shifts: somebody has changed them",
                "give all of it to the group with healthy targets (status.yml names it)",
            )


def weights_of(rule: Mapping[str, Any] | None) -> dict[str, int]:
    """Return the weight of each target group that a rule forwards to."""
    for action in (rule or {}).get("Actions", []):
        if action.get("Type") == "forward":
            groups = (action.get("ForwardConfig") or {}).get("TargetGroups", [])
            return {str(g["TargetGroupArn"]): int(g.get("Weight", 0)) for g in groups}
    return {}


def quotas(facts: Facts) -> Findings:
    """Room for both revisions under Fargate's quota."""
    _, maximum = _tasks(facts)
    wanted = 2 * maximum * int(facts.wanted["cpu"]) / 1024
    if isinstance(facts.vcpu_quota, Unread):
        todo = f"at most {wanted:g} vCPUs are needed; new accounts may have as few as 6"
        yield facts.vcpu_quota.finding("quotas", todo)
    elif facts.vcpu_quota < wanted:
        yield problem(
            "quotas",
            f"Fargate may use {facts.vcpu_quota:g} vCPUs here, blue and green may need {wanted:g}",
            "tasks beyond it do not start, the release is turned back",
            "ask for more in Service Quotas, or lower scaling.max",
        )


def logs(facts: Facts) -> Findings:
    """Log groups: the awslogs driver does not make them."""
    for group, there in facts.log_groups.items():
        if isinstance(there, Unread):
            yield there.finding("logs")
        elif not there:
            yield problem(
                "logs", f"there is no {group}", "no task starts without its log group", _APPLY
            )


def alarms(facts: Facts) -> Findings:
    """Alarms that turn a release back."""
    if isinstance(facts.alarms, Unread):
        yield facts.alarms.finding("alarms")
        return
    for name in facts.wanted_alarms:
        state = facts.alarms.get(name, "")
        if not state:
            yield problem(
                "alarms", f"there is no {name}", "it could not turn a bad release back",
                "deploy.yml -e phases=security_and_monitoring makes it",
            )  # fmt: skip
        elif state == "ALARM":
            yield warning(
                "alarms",
                f"{name} rings already",
                "ECS does not let an alarm that rang before the release turn it back",
                "docs/runbooks/alarms.md says what it means",
            )


def roles(facts: Facts) -> Findings:
    """Roles and what they may do."""
    yield from role_problems(facts.outputs, facts.roles)
    yield from permission_problems(facts.permissions)


AREAS: tuple[Callable[[Facts], Findings], ...] = (
    lock,
    cluster,
    roles,
    secrets,
    image,
    network,
    balancing,
    quotas,
    logs,
    alarms,
)


def findings(facts: Facts) -> list[Finding]:
    """Return everything that was found, the worst first."""
    return ordered(finding for area in AREAS for finding in area(facts))
