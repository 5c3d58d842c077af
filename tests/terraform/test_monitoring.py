"""The monitoring module: who is told of what, and that CloudWatch has what the alarms read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from localcloud.services.cloudwatch.dashboards import errors_of
from localcloud.services.cloudwatch.rule import AlarmRule
from localcloud.services.cloudwatch.validation import check_metric_alarm
from tests.terraform.conftest import ROOT, Run

REGION = "eu-south-1"
TOPICS = {
    severity: f"arn:aws:sns:{REGION}:123456789012:lyo-test-{severity}"
    for severity in ("critical", "warning")
}
METRICS = json.loads((Path(__file__).parent / "metrics.json").read_text())
SECTIONS = set(
    re.findall(r"^## (\S+)$", (ROOT / "docs/runbooks/alarms.md").read_text(), re.MULTILINE)
)
# These wake somebody; a new one wants a second thought.
CRITICAL = {
    *("no-healthy-host", "tasks-below-minimum", "database-storage", "backup-age"),
    "backup-unverified",
    *("nat-ports-eu-south-1a", "nat-ports-eu-south-1b", "slo-fast", "slo-medium"),
}

# These are read by composite alarms and by deployments.
QUIET = {
    *(
        f"slo-{rate}-{window}"
        for rate in ("fast", "medium", "slow")
        for window in ("long", "short")
    ),
    *("release-5xx", "release-latency", "release-unhealthy"),
}
ELSEWHERE = {"arn:aws:cloudwatch:us-east-1:123456789012:alarm:elsewhere"}

Resources = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def runs(terraform: Run) -> dict[str, Resources]:
    """What each run of the behaviour's file made: address → values."""
    output = terraform(
        "test", "-json", "-verbose", "-filter=tests/monitoring_behaviour.tftest.hcl"
    ).stdout
    events = [json.loads(line) for line in output.splitlines()]
    return {
        event["@testrun"]: {
            resource["address"]: resource["values"]
            for resource in event["test_state"]["root_module"]["resources"]
        }
        for event in events
        if event["type"] == "test_state"
    }


@pytest.fixture(scope="module")
def everything(runs: dict[str, Resources]) -> Resources:
    return runs["everything"]


def alarms_of(resources: Resources) -> Resources:
    """Metric alarms by their name without the prefix."""
    return {
        values["alarm_name"].removeprefix("lyo-test-"): values
        for address, values in resources.items()
        if address.startswith("aws_cloudwatch_metric_alarm.")
    }


def composites_of(resources: Resources) -> Resources:
    return {
        values["alarm_name"].removeprefix("lyo-test-"): values
        for address, values in resources.items()
        if address.startswith("aws_cloudwatch_composite_alarm.")
    }


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """Every metric that an alarm reads."""
    read = [metric for query in alarm["metric_query"] for metric in query["metric"]]
    return read or [alarm]


def request_of(alarm: dict[str, Any]) -> dict[str, Any]:
    """The alarm as the provider asks CloudWatch for it."""
    request: dict[str, Any] = {
        "AlarmName": alarm["alarm_name"],
        "ComparisonOperator": alarm["comparison_operator"],
        "Threshold": alarm["threshold"],
        "EvaluationPeriods": alarm["evaluation_periods"],
        "DatapointsToAlarm": alarm["datapoints_to_alarm"],
        "TreatMissingData": alarm["treat_missing_data"],
        "AlarmActions": alarm["alarm_actions"],
    }
    if not alarm["metric_query"]:
        return request | {
            "MetricName": alarm["metric_name"],
            "Namespace": alarm["namespace"],
            "Statistic": alarm["statistic"],
            "Period": alarm["period"],
        }
    return request | {
        "Metrics": [
            {"Id": query["id"], "ReturnData": query["return_data"]}
            | (
                {"MetricStat": {"Period": query["metric"][0]["period"]}}
                if query["metric"]
                else {"Expression": query["expression"]}
            )
            for query in alarm["metric_query"]
        ]
    }


