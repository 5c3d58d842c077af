"""Application Auto Scaling for ECS services: target tracking on what CloudWatch really measures.

moto keeps scalable targets and policies; bounds, alarms, decisions and activities are ours. Step and
predictive scaling, scheduled actions and other services than ECS are refused.
https://docs.aws.amazon.com/autoscaling/application/APIReference/Welcome.html
"""

from __future__ import annotations

from botocore import xform_name

from localcloud.cloud import Cloud
from localcloud.services.application_autoscaling.policies import Policies
from localcloud.services.application_autoscaling.scaler import Scaler
from localcloud.services.application_autoscaling.tags import SERVICE, ScalableTargetTags
from localcloud.services.application_autoscaling.targets import Targets

_POLICIES = ("PutScalingPolicy", "DeleteScalingPolicy")
_TAGS = {"ListTagsForResource": "list_tags", "TagResource": "tag", "UntagResource": "untag"}
_REFUSED = ("PutScheduledAction", "DeleteScheduledAction", "GetPredictiveScalingForecast")


def register(cloud: Cloud) -> None:
    """Answer what moto lacks, and begin to scale."""
    api = cloud.api
    scaler = Scaler(cloud)
    tags, policies = ScalableTargetTags(cloud), Policies(cloud, scaler)
    targets = Targets(cloud, scaler, policies)
    for operation, method in _TAGS.items():
        api.replace(SERVICE, operation, getattr(tags, method))
    for operation in _POLICIES:
        api.replace(SERVICE, operation, getattr(policies, xform_name(operation)))
    for operation in _REFUSED:
        api.before(SERVICE, operation, policies.refuse)
    api.before(SERVICE, "RegisterScalableTarget", targets.check)
    api.after(SERVICE, "RegisterScalableTarget", targets.registered)
    api.after(SERVICE, "RegisterScalableTarget", tags.registered)
    api.after(SERVICE, "DeregisterScalableTarget", targets.deregistered)
    api.replace(SERVICE, "DescribeScalingActivities", scaler.describe_scaling_activities)
    # CloudWatch, registered later, calls it after each minute.
    cloud.parts[SERVICE] = scaler
