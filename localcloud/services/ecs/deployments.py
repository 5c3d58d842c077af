"""Service deployments: created and superseded by requests, snapshots taken, actions applied."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from localcloud.api import AwsError
from localcloud.services.ecs import events, hooks
from localcloud.services.ecs.decisions import (
    BREAKER_REASON,
    Action,
    Ask,
    Begin,
    Enter,
    Finish,
    OpenHooks,
    ShiftProduction,
    ShiftTest,
    TurnBack,
)
from localcloud.services.ecs.revisions import new_revision
from localcloud.services.ecs.scheduler import (
    Start,
    Stop,
)
from localcloud.services.ecs.service_model import (
    SIDE_BY_SIDE,
    Hook,
    Revision,
    Rollback,
    Service,
    ServiceDeployment,
    new_deployment_id,
)
from localcloud.services.ecs.service_shapes import counts
from localcloud.services.ecs.service_tasks import ServiceTasks
from localcloud.services.ecs.snapshots import Snapshots
from localcloud.services.ecs.store import EcsStore

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

log = logging.getLogger("localcloud")

SUPERSEDED_REASON = "Service deployment stopped because a newer deployment was started."


class Deployments:
    """Carries out what :mod:`rolling` and :mod:`blue_green` decide. ``time``: cloud seconds."""

    def __init__(
        self, cloud: Cloud, store: EcsStore, tasks: ServiceTasks, time: Callable[[], float]
    ) -> None:
        self._cloud = cloud
        self._store = store
        self._tasks = tasks
        self._time = time
        self._snapshots = Snapshots(cloud, time)

    def decide(self, service: Service) -> tuple[Action, ...]:
        """The next actions of a service, from a snapshot taken now."""
        return self._snapshots.decide(service)

    # -- beginning -----------------------------------------------------------------------------

    def create(self, service: Service) -> ServiceDeployment:
        """Begin a deployment of the service's present configuration.

        A deployment that is under way ends as STOPPED; what it has launched is reconciled first.
        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
        """
        now = self._cloud.clock.now()
        if service.deployments:
            self._supersede(service, service.deployments[-1])
        configuration = dict(service.config["deploymentConfiguration"])
        side_by_side = configuration.get("strategy") in SIDE_BY_SIDE
        revision = new_revision(self._store, service, now, alternate=side_by_side)
        requested = {
            number: other.requested
            for number, other in service.revisions.items()
            if number == service.serving or service.records_of(number)
        }
        deployment = ServiceDeployment(
            arn=self._store.arn(
                "service-deployment",
                f"{service.cluster_name}/{service.name}/{new_deployment_id()}",
            ),
            target=revision.number,
            source=service.serving,
            leftovers=tuple(n for n in requested if n not in (service.serving, revision.number)),
            configuration=configuration,
            created_at=now,
            updated_at=now,
            requested={n: count for n, count in requested.items() if n != revision.number},
        )
        # An alarm that already rings does not keep its own fix from being deployed
        # (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html).
        deployment.alarms_ignored = bool(self._snapshots.ringing(deployment))
        service.deployments.append(deployment)
        service.primary = revision.number
        service.steady = False
        return deployment

    def _supersede(self, service: Service, deployment: ServiceDeployment) -> None:
        """Leave a deployment for a newer one: stop it if it is under way, take traffic back.

        AWS's pages do not say where traffic that was already shifted goes; here it returns to the
        revision that last proved itself, because the target of the deployment has not.
        """
        if deployment.target == service.serving or deployment.status == "ROLLBACK_SUCCESSFUL":
            unproven = None
        else:
            unproven = service.revisions[deployment.target]
        if unproven and deployment.strategy in SIDE_BY_SIDE and deployment.source is not None:
            if deployment.production_percent > 0:
                self._shift_production(service, deployment, 0.0)
            if deployment.test_percent > 0:
                self._shift_test(service, deployment, 0.0)
        if not deployment.ongoing:
            return
        now = self._cloud.clock.now()
        deployment.status = "STOPPED"
        deployment.reason = SUPERSEDED_REASON
        deployment.stopped_at = deployment.finished_at = deployment.updated_at = now
        self._freeze_counts(service, deployment)
        if unproven:
            unproven.blocked = True
            unproven.rollout_state = "FAILED"
            unproven.rollout_reason = SUPERSEDED_REASON
            unproven.updated_at = now

    # -- acting --------------------------------------------------------------------------------

    def apply(self, service: Service, action: Action) -> bool:
        """Carry out one action; True when it may make further decisions possible at once."""
        match action:
            case Start(revision, count):
                self._tasks.launch(service, service.revisions[revision], count)
                return False
            case Stop():
                self._tasks.stop(service, (action,))
                return False
        deployment = service.deployment
        if deployment is None:
            return False
        deployment.updated_at = self._cloud.clock.now()
        match action:
            case Begin(stage):
                self._begin(service, deployment, stage)
            case Enter(stage):
                deployment.stage, deployment.stage_since = stage, self._time()
                deployment.shifted = None
                if stage == "CLEAN_UP":
                    # From here on green is what a newer deployment or a rollback starts from.
                    service.serving = deployment.target
            case OpenHooks(stage):
                self._open_hooks(deployment, stage)
            case ShiftTest(percent):
                self._shift_test(service, deployment, percent)
            case ShiftProduction(percent):
                self._shift_production(service, deployment, percent)
            case Ask(revision, count):
                service.revisions[revision].requested = count
            case TurnBack(reason):
                self._turn_back(service, deployment, reason)
            case Finish():
                self._finish(service, deployment, action)
        return True

    def _begin(self, service: Service, deployment: ServiceDeployment, stage: str | None) -> None:
        deployment.status = "IN_PROGRESS"
        deployment.started_at = self._cloud.clock.now()
        deployment.stage, deployment.stage_since = stage, self._time()
        if deployment.strategy in SIDE_BY_SIDE:
            deployment.fault = self._network_fault(service.revisions[deployment.target])
        else:
            service.revisions[deployment.target].requested = service.desired_count

    def _network_fault(self, green: Revision) -> str | None:
        """Whether both target groups of a pair hang at the rules, as ECS demands.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/migrate-code-deploy-to-ecs-blue-green.html
        """
        for binding in green.bindings:
            if binding.production_rule is None:
                continue
            attached: set[str] = set()
            for rule in filter(None, (binding.production_rule, binding.test_rule)):
                try:
                    attached |= set(self._tasks.target_groups.target_groups_of_rule(rule))
                except (AwsError, KeyError):
                    return f"The listener rule {rule} does not exist."
            if not {binding.target_group_arn, binding.other_target_group_arn} <= attached:
                return (
                    "Both targetGroup and alternateTargetGroup must be associated with the "
                    "productionListenerRule or testListenerRule."
                )
        return None

    def _open_hooks(self, deployment: ServiceDeployment, stage: str) -> None:
        now, wall = self._time(), self._cloud.clock.now()
        for hook in hooks.configured(deployment.configuration):
            if stage in hook.stages:
                expires_at = wall + timedelta(seconds=self._cloud.clock.wall(hook.timeout))
                deployment.hooks.append(
                    Hook(
                        hooks.new_hook_id(),
                        stage,
                        deployment.step,
                        now + hook.timeout,
                        expires_at,
                        hook.action,
                    )
                )

    def _shift_test(self, service: Service, deployment: ServiceDeployment, percent: float) -> None:
        if self._set_weights(service, deployment, percent, "test_rule"):
            deployment.test_percent = percent

    def _shift_production(
        self, service: Service, deployment: ServiceDeployment, percent: float
    ) -> None:
        if self._set_weights(service, deployment, percent, "production_rule"):
            deployment.production_percent = percent
            deployment.shifted = self._time()
            deployment.step += percent > 0

    def _set_weights(
        self, service: Service, deployment: ServiceDeployment, percent: float, which: str
    ) -> bool:
        """Rewrite the rules of the target revision; a rule that refuses becomes the fault."""
        for binding in service.revisions[deployment.target].bindings:
            rule: str | None = getattr(binding, which)
            if rule is None or binding.other_target_group_arn is None:
                continue
            # Weights are whole numbers up to 999, percentages have tenths.
            scale = 1 if percent == int(percent) else 10
            mine = round(percent * scale)
            weights = {
                binding.other_target_group_arn: 100 * scale - mine,
                binding.target_group_arn: mine,
            }
            try:
                self._tasks.target_groups.set_weights(rule, weights)
            except (AwsError, KeyError) as error:
                deployment.fault = f"The listener rule {rule} could not be changed: {error}."
                return False
        return True

    # -- ending --------------------------------------------------------------------------------

    def _turn_back(self, service: Service, deployment: ServiceDeployment, reason: str) -> None:
        now = self._cloud.clock.now()
        failed = service.revisions[deployment.target]
        source = deployment.source
        if source is None:
            return
        back = service.revisions[source]
        self._note_trigger(deployment, reason)
        why = "tasks failed to start." if reason == BREAKER_REASON else reason
        self._fail(service, failed, why)
        service.say(events.rolling_back(back.deployment_id), now)
        deployment.status = "ROLLBACK_IN_PROGRESS"
        deployment.reason = reason
        deployment.rollback = Rollback(reason, now, source)
        deployment.failures, deployment.fault = 0, None
        deployment.hooks = [hook for hook in deployment.hooks if hook.outcome]
        service.primary = source
        service.serving = source
        service.config.update(back.config)
        back.blocked, back.retry_at, back.launch_failures = False, 0.0, 0
        back.rollout_state = "IN_PROGRESS"
        back.rollout_reason = f"ECS deployment {back.deployment_id} in progress."
        back.updated_at = now

    def _fail(self, service: Service, revision: Revision, why: str) -> None:
        revision.blocked = True
        revision.rollout_state = "FAILED"
        revision.rollout_reason = f"ECS deployment circuit breaker: {why}"
        if not why.startswith("tasks"):
            revision.rollout_reason = why
        revision.updated_at = self._cloud.clock.now()
        service.say(events.failed(revision.deployment_id, why), revision.updated_at)

    def _finish(self, service: Service, deployment: ServiceDeployment, end: Finish) -> None:
        now = self._cloud.clock.now()
        deployment.status = end.status
        deployment.reason = end.reason or deployment.reason
        deployment.finished_at = deployment.updated_at = now
        self._freeze_counts(service, deployment)
        current = service.revisions[service.primary]
        if end.status in ("SUCCESSFUL", "ROLLBACK_SUCCESSFUL"):
            current.rollout_state = "COMPLETED"
            current.rollout_reason = f"ECS deployment {current.deployment_id} completed."
            current.updated_at = now
            current.requested = service.desired_count
            service.serving = current.number
            service.say(events.completed(current.deployment_id), now)
            return
        if end.status == "STOPPED":
            deployment.stopped_at = now
        cause = end.cause or end.reason or "Service deployment failed."
        self._note_trigger(deployment, cause)
        self._fail(service, current, "tasks failed to start." if "circuit" in cause else cause)
        if end.cause and end.reason:
            service.say(events.failed(current.deployment_id, end.reason), now)

    @staticmethod
    def _freeze_counts(service: Service, deployment: ServiceDeployment) -> None:
        """Keep the numbers of tasks for the history: they are those at the deployment's end."""
        deployment.final = {
            number: (service.revisions[number].requested, *counts(service, number))
            for number in (*deployment.requested, deployment.target)
        }

    def _note_trigger(self, deployment: ServiceDeployment, cause: str) -> None:
        """Remember which of the two failure detection methods has decided."""
        if "circuit breaker" in cause:
            deployment.breaker_triggered = True
        elif "active alarms" in cause:
            deployment.triggered_alarms = self._snapshots.ringing(deployment)
