"""Attributes of load balancers, target groups and listeners: defaults, and what is reproduced.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ListenerAttribute.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from localcloud.api import AwsError, NotReproducedError


@dataclass(frozen=True)
class Attribute:
    """One attribute.

    default: its value on a new resource. allowed: the values the data plane reproduces, None for
    any. between: bounds of a number, both included, for those that are numbers.
    """

    default: str
    allowed: tuple[str, ...] | None = None
    between: tuple[int, int] | None = None


_SWITCH = ("true", "false")
_OFF = Attribute("false", ("false",))

LOAD_BALANCER = {
    "access_logs.s3.enabled": Attribute("false", _SWITCH),
    "access_logs.s3.bucket": Attribute(""),
    "access_logs.s3.prefix": Attribute(""),
    "client_keep_alive.seconds": Attribute("3600", between=(60, 604800)),
    "connection_logs.s3.enabled": _OFF,
    "connection_logs.s3.bucket": Attribute(""),
    "connection_logs.s3.prefix": Attribute(""),
    "deletion_protection.enabled": Attribute("false", _SWITCH),
    "health_check_logs.s3.enabled": _OFF,
    "health_check_logs.s3.bucket": Attribute(""),
    "health_check_logs.s3.prefix": Attribute(""),
    "idle_timeout.timeout_seconds": Attribute("60", between=(1, 4000)),
    "ipv6.deny_all_igw_traffic": _OFF,
    "load_balancing.cross_zone.enabled": Attribute("true", ("true",)),
    "routing.http.desync_mitigation_mode": Attribute("defensive", ("defensive",)),
    "routing.http.drop_invalid_header_fields.enabled": Attribute("false", _SWITCH),
    # Envoy never changes the Host header, with which both values agree.
    "routing.http.preserve_host_header.enabled": Attribute("false", _SWITCH),
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": _OFF,
    "routing.http.xff_client_port.enabled": _OFF,
    "routing.http.xff_header_processing.mode": Attribute(
        "append", ("append", "preserve", "remove")
    ),
    "routing.http2.enabled": Attribute("true", _SWITCH),
    # There is no firewall in the data plane that could fail.
    "waf.fail_open.enabled": Attribute("false", _SWITCH),
    "zonal_shift.config.enabled": _OFF,
}

TARGET_GROUP = {
    "deregistration_delay.timeout_seconds": Attribute("300", between=(0, 3600)),
    "stickiness.enabled": _OFF,
    "stickiness.type": Attribute("lb_cookie", ("lb_cookie", "app_cookie")),
    "stickiness.lb_cookie.duration_seconds": Attribute("86400", between=(1, 604800)),
    "stickiness.app_cookie.cookie_name": Attribute(""),
    "stickiness.app_cookie.duration_seconds": Attribute("86400", between=(1, 604800)),
    "slow_start.duration_seconds": Attribute("0", between=(0, 900)),
    "load_balancing.algorithm.type": Attribute(
        "round_robin", ("round_robin", "least_outstanding_requests")
    ),
    "load_balancing.algorithm.anomaly_mitigation": Attribute("off", ("off",)),
    "load_balancing.cross_zone.enabled": Attribute(
        "use_load_balancer_configuration", ("use_load_balancer_configuration", "true")
    ),
    "target_group_health.dns_failover.minimum_healthy_targets.count": Attribute("1", ("1",)),
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": Attribute(
        "off", ("off",)
    ),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": Attribute(
        "1", ("1",)
    ),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": Attribute(
        "off", ("off",)
    ),
}

LISTENER = {"routing.http.response.server.enabled": Attribute("true", _SWITCH)}


def defaults(table: Mapping[str, Attribute]) -> dict[str, str]:
    """Attributes of a new resource."""
    return {key: attribute.default for key, attribute in table.items()}


def check(table: Mapping[str, Attribute], changes: list[dict[str, str]]) -> None:
    """Raise AwsError for a value AWS refuses, NotReproducedError for one it takes and we do not."""
    for change in changes:
        key, value = change["Key"], change.get("Value", "")
        attribute = table.get(key)
        if attribute is None:
            raise NotReproducedError("elbv2", f"the attribute {key}")
        if attribute.between is not None:
            low, high = attribute.between
            if not value.isdigit() or not low <= int(value) <= high:
                raise AwsError(
                    "ValidationError",
                    f"'{key}' value '{value}' must be between '{low}-{high}' inclusive",
                )
        if attribute.allowed is not None and value not in attribute.allowed:
            raise NotReproducedError("elbv2", f"{key} = {value}")
        if key == "slow_start.duration_seconds" and 0 < int(value) < 30:
            raise AwsError(
                "ValidationError",
                f"'{key}' value '{value}' must be 0 or between '30-900' inclusive",
            )
