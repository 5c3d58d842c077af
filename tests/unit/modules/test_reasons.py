from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible.module_utils.lyo_release import live, reasons
from ansible.module_utils.lyo_release.result import yaml_like

from .fakes import DEFINITION, REVISION, FakeAws, failure
from .world import definition

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("task", "failed"),
    [
        ({"stopCode": "EssentialContainerExited"}, True),
        ({"stopCode": "TaskFailedToStart"}, True),
        ({"stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Scaling activity"}, False),
        (
            {
                "stopCode": "ServiceSchedulerInitiated",
                "stoppedReason": "Task failed ELB health checks in (target-group x)",
            },
            True,
        ),
        ({"stopCode": "UserInitiated", "stoppedReason": "Task stopped by user"}, False),
        ({"stoppedReason": "Task failed container health checks"}, True),
    ],
)
def test_which_stopped_tasks_have_failed(task: dict[str, Any], failed: bool) -> None:
    assert reasons.task_failed(task) is failed


def test_a_tasks_line() -> None:
    task = {
        "taskArn": "arn:task/0123456789abcdef",
        "stoppedReason": "Essential container in task exited",
        "containers": [
            {"name": "app", "exitCode": 137, "reason": "OutOfMemoryError"},
            {"name": "side"},
        ],
    }
    assert reasons.task_line(task) == (
        "task 0123456789ab: Essential container in task exited; "
        "container app: exit code 137, OutOfMemoryError"
    )


def test_targets_that_have_failed() -> None:
    def entry(state: str, **more: str) -> dict[str, Any]:
        return {"Target": {"Id": "127.0.0.9", "Port": 80}, "TargetHealth": {"State": state, **more}}

    states = [entry(s) for s in ("healthy", "initial", "draining", "unused")]
    lines = reasons.target_lines(
        [*states, entry("unhealthy", Description="codes: [503]", Reason="R"), entry("unavailable")]
    )
    assert lines == [
        "target 127.0.0.9:80 unhealthy: codes: [503]",
        "target 127.0.0.9:80 unavailable: no reason given",
    ]


def test_what_the_deployment_says() -> None:
    deployment = {
        "statusReason": "same",
        "rollback": {"reason": "same"},
        "alarms": {"triggeredAlarmNames": ["5xx", "latency"]},
    }
    assert reasons.deployment_lines(deployment) == [
        "same",
        "alarms in state ALARM: 5xx, latency",
    ]
    assert reasons.deployment_lines({}) == []


def test_events_that_tell_of_trouble() -> None:
    def event(text: str, minutes: int) -> dict[str, Any]:
        return {"message": text, "createdAt": NOW + timedelta(minutes=minutes)}

    task = "0" * 32
    events = [
        event("(service x) has reached a steady state.", 4),
        event(f"(service x) (task {task}) failed container health checks.", 3),
        event(f"(service x) (task {task[:-1]}1) failed container health checks.", 2),
        event("(service x) was unable to place a task", 1),
        event("(service x) is unhealthy, long ago", -1),
    ]
    assert reasons.event_lines({"events": events}, NOW) == [
        "event: (service x) was unable to place a task",
        "event: (service x) failed container health checks.",
    ]
    assert len(reasons.event_lines({"events": events}, None)) == 3
    assert reasons.event_lines({}, NOW) == []


def test_the_log_of_a_task() -> None:
    found = reasons.log_stream(definition(1), "arn:task/lyo/abc")
    assert found == ("/lyo/app", "app/app/abc")
    assert reasons.log_stream({"containerDefinitions": [{"name": "app"}]}, "arn:task/abc") is None


def witness(aws: FakeAws) -> reasons.Witness:
    return reasons.Witness(aws, "lyo", "lyo", definition(2), ["arn:blue"])


def stopped(name: str, **more: Any) -> dict[str, Any]:
    return {
        "taskArn": f"arn:task/{name}",
        "taskDefinitionArn": f"{DEFINITION}:2",
        "lastStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        "createdAt": NOW,
        **more,
    }


def test_a_witness_counts_each_failed_task_of_its_revision_once() -> None:
    tasks = [
        stopped("a"),
        stopped("b", taskDefinitionArn=f"{DEFINITION}:1"),
        stopped("c", createdAt=NOW - timedelta(hours=1)),
        stopped("d", lastStatus="DEPROVISIONING"),
    ]
    aws = FakeAws(
        list_tasks={"taskArns": [task["taskArn"] for task in tasks]},
        describe_tasks=lambda p: {"tasks": [t for t in tasks if t["taskArn"] in p["tasks"]]},
        describe_target_health={"TargetHealthDescriptions": []},
    )
    seen = witness(aws)
    seen.since = NOW
    seen.look()
    assert list(seen.failed) == ["arn:task/a"]
    tasks[3]["lastStatus"] = "STOPPED"
    seen.look()
    assert list(seen.failed) == ["arn:task/a", "arn:task/d"]
    assert aws.named("describe_tasks")[1]["tasks"] == ["arn:task/d"]
    seen.look()
    assert len(aws.named("describe_tasks")) == 2