@pytest.mark.parametrize("run", ["everything", "least"])
def test_cloudwatch_would_take_every_alarm(runs: dict[str, Resources], run: str) -> None:
    alarms = alarms_of(runs[run])
    assert len(alarms) > 20
    for alarm in alarms.values():
        check_metric_alarm(request_of(alarm), REGION)


def test_every_metric_is_one_that_aws_documents(everything: Resources) -> None:
    for name, alarm in alarms_of(everything).items():
        for metric in metrics_of(alarm):
            dimensions = ",".join(sorted(metric["dimensions"]))
            known = METRICS[metric["namespace"]]["dimensions"][dimensions]
            assert metric["metric_name"] in known, name


def test_every_alarm_tells_somebody_or_is_read_by_something_that_does(
    everything: Resources,
) -> None:
    alarms, composites = alarms_of(everything), composites_of(everything)
    read = {
        child.removeprefix("lyo-test-")
        for composite in composites.values()
        for child in AlarmRule(composite["alarm_rule"]).children
    } | {name for name in alarms if name.startswith("release-")}
    assert read == QUIET
    for name, alarm in (alarms | composites).items():
        topic = TOPICS["critical" if name in CRITICAL else "warning"]
        wanted = [] if name in read else [topic]
        assert (alarm["alarm_actions"] or []) == wanted, name
        assert (alarm["ok_actions"] or []) == wanted, name
    assert set(alarms | composites) >= CRITICAL


def test_silence_is_told_where_it_is_news(everything: Resources) -> None:
    silent = {
        name
        for name, alarm in alarms_of(everything).items()
        if alarm["treat_missing_data"] == "missing"
    }
    told = {
        name for name, alarm in alarms_of(everything).items() if alarm["insufficient_data_actions"]
    }
    # "breaching" would ring from the first minute of an environment nothing runs in yet: only schedules
    # that somebody has turned on may.
    breaching = {
        name
        for name, alarm in alarms_of(everything).items()
        if alarm["treat_missing_data"] == "breaching"
    }
    assert breaching == {"schedule-missed-backup", "schedule-missed-drift"}
    assert (
        silent
        == told
        == {
            *("no-healthy-host", "tasks-below-minimum", "backup-age", "database-cpu"),
            *("cache-engine-cpu-001", "cache-engine-cpu-002"),
        }
    )
    treatments = {alarm["treat_missing_data"] for alarm in alarms_of(everything).values()}
    assert treatments == {"missing", "notBreaching", "breaching"}


def test_every_description_says_what_to_do_and_where_more_is(everything: Resources) -> None:
    for name, alarm in (alarms_of(everything) | composites_of(everything)).items():
        text = alarm["alarm_description"]
        section = re.search(r"First: \S.+\(docs/runbooks/alarms\.md, ([a-z0-9-]+)\)$", text)
        assert section, f"{name}: {text}"
        assert section[1] in SECTIONS, f"docs/runbooks/alarms.md has no section {section[1]}"
        assert len(text) <= 1024, name


# The alarms of the other modules stand beside what they watch; their texts name the section literally.
ELSEWHERE_DESCRIBED = {
    f"{path.parent.name}/{path.name}: {text}": re.search(
        r"First: \S.+\(docs/runbooks/alarms\.md, ([a-z0-9-]+)\)$", text
    )
    for path in sorted((ROOT / "terraform/modules").glob("*/*.tf"))
    if path.parent.name != "monitoring"
    for text in re.findall(r'alarm_description\s*= "(.+)"', path.read_text())
}


def test_alarms_of_other_modules_say_what_to_do_too() -> None:
    assert len(ELSEWHERE_DESCRIBED) == 5
    for text, section in ELSEWHERE_DESCRIBED.items():
        assert section, text
        assert section[1] in SECTIONS, f"docs/runbooks/alarms.md has no section {section[1]}"


def test_the_runbook_has_no_section_of_an_alarm_that_is_gone(everything: Resources) -> None:
    named = {
        re.sub(r".*, ([a-z0-9-]+)\)$", r"\1", alarm["alarm_description"])
        for alarm in (alarms_of(everything) | composites_of(everything)).values()
    }
    elsewhere = {section[1] for section in ELSEWHERE_DESCRIBED.values() if section}
    # cost is told by AWS Budgets, without an alarm; deployment-failed by an event of ECS.
    assert named | elsewhere | {"cost", "deployment-failed"} == SECTIONS


