"""The web ACL that production plans: Meta always gets through, nobody else without being looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from localcloud.services.wafv2.rules import check
from tests.terraform.inventory import ENVIRONMENTS, Instance
from tests.terraform.web_acl import Request, as_called, evaluate

HANDSHAKE = (
    "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=%3Cscript%3E%27%20OR%201=1"
)
BODIES = {
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesSQLiRuleSet",
}
ADDRESSES = "AWSManagedRulesAmazonIpReputationList"


def planned_acl(plan: list[Instance]) -> Mapping[str, Any]:
    (acl,) = [one.values for one in plan if one.resource == "aws_wafv2_web_acl.this"]
    return acl


@pytest.fixture(scope="module")
def acl(plans: dict[str, list[Instance]]) -> Mapping[str, Any]:
    """Production's."""
    return planned_acl(plans["production"])


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "/webhook", HANDSHAKE),
        Request("POST", "/webhook"),
        Request("POST", "/webhook", per_minute=2_000),
        # What an hour's outage has piled up, within minutes and from one address.
        Request("POST", "/webhook", per_minute=20_000),
    ],
)
def test_meta_gets_through_even_from_an_address_with_a_bad_name(
    acl: Mapping[str, Any], request_: Request
) -> None:
    verdict = evaluate(acl, request_)
    assert (verdict.action, verdict.rule) == ("allow", None)
    assert verdict.inspected == {ADDRESSES}
    assert verdict.counted == ["ip-reputation-labels"]


def test_the_webhook_is_no_door_for_a_flood(acl: Mapping[str, Any]) -> None:
    verdict = evaluate(acl, Request("POST", "/webhook", per_minute=20_001))
    assert (verdict.action, verdict.rule) == ("block", "webhook-rate")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "get"])
def test_the_webhook_knows_two_methods(acl: Mapping[str, Any], method: str) -> None:
    verdict = evaluate(acl, Request(method, "/webhook"))
    assert (verdict.action, verdict.rule) == ("block", "webhook-methods")


@pytest.mark.parametrize(
    "path",
    [
        "/dashboard",
        "/tenants/1/customers/39333",
        "/",
        "/webhook/",
        "//webhook",
        "/webhooks",
        "/Webhook",
        "/%77ebhook",
        "/webhook;x",
        "/health/",
    ],
)
def test_every_other_path_gets_every_group(acl: Mapping[str, Any], path: str) -> None:
    quiet = {**acl, "rule": [rule for rule in acl["rule"] if rule["name"] != "ip-reputation"]}
    inspected = set()
    for group in sorted(BODIES):
        # One group after the other lets it pass, so that the next one sees it too.
        verdict = evaluate(quiet, Request("POST", path, "q=<script>alert(1)</script>"))
        assert verdict.action == "block", group
        inspected |= verdict.inspected
        quiet = {**quiet, "rule": [one for one in quiet["rule"] if one["name"] != verdict.rule]}
    assert inspected == BODIES | {ADDRESSES}


def test_an_address_with_a_bad_name_is_blocked_elsewhere(acl: Mapping[str, Any]) -> None:
    verdict = evaluate(acl, Request("GET", "/dashboard"))
    assert (verdict.action, verdict.rule) == ("block", "ip-reputation")


def test_a_flood_from_one_address_is_blocked(acl: Mapping[str, Any]) -> None:
    for path in ("/dashboard", "/health"):
        verdict = evaluate(acl, Request("GET", path, per_minute=601))
        assert (verdict.action, verdict.rule) == ("block", "request-rate")


def test_an_office_at_its_dashboards_is_no_flood(acl: Mapping[str, Any]) -> None:
    assert evaluate(acl, Request("GET", "/dashboard", per_minute=600)).rule == "ip-reputation"


def test_health_checkers_are_let_through(acl: Mapping[str, Any]) -> None:
    verdict = evaluate(acl, Request("GET", "/health", per_minute=60))
    assert (verdict.action, verdict.rule) == ("allow", "health-check")


@pytest.mark.parametrize(
    "request_", [Request("GET", "/health", "x=<script>"), Request("POST", "/health")]
)
def test_nothing_else_passes_as_a_health_check(acl: Mapping[str, Any], request_: Request) -> None:
    assert evaluate(acl, request_).action == "block"


def test_the_list_of_anonymous_addresses_is_not_used(acl: Mapping[str, Any]) -> None:
    assert "AnonymousIp" not in repr(acl)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_its_capacity_is_in_the_base_price(
    plans: dict[str, list[Instance]], environment: str
) -> None:
    rules = planned_acl(plans[environment])["rule"]
    assert sorted(rule["priority"] for rule in rules) == [10, 20, 30, 40, 50, 51, 60, 70, 80]
    assert check([as_called(rule) for rule in rules]) <= 1500
