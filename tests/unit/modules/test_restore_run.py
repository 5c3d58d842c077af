from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from ansible.module_utils.lyo_progress import Progress
from ansible.module_utils.lyo_restore import drill as drill_module
from ansible.module_utils.lyo_restore import run as run_module
from ansible.module_utils.lyo_restore.record import Record
from ansible.module_utils.lyo_restore.work import Work

from .fakes import IMAGE_1, Clock, Ended, FakeModule, ended, failure
from .restores import BACKUP, NAME, NOW, KilledError, Killing, Rds, backup, instance

PARAMS: dict[str, Any] = {
    "env": "test",
    "name": NAME,
    "action": "restore",
    "source": "time",
    "snapshot": None,
    "time": "2026-11-27T11:50:00Z",
    "backup": None,
    "again": False,
    "named": False,
    "switch": True,
    "state": {
        "bucket": "state",
        "key": "lyo.tfstate",
        "marker_key": "lyo.plan.json",
        "drills_prefix": "drills/",
    },
    "image": IMAGE_1,
    "release": "v1",
    "schema": ["0001"],
    "task": {"environment": {"DATABASE_HOST": "${database.host}"}, "secrets": {}},
    "checks": {"plan": ["migrate", "--plan"], "count": ["export", "SELECT"]},
    "check_timeout": 60,
    "timeout": 600,
}
NEW = f"{NAME}-r20261127120000"
DRILL = f"{NAME}-drill-20261127120000"


def work(aws: Any, changes: dict[str, Any], *, drills: bool = False) -> Work:
    clock = Clock()
    now = NOW + timedelta(minutes=aws.runs)
    aws.runs += 1
    return Work(
        aws, Progress("test"), {**PARAMS, **changes}, clock.sleep, clock, lambda: now, drills=drills
    )


def restore(aws: Any, *, check_mode: bool = False, **changes: Any) -> Ended:
    made = run_module.Restorer(work(aws, changes), check_mode=check_mode)
    return ended(lambda m: run_module.finish(m, made), FakeModule({}, check_mode))


def drill(aws: Any, *, check_mode: bool = False, **changes: Any) -> Ended:
    made = drill_module.Driller(work(aws, changes, drills=True), check_mode=check_mode)
    return ended(lambda m: drill_module.finish(m, made), FakeModule({}, check_mode))


def untouched(aws: Rds, *names: str) -> bool:
    """Whether no write was about one of these instances."""
    return not [
        operation
        for operation, params in aws.calls
        if operation.startswith(("modify_", "delete_db", "reboot_", "stop_"))
        and params.get("DBInstanceIdentifier") in names
    ]


def test_a_new_instance_is_restored_validated_and_switched_to() -> None:
    aws = Rds(instance())
    done = restore(aws)
    assert not done.failed, done.answer
    assert done.answer["identifier"] == done.answer["serving"] == NEW
    assert done.answer["kept"] == [NAME]
    assert done.answer["rows"] == {"tenants": 3}
    assert done.answer["record"]["schema"] == "0002"
    assert aws.record.database["host"] == f"{NEW}.host"
    assert aws.record.database["secret_arn"] == f"arn:secret:{NEW}"
    assert untouched(aws, NAME)
    # Validated before it is switched to, and Terraform's note is void before anybody can plan by it.
    names = aws.written
    assert names.index("run_task") < names.index("delete_object") < names.index("put_parameter")
    [definition] = aws.named("register_task_definition")[:1]
    environment = definition["containerDefinitions"][0]["environment"]
    assert environment == [{"name": "DATABASE_HOST", "value": f"{NEW}.host"}]


def test_the_same_again_changes_nothing() -> None:
    aws = Rds(instance())
    restore(aws)
    before = list(aws.written)
    again = restore(aws)
    assert not again.failed
    assert again.answer["changed"] is False
    assert again.answer["switched"] is True
    assert "serves already" in again.answer["reasons"][0]
    assert aws.written == before


