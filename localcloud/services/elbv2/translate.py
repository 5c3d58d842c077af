"""From the API's shapes, as moto keeps them, to the data plane's terms. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from moto.elbv2.ssl_policies import SSL_POLICIES

from localcloud.dataplane.envoy.model import (
    Action,
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    LoadBalancer,
    Redirect,
    Rule,
    Target,
    TargetGroup,
    UnsupportedError,
)
from localcloud.settings import served_port

_TLS_NAMES = {"TLSv1": "1.0", "TLSv1.1": "1.1", "TLSv1.2": "1.2", "TLSv1.3": "1.3"}


def identifier(arn: str) -> str:
    """Name of a resource in the data plane: the last parts of its ARN."""
    kind, _, rest = arn.split(":", 5)[5].partition("/")
    name = rest.replace("/", "-")
    return f"{name}" if kind == "targetgroup" else name.removeprefix("app-")


def forward_weights(action: Mapping[str, Any]) -> dict[str, int]:
    """Target group ARN → weight of a forward action, in either of its two notations."""
    groups = action.get("ForwardConfig", {}).get("TargetGroups")
    if groups:
        return {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups}
    return {action["TargetGroupArn"]: 1} if action.get("TargetGroupArn") else {}


def action(actions: Iterable[Mapping[str, Any]]) -> Action:
    """The action of a rule. Raises UnsupportedError for an action the data plane does not do."""
    (only,) = list(actions) or [{}]
    kind = only.get("Type")
    if kind == "forward":
        stickiness = only.get("ForwardConfig", {}).get("TargetGroupStickinessConfig", {})
        if str(stickiness.get("Enabled", False)).lower() == "true":
            raise UnsupportedError("target group stickiness")
        weights = forward_weights(only)
        return Forward(tuple((identifier(arn), weight) for arn, weight in weights.items()))
    if kind == "redirect":
        config = only["RedirectConfig"]
        status = 301 if config["StatusCode"] == "HTTP_301" else 302
        given = {
            name: str(config[member])
            for name, member in (
                ("protocol", "Protocol"),
                ("host", "Host"),
                ("port", "Port"),
                ("path", "Path"),
                ("query", "Query"),
            )
            if config.get(member) is not None
        }
        return Redirect(status, **given)
    if kind == "fixed-response":
        config = only["FixedResponseConfig"]
        return FixedResponse(
            int(config["StatusCode"]),
            config.get("ContentType", "text/plain"),
            config.get("MessageBody", ""),
        )
    raise UnsupportedError(f"the action type {kind}")


def condition(given: Mapping[str, Any]) -> Condition:
    """One condition. Raises UnsupportedError."""
    field = str(given.get("Field"))
    config: Mapping[str, Any] = next(
        (given[key] for key in given if key.endswith("Config") and given[key]), {}
    )
    if config.get("RegexValues") or given.get("RegexValues"):
        raise UnsupportedError("regular expressions in rule conditions")
    values = config.get("Values") or given.get("Values") or []
    if field == "query-string":
        pairs = tuple((pair.get("Key"), str(pair["Value"])) for pair in values)
        return Condition(field, pairs=pairs)
    return Condition(field, tuple(values), name=config.get("HttpHeaderName", ""))


def rule(
    priority: object, conditions: Iterable[Mapping[str, Any]], actions: Iterable[Mapping[str, Any]]
) -> Rule:
    """A rule; priority is a number or `default`."""
    return Rule(
        action(actions),
        None if priority == "default" else int(str(priority)),
        tuple(condition(entry) for entry in conditions),
    )


def tls_versions(policy: str) -> tuple[str, str]:
    """Lowest and highest TLS version of a security policy. Raises KeyError for one AWS lacks."""
    versions = sorted(
        _TLS_NAMES[name] for name in SSL_POLICIES[policy]["ssl_protocols"] if name in _TLS_NAMES
    )
    return versions[0], versions[-1]


def health_check(group: Any) -> HealthCheck:
    """Health check settings of moto's target group."""
    port = str(group.health_check_port or "traffic-port")
    return HealthCheck(
        path=group.health_check_path or "/",
        port=None if port == "traffic-port" else int(port),
        interval=float(group.health_check_interval_seconds),
        timeout=float(group.health_check_timeout_seconds),
        healthy_threshold=int(group.healthy_threshold_count),
        unhealthy_threshold=int(group.unhealthy_threshold_count),
        matcher=group.matcher["HttpCode"],
    )


def target_group(group: Any, targets: tuple[Target, ...]) -> TargetGroup:
    """A target group of moto's with its targets."""
    attributes = group.attributes
    return TargetGroup(
        id=identifier(group.arn),
        arn=group.arn,
        health_check=health_check(group),
        targets=targets,
        tls=group.protocol == "HTTPS",
        http2=group.protocol_version == "HTTP2",
        least_outstanding_requests=attributes.get("load_balancing.algorithm.type")
        == "least_outstanding_requests",
        slow_start=float(attributes.get("slow_start.duration_seconds", 0)),
    )


def listener(entry: Any, certificates: tuple[str, ...]) -> Listener:
    """A listener of moto's; certificates: their ids, the default one first."""
    rules = [
        rule(found.priority, found.conditions, [one.data for one in found.actions])
        for found in entry.rules.values()
    ]
    return Listener(
        id=identifier(entry.arn),
        arn=entry.arn,
        port=int(entry.port),
        served_port=served_port(int(entry.port)),
        rules=tuple(rules),
        certificates=certificates if entry.protocol == "HTTPS" else (),
        tls_versions=tls_versions(entry.ssl_policy)
        if entry.protocol == "HTTPS"
        else ("1.2", "1.3"),
        server_header=entry.attributes.get("routing.http.response.server.enabled") != "false",
    )


def load_balancer(balancer: Any, address: str, listeners: tuple[Listener, ...]) -> LoadBalancer:
    """A load balancer of moto's at an address."""
    attributes = balancer.attrs
    return LoadBalancer(
        id=identifier(balancer.arn),
        arn=balancer.arn,
        name=balancer.arn.split(":loadbalancer/", 1)[1],
        address=address,
        listeners=listeners,
        idle_timeout=float(attributes["idle_timeout.timeout_seconds"]),
        client_keep_alive=float(attributes["client_keep_alive.seconds"]),
        http2=attributes["routing.http2.enabled"] == "true",
        forwarded_for=attributes["routing.http.xff_header_processing.mode"],
        drop_invalid_headers=attributes["routing.http.drop_invalid_header_fields.enabled"]
        == "true",
    )
