"""RDS: instances are real servers and do what their API says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from localcloud import lifecycle
from tests.localcloud.conftest import RunningCloud, localcloud
from tests.localcloud.data_harness import (
    NEW,
    PASSWORD,
    add,
    available,
    connect,
    delete_all,
    gone,
    instance,
    processes_of,
    rows,
    until,
)


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


def test_the_master_user_has_rds_rights_and_no_more(rds: Any, source: str) -> None:
    with connect(instance(rds, source), PASSWORD) as connection:
        found = connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, pg_has_role('rds_superuser', 'member') "
            "FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert found == (False, True, True, True)
        for extension in ("amcheck", "pg_stat_statements", "vector", "pg_trgm"):
            connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
        connection.execute("SELECT bt_index_check('pg_class_oid_index')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("COPY pg_class TO PROGRAM 'cat'")
        with pytest.raises(psycopg.Error):
            connection.execute("ALTER SYSTEM SET fsync = on")


def test_a_wrong_password_is_refused(rds: Any, source: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(instance(rds, source), "another-password")


def test_a_managed_password_is_in_its_secret_and_rotates(
    rds: Any, cloud: RunningCloud, database: str
) -> None:
    rds.modify_db_instance(DBInstanceIdentifier=database, ManageMasterUserPassword=True)
    secrets = cloud.client("secretsmanager")
    seen = [PASSWORD]

    def password() -> str:
        arn = available(rds, database)["MasterUserSecret"]["SecretArn"]
        value = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])
        assert value["username"] == "lyo"
        assert value["password"] not in seen
        seen.append(value["password"])
        connect(instance(rds, database), value["password"]).close()
        return str(arn)

    arn = password()
    rds.modify_db_instance(DBInstanceIdentifier=database, RotateMasterUserPassword=True)
    password()
    secrets.rotate_secret(SecretId=arn)
    password()
    with pytest.raises(psycopg.OperationalError):
        connect(instance(rds, database), PASSWORD)
    rds.delete_db_instance(DBInstanceIdentifier=database, SkipFinalSnapshot=True)
    gone(rds, database)
    with pytest.raises(ClientError):
        secrets.get_secret_value(SecretId=arn)


def test_data_survive_reboot_stop_and_sigkill(rds: Any, cloud: RunningCloud, database: str) -> None:
    one = instance(rds, database)
    add(one, PASSWORD, 1)
    rds.reboot_db_instance(DBInstanceIdentifier=database)
    assert rows(available(rds, database), PASSWORD) == [1]
    rds.stop_db_instance(DBInstanceIdentifier=database)
    available(rds, database, "stopped")
    with pytest.raises(psycopg.OperationalError):
        connect(one, PASSWORD)
    rds.start_db_instance(DBInstanceIdentifier=database)
    add(available(rds, database), PASSWORD, 2)

    folder = Path("instances", one["DbiResourceId"], "data")
    (postmaster,) = [
        process
        for process in processes_of(cloud.state_dir, "postgres")
        if str(folder) in " ".join(process.cmdline())
    ]
    postmaster.kill()

    def restarted() -> list[int] | None:
        try:
            return rows(one, PASSWORD)
        except psycopg.OperationalError:
            return None

    assert until("the database is back after SIGKILL", restarted) == [1, 2]
    events = rds.describe_events(SourceType="db-instance", SourceIdentifier=database)["Events"]
    messages = [event["Message"] for event in events]
    assert "Recovery of the DB instance has started." in messages
    assert "DB instance stopped" in messages


def test_parameters_take_effect_at_once_or_at_the_reboot(rds: Any, database: str) -> None:
    rds.create_db_parameter_group(
        DBParameterGroupName="tuned", DBParameterGroupFamily="postgres18", Description="test"
    )

    def ask(name: str, value: str, method: str) -> None:
        rds.modify_db_parameter_group(
            DBParameterGroupName="tuned",
            Parameters=[
                {"ParameterName": name, "ParameterValue": value, "ApplyMethod": method},
            ],
        )

    def shown(name: str) -> str:
        with connect(instance(rds, database), PASSWORD) as connection:
            return str((connection.execute(f"SHOW {name}").fetchone() or ("",))[0])

    def state() -> str:
        return str(instance(rds, database)["DBParameterGroups"][0]["ParameterApplyStatus"])

    ask("work_mem", "5000", "immediate")
    rds.modify_db_instance(DBInstanceIdentifier=database, DBParameterGroupName="tuned")
    assert state() == "pending-reboot"
    assert shown("work_mem") == "4MB"
    rds.reboot_db_instance(DBInstanceIdentifier=database)
    available(rds, database)
    assert (state(), shown("work_mem")) == ("in-sync", "5000kB")

    ask("work_mem", "6000", "immediate")
    ask("max_connections", "77", "pending-reboot")
    until("work_mem is reloaded", lambda: shown("work_mem") == "6000kB")
    assert (state(), shown("max_connections")) == ("pending-reboot", "200")
    rds.reboot_db_instance(DBInstanceIdentifier=database)
    available(rds, database)
    assert (state(), shown("max_connections")) == ("in-sync", "77")

    listed = rds.describe_db_parameters(DBParameterGroupName="tuned", Source="user")["Parameters"]
    assert {one["ParameterName"]: one["ParameterValue"] for one in listed} == {
        "work_mem": "6000",
        "max_connections": "77",
    }
    with pytest.raises(ClientError) as caught:
        rds.delete_db_parameter_group(DBParameterGroupName="tuned")
    assert error_of(caught) == "InvalidDBParameterGroupState"


def test_what_waits_for_the_window_is_applied_by_the_reboot(rds: Any, database: str) -> None:
    rds.modify_db_instance(
        DBInstanceIdentifier=database, DBInstanceClass="db.t4g.small", AllocatedStorage=30
    )
    one = available(rds, database)
    assert one["PendingModifiedValues"] == {
        "DBInstanceClass": "db.t4g.small",
        "AllocatedStorage": 30,
    }
    assert one["DBInstanceClass"] == "db.t4g.micro"
    rds.reboot_db_instance(DBInstanceIdentifier=database)
    one = available(rds, database)
    assert (one["DBInstanceClass"], one["AllocatedStorage"]) == ("db.t4g.small", 30)
    assert one["PendingModifiedValues"] == {}


def test_the_endpoint_follows_the_name(rds: Any, database: str) -> None:
    before = instance(rds, database)["Endpoint"]["Address"]
    add(instance(rds, database), PASSWORD, 1)
    rds.modify_db_instance(
        DBInstanceIdentifier=database, NewDBInstanceIdentifier="renamed", ApplyImmediately=True
    )
    gone(rds, database)
    after = available(rds, "renamed")
    assert after["Endpoint"]["Address"] != before
    assert rows(after, PASSWORD) == [1]


@pytest.mark.parametrize(
    "changes",
    [
        {"Engine": "mysql"},
        {"EngineVersion": "16.4"},
        {"EnableIAMDatabaseAuthentication": True},
        {"DBClusterIdentifier": "cluster"},
    ],
)
def test_what_cannot_be_done_is_refused(rds: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as caught:
        rds.create_db_instance(DBInstanceIdentifier="never", **{**NEW, **changes})
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    with pytest.raises(ClientError):
        instance(rds, "never")


def test_the_log_is_read_and_exported(rds: Any, cloud: RunningCloud, database: str) -> None:
    rds.modify_db_instance(
        DBInstanceIdentifier=database,
        CloudwatchLogsExportConfiguration={"EnableLogTypes": ["postgresql"]},
    )
    until("exports are on", lambda: instance(rds, database)["EnabledCloudwatchLogsExports"])
    with connect(instance(rds, database), PASSWORD) as connection:
        connection.execute("DO $$ BEGIN RAISE WARNING 'seen in the log'; END $$")
    (file,) = rds.describe_db_log_files(DBInstanceIdentifier=database)["DescribeDBLogFiles"]

    def read() -> bool:
        portion = rds.download_db_log_file_portion(
            DBInstanceIdentifier=database, LogFileName=file["LogFileName"]
        )
        return "seen in the log" in portion["LogFileData"]

    until("the log has it", read)
    logs = cloud.client("logs")

    def exported() -> bool:
        try:
            found = logs.filter_log_events(logGroupName=f"/aws/rds/instance/{database}/postgresql")
        except logs.exceptions.ResourceNotFoundException:
            return False
        return any("seen in the log" in event["message"] for event in found["events"])

    until("CloudWatch Logs has it", exported)


def test_clusters_and_replicas_are_refused(rds: Any) -> None:
    with pytest.raises(ClientError, match="does not reproduce"):
        rds.create_db_cluster(DBClusterIdentifier="c", Engine="aurora-postgresql")
    with pytest.raises(ClientError, match="does not reproduce"):
        rds.create_db_instance_read_replica(
            DBInstanceIdentifier="r", SourceDBInstanceIdentifier="source"
        )


def test_two_clouds_side_by_side_and_nothing_is_left(
    cloud: RunningCloud, rds: Any, source: str, tmp_path: Path
) -> None:
    state = tmp_path / "other"
    localcloud("up", "--state", str(state))
    try:
        other = RunningCloud(state, lifecycle.require_running(state))
        assert other.number != cloud.number
        there = other.client("rds")
        there.create_db_instance(DBInstanceIdentifier=source, **NEW)
        add(available(there, source), PASSWORD, 42)
        assert rows(instance(there, source), PASSWORD) == [42]
        assert 42 not in rows(instance(rds, source), PASSWORD)
        assert processes_of(state, "postgres")
    finally:
        localcloud("down", "--state", str(state))
    until("no process of the other cloud is left", lambda: not processes_of(state, "postgres"), 10)
    assert not state.exists() or not (state / "rds").exists()
    assert rows(instance(rds, source), PASSWORD)
