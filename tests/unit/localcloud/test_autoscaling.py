"""Application Auto Scaling on metrics that the test measures, minute by minute."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud
from localcloud.services import application_autoscaling
from localcloud.services.application_autoscaling.tags import SERVICE
from localcloud.services.cloudwatch.alarms import Alarms
from localcloud.services.cloudwatch.watching import Watch
from localcloud.settings import Settings

RESOURCE = "service/lyo/web"
DIMENSION = "ecs:service:DesiredCount"
ECS = {"ClusterName": "lyo", "ServiceName": "web"}
CPU: dict[str, Any] = {
    "TargetValue": 60.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
    "ScaleOutCooldown": 120,
    "ScaleInCooldown": 300,
}
BALANCER, GROUP = "app/lyo/1", "targetgroup/blue/2"
LABEL = f"{BALANCER}/{GROUP}"


class World:
    """A service whose tasks run as soon as a minute has passed, unless told otherwise."""

    def __init__(self, folder: Path) -> None:
        self.cloud = Cloud(Settings(1, folder))
        self.cloud.backend(SERVICE).reset()
        self.cloud.backend("cloudwatch").reset()
        self.seconds, self.keeps_up = 60_000.0, True
        self.service = SimpleNamespace(
            arn="arn:web", name="web", cluster_name="lyo", status="ACTIVE", desired_count=2
        )
        self.service.deployment = None
        self.service.records = {}
        self.run(2)
        services = SimpleNamespace(services={"arn:web": self.service})
        self.cloud.parts["ecs"] = SimpleNamespace(
            services=services, set_desired_count=self.set_desired_count
        )
        # moto's RegisterScalableTarget asks moto's ECS.
        self.cloud.backend("ecs").describe_services = lambda *_: ([self.service], [])
        application_autoscaling.register(self.cloud)
        watch = Watch(self.cloud, Alarms(self.cloud), lambda: self.seconds)
        self.cloud.parts["cloudwatch"] = watch
        watch.add_follower(self.cloud.parts[SERVICE].evaluate)

    def set_desired_count(self, _arn: str, count: int) -> None:
        self.service.desired_count = count

    def run(self, count: int) -> None:
        """Have so many tasks run."""
        task = SimpleNamespace(last_status="RUNNING")
        self.service.records = {n: SimpleNamespace(task=task, wanted=True) for n in range(count)}

    def call(self, operation: str, **params: Any) -> Any:
        params = {"ServiceNamespace": "ecs", **params}
        if "ScalingActivities" not in operation:
            params = {"ScalableDimension": DIMENSION, **params}
        call = Call(SERVICE, operation, "123456789012", "eu-south-1", params)
        before, after = self.cloud.api.hooks(SERVICE, operation)
        for hook in before:
            hook(call)
        handler = self.cloud.api.handler(SERVICE, operation)
        answer = handler(call) if handler else self._moto(call)
        for hook in after:
            hook(call)
        return answer

    def _moto(self, call: Call) -> None:
        backend, params = self.cloud.backend(SERVICE), call.params
        if call.operation == "RegisterScalableTarget":
            backend.register_scalable_target(
                *(params[m] for m in ("ServiceNamespace", "ResourceId", "ScalableDimension")),
                params.get("MinCapacity"),
                params.get("MaxCapacity"),
                "",
                params.get("SuspendedState"),
            )
        else:
            assert call.operation == "DeregisterScalableTarget"
            backend.deregister_scalable_target("ecs", params["ResourceId"], DIMENSION)

    def register(self, **params: Any) -> None:
        self.call("RegisterScalableTarget", ResourceId=RESOURCE, **params)

    def put(self, name: str = "cpu", **changes: Any) -> Any:
        body = {key: value for key, value in {**CPU, **changes}.items() if value is not None}
        return self.call(
            "PutScalingPolicy",
            PolicyName=name,
            ResourceId=RESOURCE,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=body,
        )

    def minutes(self, count: int, cpu: float | None = None) -> int:
        """Let minutes pass with this CPU utilization; the desired count after them."""
        watch = self.cloud.parts["cloudwatch"]
        for _ in range(count):
            if self.keeps_up:
                self.run(self.service.desired_count)
            if cpu is not None:
                watch.measure("eu-south-1", "AWS/ECS", "CPUUtilization", ECS, [cpu])
            self.seconds += 60
            watch.look()
        return int(self.service.desired_count)

    def activities(self, **params: Any) -> list[dict[str, Any]]:
        answer = self.call("DescribeScalingActivities", ResourceId=RESOURCE, **params)
        found: list[dict[str, Any]] = answer["ScalingActivities"]
        return found

    def alarms(self) -> dict[str, Any]:
        """By the policy's name in short: AlarmHigh or AlarmLow."""
        found = self.cloud.parts["cloudwatch"].alarms.metric_alarms()
        return {alarm.name.split("-")[-6]: alarm for _, alarm in found}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.cloud.backend(SERVICE).reset()
    world.cloud.backend("cloudwatch").reset()


