"""What is left in a local cloud is found, whatever service and region it is in."""

from __future__ import annotations

from typing import Any

from tests.localcloud.conftest import RunningCloud
from tests.localcloud.leftovers import Finder, identity, items


def test_what_is_made_is_found_until_it_is_deleted(cloud: RunningCloud) -> None:
    finder = Finder(cloud.content, ("eu-south-1", "us-east-1"))
    before = finder.look()
    assert any(item.operation == "DescribeVpcs" for item in before), "nothing listed at all"

    topic = cloud.client("sns").create_topic(Name="left-behind")["TopicArn"]
    cloud.client("ssm").put_parameter(Name="/left/behind", Value="x", Type="String")
    zone = cloud.client("route53").create_hosted_zone(Name="left.test", CallerReference="x")
    key = cloud.client("kms").create_key()["KeyMetadata"]["KeyId"]
    after = finder.look() - before
    assert {(item.service, item.operation) for item in after} >= {
        ("sns", "ListTopics"),
        ("ssm", "DescribeParameters"),
        ("route53", "ListHostedZones"),
        ("kms", "ListKeys"),
    }
    assert {item.region for item in after if item.service == "sns"} == {"eu-south-1"}

    cloud.client("sns").delete_topic(TopicArn=topic)
    cloud.client("ssm").delete_parameter(Name="/left/behind")
    cloud.client("route53").delete_hosted_zone(Id=zone["HostedZone"]["Id"])
    cloud.client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert finder.look() - before == set()


def test_identities_are_names_and_ids() -> None:
    entry: dict[str, Any] = {"Arn": "arn:x", "Name": "n", "Size": 3, "Tags": [], "State": "up"}
    assert identity(entry) == "arn:x n"
    assert identity("plain") == "plain"
    assert list(items({"List": {"Items": [entry]}, "Marker": "m", "More": ["a"]})) == [
        "arn:x n",
        "a",
    ]
