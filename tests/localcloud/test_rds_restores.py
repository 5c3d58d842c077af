"""RDS: what was backed up comes back, by snapshot or to a second."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import lifecycle
from tests.localcloud.conftest import RunningCloud, localcloud
from tests.localcloud.data_harness import (
    NEW,
    PASSWORD,
    add,
    available,
    delete_all,
    gone,
    instance,
    next_second,
    processes_of,
    rows,
    until,
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """A fast one, since log is archived every five minutes of cloud time."""
    state = tmp_path_factory.mktemp("fast") / "state"
    localcloud("up", "--state", str(state), "--speed", "100")
    yield RunningCloud(state, lifecycle.require_running(state))
    localcloud("down", "--state", str(state))


@pytest.fixture(scope="module")
def rds(cloud: RunningCloud) -> Any:
    return cloud.client("rds")


@pytest.fixture(scope="module")
def source(rds: Any) -> Iterator[str]:
    """An instance with one row, for tests that leave it as it is."""
    rds.create_db_instance(
        DBInstanceIdentifier="source",
        CopyTagsToSnapshot=True,
        Tags=[{"Key": "k", "Value": "v"}],
        **NEW,
    )
    add(available(rds, "source"), PASSWORD, 1)
    yield "source"
    rds.delete_db_instance(DBInstanceIdentifier="source", SkipFinalSnapshot=True)
    gone(rds, "source")


@pytest.fixture
def database(rds: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """An instance of the test's own."""
    name = request.node.name.replace("_", "-")[:60].rstrip("-")
    rds.create_db_instance(DBInstanceIdentifier=name, **NEW)
    available(rds, name)
    yield name
    delete_all(rds, keep=["source"])


def error_of(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_lost_storage_is_a_failed_instance_and_comes_back_by_point_in_time(
    rds: Any, cloud: RunningCloud, database: str
) -> None:
    one = instance(rds, database)
    add(one, PASSWORD, 1)
    after = next_second()
    until(
        "the row is archived",
        lambda: instance(rds, database)["LatestRestorableTime"] >= after + timedelta(seconds=1),
    )
    folder = cloud.state_dir / "rds" / "instances" / one["DbiResourceId"] / "data"
    folder.rename(folder.with_name("lost"))
    for process in processes_of(cloud.state_dir, "postgres"):
        if one["DbiResourceId"] in " ".join(process.cmdline()):
            process.kill()
    available(rds, database, "failed")
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=database,
        TargetDBInstanceIdentifier="recovered",
        UseLatestRestorableTime=True,
    )
    assert rows(available(rds, "recovered"), PASSWORD) == [1]


def test_a_snapshot_carries_its_moment_into_a_new_instance(rds: Any, source: str) -> None:
    rds.create_db_snapshot(DBInstanceIdentifier=source, DBSnapshotIdentifier="moment")
    available(rds, source)
    add(instance(rds, source), PASSWORD, 2)
    (snapshot,) = rds.describe_db_snapshots(DBSnapshotIdentifier="moment")["DBSnapshots"]
    assert (snapshot["Status"], snapshot["PercentProgress"]) == ("available", 100)
    assert snapshot["TagList"] == [{"Key": "k", "Value": "v"}]
    rds.copy_db_snapshot(
        SourceDBSnapshotIdentifier="moment", TargetDBSnapshotIdentifier="moment-copy"
    )
    rds.get_waiter("db_snapshot_available").wait(
        DBSnapshotIdentifier="moment-copy", WaiterConfig={"Delay": 1}
    )
    rds.delete_db_snapshot(DBSnapshotIdentifier="moment")
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="restored", DBSnapshotIdentifier="moment-copy"
    )
    assert rows(available(rds, "restored"), PASSWORD) == [1]
    assert rows(instance(rds, source), PASSWORD) == [1, 2]
    rds.delete_db_instance(DBInstanceIdentifier="restored", SkipFinalSnapshot=True)
    gone(rds, "restored")
    rds.delete_db_snapshot(DBSnapshotIdentifier="moment-copy")


def test_point_in_time_between_two_commits_has_exactly_the_first(rds: Any, database: str) -> None:
    one = instance(rds, database)
    add(one, PASSWORD, 1)
    moment = next_second() + timedelta(seconds=1)
    next_second()
    next_second()
    add(one, PASSWORD, 2)
    with pytest.raises(ClientError) as caught:
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier=database,
            TargetDBInstanceIdentifier="then",
            RestoreTime=moment + timedelta(hours=1),
        )
    assert error_of(caught) == "InvalidParameterValue"
    until("archived", lambda: instance(rds, database)["LatestRestorableTime"] >= moment)
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=database, TargetDBInstanceIdentifier="then", RestoreTime=moment
    )
    assert rows(available(rds, "then"), PASSWORD) == [1]


def test_the_final_snapshot_and_retained_backups_outlive_the_instance(
    rds: Any, database: str
) -> None:
    one = instance(rds, database)
    add(one, PASSWORD, 1)
    with pytest.raises(ClientError) as caught:
        rds.delete_db_instance(DBInstanceIdentifier=database)
    assert error_of(caught) == "InvalidParameterCombination"
    rds.delete_db_instance(
        DBInstanceIdentifier=database,
        FinalDBSnapshotIdentifier="final",
        DeleteAutomatedBackups=False,
    )
    gone(rds, database)
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="from-final", DBSnapshotIdentifier="final"
    )
    rds.restore_db_instance_to_point_in_time(
        SourceDbiResourceId=one["DbiResourceId"],
        TargetDBInstanceIdentifier="from-retained",
        UseLatestRestorableTime=True,
    )
    assert rows(available(rds, "from-final"), PASSWORD) == [1]
    assert rows(available(rds, "from-retained"), PASSWORD) == [1]
    rds.delete_db_snapshot(DBSnapshotIdentifier="final")
    rds.delete_db_instance_automated_backup(DbiResourceId=one["DbiResourceId"])
    kept = rds.describe_db_instance_automated_backups(DbiResourceId=one["DbiResourceId"])
    assert kept["DBInstanceAutomatedBackups"] == []


def test_protection_and_retention_zero(rds: Any, database: str) -> None:
    rds.modify_db_instance(
        DBInstanceIdentifier=database,
        DeletionProtection=True,
        BackupRetentionPeriod=0,
        ApplyImmediately=True,
    )
    one = available(rds, database)
    assert "LatestRestorableTime" not in one
    with pytest.raises(ClientError) as caught:
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier=database,
            TargetDBInstanceIdentifier="never",
            UseLatestRestorableTime=True,
        )
    assert error_of(caught) == "PointInTimeRestoreNotEnabled"
    with pytest.raises(ClientError) as caught:
        rds.delete_db_instance(DBInstanceIdentifier=database, SkipFinalSnapshot=True)
    assert error_of(caught) == "InvalidParameterCombination"
    rds.modify_db_instance(DBInstanceIdentifier=database, DeletionProtection=False)
