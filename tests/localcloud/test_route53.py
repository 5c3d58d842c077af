"""Route 53 in front of a load balancer and a distribution: health checks and failover."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.localcloud.conftest import RunningCloud
from tests.localcloud.edge_harness import Edge, Failover, Target, global_client
from tests.localcloud.test_acm import error, issued, wait
from tests.localcloud.test_elbv2 import Stage


@pytest.fixture
def edge(cloud: RunningCloud) -> Iterator[Edge]:
    made = Edge(cloud)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def failover(cloud: RunningCloud, edge: Edge) -> Iterator[Failover]:
    target = Target(f"127.{cloud.number}.250.9", "at your service")
    target.start()
    made = Failover(edge, Stage(cloud), target)
    made.prepare()
    try:
        yield made
    finally:
        made.close()


def datapoints(cloud: RunningCloud, name: str, health_check: str) -> list[float]:
    now = datetime.now(UTC)
    found = global_client(cloud, "cloudwatch").get_metric_statistics(
        Namespace="AWS/Route53",
        MetricName=name,
        Dimensions=[{"Name": "HealthCheckId", "Value": health_check}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=["Minimum"],
    )["Datapoints"]
    return [point["Minimum"] for point in found]


def test_the_answer_follows_the_health_check(failover: Failover) -> None:
    page = failover.edge.sorry(failover.name, issued(failover.edge.acm, failover.name))
    failover.records(page["DomainName"], evaluate=False)
    balancer = failover.stage.address
    wait(lambda: len(failover.statuses()) == 3 and all("200" in s for s in failover.statuses()))
    assert failover.answer() == [balancer]
    wait(lambda: datapoints(failover.edge.cloud, "HealthCheckStatus", failover.health_check) == [1])

    failover.target.stop()
    wait(lambda: failover.answer() == [page["DomainName"]], 20)
    reasons = failover.route53.get_health_check_last_failure_reason(
        HealthCheckId=failover.health_check
    )["HealthCheckObservations"]
    assert {reason["StatusReport"]["Status"][:8] for reason in reasons} == {"Failure:"}
    answer = failover.edge.fetch(failover.answer()[0], failover.name, "POST", "/webhooks")
    assert (answer.status, answer.body) == (503, f"POST {failover.name}")
    wait(lambda: 0 in datapoints(failover.edge.cloud, "HealthCheckStatus", failover.health_check))
    share = "HealthCheckPercentageHealthy"
    assert 0 in datapoints(failover.edge.cloud, share, failover.health_check)

    failover.target.start()
    wait(lambda: failover.answer() == [balancer], 20)
    aaaa = failover.route53.test_dns_answer(
        HostedZoneId=failover.zone, RecordName=failover.name, RecordType="AAAA"
    )
    assert (aaaa["ResponseCode"], aaaa["RecordData"]) == ("NOERROR", [])


def test_target_health_is_that_of_every_target_group(failover: Failover) -> None:
    page = failover.edge.sorry(failover.name, issued(failover.edge.acm, failover.name))
    failover.records(page["DomainName"], evaluate=True)
    wait(lambda: failover.answer() == [failover.stage.address])
    # An idle group beside it, as between two releases, is enough to turn the answer.
    idle = failover.stage.group("green")
    failover.stage.listener(80, {"Type": "forward", "TargetGroupArn": idle})
    assert failover.answer() == [page["DomainName"]]
    failover.stage.elb.register_targets(
        TargetGroupArn=idle, Targets=[{"Id": failover.target.address, "Port": 8080}]
    )
    wait(lambda: failover.answer() == [failover.stage.address])
    failover.target.stop()
    wait(lambda: failover.answer() == [page["DomainName"]], 20)


def test_records_are_listed_changed_and_deleted_by_name_type_and_identifier(
    failover: Failover,
) -> None:
    page = failover.edge.create(None, None)
    failover.records(page["DomainName"], evaluate=False)
    route53, zone = failover.route53, failover.zone
    listed = route53.list_resource_record_sets(HostedZoneId=zone, MaxItems="3")
    assert listed["IsTruncated"]
    rest = route53.list_resource_record_sets(
        HostedZoneId=zone,
        StartRecordName=listed["NextRecordName"],
        StartRecordType=listed["NextRecordType"],
        StartRecordIdentifier=listed["NextRecordIdentifier"],
    )
    records = listed["ResourceRecordSets"] + rest["ResourceRecordSets"]
    assert [(r["Type"], r.get("SetIdentifier")) for r in records] == [
        ("NS", None),
        ("SOA", None),
        ("A", "PRIMARY"),
        ("A", "SECONDARY"),
        ("AAAA", "PRIMARY"),
        ("AAAA", "SECONDARY"),
    ]

    def delete(record: Any) -> None:
        route53.change_resource_record_sets(
            HostedZoneId=zone,
            ChangeBatch={"Changes": [{"Action": "DELETE", "ResourceRecordSet": record}]},
        )

    assert error(lambda: route53.delete_hosted_zone(Id=zone)) == "HostedZoneNotEmpty"
    for record in records[2:]:
        delete(record)
    assert error(lambda: delete(records[2])) == "InvalidChangeBatch"
    left = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert [record["Type"] for record in left] == ["NS", "SOA"]
    route53.delete_hosted_zone(Id=zone)
    assert error(failover.answer) == "NoSuchHostedZone"


def test_days_to_expiry_are_told_in_the_certificate_s_region(edge: Edge) -> None:
    arn = issued(edge.acm, f"expiry.{edge.domain}")
    now = datetime.now(UTC)

    def days(client: Any) -> list[float]:
        points = client.get_metric_statistics(
            Namespace="AWS/CertificateManager",
            MetricName="DaysToExpiry",
            Dimensions=[{"Name": "CertificateArn", "Value": arn}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=5),
            Period=300,
            Statistics=["Minimum"],
        )["Datapoints"]
        return [point["Minimum"] for point in points]

    client = global_client(edge.cloud, "cloudwatch")
    wait(lambda: bool(days(client)))
    expiry = edge.acm.describe_certificate(CertificateArn=arn)["Certificate"]["NotAfter"]
    assert days(client) == [(expiry - datetime.now(UTC)).days]
    assert days(edge.cloud.client("cloudwatch")) == []


def test_what_nobody_answers_is_refused_and_not_just_not_found(cloud: RunningCloud) -> None:
    route53 = cloud.client("route53")
    assert error(lambda: route53.create_traffic_policy(Name="x", Document="{}")) == "NotImplemented"
