"""What is wrong with a phase of the infrastructure, from what AWS says about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

DOCUMENTATION = """
name: lyo_validation
short_description: Say what is wrong with a phase of the infrastructure
version_added: "1.0"
description:
  - Compares what AWS says about a phase with what it must be, and returns the differences as text.
positional: phase
options:
  _input:
    description:
      - What the information modules returned, by name. C(vpcs), C(subnets) and C(tables) for
        V(foundation), C(instances) and C(caches) for V(database), C(balancers), C(groups),
        C(services) and C(certificates) for V(application).
    type: dict
    required: true
  phase:
    description: Name of the phase.
    type: str
    required: true
"""

EXAMPLES = """
- name: The stores are as they should be
  ansible.builtin.assert:
    that: "{'instances': read.instances, 'caches': []} | lyo_validation('database') == ''"
"""

RETURN = """
_value:
  description: The differences, C(<name> is <current>, should be <desired>); empty without any.
  type: str
"""

Found = Mapping[str, Any]
DEFAULT_ROUTE = "0.0.0.0/0"
# Which attribute of a default route leads out of a subnet of a tier.
GATEWAYS = {"public": "gateway_id", "private": "nat_gateway_id"}


def drift(name: str, current: Any, desired: Any) -> dict[str, Any]:
    """One finding: what it is about, what it is, what it should be."""
    return {"name": name, "current": current, "desired": desired}


def expect(item: Found, name: str, **desired: Any) -> Iterator[dict[str, Any]]:
    """A finding for each attribute of `item` that is not what it should be."""
    for attribute, value in desired.items():
        if item.get(attribute) != value:
            yield drift(f"{name} {attribute}", item.get(attribute), value)


def one(items: Sequence[Found], name: str) -> Iterator[dict[str, Any]]:
    """A finding unless there is exactly one item."""
    if len(items) != 1:
        yield drift(f"number of {name}", len(items), 1)


def _foundation(
    vpcs: Sequence[Found], subnets: Sequence[Found], tables: Sequence[Found]
) -> Iterator[dict[str, Any]]:
    yield from one(vpcs, "VPCs")
    for vpc in vpcs:
        yield from expect(vpc, vpc["vpc_id"], enable_dns_support=True, enable_dns_hostnames=True)
    for tier, gateway in GATEWAYS.items():
        members = [subnet for subnet in subnets if subnet.get("tags", {}).get("Tier") == tier]
        zones = {subnet["availability_zone"] for subnet in members}
        if len(zones) < 2:
            yield drift(f"zones of the {tier} subnets", sorted(zones), "two at least")
        for subnet in members:
            if not any(leads_out(table, subnet["subnet_id"], gateway) for table in tables):
                yield drift(
                    f"{tier} subnet {subnet['subnet_id']} default route", "none", f"by {gateway}"
                )


def leads_out(table: Found, subnet_id: str, gateway: str) -> bool:
    """Whether a route table is the subnet's and has an active default route by that gateway."""
    if not any(a.get("subnet_id") == subnet_id for a in table.get("associations", [])):
        return False
    return any(
        route.get("destination_cidr_block") == DEFAULT_ROUTE
        and route.get("state") == "active"
        and route.get(gateway)
        for route in table.get("routes", [])
    )


def foundation_problems(
    vpcs: Sequence[Found], subnets: Sequence[Found], tables: Sequence[Found]
) -> list[dict[str, Any]]:
    """What is wrong with the network: VPC, subnets of two tiers in two zones, ways out."""
    return list(_foundation(vpcs, subnets, tables))


def _database(instances: Sequence[Found], caches: Sequence[Found]) -> Iterator[dict[str, Any]]:
    yield from one(instances, "database instances")
    for instance in instances:
        name = instance["db_instance_identifier"]
        yield from expect(
            instance,
            name,
            db_instance_status="available",
            storage_encrypted=True,
            publicly_accessible=False,
        )
        if not instance.get("backup_retention_period"):
            yield drift(f"{name} backup_retention_period", 0, "a day at least")
    if not caches:
        yield drift("number of cache clusters", 0, "one at least")
    for cache in caches:
        yield from expect(
            cache,
            cache["cache_cluster_id"],
            cache_cluster_status="available",
            auth_token_enabled=True,
            at_rest_encryption_enabled=True,
        )


def database_problems(instances: Sequence[Found], caches: Sequence[Found]) -> list[dict[str, Any]]:
    """What is wrong with the stores: available, encrypted, private, backed up, with AUTH."""
    return list(_database(instances, caches))


def _application(
    balancers: Sequence[Found],
    groups: Sequence[Found],
    services: Sequence[Found],
    certificates: Sequence[Found],
) -> Iterator[dict[str, Any]]:
    yield from one(balancers, "load balancers")
    for balancer in balancers:
        name = balancer["load_balancer_name"]
        yield from expect(balancer.get("state") or {}, name, code="active")
        secure = [item for item in balancer.get("listeners", []) if item["protocol"] == "HTTPS"]
        if len(secure) < 2:
            yield drift(f"{name} HTTPS listeners", len(secure), "production and test")
        issued = {c["certificate_arn"] for c in certificates if c.get("status") == "ISSUED"}
        used = {c["certificate_arn"] for item in secure for c in item.get("certificates", [])}
        if not used <= issued:
            yield drift(f"{name} certificates", sorted(used - issued), "ISSUED")
    names = sorted(group["target_group_name"].rpartition("-")[2] for group in groups)
    if names != ["blue", "green"]:
        yield drift("target groups", names, ["blue", "green"])
    for group in groups:
        yield from expect(group, group["target_group_name"], target_type="ip")
        if group.get("load_balancer_arns") == []:
            yield drift(f"{group['target_group_name']} load balancer", "none", "in a listener")
    yield from one(services, "services")
    for service in services:
        yield from expect(service, service["serviceName"], status="ACTIVE")


def application_problems(
    balancers: Sequence[Found],
    groups: Sequence[Found],
    services: Sequence[Found],
    certificates: Sequence[Found],
) -> list[dict[str, Any]]:
    """What is wrong with cluster and load balancer: active, in listeners, certificates issued."""
    return list(_application(balancers, groups, services, certificates))


def findings(problems: Iterable[Mapping[str, Any]]) -> str:
    """Findings as text: one `name is current, should be desired` each."""
    return "; ".join(f"{p['name']} is {p['current']}, should be {p['desired']}" for p in problems)


PROBLEMS: dict[str, Callable[..., list[dict[str, Any]]]] = {
    "foundation": foundation_problems,
    "database": database_problems,
    "application": application_problems,
}


def lyo_validation(found: Mapping[str, Sequence[Found]], phase: str) -> str:
    """What is wrong with a phase, as text; empty when nothing is."""
    return findings(PROBLEMS[phase](**found))


class FilterModule:
    """Filter of the validations."""

    def filters(self) -> dict[str, Any]:
        """The filter by name."""
        return {"lyo_validation": lyo_validation}
