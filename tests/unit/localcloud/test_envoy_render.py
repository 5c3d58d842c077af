"""What Envoy is told, without Envoy."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from localcloud.dataplane.envoy.clusters import matcher_ranges, wall_timeout
from localcloud.dataplane.envoy.conditions import network_regex, route_match, wildcard
from localcloud.dataplane.envoy.model import (
    Certificate,
    Condition,
    Configuration,
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
from localcloud.dataplane.envoy.resources import Folder, Resources, bootstrap, render
from localcloud.dataplane.envoy.routes import route_action, route_configuration

FOLDER = Folder(Path("/state/envoy"))
HTTP = Listener("web", "arn:web", 80, 10080, (Rule(Forward((("blue", 1),))),))
SECURE = Listener("tls", "arn:tls", 443, 10443, (Rule(FixedResponse(200)),), ("one", "two"))
BALANCER = LoadBalancer("lb", "arn:lb", "app/lb/1", "127.1.1.1", (HTTP,))
BLUE = TargetGroup(
    "blue",
    "arn:blue",
    HealthCheck("/health", None, 30, 5, 5, 2, "200-299"),
    (Target("127.1.16.1", 8080), Target("127.1.16.2", 8080, draining=True)),
)


def rendered(configuration: Configuration, speed: float = 10) -> Resources:
    return render(configuration, FOLDER, speed)


def test_a_group_becomes_a_cluster_with_checks_at_the_clocks_speed() -> None:
    (cluster,) = rendered(Configuration((BALANCER,), (BLUE,))).clusters
    (check,) = cluster["health_checks"]
    assert (check["interval"], check["no_traffic_interval"]) == ("3.000s", "3.000s")
    assert (check["healthy_threshold"], check["unhealthy_threshold"]) == (5, 2)
    assert check["http_health_check"]["expected_statuses"] == [{"start": 200, "end": 300}]
    assert check["http_health_check"]["path"] == "/health"
    assert cluster["common_lb_config"]["ignore_new_hosts_until_first_hc"] is True
    assert cluster["metadata"]["filter_metadata"]["localcloud"]["arn"] == "arn:blue"


@pytest.mark.parametrize(
    ("timeout", "speed", "wall"), [(5, 1, 5), (5, 10, 1), (120, 10, 12), (0.5, 10, 0.5)]
)
def test_a_check_has_a_second_of_real_time_however_fast_the_clock(
    timeout: float, speed: float, wall: float
) -> None:
    assert wall_timeout(HealthCheck(timeout=timeout), speed) == wall


def test_a_group_no_rule_names_is_not_served() -> None:
    green = replace(BLUE, id="green")
    assert list(rendered(Configuration((BALANCER,), (BLUE, green))).endpoints) == ["blue"]


def test_draining_targets_are_marked_beside_others_and_left_out_alone() -> None:
    def statuses(*targets: Target) -> list[str]:
        group = replace(BLUE, targets=targets)
        resource = rendered(Configuration((BALANCER,), (group,))).endpoints["blue"]
        (locality,) = resource["endpoints"]
        return [endpoint["health_status"] for endpoint in locality["lb_endpoints"]]

    stays, goes = BLUE.targets
    assert statuses(stays, goes) == ["UNKNOWN", "DRAINING"]
    assert statuses(goes) == []


def test_a_health_check_port_and_host_are_the_targets() -> None:
    def check(port: int | None) -> dict[str, object]:
        group = replace(BLUE, health_check=replace(BLUE.health_check, port=port))
        resource = rendered(Configuration((BALANCER,), (group,))).endpoints["blue"]
        found: dict[str, object] = resource["endpoints"][0]["lb_endpoints"][0]["endpoint"][
            "health_check_config"
        ]
        return found

    assert check(None) == {"port_value": 8080, "hostname": "127.1.16.1:8080"}
    assert check(9000) == {"port_value": 9000, "hostname": "127.1.16.1:9000"}


def test_weights_of_nothing_answer_503() -> None:
    two = route_action(Forward((("blue", 90), ("green", 10))), HTTP)["route"]
    assert [entry["weight"] for entry in two["weighted_clusters"]["clusters"]] == [90, 10]
    assert two["timeout"] == "0s"
    only = route_action(Forward((("blue", 0), ("green", 5))), HTTP)
    assert only["route"]["cluster"] == "green"
    assert (
        route_action(Forward((("blue", 0), ("green", 0))), HTTP)["direct_response"]["status"] == 503
    )


def test_rules_come_by_priority_and_the_default_last() -> None:
    rules = (
        Rule(FixedResponse(200)),
        Rule(FixedResponse(202), 20, (Condition("path-pattern", ("/b",)),)),
        Rule(FixedResponse(201), 10, (Condition("path-pattern", ("/a",)),)),
    )
    configuration = route_configuration(BALANCER, replace(HTTP, rules=rules))
    routes = configuration["virtual_hosts"][0]["routes"]
    assert [route["direct_response"]["status"] for route in routes] == [201, 202, 200]
    assert [route["metadata"]["filter_metadata"]["localcloud"]["priority"] for route in routes] == [
        "10",
        "20",
        "0",
    ]


@pytest.mark.parametrize(
    ("mode", "added", "removed"),
    [("append", True, False), ("preserve", False, False), ("remove", False, True)],
)
def test_forwarded_for_by_mode(mode: str, added: bool, removed: bool) -> None:
    configuration = route_configuration(replace(BALANCER, forwarded_for=mode), HTTP)
    headers = [entry["header"]["key"] for entry in configuration["request_headers_to_add"]]
    assert ("x-forwarded-for" in headers) is added
    assert ("x-forwarded-for" in configuration["request_headers_to_remove"]) is removed


def test_the_forwarded_port_is_the_apis_not_the_served_one() -> None:
    configuration = route_configuration(BALANCER, replace(HTTP, port=443, served_port=10443))
    ports = [
        entry["header"]["value"]
        for entry in configuration["request_headers_to_add"]
        if entry["header"]["key"] == "x-forwarded-port"
    ]
    assert ports == ["443"]


def test_a_redirect_names_the_port_that_serves_here() -> None:
    redirect = route_action(Redirect(301, "HTTPS", port="443"), HTTP)["redirect"]
    assert (redirect["scheme_redirect"], redirect["port_redirect"]) == ("https", 10443)
    assert "path_redirect" not in redirect
    same = route_action(Redirect(302, path="/x", query=""), SECURE)["redirect"]
    assert (same["scheme_redirect"], same["port_redirect"]) == ("https", 10443)
    assert (same["path_redirect"], same["strip_query"]) == ("/x", True)


@pytest.mark.parametrize(
    "action",
    [
        Redirect(301, host="www.#{host}"),
        Redirect(301, path="/#{host}"),
        Redirect(301, query="x=#{path}"),
    ],
)
def test_a_redirect_that_cannot_be_told_is_refused(action: Redirect) -> None:
    with pytest.raises(UnsupportedError):
        route_action(action, HTTP)


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("/img/*", ["/img/", "/img/a/b"], ["/img", "/a/img/"]),
        ("/?", ["/a"], ["/", "/ab"]),
        ("*.lyo.test", ["a.lyo.test"], ["lyo.test", "a.lyoxtest"]),
        ("/a+b(c)", ["/a+b(c)"], ["/aab(c)"]),
    ],
)
def test_wildcards(pattern: str, matching: list[str], other: list[str]) -> None:
    regex = re.compile(wildcard(pattern))
    assert all(regex.fullmatch(text) for text in matching)
    assert not any(regex.fullmatch(text) for text in other)


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("10.0.0.0/8", ["10.0.0.1", "10.255.3.4"], ["11.0.0.1", "110.0.0.1"]),
        ("192.168.4.0/22", ["192.168.4.1", "192.168.7.255"], ["192.168.8.1", "192.168.3.1"]),
        ("203.0.113.7/32", ["203.0.113.7"], ["203.0.113.70"]),
        ("0.0.0.0/0", ["1.2.3.4"], []),
        ("2001:db8::/32", [], ["1.2.3.4"]),
    ],
)
def test_networks(network: str, inside: list[str], outside: list[str]) -> None:
    regex = re.compile(network_regex(network))
    assert all(regex.fullmatch(address) for address in inside)
    assert not any(regex.fullmatch(address) for address in outside)


def test_conditions_are_joined_by_and_values_by_or() -> None:
    rule = Rule(
        FixedResponse(200),
        1,
        (
            Condition("path-pattern", ("/a", "/b")),
            Condition("http-request-method", ("GET", "HEAD")),
        ),
    )
    match = route_match(rule)
    assert re.fullmatch(match["safe_regex"]["regex"], "/b")
    (method,) = match["headers"]
    assert method["name"] == ":method"
    assert re.fullmatch(method["string_match"]["safe_regex"]["regex"], "HEAD")


def test_an_unknown_condition_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="geo"):
        route_match(Rule(FixedResponse(200), 1, (Condition("geo", ("IT",)),)))


def test_a_secure_listener_names_its_certificates_by_file() -> None:
    certificates = (Certificate("one", "a", "CERT", "KEY"), Certificate("two", "b", "C2", "K2"))
    balancer = replace(BALANCER, listeners=(SECURE,))
    resources = rendered(Configuration((balancer,), (), certificates))
    (listener,) = resources.listeners
    tls = listener["filter_chains"][0]["transport_socket"]["typed_config"]["common_tls_context"]
    named = [entry["name"] for entry in tls["tls_certificate_sds_secret_configs"]]
    assert named == ["one", "two"]
    assert tls["tls_params"]["tls_minimum_protocol_version"] == "TLSv1_2"
    assert "KEY" not in json.dumps(listener)
    assert resources.secrets["one"]["tls_certificate"]["private_key"] == {"inline_string": "KEY"}
    assert "KEY" not in repr(certificates[0])


def test_the_same_configuration_renders_the_same() -> None:
    configuration = Configuration((BALANCER,), (BLUE,))
    assert rendered(configuration) == rendered(configuration)


def test_a_change_of_weights_changes_routes_alone() -> None:
    listener = replace(HTTP, rules=(Rule(Forward((("blue", 2),))),))
    before = rendered(Configuration((BALANCER,), (BLUE,)))
    after = rendered(Configuration((replace(BALANCER, listeners=(listener,)),), (BLUE,)))
    assert before.clusters == after.clusters
    assert before.listeners == after.listeners
    assert before.endpoints == after.endpoints


@pytest.mark.parametrize(
    ("matcher", "ranges"),
    [("200", [(200, 200)]), ("200,302", [(200, 200), (302, 302)]), ("200-299", [(200, 299)])],
)
def test_matchers(matcher: str, ranges: list[tuple[int, int]]) -> None:
    assert matcher_ranges(matcher) == ranges


@pytest.mark.parametrize("matcher", ["", "20", "2xx", "200-", "200 OK"])
def test_a_matcher_that_is_none_is_refused(matcher: str) -> None:
    with pytest.raises(ValueError, match="HTTP codes"):
        matcher_ranges(matcher)


def test_slow_start_and_algorithm() -> None:
    slow = rendered(Configuration((BALANCER,), (replace(BLUE, slow_start=60),))).clusters[0]
    assert slow["round_robin_lb_config"]["slow_start_config"]["slow_start_window"] == "6.000s"
    least = replace(BLUE, least_outstanding_requests=True)
    assert rendered(Configuration((BALANCER,), (least,))).clusters[0]["lb_policy"] == (
        "LEAST_REQUEST"
    )
    with pytest.raises(UnsupportedError):
        rendered(Configuration((BALANCER,), (replace(least, slow_start=60),)))


def test_the_admin_socket_is_named_relative_to_the_folder() -> None:
    path = bootstrap(FOLDER, "node")["admin"]["address"]["pipe"]["path"]
    assert path == "admin.sock"
