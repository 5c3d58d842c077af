"""Zone, certificates, records, and what the outside reaches through them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from ..lyo_aws import parallel
from . import nameservers, probes
from .findings import Finding, Findings, expect
from .target import Target, found, serving

DAY_SECONDS = 86400
# What a browser is told with every page of the dashboard.
SECURITY_HEADERS = ("strict-transport-security", "x-content-type-options")


def read(target: Target) -> dict[str, Any]:
    """Return what AWS and the outside say; nothing where Terraform has written no outputs yet."""
    outputs = target.outputs()
    if not outputs:
        return {"outputs": {}}
    zone, certificates, distribution, health, serves, outside = parallel(
        lambda: _zone(target, outputs),
        lambda: _certificates(target),
        lambda: _distribution(target, outputs),
        lambda: _health(target, outputs),
        lambda: serving(target),
        lambda: _outside(target, outputs),
    )
    return {
        "outputs": outputs,
        "zone": zone,
        "certificates": certificates,
        "distribution": distribution,
        "health": health,
        "serving": serves,
        "outside": outside,
        "now": time.time(),
    }


def _zone(target: Target, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The zone, its records, and the name servers that the world is told."""
    zone_id = outputs.get("zone_id")
    if not zone_id:
        return {}
    aws = target.aws
    zone = found(aws, "route53", "get_hosted_zone", Id=zone_id)
    if not zone:
        return {}
    name = zone["HostedZone"]["Name"].rstrip(".")
    records = aws.all(
        "route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone_id
    )
    told: Any = []
    if target.expected["delegation"]:
        try:
            told = nameservers.lookup(name)
        except OSError as error:
            told = str(error)
    servers = (zone.get("DelegationSet") or {}).get("NameServers", [])
    return {
        "name": name,
        "records": records,
        "name_servers": sorted(server.lower().rstrip(".") for server in servers),
        "delegated_to": told,
    }


def _certificates(target: Target) -> list[dict[str, Any]]:
    """The environment's certificates of both regions, by their tag."""
    certificates = []
    for aws in (target.aws, target.world):
        for summary in aws.all("acm", "list_certificates", "CertificateSummaryList"):
            arn = summary["CertificateArn"]
            tags = found(aws, "acm", "list_tags_for_certificate", CertificateArn=arn)
            if {"Key": "Environment", "Value": target.env} in tags.get("Tags", []):
                answer = found(aws, "acm", "describe_certificate", CertificateArn=arn)
                certificates.append({**answer.get("Certificate", {}), "Region": aws.region})
    return certificates


def _distribution(target: Target, outputs: Mapping[str, Any]) -> dict[str, Any]:
    if not outputs.get("distribution_id"):
        return {}
    answer = found(target.aws, "cloudfront", "get_distribution", Id=outputs["distribution_id"])
    distribution: dict[str, Any] = answer.get("Distribution") or {}
    return distribution


def _health(target: Target, outputs: Mapping[str, Any]) -> list[str]:
    """What each of Route 53's checkers says about the API."""
    if not outputs.get("health_check_id"):
        return []
    answer = found(
        target.aws,
        "route53",
        "get_health_check_status",
        HealthCheckId=outputs["health_check_id"],
    )
    return [
        str(observation["StatusReport"]["Status"])
        for observation in answer.get("HealthCheckObservations", [])
    ]


def _outside(target: Target, outputs: Mapping[str, Any]) -> dict[str, Any]:
    api, dashboard = outputs["api_url"], outputs.get("dashboard_url")
    port = int(target.expected["http_port"])
    tls, redirect, page = parallel(
        lambda: probes.handshake(api, target.ca_bundle),
        lambda: probes.get(probes.plain_address(api, port)),
        lambda: probes.get(dashboard, target.ca_bundle) if dashboard else None,
    )
    return {"tls": tls, "redirect": redirect, "dashboard": page}


def problems(facts: Mapping[str, Any], expected: Mapping[str, Any]) -> Findings:
    """What is wrong with zone, certificates, records, and what the outside reaches."""
    if not facts["outputs"]:
        yield Finding("Terraform's outputs", "not written", "written by the last phase")
        return
    outputs = facts["outputs"]
    if expected["zone"]:
        yield from _zone_problems(facts["zone"], outputs, facts["distribution"], expected)
        yield from _health_problems(facts["health"], serving=facts["serving"])
    yield from _certificate_problems(facts, expected)
    if outputs.get("distribution_id"):
        yield from expect(
            facts["distribution"], f"distribution {outputs['distribution_id']}", Status="Deployed"
        )
    yield from _outside_problems(facts["outside"], outputs, expected, facts["now"])


