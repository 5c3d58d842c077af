"""GuardDuty: the region's detector and its features, kept as words; nothing is ever found.

https://docs.aws.amazon.com/guardduty/latest/APIReference/Welcome.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud

ON, OFF = "ENABLED", "DISABLED"
# Always on, and nobody's to switch.
_FOUNDATION = ("CLOUD_TRAIL", "DNS_LOGS", "FLOW_LOGS")
# A new detector has all of these on but runtime monitoring, which wants agents.
# https://docs.aws.amazon.com/guardduty/latest/APIReference/API_CreateDetector.html
_FEATURES = {
    "S3_DATA_EVENTS": ON,
    "EKS_AUDIT_LOGS": ON,
    "EBS_MALWARE_PROTECTION": ON,
    "RDS_LOGIN_EVENTS": ON,
    "LAMBDA_NETWORK_LOGS": ON,
    "EKS_RUNTIME_MONITORING": OFF,
    "RUNTIME_MONITORING": OFF,
}
_AGENTS = {
    "EKS_RUNTIME_MONITORING": ("EKS_ADDON_MANAGEMENT",),
    "RUNTIME_MONITORING": (
        "EKS_ADDON_MANAGEMENT",
        "ECS_FARGATE_AGENT_MANAGEMENT",
        "EC2_AGENT_MANAGEMENT",
    ),
}


@dataclass
class _Feature:
    status: str
    updated: datetime
    agents: dict[str, tuple[str, datetime]]

    def shown(self, name: str) -> dict[str, Any]:
        shown: dict[str, Any] = {"Name": name, "Status": self.status, "UpdatedAt": self.updated}
        if self.agents:
            shown["AdditionalConfiguration"] = [
                {"Name": agent, "Status": status, "UpdatedAt": at}
                for agent, (status, at) in self.agents.items()
            ]
        return shown


@dataclass
class _Detector:
    id: str
    region: str
    enabled: bool
    frequency: str
    tags: dict[str, str]
    created: datetime
    updated: datetime
    features: dict[str, _Feature]


class GuardDuty:
    """Answers each operation by a method of its name in snake case."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._detectors: dict[str, _Detector] = {}

    def create_detector(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/guardduty/latest/APIReference/API_CreateDetector.html."""
        params = call.params
        if any(detector.region == call.region for detector in self._detectors.values()):
            raise _refused("a detector already exists for the current account.")
        now = self._cloud.clock.now()
        detector = _Detector(
            id=uuid4().hex,
            region=call.region,
            enabled=params["Enable"],
            frequency=params.get("FindingPublishingFrequency", "SIX_HOURS"),
            tags=dict(params.get("Tags") or {}),
            created=now,
            updated=now,
            features={
                name: _Feature(status, now, dict.fromkeys(_AGENTS.get(name, ()), (OFF, now)))
                for name, status in _FEATURES.items()
            },
        )
        self._change(detector, params)
        self._detectors[detector.id] = detector
        return {"DetectorId": detector.id}

    def list_detectors(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/guardduty/latest/APIReference/API_ListDetectors.html."""
        here = [one.id for one in self._detectors.values() if one.region == call.region]
        return {"DetectorIds": here}

    def get_detector(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/guardduty/latest/APIReference/API_GetDetector.html."""
        detector = self._detector(call)
        features = detector.features

        def status(name: str) -> dict[str, Any]:
            return {"Status": features[name].status}

        foundation = [
            {"Name": name, "Status": ON, "UpdatedAt": detector.created} for name in _FOUNDATION
        ]
        return {
            "CreatedAt": detector.created.isoformat(),
            "UpdatedAt": detector.updated.isoformat(),
            "FindingPublishingFrequency": detector.frequency,
            "ServiceRole": f"arn:aws:iam::{call.account}:role/aws-service-role/"
            "guardduty.amazonaws.com/AWSServiceRoleForAmazonGuardDuty",
            "Status": ON if detector.enabled else OFF,
            "Tags": detector.tags,
            "Features": foundation + [one.shown(name) for name, one in features.items()],
            # The features' older form, which the API still shows.
            "DataSources": {
                "CloudTrail": {"Status": ON},
                "DNSLogs": {"Status": ON},
                "FlowLogs": {"Status": ON},
                "S3Logs": status("S3_DATA_EVENTS"),
                "Kubernetes": {"AuditLogs": status("EKS_AUDIT_LOGS")},
                "MalwareProtection": {
                    "ScanEc2InstanceWithFindings": {"EbsVolumes": status("EBS_MALWARE_PROTECTION")}
                },
            },
        }

    def update_detector(self, call: Call) -> None:
        """https://docs.aws.amazon.com/guardduty/latest/APIReference/API_UpdateDetector.html."""
        detector, params = self._detector(call), call.params
        self._change(detector, params)
        detector.enabled = params.get("Enable", detector.enabled)
        detector.frequency = params.get("FindingPublishingFrequency", detector.frequency)
        detector.updated = self._cloud.clock.now()

    def delete_detector(self, call: Call) -> None:
        """https://docs.aws.amazon.com/guardduty/latest/APIReference/API_DeleteDetector.html."""
        del self._detectors[self._detector(call).id]

    def list_tags_for_resource(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/guardduty/latest/APIReference/API_ListTagsForResource.html."""
        return {"Tags": self._tagged(call).tags}

    def tag_resource(self, call: Call) -> None:
        """https://docs.aws.amazon.com/guardduty/latest/APIReference/API_TagResource.html."""
        self._tagged(call).tags.update(call.params["Tags"])

    def untag_resource(self, call: Call) -> None:
        """https://docs.aws.amazon.com/guardduty/latest/APIReference/API_UntagResource.html."""
        tags = self._tagged(call).tags
        for key in call.params["TagKeys"]:
            tags.pop(key, None)

    def _change(self, detector: _Detector, params: Mapping[str, Any]) -> None:
        """Switch the features that the call names; nothing is switched when one is refused."""
        if params.get("DataSources"):
            raise NotReproducedError("guardduty", "data sources, the older form of features")
        wanted = params.get("Features") or []
        for feature in wanted:
            if feature["Name"] not in detector.features:
                raise NotReproducedError("guardduty", f"the feature {feature['Name']}")
            for agent in feature.get("AdditionalConfiguration") or []:
                if agent["Name"] not in detector.features[feature["Name"]].agents:
                    raise _refused(f"{feature['Name']} has no {agent['Name']}.")
        switched_on = {one["Name"] for one in wanted if one["Status"] == ON}
        if {"EKS_RUNTIME_MONITORING", "RUNTIME_MONITORING"} <= switched_on:
            raise _refused("runtime monitoring includes that of EKS: switch on one of the two.")
        now = self._cloud.clock.now()
        for feature in wanted:
            kept = detector.features[feature["Name"]]
            kept.status, kept.updated = feature["Status"], now
            for agent in feature.get("AdditionalConfiguration") or []:
                kept.agents[agent["Name"]] = (agent["Status"], now)

    def _detector(self, call: Call) -> _Detector:
        return self._find(call.params["DetectorId"], call.region)

    def _find(self, identifier: str, region: str) -> _Detector:
        detector = self._detectors.get(identifier)
        if detector is None or detector.region != region:
            raise _refused("the input detectorId is not owned by the current account.")
        return detector

    def _tagged(self, call: Call) -> _Detector:
        kind, _, identifier = call.params["ResourceArn"].split(":")[-1].partition("/")
        if kind != "detector" or "/" in identifier:
            raise NotReproducedError("guardduty", f"tags of {call.params['ResourceArn']}")
        return self._find(identifier, call.region)


def _refused(why: str) -> AwsError:
    return AwsError("BadRequestException", f"The request is rejected because {why}")


def register(cloud: Cloud) -> None:
    """Answer the whole service."""
    cloud.api.replace_service("guardduty", GuardDuty(cloud))
