"""EC2: moto's, with the description of a security group rule that names another group.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
"""

from __future__ import annotations

from moto.ec2.models.security_groups import SecurityGroupRule

from localcloud.cloud import Cloud


def _description(rule: SecurityGroupRule) -> str | None:
    """moto keeps it with what the rule points at, and looks at address ranges only."""
    for kept in (rule.ip_range, rule.source_group):
        if "Description" in kept:
            return kept["Description"]
    return None


def register(cloud: Cloud) -> None:  # noqa: ARG001 - every service registers with its cloud
    """Extend moto's rules."""
    SecurityGroupRule.description = property(_description)  # type: ignore[method-assign,assignment]
