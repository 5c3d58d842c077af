"""What somebody outside needs of a local cloud: exports, and a picture of what runs."""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError


def session(cloud: dict[str, Any]) -> boto3.Session:
    """A boto3 session with the local cloud's credentials; clients need `endpoint_url` too."""
    return boto3.Session(
        aws_access_key_id=cloud["access_key_id"],
        aws_secret_access_key=cloud["secret_access_key"],
        region_name=cloud["region"],
    )


def client(cloud: dict[str, Any], service: str, region: str | None = None) -> Any:
    """A boto3 client that can only reach this local cloud. region: another than the cloud's."""
    return session(cloud).client(
        service,  # type: ignore[call-overload]
        region_name=region,
        endpoint_url=cloud["endpoint"],
        config=Config(
            retries={"max_attempts": 2, "mode": "standard"}, connect_timeout=3, read_timeout=20
        ),
    )


def outputs(cloud: dict[str, Any]) -> dict[str, Any]:
    """What Terraform has published for the runbooks, {} before the first deployment."""
    try:
        value = client(cloud, "ssm").get_parameter(Name="/lyo/local/outputs")["Parameter"]["Value"]
    except (ClientError, BotoCoreError):
        return {}
    content: dict[str, Any] = json.loads(value)
    return content


def exports(cloud: dict[str, Any]) -> dict[str, str]:
    """Environment variables with which any AWS client or load generator can use the cloud."""
    published = outputs(cloud)
    variables = {
        "AWS_ENDPOINT_URL": cloud["endpoint"],
        "AWS_REGION": cloud["region"],
        "AWS_DEFAULT_REGION": cloud["region"],
        "AWS_ACCESS_KEY_ID": cloud["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": cloud["secret_access_key"],
        "AWS_EC2_METADATA_DISABLED": "true",
        "LOCALCLOUD_STATE": cloud["state_dir"],
        "LYO_CA_BUNDLE": cloud["ca_bundle"],
    }
    for variable, output in (
        ("LYO_API_URL", "api_url"),
        ("LYO_TEST_URL", "test_url"),
        ("LYO_DASHBOARD_URL", "dashboard_url"),
    ):
        if published.get(output):
            variables[variable] = published[output]
    return variables


def status(cloud: dict[str, Any]) -> dict[str, Any]:
    """What runs: services with their tasks, target health, databases, caches, distributions."""
    ecs, elb = client(cloud, "ecs"), client(cloud, "elbv2")
    services = []
    for cluster in ecs.list_clusters()["clusterArns"]:
        names = ecs.list_services(cluster=cluster)["serviceArns"]
        described = (
            ecs.describe_services(cluster=cluster, services=names)["services"] if names else []
        )
        services += [
            {
                "service": service["serviceName"],
                "running": service["runningCount"],
                "desired": service["desiredCount"],
                "task_definition": service.get("taskDefinition", "").rsplit("/", 1)[-1],
            }
            for service in described
        ]
    targets = []
    for group in elb.describe_target_groups()["TargetGroups"]:
        health = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])
        states = [entry["TargetHealth"]["State"] for entry in health["TargetHealthDescriptions"]]
        targets.append({"target_group": group["TargetGroupName"], "targets": states})
    databases = [
        {
            "database": instance["DBInstanceIdentifier"],
            "status": instance["DBInstanceStatus"],
            "endpoint": _endpoint(instance.get("Endpoint")),
        }
        for instance in client(cloud, "rds").describe_db_instances()["DBInstances"]
    ]
    caches = [
        {"cache": group["ReplicationGroupId"], "status": group["Status"]}
        for group in client(cloud, "elasticache").describe_replication_groups()["ReplicationGroups"]
    ]
    cloudfront = client(cloud, "cloudfront")
    distributions = [
        {
            "distribution": entry["Id"],
            "status": entry["Status"],
            "address": entry["DomainName"],
            "aliases": entry["Aliases"].get("Items", []),
        }
        for entry in cloudfront.list_distributions()["DistributionList"].get("Items", [])
    ]
    return {
        "cloud": {
            key: cloud[key] for key in ("number", "endpoint", "speed", "state_dir", "api_pid")
        },
        "urls": {key: value for key, value in exports(cloud).items() if key.startswith("LYO_")},
        "services": services,
        "target_groups": targets,
        "databases": databases,
        "caches": caches,
        "distributions": distributions,
    }


def _endpoint(endpoint: dict[str, Any] | None) -> str | None:
    return f"{endpoint['Address']}:{endpoint['Port']}" if endpoint else None


def status_lines(report: dict[str, Any]) -> list[str]:
    """The report for people."""
    cloud = report["cloud"]
    lines = [
        f"localcloud {cloud['number']}  {cloud['endpoint']}  speed {cloud['speed']:g}  pid {cloud['api_pid']}"
    ]
    lines += [f"  {name:<18} {value}" for name, value in report["urls"].items()]
    for entry in report["services"]:
        lines.append(
            f"  service {entry['service']}: {entry['running']}/{entry['desired']} tasks of {entry['task_definition']}"
        )
    for entry in report["target_groups"]:
        lines.append(f"  targets {entry['target_group']}: {', '.join(entry['targets']) or 'none'}")
    for entry in report["databases"]:
        lines.append(
            f"  database {entry['database']}: {entry['status']} at {entry['endpoint'] or '-'}"
        )
    lines += [f"  cache {entry['cache']}: {entry['status']}" for entry in report["caches"]]
    for entry in report["distributions"]:
        names = f" for {', '.join(entry['aliases'])}" if entry["aliases"] else ""
        lines.append(
            f"  distribution {entry['distribution']}: {entry['status']} at {entry['address']}{names}"
        )
    return lines
