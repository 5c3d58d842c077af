from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.lyo_cost.resources import Resource
from ansible.module_utils.lyo_restore import decide as d
from ansible.module_utils.lyo_restore import record as r
from ansible.module_utils.lyo_restore import request as q
from ansible.module_utils.lyo_restore import template as t

from .restores import ATTRIBUTES, DATABASE, NAME, NOW, backup, instance

# What was asked for.


def asked(source: str, **wanted: str) -> q.Request:
    return q.asked(source, wanted, "test")


def test_the_same_request_has_the_same_key_however_it_is_written() -> None:
    utc, rome = (
        asked("time", time="2026-11-27T11:00:00Z"),
        asked("time", time="2026-11-27T12:00:00+01:00"),
    )
    assert utc == rome
    assert utc.wanted == "2026-11-27T11:00:00Z"
    assert utc.key != asked("time", time="2026-11-27T11:00:01Z").key
    assert asked("time", time="latest").key != asked("snapshot", snapshot="latest").key


@pytest.mark.parametrize(
    ("source", "wanted", "says"),
    [
        ("", {}, "say what to restore from"),
        ("tape", {}, "say what to restore from"),
        ("time", {}, "-e from=time -e time="),
        ("snapshot", {"time": "latest"}, "from=snapshot takes snapshot=, not time="),
        ("time", {"time": "yesterday"}, "is no time"),
        ("time", {"time": "2026-11-27T11:00:00"}, "time=2026-11-27T11:00:00Z"),
    ],
)
def test_what_cannot_be_understood_says_what_to_type(
    source: str, wanted: dict[str, str], says: str
) -> None:
    with pytest.raises(q.RequestError) as caught:
        asked(source, **wanted)
    assert says in str(caught.value)


# The point in time.


def to_time(time: str, *backups: Any, switched: datetime | None = None) -> q.Point:
    return q.to_time(asked("time", time=time), backups, NAME, switched, NOW)


def test_a_second_that_the_backups_reach_is_taken_and_the_newest_is_where_they_end() -> None:
    point = to_time("2026-11-27T11:55:00Z", backup(NAME))
    assert point == q.Point("", NOW - timedelta(minutes=5), f"db-{NAME}")
    latest = to_time("latest", backup(NAME))
    assert latest == q.Point("", NOW - timedelta(minutes=5), f"db-{NAME}", latest=True)


def test_times_are_told_in_utc_whatever_the_zone_of_this_machine() -> None:
    there = timezone(timedelta(hours=5))
    assert q.Point("", NOW.astimezone(there), "db-1").words == "2026-11-27T12:00:00Z"


@pytest.mark.parametrize(
    ("time", "says"),
    [
        ("2026-11-27T11:55:01Z", "every five minutes"),
        ("2026-11-27T12:00:01Z", "has not come yet"),
        ("2026-11-27T09:59:59Z", "from 2026-11-27T10:00:00Z to 2026-11-27T11:55:00Z"),
    ],
)
def test_a_second_that_cannot_be_reached_is_told_with_what_can(time: str, says: str) -> None:
    with pytest.raises(q.RequestError) as caught:
        to_time(time, backup(NAME))
    assert says in str(caught.value)


def test_without_automated_backups_a_snapshot_is_proposed() -> None:
    with pytest.raises(q.RequestError, match="from=snapshot"):
        to_time("latest", {"DBInstanceIdentifier": NAME, "DbiResourceId": "db-1"})


def test_before_the_switch_the_former_instance_has_it_and_after_it_nobody() -> None:
    """A former instance's backups go on, but nobody writes to it any more."""
    former, mine = backup("former", 600, 0), backup(NAME, 60, 5)
    switched = NOW - timedelta(minutes=90)
    assert to_time("latest", former, mine, switched=switched).resource_id == f"db-{NAME}"
    early = to_time("2026-11-27T10:00:00Z", former, mine, switched=switched)
    assert early.resource_id == "db-former"
    with pytest.raises(q.RequestError, match="cannot be reached"):
        to_time("2026-11-27T10:45:00Z", former, mine, switched=switched)


