"""The scratch instance: an empty database for one verification, made for it and deleted after it.

https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import lyo_rds
from ..lyo_aws import Aws, AwsFailure
from ..lyo_release.patience import patiently
from .program import Target
from .snapshots import FIRST_PAUSE_SECONDS, POLL_SECONDS, tag_list

TAG = "lyo:scratch"
# States from which no instance becomes available by itself.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html
_DEAD = frozenset(
    {
        "failed",
        "deleting",
        "incompatible-create",
        "incompatible-network",
        "incompatible-option-group",
        "incompatible-parameters",
        "incompatible-restore",
        "inaccessible-encryption-credentials",
        "stopped",
    }
)


@dataclass(frozen=True)
class Scratch:
    """A scratch instance that is there.

    :ivar backup: ID that it was made for.
    """

    name: str
    backup: str
    status: str


def new_name(environment: str, backup: str) -> str:
    """Return a new name: a second one for the same backup has another.

    :param environment: what the environment's names begin with.
    """
    return f"{environment}-scratch-{backup.rpartition('-')[2]}-{secrets.token_hex(2)}"


def of_instances(instances: list[Mapping[str, Any]], environment: str) -> list[Scratch]:
    """Return the scratch instances of an environment: by name and by tag, so never another."""
    pattern = re.compile(re.escape(environment) + r"-scratch-[0-9a-f]{8}-[0-9a-f]{4}")
    found = []
    for entry in instances:
        tags = {str(tag["Key"]): str(tag.get("Value", "")) for tag in entry.get("TagList") or ()}
        name = str(entry["DBInstanceIdentifier"])
        if pattern.fullmatch(name) and TAG in tags:
            found.append(Scratch(name, tags[TAG], str(entry.get("DBInstanceStatus", ""))))
    return found


def request(
    source: Mapping[str, Any],
    name: str,
    database: str,
    tags: Mapping[str, str],
    instance_class: str = "",
) -> dict[str, Any]:
    """Return the CreateDBInstance request of a scratch instance: like the source, but alone and not kept.

    :param source: DescribeDBInstances' description of the instance that was backed up.
    :param database: name of its database, which a restored instance does not always say.
    :param instance_class: by default the source's.
    """
    groups = [str(group["DBParameterGroupName"]) for group in source.get("DBParameterGroups") or ()]
    wanted: dict[str, Any] = {
        "DBInstanceIdentifier": name,
        "DBInstanceClass": instance_class or source["DBInstanceClass"],
        "Engine": source["Engine"],
        "EngineVersion": source["EngineVersion"],
        "DBName": database,
        "MasterUsername": source["MasterUsername"],
        # RDS makes the password, and deletes it with the instance.
        "ManageMasterUserPassword": True,
        "MasterUserSecretKmsKeyId": (source.get("MasterUserSecret") or {}).get("KmsKeyId"),
        "Port": (source.get("Endpoint") or {}).get("Port"),
        "AllocatedStorage": source["AllocatedStorage"],
        "StorageType": source.get("StorageType"),
        "StorageEncrypted": bool(source.get("StorageEncrypted")),
        "KmsKeyId": source.get("KmsKeyId"),
        "DBSubnetGroupName": (source.get("DBSubnetGroup") or {}).get("DBSubnetGroupName"),
        "VpcSecurityGroupIds": [
            str(group["VpcSecurityGroupId"]) for group in source.get("VpcSecurityGroups") or ()
        ],
        "DBParameterGroupName": groups[0] if groups else None,
        "CACertificateIdentifier": source.get("CACertificateIdentifier"),
        "BackupRetentionPeriod": 0,
        "MultiAZ": False,
        "PubliclyAccessible": False,
        "AutoMinorVersionUpgrade": False,
        "DeletionProtection": False,
        "CopyTagsToSnapshot": False,
        "Tags": tag_list(tags),
    }
    return {key: value for key, value in wanted.items() if value not in (None, "", [])}


def target_of(instance: Mapping[str, Any]) -> Target:
    """Return how the program reaches an instance.

    :raises AwsFailure: ``NoEndpoint``, RDS does not say.
    """
    endpoint = instance.get("Endpoint") or {}
    secret = (instance.get("MasterUserSecret") or {}).get("SecretArn")
    if not endpoint.get("Address") or not secret:
        raise AwsFailure(
            "NoEndpoint",
            f"{instance['DBInstanceIdentifier']} has no endpoint, or RDS does not manage its password",
        )
    return Target(
        str(endpoint["Address"]), int(endpoint["Port"]), str(instance["DBName"]), str(secret)
    )


class Instances:
    """DB instances, as far as backups make and delete them.

    :param tell: is told what is waited for.
    """

    def __init__(
        self,
        aws: Aws,
        tell: Callable[[str, int | None], None],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._aws, self._tell = aws, tell
        self._sleep, self._clock = sleep, clock

    def listed(self) -> list[Mapping[str, Any]]:
        """Return every instance of account and region."""
        return list(self._aws.all("rds", "describe_db_instances", "DBInstances"))

    def find(self, name: str) -> dict[str, Any] | None:
        """Return the instance of that name, None without one."""
        return lyo_rds.find(self._aws, name)

    def create(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for an instance; after a lost answer it is found."""
        name = str(wanted["DBInstanceIdentifier"])

        def made() -> dict[str, Any] | None:
            found = self.find(name)
            return {"DBInstance": found} if found else None

        answer = self._aws.create("rds", "create_db_instance", made, **wanted)
        instance: dict[str, Any] = answer["DBInstance"]
        return instance

    def wait(self, name: str, seconds: float) -> dict[str, Any]:
        """Return the instance once it can be used.

        :raises AwsFailure: it never will be (``InstanceFailed``), or takes longer (``StillCreating``).
        """
        begun = self._clock()
        pause = FIRST_PAUSE_SECONDS
        while True:
            left = seconds - (self._clock() - begun)
            instance = patiently(
                lambda: self.find(name),
                lambda text: self._tell(text, None),
                self._sleep,
                self._clock,
                max(0.0, left),
            )
            status = str((instance or {}).get("DBInstanceStatus", "gone"))
            if instance is None or status in _DEAD:
                raise AwsFailure("InstanceFailed", f"the instance {name} is {status}")
            if status == "available":
                return instance
            if left <= 0:
                raise AwsFailure(
                    "StillCreating", f"the instance {name} is still {status} after {seconds:.0f} s"
                )
            self._tell(f"{name}: {status} for {self._clock() - begun:.0f} s", None)
            self._sleep(pause)
            pause = min(POLL_SECONDS, pause * 2)

    def delete(self, name: str) -> None:
        """Delete an instance with everything of it; one that is gone or going is no failure."""
        lyo_rds.delete(self._aws, name, SkipFinalSnapshot=True, DeleteAutomatedBackups=True)