def test_a_lost_answer_is_not_taken_for_the_instance_that_serves() -> None:
    """It was restored for the same request before, and has the same tags."""
    aws = Rds(instance())
    restore(aws)
    serving, plain = aws.record.serving, aws.answers["restore_db_instance_to_point_in_time"]

    def lost(params: dict[str, Any]) -> Any:
        plain(params)
        return failure("Unreachable")

    aws.answers["restore_db_instance_to_point_in_time"] = lost
    done = restore(aws, again=True)
    assert not done.failed, done.answer
    assert aws.record.serving == done.answer["identifier"] != serving
    assert aws.record.kept == (serving, NAME)
    assert len(aws.there) == 3


def test_check_mode_says_what_would_be_done_and_writes_nothing() -> None:
    aws = Rds(instance(), instance("lyo-test-r1", lyo_restore="other"))
    done = restore(aws, check_mode=True)
    assert aws.written == []
    said = "\n".join(done.answer["reasons"])
    assert f"2026-11-27T11:50:00Z would be restored into {NEW}" in said
    assert "lyo-test-r1 is left of an earlier run and would be deleted" in said
    assert f"switched over from {NAME}" in said
    assert "restore_db_instance_to_point_in_time" in done.answer["diff"]["after"]


def test_what_a_killed_run_of_another_request_has_left_is_deleted_first() -> None:
    aws = Rds(instance(), instance("lyo-test-r1", lyo_restore="other"))
    assert not restore(aws).failed
    assert sorted(aws.there) == sorted([NAME, NEW])
    assert aws.written.index("delete_db_instance") < aws.written.index(
        "restore_db_instance_to_point_in_time"
    )


def test_what_a_killed_run_has_just_begun_is_protected_and_deleted_once_it_is_there() -> None:
    aws = Killing(instance(), at=0, after=True)
    with pytest.raises(KilledError):
        restore(aws)
    aws.dead = False
    begun = aws.there[NEW]
    assert (begun["DBInstanceStatus"], begun["DeletionProtection"]) == ("creating", True)
    aws.slow = 3
    done = restore(aws, time="2026-11-27T11:40:00Z")
    assert not done.failed, done.answer
    assert NEW not in aws.there
    assert sorted(aws.there) == sorted([NAME, aws.record.serving])


def test_without_a_switch_it_is_left_for_whoever_wants_to_look_and_gone_on_with_later() -> None:
    aws = Rds(instance())
    first = restore(aws, switch=False)
    assert not first.answer["switched"]
    assert aws.record == Record(NAME)
    second = restore(aws)
    assert second.answer["identifier"] == first.answer["identifier"]
    assert second.answer["switched"]
    assert len(aws.named("restore_db_instance_to_point_in_time")) == 1


def test_what_was_left_for_the_newest_is_gone_on_with_only_while_it_is_the_newest() -> None:
    """Restored to be looked at, and forgotten: weeks later, `latest` means another point."""
    aws = Rds(instance())
    forgotten = restore(aws, time="latest", switch=False).answer["identifier"]
    aws.runs = 2  # minutes later
    assert restore(aws, time="latest", switch=False).answer["identifier"] == forgotten
    aws.runs = 200
    aws.backups = [backup(NAME, 120, -190)]
    check = restore(aws, time="latest", check_mode=True)
    assert f"{forgotten} is left of an earlier run and would be deleted" in check.answer["reasons"]
    done = restore(aws, time="latest")
    assert done.answer["point"] == "2026-11-27T15:10:00Z"
    assert sorted(aws.there) == sorted([NAME, done.answer["identifier"]])
    assert "2026-11-27T11:55:00Z, which is not the newest any more" in done.answer["notes"][0]


def test_what_was_left_for_the_newest_is_gone_on_with_where_nothing_else_is_there() -> None:
    aws = Rds(instance())
    left = restore(aws, time="latest", switch=False).answer["identifier"]
    aws.backups, aws.runs = [], 200
    assert restore(aws, time="latest").answer["serving"] == left