def test_what_was_restored_has_nothing_of_what_was_written_before_the_switch() -> None:
    """Its backups begin when it is made; guests write to the former one until the switch."""
    former, mine = backup("former", 600, 0), backup(NAME, 60, 5)
    switched = NOW - timedelta(minutes=50)
    between = to_time("2026-11-27T11:05:00Z", former, mine, switched=switched)
    assert between.resource_id == "db-former"
    assert to_time("2026-11-27T11:15:00Z", former, mine, switched=switched).resource_id.endswith(
        NAME
    )
    # Nothing is archived since the switch: the newest is still the serving one's.
    just_now = NOW - timedelta(minutes=1)
    assert to_time("latest", former, mine, switched=just_now).resource_id == f"db-{NAME}"


def test_the_newest_is_never_silently_that_of_a_former_instance() -> None:
    with pytest.raises(q.RequestError, match="-e time=2026-11-27T10:30:00Z"):
        to_time("latest", backup("former", 600, 0), switched=NOW - timedelta(minutes=90))
    with pytest.raises(q.RequestError, match="no automated backups"):
        to_time("latest", backup("never-served", 600, 0))


def test_what_was_restored_for_the_newest_is_outdated_once_there_is_a_newer_one() -> None:
    now = q.Point("", NOW, "db-1", latest=True)
    latest = asked("time", time="latest")
    assert not q.outdated(latest, "2026-11-27T11:00:00Z", now)
    assert q.outdated(latest, "2026-11-27T10:59:59Z", now)
    assert q.outdated(latest, "", now)
    assert not q.outdated(asked("time", time="2026-11-27T10:00:00Z"), "2026-11-27T10:00:00Z", now)
    newest = asked("logical", backup="latest")
    assert not q.outdated(newest, "backup b", q.Point("", NOW, backup="b"))
    assert q.outdated(newest, "backup a", q.Point("", NOW, backup="b"))
    assert not q.outdated(asked("logical", backup="a"), "backup a", q.Point("", NOW, backup="b"))


# The snapshot.


def snapshot(name: str, minutes: int, status: str = "available", of: str = NAME) -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": of,
        "DBSnapshotIdentifier": name,
        "Status": status,
        "SnapshotCreateTime": NOW - timedelta(minutes=minutes),
    }


def test_the_newest_complete_snapshot_is_taken_or_the_named_one() -> None:
    there = [snapshot("a", 30), snapshot("b", 20), snapshot("c", 10, "creating")]
    newest = q.from_snapshot(asked("snapshot", snapshot="latest"), there, NAME)
    assert (newest.snapshot, newest.time) == ("b", NOW - timedelta(minutes=20))
    assert q.from_snapshot(asked("snapshot", snapshot="a"), there, NAME).snapshot == "a"
    with pytest.raises(q.RequestError, match="is creating, not available"):
        q.from_snapshot(asked("snapshot", snapshot="c"), there, NAME)
    with pytest.raises(q.RequestError, match="the newest are b, a"):
        q.from_snapshot(asked("snapshot", snapshot="x"), there, NAME)
    with pytest.raises(q.RequestError, match="no snapshot of"):
        q.from_snapshot(asked("snapshot", snapshot="latest"), there[2:], NAME)


def test_the_last_snapshot_of_a_released_instance_is_taken_by_its_name_alone() -> None:
    latest = asked("snapshot", snapshot="latest")
    released = snapshot("released", 5, of="former")
    assert q.from_snapshot(latest, [snapshot("a", 30), released], NAME).snapshot == "a"
    with pytest.raises(q.RequestError, match="by their names: released"):
        q.from_snapshot(latest, [released], NAME)
    assert q.from_snapshot(asked("snapshot", snapshot="released"), [released], NAME)


# The logical backup.


def logical(name: str, verdict: str = "VERIFIED", *, complete: bool = True) -> Any:
    return SimpleNamespace(id=name, at=NOW, complete=complete, verdict=verdict, reasons=("a flip",))


