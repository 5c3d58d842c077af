"""Drift, and taking an environment down: what is asked of Terraform and AWS, both played."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.lyo_terraform import destroy as destroying
from ansible.module_utils.lyo_terraform import run as running

from .fakes import AWS, Ended, FakeAws, FakeModule, ended, failure

PLAYED = """#!{python}
import json, pathlib, sys
here, arguments = pathlib.Path({here!r}), sys.argv[1:]
with (here / "calls").open("a") as log:
    log.write(json.dumps(arguments) + "\\n")
if arguments[0] == "show":
    print((here / ("plan" if len(arguments) > 3 else "state")).read_text())
if arguments[0] == "plan":
    sys.exit(2 if json.loads((here / "plan").read_text()).get("resource_changes") else 0)
"""
DATABASE = "module.database.aws_db_instance.this"
VAULT_ARN = "arn:aws:backup:eu-west-1:123456789012:backup-vault:lyo-x"
NO_LOCK = failure("NoSuchKey")


def resource(address: str, **values: Any) -> dict[str, Any]:
    return {
        "address": address,
        "mode": "managed",
        "type": address.split(".")[-2],
        "values": values,
    }


def change(address: str, *actions: str) -> dict[str, Any]:
    module, kind = address.split(".")[1:3]
    values = {"before": {"a": 1}, "after": {"a": 2} if actions != ("delete",) else None}
    return {
        "address": address,
        "mode": "managed",
        "type": kind,
        "module_address": f"module.{module}",
        "change": {"actions": list(actions), **values},
    }


class Played:
    """A Terraform that answers with what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "project").mkdir()
        self.binary = folder / "terraform"
        self.binary.write_text(PLAYED.format(python=sys.executable, here=str(folder)))
        self.binary.chmod(0o755)
        self.state()
        self.plan()

    def state(self, *resources: dict[str, Any]) -> None:
        content = {"values": {"root_module": {"resources": list(resources)}}}
        (self.folder / "state").write_text(json.dumps(content))

    def plan(self, *changes: dict[str, Any], **rest: Any) -> None:
        (self.folder / "plan").write_text(json.dumps({"resource_changes": list(changes), **rest}))

    def calls(self) -> list[list[str]]:
        calls = [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]
        return [call for call in calls if call[0] not in ("init", "show")]

    def verbs(self) -> list[str]:
        return [call[0] for call in self.calls()]

    def act(self, action: str, monkeypatch: pytest.MonkeyPatch, aws: FakeAws, **more: Any) -> Ended:
        for place in (running, destroying):
            monkeypatch.setattr(place, "Aws", lambda _: aws)
        check = more.pop("check_mode", False)
        params: dict[str, Any] = {
            "aws": AWS,
            "action": action,
            "env": "x",
            "project_path": str(self.folder / "project"),
            "data_dir": str(self.folder / "data"),
            "backend": {"bucket": "states", "region": "eu-south-1"},
            "var_files": [],
            "variables": {"region": "eu-south-1"},
            "phases": [{"name": "database", "modules": ["database"]}],
            "chosen": None,
            "allow_destroy": [],
            "marker": {
                "bucket": "states",
                "key": "lyo.plan.json",
                "state_key": "lyo.tfstate",
                "fingerprint": "",
            },
            "terraform": str(self.binary),
            "cli_config": None,
            "parallelism": 10,
            "lock_timeout_seconds": 30,
            **more,
        }
        return ended(running.run, FakeModule(params, check_mode=check))


@pytest.fixture
def played(tmp_path: Path) -> Played:
    return Played(tmp_path)


def cloud(**answers: Any) -> FakeAws:
    return FakeAws(
        get_caller_identity={},
        **{
            "delete_object": {},
            "list_recovery_points_by_backup_vault": {"RecoveryPoints": []},
            "get_object": NO_LOCK,
            **answers,
        },
    )