def test_a_lost_instance_is_not_kept_and_a_failed_one_is() -> None:
    lost = Rds()
    done = restore(lost, time="latest")
    assert not done.failed, done.answer
    assert lost.record.kept == ()
    failed = Rds(instance(status="failed"))
    assert not restore(failed).failed
    assert failed.record.kept == (NAME,)


@pytest.mark.parametrize(
    ("command", "says"),
    [("migrate", "its schema cannot be read"), ("export", "its rows cannot be counted")],
)
def test_what_cannot_be_used_is_not_switched_to(command: str, says: str) -> None:
    aws = Rds(instance())
    aws.codes[command] = 1
    aws.logs[command] = lambda: ['relation "tenants" does not exist']
    done = restore(aws)
    assert done.failed
    assert says in done.answer["msg"]
    assert "does not exist" in done.answer["msg"]
    assert aws.record == Record(NAME)
    assert NEW in aws.there


def test_a_release_that_the_restored_schema_no_longer_serves_is_refused_before_the_switch() -> None:
    aws = Rds(instance())
    aws.schema = {"revision": "0003", "serves": ["0002", "0003"], "contracted": ["0001"]}
    done = restore(aws)
    assert done.failed
    assert "with -e release=<name>" in done.answer["msg"]
    assert aws.record == Record(NAME)


def test_what_the_release_would_migrate_is_switched_to_only_where_the_release_is_named() -> None:
    """The migration that destroyed the data must not run again on what was restored."""
    aws = Rds(instance())
    aws.schema = {"revision": "0001", "serves": ["0001"], "contracted": []}
    aws.codes["migrate"] = 3
    aws.logs["migrate"] = lambda: [
        'lyo.migrate: {"event": "migration", "revision": "0002", "title": "tidy up"}',
        f"lyo.schema: {json.dumps(aws.schema)}",
    ]
    done = restore(aws)
    assert done.failed
    assert "v1 would migrate it at once, from schema 0001 (0002 (tidy up))" in done.answer["msg"]
    assert "-e release=<name>" in done.answer["msg"]
    assert aws.record == Record(NAME)
    looked_at = restore(aws, switch=False)
    assert not looked_at.failed, looked_at.answer
    named = restore(aws, named=True)
    assert not named.failed, named.answer
    assert aws.record.serving == NEW
    assert len(aws.named("restore_db_instance_to_point_in_time")) == 1


