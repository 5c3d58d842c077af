"""Cost Explorer: moto's, with Cost Anomaly Detection's monitors and subscriptions. None ever rings.

https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_CreateAnomalyMonitor.html
https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_CreateAnomalySubscription.html
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from botocore import xform_name

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud

SERVICE = "ce"
OPERATIONS = (
    "CreateAnomalyMonitor",
    "GetAnomalyMonitors",
    "UpdateAnomalyMonitor",
    "DeleteAnomalyMonitor",
    "CreateAnomalySubscription",
    "GetAnomalySubscriptions",
    "UpdateAnomalySubscription",
    "DeleteAnomalySubscription",
    "ListTagsForResource",
    "TagResource",
    "UntagResource",
)
_CHANGED = (
    "Threshold",
    "Frequency",
    "MonitorArnList",
    "Subscribers",
    "SubscriptionName",
    "ThresholdExpression",
)


class AnomalyDetection:
    """Monitors, subscriptions and the tags of both; the tags of cost categories stay moto's."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._monitors: dict[str, dict[str, Any]] = {}
        self._subscriptions: dict[str, dict[str, Any]] = {}

    def create_anomaly_monitor(self, call: Call) -> Mapping[str, Any]:
        """CreateAnomalyMonitor. Raises LimitExceededException for a second one of all services.

        https://docs.aws.amazon.com/cost-management/latest/userguide/management-limits.html
        """
        wanted = call.params["AnomalyMonitor"]
        if wanted["MonitorType"] != "DIMENSIONAL":
            raise NotReproducedError(SERVICE, f"monitors of the type {wanted['MonitorType']}")
        if wanted.get("MonitorDimension") != "SERVICE":
            raise AwsError("ValidationException", "A DIMENSIONAL monitor needs MonitorDimension.")
        if self._monitors:
            raise AwsError(
                "LimitExceededException", "Limit exceeded on dimensional spend monitor creation"
            )
        now = self._cloud.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        arn = f"arn:aws:ce::{call.account}:anomalymonitor/{uuid.uuid4()}"
        self._monitors[arn] = {
            "MonitorArn": arn,
            "CreationDate": now,
            "LastUpdatedDate": now,
            "DimensionalValueCount": 0,
            **wanted,
        }
        self._tag(arn, call.params.get("ResourceTags") or [])
        return {"MonitorArn": arn}

    def get_anomaly_monitors(self, call: Call) -> Mapping[str, Any]:
        """GetAnomalyMonitors, all on one page. Raises UnknownMonitorException."""
        arns = call.params.get("MonitorArnList") or list(self._monitors)
        return {"AnomalyMonitors": [self._monitor(arn) for arn in arns]}

    def update_anomaly_monitor(self, call: Call) -> Mapping[str, Any]:
        """UpdateAnomalyMonitor: its name. Raises UnknownMonitorException."""
        monitor = self._monitor(call.params["MonitorArn"])
        monitor["MonitorName"] = call.params.get("MonitorName") or monitor["MonitorName"]
        return {"MonitorArn": monitor["MonitorArn"]}

    def delete_anomaly_monitor(self, call: Call) -> None:
        """DeleteAnomalyMonitor; subscriptions forget it. Raises UnknownMonitorException."""
        arn = self._monitor(call.params["MonitorArn"])["MonitorArn"]
        del self._monitors[arn]
        self._tagger.delete_all_tags_for_resource(arn)
        for subscription in self._subscriptions.values():
            subscription["MonitorArnList"] = [a for a in subscription["MonitorArnList"] if a != arn]

    def create_anomaly_subscription(self, call: Call) -> Mapping[str, Any]:
        """CreateAnomalySubscription. Raises UnknownMonitorException, ValidationException."""
        wanted = call.params["AnomalySubscription"]
        self._check(wanted)
        arn = f"arn:aws:ce::{call.account}:anomalysubscription/{uuid.uuid4()}"
        self._subscriptions[arn] = {"SubscriptionArn": arn, "AccountId": call.account, **wanted}
        self._tag(arn, call.params.get("ResourceTags") or [])
        return {"SubscriptionArn": arn}

    def get_anomaly_subscriptions(self, call: Call) -> Mapping[str, Any]:
        """GetAnomalySubscriptions, all on one page. Raises UnknownSubscriptionException."""
        arns = call.params.get("SubscriptionArnList") or list(self._subscriptions)
        found = [self._subscription(arn) for arn in arns]
        monitor = call.params.get("MonitorArn")
        return {
            "AnomalySubscriptions": [
                s for s in found if monitor is None or monitor in s["MonitorArnList"]
            ]
        }

    def update_anomaly_subscription(self, call: Call) -> Mapping[str, Any]:
        """UpdateAnomalySubscription. Raises UnknownSubscriptionException, ValidationException."""
        subscription = self._subscription(call.params["SubscriptionArn"])
        changed = {name: call.params[name] for name in _CHANGED if name in call.params}
        self._check(subscription | changed)
        subscription.update(changed)
        return {"SubscriptionArn": subscription["SubscriptionArn"]}

    def delete_anomaly_subscription(self, call: Call) -> None:
        """DeleteAnomalySubscription. Raises UnknownSubscriptionException."""
        arn = self._subscription(call.params["SubscriptionArn"])["SubscriptionArn"]
        del self._subscriptions[arn]
        self._tagger.delete_all_tags_for_resource(arn)

    def list_tags_for_resource(self, call: Call) -> Mapping[str, Any]:
        """ListTagsForResource. Raises ResourceNotFoundException."""
        arn = self._resource(call)
        return {"ResourceTags": self._tagger.list_tags_for_resource(arn)["Tags"]}

    def tag_resource(self, call: Call) -> None:
        """TagResource. Raises ResourceNotFoundException."""
        self._tag(self._resource(call), call.params["ResourceTags"])

    def untag_resource(self, call: Call) -> None:
        """UntagResource. Raises ResourceNotFoundException."""
        self._tagger.untag_resource_using_names(
            self._resource(call), call.params["ResourceTagKeys"]
        )

    @property
    def _tagger(self) -> Any:
        return self._cloud.backend(SERVICE).tagger

    def _tag(self, arn: str, tags: list[dict[str, str]]) -> None:
        if tags:
            self._tagger.tag_resource(arn, tags)

    def _resource(self, call: Call) -> str:
        arn: str = call.params["ResourceArn"]
        known = {
            *self._monitors,
            *self._subscriptions,
            *self._cloud.backend(SERVICE).cost_categories,
        }
        if arn not in known:
            raise AwsError("ResourceNotFoundException", f"There is no resource {arn}")
        return arn

    def _monitor(self, arn: str) -> dict[str, Any]:
        if arn not in self._monitors:
            raise AwsError("UnknownMonitorException", f"There is no monitor {arn}")
        return self._monitors[arn]

    def _subscription(self, arn: str) -> dict[str, Any]:
        if arn not in self._subscriptions:
            raise AwsError("UnknownSubscriptionException", f"There is no subscription {arn}")
        return self._subscriptions[arn]

    def _check(self, wanted: Mapping[str, Any]) -> None:
        """Refuse a subscription that AWS refuses: what SNS and email are told how often."""
        for arn in wanted["MonitorArnList"]:
            self._monitor(arn)
        kinds = {subscriber["Type"] for subscriber in wanted["Subscribers"]}
        if "SNS" in kinds and wanted["Frequency"] != "IMMEDIATE":
            raise AwsError("ValidationException", "SNS subscribers need the frequency IMMEDIATE")
        if "EMAIL" in kinds and wanted["Frequency"] == "IMMEDIATE":
            raise AwsError("ValidationException", "Email subscribers need DAILY or WEEKLY")
        if (wanted.get("Threshold") is None) == (not wanted.get("ThresholdExpression")):
            raise AwsError(
                "ValidationException", "Exactly one of Threshold and ThresholdExpression is needed"
            )


def register(cloud: Cloud) -> None:
    """Add what moto lacks."""
    detection = AnomalyDetection(cloud)
    for operation in OPERATIONS:
        cloud.api.replace(SERVICE, operation, getattr(detection, xform_name(operation)))
