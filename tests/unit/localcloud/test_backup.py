"""AWS Backup's configuration: what is kept, what is refused, and that nothing pretends to run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from localcloud.api import AwsError, Call, NotReproducedError, OperationTable
from localcloud.cloud import Cloud
from localcloud.services import backup

ACCOUNT = "123456789012"
HERE, THERE = "eu-south-1", "eu-central-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/backup"
TOPIC = f"arn:aws:sns:{HERE}:{ACCOUNT}:warning"


class FakeKms:
    """Knows AWS's own key only."""

    def __init__(self, region: str) -> None:
        self._region = region

    def describe_key(self, key: str) -> Any:
        if key != "alias/aws/backup":
            raise KeyError(key)
        return SimpleNamespace(arn=f"arn:aws:kms:{self._region}:{ACCOUNT}:key/own")


class FakeCloud:
    """The other services as far as AWS Backup asks them, and a clock that a test can move."""

    def __init__(self) -> None:
        self.api = OperationTable()
        self.present = datetime(2026, 11, 23, tzinfo=UTC)
        self.clock = SimpleNamespace(now=lambda: self.present)

    def backend(self, service: str, region: str = HERE) -> Any:
        return {
            "iam": SimpleNamespace(roles={"backup": SimpleNamespace(arn=ROLE)}),
            "sns": SimpleNamespace(topics={TOPIC: None}),
            "kms": FakeKms(region),
        }[service]

    def call(self, operation: str, region: str = HERE, **params: Any) -> Any:
        handler = self.api.handler("backup", operation)
        assert handler is not None
        return handler(Call("backup", operation, ACCOUNT, region, params))


@pytest.fixture
def cloud() -> FakeCloud:
    made = FakeCloud()
    backup.register(cast(Cloud, made))
    for region, name in ((HERE, "lyo"), (THERE, "lyo-copy")):
        made.call("CreateBackupVault", region, BackupVaultName=name, BackupVaultTags={"a": "b"})
    return made


def refused(cloud: FakeCloud, operation: str, region: str = HERE, **params: Any) -> str:
    with pytest.raises(AwsError) as caught:
        cloud.call(operation, region, **params)
    return caught.value.code


def plan(*rules: dict[str, Any], name: str = "lyo") -> dict[str, Any]:
    given = rules or ({},)
    return {
        "BackupPlanName": name,
        "Rules": [
            {"RuleName": f"rule-{number}", "TargetBackupVaultName": "lyo", **rule}
            for number, rule in enumerate(given)
        ],
    }


def selection(**changes: Any) -> dict[str, Any]:
    return {"SelectionName": "database", "IamRoleArn": ROLE, "Resources": ["arn:db"], **changes}


def test_a_vault_is_of_its_region(cloud: FakeCloud) -> None:
    assert cloud.call("DescribeBackupVault", BackupVaultName="lyo")["NumberOfRecoveryPoints"] == 0
    there = cloud.call("DescribeBackupVault", THERE, BackupVaultName="lyo-copy")
    assert there["BackupVaultArn"] == f"arn:aws:backup:{THERE}:{ACCOUNT}:backup-vault:lyo-copy"
    assert refused(cloud, "DescribeBackupVault", THERE, BackupVaultName="lyo") == (
        "ResourceNotFoundException"
    )
    names = [
        vault["BackupVaultName"] for vault in cloud.call("ListBackupVaults")["BackupVaultList"]
    ]
    assert names == ["lyo"]


def test_a_vault_without_a_key_has_the_regions_own(cloud: FakeCloud) -> None:
    shown = cloud.call("DescribeBackupVault", BackupVaultName="lyo")
    assert shown["EncryptionKeyArn"].startswith(f"arn:aws:kms:{HERE}:")
    key = "arn:aws:kms:eu-south-1:123456789012:key/none"
    assert (
        refused(cloud, "CreateBackupVault", BackupVaultName="other", EncryptionKeyArn=key)
        == "InvalidParameterValueException"
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [("lyo", "AlreadyExistsException"), ("x", "InvalidParameterValueException")],
)
def test_wrong_vaults_are_refused(cloud: FakeCloud, name: str, code: str) -> None:
    assert refused(cloud, "CreateBackupVault", BackupVaultName=name) == code


