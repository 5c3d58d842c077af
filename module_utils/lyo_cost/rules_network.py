"""Prices of the network, the load balancer and what is in front of them."""

from __future__ import annotations

from collections.abc import Iterable

from .resources import Resource
from .rules import Context, Part, rule

# Names of the budget's lines.
NAT = "NAT gateways"
ADDRESSES = "Public IPv4 addresses"
ENDPOINTS = "VPC endpoints"
TRANSFER = "Data transfer"
BALANCER = "Load balancer"
DNS = "DNS and CDN"

KB_IN_GB = 1_000_000


@rule("aws_nat_gateway")
def nat_gateway(resource: Resource, context: Context) -> Iterable[Part]:
    """Hours of each; the traffic once, shared by all."""
    yield Part(NAT, "nat-gateway-hour", context["hours"])
    gateways = len(context.environment.of("aws_nat_gateway"))
    data = context["restaurants"] * context["nat_gb_per_restaurant"]
    yield Part(NAT, "nat-gateway-gb", data / gateways)


@rule("aws_eip")
def address(resource: Resource, context: Context) -> Iterable[Part]:
    """Charged whether it is in use or not."""
    yield Part(ADDRESSES, "public-ipv4-hour", context["hours"])


@rule("aws_lb")
def load_balancer(resource: Resource, context: Context) -> Iterable[Part]:
    """Hours, capacity, one public address in each zone, and what leaves to the internet.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-ip-addressing.html: a load balancer that
    faces the internet has public addresses of its own.
    """
    yield Part(BALANCER, "alb-hour", context["hours"])
    yield Part(BALANCER, "alb-lcu-hour", context["hours"] * context["balancer_lcu"])
    if not resource.get("internal", False):
        zones = len(_subnets(context, "public")) or len(resource.get("subnets", []))
        yield Part(ADDRESSES, "public-ipv4-hour", zones * context["hours"])
    out = context.requests() * context["kb_per_request"] / KB_IN_GB
    yield Part(TRANSFER, "transfer-out-gb", out)
    between = context["restaurants"] * context["zone_gb_per_restaurant"]
    yield Part(TRANSFER, "transfer-zone-gb", 2 * between)


def _subnets(context: Context, tier: str) -> list[Resource]:
    """Subnets of a tier: before an apply other resources do not know which theirs are."""
    subnets = context.environment.of("aws_subnet")
    return [subnet for subnet in subnets if subnet.get("tags", {}).get("Tier") == tier]


@rule("aws_vpc_endpoint")
def endpoint(resource: Resource, context: Context) -> Iterable[Part]:
    """Interface endpoints by the hour in each zone; gateway endpoints cost nothing.

    https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
    """
    if resource.get("vpc_endpoint_type", "Gateway") == "Gateway":
        return
    zones = len(resource.get("subnet_ids", [])) or len(_subnets(context, "private"))
    yield Part(ENDPOINTS, "vpc-endpoint-hour", zones * context["hours"])
    yield Part(ENDPOINTS, "vpc-endpoint-gb", context["endpoint_gb"])


@rule("aws_route53_zone")
def zone(resource: Resource, context: Context) -> Iterable[Part]:
    """The zone, and queries that no alias record answers; a private zone costs as much."""
    yield Part(DNS, "hosted-zone-month", 1, region="global")
    yield Part(DNS, "dns-query-million", context["dns_query_millions"], region="global")


@rule("aws_route53_health_check")
def health_check(resource: Resource, context: Context) -> Iterable[Part]:
    """The check, and each feature beyond a plain one.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-types.html
    """
    kind = str(resource.get("type", ""))
    yield Part(DNS, "health-check-month", 1, region="global")
    features = (
        kind.startswith("HTTPS"),
        kind.endswith("STR_MATCH"),
        int(resource.get("request_interval", 30)) < 30,
        bool(resource.get("measure_latency", False)),
    )
    if any(features):
        yield Part(DNS, "health-check-feature-month", sum(features), region="global")


@rule("aws_cloudfront_distribution")
def distribution(resource: Resource, context: Context) -> Iterable[Part]:
    """Visits of the dashboard: some ten files and half a megabyte each."""
    yield Part(DNS, "cloudfront-gb", _visits(context) * 500 / KB_IN_GB, region="global")
    yield Part(DNS, "cloudfront-https-million", _visits(context) * 10 / 1e6, region="global")


def _visits(context: Context) -> float:
    return context["restaurants"] * context["dashboard_visits_per_restaurant"]


@rule("aws_cloudfront_function")
def edge_function(resource: Resource, context: Context) -> Iterable[Part]:
    """A call for each request of the dashboard."""
    yield Part(DNS, "cloudfront-function-million", _visits(context) * 10 / 1e6, region="global")
