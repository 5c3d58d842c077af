"""The network: VPC, subnets of two tiers in two zones at least, a way out of each, flow logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..lyo_aws import parallel
from .findings import Finding, Findings, expect, one
from .target import Target

DEFAULT_ROUTE = "0.0.0.0/0"
# Which attribute of a default route leads out of a subnet of a tier.
GATEWAYS = {"public": "GatewayId", "private": "NatGatewayId"}


def read(target: Target) -> dict[str, Any]:
    """Return what AWS says about the network."""
    aws, tags = target.aws, target.tags
    vpcs, subnets, tables, logs = parallel(
        lambda: aws.all("ec2", "describe_vpcs", "Vpcs", Filters=tags),
        lambda: aws.all("ec2", "describe_subnets", "Subnets", Filters=tags),
        lambda: aws.all("ec2", "describe_route_tables", "RouteTables", Filters=tags),
        lambda: aws.all("ec2", "describe_flow_logs", "FlowLogs", Filters=tags),
    )
    for vpc in vpcs:
        for name in ("enableDnsSupport", "enableDnsHostnames"):
            answer = aws.call("ec2", "describe_vpc_attribute", VpcId=vpc["VpcId"], Attribute=name)
            vpc[name] = answer[name[0].upper() + name[1:]]["Value"]
    return {"vpcs": vpcs, "subnets": subnets, "tables": tables, "flow_logs": logs}


def problems(facts: Mapping[str, Any], expected: Mapping[str, Any]) -> Findings:
    """What is wrong with the network."""
    yield from one(facts["vpcs"], "VPCs")
    for vpc in facts["vpcs"]:
        name = vpc["VpcId"]
        yield from expect(vpc, name, enableDnsSupport=True, enableDnsHostnames=True)
        active = [
            log
            for log in facts["flow_logs"]
            if log["ResourceId"] == name and log["FlowLogStatus"] == "ACTIVE"
        ]
        if expected["flow_logs"] and not active:
            yield Finding(f"{name} flow logs", "none", "ACTIVE")
    for tier, gateway in GATEWAYS.items():
        members = [subnet for subnet in facts["subnets"] if tag(subnet, "Tier") == tier]
        zones = {subnet["AvailabilityZone"] for subnet in members}
        if len(zones) < 2:
            yield Finding(f"zones of the {tier} subnets", sorted(zones), "two at least")
        for subnet in members:
            name = subnet["SubnetId"]
            if not any(leads_out(table, name, gateway) for table in facts["tables"]):
                yield Finding(f"{tier} subnet {name} default route", "none", f"by {gateway}")


def tag(item: Mapping[str, Any], key: str) -> str:
    """The value of a tag, empty without."""
    return next((tag["Value"] for tag in item.get("Tags", []) if tag["Key"] == key), "")


def leads_out(table: Mapping[str, Any], subnet_id: str, gateway: str) -> bool:
    """Whether a route table is the subnet's and has an active default route by that gateway."""
    if not any(a.get("SubnetId") == subnet_id for a in table.get("Associations", [])):
        return False
    return any(
        route.get("DestinationCidrBlock") == DEFAULT_ROUTE
        and route.get("State") == "active"
        and route.get(gateway)
        for route in table.get("Routes", [])
    )
