"""The module environment_backup against an AWS that keeps state."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from ansible.module_utils.lyo_backup import ids
from ansible.module_utils.lyo_backup import run as module_code
from ansible.module_utils.lyo_progress import Progress

from .backup_world import BEGIN, KilledError, World
from .fakes import AWS, Ended, FakeModule, failure, outputs_answer

PARAMS: dict[str, Any] = {
    "aws": AWS,
    "env": "test",
    "outputs_parameter": None,
    "name": "lyo",
    "kinds": ["snapshot", "cache", "logical"],
    "verify": True,
    "since": "",
    "program": {"prefix": "logical/", "timeout": 1000, "sslmode": "require", "jobs": 2},
    "smoke": {
        "command": ["smoke"],
        "timeout": 60,
        "task": {
            "environment": {"DATABASE_HOST": "${target.host}", "CACHE": "live"},
            "secrets": {"DATABASE_PASSWORD": "${target.secret_arn}:password::"},
        },
    },
    "scratch_class": None,
    "scratch_timeout": 600,
    "snapshot_timeout": 600,
    "busy_timeout": 60,
    "retention": {},
}


def run(world: World, *, check_mode: bool = False, **changes: Any) -> Ended:
    params = {**PARAMS, **changes}
    aws = world.aws()
    copy = world.aws()

    def make() -> module_code.Backup:
        return module_code.Backup(
            aws,  # type: ignore[arg-type]
            Progress("test"),
            params,
            world.clock.sleep,
            world.clock,
            world.now,
            lambda _: copy,  # type: ignore[arg-type,return-value]
        )

    with pytest.raises(Ended) as caught:
        module_code.finish(FakeModule(params, check_mode), aws, make)
    return caught.value


def old(world: World, days: float, verdict: str = "") -> str:
    """A complete backup of every kind that is so many days old; returns its ID."""
    backup = ids.new(BEGIN - timedelta(days=days), f"{int(days * 10):08x}")
    files = {"parts/1": b"x", "manifest.json": b"{}"}
    if verdict:
        files["verdict-1.json"] = json.dumps({"verdict": verdict}).encode()
    for bucket in ("main", "copy"):
        world.objects[bucket] |= {f"logical/{backup}/{k}": v for k, v in files.items()}
    name = ids.snapshot_name("lyo", backup)
    world.snapshots[name] = {"DBSnapshotIdentifier": name, "DBInstanceIdentifier": "lyo", "Status": "available"}  # fmt: skip
    world.cache[name] = {"SnapshotName": name, "ReplicationGroupId": "lyo", "SnapshotStatus": "available"}  # fmt: skip
    return backup


def assert_nothing_is_left(world: World) -> None:
    """Nothing that a run began and did not finish."""
    world.clock.sleep(1000)
    world.settle()
    assert set(world.instances) == {"lyo"}
    assert world.uploads == {"main": {}, "copy": {}}
    for bucket in ("main", "copy"):
        begun = {key.split("/")[1] for key in world.objects[bucket]}
        assert begun == set(world.logical(bucket)), bucket
        assert not [key for key in world.objects[bucket] if key.endswith("began.json")], bucket
    assert {s["Status"] for s in world.snapshots.values()} == {"available"}
    assert {s["SnapshotStatus"] for s in world.cache.values()} == {"available"}
    assert world.active("lyo-ops-verify") == world.active("lyo-smoke") == []
    assert len(world.active("lyo-ops-backup")) <= 1


def test_everything_is_made_copied_verified_and_measured() -> None:
    world = World()
    done = run(world)
    assert not done.failed, done.answer
    assert done.answer["verdict"] == "BACKED_UP"
    [backup] = world.logical()
    assert done.answer["backup"] == done.answer["record"]["backup"] == backup
    assert world.logical("copy") == [backup]
    assert world.verdict(backup) == "VERIFIED"
    name = f"lyo-backup-{backup.lower()}"
    assert list(world.snapshots) == list(world.cache) == [name]
    tags = {tag["Key"]: tag["Value"] for tag in world.snapshots[name]["Tags"]}
    assert tags == {"Project": "lyo", "Environment": "test", "lyo:backup": backup}
    assert any("100 bytes, copied, VERIFIED" in reason for reason in done.answer["reasons"])
    assert_nothing_is_left(world)
    values = world.values()
    assert values["logical Verified"] == 1
    assert values["logical Bytes"] == 100
    assert 60 <= values["logical DurationSeconds"] < 70
    # Dump, copy, scratch instance, verification: so long ago was the dump begun.
    assert values["logical AgeSeconds"] >= 60 + 20 + 90 + 50
    assert values["snapshot Bytes"] == 20 * 2**30
    assert values["cache Bytes"] == 5 * 2**20
    assert "snapshot Verified" not in values
    assert world.metrics[-1]["Namespace"] == "Lyo/Backup"


def test_the_program_is_told_where_and_works_on_the_scratch_instance_alone() -> None:
    world = World()
    run(world)
    made = [d for d in world.definitions.values() if d["family"] == "lyo-ops-verify"]
    [container] = made[0]["containerDefinitions"]
    environment = {e["name"]: e["value"] for e in container["environment"]}
    assert environment["PGHOST"].startswith("lyo-scratch-")
    assert environment["PGDATABASE"] == "booking"
    assert environment["PGSSLMODE"] == "require"
    assert environment["LYO_BACKUP_COPY_REGION"] == "eu-west-1"
    assert "LYO_BACKUP_KMS_KEY" not in environment
    secrets = {s["name"]: s["valueFrom"] for s in container["secrets"]}
    assert secrets["PGPASSWORD"].startswith("arn:secret:lyo-scratch-")
    assert made[0]["taskRoleArn"] == "arn:ops-task"
    [dump] = [d for d in world.definitions.values() if d["family"] == "lyo-ops-backup"]
    environment = {e["name"]: e["value"] for e in dump["containerDefinitions"][0]["environment"]}
    assert environment["PGHOST"] == "db.internal"


def test_the_application_tries_what_was_restored() -> None:
    world = World()
    assert not run(world).failed
    [tried] = [t for t in world.tasks.values() if t["verb"] == "smoke"]
    [container] = world.definitions[tried["taskDefinitionArn"]]["containerDefinitions"]
    values = {e["name"]: e["value"] for e in container["environment"]}
    assert values["DATABASE_HOST"].startswith("lyo-scratch-")
    assert values["CACHE"] == "live"
    assert container["image"] == "app@sha256:1"
    assert container["secrets"][0]["valueFrom"].startswith("arn:secret:lyo-scratch-")
    world.ends["smoke"] = 1
    done = run(world)
    assert done.failed
    assert "the application fails on what was restored of" in done.answer["msg"]
    assert_nothing_is_left(world)
    # A damaged backup is not tried, and where no such test is named there is none.
    for ends, smoke in (({"verify": 3}, PARAMS["smoke"]), ({}, {"command": []})):
        world.ends = dict(ends)
        tried = [t for t in world.tasks.values() if t["verb"] == "smoke"]
        run(world, smoke=smoke)
        assert [t for t in world.tasks.values() if t["verb"] == "smoke"] == tried


def test_the_scratch_instance_is_like_the_source_but_alone() -> None:
    world = World()
    created: list[dict[str, Any]] = []
    create = world.op_create_db_instance
    world.op_create_db_instance = lambda params: (created.append(params), create(params))[1]  # type: ignore[method-assign]
    run(world, scratch_class="db.t4g.small")
    [wanted] = created
    assert wanted["EngineVersion"] == "18.6"
    assert wanted["DBParameterGroupName"] == "lyo-postgres18"
    assert wanted["DBSubnetGroupName"] == "lyo"
    assert wanted["VpcSecurityGroupIds"] == ["sg-db"]
    assert wanted["DBInstanceClass"] == "db.t4g.small"
    assert wanted["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in wanted
    assert not wanted["MultiAZ"]
    assert not wanted["PubliclyAccessible"]
    assert wanted["BackupRetentionPeriod"] == 0
    assert {"Key": "lyo:scratch", "Value": world.logical()[0]} in wanted["Tags"]


def test_check_mode_says_all_of_it_and_writes_nothing() -> None:
    world = World()
    world.uploads["main"]["logical/20261120T000000Z-00000001/parts/1"] = "u"
    gone = old(world, 40)
    for days in range(1, 9):
        old(world, days, "VERIFIED")
    retention = {kind: {"daily": 8, "weekly": 0, "monthly": 0, "hours": 1} for kind in ("snapshot", "cache", "logical")}  # fmt: skip
    before = json.dumps(world.objects["main"], default=str)
    done = run(world, check_mode=True, retention=retention)
    assert world.writes == 0
    assert json.dumps(world.objects["main"], default=str) == before
    assert done.answer["verdict"] == "PREDICTED"
    text = "\n".join(done.answer["reasons"])
    backup = done.answer["backup"]
    assert f"snapshot: would take lyo-backup-{backup.lower()} of lyo" in text
    assert (
        f"would dump booking of lyo to s3://main/logical/{backup}/ by a task of ops@sha256:1"
        in text
    )
    assert f"would copy {backup} to s3://copy" in text
    assert "db.t3.micro, 20 GiB, postgres 18.6, parameter group lyo-postgres18" in text
    assert "would remove multipart upload of logical/20261120T000000Z-00000001/parts/1" in text
    assert f"retention: would delete logical {gone}" in text
    assert f"logical {backup}\n" in done.answer["diff"]["after"]
    assert f"logical {gone}\n" not in done.answer["diff"]["after"]
    # And that is what a run then does.
    real = run(world, retention=retention)
    assert not real.failed, real.answer
    assert gone not in world.logical()
    assert {line for line in real.answer["removed"] if line.startswith(("logical", "snapshot", "cache"))} == set(done.answer["removed"])  # fmt: skip


def test_kinds_and_verification_can_be_left_out() -> None:
    world = World()
    done = run(world, kinds=["logical"], verify=False)
    assert not done.failed
    assert not world.snapshots
    assert not world.cache
    assert world.verdict(world.logical()[0]) == ""
    assert any("not verified" in reason for reason in done.answer["reasons"])
    assert world.values()["logical Verified"] == 0
    # The next run that verifies catches up.
    world.clock.sleep(3600)
    done = run(world, kinds=["logical"])
    assert [world.verdict(backup) for backup in world.logical()] == ["VERIFIED", "VERIFIED"]
    assert "VERIFIED, which had no verdict" in "\n".join(done.answer["reasons"])


def test_one_kind_that_fails_keeps_no_other_from_being_made_and_nothing_of_it_goes() -> None:
    world = World()
    for days in range(1, 30):
        old(world, days)
    world.refuse["create_snapshot"] = failure("SnapshotQuotaExceededFault", "too many snapshots")
    retention = {kind: {"daily": 3, "weekly": 0, "monthly": 0, "hours": 1} for kind in ("snapshot", "cache", "logical")}  # fmt: skip
    done = run(world, retention=retention)
    assert done.failed
    assert done.answer["verdict"] == "FAILED"
    assert done.answer["reasons"][0] == "cache: too many snapshots"
    assert len(world.cache) == 29
    assert len(world.snapshots) == 3
    assert len(world.logical()) == 3
    assert world.verdict(world.logical()[-1]) == "VERIFIED"


@pytest.mark.parametrize(("verb", "code", "word"), [("dump", 1, "failed"), ("copy", 1, "failed"), ("verify", 1, "failed"), ("verify", 3, "found damage"), ("dump", 2, "was refused")])  # fmt: skip
def test_a_task_that_fails_is_told_in_its_own_words_and_deletes_nothing(
    verb: str, code: int, word: str
) -> None:
    world = World()
    for days in range(1, 30):
        old(world, days, "VERIFIED")
    world.ends[verb] = code
    done = run(world, retention={"logical": {"daily": 1, "weekly": 0, "monthly": 0, "hours": 1}})
    assert done.failed
    assert f"{word}: {verb} broke" in done.answer["msg"]
    assert len(world.logical()) >= 29
    assert world.values()["logical Verified"] == (0 if verb == "verify" else 1)
    world.ends.clear()
    world.clock.sleep(3600)
    assert not run(world).failed
    assert_nothing_is_left(world)


def test_the_last_verified_one_stays_however_old() -> None:
    world = World()
    last = old(world, 700, "VERIFIED")
    for days in range(1, 30):
        old(world, days)
    retention = {"logical": {"daily": 2, "weekly": 0, "monthly": 0, "hours": 1}}
    run(world, verify=False, retention=retention)
    assert last in world.logical()
    assert last in world.logical("copy")
    world.clock.sleep(3600)
    run(world, retention=retention)
    assert last not in world.logical()
    assert last not in world.logical("copy")


def test_snapshots_before_migrations_go_when_their_time_has_come() -> None:
    world = World()
    for days in (36, 34):
        name = f"lyo-migrate-0123456789ab-{BEGIN - timedelta(days=days):%Y%m%d%H%M%S}"
        world.snapshots[name] = {"DBSnapshotIdentifier": name, "DBInstanceIdentifier": "lyo", "Status": "available"}  # fmt: skip
    other = "lyo-final"
    world.snapshots[other] = {"DBSnapshotIdentifier": other, "DBInstanceIdentifier": "lyo", "Status": "available"}  # fmt: skip
    run(world, retention={"snapshot": {"daily": 1, "weekly": 0, "monthly": 0}})
    left = sorted(world.snapshots)
    assert len(left) == 3
    assert left[0].startswith("lyo-backup-")
    assert left[1] == other, "somebody else's snapshot was deleted"
    assert left[2].startswith(f"lyo-migrate-0123456789ab-{BEGIN - timedelta(days=34):%Y%m%d}")


def test_what_another_run_has_made_while_this_one_waited_counts() -> None:
    world = World()
    asked = world.now().isoformat()
    world.clock.sleep(5)
    run(world)
    tasks = len(world.tasks)
    second = run(world, since=asked)
    assert not second.failed
    assert second.answer["verdict"] == "UNCHANGED"
    assert len(world.tasks) == tasks
    assert len(world.logical()) == len(world.snapshots) == len(world.cache) == 1
    third = run(world, since=(world.now() + timedelta(seconds=1)).isoformat())
    assert third.answer["verdict"] == "BACKED_UP"


def test_a_task_that_takes_too_long_goes_on_and_is_watched_again() -> None:
    world = World()
    slow = {**PARAMS["program"], "timeout": 10}
    done = run(world, program=slow)
    assert done.failed
    assert done.answer["verdict"] == "STILL_RUNNING"
    assert len(world.tasks) == 1
    again = run(world)
    assert not again.failed, again.answer
    assert [t["verb"] for t in world.tasks.values()] == ["dump", "copy", "verify", "smoke"]
    assert_nothing_is_left(world)


def test_a_verification_that_takes_too_long_keeps_its_instance_until_it_is_done() -> None:
    world = World()
    world.seconds["verify"] = 500
    impatient = {**PARAMS["program"], "timeout": 100}
    for _ in range(2):
        done = run(world, kinds=["logical"], program=impatient)
        assert done.answer["verdict"] == "STILL_RUNNING", done.answer
        assert len([name for name in world.instances if name != "lyo"]) == 1
        assert [t["verb"] for t in world.tasks.values()].count("verify") == 1
    world.seconds["verify"] = 50
    world.clock.sleep(400)
    done = run(world, kinds=["logical"], program=impatient)
    assert not done.failed, done.answer
    assert {world.verdict(backup) for backup in world.logical()} == {"VERIFIED"}
    world.clock.sleep(1000)
    world.settle()
    assert set(world.instances) == {"lyo"}
    assert world.active("lyo-ops-verify") == []


@pytest.mark.parametrize("fails", [False, True])
def test_what_another_run_has_restored_is_tried_by_the_application_too(fails: bool) -> None:
    world = World()
    world.seconds["verify"] = 500
    run(world, kinds=["logical"], program={**PARAMS["program"], "timeout": 100})
    [first] = world.logical()
    [restored] = [name for name in world.instances if name != "lyo"]
    address = world.instances[restored]["Endpoint"]["Address"]
    world.ends["smoke"] = int(fails)
    done = run(world, kinds=["logical"])
    said = f"the application fails on what was restored of {first}"
    assert (done.failed, said in str(done.answer.get("msg"))) == (fails, fails)
    tried = [t for t in world.tasks.values() if t["verb"] == "smoke"]
    hosts = []
    for task in tried:
        [container] = world.definitions[task["taskDefinitionArn"]]["containerDefinitions"]
        hosts += [e["value"] for e in container["environment"] if e["name"] == "DATABASE_HOST"]
    # That of the first run, and that of the second's own backup.
    assert hosts[0] == address
    assert len(set(hosts)) == len(hosts) == 2
    world.clock.sleep(1000)
    world.settle()
    assert set(world.instances) == {"lyo"}


def test_of_two_backups_only_the_one_that_the_application_fails_on_is_named() -> None:
    world = World()
    older = old(world, 1)
    world.ends["smoke"] = 1
    fails_once = world.op_run_task

    def run_task(params: dict[str, Any]) -> Any:
        answer = fails_once(params)
        started = world.tasks[answer["tasks"][0]["taskArn"]]
        if started["verb"] == "smoke":
            world.ends["verify"] = 3  # what is verified next is damaged, and so is not tried
        return answer

    world.op_run_task = run_task  # type: ignore[method-assign]
    done = run(world, kinds=["logical"])
    newer = next(backup for backup in world.logical() if backup != older)
    named = [backup for backup in (older, newer) if f"restored of {backup}" in done.answer["msg"]]
    assert len(named) == 1, done.answer["msg"]


def clean_writes() -> int:
    world = World()
    for days in range(1, 5):
        old(world, days, "VERIFIED")
    run(world, retention=SMALL)
    return world.writes


SMALL = {kind: {"daily": 2, "weekly": 0, "monthly": 0, "hours": 1} for kind in ("snapshot", "cache", "logical")}  # fmt: skip
WRITES = clean_writes()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(1, WRITES + 1))
@pytest.mark.parametrize("pause", [1, 5000])
def test_killed_at_any_write_the_next_run_finishes_and_leaves_nothing(
    number: int, after: bool, pause: int
) -> None:
    world = World()
    verified = [old(world, days, "VERIFIED") for days in range(4, 0, -1)]
    world.kill = (number, after)
    with pytest.raises(KilledError):
        run(world, retention=SMALL)
    assert verified[-1] in world.logical()
    world.revive()
    world.clock.sleep(pause)
    done = run(world, retention=SMALL)
    assert not done.failed, done.answer
    assert_nothing_is_left(world)
    assert world.logical() == world.logical("copy")
    assert len(world.logical()) <= 3
    assert world.verdict(world.logical()[-1]) == "VERIFIED"
    assert len(world.snapshots) <= 3
    assert len(world.cache) <= 3


@pytest.mark.parametrize("verb", ["dump", "copy"])
def test_a_task_that_dies_before_everything_is_locked_is_finished_by_the_next_run(
    verb: str,
) -> None:
    """The manifest is there, so it is a backup, and nobody would look at its lock again."""
    world = World()
    world.cut_off = {verb}
    broken = run(world)
    assert broken.failed
    assert any(f"{verb} " in reason for reason in broken.answer["reasons"])
    [backup] = world.logical()
    check = run(world, check_mode=True)
    assert any(backup in reason for reason in check.answer["reasons"])
    done = run(world)
    assert not done.failed, done.answer
    assert_nothing_is_left(world)
    assert len(world.logical()) == 2
    assert world.logical("copy") == world.logical()
    assert [world.verdict(one) for one in world.logical()] == ["VERIFIED", "VERIFIED"]


def test_what_is_about_to_go_is_not_copied_once_more() -> None:
    """A run was killed when it had deleted the copy, and not yet the original."""
    world = World()
    old(world, 3, "VERIFIED")
    gone = old(world, 2, "VERIFIED")
    old(world, 1, "VERIFIED")
    for key in [key for key in world.objects["copy"] if gone in key]:
        del world.objects["copy"][key]
    small = {**SMALL, "logical": {"daily": 1, "weekly": 0, "monthly": 0, "hours": 1}}
    done = run(world, retention=small)
    assert not done.failed, done.answer
    assert gone not in world.logical()
    copied = [task["backup"] for task in world.tasks.values() if task["verb"] == "copy"]
    assert copied == [done.answer["backup"]]


def killed(world: World, operation: str) -> None:
    """A run that dies just after an operation."""
    handler = getattr(world, f"op_{operation}")

    def dies(params: dict[str, Any]) -> Any:
        world.kill = (world.writes, True)
        world.dead = True
        setattr(world, f"op_{operation}", handler)
        return handler(params)

    setattr(world, f"op_{operation}", dies)
    with pytest.raises(KilledError):
        run(world)
    world.revive()


def test_what_is_under_way_is_followed_and_not_begun_again() -> None:
    world = World()
    killed(world, "run_task")
    # Meanwhile there is another ops image, so the task of a new run would be another one.
    world.register(
        {"family": "lyo-ops", "containerDefinitions": [{"name": "ops", "image": "ops@sha256:2"}]}
    )
    done = run(world)
    assert not done.failed, done.answer
    assert [t["verb"] for t in world.tasks.values()].count("dump") == 1
    assert len(world.logical()) == len(world.snapshots) == len(world.cache) == 1


def test_the_snapshots_of_others_are_nobodys_business() -> None:
    world = World()
    for days in range(1, 4):
        old(world, days)
    name = ids.snapshot_name("lyo-eu", ids.new(BEGIN - timedelta(days=900), "0000000a"))
    theirs = {"DBSnapshotIdentifier": name, "DBInstanceIdentifier": "lyo-eu", "Status": "available"}
    world.snapshots[name] = {**theirs, "TagList": [{"Key": "Environment", "Value": "eu"}]}
    run(world, retention=SMALL)
    assert name in world.snapshots
    # An instance that was replaced by a restore has another name, and the environment's tag.
    world.snapshots[name]["TagList"][0]["Value"] = "test"
    run(world, retention=SMALL)
    assert name not in world.snapshots


@pytest.mark.parametrize("verdict", ["VERIFIED", ""])
def test_a_backup_whose_manifest_was_deleted_is_told_and_not_removed(verdict: str) -> None:
    world = World()
    backup = old(world, 3, verdict)
    del world.objects["main"][f"logical/{backup}/manifest.json"]
    done = run(world)
    assert done.failed
    assert f"the manifest of {backup} is gone" in done.answer["msg"]
    assert f"logical/{backup}/parts/1" in world.objects["main"]
    assert backup in world.logical("copy")


def test_nothing_goes_that_a_restore_is_reading() -> None:
    world = World()
    reading = old(world, 600, "VERIFIED")
    old(world, 1, "VERIFIED")
    definition = world.register({"family": "lyo-ops-restore", "containerDefinitions": []})
    world.op_run_task(
        {
            "taskDefinition": definition["taskDefinitionArn"],
            "startedBy": "somebody",
            "overrides": {
                "containerOverrides": [
                    {"name": "ops", "command": ["lyo_backup", "restore", "--id", reading]}
                ]
            },
        }
    )
    run(world, retention=SMALL)
    assert reading in world.logical()
    world.clock.sleep(3600)
    run(world, retention=SMALL)
    assert reading not in world.logical()


@pytest.mark.parametrize("code", ["LockLost", "Orphan"])
def test_a_run_that_may_write_nothing_more_ends_at_once(code: str) -> None:
    world = World()
    world.refuse["create_db_snapshot"] = failure(code, "another run has taken over")
    done = run(world)
    assert done.failed
    assert done.answer["reasons"] == ["another run has taken over"]
    assert world.tasks == {}


def test_without_an_ops_image_it_says_what_to_type() -> None:
    world = World()
    world.definitions.clear()
    done = run(world, kinds=["logical"])
    assert done.failed
    assert "ops_image.yml" in done.answer["msg"]


def test_without_the_infrastructure_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr(world, "op_get_parameters", outputs_answer({}))
    done = run(world)
    assert done.failed
    assert "Type: ansible-playbook deploy.yml -e env=test" in done.answer["msg"]
    assert world.writes == 0
