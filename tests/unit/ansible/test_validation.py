from __future__ import annotations

import copy
from typing import Any

import pytest

from filter_plugins import lyo_validation as validation

VPC = {"vpc_id": "vpc-1", "enable_dns_support": True, "enable_dns_hostnames": True}
SUBNETS = [
    {"subnet_id": f"{tier}-{zone}", "availability_zone": zone, "tags": {"Tier": tier}}
    for tier in ("public", "private")
    for zone in ("eu-south-1a", "eu-south-1b")
]


def table(tier: str, **route: Any) -> dict[str, Any]:
    gateway = "gateway_id" if tier == "public" else "nat_gateway_id"
    return {
        "associations": [
            {"subnet_id": s["subnet_id"]}
            for s in SUBNETS
            if s["tags"]["Tier"] == tier  # type: ignore[index]
        ],
        "routes": [
            {"destination_cidr_block": "10.0.0.0/16", "gateway_id": "local", "state": "active"},
            {"destination_cidr_block": "0.0.0.0/0", gateway: "x-1", "state": "active", **route},
        ],
    }


def foundation(**more: Any) -> list[str]:
    values = {"vpcs": [VPC], "subnets": SUBNETS, "tables": [table("public"), table("private")]}
    return [p["name"] for p in validation.foundation_problems(**{**values, **more})]


def test_a_whole_network_is_right() -> None:
    assert foundation() == []


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"vpcs": []}, "number of VPCs"),
        ({"vpcs": [{**VPC, "enable_dns_support": False}]}, "vpc-1 enable_dns_support"),
        ({"subnets": SUBNETS[1:]}, "zones of the public subnets"),
        ({"subnets": SUBNETS[:3]}, "zones of the private subnets"),
        ({"tables": [table("public")]}, "private subnet private-eu-south-1a default route"),
        (
            {"tables": [table("public", state="blackhole"), table("private")]},
            "public subnet public-eu-south-1a default route",
        ),
        (
            {"tables": [table("public"), table("private", nat_gateway_id=None)]},
            "private subnet private-eu-south-1b default route",
        ),
    ],
)
def test_what_is_wrong_with_a_network(more: dict[str, Any], name: str) -> None:
    assert name in foundation(**more)


INSTANCE = {
    "db_instance_identifier": "lyo-local",
    "db_instance_status": "available",
    "storage_encrypted": True,
    "publicly_accessible": False,
    "backup_retention_period": 7,
}
CACHE = {
    "cache_cluster_id": "lyo-local-001",
    "cache_cluster_status": "available",
    "auth_token_enabled": True,
    "at_rest_encryption_enabled": True,
}


def test_whole_stores_are_right() -> None:
    assert validation.database_problems([INSTANCE], [CACHE]) == []


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("db_instance_status", "modifying"),
        ("storage_encrypted", False),
        ("publicly_accessible", True),
        ("backup_retention_period", 0),
    ],
)
def test_what_is_wrong_with_a_database(attribute: str, value: Any) -> None:
    (problem,) = validation.database_problems([{**INSTANCE, attribute: value}], [CACHE])
    assert problem["name"] == f"lyo-local {attribute}"
    assert problem["current"] == value


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("cache_cluster_status", "creating"),
        ("auth_token_enabled", False),
        ("at_rest_encryption_enabled", None),
    ],
)
def test_what_is_wrong_with_a_cache(attribute: str, value: Any) -> None:
    (problem,) = validation.database_problems([INSTANCE], [{**CACHE, attribute: value}])
    assert problem["name"] == f"lyo-local-001 {attribute}"


def test_missing_stores_are_told() -> None:
    names = [p["name"] for p in validation.database_problems([], [])]
    assert names == ["number of database instances", "number of cache clusters"]


LISTENER = {"protocol": "HTTPS", "certificates": [{"certificate_arn": "arn:c"}]}
BALANCER = {
    "load_balancer_name": "lyo-local",
    "state": {"code": "active"},
    "listeners": [{"protocol": "HTTP"}, LISTENER, LISTENER],
}
GROUP_TEMPLATE = {"target_type": "ip", "load_balancer_arns": ["arn:lb"]}
GROUPS = [{"target_group_name": f"lyo-local-{c}", **GROUP_TEMPLATE} for c in ("blue", "green")]
SERVICE = {"serviceName": "lyo-local", "status": "ACTIVE"}
CERTIFICATE = {"certificate_arn": "arn:c", "status": "ISSUED"}


def application(change: Any = None) -> list[str]:
    parts: dict[str, Any] = copy.deepcopy(
        {
            "balancers": [BALANCER],
            "groups": GROUPS,
            "services": [SERVICE],
            "certificates": [CERTIFICATE],
        }
    )
    if change:
        change(parts)
    return [p["name"] for p in validation.application_problems(**parts)]


def test_a_whole_application_is_right() -> None:
    assert application() == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda parts: parts["balancers"].clear(), "number of load balancers"),
        (
            lambda parts: parts["balancers"][0]["state"].update(code="provisioning"),
            "lyo-local code",
        ),
        (lambda parts: parts["balancers"][0]["listeners"].pop(), "lyo-local HTTPS listeners"),
        (
            lambda parts: parts["certificates"][0].update(status="PENDING_VALIDATION"),
            "lyo-local certificates",
        ),
        (lambda parts: parts["groups"].pop(), "target groups"),
        (
            lambda parts: parts["groups"][0].update(target_type="instance"),
            "lyo-local-blue target_type",
        ),
        (
            lambda parts: parts["groups"][1].update(load_balancer_arns=[]),
            "lyo-local-green load balancer",
        ),
        (lambda parts: parts["services"][0].update(status="DRAINING"), "lyo-local status"),
        (lambda parts: parts["services"].clear(), "number of services"),
    ],
)
def test_what_is_wrong_with_an_application(change: Any, name: str) -> None:
    assert application(change) == [name]


def test_findings_are_one_text() -> None:
    text = validation.findings([validation.drift("a", 1, 2), validation.drift("b", "x", "y")])
    assert text == "a is 1, should be 2; b is x, should be y"


def test_each_phase_is_asked_by_its_name() -> None:
    found = {"instances": [{**INSTANCE, "storage_encrypted": False}], "caches": [CACHE]}
    assert validation.lyo_validation(found, "database") == (
        "lyo-local storage_encrypted is False, should be True"
    )
    assert validation.lyo_validation({**found, "instances": [INSTANCE]}, "database") == ""