def test_a_policy_is_kept_until_it_is_deleted(cloud: FakeCloud) -> None:
    vault = {"BackupVaultName": "lyo"}
    assert refused(cloud, "GetBackupVaultAccessPolicy", **vault) == "ResourceNotFoundException"
    document = '{"Statement": [{"Effect": "Deny"}]}'
    cloud.call("PutBackupVaultAccessPolicy", **vault, Policy=document)
    assert cloud.call("GetBackupVaultAccessPolicy", **vault)["Policy"] == document
    cloud.call("DeleteBackupVaultAccessPolicy", **vault)
    assert refused(cloud, "GetBackupVaultAccessPolicy", **vault) == "ResourceNotFoundException"


@pytest.mark.parametrize("policy", ["{", "[]", '{"Statement": []}'])
def test_a_policy_that_is_none_is_refused(cloud: FakeCloud, policy: str) -> None:
    code = refused(cloud, "PutBackupVaultAccessPolicy", BackupVaultName="lyo", Policy=policy)
    assert code == "InvalidParameterValueException"


def test_notifications_go_to_a_topic_of_the_vaults_region(cloud: FakeCloud) -> None:
    wanted = {"SNSTopicArn": TOPIC, "BackupVaultEvents": ["COPY_JOB_FAILED"]}
    cloud.call("PutBackupVaultNotifications", BackupVaultName="lyo", **wanted)
    kept = cloud.call("GetBackupVaultNotifications", BackupVaultName="lyo")
    assert kept["SNSTopicArn"] == TOPIC
    for topic in (f"{TOPIC}-gone", TOPIC.replace(HERE, THERE)):
        wanted["SNSTopicArn"] = topic
        code = refused(cloud, "PutBackupVaultNotifications", BackupVaultName="lyo", **wanted)
        assert code == "InvalidParameterValueException"


def test_a_lock_in_governance_mode_can_be_taken_off(cloud: FakeCloud) -> None:
    vault = {"BackupVaultName": "lyo"}
    cloud.call("PutBackupVaultLockConfiguration", **vault, MinRetentionDays=7)
    shown = cloud.call("DescribeBackupVault", **vault)
    assert (shown["Locked"], shown["MinRetentionDays"]) == (True, 7)
    assert "LockDate" not in shown
    cloud.call("DeleteBackupVaultLockConfiguration", **vault)
    shown = cloud.call("DescribeBackupVault", **vault)
    assert shown["Locked"] is False
    assert "MinRetentionDays" not in shown


def test_a_lock_in_compliance_mode_is_final_after_its_date(cloud: FakeCloud) -> None:
    vault = {"BackupVaultName": "lyo"}
    cloud.call("PutBackupVaultLockConfiguration", **vault, ChangeableForDays=3)
    cloud.present += timedelta(days=2)
    cloud.call("PutBackupVaultLockConfiguration", **vault, ChangeableForDays=3)
    cloud.present += timedelta(days=3)
    assert (
        refused(cloud, "DeleteBackupVaultLockConfiguration", **vault) == "InvalidRequestException"
    )


@pytest.mark.parametrize(
    "lock",
    [
        {"MinRetentionDays": 0},
        {"MaxRetentionDays": 36501},
        {"MinRetentionDays": 8, "MaxRetentionDays": 7},
        {"ChangeableForDays": 2},
    ],
)
def test_wrong_locks_are_refused(cloud: FakeCloud, lock: dict[str, int]) -> None:
    code = refused(cloud, "PutBackupVaultLockConfiguration", BackupVaultName="lyo", **lock)
    assert code == "InvalidParameterValueException"
    assert cloud.call("DescribeBackupVault", BackupVaultName="lyo")["Locked"] is False


def test_tags_follow_their_resource(cloud: FakeCloud) -> None:
    arn = cloud.call("DescribeBackupVault", BackupVaultName="lyo")["BackupVaultArn"]
    cloud.call("TagResource", ResourceArn=arn, Tags={"c": "d"})
    cloud.call("UntagResource", ResourceArn=arn, TagKeyList=["a"])
    assert cloud.call("ListTags", ResourceArn=arn)["Tags"] == {"c": "d"}
    cloud.call("DeleteBackupVault", BackupVaultName="lyo")
    assert refused(cloud, "ListTags", ResourceArn=arn) == "ResourceNotFoundException"