def test_the_newest_verified_backup_is_taken_and_an_unverified_one_only_by_its_name() -> None:
    there = [logical("a"), logical("b", ""), logical("c", "DAMAGED"), logical("d", complete=False)]
    latest = asked("logical", backup="latest")
    assert q.from_backup(latest, there).backup == "a"
    assert q.from_backup(asked("logical", backup="b"), there).backup == "b"
    with pytest.raises(q.RequestError, match="-e backup=b"):
        q.from_backup(latest, there[1:])
    with pytest.raises(q.RequestError, match="damaged: a flip"):
        q.from_backup(asked("logical", backup="c"), there)
    with pytest.raises(q.RequestError, match="no manifest"):
        q.from_backup(asked("logical", backup="d"), there)
    with pytest.raises(q.RequestError, match="the newest are d, c, b, a"):
        q.from_backup(asked("logical", backup="x"), there)


def test_an_empty_instance_for_a_backup_is_like_the_one_that_it_replaces() -> None:
    known = {**ATTRIBUTES, "username": "lyo", "allocated_storage": 20, "engine_version": "18",
             "engine_version_actual": "18.6", "storage_encrypted": True, "kms_key_id": "arn:k"}  # fmt: skip
    operation, params = t.create(known, "new", "lyo", {t.BACKUP_TAG: "id"})
    assert operation == "create_db_instance"
    assert (params["DBName"], params["EngineVersion"]) == ("lyo", "18.6")
    assert params["BackupRetentionPeriod"] == 7
    assert params["DBSubnetGroupName"] == NAME
    assert "DBSnapshotIdentifier" not in params


# What it must be like.

POINT = q.Point("", NOW, "db-1")


def test_a_restored_instance_gets_what_terraform_gives_and_a_password_of_its_own() -> None:
    operation, params = t.restore(ATTRIBUTES, "new", POINT, {t.RESTORE_TAG: "key"})
    assert operation == "restore_db_instance_to_point_in_time"
    assert params["SourceDbiResourceId"] == "db-1"
    assert params["RestoreTime"] == NOW
    assert params["DBSubnetGroupName"] == NAME
    assert params["VpcSecurityGroupIds"] == ["sg-1", "sg-2"]
    assert params["DBParameterGroupName"] == f"{NAME}-postgres18"
    assert params["ManageMasterUserPassword"] is True
    assert params["MultiAZ"] is params["DeletionProtection"] is True
    assert {"Key": t.RESTORE_TAG, "Value": "key"} in params["Tags"]
    assert {"Key": "Environment", "Value": "test"} in params["Tags"]
    assert "MasterUserSecretKmsKeyId" not in params


def test_a_drill_is_alone_in_one_zone_and_can_be_deleted() -> None:
    _, params = t.restore(ATTRIBUTES, "new", POINT, {}, isolated=True)
    assert params["MultiAZ"] is params["DeletionProtection"] is False


def test_the_newest_point_and_a_snapshot_are_asked_for_as_such() -> None:
    _, latest = t.restore(ATTRIBUTES, "new", q.Point("", NOW, "db-1", latest=True), {})
    assert latest["UseLatestRestorableTime"] is True
    assert "RestoreTime" not in latest
    operation, params = t.restore(ATTRIBUTES, "new", q.Point("snap", NOW), {})
    assert operation == "restore_db_instance_from_db_snapshot"
    assert (params["DBInstanceIdentifier"], params["DBSnapshotIdentifier"]) == ("new", "snap")


def test_only_settings_that_differ_are_asked_for() -> None:
    wanted = t.settings(ATTRIBUTES)
    assert wanted["BackupRetentionPeriod"] == 7
    assert wanted["MaxAllocatedStorage"] == 100
    has = {**wanted, "PerformanceInsightsEnabled": True}
    assert t.differs(has, wanted) == {}
    assert t.differs({**has, "BackupRetentionPeriod": 1}, wanted) == {"BackupRetentionPeriod": 7}
    pending = {
        **has,
        "MaxAllocatedStorage": 50,
        "PendingModifiedValues": {"MaxAllocatedStorage": 100},
    }
    assert t.differs(pending, wanted) == {}
    other = t.differs({**has, "MonitoringInterval": 0}, wanted)
    assert other == {"MonitoringInterval": 60, "MonitoringRoleArn": "arn:monitoring"}


def test_a_lost_instance_is_known_from_the_state_or_from_one_like_it() -> None:
    mine, other = Resource("a", t.TYPE, ATTRIBUTES), Resource("b", t.TYPE, {"identifier": "x"})
    assert t.of_state([other, mine], NAME)["instance_class"] == "db.t3.micro"
    assert t.of_state([other], NAME) == {"identifier": "x"}
    with pytest.raises(q.RequestError, match=r"deploy\.yml"):
        t.of_state([Resource("c", "aws_s3_bucket", {})], NAME)


