"""The status: what is read, how it is told, and what happens where a part cannot be read."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.lyo_aws import AwsFailure
from ansible.module_utils.lyo_ledger.record import Run
from ansible.module_utils.lyo_lock.decide import Found
from ansible.module_utils.lyo_lock.record import Lock
from ansible.module_utils.lyo_operate import place
from ansible.module_utils.lyo_operate.decide import Scaling
from ansible.module_utils.lyo_release import live
from ansible.module_utils.lyo_restore.drill import Drill
from ansible.module_utils.lyo_restore.record import Record
from ansible.module_utils.lyo_status import facts as f
from ansible.module_utils.lyo_status import sections as s

from .fakes import DEPLOYMENT, IMAGE_1, OUTPUTS, FakeAws, failure, outputs_answer
from .world import World, definition

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HELD = Lock(
    *("held", 7, "r1", "alice", "laptop", "deploy.yml release=v2", ""),
    acquired_at="2026-11-01T11:00:00+00:00",
    lease_seconds=60,
)
RUN = Run(
    *("r1", 7, "production", "deploy.yml", "deploy.yml release=v2", "alice", "laptop"),
    started_at="2026-11-01T11:00:00+00:00",
    verdict="DEPLOYED",
)
# Whenever the tests run: this year's records are found.
RUN_FOLDERS = {f"ledger/{datetime.now(UTC):%Y-%m}/"}
OUTPUTS_WITH_GROUPS = {**OUTPUTS, "target_group_arns": {"blue": "arn:blue", "green": "arn:green"}}


def params(folder: Path) -> dict[str, Any]:
    (folder / "terraform").mkdir(exist_ok=True)
    return {
        "env": "production",
        "alarm_prefix": "lyo-production",
        "infra": {
            "paths": [str(folder / "terraform")],
            "variables": {},
            "bucket": "state",
            "state_key": "lyo.tfstate",
            "marker_key": "lyo.plan.json",
            "lock_key": "lyo.lock.json",
            "ledger_prefix": "ledger/",
            "drills_prefix": "drills/",
            "max_age_hours": 24,
        },
        "runs": 5,
        "backups": {"prefix": "logical/", "max_age_hours": 26},
        "cost": {"tables": str(ROOT / "prices"), "usage": {}},
    }


STATE = {
    "version": 4,
    "resources": [
        {
            "mode": "managed",
            "type": "aws_nat_gateway",
            "name": "this",
            "instances": [{"attributes": {}}],
        }
    ],
    "outputs": {"runbooks": {"value": OUTPUTS_WITH_GROUPS}},
}


def object_of(params: dict[str, Any]) -> dict[str, Any]:
    if params["Key"] in ("lyo.plan.json", "lyo.lock.json", "drills/last.json"):
        raise failure("NoSuchKey")
    if params["Key"].startswith("ledger/"):
        return {"Body": io.BytesIO(RUN.to_json())}
    return {"Body": io.BytesIO(json.dumps(STATE).encode())}


def cloud(**more: Any) -> FakeAws:
    """A production that serves v1."""
    answers = {
        "get_parameters": outputs_answer(OUTPUTS_WITH_GROUPS),
        "get_object": object_of,
        "head_object": {"ETag": '"etag"'},
        "list_objects_v2": lambda p: {
            "Contents": [{"Key": f"ledger/{RUN.key}"}] if p["Prefix"] in RUN_FOLDERS else []
        },
        "describe_alarms": {"MetricAlarms": [], "CompositeAlarms": []},
        "describe_scalable_targets": {"ScalableTargets": [{"MinCapacity": 2, "MaxCapacity": 6}]},
        "describe_target_health": lambda p: {
            "TargetHealthDescriptions": [{"TargetHealth": {"State": "healthy"}}] * 2
            if p["TargetGroupArn"] == "arn:green"
            else []
        },
        **more,
    }
    aws = World().aws(**answers)
    aws.region = "eu-south-1"  # type: ignore[attr-defined]
    return aws


def read(tmp_path: Path, **more: Any) -> f.Facts:
    return f.read(cloud(**more), params(tmp_path))


def test_everything_is_read_and_nothing_written(tmp_path: Path) -> None:
    aws = cloud()
    found = f.read(aws, params(tmp_path))
    assert found.service.live_definition is not None
    assert found.targets == {"blue": {}, "green": {"healthy": 2}}
    assert found.alarms == {}
    assert isinstance(found.infrastructure, f.Infrastructure)
    assert found.infrastructure.why_plan == "no empty plan is on record"
    assert not isinstance(found.cost, f.Unknown)
    assert round(found.cost.estimate.total, 2) == 37.5
    assert found.lock == Found(None)
    assert found.runs == [RUN]
    assert found.drill is None
    assert found.database is None
    assert aws.writes == 0
    assert all(
        operation.startswith(("get_", "describe_", "head_", "list_")) for operation, _ in aws.calls
    )


def test_an_environment_with_nothing_is_told_with_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(place.NothingYetError, match=r"nothing yet.*deploy\.yml -e env=production"):
        read(tmp_path, get_parameters=outputs_answer(None))


def test_an_environment_that_was_left_half_made_is_told(tmp_path: Path) -> None:
    half = {key: value for key, value in OUTPUTS_WITH_GROUPS.items() if key != "cluster_name"}
    with pytest.raises(place.NothingYetError, match=r"lack cluster_name.*deploy\.yml"):
        read(tmp_path, get_parameters=outputs_answer(half))


def test_what_it_cannot_be_without_fails_the_whole(tmp_path: Path) -> None:
    with pytest.raises(AwsFailure):
        read(tmp_path, describe_services=failure("AccessDeniedException"))


@pytest.mark.parametrize(
    ("operation", "section"),
    [
        ("describe_alarms", s.alarms),
        ("describe_target_health", s.targets),
        ("head_object", s.infrastructure),
        ("get_object", s.cost),
        ("get_object", s.lock),
        ("list_objects_v2", s.runs),
        ("list_tasks", s.tasks),
        ("describe_scalable_targets", s.scaling),
    ],
)
def test_any_other_part_is_told_in_its_place(tmp_path: Path, operation: str, section: Any) -> None:
    found = section(read(tmp_path, **{operation: failure("AccessDeniedException")}))
    assert not found.well
    assert found.lines[0].startswith("cannot be read: ")


def backed_up(*more: str) -> dict[str, Any]:
    """Answers of an environment with two logical backups, the older one verified."""
    outputs = {**OUTPUTS_WITH_GROUPS, "operations": {"bucket": "backups"}}
    keys = [
        *(
            "logical/20261125T030000Z-0000000a/manifest.json",
            "logical/20261125T030000Z-0000000a/verdict-1.json",
        ),
        *(
            "logical/20261126T030000Z-0000000b/manifest.json",
            "logical/20261126T030000Z-0000000b/parts/1",
        ),
        *more,
    ]

    def listed(params: dict[str, Any]) -> dict[str, Any]:
        return {
            "Contents": [{"Key": k, "Size": 2048} for k in keys]
            if params["Bucket"] == "backups"
            else []
        }

    def body(params: dict[str, Any]) -> dict[str, Any]:
        if "/verdict-" not in params["Key"]:
            return object_of(params)
        word = "VERIFIED" if params["Key"].endswith("1.json") else "DAMAGED"
        return {"Body": io.BytesIO(json.dumps({"verdict": word, "reasons": ["a bit"]}).encode())}

    return {
        "get_parameters": outputs_answer(outputs),
        "list_objects_v2": listed,
        "get_object": body,
    }


def test_the_last_backup_and_the_last_verified_one_are_read(tmp_path: Path) -> None:
    assert read(tmp_path).backups is None
    found = read(tmp_path, **backed_up()).backups
    assert isinstance(found, f.Backups)
    assert found.last is not None
    assert found.verified is not None
    assert (found.last.id, found.verified.id, found.count) == (
        "20261126T030000Z-0000000b", "20261125T030000Z-0000000a", 2,
    )  # fmt: skip
    refused = read(tmp_path, **{**backed_up(), "list_objects_v2": failure("AccessDenied")})
    assert s.backup(refused).lines[0].startswith("cannot be read: ")


def test_a_backup_is_well_while_it_is_young_and_verified(tmp_path: Path) -> None:
    def section(now: datetime, *more: str) -> s.Section:
        return s.backup(replace(read(tmp_path, **backed_up(*more)), now=now))

    at = datetime(2026, 11, 26, 3, tzinfo=UTC)
    verified = "logical/20261126T030000Z-0000000b/verdict-1.json"
    found = section(at + timedelta(hours=26), verified)
    assert found.well
    assert found.lines == (
        "20261126T030000Z-0000000b, 2026-11-26 03:00 (26 hours ago), 2.0 KiB, VERIFIED",
    )
    assert not section(at + timedelta(hours=27), verified).well
    unverified = section(at + timedelta(hours=1))
    assert not unverified.well
    assert "not verified" in unverified.lines[0]
    assert "the last verified one is 20261125T030000Z-0000000a" in unverified.lines[1]
    damaged = section(at, "logical/20261126T030000Z-0000000b/verdict-2.json")
    assert "damaged: a bit" in damaged.lines
    assert not s.backup(facts(backups=f.Backups())).well
    assert s.backup(facts()).well


# The sections, from facts.


def state(**more: Any) -> live.State:
    content = definition(3)
    arn = content["taskDefinitionArn"]
    return live.State(
        **{
            "service": {"desiredCount": 2, "runningCount": 2},
            "live": arn,
            "definitions": {arn: content},
            "last": {"finishedAt": NOW - timedelta(hours=5)},
            **more,
        }
    )


def facts(**more: Any) -> f.Facts:
    return f.Facts(
        **{
            "env": "production",
            "now": NOW,
            "outputs": OUTPUTS,
            "service": state(),
            "targets": {"blue": {"healthy": 2}, "green": {}},
            "alarms": {},
            "infrastructure": f.Infrastructure("2026-11-01T10:00:00+00:00", ""),
            "cost": f.Unknown("no prices"),
            **more,
        }
    )


def test_the_release_with_image_tasks_and_since_when() -> None:
    found = s.release(facts())
    assert found.lines == (
        "v1 (lyo:3), since 2026-11-01 07:00 (5 hours ago)",
        "lyo@sha256:111111111111",
        "2 of 2 tasks run",
    )
    assert found.well
    assert found.data["image"] == IMAGE_1
    assert found.data["since"] == "2026-11-01T07:00:00+00:00"


@pytest.mark.parametrize(
    ("service", "line", "well"),
    [
        ({"desiredCount": 2, "runningCount": 1}, "1 of 2 tasks run", False),
        ({"desiredCount": 0, "runningCount": 0}, "0 of 0 tasks run", False),
    ],
)
def test_missing_tasks_are_not_well(service: dict[str, int], line: str, well: bool) -> None:
    found = s.release(facts(service=state(service=service)))
    assert found.lines[-1] == line
    assert found.well is well


def test_without_a_service_or_a_release() -> None:
    assert s.release(facts(service=live.State())).lines == ("there is no service",)
    bare = state(service={"desiredCount": 0}, definitions={})
    assert s.release(facts(service=bare)).lines == ("nothing is released yet",)


def test_a_deployment_under_way_has_stage_and_start() -> None:
    new = definition(4, release="v2")
    running = state(
        deployment={
            "serviceDeploymentArn": DEPLOYMENT,
            "status": "IN_PROGRESS",
            "lifecycleStage": "BAKE_TIME",
            "startedAt": NOW - timedelta(minutes=3),
        },
        target=new["taskDefinitionArn"],
    )
    running.definitions[new["taskDefinitionArn"]] = new
    found = s.deployment(facts(service=running))
    assert found.lines == (
        "v2 (lyo:4): IN_PROGRESS, BAKE_TIME, 85 %, started 2026-11-01 11:57 (3 minutes ago)",
    )
    assert not found.well
    assert "since" not in s.release(facts(service=running)).lines[0]
    assert s.deployment(facts()).lines == ("none under way",)


def test_a_deployment_tells_its_share_of_the_traffic() -> None:
    target = {"arn": "arn:revision", "requestedProductionTrafficWeight": 10.0}
    current = {"status": "IN_PROGRESS", "targetServiceRevision": target}
    found = s.deployment(facts(service=state(deployment=current, target="arn:x/lyo:4")))
    assert "10 % of the traffic" in found.lines[0]
    assert found.data["traffic"] == 10.0


def task(number: int, zone: str = "a", **more: Any) -> dict[str, Any]:
    return {
        "taskArn": f"arn:aws:ecs:eu-south-1:1:task/lyo/{number:032x}",
        "taskDefinitionArn": "arn:aws:ecs:eu-south-1:1:task-definition/lyo:3",
        "availabilityZone": f"eu-south-1{zone}",
        "lastStatus": "RUNNING",
        "healthStatus": "HEALTHY",
        "startedAt": NOW - timedelta(hours=number),
        **more,
    }


def test_tasks_are_told_with_zone_health_and_age_the_oldest_first() -> None:
    found = s.tasks(facts(tasks=[task(2), task(3, "b", healthStatus="UNKNOWN")]))
    assert found.lines == (
        "00000000  lyo:3  eu-south-1b  RUNNING  since 3 hours",
        "00000000  lyo:3  eu-south-1a  RUNNING HEALTHY  since 2 hours",
    )
    assert found.well
    assert found.data["tasks"][0]["zone"] == "eu-south-1b"
    assert not s.tasks(facts(tasks=[task(2, healthStatus="UNHEALTHY")])).well
    assert s.tasks(facts()).lines == ("none",)


def test_many_tasks_are_told_by_their_zones() -> None:
    found = s.tasks(facts(tasks=[task(n, "ab"[n % 2]) for n in range(11)]))
    assert len(found.lines) == s.SHOWN_TASKS + 1
    assert found.lines[-1] == "and 3 more; of all, 6 in eu-south-1a, 5 in eu-south-1b"
    assert len(found.data["tasks"]) == 11


def test_scaling_says_how_far_it_may_go() -> None:
    found = s.scaling(facts(scaling=Scaling(2, 6)))
    assert found.lines == ("2 tasks wanted, 2 to 6 allowed",)
    assert found.well
    full = s.scaling(facts(scaling=Scaling(1, 2)))
    assert (full.well, "at its maximum" in full.lines[1]) == (False, True)
    paused = s.scaling(facts(scaling=Scaling(1, 6, "scaling out")))
    assert (paused.well, paused.lines[1]) == (False, "scaling out is suspended")
    assert "nothing scales it" in s.scaling(facts()).lines[0]


def test_what_a_deploy_would_do_is_told() -> None:
    pending = f.pending_of({"steps": ["migrate", "deploy"], "reasons": ["migrate: why"]})
    found = s.pending(facts(pending=pending))
    assert found.lines == ("a deploy would do: migrate, deploy", "migrate: why")
    assert found.well
    assert s.pending(facts(pending=f.Pending())).lines == ("a deploy would do nothing",)
    refused = s.pending(facts(pending=f.pending_of({"failed": True, "msg": "v2 is busy"})))
    assert (refused.well, "v2 is busy" in refused.lines[0]) == (False, True)
    assert s.pending(facts(pending=f.pending_of({}))).lines == ("not looked at",)


def test_runs_say_how_long_they_took() -> None:
    done = replace(RUN, ended_at="2026-11-01T11:02:05+00:00", durations={"release": 100.0})
    found = s.runs(facts(runs=[done, RUN]))
    assert "in 2:05 by alice@laptop" in found.lines[0]
    assert " in " not in found.lines[1]
    assert found.data["runs"][0]["durations"] == {"release": 100.0}


def test_targets_by_group_and_state() -> None:
    found = s.targets(facts(targets={"blue": {"unhealthy": 1, "draining": 2}, "green": {}}))
    assert found.lines == ("blue: 2 draining, 1 unhealthy",)
    assert not found.well
    assert s.targets(facts(targets={"blue": {}})).lines == ("none",)
    assert s.targets(facts()).well


def test_alarms_with_their_reasons() -> None:
    found = s.alarms(facts(alarms={"lyo-production-b": "too slow", "lyo-production-a": "5xx"}))
    assert found.lines == ("lyo-production-a: 5xx", "lyo-production-b: too slow")
    assert not found.well
    assert s.alarms(facts()).lines == ("none in ALARM",)


def test_alarms_of_the_edge_are_read_as_well(tmp_path: Path) -> None:
    def alarm(name: str) -> dict[str, str]:
        return {"AlarmName": name, "StateReason": "it is"}

    here = cloud(describe_alarms={"MetricAlarms": [alarm("here")]})
    edge = cloud(describe_alarms={"CompositeAlarms": [alarm("edge")]})
    assert f.read(here, params(tmp_path), edge).alarms == {"here": "it is", "edge": "it is"}
    asked = edge.named("describe_alarms")[0]
    assert asked["AlarmNamePrefix"] == "lyo-production"
    assert asked["StateValue"] == "ALARM"


def test_the_plan_counts_or_it_does_not() -> None:
    assert s.infrastructure(facts()).lines == (
        "last found as written 2026-11-01 10:00 (2 hours ago)",
        "the next deploy need not plan",
    )
    never = s.infrastructure(
        facts(infrastructure=f.Infrastructure("", "no empty plan is on record"))
    )
    assert never.lines == (
        "never planned empty",
        "the next deploy plans: no empty plan is on record",
    )
    assert not never.well


DRILL = Drill(
    "2026-11-01T07:00:00Z",
    "SUCCEEDED",
    "2026-11-01T06:58:00Z",
    rto_seconds=1234.4,
    rpo_seconds=120.0,
)


def test_the_last_drill_says_how_long_a_recovery_takes() -> None:
    found = s.recovery(facts(drill=DRILL, database=Record("lyo-production")))
    assert found.lines == (
        "drilled 2026-11-01 07:00 (5 hours ago): RTO 1,234 s, RPO 120 s",
    )  # fmt: skip
    assert found.well
    assert found.data["drill"]["rto_seconds"] == 1234.4
    assert not s.recovery(facts()).well
    failed = s.recovery(facts(drill=replace(DRILL, verdict="FAILED", reasons=("no backups",))))
    assert not failed.well
    assert failed.lines[0].endswith("failed: no backups")


def test_a_restored_database_and_what_is_kept_beside_it_are_told() -> None:
    record = Record("r2", kept=("lyo",), restored={"what": "2026-11-01T06:00:00Z"})
    assert s.recovery(facts(drill=DRILL, database=record)).lines[1:] == (
        "r2 serves, restored from 2026-11-01T06:00:00Z",
        "kept beside it: lyo; restore.yml -e release_old=true deletes it",
    )


@pytest.mark.parametrize("width", [40, 78])
def test_the_text_marks_what_somebody_should_look_at(width: int) -> None:
    found = facts(alarms={"lyo-production-slow": "answers took 3 s on average"})
    lines = s.text(found, s.all_of(found), width)
    assert lines[0] == "production in eu-south-1, 2026-11-01 12:00 UTC"
    assert max(map(len, lines[2:])) <= max(width, 48)
    marked = {line.split()[1] for line in lines if line.startswith("!")}
    assert marked == {"alarms", "cost", "recovery"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5, "5 seconds ago"),
        (119, "119 seconds ago"),
        (3599, "59 minutes ago"),
        (-3, "0 seconds ago"),
    ],
)
def test_how_long_ago(seconds: int, text: str) -> None:
    assert s.ago(NOW - timedelta(seconds=seconds), NOW) == text
    assert s.ago(NOW - timedelta(days=3), NOW) == "3 days ago"


def test_a_lock_that_nobody_holds_is_free() -> None:
    assert s.lock(facts()).lines == ("free",)
    assert s.lock(facts(lock=Found(HELD.freed(), "e", 5))).well
    assert s.lock(facts(lock=f.Unknown("denied"))).lines == ("cannot be read: denied",)


def test_a_lock_says_who_holds_it_and_whether_the_run_lives() -> None:
    found = s.lock(facts(lock=Found(HELD, "e", 5)))
    assert found.lines == (
        "alice@laptop since 2026-11-01 11:00 (60 minutes ago): deploy.yml release=v2",
        "last sign of life 5 seconds ago",
    )
    assert found.well
    assert not s.lock(facts(lock=Found(HELD, "e", 61))).well
    by_hand = s.lock(facts(lock=Found(replace(HELD, lease_seconds=0, message="tasting"), "e", 1)))
    assert "tasting" in by_hand.lines[0]
    assert "token=7" in by_hand.lines[1]
    assert not by_hand.well


def test_the_last_runs_with_their_verdicts() -> None:
    assert s.runs(facts(runs=[RUN])).lines == (
        "2026-11-01 11:00 (60 minutes ago) DEPLOYED deploy.yml release=v2 by alice@laptop",
    )
    assert s.runs(facts()).lines == ("none on record",)
