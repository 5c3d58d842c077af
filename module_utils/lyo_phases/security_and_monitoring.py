"""Web application firewall, threat detection, alarms and whom they reach."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..lyo_aws import parallel
from .findings import Finding, Findings, expect
from .target import Target, found, listed, serving

CRITICAL = "critical"
# What the names of the error budget's alarms go on with.
BUDGET = "slo"
# Alarms that a deployment watches while it bakes are named <name>-release-….
RELEASE = "release"
# Alarms of a schedule that has not run yet are named <name>-schedule-missed-….
SCHEDULE = "schedule-missed"


def read(target: Target) -> dict[str, Any]:
    """Return what AWS says about the environment's guards."""
    firewall, detectors, alarms, world, topics, serves = parallel(
        lambda: _firewall(target),
        lambda: _detectors(target),
        lambda: _alarms(target.aws, target.name),
        lambda: _alarms(target.world, target.name),
        lambda: _topics(target),
        lambda: serving(target),
    )
    return {
        "name": target.name,
        "firewall": firewall,
        "detectors": detectors,
        "alarms": [*alarms, *world],
        "since": target.since,
        "topics": topics,
        "serving": serves,
    }


def _firewall(target: Target) -> dict[str, Any]:
    """The web ACL of the load balancer, and where it logs to."""
    aws = target.aws
    balancers = listed(
        aws, "elbv2", "describe_load_balancers", "LoadBalancers", Names=[target.name]
    )
    if not balancers or not target.expected["firewall"]:
        return {}
    arn = balancers[0]["LoadBalancerArn"]
    acl = found(aws, "wafv2", "get_web_acl_for_resource", ResourceArn=arn).get("WebACL") or {}
    if not acl:
        return {}
    logging = found(aws, "wafv2", "get_logging_configuration", ResourceArn=acl["ARN"])
    configuration = logging.get("LoggingConfiguration") or {}
    return {
        "name": acl["Name"],
        "rules": [rule["Name"] for rule in acl.get("Rules", [])],
        "logs": configuration.get("LogDestinationConfigs", []),
    }


def _detectors(target: Target) -> list[dict[str, Any]]:
    if not target.expected["guardduty"]:
        return []
    aws = target.aws
    return [
        aws.call("guardduty", "get_detector", DetectorId=detector)
        for detector in aws.all("guardduty", "list_detectors", "DetectorIds")
    ]


def _alarms(aws: Any, name: str) -> list[dict[str, Any]]:
    """The environment's alarms of a region, by their names."""
    # One call for both kinds: a paginator's items have one key only.
    answer = aws.call(
        "cloudwatch",
        "describe_alarms",
        AlarmNamePrefix=f"{name}-",
        AlarmTypes=["MetricAlarm", "CompositeAlarm"],
        MaxRecords=100,
    )
    return [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]


def _topics(target: Target) -> list[dict[str, Any]]:
    aws = target.aws
    arns = [
        topic["TopicArn"]
        for topic in aws.all("sns", "list_topics", "Topics")
        if topic["TopicArn"].rpartition(":")[2].startswith(f"{target.name}-")
    ]
    return [
        {
            "name": arn.rpartition(":")[2],
            "subscriptions": [
                subscription["SubscriptionArn"]
                for subscription in aws.all(
                    "sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=arn
                )
            ],
        }
        for arn in arns
    ]


def problems(facts: Mapping[str, Any], expected: Mapping[str, Any]) -> Findings:
    """What is wrong: unprotected, unwatched, in alarm, or nobody would hear of it."""
    if expected["firewall"]:
        yield from _firewall_problems(facts["firewall"])
    if expected["guardduty"]:
        if not facts["detectors"]:
            yield Finding("number of GuardDuty detectors", 0, 1)
        for detector in facts["detectors"]:
            yield from expect(detector, "GuardDuty detector", Status="ENABLED")
    if expected["alarms"]:
        # While no task runs alarms ring, and rightly.
        quiet = expected["quiet"] and facts["serving"]
        yield from _alarm_problems(facts["alarms"], facts["name"], facts.get("since"), quiet=quiet)
        yield from _topic_problems(facts["topics"], expected)


def _firewall_problems(firewall: Mapping[str, Any]) -> Findings:
    if not firewall:
        yield Finding("web ACL of the load balancer", "none", "associated")
        return
    if not firewall["rules"]:
        yield Finding(f"web ACL {firewall['name']} rules", "none", "one at least")
    if not firewall["logs"]:
        yield Finding(f"web ACL {firewall['name']} logging", "off", "on")


def _alarm_problems(
    alarms: list[Mapping[str, Any]], name_of_all: str, since: datetime | None, *, quiet: bool
) -> Findings:
    """What is wrong with the alarms.

    :param quiet: whether none may ring.
    :param since: when the run planned. What rang before is not the phase's doing, and a run that
        may be the cure must not be stopped by it. None: whatever rings counts.
    """
    if not alarms:
        yield Finding("number of alarms", 0, "one at least")
    # A part of a composite alarm speaks through that one.
    rules = " ".join(str(alarm.get("AlarmRule") or "") for alarm in alarms)
    for alarm in alarms:
        if f'"{alarm["AlarmName"]}"' in rules:
            continue
        name = f"alarm {alarm['AlarmName']}"
        # A new alarm has INSUFFICIENT_DATA until its first period is over. A spent error budget
        # speaks of the past, a schedule's of what has not run yet: no fault of what stands now.
        elsewhere = (f"{name_of_all}-{BUDGET}-", f"{name_of_all}-{SCHEDULE}-")
        about_it = not alarm["AlarmName"].startswith(elsewhere)
        rings = alarm.get("StateValue") == "ALARM" and about_it and _began(alarm, since)
        if quiet and rings:
            yield Finding(name, "ALARM", f"OK ({alarm.get('StateReason', '')})")
        # A deployment asks its alarms itself, they tell nobody.
        asked = alarm["AlarmName"].startswith(f"{name_of_all}-{RELEASE}-")
        told = alarm.get("AlarmActions") or asked
        if not told:
            yield Finding(f"{name} actions", "none", "somebody is told")
        elif not alarm.get("ActionsEnabled"):
            yield Finding(f"{name} actions", "disabled", "enabled")


def _began(alarm: Mapping[str, Any], since: datetime | None) -> bool:
    """Whether an alarm has come into its state since then."""
    changed = alarm.get("StateTransitionedTimestamp")
    return since is None or changed is None or changed >= since


def _topic_problems(topics: list[Mapping[str, Any]], expected: Mapping[str, Any]) -> Findings:
    critical = [topic for topic in topics if topic["name"].endswith(f"-{CRITICAL}")]
    if not critical:
        yield Finding("number of critical topics", 0, "one at least")
    for topic in critical if expected["critical_subscription"] else []:
        # Until somebody confirms it, a subscription has a word in the place of its ARN.
        confirmed = [arn for arn in topic["subscriptions"] if arn.startswith("arn:")]
        if not confirmed:
            yield Finding(
                f"topic {topic['name']} confirmed subscriptions",
                0,
                "one at least, to wake somebody",
            )