def test_a_plan_has_its_defaults_and_a_new_version_after_a_change(cloud: FakeCloud) -> None:
    made = cloud.call("CreateBackupPlan", BackupPlan=plan())
    key = {"BackupPlanId": made["BackupPlanId"]}
    rule = cloud.call("GetBackupPlan", **key)["BackupPlan"]["Rules"][0]
    assert (rule["StartWindowMinutes"], rule["CompletionWindowMinutes"]) == (480, 10080)
    before = made["VersionId"]
    cloud.call("UpdateBackupPlan", **key, BackupPlan=plan({"StartWindowMinutes": 60}))
    after = cloud.call("GetBackupPlan", **key)
    assert after["BackupPlan"]["Rules"][0]["StartWindowMinutes"] == 60
    assert after["VersionId"] != before
    assert refused(cloud, "GetBackupPlan", **key, VersionId=before) == "ResourceNotFoundException"


def test_the_same_plan_is_not_created_twice(cloud: FakeCloud) -> None:
    cloud.call("CreateBackupPlan", BackupPlan=plan())
    assert refused(cloud, "CreateBackupPlan", BackupPlan=plan()) == "AlreadyExistsException"
    cloud.call("CreateBackupPlan", BackupPlan=plan(name="other"))


@pytest.mark.parametrize(
    "rules",
    [
        [{"TargetBackupVaultName": "none"}],
        [{"RuleName": "same"}, {"RuleName": "same"}],
        [{"Lifecycle": {"MoveToColdStorageAfterDays": 30, "DeleteAfterDays": 100}}],
        [{"CopyActions": [{"Lifecycle": {"MoveToColdStorageAfterDays": 1, "DeleteAfterDays": 2}}]}],
        [{"EnableContinuousBackup": True, "Lifecycle": {"DeleteAfterDays": 36}}],
        [{"EnableContinuousBackup": True}],
    ],
)
def test_wrong_rules_are_refused(cloud: FakeCloud, rules: list[dict[str, Any]]) -> None:
    code = refused(cloud, "CreateBackupPlan", BackupPlan=plan(*rules))
    assert code == "InvalidParameterValueException"


def test_a_plan_outlives_its_selections_only(cloud: FakeCloud) -> None:
    key = {"BackupPlanId": cloud.call("CreateBackupPlan", BackupPlan=plan())["BackupPlanId"]}
    one = cloud.call("CreateBackupSelection", **key, BackupSelection=selection())
    named = {**key, "SelectionId": one["SelectionId"]}
    assert cloud.call("GetBackupSelection", **named)["BackupSelection"]["IamRoleArn"] == ROLE
    assert refused(cloud, "DeleteBackupPlan", **key) == "InvalidRequestException"
    cloud.call("DeleteBackupSelection", **named)
    assert refused(cloud, "GetBackupSelection", **named) == "InvalidParameterValueException"
    cloud.call("DeleteBackupPlan", **key)
    assert cloud.call("ListBackupPlans")["BackupPlansList"] == []
    assert cloud.call("GetBackupPlan", **key)["DeletionDate"] == cloud.present
    assert refused(cloud, "UpdateBackupPlan", **key, BackupPlan=plan()) == (
        "ResourceNotFoundException"
    )


@pytest.mark.parametrize(
    "changes", [{"Resources": []}, {"IamRoleArn": f"{ROLE}-gone"}], ids=["nothing", "no role"]
)
def test_wrong_selections_are_refused(cloud: FakeCloud, changes: dict[str, Any]) -> None:
    key = {"BackupPlanId": cloud.call("CreateBackupPlan", BackupPlan=plan())["BackupPlanId"]}
    code = refused(cloud, "CreateBackupSelection", **key, BackupSelection=selection(**changes))
    assert code == "InvalidParameterValueException"


def restore_plan(**changes: Any) -> dict[str, Any]:
    points = {
        "Algorithm": "LATEST_WITHIN_WINDOW",
        "IncludeVaults": ["*"],
        "RecoveryPointTypes": ["SNAPSHOT"],
    }
    return {
        "RestoreTestingPlanName": "lyo",
        "ScheduleExpression": "cron(0 9 2 * ? *)",
        "RecoveryPointSelection": points | changes.pop("points", {}),
        **changes,
    }


def restore_selection(**changes: Any) -> dict[str, Any]:
    return {
        "RestoreTestingSelectionName": "database",
        "ProtectedResourceType": "RDS",
        "ProtectedResourceArns": ["arn:db"],
        "IamRoleArn": ROLE,
        "RestoreMetadataOverrides": {"dbsubnetgroupname": "lyo"},
        **changes,
    }