def test_where_nothing_is_protected_nothing_is_lifted(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.state(resource(DATABASE, deletion_protection=False))
    done = played.act("lift", monkeypatch, cloud())
    assert done.answer["changed"] is False
    assert played.verbs() == []


def test_what_protects_is_shown_and_left_in_check_mode(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.state(resource(DATABASE, deletion_protection=True))
    done = played.act("lift", monkeypatch, cloud(), check_mode=True)
    assert done.answer["protections"] == [{"address": DATABASE, "attribute": "deletion_protection"}]
    assert played.verbs() == []


def test_only_what_is_there_and_protected_is_lifted(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.state(
        resource(DATABASE, deletion_protection=True),
        resource("module.application.aws_lb.this", enable_deletion_protection=False),
    )
    played.plan(change(DATABASE, "update"))
    seen: list[str] = []
    write = Path.write_text

    def spy(path: Path, text: str, *rest: Any, **more: Any) -> int:
        seen.extend([text] if path.name.endswith(".tfvars.json") else [])
        return write(path, text, *rest, **more)

    monkeypatch.setattr(Path, "write_text", spy)
    done = played.act("lift", monkeypatch, cloud())
    assert not done.failed, done.answer
    plan, apply = played.calls()
    assert [word for word in plan if word.startswith("-target")] == [f"-target={DATABASE}"]
    assert apply[0] == "apply"
    assert apply[-1].endswith("lift.tfplan")
    assert json.loads(seen[0]) == {"region": "eu-south-1", "retiring": True}


def test_lifting_that_would_make_something_is_refused(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.state(resource(DATABASE, deletion_protection=True))
    played.plan(change(DATABASE, "update"), change("module.vpc.aws_vpc.this", "create"))
    done = played.act("lift", monkeypatch, cloud())
    assert done.failed
    assert "create module.vpc.aws_vpc.this" in done.answer["msg"]
    assert played.verbs() == ["plan"]


def test_what_would_go_is_shown_and_left_in_check_mode(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.plan(change(DATABASE, "delete"))
    aws = cloud()
    done = played.act("destroy", monkeypatch, aws, check_mode=True)
    assert done.answer["destroyed"] == [DATABASE]
    (plan,) = played.calls()
    assert "-destroy" in plan
    assert "-lock=false" in plan
    assert aws.written == []


def test_everything_goes_with_the_note_of_the_last_plan(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.state(resource(DATABASE, arn="arn:aws:rds:eu-south-1:123456789012:db:lyo-x"))
    played.plan(change(DATABASE, "delete"))
    aws = cloud()
    done = played.act("destroy", monkeypatch, aws)
    assert done.answer["destroyed"] == [DATABASE]
    assert done.answer["regions"] == ["eu-south-1"]
    assert played.verbs() == ["plan", "apply"]
    assert aws.named("delete_object") == [{"Bucket": "states", "Key": "lyo.plan.json"}]


def test_where_nothing_is_left_nothing_is_destroyed(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = played.act("destroy", monkeypatch, cloud())
    assert done.answer["changed"] is False
    assert played.verbs() == ["plan"]


def test_a_vault_with_recovery_points_stays_with_what_it_needs(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.state(
        resource(
            "module.database.aws_backup_vault.this", name="lyo-x", arn=VAULT_ARN, kms_key_arn="k"
        ),
        resource("module.database.aws_backup_vault_policy.this", backup_vault_name="lyo-x"),
        resource("module.database.aws_backup_vault_policy.other", backup_vault_name="lyo-y"),
        resource("module.database.aws_kms_key.copy", arn="k", key_id="1"),
        resource("module.database.aws_kms_alias.copy", target_key_id="1"),
        resource("module.monitoring.aws_kms_key.topics", arn="other", key_id="2"),
    )
    played.plan(change(DATABASE, "delete"))
    points = {"RecoveryPoints": [{"RecoveryPointArn": "arn:p"}]}
    done = played.act("destroy", monkeypatch, cloud(list_recovery_points_by_backup_vault=points))
    assert [vault["name"] for vault in done.answer["kept"]] == ["lyo-x"]
    assert played.verbs() == ["state", "plan", "apply"]
    forgotten = [word for word in played.calls()[0] if word.startswith("module.")]
    assert forgotten == [
        "module.database.aws_backup_vault.this",
        "module.database.aws_backup_vault_policy.this",
        "module.database.aws_kms_key.copy",
        "module.database.aws_kms_alias.copy",
    ]


BACKUPS = {
    "bucket": "lyo-x-backups-1",
    "arn": "arn:aws:s3:::lyo-x-backups-1",
    "region": "eu-central-1",
    "object_lock_enabled": True,
    "force_destroy": False,
}


@pytest.mark.parametrize(
    ("values", "versions", "kept"),
    [
        ({}, [{"Key": "manifest.json"}], ["lyo-x-backups-1"]),
        ({}, [], []),
        ({"force_destroy": True}, [{"Key": "manifest.json"}], []),
        ({"object_lock_enabled": False}, [{"Key": "logs"}], []),
    ],
)
def test_a_bucket_that_holds_backups_stays_with_its_settings(
    played: Played,
    monkeypatch: pytest.MonkeyPatch,
    values: dict[str, Any],
    versions: list[dict[str, str]],
    kept: list[str],
) -> None:
    played.state(
        resource("module.operations.aws_s3_bucket.backups", **BACKUPS | values),
        resource("module.operations.aws_s3_bucket_versioning.backups", bucket="lyo-x-backups-1"),
        resource("module.dns.aws_s3_bucket_versioning.dashboard", bucket="lyo-x-dashboard"),
    )
    played.plan(change(DATABASE, "delete"))
    done = played.act("destroy", monkeypatch, cloud(list_object_versions={"Versions": versions}))
    assert [bucket["name"] for bucket in done.answer["kept"]] == kept
    assert done.answer["regions"] == ["eu-central-1"]
    forgotten = [
        word for call in played.calls() for word in call if word.startswith("module.operations")
    ]
    assert forgotten == (
        [
            "module.operations.aws_s3_bucket.backups",
            "module.operations.aws_s3_bucket_versioning.backups",
        ]
        if kept
        else []
    )


def test_a_bucket_of_backups_is_no_protection_that_is_lifted(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.state(resource("module.operations.aws_s3_bucket.backups", **BACKUPS))
    done = played.act("lift", monkeypatch, cloud())
    assert done.answer["protections"] == []


def test_a_final_snapshots_name_that_is_taken_is_told_first(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.state(
        resource(
            DATABASE,
            identifier="lyo-x",
            skip_final_snapshot=False,
            final_snapshot_identifier="lyo-x-final",
        )
    )
    played.plan(change(DATABASE, "delete"))
    standing = {"DBInstances": [{"DBInstanceStatus": "available"}]}
    taken = {"DBSnapshots": [{"DBSnapshotIdentifier": "lyo-x-final"}]}
    aws = cloud(describe_db_instances=standing, describe_db_snapshots=taken)
    done = played.act("destroy", monkeypatch, aws)
    assert done.failed
    assert "lyo-x-final" in done.answer["msg"]
    assert not (played.folder / "calls").exists() or "apply" not in played.verbs()
    # An instance on its way out has taken its snapshot already: an interrupted run goes on.
    aws.answers["describe_db_instances"] = {"DBInstances": [{"DBInstanceStatus": "deleting"}]}
    assert not played.act("destroy", monkeypatch, aws).failed


def test_a_vault_that_is_gone_already_keeps_nothing(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.state(resource("module.database.aws_backup_vault.this", name="lyo-x", arn=VAULT_ARN))
    gone = failure("ResourceNotFoundException")
    done = played.act("destroy", monkeypatch, cloud(list_recovery_points_by_backup_vault=gone))
    assert not done.failed
    assert done.answer["kept"] == []


def held_by(who: str) -> dict[str, Any]:
    return {"Body": io.BytesIO(json.dumps({"ID": "abc", "Who": who}).encode())}


@pytest.mark.parametrize("action", ["lift", "destroy"])
def test_a_terraform_that_outlived_its_run_is_waited_for(
    played: Played, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(running.time, "sleep", slept.append)
    states = [held_by("giulia"), held_by("giulia"), NO_LOCK]
    assert not played.act(action, monkeypatch, cloud(get_object=states)).failed
    assert running.LOCK_POLL_SECONDS in slept
    still = cloud(get_object=lambda _: held_by("giulia"))
    done = played.act(action, monkeypatch, still, lock_timeout_seconds=0)
    assert done.failed
    assert "locked by giulia" in done.answer["msg"]


def test_drift_fails_and_names_what_is_pending_apart(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = {
        "address": DATABASE,
        "change": {"actions": ["update"], "before": {"a": 2}, "after": {"a": 1}},
    }
    new = change("module.database.aws_db_subnet_group.this", "create")
    played.plan(change(DATABASE, "update"), new, resource_drift=[outside])
    aws = cloud()
    done = played.act("drift", monkeypatch, aws)
    assert done.failed
    assert done.answer["verdict"] == "DRIFTED"
    assert done.answer["drift"] == [
        {"address": DATABASE, "attribute": "a", "current": 1, "desired": 2}
    ]
    assert [entry["address"] for entry in done.answer["changes"]] == [new["address"]]
    (plan,) = played.calls()
    assert "-lock=false" in plan
    assert aws.written == []
    assert list((played.folder / "data").glob("lyo-plan-*")) == []


def test_without_drift_pending_changes_are_no_failure(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.plan(change(DATABASE, "update"))
    done = played.act("drift", monkeypatch, cloud())
    assert not done.failed
    assert done.answer["verdict"] == "UNCHANGED"
    assert "1 changes pending in database" in done.answer["reasons"][-1]


def test_nothing_is_planned_for_drift_while_the_state_is_locked(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = json.dumps({"ID": "abc", "Who": "giulia", "Created": "today"}).encode()
    aws = cloud(get_object=lambda _: {"Body": io.BytesIO(held)})
    done = played.act("drift", monkeypatch, aws)
    assert done.failed
    assert "locked by giulia since today" in done.answer["msg"]
    assert done.answer["verdict"] == "FAILED"
    assert not (played.folder / "calls").exists()


# Planning and applying.

PHASES = [
    {"name": "database", "modules": ["database"]},
    {"name": "application", "modules": ["application"]},
]


def test_a_plan_that_is_applied_as_a_whole_is_over_for_every_later_phase(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.plan(
        change("module.database.aws_backup_selection.this", "delete", "create"),
        change("module.application.aws_iam_role_policy.execution", "update"),
    )
    planned = played.act(
        "plan", monkeypatch, cloud(), phases=PHASES, chosen=["database", "application"]
    )
    assert planned.answer["phases"] == ["database", "application"]
    folder = Path(planned.answer["plan_dir"])
    for phase, changed in (("database", True), ("application", False)):
        assert folder.is_dir()
        done = played.act("apply", monkeypatch, cloud(), phases=PHASES,
                          chosen=["database", "application"], phase=phase, plan_dir=str(folder))  # fmt: skip
        assert not done.failed, done.answer
        assert done.answer["changed"] is changed
        assert list(folder.glob("*.tf*")) == []
    assert not folder.exists()
    assert played.verbs().count("apply") == 1


def test_a_plan_that_would_make_a_lost_database_anew_is_refused(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = change(DATABASE, "delete")
    played.plan(change(DATABASE, "create"), resource_drift=[lost])
    done = played.act("plan", monkeypatch, cloud(), chosen=["database"])
    assert done.failed
    assert "restore.yml" in done.answer["msg"]
    allowed = played.act(
        "plan", monkeypatch, cloud(), chosen=["database"], allow_destroy=[DATABASE]
    )
    assert not allowed.failed