def test_registering_brings_the_desired_count_inside_the_bounds(world: World) -> None:
    world.service.desired_count = 0
    world.register(MinCapacity=2, MaxCapacity=4)
    assert world.service.desired_count == 2
    (activity,) = world.activities()
    assert activity["Cause"] == "minimum capacity was set to 2"
    world.register(MaxCapacity=10, MinCapacity=6)
    world.register(MinCapacity=1, MaxCapacity=3)
    assert world.service.desired_count == 3
    assert world.activities()[0]["Cause"] == "maximum capacity was set to 3"


def test_registering_lowers_nothing_while_a_deployment_is_in_progress(world: World) -> None:
    world.service.desired_count, world.service.deployment = 5, object()
    world.register(MinCapacity=1, MaxCapacity=3)
    assert world.service.desired_count == 5
    world.register(MinCapacity=6, MaxCapacity=9)
    assert world.service.desired_count == 6


def test_an_inactive_service_is_left_alone(world: World) -> None:
    world.service.status, world.service.desired_count = "DRAINING", 0
    world.register(MinCapacity=2, MaxCapacity=4)
    assert world.service.desired_count == 0


@pytest.mark.parametrize("bounds", [{"MinCapacity": 2}, {"MinCapacity": 5, "MaxCapacity": 4}])
def test_bounds_that_make_no_sense_are_refused(world: World, bounds: dict[str, int]) -> None:
    with pytest.raises(AwsError, match="apacity"):
        world.register(**bounds)
    assert world.cloud.backend(SERVICE).targets == {}


def test_a_policy_has_the_alarms_that_aws_makes(world: World) -> None:
    world.register(MinCapacity=2, MaxCapacity=10)
    answer = world.put()
    names = [alarm["AlarmName"] for alarm in answer["Alarms"]]
    assert names[0].startswith("TargetTracking-service/lyo/web-AlarmHigh-")
    assert names[1].startswith("TargetTracking-service/lyo/web-AlarmLow-")
    high, low = world.alarms()["AlarmHigh"], world.alarms()["AlarmLow"]
    assert {k: high.params[k] for k in ("Threshold", "EvaluationPeriods", "Period")} == {
        "Threshold": 60.0,
        "EvaluationPeriods": 3,
        "Period": 60,
    }
    assert (low.params["Threshold"], low.params["EvaluationPeriods"]) == (54.0, 15)
    assert high.params["MetricName"] == "CPUUtilization"
    assert high.params["AlarmActions"] == [answer["PolicyARN"]]


def test_putting_it_again_keeps_arn_names_and_states(world: World) -> None:
    world.register(MinCapacity=2, MaxCapacity=10)
    first = world.put()
    world.minutes(3, cpu=50.0)
    again = world.put(TargetValue=40.0)
    assert again == first
    assert world.alarms()["AlarmHigh"].params["Threshold"] == 40.0
    assert world.alarms()["AlarmHigh"].state_value == "OK"
    world.put(DisableScaleIn=True)
    assert set(world.alarms()) == {"AlarmHigh"}
    world.call("DeleteScalingPolicy", PolicyName="cpu", ResourceId=RESOURCE)
    assert world.alarms() == {}
    with pytest.raises(AwsError) as error:
        world.call("DeleteScalingPolicy", PolicyName="cpu", ResourceId=RESOURCE)
    assert error.value.code == "ObjectNotFoundException"


