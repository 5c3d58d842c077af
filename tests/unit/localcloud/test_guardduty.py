"""GuardDuty's detector: one a region, features switched one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud
from localcloud.services.guardduty import GuardDuty
from localcloud.settings import Settings


@pytest.fixture
def guardduty(tmp_path: Path) -> GuardDuty:
    return GuardDuty(Cloud(Settings(85, tmp_path)))


def call(operation: str, region: str = "eu-south-1", **params: Any) -> Call:
    return Call("guardduty", operation, "123456789012", region, params)


def create(guardduty: GuardDuty, **more: Any) -> str:
    made = guardduty.create_detector(call("CreateDetector", Enable=True, **more))
    return str(made["DetectorId"])


def features(guardduty: GuardDuty, detector: str) -> dict[str, str]:
    shown = guardduty.get_detector(call("GetDetector", DetectorId=detector))["Features"]
    return {feature["Name"]: feature["Status"] for feature in shown}


def switch(guardduty: GuardDuty, detector: str, *wanted: dict[str, Any]) -> None:
    guardduty.update_detector(call("UpdateDetector", DetectorId=detector, Features=list(wanted)))


def test_a_new_detector_has_everything_on_that_needs_no_agent(guardduty: GuardDuty) -> None:
    off = {name for name, on in features(guardduty, create(guardduty)).items() if on == "DISABLED"}
    assert off == {"EKS_RUNTIME_MONITORING", "RUNTIME_MONITORING"}


def test_a_region_has_one(guardduty: GuardDuty) -> None:
    first = create(guardduty)
    with pytest.raises(AwsError, match="already exists"):
        create(guardduty)
    guardduty.create_detector(call("CreateDetector", "us-east-1", Enable=True))
    assert guardduty.list_detectors(call("ListDetectors"))["DetectorIds"] == [first]
    with pytest.raises(AwsError, match="not owned"):
        guardduty.get_detector(call("GetDetector", "us-east-1", DetectorId=first))


def test_one_feature_is_switched_and_the_others_stay(guardduty: GuardDuty) -> None:
    detector = create(guardduty)
    before = features(guardduty, detector)
    switch(guardduty, detector, {"Name": "EKS_AUDIT_LOGS", "Status": "DISABLED"})
    assert features(guardduty, detector) == before | {"EKS_AUDIT_LOGS": "DISABLED"}


def test_agents_are_always_shown_in_the_same_order(guardduty: GuardDuty) -> None:
    detector = create(guardduty)
    agents = [
        {"Name": "EC2_AGENT_MANAGEMENT", "Status": "DISABLED"},
        {"Name": "ECS_FARGATE_AGENT_MANAGEMENT", "Status": "ENABLED"},
    ]
    wanted = {"Name": "RUNTIME_MONITORING", "Status": "ENABLED", "AdditionalConfiguration": agents}
    switch(guardduty, detector, wanted)
    shown = guardduty.get_detector(call("GetDetector", DetectorId=detector))["Features"]
    (runtime,) = [one for one in shown if one["Name"] == "RUNTIME_MONITORING"]
    assert [(one["Name"], one["Status"]) for one in runtime["AdditionalConfiguration"]] == [
        ("EKS_ADDON_MANAGEMENT", "DISABLED"),
        ("ECS_FARGATE_AGENT_MANAGEMENT", "ENABLED"),
        ("EC2_AGENT_MANAGEMENT", "DISABLED"),
    ]


@pytest.mark.parametrize(
    ("names", "agent"),
    [
        (("S3_DATA_EVENTS", "AI_PROTECTION"), None),
        (("EKS_RUNTIME_MONITORING", "RUNTIME_MONITORING"), None),
        (("S3_DATA_EVENTS", "EKS_AUDIT_LOGS"), "EC2_AGENT_MANAGEMENT"),
    ],
)
def test_nothing_is_switched_when_one_is_refused(
    guardduty: GuardDuty, names: tuple[str, ...], agent: str | None
) -> None:
    detector = create(guardduty)
    before = features(guardduty, detector)
    more = {"AdditionalConfiguration": [{"Name": agent, "Status": "ENABLED"}]} if agent else {}
    status = "DISABLED" if agent else "ENABLED"
    with pytest.raises((AwsError, NotReproducedError)):
        switch(guardduty, detector, *({"Name": name, "Status": status, **more} for name in names))
    assert features(guardduty, detector) == before


def test_a_deleted_detector_is_gone(guardduty: GuardDuty) -> None:
    detector = create(guardduty, Tags={"Owner": "us"})
    arn = f"arn:aws:guardduty:eu-south-1:123456789012:detector/{detector}"
    guardduty.tag_resource(call("TagResource", ResourceArn=arn, Tags={"More": "1"}))
    guardduty.untag_resource(call("UntagResource", ResourceArn=arn, TagKeys=["Owner"]))
    shown = guardduty.list_tags_for_resource(call("ListTagsForResource", ResourceArn=arn))
    assert shown == {"Tags": {"More": "1"}}
    guardduty.delete_detector(call("DeleteDetector", DetectorId=detector))
    with pytest.raises(AwsError, match="not owned"):
        guardduty.delete_detector(call("DeleteDetector", DetectorId=detector))
