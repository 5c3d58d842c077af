"""What the local RDS knows: instances, snapshots, groups, retained backups, events.

Every change happens under `Cloud.lock`.
"""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from localcloud.api import AwsError
from localcloud.cloud import Cloud
from localcloud.dataplane.postgres import binaries
from localcloud.dataplane.postgres.backups import Archive, Base
from localcloud.dataplane.postgres.template import ADMIN, Templates
from localcloud.services.rds import engine
from localcloud.services.rds.parameters import Parameter, catalogue, for_server
from localcloud.services.rds.subscriptions import Subscription, deliver
from localcloud.services.secretsmanager import start_schedule
from localcloud.settings import ROOT

if TYPE_CHECKING:
    from localcloud.services.rds.database import Database

_EVENTS_KEPT = 10_000


@dataclass
class ParameterGroup:
    """A DB parameter group; `values` and `methods` hold only what differs from the defaults."""

    name: str
    family: str
    description: str
    tags: list[dict[str, str]] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)


@dataclass
class SubnetGroup:
    """A DB subnet group."""

    name: str
    description: str
    subnet_ids: list[str]
    tags: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Instance:
    """A DB instance.

    members: the part of AWS's DBInstance structure that is stored as it is.
    pending: changes that wait for the next reboot, by member of ModifyDBInstance.
    applied: the parameters the server was last configured with.
    pending_parameters: some of the group's values wait for a reboot.
    """

    members: dict[str, Any]
    group: str
    subnet_group: str | None
    database: Database
    tags: list[dict[str, str]]
    secret_arn: str | None = None
    secret_key: str | None = None
    pending: dict[str, Any] = field(default_factory=dict)
    applied: dict[str, str] = field(default_factory=dict)
    pending_parameters: bool = False

    @property
    def name(self) -> str:
        """DBInstanceIdentifier."""
        return str(self.members["DBInstanceIdentifier"])

    @property
    def status(self) -> str:
        """DBInstanceStatus."""
        return str(self.members["DBInstanceStatus"])


@dataclass
class Snapshot:
    """A DB snapshot: AWS's structure, and the data once there is any."""

    members: dict[str, Any]
    tags: list[dict[str, str]]
    base: Base | None = None
    shared_with: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """DBSnapshotIdentifier."""
        return str(self.members["DBSnapshotIdentifier"])


@dataclass
class RetainedBackup:
    """Automated backups that outlived their instance (DeleteAutomatedBackups=false)."""

    members: dict[str, Any]
    archive: Archive
    tags: list[dict[str, str]]


