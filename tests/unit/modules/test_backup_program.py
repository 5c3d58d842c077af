"""The ops program as the runbook sees it: its commands, its settings, what it says."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.lyo_aws import AwsFailure
from ansible.module_utils.lyo_backup.program import (
    Target,
    environment,
    of_task,
    parsed,
    reasons,
    secrets_of,
    size,
    words,
)
from ansible.module_utils.lyo_backup.scratch import of_instances, request, target_of
from ansible.module_utils.lyo_release.said import Told

from .backup_world import INSTANCE, OPERATIONS

TARGET = Target("db.internal", 5432, "booking", "arn:secret")


def told(*events: dict[str, Any], lines: tuple[str, ...] = ()) -> Told:
    return Told(1, False, "arn", tuple(events), lines, ("task 1: exit code 1",))


def test_progress_is_told_with_rate_and_time_left() -> None:
    line = (
        'lyo.backup: {"event": "progress", "verb": "dump", "bytes": 3145728, "total": 12582912,'
        ' "bytes_per_second": 1048576, "seconds_left": 9}'
    )
    event = parsed(line)
    assert event is not None
    assert event["percent"] == 25
    assert words(event) == "dump: 3.0 MiB of about 12.0 MiB, 1.0 MiB/s, 9 s left"
    assert parsed("backup: dump: 3 MiB of about 12 MiB, 1 MiB/s, 9 s left") is None
    assert words({"event": "done"}) == ""
    assert [size(n) for n in (0, 1023, 1024, 5 * 2**30, 3 * 2**40)] == [
        "0 bytes", "1023 bytes", "1.0 KiB", "5.0 GiB", "3.0 TiB",
    ]  # fmt: skip


def test_it_ends_in_its_own_words_else_in_those_of_ecs() -> None:
    damaged = {"event": "damaged", "reason": "a; b", "reasons": ["a", "b"]}
    assert reasons(told({"event": "part"}, damaged)) == ["a", "b"]
    assert reasons(told({"event": "failed", "reason": "a"})) == ["a"]
    assert reasons(told(lines=("Killed",))) == ["task 1: exit code 1", "log: Killed"]


@pytest.mark.parametrize(
    ("command", "verb", "backup"),
    [
        (["lyo_backup", "dump", "--id", "X"], "dump", "X"),
        (["lyo_backup", "tenant", "--id", "X", "--tenant", "t"], "tenant", "X"),
        (["lyo_backup", "list"], "list", ""),
        (["lyo_backup", "dump", "--id"], "dump", ""),
        (["backup.yml"], "", ""),
        ([], "", ""),
    ],
)
def test_a_running_task_is_known_by_its_command(command: list[str], verb: str, backup: str) -> None:
    task = {
        "taskArn": "arn:task",
        "taskDefinitionArn": "arn:aws:ecs:r:1:task-definition/lyo-ops-backup:7",
        "overrides": {"containerOverrides": [{"name": "ops", "command": command}]},
    }
    found = of_task(task)
    assert (found.family, found.verb, found.backup) == ("lyo-ops-backup", verb, backup)


def test_nothing_secret_and_nothing_empty_is_in_the_environment() -> None:
    settings = {"prefix": "logical/", "sslmode": "require", "jobs": 4, "environment": {"LYO_BACKUP_JOBS": "8"}}  # fmt: skip
    values = environment(OPERATIONS, TARGET, settings)
    assert values["PGPORT"] == "5432"
    assert values["LYO_BACKUP_JOBS"] == "8"
    assert values["LYO_BACKUP_LOCK_DAYS"] == "1"
    assert "LYO_BACKUP_KMS_KEY" not in values
    assert not {"PGUSER", "PGPASSWORD"} & set(values)
    assert secrets_of(TARGET)["PGUSER"] == "arn:secret:username::"


@pytest.mark.parametrize(
    ("name", "tag", "found"),
    [
        ("lyo-scratch-0000000a-12ab", "lyo:scratch", True),
        ("lyo-scratch-0000000a-12ab", "lyo:drill", False),
        ("lyo-scratch-mine", "lyo:scratch", False),
        ("lyo-eu-scratch-0000000a-12ab", "lyo:scratch", False),
        ("lyo", "lyo:scratch", False),
    ],
)
def test_a_scratch_instance_is_one_by_name_and_by_tag(name: str, tag: str, found: bool) -> None:
    entry = {"DBInstanceIdentifier": name, "TagList": [{"Key": tag, "Value": "X"}]}
    assert [s.backup for s in of_instances([entry], "lyo")] == (["X"] if found else [])


def test_what_the_source_does_not_have_is_left_to_rds() -> None:
    source = {k: v for k, v in INSTANCE.items() if k not in ("DBParameterGroups", "DBSubnetGroup")}
    wanted = request(source, "lyo-scratch-0000000a-12ab", "booking", {"lyo:scratch": "X"})
    assert not {"DBParameterGroupName", "DBSubnetGroupName", "KmsKeyId"} & set(wanted)
    assert wanted["DBName"] == "booking"


def test_an_instance_whose_password_nobody_knows_is_refused() -> None:
    instance = {**INSTANCE, "DBName": "booking", "MasterUserSecret": {"SecretArn": "arn:secret"}}
    assert target_of(instance) == TARGET
    with pytest.raises(AwsFailure, match="RDS does not manage its password"):
        target_of({**instance, "MasterUserSecret": None})
