"""What AWS Backup says where no job has ever run: lists that are empty, and the settings.

Starting a job has no method here, so it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.api import Call
from localcloud.services.backup.state import State, invalid, not_found, page

# https://docs.aws.amazon.com/aws-backup/latest/devguide/API_GetSupportedResourceTypes.html
# ElastiCache is none of them: its replication groups have snapshots of their own.
_TYPES = (
    "Aurora",
    "CloudFormation",
    "DocumentDB",
    "DynamoDB",
    "EBS",
    "EC2",
    "EFS",
    "FSx",
    "Neptune",
    "RDS",
    "Redshift",
    "S3",
    "SAP HANA on Amazon EC2",
    "Storage Gateway",
    "Timestream",
    "VirtualMachine",
)


class NothingRunApi:
    """Jobs, recovery points and protected resources, of which there are none; region settings."""

    def __init__(self, state: State) -> None:
        self._state = state

    def list_recovery_points_by_backup_vault(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListRecoveryPointsByBackupVault.html"""
        self._state.vault(call)
        return page(call, "RecoveryPoints", [])

    def list_recovery_points_by_resource(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListRecoveryPointsByResource.html"""
        return page(call, "RecoveryPoints", [])

    def describe_recovery_point(self, call: Call) -> None:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DescribeRecoveryPoint.html"""
        self._state.vault(call)
        raise not_found(f"Recovery point {call.params['RecoveryPointArn']} does not exist.")

    def list_protected_resources(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListProtectedResources.html"""
        return page(call, "Results", [])

    def list_backup_jobs(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListBackupJobs.html"""
        return page(call, "BackupJobs", [])

    def list_copy_jobs(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListCopyJobs.html"""
        return page(call, "CopyJobs", [])

    def list_restore_jobs(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListRestoreJobs.html"""
        return page(call, "RestoreJobs", [])

    def get_supported_resource_types(self, call: Call) -> Mapping[str, Any]:  # noqa: ARG002
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_GetSupportedResourceTypes.html"""
        return {"ResourceTypes": list(_TYPES)}

    def describe_region_settings(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DescribeRegionSettings.html"""
        chosen = self._state.region(call).opted_in
        return {
            "ResourceTypeOptInPreference": {kind: chosen.get(kind, True) for kind in _TYPES},
            "ResourceTypeManagementPreference": {"DynamoDB": True, "EFS": True},
        }

    def update_region_settings(self, call: Call) -> None:
        """https://docs.aws.amazon.com/aws-backup/latest/devguide/API_UpdateRegionSettings.html"""
        wanted = call.params.get("ResourceTypeOptInPreference") or {}
        unknown = sorted(set(wanted) - set(_TYPES))
        if unknown:
            raise invalid(f"Not resource types of AWS Backup: {', '.join(unknown)}.")
        self._state.region(call).opted_in.update(wanted)
