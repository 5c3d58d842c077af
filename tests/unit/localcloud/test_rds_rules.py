"""Rules of the RDS API that need no server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from localcloud.api import AwsError, Call
from localcloud.dataplane.postgres.backups import Archive, Base
from localcloud.services.rds import common, creation, engine
from localcloud.services.rds.shapes import pending
from localcloud.services.rds.snapshots import restore_moment

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def call(**params: Any) -> Call:
    return Call("rds", "Describe", "123456789012", "eu-south-1", params)


def code_of(caught: pytest.ExceptionInfo[AwsError]) -> str:
    return caught.value.code


@pytest.mark.parametrize("name", ["a", "lyo-local", "A1-b2"])
def test_identifiers_are_kept_in_lower_case(name: str) -> None:
    assert common.identifier(name, "DBInstanceIdentifier") == name.lower()


@pytest.mark.parametrize("name", ["", "1a", "a-", "a--b", "a_b", "x" * 64])
def test_wrong_identifiers_are_refused(name: str) -> None:
    with pytest.raises(AwsError) as caught:
        common.identifier(name, "DBInstanceIdentifier")
    assert code_of(caught) == "InvalidParameterValue"


@pytest.mark.parametrize(
    "password", ["short", "x" * 129, "with space", 'quo"te12', "a/bcdefgh", "ä" * 9]
)
def test_passwords_follow_rds_rules(password: str) -> None:
    with pytest.raises(AwsError):
        common.check_password(password)


def test_pages_continue_at_their_marker() -> None:
    first = common.page(call(MaxRecords=20), "Items", list(range(30)))
    assert first == {"Items": list(range(20)), "Marker": "20"}
    last = common.page(call(MaxRecords=20, Marker="20"), "Items", list(range(30)))
    assert last == {"Items": list(range(20, 30))}


def test_filters_compare_without_case_and_refuse_what_they_do_not_know() -> None:
    filters = {"name": lambda one: [one]}
    wanted = call(Filters=[{"Name": "name", "Values": ["B"]}])
    assert common.filtered(wanted, ["a", "b"], filters) == ["b"]
    with pytest.raises(AwsError):
        common.filtered(call(Filters=[{"Name": "other", "Values": ["B"]}]), ["a"], filters)


@pytest.mark.parametrize(
    ("name", "gibibytes"),
    [("db.t4g.micro", 1), ("db.t3.large", 8), ("db.m7g.4xlarge", 64), ("db.r6g.large", 16)],
)
def test_memory_of_a_class(name: str, gibibytes: int) -> None:
    assert engine.memory_of(name) == gibibytes * 2**30


def test_a_class_that_is_none_is_refused() -> None:
    with pytest.raises(AwsError):
        engine.memory_of("t3.micro")


@pytest.mark.parametrize("params", [{"MasterUsername": "admin"}, {"MasterUsername": "pg_x"}, {}])
def test_reserved_master_names_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(AwsError):
        creation.check_master({"MasterUserPassword": "long-enough", **params})


def test_a_managed_password_excludes_a_given_one() -> None:
    both = {"ManageMasterUserPassword": True, "MasterUserPassword": "long-enough"}
    with pytest.raises(AwsError) as caught:
        creation.check_new_password(both, required=True)
    assert code_of(caught) == "InvalidParameterCombination"


@pytest.mark.parametrize(
    "params",
    [
        {"BackupRetentionPeriod": 36},
        {"Port": 80},
        {"AllocatedStorage": 5},
        {"StorageType": "floppy"},
        {"MonitoringInterval": 60},
    ],
)
def test_numbers_out_of_range_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(AwsError):
        creation.check_numbers(params)


def test_what_would_be_a_pretence_is_refused_as_not_implemented() -> None:
    with pytest.raises(AwsError) as caught:
        creation.refuse_unknown({"EnableIAMDatabaseAuthentication": True})
    assert caught.value.status == 501


def test_a_pending_password_is_not_shown() -> None:
    shown = pending({"MasterUserPassword": "the-secret", "AllocatedStorage": 30})
    assert "the-secret" not in shown.values()
    assert shown["AllocatedStorage"] == 30


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    made = Archive(tmp_path)
    made.bases = [Base(tmp_path, NOON + timedelta(milliseconds=400), "0" * 24)]
    made.archived_until = NOON + timedelta(minutes=5, milliseconds=300)
    return made


def test_without_backup_there_is_nothing_to_restore(tmp_path: Path) -> None:
    with pytest.raises(AwsError) as caught:
        restore_moment(Archive(tmp_path), None)
    assert code_of(caught) == "InvalidDBInstanceState"


def test_the_latest_moment_is_exact(archive: Archive) -> None:
    assert restore_moment(archive, None) == archive.archived_until


@pytest.mark.parametrize("offset", [-1, 301])
def test_a_moment_outside_the_window_is_refused(archive: Archive, offset: float) -> None:
    with pytest.raises(AwsError) as caught:
        restore_moment(archive, NOON + timedelta(seconds=offset))
    assert code_of(caught) == "InvalidParameterValue"


def test_a_moment_inside_the_window_is_taken_as_it_is(archive: Archive) -> None:
    moment = NOON + timedelta(minutes=2)
    assert restore_moment(archive, moment) == moment


def test_the_second_of_the_first_backup_means_its_end(archive: Archive) -> None:
    assert restore_moment(archive, NOON) == archive.bases[0].finished