class State:
    """Everything of one local cloud's RDS."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.folder = cloud.settings.state_dir / "rds"
        # moto's control plane begins empty, so what an earlier cloud left belongs to nobody.
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.templates = Templates(ROOT / ".cache")
        self.admin_password = secrets.token_urlsafe(24)
        self.password_file = self.folder / "rdsadmin.pgpass"
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(f"*:*:*:{ADMIN}:{self.admin_password}\n")
        self.instances: dict[str, Instance] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.retained: dict[str, RetainedBackup] = {}
        self.parameter_groups: dict[str, ParameterGroup] = {}
        self.subnet_groups: dict[str, SubnetGroup] = {}
        self.events: list[dict[str, Any]] = []
        self.subscriptions: dict[str, Subscription] = {}
        self._numbers: dict[str, int] = {}
        name = engine.default_group()
        self.parameter_groups[name] = ParameterGroup(
            name, engine.family(), f"Default parameter group for {engine.family()}"
        )

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """Every parameter by name."""
        return catalogue(self.templates.get().settings)

    @cached_property
    def libraries(self) -> frozenset[str]:
        """Libraries that PostgreSQL can load."""
        folder = binaries.folder().parent / "lib"
        return frozenset(
            path.stem for path in folder.glob("*.*") if path.suffix in (".so", ".dylib")
        )

    def arn(self, kind: str, name: str) -> str:
        """ARN of a resource; kind is `db`, `snapshot`, `pg`, `subgrp`, `es` or `auto-backup`."""
        settings = self.cloud.settings
        return f"arn:aws:rds:{settings.region}:{settings.account_id}:{kind}:{name}"

    def instance(self, name: str) -> Instance:
        """The instance of that identifier or ARN. Raises DBInstanceNotFound."""
        found = self.instances.get(name.lower().rsplit(":", 1)[-1])
        if found is None:
            raise AwsError("DBInstanceNotFound", f"DBInstance {name} not found.", 404)
        return found

    def snapshot(self, name: str) -> Snapshot:
        """The snapshot of that identifier or ARN. Raises DBSnapshotNotFound."""
        found = self.snapshots.get(name.lower().split(":snapshot:")[-1])
        if found is None:
            raise AwsError("DBSnapshotNotFound", f"DBSnapshot {name} not found.", 404)
        return found

    def parameter_group(self, name: str) -> ParameterGroup:
        """The group of that name. Raises DBParameterGroupNotFound."""
        found = self.parameter_groups.get(name.lower())
        if found is None:
            raise AwsError("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}", 404)
        return found

    def address(self, name: str) -> str:
        """Address of the instance of that name; the same whenever the name is used again."""
        if name not in self._numbers:
            used = set(self._numbers.values())
            free = [number for number in range(1, 255) if number not in used]
            if not free:
                gone = [other for other in self._numbers if other not in self.instances]
                if not gone:
                    raise AwsError("InstanceQuotaExceeded", "254 DB instances exist already.")
                free = [self._numbers.pop(gone[0])]
            self._numbers[name] = free[0]
        return self.cloud.addresses.rds(self._numbers[name])

    def server_parameters(self, instance: Instance) -> dict[str, str]:
        """What the instance's group asks of the server, formulas evaluated."""
        group = self.parameter_group(instance.group)
        memory = engine.memory_of(instance.members["DBInstanceClass"])
        return for_server(self.parameters, group.values, memory)

    def event(self, kind: str, name: str, message: str, *categories: str) -> None:
        """Record and publish an event; kind is `db-instance`, `db-snapshot` or `db-parameter-group`."""
        arns = {"db-instance": "db", "db-snapshot": "snapshot", "db-parameter-group": "pg"}
        with self.cloud.lock:
            event = {
                "SourceIdentifier": name,
                "SourceType": kind,
                "Message": message,
                "EventCategories": list(categories),
                "Date": self.cloud.clock.now(),
                "SourceArn": self.arn(arns[kind], name),
            }
            self.events.append(event)
            del self.events[:-_EVENTS_KEPT]
            deliver(self, event)

    def secret_of(self, instance: Instance, password: str) -> None:
        """Put the master user's password into its secret, which is made when there is none.

        https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
        """
        backend = self.cloud.backend("secretsmanager")
        value = json.dumps({"username": instance.members["MasterUsername"], "password": password})
        if instance.secret_arn is None:
            secret = backend.create_managed_secret(
                service_name="rds",
                secret_id=f"rds!db-{secrets.token_hex(16)}",
                secret_string=value,
                description=(
                    "The secret associated with the primary RDS DB instance: "
                    + self.arn("db", instance.name)
                ),
                kms_key_id=instance.secret_key,
                tags=[
                    {"Key": "aws:rds:primaryDBInstanceArn", "Value": self.arn("db", instance.name)}
                ],
            )
            start_schedule(secret)
            instance.secret_arn = secret.arn
        else:
            backend.put_secret_value(
                secret_id=instance.secret_arn,
                secret_string=value,
                secret_binary=None,
                client_request_token=None,
                version_stages=["AWSCURRENT"],
            )

    def forget_secret(self, instance: Instance) -> None:
        """Delete the managed secret with its instance."""
        if instance.secret_arn is not None:
            self.cloud.backend("secretsmanager").delete_secret(
                instance.secret_arn,
                recovery_window_in_days=None,
                force_delete_without_recovery=True,
            )
            instance.secret_arn = None

    def key_arn(self, key: str | None, alias: str) -> str:
        """ARN of a KMS key given by id, alias or ARN; None means AWS's own of that alias."""
        try:
            return str(self.cloud.backend("kms").describe_key(key or alias).arn)
        except Exception as error:
            raise AwsError(
                "KMSKeyNotAccessibleFault",
                f"The specified KMS key [{key}] does not exist, is not enabled or you do not have "
                "permissions to access it.",
            ) from error