def test_what_an_environment_lacks_is_not_watched(runs: dict[str, Resources]) -> None:
    gone = set(alarms_of(runs["everything"])) - set(alarms_of(runs["least"]))
    assert gone == {
        "database-cpu-credits",  # not a burstable class
        *("cache-replication-lag-001", "cache-replication-lag-002"),  # one node
        *(
            "cache-connections-002",
            "cache-engine-cpu-002",
            "cache-evictions-002",
            "cache-memory-002",
        ),
        *("tasks-below-minimum", "service-at-maximum"),  # no Container Insights
        *("nat-ports-eu-south-1a", "nat-ports-eu-south-1b", "backup-age", "backup-failed"),
        *("backup-stale-logical", "backup-stale-snapshot", "backup-stale-cache"),
        *("backup-unverified", "schedule-failed", "runbook-failed"),
        *("schedule-missed-backup", "schedule-missed-drift", "schedule-missed-drill"),
    }
    kinds = {address.split("[")[0].split(".")[0] for address in runs["least"]}
    assert not {"aws_ce_anomaly_monitor", "aws_sns_topic_subscription"} & kinds
    assert "aws_budgets_budget" in kinds


@pytest.mark.parametrize(
    ("name", "rate", "long", "short"),
    [("fast", 14.4, 3600, 300), ("medium", 6, 21600, 1800), ("slow", 1, 259200, 21600)],
)
def test_the_error_budget_is_watched_in_two_windows(
    everything: Resources, name: str, rate: float, long: int, short: int
) -> None:
    alarms = alarms_of(everything)
    rule = AlarmRule(composites_of(everything)[f"slo-{name}"]["alarm_rule"])
    windows = [f"lyo-test-slo-{name}-{window}" for window in ("long", "short")]
    assert rule.holds(dict.fromkeys(windows, "ALARM"))
    assert not any(rule.holds({window: "ALARM"}) for window in windows)
    for window, seconds in (("long", long), ("short", short)):
        alarm = alarms[f"slo-{name}-{window}"]
        assert alarm["threshold"] == rate
        assert alarm["evaluation_periods"] == 1
        assert {metric["period"] for metric in metrics_of(alarm)} == {seconds}
        value = next(query for query in alarm["metric_query"] if query["return_data"])
        assert "/ 0.001000" in value["expression"]


def test_a_release_is_watched_minute_by_minute_and_never_without_traffic(
    everything: Resources,
) -> None:
    alarms = alarms_of(everything)
    for name in ("release-5xx", "release-latency", "release-unhealthy"):
        assert {metric["period"] for metric in metrics_of(alarms[name])} == {60}
        assert alarms[name]["evaluation_periods"] <= 3
        assert alarms[name]["treat_missing_data"] == "notBreaching"
    # Three whole minutes: a task that starts within two has failed checks in each of three.
    assert {metric["stat"] for metric in metrics_of(alarms["release-unhealthy"])} == {"Minimum"}
    latency = {q["id"]: q["expression"] for q in alarms["release-latency"]["metric_query"]}
    assert latency["value"].startswith("IF(requests >= 20, ")
    # Each group by itself, or a canary's errors would be lost among the requests of the rest.
    errors = {q["id"]: q["expression"] for q in alarms["release-5xx"]["metric_query"]}
    for colour in ("blue", "green"):
        assert errors[f"{colour}_percent"].startswith(f"IF(FILL({colour}_requests, 0) >= 20, ")
    assert errors["value"] == "MAX([FILL(blue_percent, 0), FILL(green_percent, 0)])"


