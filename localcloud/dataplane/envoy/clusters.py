"""Target groups as Envoy's clusters and endpoints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from localcloud.dataplane.envoy.model import HealthCheck, Target, TargetGroup, UnsupportedError

JsonObject = dict[str, Any]

# A health check runs in real time, however fast the clock is: below this a busy machine alone
# would make targets unhealthy.
SHORTEST_TIMEOUT = 1.0
# Below the keep-alive time-out of usual servers (5 s), or a request meets a closing connection.
UPSTREAM_IDLE_SECONDS = 4
# With none healthy all are asked. Envoy takes a whole percentage, so this holds up to 100 targets.
FAIL_OPEN_PERCENT = 1
_NO_LIMIT = 1_000_000


def duration(seconds: float) -> str:
    """Seconds as protobuf's JSON has them."""
    return f"{max(seconds, 0.001):.3f}s"


def matcher_ranges(matcher: str) -> list[tuple[int, int]]:
    """Ranges (first, last) of `200`, `200,202` or `200-299`. Raises ValueError for anything else."""
    ranges = []
    for part in matcher.split(","):
        found = re.fullmatch(r"(\d{3})(?:-(\d{3}))?", part.strip())
        if not found:
            raise ValueError(f"not a list of HTTP codes: {matcher!r}")
        ranges.append((int(found[1]), int(found[2] or found[1])))
    return ranges


def wall_timeout(check: HealthCheck, speed: float) -> float:
    """Wall seconds after which a check counts as timed out."""
    return max(check.timeout / speed, min(check.timeout, SHORTEST_TIMEOUT))


def _health_check(group: TargetGroup, speed: float, event_log: Path) -> JsonObject:
    check = group.health_check
    interval = duration(check.interval / speed)
    return {
        "timeout": duration(wall_timeout(check, speed)),
        "interval": interval,
        "no_traffic_interval": interval,
        "no_traffic_healthy_interval": interval,
        "healthy_threshold": check.healthy_threshold,
        "unhealthy_threshold": check.unhealthy_threshold,
        "reuse_connection": False,
        "always_log_health_check_failures": True,
        "event_logger": [
            {
                "name": "envoy.health_check.event_sink.file",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.health_check.event_sinks.file"
                    ".v3.HealthCheckEventFileSink",
                    "event_log_path": str(event_log),
                },
            }
        ],
        "http_health_check": {
            "path": check.path,
            "codec_client_type": "HTTP2" if group.http2 else "HTTP1",
            "expected_statuses": [
                {"start": first, "end": last + 1} for first, last in matcher_ranges(check.matcher)
            ],
            # Any other code counts towards the threshold instead of ejecting at once.
            "retriable_statuses": [{"start": 100, "end": 600}],
            "request_headers_to_add": [
                {
                    "header": {"key": "user-agent", "value": "ELB-HealthChecker/2.0"},
                    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                }
            ],
        },
    }


def _policy(group: TargetGroup, speed: float) -> JsonObject:
    if group.least_outstanding_requests:
        if group.slow_start:
            raise UnsupportedError("slow start with the least outstanding requests algorithm")
        return {"lb_policy": "LEAST_REQUEST"}
    policy: JsonObject = {"lb_policy": "ROUND_ROBIN"}
    if group.slow_start:
        policy["round_robin_lb_config"] = {
            "slow_start_config": {"slow_start_window": duration(group.slow_start / speed)}
        }
    return policy


def cluster(group: TargetGroup, speed: float, endpoints: Path, event_log: Path) -> JsonObject:
    """The cluster of a target group; its endpoints are in a file of their own."""
    protocol = "http2_protocol_options" if group.http2 else "http_protocol_options"
    result: JsonObject = {
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": group.id,
        "type": "EDS",
        "eds_cluster_config": {
            "eds_config": {
                "resource_api_version": "V3",
                "path_config_source": {"path": str(endpoints)},
            }
        },
        # An ALB gives up connecting after 10 seconds.
        "connect_timeout": "10s",
        **_policy(group, speed),
        "common_lb_config": {
            "healthy_panic_threshold": {"value": FAIL_OPEN_PERCENT},
            # A new target gets no request, and changes no share, before its first check.
            "ignore_new_hosts_until_first_hc": True,
        },
        "ignore_health_on_host_removal": True,
        "health_checks": [_health_check(group, speed, event_log)],
        "circuit_breakers": {
            "thresholds": [
                {
                    "priority": "DEFAULT",
                    "max_connections": _NO_LIMIT,
                    "max_pending_requests": _NO_LIMIT,
                    "max_requests": _NO_LIMIT,
                    "max_retries": _NO_LIMIT,
                }
            ]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3"
                ".HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": f"{UPSTREAM_IDLE_SECONDS}s"},
                "explicit_http_config": {protocol: {}},
            }
        },
        "metadata": {"filter_metadata": {"localcloud": {"arn": group.arn}}},
    }
    if group.tls:
        result["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"
                ".UpstreamTlsContext",
            },
        }
    return result


def _endpoint(target: Target, check: HealthCheck) -> JsonObject:
    port = check.port or target.port
    return {
        "endpoint": {
            "address": {"socket_address": {"address": target.ip, "port_value": target.port}},
            "health_check_config": {"port_value": port, "hostname": f"{target.ip}:{port}"},
        },
        "health_status": "DRAINING" if target.draining else "UNKNOWN",
    }


def endpoints(group: TargetGroup) -> JsonObject:
    """The endpoints of a target group."""
    return {
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": group.id,
        "endpoints": [
            {
                "lb_endpoints": [
                    _endpoint(target, group.health_check)
                    for target in sorted(group.served, key=lambda target: target.key)
                ]
            }
        ],
    }