def test_a_target_takes_its_policies_with_it(world: World) -> None:
    world.register(MinCapacity=2, MaxCapacity=10)
    world.put()
    world.call("DeregisterScalableTarget", ResourceId=RESOURCE)
    assert world.alarms() == {}
    assert world.cloud.backend(SERVICE).policies == {}
    with pytest.raises(AwsError) as error:
        world.put()
    assert error.value.code == "ObjectNotFoundException"


def test_three_minutes_above_the_target_scale_out(world: World) -> None:
    world.register(MinCapacity=2, MaxCapacity=10)
    world.put()
    assert world.minutes(2, cpu=50.0) == 2
    assert world.minutes(2, cpu=90.0) == 2
    assert world.minutes(1, cpu=90.0) == 3
    (activity,) = world.activities()
    assert activity["Description"] == "Setting desired count to 3."
    assert "AlarmHigh" in activity["Cause"]
    assert activity["StatusCode"] == "InProgress"
    world.minutes(1, cpu=50.0)
    (activity,) = world.activities()
    assert activity["StatusCode"] == "Successful"


def test_a_scale_out_cools_down_once_its_tasks_run(world: World) -> None:
    world.register(MinCapacity=2, MaxCapacity=10)
    world.put()
    assert world.minutes(3, cpu=90.0) == 3
    world.keeps_up = False  # the third task takes its time
    assert world.minutes(5, cpu=90.0) == 3
    world.keeps_up = True
    assert world.minutes(2, cpu=65.0) == 3
    assert world.minutes(1, cpu=65.0) == 4  # 120 s after it has succeeded


def test_a_larger_scale_out_does_not_wait(world: World) -> None:
    world.register(MinCapacity=2, MaxCapacity=10)
    world.put()
    assert world.minutes(3, cpu=90.0) == 3
    assert world.minutes(1, cpu=200.0) == 9  # ten are needed: 7 more, 1 of which is just added


def test_fifteen_minutes_below_scale_in_and_cool_down(world: World) -> None:
    world.register(MinCapacity=2, MaxCapacity=10)
    world.put()
    world.service.desired_count = 6
    assert world.minutes(14, cpu=30.0) == 6
    world.keeps_up = False
    world.run(6)
    assert world.minutes(1, cpu=50.0) == 5  # ceil(6 x 50 / 60)
    world.keeps_up = True
    assert world.minutes(4, cpu=30.0) == 5
    assert world.minutes(3, cpu=30.0) == 3


def test_a_deployment_keeps_from_scaling_in_but_not_out(world: World) -> None:
    world.register(MinCapacity=2, MaxCapacity=10)
    world.put()
    world.service.desired_count, world.service.deployment = 4, object()
    assert world.minutes(20, cpu=10.0) == 4
    assert world.activities() == []
    (waiting,) = world.activities(IncludeNotScaledActivities=True)
    code = {"Code": "TargetServicePutResourceAsUnscalable", "CurrentCapacity": 4}
    assert waiting["NotScaledReasons"] == [code]
    assert world.minutes(3, cpu=90.0) == 6
    world.service.deployment = None
    assert world.minutes(20, cpu=10.0) == 2


def test_suspended_scaling_is_caught_up_on_when_it_is_resumed(world: World) -> None:
    suspended = {"DynamicScalingOutSuspended": True}
    world.register(MinCapacity=2, MaxCapacity=10, SuspendedState=suspended)
    world.put()
    assert world.minutes(6, cpu=90.0) == 2
    world.register(SuspendedState={"DynamicScalingOutSuspended": False})
    assert world.minutes(1, cpu=90.0) == 3