def test_backups_of_what_was_never_switched_to_are_no_way_back() -> None:
    """Of an instance made before the switch, they are as new as the former one's."""
    unused = "lyo-test-r1"
    aws = Rds(instance("new"), instance(), instance(unused, lyo_restore="x", lyo_validated="y"))
    switched = (NOW - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    aws.database = Record("new", (NAME,), restored={"switched_at": switched}).text()
    aws.backups = [backup(NAME), backup(unused, 60, 0)]
    done = restore(aws, time="2026-11-27T11:20:00Z")
    assert not done.failed, done.answer
    [asked] = aws.named("restore_db_instance_to_point_in_time")
    assert asked["SourceDbiResourceId"] == f"db-{NAME}"


def test_an_instance_that_cannot_be_restored_says_so() -> None:
    aws = Rds(instance())
    plain = aws.answers["restore_db_instance_to_point_in_time"]

    def broken(params: dict[str, Any]) -> Any:
        answer = plain(params)
        aws.there[NEW]["DBInstanceStatus"] = "incompatible-restore"
        return answer

    aws.answers["restore_db_instance_to_point_in_time"] = broken
    done = restore(aws)
    assert done.failed
    assert "incompatible-restore" in done.answer["msg"]


def test_before_terraform_has_said_what_serves_nothing_begins() -> None:
    aws = Rds(instance())
    aws.database = ""
    done = restore(aws)
    assert done.failed
    assert "deploy.yml -e env=test" in done.answer["msg"]
    assert aws.written == []


def test_a_refusal_of_aws_is_told_and_nothing_is_switched() -> None:
    aws = Rds(instance(), restore_db_instance_to_point_in_time=failure("StorageQuotaExceeded"))
    done = restore(aws)
    assert done.failed
    assert aws.record == Record(NAME)


# From a logical backup.

LOGICALLY = {
    "source": "logical",
    "time": None,
    "backup": "latest",
    "program": {"timeout": 60, "image": "ops@sha256:1"},
}


def test_a_verified_backup_is_restored_into_an_empty_instance_before_it_is_looked_at() -> None:
    aws = Rds(instance())
    done = restore(aws, **LOGICALLY)
    assert not done.failed, done.answer
    assert aws.record.serving == NEW
    [made] = aws.named("create_db_instance")
    assert (made["DBName"], made["MasterUsername"]) == ("lyo", "lyo")
    first, *rest = [
        p["overrides"]["containerOverrides"][0]["command"] for p in aws.named("run_task")
    ]
    assert first == ["lyo_backup", "restore", "--id", BACKUP, "--no-owner"]
    assert rest == [["migrate", "--plan"], ["export", "SELECT"], ["lyo_backup", "inspect"]]
    assert "pg_amcheck finds it sound" in done.answer["reasons"]
    definition = aws.named("register_task_definition")[0]["containerDefinitions"][0]
    assert {"name": "PGHOST", "value": f"{NEW}.host"} in definition["environment"]


def test_a_backup_that_cannot_be_restored_is_not_switched_to() -> None:
    aws = Rds(instance())
    aws.codes["lyo_backup"] = 3
    aws.logs["lyo_backup"] = lambda: [
        'lyo.backup: {"event": "damaged", "reasons": ["part 3 is cut"]}'
    ]
    done = restore(aws, **LOGICALLY)
    assert done.failed
    assert "part 3 is cut" in done.answer["msg"]
    assert aws.record == Record(NAME)


def test_what_pg_amcheck_finds_stops_a_restore_and_a_drill() -> None:
    aws = Rds(instance())
    aws.codes["lyo_backup"] = 3
    aws.logs["lyo_backup"] = lambda: [
        'lyo.backup: {"event": "damaged", "reasons": ["heap table bookings"]}'
    ]
    program = {"program": {"timeout": 60, "image": "ops@sha256:1"}}
    for done in (restore(aws, **program), drill(aws, **DRILLS, **program)):
        assert done.failed
        assert "heap table bookings" in done.answer["msg"]
    assert aws.record == Record(NAME)


# One tenant.

TENANT = {"action": "tenant", "tenant": "da-mario", "time": None, "backup": None,
          "approve": None, "replace": False, "program": {"timeout": 60, "image": "ops@sha256:1"}}  # fmt: skip


def tenants(*, changed: bool = False, digest: str = "abc") -> Rds:
    said = {"event": "done", "verb": "tenant", "changed": changed, "digest": digest}
    aws = Rds(instance())
    aws.logs["lyo_backup"] = lambda: ["bookings: 3 missing", f"lyo.backup: {json.dumps(said)}"]
    return aws


def test_what_a_tenant_lacks_is_shown_first_with_what_to_type() -> None:
    aws = tenants()
    done = restore(aws, **TENANT)
    assert not done.failed, done.answer
    assert (done.answer["changed"], done.answer["digest"]) == (False, "abc")
    assert "bookings: 3 missing" in done.answer["reasons"]
    assert done.answer["reasons"][-1].endswith(f"-e backup={BACKUP} -e approve=abc")
    [task] = aws.named("run_task")
    command = task["overrides"]["containerOverrides"][0]["command"]
    assert command == ["lyo_backup", "tenant", "--id", BACKUP, "--tenant", "da-mario"]
    definition = aws.named("register_task_definition")[0]["containerDefinitions"][0]
    assert {"name": "PGHOST", "value": "old"} in definition["environment"]
    assert aws.record == Record(NAME)


def test_with_its_digest_it_is_brought_back() -> None:
    aws = tenants(changed=True)
    done = restore(aws, **{**TENANT, "approve": "abc", "replace": True})
    assert done.answer["changed"]
    command = aws.named("run_task")[0]["overrides"]["containerOverrides"][0]["command"]
    assert command[-3:] == ["--approve", "abc", "--replace"]
    nothing = restore(tenants(digest="nothing"), **TENANT)
    assert "nothing of da-mario is missing" in nothing.answer["reasons"]


def test_a_refused_tenant_says_why_and_check_mode_asks_nobody() -> None:
    aws = tenants()
    aws.codes["lyo_backup"] = 2
    aws.logs["lyo_backup"] = lambda: [
        'lyo.backup: {"event": "refused", "reason": "no such tenant"}'
    ]
    done = restore(aws, **TENANT)
    assert done.failed
    assert "no such tenant" in done.answer["msg"]
    quiet = tenants()
    assert "would be compared" in restore(quiet, check_mode=True, **TENANT).answer["reasons"][0]
    assert quiet.written == []


# Former instances.


def kept(*instances: dict[str, Any], **record: Any) -> Rds:
    aws = Rds(instance(NEW), *instances)
    aws.database = Record(NEW, **{"kept": (NAME,), **record}).text()
    return aws


def test_former_instances_are_deleted_with_a_last_snapshot_and_terraform_loses_them_first() -> None:
    aws = kept(instance() | {"DeletionProtection": True})
    done = restore(aws, action="release")
    assert not done.failed
    assert (aws.record.kept, aws.record.releasing) == ((), ())
    assert list(aws.there) == [NEW]
    [deletion] = aws.named("delete_db_instance")
    assert deletion["FinalDBSnapshotIdentifier"] == f"{NAME}-released-20261127120000"
    assert deletion["DeleteAutomatedBackups"] is False
    assert aws.written.index("put_parameter") < aws.written.index("delete_db_instance")


def test_where_the_environment_takes_no_last_snapshot_none_is_taken() -> None:
    aws = kept(instance())
    aws.attributes = {"skip_final_snapshot": True}
    restore(aws, action="release")
    [deletion] = aws.named("delete_db_instance")
    assert deletion["SkipFinalSnapshot"] is True
    assert deletion["DeleteAutomatedBackups"] is True


def test_a_lost_one_cannot_give_a_snapshot_and_keeps_its_backups() -> None:
    aws = kept(instance(status="failed"))
    assert not restore(aws, action="release").failed
    [deletion] = aws.named("delete_db_instance")
    assert deletion["SkipFinalSnapshot"] is True
    assert deletion["DeleteAutomatedBackups"] is False


def test_nothing_to_release_writes_nothing() -> None:
    aws = Rds(instance())
    done = restore(aws, action="release")
    assert done.answer["changed"] is False
    assert aws.written == []


def test_what_was_never_switched_to_is_discarded_and_nothing_else() -> None:
    aws = kept(instance(), instance("lyo-test-r9", lyo_restore="x", lyo_validated="y"))
    restore(aws, action="discard")
    assert sorted(aws.there) == sorted([NAME, NEW])
    assert untouched(aws, NAME, NEW)


# Killed at every write.


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(16))
@pytest.mark.parametrize("action", ["restore", "release"])
def test_a_run_killed_at_any_write_is_repaired_by_the_next(
    action: str, at: int, after: bool
) -> None:
    aws = Killing(instance(), at=at, after=after)
    if action == "release":
        aws.there[NEW] = instance(NEW)
        aws.database = Record(NEW, kept=(NAME,)).text()
    try:
        restore(aws, action=action)
    except KilledError:
        aws.dead = False
    else:
        assert not aws.killed, "the kill was swallowed"
    if action == "restore" and aws.record.serving == NAME:
        assert untouched(aws, NAME)
    done = restore(aws, action=action)
    assert not done.failed, (aws.killed, done.answer)
    serving = aws.record.serving
    wanted = [serving] if action == "release" else [NAME, serving]
    assert serving != NAME
    assert sorted(aws.there) == sorted(wanted), aws.killed
    assert len(aws.named("restore_db_instance_to_point_in_time")) <= 2
    assert not aws.definitions, "they name a database that nobody will ask for again"
    third = restore(aws, action=action)
    assert third.answer["changed"] is False


