"""Snapshots of services, from which the next actions are decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from localcloud.services.ecs import blue_green, hooks, rolling
from localcloud.services.ecs.decisions import Action, DeploymentSnapshot
from localcloud.services.ecs.hooks import HookSnapshot
from localcloud.services.ecs.scheduler import RevisionSnapshot, TaskSnapshot, breaker_threshold
from localcloud.services.ecs.service_model import (
    SIDE_BY_SIDE,
    Revision,
    Service,
    ServiceDeployment,
)

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

#: How long alarms are watched after a rolling deployment without ``bakeTimeInMinutes``; AWS says
#: "less than 5 minutes"
#: (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html).
ALARM_BAKE_SECONDS = 180.0
_ALARM_STAGES = frozenset(
    {
        "PRE_PRODUCTION_TRAFFIC_SHIFT",
        "PRODUCTION_TRAFFIC_SHIFT",
        "POST_PRODUCTION_TRAFFIC_SHIFT",
        "BAKE_TIME",
    }
)


class Snapshots:
    """Takes snapshots of services; ``time`` gives cloud seconds."""

    def __init__(self, cloud: Cloud, time: Callable[[], float]) -> None:
        self._cloud = cloud
        self._time = time

    def decide(self, service: Service) -> tuple[Action, ...]:
        """The next actions of a service, from a snapshot taken now."""
        deployment = service.deployment
        snapshot = self._snapshot(service, deployment) if deployment else None
        if deployment and snapshot and deployment.strategy in SIDE_BY_SIDE:
            return blue_green.decide(self._blue_green(service, deployment, snapshot))
        configuration = service.config["deploymentConfiguration"]
        maximum = configuration.get("maximumPercent", 200)
        if deployment is None and _frozen(service):
            revisions = [
                _of_revision(service, revision)
                for number, revision in service.revisions.items()
                if revision.requested or service.records_of(number)
            ]
            return blue_green.hold(revisions, maximum, self._time())
        aside = {
            past.target
            for past in service.deployments
            if past.strategy in SIDE_BY_SIDE and past.target != service.serving
        }
        olds = tuple(
            replace(_of_revision(service, revision), aside=number in aside)
            for number, revision in service.revisions.items()
            if number != service.primary and service.records_of(number)
        )
        return rolling.decide(
            rolling.RollingSnapshot(
                now=self._time(),
                desired=service.desired_count,
                target=_of_revision(service, service.revisions[service.primary]),
                olds=olds,
                minimum_percent=configuration.get("minimumHealthyPercent", 100),
                maximum_percent=maximum,
                deployment=snapshot,
            )
        )

    def _blue_green(
        self, service: Service, deployment: ServiceDeployment, snapshot: DeploymentSnapshot
    ) -> blue_green.BlueGreenSnapshot:
        green = service.revisions[deployment.target]
        shifts, pause = blue_green.shifts_of(deployment.configuration)
        source = service.revisions.get(deployment.source or "")
        return blue_green.BlueGreenSnapshot(
            deployment=snapshot,
            desired=service.desired_count,
            green=_of_revision(service, green),
            blue=_of_revision(service, source) if source else None,
            leftovers=tuple(
                _of_revision(service, service.revisions[n]) for n in deployment.leftovers
            ),
            shifts=shifts,
            shift_pause=pause,
            has_test_rule=any(binding.test_rule for binding in green.bindings),
            maximum_percent=deployment.configuration.get("maximumPercent", 200),
        )

    def _snapshot(self, service: Service, deployment: ServiceDeployment) -> DeploymentSnapshot:
        now = self._time()
        _expire_hooks(deployment, now)
        configuration = deployment.configuration
        breaker = configuration.get("deploymentCircuitBreaker") or {}
        alarms = configuration.get("alarms") or {}
        watched = bool(alarms.get("enable")) and not deployment.alarms_ignored
        side_by_side = deployment.strategy in SIDE_BY_SIDE
        bake = 60.0 * configuration.get("bakeTimeInMinutes", 0)
        if not side_by_side:
            bake = (bake or ALARM_BAKE_SECONDS) if watched else 0.0
        watching = watched and (deployment.stage in _ALARM_STAGES)
        return DeploymentSnapshot(
            status=deployment.status,
            now=now,
            stage=deployment.stage,
            stage_since=deployment.stage_since,
            shifted=deployment.shifted,
            candidate=deployment.source,
            step=deployment.step,
            production_percent=deployment.production_percent,
            test_percent=deployment.test_percent,
            hooks=tuple(
                HookSnapshot(h.hook_id, h.stage, h.step, h.status, h.outcome)
                for h in deployment.hooks
            ),
            hook_stages=hooks.stages_with_hooks(hooks.configured(configuration)),
            bake=bake,
            failures=deployment.failures,
            breaker_threshold=breaker_threshold(breaker, service.desired_count)
            if breaker.get("enable")
            else None,
            breaker_rollback=bool(breaker.get("rollback")),
            alarms=self.ringing(deployment) if watching else (),
            alarms_rollback=bool(alarms.get("rollback")),
            alarms_watched=watching,
            fault=deployment.fault,
        )

    def ringing(self, deployment: ServiceDeployment) -> tuple[str, ...]:
        """Those of the deployment's alarms that are in ALARM, as moto's CloudWatch has them.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
        """
        configuration = deployment.configuration.get("alarms") or {}
        if not configuration.get("enable"):
            return ()
        known = self._cloud.backend("cloudwatch").alarms
        names = configuration.get("alarmNames") or []
        return tuple(n for n in names if n in known and known[n].state_value == "ALARM")


def _frozen(service: Service) -> bool:
    """Whether the last deployment stopped between two revisions, which both stay as they are."""
    last = service.deployments[-1]
    return last.strategy in SIDE_BY_SIDE and last.status in ("STOPPED", "ROLLBACK_FAILED")


def _expire_hooks(deployment: ServiceDeployment, now: float) -> None:
    for hook in deployment.hooks:
        if hook.status == "AWAITING_ACTION" and now >= hook.expires:
            hook.status, hook.outcome = "TIMED_OUT", hook.timeout_action


def _of_revision(service: Service, revision: Revision) -> RevisionSnapshot:
    records = service.records_of(revision.number)
    return RevisionSnapshot(
        number=revision.number,
        requested=revision.requested,
        tasks=tuple(
            TaskSnapshot(
                arn=record.task.arn,
                created=record.created,
                running=record.task.last_status == "RUNNING",
                healthy=record.healthy,
                unhealthy=record.unhealthy,
            )
            for record in records
            if record.wanted
        ),
        leaving=sum(not record.wanted for record in records),
        blocked=revision.blocked,
        proven=revision.proven,
        retry_at=revision.retry_at,
    )
