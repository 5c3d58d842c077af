from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible.module_utils.lyo_aws import AwsFailure
from ansible.module_utils.lyo_backup.snapshots import of_rds
from ansible.module_utils.lyo_migration.snapshot import PlanSnapshot, name, usable

from .fakes import FakeAws

NOW = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
DIGEST = "0123456789abcdef0123"
NAME = "lyo-migrate-0123456789ab-20261127095900"


def made(identifier: str = NAME, status: str = "available", minutes: int = 1) -> dict[str, Any]:
    return {
        "DBSnapshotIdentifier": identifier,
        "Status": status,
        "SnapshotCreateTime": NOW - timedelta(minutes=minutes),
    }


def test_a_name_says_instance_plan_and_time() -> None:
    assert name("lyo", DIGEST, NOW) == "lyo-migrate-0123456789ab-20261127100000"


@pytest.mark.parametrize(
    ("snapshots", "found"),
    [
        ([made()], NAME),
        ([made(status="creating", minutes=9999)], NAME),
        ([made(status="failed")], None),
        ([made(minutes=6 * 60)], None),
        ([made("lyo-migrate-ffffffffffff-20261127095900")], None),
        ([made("lyo-nightly")], None),
        ([made("lyo-migrate-0123456789ab-20261127095800"), made()], NAME),
    ],
)
def test_a_repeated_run_finds_what_it_made(snapshots: list[Any], found: str | None) -> None:
    usable_one = usable([of_rds(one) for one in snapshots], "lyo", DIGEST, NOW)
    assert (usable_one.name if usable_one else None) == found


def taken(aws: FakeAws, wait: float = 60.0) -> tuple[str, list[float]]:
    slept: list[float] = []
    times = iter(range(1000))
    snapshot = PlanSnapshot(
        aws, "lyo", DIGEST, wait, lambda *_: None, slept.append,
        lambda: NOW + timedelta(seconds=10 * next(times)),
    )  # fmt: skip
    return str(snapshot.take({"lyo:purpose": "migration"})), slept


def test_it_is_made_once_and_waited_for() -> None:
    aws = FakeAws(
        describe_db_snapshots=[
            {"DBSnapshots": []},
            {"DBSnapshots": [made("new", "creating")]},
            {"DBSnapshots": [made("new")]},
        ],
        create_db_snapshot={"DBSnapshot": made("new", "creating")},
    )
    identifier, slept = taken(aws)
    assert identifier == "new"
    assert len(slept) == 2
    [request] = aws.named("create_db_snapshot")
    assert request["DBInstanceIdentifier"] == "lyo"
    assert request["DBSnapshotIdentifier"].startswith("lyo-migrate-0123456789ab-")
    assert request["Tags"] == [{"Key": "lyo:purpose", "Value": "migration"}]


def test_one_of_an_interrupted_run_is_waited_for_and_no_second_made() -> None:
    aws = FakeAws(
        describe_db_snapshots=[
            {"DBSnapshots": [made(status="creating")]},
            {"DBSnapshots": [made()]},
        ]
    )
    assert taken(aws)[0] == NAME
    assert aws.written == []


@pytest.mark.parametrize(
    ("status", "code"), [("failed", "SnapshotFailed"), ("creating", "StillCreating")]
)
def test_without_a_snapshot_it_goes_no_further(status: str, code: str) -> None:
    aws = FakeAws(
        describe_db_snapshots=[{"DBSnapshots": []}, {"DBSnapshots": [made("new", status)]}],
        create_db_snapshot={"DBSnapshot": made("new", "creating")},
    )
    with pytest.raises(AwsFailure) as caught:
        taken(aws)
    assert caught.value.code == code
