"""The access log's fields and what is counted from them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from localcloud.dataplane.envoy.accesslog import envoy_log_format, parse
from localcloud.dataplane.envoy.model import Listener, LoadBalancer
from localcloud.dataplane.envoy.traffic import Traffic

# The fields of an entry, in the order of the documentation's table:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
FIELDS = [
    "type",
    "time",
    "elb",
    "client:port",
    "target:port",
    "request_processing_time",
    "target_processing_time",
    "response_processing_time",
    "elb_status_code",
    "target_status_code",
    "received_bytes",
    "sent_bytes",
    "request",
    "user_agent",
    "ssl_cipher",
    "ssl_protocol",
    "target_group_arn",
    "trace_id",
    "domain_name",
    "chosen_cert_arn",
    "matched_rule_priority",
    "request_creation_time",
    "actions_executed",
    "redirect_url",
    "error_reason",
    "target:port_list",
    "target_status_code_list",
    "classification",
    "classification_reason",
    "conn_trace_id",
]

RECORD: dict[str, Any] = {
    "type": "HTTP/1.1",
    "scheme": "https",
    "balancer": "lb",
    "elb": "app/lb/1",
    "listener_port": "443",
    "start": "2026-11-22T10:00:00.123456Z",
    "client": "127.0.0.1:5000",
    "target": "127.1.16.1:8080",
    "cluster": "blue",
    "target_group": "arn:blue",
    "priority": "10",
    "action": "forward",
    "request_ms": 1,
    "first_byte_ms": 21,
    "total_ms": 25,
    "status": 200,
    "details": "via_upstream",
    "flags": "-",
    "received": 5,
    "received_headers": 100,
    "sent": 50,
    "sent_headers": 70,
    "method": "POST",
    "host": "api.lyo.test:10443",
    "path": "/webhook?a=b",
    "agent": 'curl "x"',
    "cipher": "TLS_AES_256_GCM_SHA384",
    "tls": "TLSv1.3",
    "sni": "api.lyo.test",
    "trace": "Root=1-2-3",
    "location": None,
}
CERTIFICATES: dict[str, list[tuple[str, tuple[str, ...]]]] = {
    "lb/443": [("arn:default", ("x.test",)), ("arn:api", ("*.lyo.test",))]
}


def entry(**changes: Any) -> dict[str, str]:
    line = parse(json.dumps({**RECORD, **changes}), CERTIFICATES).line
    values = shlex.split(line)
    assert len(values) == len(FIELDS)
    return dict(zip(FIELDS, values, strict=True))


def test_a_request_a_target_answered() -> None:
    found = entry()
    assert found["type"] == "https"
    assert found["request"] == "POST https://api.lyo.test:443/webhook?a=b HTTP/1.1"
    assert found["elb_status_code"] == found["target_status_code"] == "200"
    assert found["request_processing_time"] == "0.001"
    assert found["target_processing_time"] == "0.020"
    assert found["response_processing_time"] == "0.004"
    assert (found["received_bytes"], found["sent_bytes"]) == ("105", "120")
    assert found["user_agent"] == "curl %22x%22"
    assert found["chosen_cert_arn"] == "arn:api"
    assert found["matched_rule_priority"] == "10"
    assert found["target:port_list"] == "127.1.16.1:8080"


def test_a_request_the_load_balancer_answered() -> None:
    found = entry(status=502, details="upstream_reset_before_response_started", first_byte_ms=None)
    assert (found["elb_status_code"], found["target_status_code"]) == ("502", "-")
    assert found["target_processing_time"] == "-1"
    assert found["target_status_code_list"] == "-"


def test_a_redirect_and_an_unknown_name() -> None:
    found = entry(
        action="redirect", status=301, target=None, details="direct", location="https://x", sni="y"
    )
    assert found["redirect_url"] == "https://x"
    assert found["target:port"] == "-"
    assert found["chosen_cert_arn"] == "arn:default"


def test_http2_is_called_by_its_names() -> None:
    found = entry(type="HTTP/2")
    assert found["type"] == "h2"
    assert found["request"].endswith(" HTTP/2.0")


def test_an_unfinished_line_is_refused() -> None:
    with pytest.raises(ValueError, match="not an access log record"):
        parse("{}", {})


def test_the_format_names_every_member_that_is_read() -> None:
    listener = Listener("web", "arn:web", 80, 10080, ())
    written = envoy_log_format(LoadBalancer("lb", "arn:lb", "app/lb/1", "127.1.1.1"), listener)
    assert written.keys() == RECORD.keys()


def test_traffic_counts_and_converts_each_line_once(tmp_path: Path) -> None:
    source = tmp_path / "access.jsonl"
    traffic = Traffic(source, tmp_path / "logs", lambda: None)
    assert traffic.update({}).balancers == {}
    lines = [
        RECORD,
        {**RECORD, "status": 503, "details": "via_upstream"},
        {**RECORD, "status": 503, "details": "no_healthy_upstream", "target": None},
        {**RECORD, "status": 404, "details": "direct_response", "cluster": None, "target": None},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    source.write_text(text + '{"unfinished": ')
    counters = traffic.update({})
    counters = traffic.update({})
    balancer, group = counters.balancers["lb"], counters.groups["blue"]
    assert balancer.requests == 4
    assert balancer.target_codes == {"2XX": 1, "5XX": 1}
    assert balancer.elb_codes == {"5XX": 1, "503": 1, "4XX": 1}
    assert group.target_codes == {"2XX": 1, "5XX": 1}
    assert group.requests == group.responses == 2
    assert group.response_seconds == pytest.approx(0.04)
    assert len(traffic.take("lb").splitlines()) == 4
    assert traffic.take("lb") == b""
