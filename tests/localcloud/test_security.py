"""WAF, GuardDuty's findings and Access Analyzer through their APIs: words are kept, mistakes refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.conftest import RunningCloud

VISIBILITY = {
    "SampledRequestsEnabled": False,
    "CloudWatchMetricsEnabled": True,
    "MetricName": "m",
}
RULE: dict[str, Any] = {
    "Name": "path",
    "Priority": 1,
    "Statement": {
        "ByteMatchStatement": {
            "SearchString": b"/webhook",
            "PositionalConstraint": "EXACTLY",
            "FieldToMatch": {"UriPath": {}},
            "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
        }
    },
    "Action": {"Block": {"CustomResponse": {"ResponseCode": 429}}},
    "VisibilityConfig": VISIBILITY,
}


@pytest.fixture
def waf(cloud: RunningCloud) -> Any:
    return cloud.client("wafv2")


@pytest.fixture
def acl(waf: Any) -> Iterator[dict[str, Any]]:
    made = waf.create_web_acl(
        Name="test",
        Scope="REGIONAL",
        DefaultAction={"Allow": {}},
        Rules=[RULE],
        VisibilityConfig=VISIBILITY,
        Tags=[{"Key": "Owner", "Value": "us"}],
    )["Summary"]
    key = {"Name": "test", "Scope": "REGIONAL", "Id": made["Id"]}
    yield {**key, "ARN": made["ARN"]}
    waf.delete_web_acl(**key, LockToken=waf.get_web_acl(**key)["LockToken"])


@pytest.fixture
def load_balancer(cloud: RunningCloud) -> Iterator[str]:
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.8.{i}.0/24", AvailabilityZone=f"eu-south-1{zone}"
        )["Subnet"]["SubnetId"]
        for i, zone in enumerate("ab")
    ]
    made = elb.create_load_balancer(Name="waf-test", Subnets=subnets)["LoadBalancers"]
    arn = str(made[0]["LoadBalancerArn"])
    yield arn
    elb.delete_load_balancer(LoadBalancerArn=arn)
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_web_acl_is_given_back_as_it_was_made(waf: Any, acl: dict[str, Any]) -> None:
    shown = waf.get_web_acl(Name="test", Scope="REGIONAL", Id=acl["Id"])["WebACL"]
    assert shown["Rules"] == [RULE]
    assert shown["DefaultAction"] == {"Allow": {}}
    assert shown["Capacity"] == 12
    listed = waf.list_web_acls(Scope="REGIONAL")["WebACLs"]
    assert [one["Name"] for one in listed] == ["test"]
    tags = waf.list_tags_for_resource(ResourceARN=acl["ARN"])["TagInfoForResource"]["TagList"]
    assert tags == [{"Key": "Owner", "Value": "us"}]


def test_a_change_needs_the_latest_lock_token(waf: Any, acl: dict[str, Any]) -> None:
    key = {name: acl[name] for name in ("Name", "Scope", "Id")}
    token = waf.get_web_acl(**key)["LockToken"]
    change = {"DefaultAction": {"Block": {}}, "VisibilityConfig": VISIBILITY}
    following = waf.update_web_acl(**key, **change, LockToken=token)["NextLockToken"]
    with pytest.raises(ClientError) as refused:
        waf.update_web_acl(**key, **change, LockToken=token)
    assert code(refused) == "WAFOptimisticLockException"
    shown = waf.get_web_acl(**key)
    assert (shown["LockToken"], shown["WebACL"]["Rules"]) == (following, [])


def test_a_load_balancer_has_one_web_acl(
    waf: Any, acl: dict[str, Any], load_balancer: str, cloud: RunningCloud
) -> None:
    waf.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=load_balancer)
    waf.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=load_balancer)
    shown = waf.get_web_acl_for_resource(ResourceArn=load_balancer)["WebACL"]
    assert shown["ARN"] == acl["ARN"]
    assert waf.list_resources_for_web_acl(WebACLArn=acl["ARN"])["ResourceArns"] == [load_balancer]
    key = {name: acl[name] for name in ("Name", "Scope", "Id")}
    with pytest.raises(ClientError) as refused:
        waf.delete_web_acl(**key, LockToken=waf.get_web_acl(**key)["LockToken"])
    assert code(refused) == "WAFAssociatedItemException"
    waf.disassociate_web_acl(ResourceArn=load_balancer)
    assert "WebACL" not in waf.get_web_acl_for_resource(ResourceArn=load_balancer)
    waf.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=load_balancer)
    cloud.client("elbv2").delete_load_balancer(LoadBalancerArn=load_balancer)
    assert waf.list_resources_for_web_acl(WebACLArn=acl["ARN"])["ResourceArns"] == []


def test_its_log_goes_where_aws_lets_it(waf: Any, acl: dict[str, Any], cloud: RunningCloud) -> None:
    logs = cloud.client("logs")
    for group in ("aws-waf-logs-test", "waf-test"):
        logs.create_log_group(logGroupName=group)
    try:
        prefix = "arn:aws:logs:eu-south-1:123456789012:log-group:"

        def configuration(group: str) -> dict[str, Any]:
            return {
                "ResourceArn": acl["ARN"],
                "LogDestinationConfigs": [f"{prefix}{group}"],
                "RedactedFields": [{"QueryString": {}}, {"SingleHeader": {"Name": "cookie"}}],
            }

        for wrong in ("waf-test", "aws-waf-logs-missing"):
            with pytest.raises(ClientError) as refused:
                waf.put_logging_configuration(LoggingConfiguration=configuration(wrong))
            assert code(refused) == "WAFInvalidParameterException"
        wanted = configuration("aws-waf-logs-test")
        waf.put_logging_configuration(LoggingConfiguration=wanted)
        shown = waf.get_logging_configuration(ResourceArn=acl["ARN"])
        assert shown["LoggingConfiguration"] == wanted
        waf.delete_logging_configuration(ResourceArn=acl["ARN"])
        with pytest.raises(ClientError) as refused:
            waf.get_logging_configuration(ResourceArn=acl["ARN"])
        assert code(refused) == "WAFNonexistentItemException"
    finally:
        for group in ("aws-waf-logs-test", "waf-test"):
            logs.delete_log_group(logGroupName=group)


def test_what_is_not_reproduced_is_refused(waf: Any) -> None:
    with pytest.raises(ClientError) as refused:
        waf.create_ip_set(
            Name="no", Scope="REGIONAL", IPAddressVersion="IPV4", Addresses=["192.0.2.0/24"]
        )
    assert code(refused) == "NotImplemented"
    with pytest.raises(ClientError) as refused:
        waf.list_web_acls(Scope="CLOUDFRONT")
    assert code(refused) == "NotImplemented"


def test_an_account_has_one_analyzer(cloud: RunningCloud) -> None:
    analyzer = cloud.client("accessanalyzer")
    arn = analyzer.create_analyzer(analyzerName="lyo", type="ACCOUNT", tags={"a": "1"})["arn"]
    assert analyzer.get_analyzer(analyzerName="lyo")["analyzer"]["status"] == "ACTIVE"
    with pytest.raises(ClientError) as refused:
        analyzer.create_analyzer(analyzerName="other", type="ACCOUNT")
    assert code(refused) == "ServiceQuotaExceededException"
    analyzer.tag_resource(resourceArn=arn, tags={"b": "2"})
    analyzer.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert analyzer.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}
    analyzer.delete_analyzer(analyzerName="lyo")
    assert analyzer.list_analyzers()["analyzers"] == []
    with pytest.raises(ClientError) as refused:
        analyzer.get_analyzer(analyzerName="lyo")
    assert code(refused) == "ResourceNotFoundException"


def test_a_detector_through_its_api(cloud: RunningCloud) -> None:
    guardduty = cloud.client("guardduty")
    detector = guardduty.create_detector(Enable=True, Tags={"a": "1"})["DetectorId"]
    shown = guardduty.get_detector(DetectorId=detector)
    assert (shown["Status"], shown["Tags"]) == ("ENABLED", {"a": "1"})
    assert shown["DataSources"]["S3Logs"] == {"Status": "ENABLED"}
    guardduty.update_detector(
        DetectorId=detector, Features=[{"Name": "S3_DATA_EVENTS", "Status": "DISABLED"}]
    )
    shown = guardduty.get_detector(DetectorId=detector)
    assert shown["DataSources"]["S3Logs"] == {"Status": "DISABLED"}
    guardduty.delete_detector(DetectorId=detector)
    with pytest.raises(ClientError) as refused:
        guardduty.get_detector(DetectorId=detector)
    assert code(refused) == "BadRequestException"
