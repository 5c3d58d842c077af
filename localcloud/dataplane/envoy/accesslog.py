"""Access log entries: written by Envoy as JSON lines, read back as an ALB's fields.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from localcloud.dataplane.envoy.model import Listener, LoadBalancer

_FROM_TARGET = "via_upstream"


def envoy_log_format(balancer: LoadBalancer, listener: Listener) -> dict[str, str]:
    """What Envoy writes for each request; the names are ours, the operators Envoy's."""
    scheme = "https" if listener.secure else "http"
    return {
        "type": "%PROTOCOL%",
        "scheme": scheme,
        "balancer": balancer.id,
        "elb": balancer.name,
        "listener_port": str(listener.port),
        "start": "%START_TIME(%Y-%m-%dT%H:%M:%S.%6fZ)%",
        "client": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
        "target": "%UPSTREAM_HOST%",
        "cluster": "%UPSTREAM_CLUSTER_RAW%",
        "target_group": "%CLUSTER_METADATA(localcloud:arn)%",
        "priority": "%METADATA(ROUTE:localcloud:priority)%",
        "action": "%METADATA(ROUTE:localcloud:action)%",
        "request_ms": "%REQUEST_TX_DURATION%",
        "first_byte_ms": "%RESPONSE_DURATION%",
        "total_ms": "%DURATION%",
        "status": "%RESPONSE_CODE%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "received": "%BYTES_RECEIVED%",
        "received_headers": "%DOWNSTREAM_HEADER_BYTES_RECEIVED%",
        "sent": "%BYTES_SENT%",
        "sent_headers": "%DOWNSTREAM_HEADER_BYTES_SENT%",
        "method": "%REQ(:METHOD)%",
        "host": "%REQ(:AUTHORITY)%",
        "path": "%REQ(:PATH)%",
        "agent": "%REQ(USER-AGENT)%",
        "cipher": "%DOWNSTREAM_TLS_CIPHER%",
        "tls": "%DOWNSTREAM_TLS_VERSION%",
        "sni": "%REQUESTED_SERVER_NAME%",
        "trace": "%REQ(X-AMZN-TRACE-ID)%",
        "location": "%RESP(LOCATION)%",
    }


@dataclass(frozen=True)
class Entry:
    """One request. Times are seconds; target_status None: no target answered."""

    balancer: str
    cluster: str | None
    status: int
    target_status: int | None
    target_seconds: float | None
    line: str


def _text(record: dict[str, Any], name: str) -> str | None:
    value = record.get(name)
    return None if value in (None, "", "-") else str(value)


def _number(record: dict[str, Any], name: str) -> float | None:
    value = _text(record, name)
    return None if value is None else float(value)


def _quoted(value: str | None) -> str:
    return '"' + (value or "-").replace('"', "%22") + '"'


def _seconds(value: float | None) -> str:
    return "-1" if value is None else f"{value:.3f}"


_HTTP_VERSIONS = {"HTTP/2": "HTTP/2.0"}


def _chosen_certificate(name: str | None, certificates: list[tuple[str, tuple[str, ...]]]) -> str:
    """ARN of the certificate served for a server name: a match, else the default, the first."""
    for arn, domains in certificates:
        parent = "*." + name.split(".", 1)[-1] if name else ""
        if name in domains or parent in domains:
            return arn
    return certificates[0][0]


def parse(text: str, certificates: dict[str, list[tuple[str, tuple[str, ...]]]]) -> Entry:
    """One line of Envoy's as an entry with the ALB's own line.

    certificates: by `<load balancer id>/<listener port>` the listener's certificates as
    (ARN, names). Raises ValueError for a line that is not complete.
    """
    record: dict[str, Any] = json.loads(text)
    if not isinstance(record, dict) or "status" not in record:
        raise ValueError("not an access log record")
    status = int(_number(record, "status") or 0)
    answered = _text(record, "details") == _FROM_TARGET
    target = _text(record, "target")
    request_ms, first_ms = _number(record, "request_ms"), _number(record, "first_byte_ms")
    total_ms = _number(record, "total_ms") or 0.0
    times: list[float | None] = [None, None, None]
    if target and request_ms is not None and first_ms is not None and answered:
        times = [request_ms / 1000, (first_ms - request_ms) / 1000, (total_ms - first_ms) / 1000]
    secure = record.get("scheme") == "https"
    protocol = _text(record, "type") or "HTTP/1.1"
    kind = "h2" if protocol == "HTTP/2" and secure else "https" if secure else "http"
    start = str(record["start"])
    host = _text(record, "host") or "-"
    name = host.split(":")[0]
    url = f"{record['scheme']}://{name}:{record['listener_port']}{_text(record, 'path') or '/'}"
    request = f"{_text(record, 'method') or '-'} {url} {_HTTP_VERSIONS.get(protocol, protocol)}"
    received = (_number(record, "received") or 0) + (_number(record, "received_headers") or 0)
    sent = (_number(record, "sent") or 0) + (_number(record, "sent_headers") or 0)
    sni = _text(record, "sni")
    listed = certificates.get(f"{record['balancer']}/{record['listener_port']}", [])
    fields = [
        kind,
        start,
        str(record["elb"]),
        _text(record, "client") or "-",
        target or "-",
        *[_seconds(value) for value in times],
        str(status),
        str(status) if answered else "-",
        str(int(received)),
        str(int(sent)),
        _quoted(request),
        _quoted(_text(record, "agent")),
        _text(record, "cipher") or "-",
        _text(record, "tls") or "-",
        _text(record, "target_group") or "-",
        _quoted(_text(record, "trace")),
        _quoted(sni),
        _quoted(_chosen_certificate(sni, listed) if secure and listed else None),
        _text(record, "priority") or "-",
        start,
        _quoted(_text(record, "action")),
        _quoted(_text(record, "location") if record.get("action") == "redirect" else None),
        _quoted(None),
        _quoted(target),
        _quoted(str(status) if answered else None),
        _quoted(None),
        _quoted(None),
        "-",
    ]
    return Entry(
        balancer=str(record["balancer"]),
        cluster=_text(record, "cluster"),
        status=status,
        target_status=status if answered else None,
        target_seconds=times[1] if answered else None,
        line=" ".join(fields),
    )
