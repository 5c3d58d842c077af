"""Sets ECS services' desired counts, as their bounds and policies ask, once every cloud minute.

An alarm's scaling action is repeated for every minute in which the alarm stays in ALARM:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-actions.html
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.services.application_autoscaling import capacity
from localcloud.services.application_autoscaling.activities import FAILED, Activity, Journal
from localcloud.services.application_autoscaling.tags import SERVICE

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.services.cloudwatch.alarms import Alarms
    from localcloud.services.cloudwatch.watching import Watch
    from localcloud.services.ecs.service_model import Service

log = logging.getLogger("localcloud.autoscaling")

DIMENSION = "ecs:service:DesiredCount"
# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html
DEFAULT_COOLDOWN = 300


class Cooldowns:
    """When a target was last scaled by a policy; cloud seconds."""

    def __init__(self) -> None:
        self.added = 0
        self.out_policy = self.in_policy = ""
        self.out_since: float | None = None
        self.in_since: float | None = None


class Scaler:
    """Decides from alarms, and does it. The cloud's lock is held in every method."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.journal = Journal()
        self._cooldowns: dict[str, Cooldowns] = {}

    @property
    def alarms(self) -> Alarms:
        """CloudWatch's alarms."""
        return self._watch.alarms

    @property
    def _watch(self) -> Watch:
        part: Watch = self._cloud.parts["cloudwatch"]
        return part

    def target(self, resource: str) -> Any:
        """moto's scalable target, None where there is none."""
        targets = self._cloud.backend(SERVICE, self._cloud.settings.region).targets
        return targets.get(DIMENSION, {}).get(resource)

    def policies(self, resource: str) -> list[Any]:
        """moto's policies of a target."""
        backend = self._cloud.backend(SERVICE, self._cloud.settings.region)
        return [p for p in backend.policies.values() if p.resource_id == resource]

    # -- bounds --------------------------------------------------------------------------------

    def comply(self, resource: str) -> None:
        """Bring the desired count inside the bounds, as registering a target does.

        Scaling in waits for an ECS deployment's end; the next scaling catches up on it.
        https://docs.aws.amazon.com/autoscaling/application/userguide/getting-started.html
        """
        target, service = self.target(resource), self._service(resource)
        if target is None or service is None:
            return
        desired = service.desired_count
        wanted = capacity.within(desired, target.min_capacity, target.max_capacity)
        if wanted == desired or (wanted < desired and service.deployment is not None):
            return
        bound = "minimum" if wanted > desired else "maximum"
        self._set(resource, service, wanted, f"{bound} capacity was set to {wanted}")

    # -- policies ------------------------------------------------------------------------------

    def evaluate(self, minute: int) -> None:
        """After CloudWatch has evaluated the alarms of a cloud minute."""
        targets = self._cloud.backend(SERVICE, self._cloud.settings.region).targets
        for resource, target in list(targets.get(DIMENSION, {}).items()):
            service = self._service(resource)
            if service is None:
                continue
            self._follow(resource, service)
            policies = {
                p.policy_name: p
                for p in self.policies(resource)
                if p.policy_type == "TargetTrackingScaling"
            }
            seen = [self._see(policy, minute) for policy in policies.values()]
            decision = capacity.decide(self._state(target, service, policies), seen)
            if decision is not None:
                self._act(resource, service, target, policies[decision.policy], decision)

    def _see(self, policy: Any, minute: int) -> capacity.Policy:
        body = policy.target_tracking_scaling_policy_configuration
        alarms = {alarm.name.split("-Alarm")[1][:3]: alarm for alarm in policy.alarms}
        # As the alarm is now: put again, it is another object under the same name.
        states = {kind: self.alarms.find(a.name) for kind, a in alarms.items()}
        high, low = states.get("Hig"), states.get("Low")
        return capacity.Policy(
            name=policy.policy_name,
            target=float(body["TargetValue"]),
            value=self._watch.newest(high, minute) if high else None,
            high=high is not None and high.state_value == "ALARM",
            low=low is not None and low.state_value == "ALARM",
            scales_in=not body.get("DisableScaleIn"),
        )

    def _state(self, target: Any, service: Service, policies: Mapping[str, Any]) -> capacity.Target:
        suspended = target.suspended_state or {}
        return capacity.Target(
            running=_running(service),
            desired=service.desired_count,
            minimum=target.min_capacity,
            maximum=target.max_capacity,
            out_suspended=bool(suspended.get("DynamicScalingOutSuspended")),
            in_suspended=bool(suspended.get("DynamicScalingInSuspended")),
            # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
            # ("Service auto scaling and deployments")
            deploying=service.deployment is not None,
            cooling=self._cooling(target.resource_id, policies),
        )

    def _cooling(self, resource: str, policies: Mapping[str, Any]) -> capacity.Cooling:
        """What still cools down; a cooldown begins when the scaling has succeeded."""
        cooldowns, now = self._cooldowns.get(resource), self._watch.seconds
        if cooldowns is None:
            return capacity.Cooling()
        under_way = self.journal.under_way(resource) is not None

        def cools(since: float | None, policy: str, member: str) -> bool:
            if since is None or policy not in policies:
                return False
            body = policies[policy].target_tracking_scaling_policy_configuration
            length = body.get(member)
            return under_way or now < since + (DEFAULT_COOLDOWN if length is None else length)

        out = cools(cooldowns.out_since, cooldowns.out_policy, "ScaleOutCooldown")
        back = cools(cooldowns.in_since, cooldowns.in_policy, "ScaleInCooldown")
        return capacity.Cooling(cooldowns.added if out else None, back)

    def _act(
        self,
        resource: str,
        service: Service,
        target: Any,
        policy: Any,
        decision: capacity.Decision,
    ) -> None:
        kind = "High" if decision.direction == capacity.OUT else "Low"
        alarm = next(alarm for alarm in policy.alarms if f"-Alarm{kind}-" in alarm.name)
        cause = f"monitor alarm {alarm.name} in state ALARM triggered policy {policy.policy_name}"
        if decision.capacity is None:
            self._note(resource, target, service, cause, decision.reason)
            return
        before = service.desired_count
        if not self._set(resource, service, decision.capacity, cause):
            return
        cooldowns = self._cooldowns.setdefault(resource, Cooldowns())
        if decision.direction == capacity.OUT:
            cooldowns.out_since, cooldowns.out_policy = self._watch.seconds, policy.policy_name
            cooldowns.added = decision.capacity - before
            cooldowns.in_since = None  # a scale-out ends the other cooldown
        else:
            cooldowns.in_since, cooldowns.in_policy = self._watch.seconds, policy.policy_name

    # -- doing ---------------------------------------------------------------------------------

    def _set(self, resource: str, service: Service, count: int, cause: str) -> bool:
        now, seconds = self._cloud.clock.now(), self._watch.seconds
        activity = Activity(
            resource, cause, f"Setting desired count to {count}.", now, seconds, count
        )
        self.journal.begin(activity)
        try:
            self._cloud.parts["ecs"].set_desired_count(service.arn, count)
        except AwsError as error:
            activity.end(FAILED, f"Failed to set desired count to {count}: {error}", now, seconds)
            return False
        log.info("%s: desired count %d: %s", resource, count, cause)
        return True

    def _note(self, resource: str, target: Any, service: Service, cause: str, code: str) -> None:
        reason: dict[str, Any] = {"Code": code}
        if code == capacity.AT_MAXIMUM:
            reason["MaxCapacity"] = target.max_capacity
        elif code == capacity.AT_MINIMUM:
            reason["MinCapacity"] = target.min_capacity
        else:
            reason["CurrentCapacity"] = service.desired_count
        now, seconds = self._cloud.clock.now(), self._watch.seconds
        text = "Attempting to scale due to alarm triggered"
        self.journal.note(
            Activity(resource, cause, text, now, seconds, status=FAILED, not_scaled=reason)
        )

    def _follow(self, resource: str, service: Service) -> None:
        seconds = self._watch.seconds
        done = self.journal.follow(
            resource, service.desired_count, _running(service), self._cloud.clock.now(), seconds
        )
        cooldowns = self._cooldowns.get(resource)
        if done is not None and cooldowns is not None:
            for member in ("out_since", "in_since"):
                since = getattr(cooldowns, member)
                if since is not None and since >= done.began:
                    setattr(cooldowns, member, seconds)

    def describe_scaling_activities(self, call: Call) -> Mapping[str, Any]:
        """DescribeScalingActivities, the newest first.

        https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalingActivities.html
        """
        params = call.params
        if params["ServiceNamespace"] != "ecs":
            raise NotReproducedError(SERVICE, f"activities of {params['ServiceNamespace']}")
        wanted = params.get("ResourceId")
        if wanted and (service := self._service(wanted)) is not None:
            self._follow(wanted, service)
        found = [
            activity.shape()
            for activity in self.journal
            if (not wanted or activity.resource == wanted)
            and (activity.not_scaled is None or params.get("IncludeNotScaledActivities"))
        ]
        start, most = int(params.get("NextToken") or 0), params.get("MaxResults") or 50
        answer: dict[str, Any] = {"ScalingActivities": found[start : start + most]}
        if start + most < len(found):
            answer["NextToken"] = str(start + most)
        return answer

    def _service(self, resource: str) -> Service | None:
        """The active ECS service of a target."""
        _, cluster, name = resource.split("/")
        for service in self._cloud.parts["ecs"].services.services.values():
            if (service.cluster_name, service.name, service.status) == (cluster, name, "ACTIVE"):
                found: Service = service
                return found
        return None


def _running(service: Service) -> int:
    """Tasks of the service that run, of whatever revision: where scaling reckons from.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
    """
    return sum(
        record.task.last_status == "RUNNING" and record.wanted
        for record in service.records.values()
    )
