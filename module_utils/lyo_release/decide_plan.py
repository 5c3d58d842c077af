"""Which steps a deploy needs: decisions without I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import decide_deploy as decide
from .decide_deploy import Live

INFRA, IMAGE, MIGRATE, DEPLOY, WATCH, DASHBOARD, VERIFY, WEBHOOKS = (
    "infra",
    "image",
    "migrate",
    "deploy",
    "watch",
    "dashboard",
    "verify",
    "webhooks",
)


@dataclass(frozen=True)
class Facts:
    """What a plan is made from.

    :ivar has_outputs: whether Terraform has written its outputs yet.
    :ivar infra_reason: why Terraform has to plan, empty where it has not.
    :ivar image_exists: whether the wanted image is in the repository.
    :ivar same_image: whether what carries the traffic has the wanted image and has tasks.
    :ivar live: the service.
    :ivar release: name of the wanted release.
    :ivar schema_refusal: why the database's schema cannot serve the release, empty where it can.
    :ivar schema_remark: that it is released all the same.
    :ivar dashboard_reason: why the dashboard has to be uploaded, empty where it has not.
    :ivar webhooks_reason: why webhooks have to be registered at Meta, empty where they have not.
    """

    has_outputs: bool
    infra_reason: str
    image_exists: bool
    same_image: bool
    live: Live
    release: str
    dashboard_reason: str = ""
    webhooks_reason: str = ""
    schema_refusal: str = ""
    schema_remark: str = ""


@dataclass
class Plan:
    """The steps in order, why, and what forbids the run (empty for nothing)."""

    steps: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    refusal: str = ""


def steps(facts: Facts, in_progress: str) -> Plan:
    """Return the steps a deploy needs.

    :param in_progress: ``refuse`` or ``wait``, where another release is just being deployed.
    """
    plan = _before_webhooks(facts, in_progress)
    if facts.webhooks_reason and not plan.refusal:
        plan.steps.append(WEBHOOKS)
        plan.reasons.append(f"webhooks: {facts.webhooks_reason}")
    return plan


def _before_webhooks(facts: Facts, in_progress: str) -> Plan:
    plan = Plan()
    if facts.infra_reason or not facts.has_outputs:
        plan.steps.append(INFRA)
        plan.reasons.append(f"infra: {facts.infra_reason or 'there are no outputs yet'}")
    if not facts.has_outputs:
        plan.steps += [IMAGE, MIGRATE, DEPLOY, VERIFY]
        plan.reasons.append(f"deploy: {facts.release}, after the infrastructure exists")
        return plan
    if not facts.live.exists:
        if INFRA not in plan.steps:
            plan.steps.append(INFRA)
            plan.reasons.append("infra: the service does not exist or is not active")
        if not facts.image_exists:
            plan.steps.append(IMAGE)
        plan.steps += [MIGRATE, DEPLOY, VERIFY]
        plan.reasons.append(f"deploy: {facts.release}, after the infrastructure exists")
        return plan
    _release(plan, facts, in_progress)
    if facts.dashboard_reason and not plan.refusal:
        plan.steps.append(DASHBOARD)
        plan.reasons.append(f"dashboard: {facts.dashboard_reason}")
    if plan.steps and not plan.refusal:
        plan.steps.append(VERIFY)
    return plan


def _release(plan: Plan, facts: Facts, in_progress: str) -> None:
    step, why = decide.first_step(facts.live, in_progress)
    if step == decide.REFUSE:
        _refuse(plan, why)
        return
    if step == decide.UNCHANGED:
        plan.reasons.append(f"release: {facts.release} is live and carries all production traffic")
        return
    if step == decide.ADOPT:
        plan.steps.append(WATCH)
        plan.reasons.append(f"watch: {why}")
        return
    if not facts.image_exists:
        plan.steps.append(IMAGE)
        plan.reasons.append(f"image: {facts.release} is not in the repository yet")
    if step == decide.SCALE:
        plan.steps.append(DEPLOY)
        plan.reasons.append(f"deploy: {why}")
        return
    if facts.schema_refusal:
        _refuse(plan, facts.schema_refusal)
        return
    if facts.schema_remark:
        plan.reasons.append(facts.schema_remark)
    if not facts.same_image:
        plan.steps.append(MIGRATE)
        plan.reasons.append("migrate: the image is another one, its migrations have to be applied")
    plan.steps.append(DEPLOY)
    plan.reasons.append(f"deploy: {why}")


def _refuse(plan: Plan, why: str) -> None:
    plan.refusal = why
    plan.steps.clear()
    plan.reasons.append(why)


def wanted_release(asked: str | None, live: str, default: str | None, known: list[str]) -> str:
    """Return the release to deploy: as asked, else the live one, else the default.

    :param known: releases that can be built; empty where any can.
    :raises ValueError: there is none to take.
    """
    if asked:
        return asked
    if live and (not known or live in known):
        return live
    if default:
        return default
    raise ValueError(
        "no release is live, and the inventory names none: run again with -e release=<name>"
        + (f", one of {', '.join(known)}" if known else "")
    )
