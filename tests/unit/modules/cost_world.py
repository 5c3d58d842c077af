"""A small environment, prices that are easy to add up, and tables to go with them."""

from __future__ import annotations

from datetime import date
from typing import Any

from ansible.module_utils.lyo_cost import tables
from ansible.module_utils.lyo_cost.estimate import Estimator
from ansible.module_utils.lyo_cost.resources import Environment, Resource

USAGE: dict[str, Any] = {
    "hours": 100.0,
    "restaurants": 10.0,
    "nat_gb_per_restaurant": 2.0,
    "requests_per_restaurant": 1000.0,
    "kb_per_request": 1.0,
    "zone_gb_per_restaurant": 1.0,
    "balancer_lcu": 0.5,
    "tasks_over_minimum": 0.0,
    "releases": 0.0,
    "release_hours": 1.0,
    "task_architecture": "X86_64",
    "database_backup_gb": 25.0,
    "cache_snapshot_gb": 1.0,
}
OUTPUTS = {"cpu": 512, "memory": 1024, "region": "eu-south-1"}


def price(
    name: str, usd: float = 1.0, free: float = 0.0, region: str = "eu-south-1"
) -> tables.Price:
    source = "https://aws.amazon.com/pricing/"
    return tables.Price(name, region, usd, "unit", source, date(2026, 1, 2), "published", free)


def estimator(*prices: tables.Price, free: dict[str, str] | None = None, **usage: Any) -> Estimator:
    table = {(entry.id, entry.region): entry for entry in prices}
    return Estimator(table, free or {}, {**USAGE, **usage}, "eu-south-1")


def resource(kind: str, name: str = "this", **attributes: Any) -> Resource:
    return Resource(f"{kind}.{name}", kind, attributes)


def environment(*resources: Resource, **outputs: Any) -> Environment:
    return Environment(resources, {**OUTPUTS, **outputs})


def usd_of(result: Any) -> dict[str, float]:
    """Price id → USD."""
    return {line.price.id: round(line.usd, 4) for line in result.lines}


def quantity_of(result: Any) -> dict[str, float]:
    """Price id → units."""
    return {line.price.id: round(line.quantity, 4) for line in result.lines}