def _zone_problems(
    zone: Mapping[str, Any],
    outputs: Mapping[str, Any],
    distribution: Mapping[str, Any],
    expected: Mapping[str, Any],
) -> Findings:
    if not zone:
        yield Finding("hosted zone", "none", "there")
        return
    if expected["delegation"] and zone["delegated_to"] != zone["name_servers"]:
        yield Finding(
            f"name servers of {zone['name']}", zone["delegated_to"] or "none", zone["name_servers"]
        )
    for host, address in (
        ("api", outputs["load_balancer_dns_name"]),
        ("dashboard", distribution.get("DomainName", "a distribution")),
    ):
        aliases = alias_targets(zone["records"], host)
        if not any(same_host(alias, address) for alias in aliases):
            yield Finding(f"record {host} of {zone['name']}", aliases or "none", address)


def alias_targets(records: Sequence[Mapping[str, Any]], host: str) -> list[str]:
    """What the A records (aliases) whose first label is ``host`` point to."""
    return [
        record["AliasTarget"]["DNSName"]
        for record in records
        if record["Type"] == "A"
        and record["Name"].split(".")[0] == host
        and record.get("AliasTarget")
    ]


def same_host(alias: str, address: str) -> bool:
    """Whether an alias is of this host; Route 53's console puts dualstack before a balancer's."""
    return alias.lower().rstrip(".").removeprefix("dualstack.") == address.lower().rstrip(".")


def _health_problems(statuses: Sequence[str], *, serving: bool) -> Findings:
    """An endpoint is healthy when more than 18 % of the checkers say so.

    Without tasks it may be unwell, but somebody must be looking.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
    """
    well = sum(status.startswith("Success") for status in statuses)
    if not statuses or (serving and well <= 0.18 * len(statuses)):
        yield Finding("health check of the API", statuses[:1] or "none", "Success")


def _certificate_problems(facts: Mapping[str, Any], expected: Mapping[str, Any]) -> Findings:
    regions = {certificate["Region"] for certificate in facts["certificates"]}
    wanted = 2 if expected["zone"] else 1
    if len(regions) < wanted:
        yield Finding("regions with a certificate", sorted(regions), f"{wanted} regions")
    for certificate in facts["certificates"]:
        name = f"certificate of {certificate.get('DomainName')} in {certificate['Region']}"
        yield from expect(certificate, name, Status="ISSUED")
        until = certificate.get("NotAfter")
        seconds = until.timestamp() if isinstance(until, datetime) else 0
        yield from _days(name, seconds, facts["now"], expected)


def _days(name: str, until: float, now: float, expected: Mapping[str, Any]) -> Findings:
    days = int((until - now) // DAY_SECONDS)
    if days < expected["certificate_days"]:
        yield Finding(f"{name} days left", days, f"{expected['certificate_days']} at least")


def _outside_problems(
    outside: Mapping[str, Any],
    outputs: Mapping[str, Any],
    expected: Mapping[str, Any],
    now: float,
) -> Findings:
    api, tls = outputs["api_url"], outside["tls"]
    if tls["error"]:
        yield Finding(f"TLS of {api}", tls["error"], "verified")
    else:
        yield from _days(f"TLS of {api}", tls["not_after"], now, expected)
    redirect = outside["redirect"]
    location = str(redirect["headers"].get("location", ""))
    wanted = urlsplit(api)
    if redirect["status"] not in (301, 308) or urlsplit(location)[:2] != wanted[:2]:
        said = redirect["error"] or f"{redirect['status']} {location}".strip()
        yield Finding(f"plain HTTP of {wanted.hostname}", said, f"redirected to {api}")
    page = outside["dashboard"]
    if page is None:
        return
    # Without an object to serve (before the first release) CloudFront answers 403 or 404.
    if page["status"] == 0 or page["status"] >= 500:
        yield Finding(f"dashboard {outputs['dashboard_url']}", page["error"] or page["status"], 200)
        return
    missing = [name for name in SECURITY_HEADERS if name not in page["headers"]]
    if missing:
        yield Finding(f"headers of {outputs['dashboard_url']}", f"without {missing}", "with them")