# Which instance is gone on with.


def found(identifier: str, status: str = "available", **tags: str) -> d.Found:
    return d.Found.of(instance(identifier, status, **tags))


def decided(*instances: d.Found, record: r.Record | None = None, again: bool = False) -> d.Decision:
    return d.decide(record or r.Record(NAME), instances, "key", again=again)


def test_what_an_interrupted_run_of_the_same_request_has_made_is_adopted() -> None:
    begun = found("r1", "creating", lyo_restore="key")
    assert decided(found(NAME), begun) == d.Decision(adopt="r1")


def test_what_another_request_has_left_unfinished_is_deleted_and_finished_ones_are_told() -> None:
    half = found("r1", lyo_restore="other")
    whole = found("r2", lyo_restore="other", lyo_validated="x")
    decision = decided(found(NAME), half, whole)
    assert (decision.adopt, decision.delete) == ("", ("r1",))
    assert "r2 was restored and never switched to" in decision.notes[0]


def test_one_that_failed_is_deleted_and_another_made() -> None:
    assert decided(found("r1", "incompatible-restore", lyo_restore="key")) == d.Decision(
        delete=("r1",)
    )
    gone = found("r1", "deleting", lyo_restore="key")
    assert decided(gone) == d.Decision()


def test_what_serves_or_is_kept_is_never_deleted() -> None:
    record = r.Record("r2", kept=("r1", NAME), releasing=("r0",), request="other")
    mine = [found(name, "failed", lyo_restore="x") for name in ("r0", "r1", "r2")]
    assert decided(*mine, record=record).delete == ()
    assert d.restores(record, mine) == []


def test_what_serves_already_is_not_restored_again_unless_it_is_lost_or_wanted() -> None:
    record = r.Record("r1", request="key")
    serving = found("r1", lyo_restore="key")
    assert decided(serving, record=record).serving
    assert not decided(serving, record=record, again=True).serving
    assert not decided(found("r1", "failed", lyo_restore="key"), record=record).serving
    assert not decided(record=record).serving


def test_two_that_a_lost_answer_made_become_one() -> None:
    twice = [found(name, lyo_restore="key") for name in ("r2", "r1")]
    assert decided(*twice) == d.Decision(adopt="r1", delete=("r2",))


# The record.


def test_the_switch_keeps_every_former_instance_that_is_there() -> None:
    new = {**DATABASE, "identifier": "r1", "host": "new", "more": "no"}
    record = r.switched(
        r.Record(NAME, kept=("r0", "gone")), new, [NAME, "r0", "r1"], "key", {"what": "x"}
    )
    assert (record.serving, record.kept, record.request) == ("r1", (NAME, "r0"), "key")
    assert record.database == {**DATABASE, "identifier": "r1", "host": "new"}
    assert r.parse(record.text()) == record
    lost = r.switched(r.Record(NAME), new, ["r1"], "key", {})
    assert lost.kept == ()


def test_back_to_a_former_one_keeps_the_other() -> None:
    record = r.switched(r.Record("r1", kept=(NAME,)), DATABASE, [NAME, "r1"], "key", {})
    assert (record.serving, record.kept) == (NAME, ("r1",))


def test_a_release_goes_through_releasing() -> None:
    half = r.releasing(r.Record("r2", kept=("r1", NAME)))
    assert (half.kept, half.releasing) == ((), ("r1", NAME))
    assert r.releasing(half) == half
    assert r.released(half, "r1").releasing == (NAME,)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"serving": ""}'])
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        r.parse(text)


def test_what_terraform_writes_at_first_is_a_record() -> None:
    text = json.dumps({"serving": NAME, "kept": []})
    assert r.parse(text) == r.Record(NAME)
    assert r.over({"database": DATABASE}, r.parse(text)) == {"database": DATABASE}
    assert r.over({}, r.Record("r1", database=DATABASE)) == {}
    assert r.name_of("/lyo/test/outputs") == "/lyo/test/database"
    assert q.moment("2026-11-27T10:00:00.9Z") == datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
