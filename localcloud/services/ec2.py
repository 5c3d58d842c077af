"""EC2: moto's, with the description of a security group rule that names another group, and without
the network interfaces of NAT gateways that are gone.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-working-with.html
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.security_groups import SecurityGroupRule

from localcloud.api import Call
from localcloud.cloud import Cloud


def _description(rule: SecurityGroupRule) -> str | None:
    """moto keeps it with what the rule points at, and looks at address ranges only."""
    for kept in (rule.ip_range, rule.source_group):
        if "Description" in kept:
            return kept["Description"]
    return None


def forget_interfaces(backend: Any, nat_gateway_id: str) -> None:
    """Delete a NAT gateway's network interfaces; moto would keep them and their addresses."""
    for address in backend.nat_gateways[nat_gateway_id].address_set:
        backend.enis.pop(address["networkInterfaceId"], None)


def register(cloud: Cloud) -> None:
    """Extend moto's rules and NAT gateways."""
    SecurityGroupRule.description = property(_description)  # type: ignore[method-assign,assignment]

    def deleted(call: Call) -> None:
        forget_interfaces(cloud.backend("ec2", call.region), call.params["NatGatewayId"])

    cloud.api.after("ec2", "DeleteNatGateway", deleted)
