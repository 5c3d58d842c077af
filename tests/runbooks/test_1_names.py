"""Where the names lead: to what serves, and in an outage to a page that makes WhatsApp try again."""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request

import pytest

from tests.runbooks.harness import Environment
from tests.runbooks.traffic import Customer

# Three checks in a row change a health check's state, at most one a second for each checker.
PATIENCE_SECONDS = 60.0


def answer(environment: Environment, host: str) -> str:
    """The address that Route 53 answers for a name below the environment's domain."""
    route53 = environment.client("route53")
    zone = environment.outputs["zone_id"]
    domain = route53.get_hosted_zone(Id=zone)["HostedZone"]["Name"]
    (address,) = route53.test_dns_answer(
        HostedZoneId=zone, RecordName=f"{host}.{domain}", RecordType="A"
    )["RecordData"]
    return str(address)


def wait_until(environment: Environment, *, leads_to_the_load_balancer: bool) -> str:
    """Wait until api.<domain> leads there, or elsewhere; returns where."""
    balancer = environment.outputs["load_balancer_dns_name"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while ((found := answer(environment, "api")) == balancer) != leads_to_the_load_balancer:
        assert time.monotonic() < deadline, f"api still leads to {found}"
        time.sleep(0.5)
    return found


def ask(environment: Environment, url: str, method: str) -> urllib.error.HTTPError:
    """The refusal that a request is answered with."""
    trust = ssl.create_default_context(cafile=environment.ca_bundle)
    body = b"{}" if method == "POST" else None
    request = urllib.request.Request(url, method=method, data=body)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10, context=trust)
    return refused.value


def test_names_lead_where_they_should(environment: Environment) -> None:
    outputs = environment.outputs
    dashboard = outputs["dashboard_url"].split("//")[1].split(":")[0]
    assert answer(environment, "direct") == outputs["load_balancer_dns_name"]
    assert answer(environment, "dashboard") == dashboard
    assert dashboard != outputs["load_balancer_dns_name"]


def test_an_outage_turns_the_api_to_the_page_and_its_end_turns_it_back(
    environment: Environment,
) -> None:
    outputs, elb = environment.outputs, environment.client("elbv2")
    rule = outputs["production_listener_rule_arn"]
    wait_until(environment, leads_to_the_load_balancer=True)
    (before,) = elb.describe_rules(RuleArns=[rule])["Rules"]
    down = {"StatusCode": "503", "ContentType": "text/plain", "MessageBody": "down"}
    elb.modify_rule(RuleArn=rule, Actions=[{"Type": "fixed-response", "FixedResponseConfig": down}])
    try:
        page = wait_until(environment, leads_to_the_load_balancer=False)
        assert answer(environment, "direct") == outputs["load_balancer_dns_name"]
        for method in ("GET", "POST"):
            answered = ask(environment, f"https://{page}:10443/webhook", method)
            assert answered.code == 503, "WhatsApp sends again what was not answered with 200"
            assert answered.headers["Retry-After"] == "60"
            text = answered.read().decode()
            assert "Torniamo subito" in text
            assert "Back soon" in text
    finally:
        elb.modify_rule(RuleArn=rule, Actions=before["Actions"])
    wait_until(environment, leads_to_the_load_balancer=True)
    assert Customer(environment).request("/health")[0] == 200