def test_a_restore_testing_plan_and_its_selection(cloud: FakeCloud) -> None:
    key = {"RestoreTestingPlanName": "lyo"}
    cloud.call("CreateRestoreTestingPlan", RestoreTestingPlan=restore_plan())
    shown = cloud.call("GetRestoreTestingPlan", **key)["RestoreTestingPlan"]
    assert shown["StartWindowHours"] == 24
    assert shown["RecoveryPointSelection"]["SelectionWindowDays"] == 30
    change = {"RecoveryPointSelection": {"SelectionWindowDays": 7}}
    cloud.call("UpdateRestoreTestingPlan", **key, RestoreTestingPlan=change)
    shown = cloud.call("GetRestoreTestingPlan", **key)["RestoreTestingPlan"]
    assert shown["RecoveryPointSelection"]["SelectionWindowDays"] == 7
    assert shown["RecoveryPointSelection"]["IncludeVaults"] == ["*"]
    cloud.call("CreateRestoreTestingSelection", **key, RestoreTestingSelection=restore_selection())
    assert refused(cloud, "DeleteRestoreTestingPlan", **key) == "InvalidRequestException"
    named = {**key, "RestoreTestingSelectionName": "database"}
    change = {"ValidationWindowHours": 4}
    cloud.call("UpdateRestoreTestingSelection", **named, RestoreTestingSelection=change)
    kept = cloud.call("GetRestoreTestingSelection", **named)["RestoreTestingSelection"]
    assert kept["ValidationWindowHours"] == 4
    cloud.call("DeleteRestoreTestingSelection", **named)
    cloud.call("DeleteRestoreTestingPlan", **key)
    assert refused(cloud, "GetRestoreTestingPlan", **key) == "ResourceNotFoundException"


@pytest.mark.parametrize(
    "changes",
    [
        {"RestoreTestingPlanName": "lyo-local"},
        {"StartWindowHours": 169},
        {"points": {"SelectionWindowDays": 366}},
        {"points": {"IncludeVaults": []}},
        {"points": {"RecoveryPointTypes": []}},
    ],
)
def test_wrong_restore_testing_plans_are_refused(cloud: FakeCloud, changes: dict[str, Any]) -> None:
    code = refused(cloud, "CreateRestoreTestingPlan", RestoreTestingPlan=restore_plan(**changes))
    assert code == "InvalidParameterValueException"


@pytest.mark.parametrize(
    "changes",
    [
        {"RestoreTestingSelectionName": "a-b"},
        {"ValidationWindowHours": 169},
        {"RestoreMetadataOverrides": {"subnet": "x"}},
        {"ProtectedResourceConditions": {"StringEquals": [{"Key": "a", "Value": "b"}]}},
        {"IamRoleArn": f"{ROLE}-gone"},
    ],
)
def test_wrong_restore_testing_selections_are_refused(
    cloud: FakeCloud, changes: dict[str, Any]
) -> None:
    cloud.call("CreateRestoreTestingPlan", RestoreTestingPlan=restore_plan())
    code = refused(
        cloud,
        "CreateRestoreTestingSelection",
        RestoreTestingPlanName="lyo",
        RestoreTestingSelection=restore_selection(**changes),
    )
    assert code == "InvalidParameterValueException"


def test_nothing_has_run_and_nothing_pretends_to(cloud: FakeCloud) -> None:
    points = cloud.call("ListRecoveryPointsByBackupVault", BackupVaultName="lyo")
    assert points == {"RecoveryPoints": []}
    assert cloud.call("ListBackupJobs") == {"BackupJobs": []}
    for operation in ("StartBackupJob", "StartCopyJob", "StartRestoreJob", "CreateFramework"):
        with pytest.raises(NotReproducedError):
            cloud.call(operation)
    assert "ElastiCache" not in cloud.call("GetSupportedResourceTypes")["ResourceTypes"]


def test_opting_out_of_a_resource_type_is_kept(cloud: FakeCloud) -> None:
    cloud.call("UpdateRegionSettings", ResourceTypeOptInPreference={"EFS": False})
    chosen = cloud.call("DescribeRegionSettings")["ResourceTypeOptInPreference"]
    assert (chosen["EFS"], chosen["RDS"]) == (False, True)
    code = refused(cloud, "UpdateRegionSettings", ResourceTypeOptInPreference={"Redis": True})
    assert code == "InvalidParameterValueException"