def test_the_kills_reach_past_the_last_write() -> None:
    for action in ("restore", "release"):
        aws = Killing(instance(), at=99, after=False)
        if action == "release":
            aws.there[NEW] = instance(NEW)
            aws.database = Record(NEW, kept=(NAME,)).text()
        restore(aws, action=action)
        assert 3 < aws.count <= 16, (action, aws.written)


# The drill.

DRILLS = {"source": "time", "time": None, "snapshot": None}


def test_a_drill_is_timed_kept_and_leaves_nothing() -> None:
    aws = Rds(instance(), instance("lyo-test-drill-1", lyo_drill="before"))
    done = drill(aws, **DRILLS)
    assert not done.failed, done.answer
    found = done.answer["drill"]
    assert found["verdict"] == done.answer["verdict"] == "SUCCEEDED"
    assert found["rpo_seconds"] == 300.0
    assert found["rows"] == {"tenants": 3}
    assert list(aws.there) == [NAME]
    assert untouched(aws, NAME)
    assert drill_module.parse(aws.objects["drills/last.json"]).what == found["what"]
    assert aws.database == Record(NAME).text()
    [made] = aws.named("restore_db_instance_to_point_in_time")
    assert made["TargetDBInstanceIdentifier"] == DRILL
    assert made["UseLatestRestorableTime"] is True


