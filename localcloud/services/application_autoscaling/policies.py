"""Target tracking policies, with the CloudWatch alarms that AWS makes and keeps for each.

https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScalingPolicy.html
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud
from localcloud.services.application_autoscaling.scaler import DIMENSION, Scaler
from localcloud.services.application_autoscaling.tags import SERVICE
from localcloud.services.cloudwatch.expressions import Expression, UnsupportedError

PERIOD = 60
HIGH_PERIODS, LOW_PERIODS = 3, 15
# "Usually more than 10 % lower" than the target value is where scaling in begins.
# https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
LOW_SHARE = 0.9
_BODY = "TargetTrackingScalingPolicyConfiguration"
# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PredefinedMetricSpecification.html
_ECS_METRICS = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
}
_REQUESTS = "ALBRequestCountPerTarget"


def invalid(message: str) -> AwsError:
    """The error for a request that makes no sense."""
    return AwsError("ValidationException", message)


class Policies:
    """The operations on scaling policies."""

    def __init__(self, cloud: Cloud, scaler: Scaler) -> None:
        self._cloud = cloud
        self._scaler = scaler

    def refuse(self, call: Call) -> None:
        """Before what is not reproduced."""
        raise NotReproducedError(SERVICE, call.operation)

    def put_scaling_policy(self, call: Call) -> Mapping[str, Any]:
        """PutScalingPolicy; one that exists keeps its ARN, its alarms' names and their states.

        :raises AwsError: ObjectNotFoundException without a target, ValidationException.
        """
        params = call.params
        resource, name = params["ResourceId"], params["PolicyName"]
        if self._scaler.target(resource) is None:
            raise AwsError(
                "ObjectNotFoundException",
                f"No scalable target registered for service namespace: ecs, resource ID: {resource},"
                f" scalable dimension: {params['ScalableDimension']}",
            )
        known = next((p for p in self._scaler.policies(resource) if p.policy_name == name), None)
        kind = params.get("PolicyType") or (known.policy_type if known else "StepScaling")
        if kind != "TargetTrackingScaling":
            raise NotReproducedError(SERVICE, f"policies of the type {kind}")
        body = params.get(_BODY) or (
            known.target_tracking_scaling_policy_configuration if known else None
        )
        if body is None:
            raise invalid(f"{_BODY} is required for policies of the type {kind}.")
        metric = metric_of(body, resource)
        self._check_other_policies(resource, name, metric)
        backend = self._cloud.backend(SERVICE, call.region)
        policy = backend.put_scaling_policy(name, "ecs", resource, DIMENSION, body, kind)
        policy.delete_alarms(call.account, call.region)  # moto's own stand for nothing
        policy.alarms = []
        if known is not None:
            policy.policy_arn, policy.creation_time = known.policy_arn, known.creation_time
            policy.alarms = known.alarms
        self._put_alarms(call, policy, metric)
        alarms = [{"AlarmName": a.name, "AlarmARN": a.alarm_arn} for a in policy.alarms]
        return {"PolicyARN": policy.policy_arn, "Alarms": alarms}

    def _check_other_policies(self, resource: str, name: str, metric: Mapping[str, Any]) -> None:
        """Refuse a second policy on the same metric: each must have one of its own."""
        for other in self._scaler.policies(resource):
            body = other.target_tracking_scaling_policy_configuration
            if other.policy_name != name and metric_of(body, resource) == metric:
                raise invalid(
                    "Only one TargetTrackingScaling policy for a given metric specification is"
                    f" allowed; {other.policy_name} has it."
                )

    def _put_alarms(self, call: Call, policy: Any, metric: Mapping[str, Any]) -> None:
        body = policy.target_tracking_scaling_policy_configuration
        target = float(body["TargetValue"])
        names = {alarm.name.split("-Alarm")[1][:3]: alarm.name for alarm in policy.alarms}
        wanted = [("High", "GreaterThanThreshold", target, HIGH_PERIODS)]
        if not body.get("DisableScaleIn"):
            wanted.append(("Low", "LessThanThreshold", target * LOW_SHARE, LOW_PERIODS))
        alarms = self._scaler.alarms
        for left in set(names.values()) - {names.get(kind[:3]) for kind, *_ in wanted}:
            alarms.remove_managed(call.region, left)
        policy.alarms = [
            alarms.put_managed(
                call,
                {
                    "AlarmName": names.get(kind[:3])
                    or f"TargetTracking-{policy.resource_id}-Alarm{kind}-{uuid.uuid4()}",
                    "AlarmDescription": "DO NOT EDIT OR DELETE. For TargetTrackingScaling policy "
                    f"{policy.policy_arn}.",
                    "AlarmActions": [policy.policy_arn],
                    "ComparisonOperator": comparison,
                    "Threshold": threshold,
                    "EvaluationPeriods": periods,
                    **metric,
                },
            )
            for kind, comparison, threshold, periods in wanted
        ]

    def delete_scaling_policy(self, call: Call) -> Mapping[str, Any]:
        """DeleteScalingPolicy, and its alarms. Raises ObjectNotFoundException."""
        params = call.params
        resource, name = params["ResourceId"], params["PolicyName"]
        if all(policy.policy_name != name for policy in self._scaler.policies(resource)):
            raise AwsError("ObjectNotFoundException", f"No scaling policy found: {name}")
        self._delete(resource, name)
        return {}

    def forget(self, resource: str) -> None:
        """Delete all policies of a target."""
        for policy in self._scaler.policies(resource):
            self._delete(resource, policy.policy_name)

    def _delete(self, resource: str, name: str) -> None:
        region = self._cloud.settings.region
        self._cloud.backend(SERVICE, region).delete_scaling_policy(name, "ecs", resource, DIMENSION)


def metric_of(body: Mapping[str, Any], resource: str) -> dict[str, Any]:
    """The metric of a configuration, as PutMetricAlarm has it.

    :raises AwsError: ValidationException where there is none, or one that ECS does not have.
    """
    predefined = body.get("PredefinedMetricSpecification")
    customized = body.get("CustomizedMetricSpecification")
    if bool(predefined) == bool(customized):
        raise invalid("Exactly one of a predefined and a customized metric must be specified.")
    if not float(body["TargetValue"]) > 0:
        raise NotReproducedError(SERVICE, "target values that are not above 0")
    if predefined:
        return _predefined(predefined, resource)
    assert customized is not None
    if not customized.get("Metrics"):
        for member in ("MetricName", "Namespace", "Statistic"):
            if not customized.get(member):
                raise invalid(f"{member} is required in a customized metric without Metrics.")
        kept = ("MetricName", "Namespace", "Dimensions", "Statistic", "Unit")
        metric = {key: customized[key] for key in kept if customized.get(key)}
        return {"Dimensions": [], **metric, "Period": PERIOD}
    return {"Metrics": [_query(query) for query in customized["Metrics"]]}


def _predefined(metric: Mapping[str, Any], resource: str) -> dict[str, Any]:
    kind = metric["PredefinedMetricType"]
    _, cluster, service = resource.split("/")
    if kind in _ECS_METRICS:
        namespace, name, statistic = "AWS/ECS", _ECS_METRICS[kind], "Average"
        dimensions = {"ClusterName": cluster, "ServiceName": service}
    elif kind == _REQUESTS:
        # app/<load balancer>/<id>/targetgroup/<target group>/<id>
        balancer, found, group = str(metric.get("ResourceLabel") or "").partition("/targetgroup/")
        if not found or not balancer.startswith("app/"):
            raise invalid(f"{kind} needs the ResourceLabel of load balancer and target group.")
        namespace, name, statistic = "AWS/ApplicationELB", "RequestCountPerTarget", "Sum"
        dimensions = {"LoadBalancer": balancer, "TargetGroup": f"targetgroup/{group}"}
    else:
        raise invalid(f"{kind} is no metric of ECS services.")
    return {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        "Statistic": statistic,
        "Period": PERIOD,
    }


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    """A metric or an expression of metric math, as an alarm has it."""
    kept = {key: query[key] for key in ("Id", "Label", "Expression") if query.get(key)}
    kept["ReturnData"] = query.get("ReturnData", True)
    if query.get("MetricStat"):
        kept["MetricStat"] = {**query["MetricStat"], "Period": PERIOD}
    else:
        try:
            Expression(query.get("Expression") or "")
        except UnsupportedError as error:
            raise NotReproducedError(SERVICE, f"metric math: {error}") from error
    return kept
