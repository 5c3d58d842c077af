"""Pieces of `terraform show -json` documents, as Terraform 1.11 writes them."""

from __future__ import annotations

from typing import Any


def resource(address: str, *actions: str, **change: Any) -> dict[str, Any]:
    """One entry of `resource_changes`; `change` holds before, after, after_unknown, ..."""
    parts = address.split(".")
    module = ".".join(parts[:-2])
    entry = {
        "address": address,
        "mode": change.pop("mode", "managed"),
        "type": parts[-2],
        "name": parts[-1],
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": {
            "actions": list(actions),
            "before": None,
            "after": {},
            "after_unknown": {},
            "before_sensitive": False,
            "after_sensitive": {},
            **change,
        },
    }
    if module:
        entry["module_address"] = module
    return entry


def document(*resources: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """A whole plan document."""
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "resource_changes": list(resources),
        "output_changes": {},
        **rest,
    }


FIRST_DEPLOYMENT = document(
    resource("module.vpc.aws_vpc.this", "create", after={"cidr_block": "10.0.0.0/16"}),
    resource("module.vpc.aws_subnet.private", "create"),
    resource("module.database.aws_db_instance.this", "create"),
    resource("module.application.aws_ecs_cluster.this", "create"),
    resource("aws_ssm_parameter.outputs", "create"),
    resource("module.vpc.data.aws_availability_zones.all", "read", mode="data"),
    resource("module.vpc.aws_internet_gateway.old", "no-op"),
    output_changes={"api_url": {"actions": ["create"]}},
)
