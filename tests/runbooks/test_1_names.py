"""Where the names lead: to what serves, and in an outage to a page that makes WhatsApp try again."""

from __future__ import annotations

import time

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
        customer = Customer(environment)
        customer.url = f"https://{page}:10443"
        status, body = customer.request("/webhook", b"{}")
        assert status == 503, "WhatsApp sends again what was not answered with 200"
        assert "Torniamo subito" in body
    finally:
        elb.modify_rule(RuleArn=rule, Actions=before["Actions"])
    wait_until(environment, leads_to_the_load_balancer=True)
    assert Customer(environment).request("/health")[0] == 200
