from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from localcloud.api import AwsError
from localcloud.dataplane import probe
from localcloud.dataplane.probe import Endpoint, found
from localcloud.services.route53.checkers import Checker, Observation, healthy, percentage
from localcloud.services.route53.health_checks import complete

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def opinions(*values: bool | None) -> list[Checker]:
    return [Checker(f"r-{place}", value) for place, value in enumerate(values)]


def after(results: str, threshold: int = 3) -> bool | None:
    """A checker's opinion after these results, + and -."""
    checker = Checker("eu-west-1")
    for result in results:
        checker.observe(Observation(result == "+", "", NOW), threshold)
    return checker.healthy


@pytest.mark.parametrize(
    ("results", "opinion"),
    [
        ("++", None),
        ("+++", True),
        ("---", False),
        ("+++--+--", True),
        ("+++---", False),
        ("+++---++", False),
        ("---+++", True),
    ],
)
def test_an_opinion_changes_after_as_many_like_results_as_the_threshold(
    results: str, opinion: bool | None
) -> None:
    assert after(results) is opinion


def test_the_last_failure_is_kept() -> None:
    checker = Checker("eu-west-1")
    checker.observe(Observation(False, "Failure: 503", NOW), 1)
    checker.observe(Observation(True, "Success: 200", NOW), 1)
    assert checker.last_failure is not None
    assert checker.last_failure.status == "Failure: 503"


def status(*values: bool | None, disabled: bool = False, inverted: bool = False) -> bool:
    return healthy(opinions(*values), disabled=disabled, inverted=inverted)


def test_more_than_18_percent_of_the_checkers_make_it_healthy() -> None:
    assert status(True, False, False, False, False)  # 20 %
    assert not status(True, False, False, False, False, False)  # 16.7 %
    assert not status(*[True] * 9, *[False] * 41)  # 18 %
    assert percentage(opinions(True, False, None)) == 50
    assert percentage(opinions(None)) is None


def test_without_data_it_is_healthy_and_inverting_turns_everything_round() -> None:
    assert status(None)
    assert not status(None, inverted=True)
    assert status(False, disabled=True)
    assert status(False, inverted=True)
    assert not status(True, inverted=True)


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"Type": "CALCULATED"}, "NotImplemented"),
        ({"Type": "HTTP", "IPAddress": "8.8.8.8"}, "NotImplemented"),
        ({"Type": "HTTP"}, "InvalidInput"),
        ({"Type": "HTTP_STR_MATCH", "IPAddress": "127.1.1.1"}, "InvalidInput"),
        ({"Type": "HTTP", "IPAddress": "127.1.1.1", "SearchString": "x"}, "InvalidInput"),
        ({"Type": "HTTP", "IPAddress": "127.1.1.1", "RequestInterval": 20}, "InvalidInput"),
        ({"Type": "HTTP", "IPAddress": "127.1.1.1", "FailureThreshold": 11}, "InvalidInput"),
        ({"Type": "HTTP", "IPAddress": "127.1.1.1", "Regions": ["eu-west-1"]}, "InvalidInput"),
        ({"Type": "TCP", "IPAddress": "127.1.1.1"}, "InvalidInput"),
    ],
)
def test_what_a_health_check_cannot_be(config: dict[str, Any], code: str) -> None:
    with pytest.raises(AwsError) as refused:
        complete(config)
    assert refused.value.code == code


def test_a_health_check_has_aws_s_defaults() -> None:
    config = complete({"Type": "HTTPS", "FullyQualifiedDomainName": "api.lyo.it"})
    assert config["Port"] == 443
    assert config["EnableSNI"] is True
    assert config["FailureThreshold"] == 3


def test_only_the_first_5120_bytes_are_searched() -> None:
    assert found(b"x" * 5118 + b"ok", "ok")
    assert not found(b"x" * 5119 + b"ok", "ok")
    assert found(b"", None)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        code = int(self.path.strip("/"))
        body = f"ok for {self.headers['Host']}".encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


@pytest.mark.parametrize(
    ("kind", "path", "search", "ok"),
    [
        ("HTTP", "/200", None, True),
        ("HTTP", "/302", None, True),
        ("HTTP", "/404", None, False),
        ("HTTP", "/503", None, False),
        ("HTTP_STR_MATCH", "/200", "ok for api.lyo.it", True),
        ("HTTP_STR_MATCH", "/200", "sorry", False),
        ("HTTP_STR_MATCH", "/503", "ok", False),
        ("TCP", "/", None, True),
    ],
)
def test_a_real_check(port: int, kind: str, path: str, search: str | None, ok: bool) -> None:
    result = probe.check(Endpoint(kind, "127.0.0.1", "api.lyo.it", port, path, search))
    assert result.ok is ok
    assert result.status.startswith("Success: " if ok else "Failure: ")
    assert result.connection is not None


def test_the_host_header_has_a_port_that_is_not_the_usual_one() -> None:
    assert Endpoint("HTTPS", "127.1.1.1", "api.lyo.it", 443).host == "api.lyo.it"
    assert Endpoint("HTTP", "127.1.1.1", "api.lyo.it", 443).host == "api.lyo.it:443"


def test_what_does_not_listen_fails() -> None:
    with socket.socket() as claim:
        claim.bind(("127.0.0.1", 0))
        result = probe.check(Endpoint("HTTP", "127.0.0.1", "x", claim.getsockname()[1]))
    assert not result.ok
    assert "refused" in result.status
