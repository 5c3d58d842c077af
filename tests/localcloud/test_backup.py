"""AWS Backup over its API, in the two regions that a configuration of ours speaks to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import outside
from tests.localcloud.conftest import RunningCloud

ASSUME = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "backup.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def client(cloud: RunningCloud, region: str) -> Any:
    return outside.session(cloud.content).client(
        "backup", endpoint_url=cloud.endpoint, region_name=region
    )


def error_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_plan_that_copies_into_another_region(cloud: RunningCloud) -> None:
    here, there = client(cloud, "eu-south-1"), client(cloud, "eu-central-1")
    role = cloud.client("iam").create_role(RoleName="b", AssumeRolePolicyDocument=ASSUME)
    arns = {
        region: api.create_backup_vault(
            BackupVaultName="vault", BackupVaultTags={"Region": region}
        )["BackupVaultArn"]
        for region, api in (("eu-south-1", here), ("eu-central-1", there))
    }
    assert all(f":{region}:" in arn for region, arn in arns.items())
    here.put_backup_vault_lock_configuration(BackupVaultName="vault", MinRetentionDays=7)
    assert here.describe_backup_vault(BackupVaultName="vault")["Locked"] is True
    assert there.describe_backup_vault(BackupVaultName="vault")["Locked"] is False
    assert there.list_tags(ResourceArn=arns["eu-central-1"])["Tags"] == {"Region": "eu-central-1"}
    rule = {
        "RuleName": "daily",
        "TargetBackupVaultName": "vault",
        "ScheduleExpression": "cron(0 5 * * ? *)",
        "Lifecycle": {"DeleteAfterDays": 35},
        "CopyActions": [
            {
                "DestinationBackupVaultArn": arns["eu-central-1"],
                "Lifecycle": {"DeleteAfterDays": 35},
            }
        ],
    }
    plan = here.create_backup_plan(BackupPlan={"BackupPlanName": "p", "Rules": [rule]})
    key = {"BackupPlanId": plan["BackupPlanId"]}
    (shown,) = here.get_backup_plan(**key)["BackupPlan"]["Rules"]
    assert shown["CopyActions"] == rule["CopyActions"]
    selection = here.create_backup_selection(
        **key,
        BackupSelection={
            "SelectionName": "s",
            "IamRoleArn": role["Role"]["Arn"],
            "Resources": ["arn:aws:rds:eu-south-1:123456789012:db:lyo"],
        },
    )
    with pytest.raises(ClientError) as caught:
        here.delete_backup_plan(**key)
    assert error_of(caught) == ("InvalidRequestException", 400)
    here.delete_backup_selection(**key, SelectionId=selection["SelectionId"])
    here.delete_backup_plan(**key)
    for api in (here, there):
        api.delete_backup_vault(BackupVaultName="vault")
        assert api.list_backup_vaults()["BackupVaultList"] == []


def test_a_job_is_refused_at_once_and_none_is_listed(cloud: RunningCloud) -> None:
    api = client(cloud, "eu-south-1")
    api.create_backup_vault(BackupVaultName="empty")
    points = api.list_recovery_points_by_backup_vault(BackupVaultName="empty")
    assert points["RecoveryPoints"] == []
    with pytest.raises(ClientError) as caught:
        api.start_backup_job(
            BackupVaultName="empty",
            ResourceArn="arn:aws:rds:eu-south-1:123456789012:db:lyo",
            IamRoleArn="arn:aws:iam::123456789012:role/b",
        )
    assert error_of(caught) == ("NotImplemented", 501)
    assert api.list_backup_jobs()["BackupJobs"] == []
    api.delete_backup_vault(BackupVaultName="empty")
    with pytest.raises(ClientError) as caught:
        api.describe_backup_vault(BackupVaultName="empty")
    assert error_of(caught)[0] == "ResourceNotFoundException"
