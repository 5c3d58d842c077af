"""Vaults, what protects them, and the tags of everything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from localcloud.api import AwsError, Call
from localcloud.services.backup.state import State, Vault, arn, exists, invalid, not_found, page

AWS_KEY = "alias/aws/backup"
_NAME = re.compile(r"[a-zA-Z0-9\-_]{2,50}")
_LOCK = ("MinRetentionDays", "MaxRetentionDays", "LockDate")
_MOST_DAYS = 36500


class VaultApi:
    """Operations on backup vaults, and on tags."""

    def __init__(self, state: State) -> None:
        self._state = state

    def create_backup_vault(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupVault.html"""
        params, region = call.params, self._state.region(call)
        name = params["BackupVaultName"]
        if not _NAME.fullmatch(name):
            raise invalid("A vault's name has 2 to 50 letters, digits, hyphens and underscores.")
        if name in region.vaults:
            raise exists(f"Backup vault with the name {name} already exists.")
        key = params.get("EncryptionKeyArn")
        members = {
            "BackupVaultName": name,
            "BackupVaultArn": arn(call, "backup-vault", name),
            "VaultType": "BACKUP_VAULT",
            "VaultState": "AVAILABLE",
            "EncryptionKeyArn": self._key(call, key),
            "EncryptionKeyType": "CUSTOMER_MANAGED_KMS_KEY" if key else "AWS_OWNED_KMS_KEY",
            "CreationDate": self._state.now(),
            "NumberOfRecoveryPoints": 0,
            "Locked": False,
        }
        if params.get("CreatorRequestId"):
            members["CreatorRequestId"] = params["CreatorRequestId"]
        region.vaults[name] = Vault(members)
        region.tags[members["BackupVaultArn"]] = dict(params.get("BackupVaultTags") or {})
        return _shown(members, "BackupVaultName", "BackupVaultArn", "CreationDate")

    def _key(self, call: Call, key: str | None) -> str:
        backend = self._state.cloud.backend("kms", call.region)
        try:
            return str(backend.describe_key(key or AWS_KEY).arn)
        except Exception as error:
            raise invalid(
                f"The KMS key {key or AWS_KEY} does not exist in {call.region}."
            ) from error

    def describe_backup_vault(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DescribeBackupVault.html"""
        return self._state.vault(call).members

    def list_backup_vaults(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListBackupVaults.html"""
        vaults = [vault.members for vault in self._state.region(call).vaults.values()]
        return page(call, "BackupVaultList", vaults)

    def delete_backup_vault(self, call: Call) -> None:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteBackupVault.html

        A vault is deleted only when it is empty; here every vault is.
        """
        members = self._state.vault(call).members
        region = self._state.region(call)
        del region.vaults[members["BackupVaultName"]]
        region.tags.pop(members["BackupVaultArn"], None)

    # Access policy

    def put_backup_vault_access_policy(self, call: Call) -> None:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_PutBackupVaultAccessPolicy.html"""
        vault, policy = self._state.vault(call), call.params.get("Policy")
        if policy is None:
            raise AwsError("MissingParameterValueException", "Policy is missing.")
        try:
            statements = json.loads(policy)["Statement"]
        except (ValueError, KeyError, TypeError) as error:
            raise invalid("The policy is not valid JSON with a Statement.") from error
        if not statements:
            raise invalid("The policy has no statement.")
        vault.policy = policy

    def get_backup_vault_access_policy(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_GetBackupVaultAccessPolicy.html"""
        vault = self._state.vault(call)
        if vault.policy is None:
            raise not_found(f"Backup vault {call.params['BackupVaultName']} has no access policy.")
        return {
            **_shown(vault.members, "BackupVaultName", "BackupVaultArn"),
            "Policy": vault.policy,
        }

    def delete_backup_vault_access_policy(self, call: Call) -> None:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteBackupVaultAccessPolicy.html"""
        self._state.vault(call).policy = None

    # Notifications

    def put_backup_vault_notifications(self, call: Call) -> None:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_PutBackupVaultNotifications.html

        Kept as words: nothing runs that could be notified of.
        """
        vault, topic = self._state.vault(call), call.params["SNSTopicArn"]
        if topic not in self._state.cloud.backend("sns", call.region).topics:
            raise invalid(f"The topic {topic} does not exist in {call.region}, as the vault does.")
        if not call.params["BackupVaultEvents"]:
            raise invalid("BackupVaultEvents is empty.")
        vault.notifications = {
            "SNSTopicArn": topic,
            "BackupVaultEvents": list(call.params["BackupVaultEvents"]),
        }

    def get_backup_vault_notifications(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_GetBackupVaultNotifications.html"""
        vault = self._state.vault(call)
        if vault.notifications is None:
            raise not_found(f"Backup vault {call.params['BackupVaultName']} has no notifications.")
        return {**_shown(vault.members, "BackupVaultName", "BackupVaultArn"), **vault.notifications}

    def delete_backup_vault_notifications(self, call: Call) -> None:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteBackupVaultNotifications.html"""
        self._state.vault(call).notifications = None

    # Vault lock

    def put_backup_vault_lock_configuration(self, call: Call) -> None:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_PutBackupVaultLockConfiguration.html

        Without ChangeableForDays the lock is in governance mode: it can be taken off again.
        """
        members, params = self._state.vault(call).members, call.params
        self._refuse_immutable(members)
        least, most = params.get("MinRetentionDays"), params.get("MaxRetentionDays")
        if least is not None and least < 1:
            raise invalid("MinRetentionDays must be at least 1.")
        if most is not None and most > _MOST_DAYS:
            raise invalid(f"MaxRetentionDays must be {_MOST_DAYS} at most.")
        if least is not None and most is not None and least > most:
            raise invalid("MinRetentionDays must not be greater than MaxRetentionDays.")
        grace = params.get("ChangeableForDays")
        if grace is not None and grace < 3:
            raise invalid("ChangeableForDays must be at least 3.")
        for member in _LOCK:
            members.pop(member, None)
        members["Locked"] = True
        if least is not None:
            members["MinRetentionDays"] = least
        if most is not None:
            members["MaxRetentionDays"] = most
        if grace is not None:
            members["LockDate"] = self._state.now() + timedelta(days=grace)

    def delete_backup_vault_lock_configuration(self, call: Call) -> None:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteBackupVaultLockConfiguration.html"""
        members = self._state.vault(call).members
        self._refuse_immutable(members)
        members["Locked"] = False
        for member in _LOCK:
            members.pop(member, None)

    def _refuse_immutable(self, members: Mapping[str, Any]) -> None:
        if "LockDate" in members and members["LockDate"] <= self._state.now():
            raise AwsError(
                "InvalidRequestException",
                "The vault's lock is in compliance mode and past its date: nothing changes it.",
            )

    # Tags

    def _tagged(self, call: Call) -> dict[str, str]:
        named = call.params["ResourceArn"]
        found = self._state.region(call).tags.get(named)
        if found is None:
            raise not_found(f"The resource {named} does not exist.")
        return found

    def list_tags(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListTags.html"""
        return {"Tags": dict(self._tagged(call))}

    def tag_resource(self, call: Call) -> None:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_TagResource.html"""
        self._tagged(call).update(call.params["Tags"])

    def untag_resource(self, call: Call) -> None:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_UntagResource.html"""
        tags = self._tagged(call)
        for key in call.params["TagKeyList"]:
            tags.pop(key, None)


def _shown(members: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: members[name] for name in names}