def test_at_the_maximum_it_says_so_once(world: World) -> None:
    world.register(MinCapacity=2, MaxCapacity=2)
    world.put()
    assert world.minutes(6, cpu=90.0) == 2
    (full,) = world.activities(IncludeNotScaledActivities=True)
    assert full["NotScaledReasons"] == [{"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 2}]


def test_a_count_set_by_hand_overrides_what_is_under_way(world: World) -> None:
    world.register(MinCapacity=2, MaxCapacity=10)
    world.put()
    world.keeps_up = False
    world.minutes(3, cpu=90.0)
    world.service.desired_count = 5
    world.minutes(1, cpu=50.0)
    assert world.activities()[0]["StatusCode"] == "Overridden"
    assert world.service.desired_count == 5


def test_what_ecs_does_not_fulfil_is_given_up(world: World) -> None:
    world.register(MinCapacity=2, MaxCapacity=10)
    world.put()
    world.keeps_up = False
    world.minutes(3, cpu=90.0)
    world.minutes(16, cpu=58.0)
    assert world.activities()[0]["StatusCode"] == "Unfulfilled"


def test_requests_of_a_target_group_are_tracked(world: World) -> None:
    world.register(MinCapacity=2, MaxCapacity=10)
    metric = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": LABEL}
    world.put("requests", TargetValue=100.0, PredefinedMetricSpecification=metric)
    dimensions = {"LoadBalancer": BALANCER, "TargetGroup": GROUP}
    for _ in range(3):
        world.cloud.parts["cloudwatch"].measure(
            "eu-south-1", "AWS/ApplicationELB", "RequestCountPerTarget", dimensions, [90.0, 90.0]
        )
        world.minutes(1)
    assert world.service.desired_count == 4


def test_metric_math_is_tracked(world: World) -> None:
    world.register(MinCapacity=2, MaxCapacity=10)

    def stat(name: str) -> dict[str, Any]:
        metric = {"Namespace": "N", "MetricName": name}
        return {"Metric": metric, "Stat": "Sum"}

    metrics = [
        {"Id": "each", "Expression": "all / (FILL(blue, 0) + 2)", "ReturnData": True},
        {"Id": "all", "MetricStat": stat("All"), "ReturnData": False},
        {"Id": "blue", "MetricStat": stat("Blue"), "ReturnData": False},
    ]
    world.put(
        TargetValue=10.0,
        PredefinedMetricSpecification=None,
        CustomizedMetricSpecification={"Metrics": metrics},
    )
    for _ in range(3):
        world.cloud.parts["cloudwatch"].measure("eu-south-1", "N", "All", {}, [30.0])
        world.minutes(1)
    assert world.service.desired_count == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"PredefinedMetricSpecification": {"PredefinedMetricType": "ALBRequestCountPerTarget"}},
        {
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "KafkaBrokerStorageUtilization"
            }
        },
        {"PredefinedMetricSpecification": None},
        {"CustomizedMetricSpecification": {"Namespace": "N"}},
        {
            "PredefinedMetricSpecification": None,
            "CustomizedMetricSpecification": {"Namespace": "N", "MetricName": "M"},
        },
    ],
)
def test_a_metric_that_makes_no_sense_is_refused(world: World, changes: dict[str, Any]) -> None:
    world.register(MinCapacity=2, MaxCapacity=10)
    with pytest.raises(AwsError) as error:
        world.put(**changes)
    assert error.value.code == "ValidationException"
    assert world.alarms() == {}


def test_each_policy_has_a_metric_of_its_own(world: World) -> None:
    world.register(MinCapacity=2, MaxCapacity=10)
    world.put()
    with pytest.raises(AwsError, match="Only one TargetTrackingScaling policy"):
        world.put("other")


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("PutScalingPolicy", {"PolicyName": "p", "PolicyType": "StepScaling"}),
        ("PutScalingPolicy", {"PolicyName": "p", "PolicyType": "PredictiveScaling"}),
        ("PutScheduledAction", {}),
        ("RegisterScalableTarget", {"ServiceNamespace": "dynamodb"}),
        ("DescribeScalingActivities", {"ServiceNamespace": "dynamodb"}),
    ],
)
def test_what_is_not_reproduced_is_refused(
    world: World, operation: str, params: dict[str, Any]
) -> None:
    world.register(MinCapacity=2, MaxCapacity=10)
    with pytest.raises(NotReproducedError):
        world.call(operation, ResourceId=RESOURCE, **params)
