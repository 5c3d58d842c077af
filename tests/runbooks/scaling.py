"""The number of tasks: how it is changed by hand and by Application Auto Scaling, and what it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.runbooks.deployment import SPEED
from tests.runbooks.harness import Environment
from tests.runbooks.traffic import RATE

PATIENCE = 90.0  # wall seconds until tasks run
CLOUD_MINUTE = 60.0 / float(SPEED)  # wall seconds


class Scaling:
    """The service's tasks, of all its revisions."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        outputs = environment.outputs
        self._cluster, self._service = outputs["cluster_name"], outputs["service_name"]
        self._target = {
            "ServiceNamespace": "ecs",
            "ResourceId": f"service/{self._cluster}/{self._service}",
            "ScalableDimension": "ecs:service:DesiredCount",
        }
        self._autoscaling = environment.client("application-autoscaling")

    def set(self, count: int) -> None:
        """Change the desired count as a person does."""
        self._environment.client("ecs").update_service(
            cluster=self._cluster, service=self._service, desiredCount=count
        )

    def desired(self) -> int:
        """The desired count."""
        return int(self._described()["desiredCount"])

    def running(self) -> int:
        """Tasks that run; during a deployment those of blue and green."""
        return int(self._described()["runningCount"])

    def _described(self) -> dict[str, Any]:
        answer = self._environment.client("ecs").describe_services(
            cluster=self._cluster, services=[self._service]
        )
        service: dict[str, Any] = answer["services"][0]
        return service

    def wait_for(self, running: int) -> None:
        """Until so many tasks run."""
        deadline = time.monotonic() + PATIENCE
        while self.running() != running:
            assert time.monotonic() < deadline, f"{self.running()} tasks run, not {running}"
            time.sleep(0.2)

    def is_kept(self, count: int) -> None:
        """Assert that the desired count is this and that so many tasks come to run, no more."""
        assert self.desired() == count
        self.wait_for(running=count)
        assert self.desired() == count

    def scale_in(self, *, suspended: bool) -> None:
        """Suspend scale-in, or resume it: little load is always a reason for it."""
        state = {"DynamicScalingInSuspended": suspended}
        self._autoscaling.register_scalable_target(**self._target, SuspendedState=state)

    def out_by_policy(self) -> int:
        """Have target tracking scale out under the load that there is; the desired count it sets.

        With two tasks of blue and two of green a fifth is needed for each: the policy aims at a little
        less than each of the four gets. Its metric needs a minute in which all four were healthy.
        """
        before = self.desired()
        time.sleep(2 * CLOUD_MINUTE)
        with self._aiming_at(requests=0.22 * RATE * CLOUD_MINUTE):
            deadline = time.monotonic() + PATIENCE
            while self.desired() <= before:
                assert time.monotonic() < deadline, "nothing was scaled out"
                time.sleep(0.2)
        return self.desired()

    @contextmanager
    def _aiming_at(self, requests: float) -> Iterator[None]:
        """Have one more policy: so many of all requests a cloud minute for each healthy task."""
        policies = self._autoscaling.describe_scaling_policies(ServiceNamespace="ecs")
        terraforms = next(p for p in policies["ScalingPolicies"] if p["PolicyName"] == "requests")
        configuration = terraforms["TargetTrackingScalingPolicyConfiguration"]
        for metric in configuration["CustomizedMetricSpecification"]["Metrics"]:
            metric["Label"] = "of a test"  # each policy has a metric of its own
        named = {**self._target, "PolicyName": "test"}
        self._autoscaling.put_scaling_policy(
            **named,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={**configuration, "TargetValue": requests},
        )
        try:
            yield
        finally:
            self._autoscaling.delete_scaling_policy(**named)

    def activities(self) -> list[dict[str, Any]]:
        """Scaling activities, the newest first."""
        answer = self._autoscaling.describe_scaling_activities(
            ServiceNamespace="ecs", ResourceId=self._target["ResourceId"]
        )
        found: list[dict[str, Any]] = answer["ScalingActivities"]
        return found