@pytest.mark.parametrize("run", ["everything", "least"])
def test_the_dashboard_shows_what_exists(runs: dict[str, Resources], run: str) -> None:
    body = runs[run]["aws_cloudwatch_dashboard.this"]["dashboard_body"]
    assert errors_of(body) == []
    widgets = json.loads(body)["widgets"]
    arns = {
        values["arn"]
        for address, values in runs[run].items()
        if re.match(r"aws_cloudwatch_(metric|composite)_alarm", address)
    }
    taken: set[tuple[int, int]] = set()
    for widget in widgets:
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not taken & cells, widget["properties"]["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        if widget["type"] == "alarm":
            ringing = set(widget["properties"]["alarms"])
            assert len(ringing & arns) == len(arns) - len(QUIET)
            assert ringing - arns == (ELSEWHERE if run == "everything" else set())
        ids = {line[-1].get("id") for line in widget["properties"].get("metrics", [])}
        for line in widget["properties"].get("metrics", []):
            expression = line[-1].get("expression")
            if expression:
                assert set(re.findall(r"\b[a-z]\w*", expression)) <= ids
            else:
                dimensions = ",".join(sorted(line[2:-1:2]))
                assert line[1] in METRICS[line[0]]["dimensions"][dimensions]
    titles = {widget["properties"]["title"].split(":")[0] for widget in widgets}
    assert {"What rings", "Requests a minute", "Targets", "Database", "Cache"} <= titles
    assert ({"WAF", "Backups", "NAT gateways"} <= titles) == (run == "everything")


@pytest.fixture(scope="module")
def policies(terraform: Run) -> dict[str, dict[str, Any]]:
    """Key and topic policies as the provider plans them, by address."""
    output = terraform(
        "test", "-json", "-verbose", "-filter=tests/monitoring_policies.tftest.hcl"
    ).stdout
    events = [json.loads(line) for line in output.splitlines()]
    plan = next(event["test_plan"] for event in events if event["type"] == "test_plan")
    return {
        change["address"]: json.loads(change["change"]["after"]["policy"])
        for change in plan["resource_changes"]
        if change["change"]["after"] and "policy" in change["change"]["after"]
    }


def test_a_topic_hears_the_services_of_this_account_and_no_others(
    policies: dict[str, dict[str, Any]],
) -> None:
    regional = {"cloudwatch", "events", "backup", "events.rds"}
    wanted = {
        'aws_sns_topic_policy.regional["critical"]': regional,
        'aws_sns_topic_policy.regional["warning"]': regional,
        'aws_sns_topic_policy.us_east_1["us_east_1"]': {"cloudwatch", "events"},
        'aws_sns_topic_policy.us_east_1["cost"]': {"budgets", "costalerts"},
    }
    for address, services in wanted.items():
        published = [s for s in policies[address]["Statement"] if "Service" in s["Principal"]]
        assert {s["Principal"]["Service"] for s in published} == {
            f"{service}.amazonaws.com" for service in services
        }
        for statement in published:
            assert statement["Action"] == "sns:Publish"
            account = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
            # EventBridge and AWS Backup send no account along: a condition would drop their messages.
            without = statement["Principal"]["Service"].split(".")[0:2] in (
                ["events", "amazonaws"],
                ["backup", "amazonaws"],
            )
            assert statement.get("Condition") == (None if without else account), address


def test_a_key_serves_its_topics_and_nothing_else(policies: dict[str, dict[str, Any]]) -> None:
    wanted = {
        "aws_kms_key.regional": (REGION, ["critical", "warning"]),
        "aws_kms_key.us_east_1": ("us-east-1", ["cost", "us-east-1"]),
    }
    for address, (region, topics) in wanted.items():
        root, publishers = policies[address]["Statement"]
        assert root["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
        assert sorted(publishers["Action"]) == ["kms:Decrypt", "kms:GenerateDataKey*"]
        arns = [f"arn:aws:sns:{region}:123456789012:lyo-test-{topic}" for topic in topics]
        assert publishers["Condition"] == {
            "StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": arns}
        }


def test_a_pager_s_key_is_in_no_address(everything: Resources) -> None:
    subscriptions = [address for address in everything if "_subscription." in address]
    assert len([address for address in subscriptions if "https" in address]) == 2
    assert not [address for address in subscriptions if "pager" in address]