def test_a_drill_that_fails_says_so_and_still_leaves_nothing() -> None:
    aws = Rds(instance())
    aws.codes["migrate"] = 1
    done = drill(aws, **DRILLS)
    assert done.failed
    assert list(aws.there) == [NAME]
    kept_one = drill_module.parse(aws.objects["drills/last.json"])
    assert kept_one.verdict == "FAILED"
    assert "schema cannot be read" in kept_one.reasons[0]


def test_a_drill_without_backups_fails_and_is_on_record() -> None:
    aws = Rds(instance())
    aws.backups = [{**backup(NAME), "RestoreWindow": {}}]
    done = drill(aws, **DRILLS)
    assert done.failed
    assert "no automated backups" in done.answer["msg"]
    assert drill_module.parse(aws.objects["drills/last.json"]).verdict == "FAILED"


def test_a_drill_in_check_mode_writes_nothing() -> None:
    aws = Rds(instance())
    done = drill(aws, check_mode=True, **DRILLS)
    assert aws.written == []
    assert "would be restored into isolation" in done.answer["reasons"][-1]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(7))
def test_what_a_killed_drill_leaves_the_next_one_deletes(at: int, after: bool) -> None:
    aws = Killing(instance(), at=at, after=after)
    try:
        drill(aws, **DRILLS)
    except KilledError:
        aws.dead = False
    done = drill(aws, **DRILLS)
    assert not done.failed, done.answer
    stay = [n for n, one in aws.there.items() if one["DBInstanceStatus"] != "deleting"]
    assert stay == [NAME]
    assert not aws.definitions


def test_a_drill_takes_no_definition_away_from_a_restore_beside_it() -> None:
    """A restore registers one, a drill ends, and the restore runs its task of it."""
    aws = Rds(instance())
    restores = work(aws, {})
    seen: list[list[str]] = []

    def run_task(params: dict[str, Any]) -> Any:
        if not seen:
            seen.append(list(aws.definitions))
            drill(aws, **DRILLS)
        seen.append([arn for arn in seen[0] if arn in aws.definitions])
        return plain(params)

    plain, aws.answers["run_task"] = aws.answers["run_task"], run_task
    made = run_module.Restorer(restores, check_mode=False)
    done = ended(lambda m: run_module.finish(m, made), FakeModule({}, False))
    assert not done.failed, done.answer
    assert len(seen[0]) == 1
    assert seen[-1] == seen[0]
    assert not aws.definitions


def test_only_a_drill_is_a_drill() -> None:
    with pytest.raises(ValueError, match="not a drill"):
        drill_module.parse(b"[]")