def test_a_witness_remembers_unhealthy_targets_that_are_gone() -> None:
    bad = {"Target": {"Id": "a", "Port": 1}, "TargetHealth": {"State": "unhealthy"}}
    good = {"Target": {"Id": "b", "Port": 1}, "TargetHealth": {"State": "healthy"}}
    aws = FakeAws(
        list_tasks={"taskArns": []},
        describe_target_health=[
            {"TargetHealthDescriptions": [bad, good]},
            {"TargetHealthDescriptions": []},
        ],
    )
    seen = witness(aws)
    seen.look()
    assert seen.healthy == 1
    seen.look()
    assert seen.lines() == ["target a:1 unhealthy: no reason given"]


def test_a_refused_read_only_means_less_is_known() -> None:
    seen = witness(FakeAws(list_tasks=failure("ThrottlingException")))
    seen.look()
    assert seen.lines() == []
    with pytest.raises(Exception, match="refused"):
        witness(FakeAws(list_tasks=failure("NoCredentials"))).look()


def test_a_log_that_cannot_be_read() -> None:
    gone = witness(FakeAws(get_log_events=failure("ResourceNotFoundException")))
    assert gone.log_tail("arn:task/a") == []
    denied = witness(FakeAws(get_log_events=failure("AccessDenied", "may not")))
    assert denied.log_tail("arn:task/a") == ["may not"]
    plain = reasons.Witness(FakeAws(), "lyo", "lyo", {}, [])
    assert plain.log_tail("arn:task/a") == []


def revision(number: int) -> str:
    return f"{REVISION}:{number}"


@pytest.mark.parametrize(
    ("service", "deployment", "serving"),
    [
        ({"currentServiceRevisions": [{"arn": "a"}]}, None, "a"),
        ({"currentServiceRevisions": [{"arn": "a"}, {"arn": "b"}]}, None, ""),
        ({}, None, ""),
        ({}, {"status": "SUCCESSFUL", "targetServiceRevision": {"arn": "t"}}, "t"),
        (
            {"currentServiceRevisions": [{"arn": "x"}]},
            {"status": "ROLLBACK_SUCCESSFUL", "rollback": {"serviceRevisionArn": "r"}},
            "r",
        ),
        ({"currentServiceRevisions": [{"arn": "x"}]}, {"status": "STOPPED"}, "x"),
        ({}, {"status": "IN_PROGRESS", "sourceServiceRevisions": []}, ""),
        (
            {"currentServiceRevisions": [{"arn": "t"}]},
            {
                "status": "IN_PROGRESS",
                "sourceServiceRevisions": [
                    {"arn": "a", "requestedProductionTrafficWeight": 10.0},
                    {"arn": "b", "requestedProductionTrafficWeight": 90.0},
                    {"arn": "c"},
                ],
            },
            "b",
        ),
    ],
)
def test_which_revision_serves(
    service: dict[str, Any], deployment: dict[str, Any] | None, serving: str
) -> None:
    assert live.serving_revision(service, deployment) == serving


def test_reads_of_what_is_not_there() -> None:
    aws = FakeAws(
        describe_services={"services": [{"status": "INACTIVE"}]},
        describe_task_definition=failure("ClientException"),
        describe_service_deployments={"serviceDeployments": []},
    )
    assert live.describe_service(aws, "c", "s") is None
    assert live.describe_definition(aws, "x") is None
    assert live.describe_deployment(aws, "x") is None
    assert live.describe_revisions(aws, ["", ""]) == {}
    denied = FakeAws(
        describe_services=failure("AccessDenied"), describe_task_definition=failure("AccessDenied")
    )
    with pytest.raises(Exception, match="refused"):
        live.describe_service(denied, "c", "s")
    with pytest.raises(Exception, match="refused"):
        live.describe_definition(denied, "x")


def test_revisions_are_read_twenty_at_a_time() -> None:
    aws = FakeAws(
        describe_service_revisions=lambda p: {
            "serviceRevisions": [{"serviceRevisionArn": a} for a in p["serviceRevisionArns"]]
        }
    )
    arns = [revision(number) for number in range(45)]
    assert list(live.describe_revisions(aws, [*arns, arns[0]])) == arns
    assert [len(p["serviceRevisionArns"]) for _, p in aws.calls] == [20, 20, 5]


def test_a_diff_is_readable() -> None:
    data = {"a": 1, "b": {"c": ["x", "y"]}, "d": [{"e": 1}], "f": []}
    assert yaml_like(data) == "a: 1\nb:\n  c:\n    - x\n    - y\nd:\n  -\n    e: 1\nf: []\n"
