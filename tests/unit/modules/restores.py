"""An environment with a database, as far as a restore sees it: RDS, SSM, the state, one-off tasks."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible.module_utils.lyo_restore.record import Record

from .fakes import OUTPUTS, FakeAws, failure, outputs_answer

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
NAME = "lyo-test"
DATABASE = {
    "identifier": NAME,
    "host": "old",
    "port": 5432,
    "name": "lyo",
    "username": "lyo",
    "secret_arn": "arn:old",
}
OPERATIONS = {
    "execution_role_arn": "arn:ops-exec",
    "task_role_arn": "arn:ops-task",
    "log_group": "/lyo/ops",
    "bucket": "backups",
}
BACKUP = "20261127T010000Z-0123abcd"
# The objects of one verified backup.
LOGICAL = {
    f"logical/{BACKUP}/manifest.json": b"{}",
    f"logical/{BACKUP}/verdict-20261127T020000Z.json": b'{"verdict": "VERIFIED"}',
}
ATTRIBUTES: dict[str, Any] = {
    "identifier": NAME,
    "instance_class": "db.t3.micro",
    "multi_az": True,
    "db_subnet_group_name": NAME,
    "vpc_security_group_ids": ["sg-2", "sg-1"],
    "parameter_group_name": f"{NAME}-postgres18",
    "port": 5432,
    "storage_type": "gp3",
    "deletion_protection": True,
    "ca_cert_identifier": "rds-ca-rsa2048-g1",
    "master_user_secret_kms_key_id": "",
    "backup_retention_period": 7,
    "backup_window": "01:30-02:30",
    "maintenance_window": "tue:03:00-tue:04:00",
    "max_allocated_storage": 100,
    "monitoring_interval": 60,
    "monitoring_role_arn": "arn:monitoring",
    "performance_insights_enabled": True,
    "performance_insights_retention_period": 7,
    "performance_insights_kms_key_id": "",
    "username": "lyo",
    "allocated_storage": 20,
    "engine_version": "18",
    "storage_encrypted": True,
    "tags_all": {"Project": "lyo", "Environment": "test"},
    "skip_final_snapshot": False,
}


def state(**changes: Any) -> bytes:
    """Terraform's state with the database alone."""
    instance = {"index_key": "first", "attributes": {**ATTRIBUTES, **changes}}
    resource = {
        "module": "module.database",
        "mode": "managed",
        "type": "aws_db_instance",
        "name": "this",
        "instances": [instance],
    }
    return json.dumps({"version": 4, "resources": [resource]}).encode()


def instance(identifier: str = NAME, status: str = "available", **tags: str) -> dict[str, Any]:
    """A DBInstance."""
    return {
        "DBInstanceIdentifier": identifier,
        "DBInstanceArn": f"arn:aws:rds:eu-south-1:1:db:{identifier}",
        "DBInstanceStatus": status,
        "DbiResourceId": f"db-{identifier}",
        "MasterUsername": "lyo",
        "Endpoint": {"Address": f"{identifier}.host", "Port": 5432},
        "MasterUserSecret": {"SecretArn": f"arn:secret:{identifier}"},
        "TagList": [
            {"Key": key.replace("_", ":"), "Value": value} for key, value in tags.items()
        ],
    }  # fmt: skip


class Rds(FakeAws):
    """RDS with instances that are available as soon as somebody looks, and what a restore needs else.

    :ivar there: the instances by identifier.
    :ivar database: the parameter that says which one serves.
    :ivar slow: how often somebody has to look more until an instance is available.
    :ivar runs: how many runs there were; each begins a minute after the one before.
    :ivar definitions: the active ones of one-off tasks, by ARN.
    :ivar logs: what each one-off task says, by its command's first word.
    """

    def __init__(self, *instances: Mapping[str, Any], **answers: Any) -> None:
        self.there = {str(one["DBInstanceIdentifier"]): dict(one) for one in instances}
        self.database = Record(NAME).text()
        self.attributes: dict[str, Any] = {}
        self.objects: dict[str, bytes] = {}
        self.backups = [backup(NAME)]
        self.schema = {"revision": "0002", "serves": ["0001", "0002"], "contracted": []}
        self.logs = {
            "migrate": lambda: [f"lyo.schema: {json.dumps(self.schema)}"],
            "lyo_backup": lambda: ['lyo.backup: {"event": "done", "verb": "restore"}'],
            "export": lambda: ['{"name": "tenants", "rows": 3}', '{"rows": 1}'],
        }
        self.codes = {"migrate": 0, "export": 0, "lyo_backup": 0}
        self.runs, self.slow = 0, 0
        self.definitions: dict[str, dict[str, Any]] = {}
        self._tasks: list[tuple[str, str]] = []
        super().__init__(**{**self._answers(), **answers})

    @property
    def record(self) -> Record:
        """What the parameter holds."""
        content = json.loads(self.database)
        return Record(**{**content, "kept": tuple(content["kept"]),
                         "releasing": tuple(content["releasing"])})  # fmt: skip

    def _answers(self) -> dict[str, Any]:
        outputs = {**OUTPUTS, "database": DATABASE, "operations": OPERATIONS}
        return {
            "get_parameters": lambda p: outputs_answer(outputs, self.database)(p),
            "put_parameter": lambda p: self._put(p),
            "get_object": self._get,
            "list_objects_v2": lambda _: {"Contents": [{"Key": key, "Size": 1} for key in LOGICAL]},
            "create_db_instance": self._restore,
            "list_task_definitions": lambda p: {"taskDefinitionArns": self._of(p["familyPrefix"])},
            "put_object": lambda p: self.objects.update({p["Key"]: p["Body"]}),
            "delete_object": {},
            "describe_db_instances": self._describe,
            "describe_db_instance_automated_backups": lambda _: {
                "DBInstanceAutomatedBackups": self.backups
            },
            "restore_db_instance_to_point_in_time": self._restore,
            "restore_db_instance_from_db_snapshot": self._restore,
            "modify_db_instance": self._modify,
            "delete_db_instance": self._delete,
            "add_tags_to_resource": self._tag,
            "describe_task_definition": self._definition,
            "deregister_task_definition": lambda p: self.definitions.pop(p["taskDefinition"]),
            "register_task_definition": self._register,
            "list_tasks": {"taskArns": []},
            "run_task": self._run,
            "describe_tasks": self._described,
            "get_log_events": self._log,
        }  # fmt: skip

    def _get(self, params: Mapping[str, Any]) -> dict[str, Any]:
        body = LOGICAL.get(params["Key"]) or state(**self.attributes)
        return {"Body": io.BytesIO(body)}

    def _put(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self.database = params["Value"]
        return {}

    def _describe(self, params: Mapping[str, Any]) -> Any:
        name = params.get("DBInstanceIdentifier")
        if name is None:
            return {"DBInstances": [dict(one) for one in self.there.values()]}
        if name not in self.there:
            return failure("DBInstanceNotFound")
        found = self.there[name]
        if found["DBInstanceStatus"] in ("creating", "modifying") and self.slow:
            self.slow -= 1
        elif found["DBInstanceStatus"] in ("creating", "modifying"):
            self.there[name] = {**found, "DBInstanceStatus": "available"}
        elif found["DBInstanceStatus"] == "deleting":
            del self.there[name]
        return {"DBInstances": [dict(found)]}

    def _restore(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name = params.get("TargetDBInstanceIdentifier") or params["DBInstanceIdentifier"]
        protected = bool(params.get("DeletionProtection"))
        more = {"TagList": list(params["Tags"]), "DeletionProtection": protected}
        self.there[name] = {**instance(name, "creating"), **more}
        return {"DBInstance": dict(self.there[name])}

    def _modify(self, params: Mapping[str, Any]) -> Any:
        more = {k: v for k, v in params.items() if k not in ("ApplyImmediately",)}
        if "EnablePerformanceInsights" in more:
            more["PerformanceInsightsEnabled"] = more.pop("EnablePerformanceInsights")
        if self.there[params["DBInstanceIdentifier"]]["DBInstanceStatus"] == "creating":
            return failure("InvalidDBInstanceState")
        self.there[params["DBInstanceIdentifier"]] |= more
        return {}

    def _delete(self, params: Mapping[str, Any]) -> Any:
        if self.there[params["DBInstanceIdentifier"]].get("DeletionProtection"):
            return failure("InvalidParameterCombination")
        self.there[params["DBInstanceIdentifier"]]["DBInstanceStatus"] = "deleting"
        return {}

    def _tag(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self.there[params["ResourceName"].rpartition(":")[2]]["TagList"] += params["Tags"]
        return {}

    def _of(self, family: str) -> list[str]:
        return [arn for arn, one in self.definitions.items() if one["family"] == family]

    def _definition(self, params: Mapping[str, Any]) -> Any:
        arns = self._of(params["taskDefinition"])
        if not arns:
            return failure("ClientException")
        return {"taskDefinition": self.definitions[arns[-1]]}

    def _register(self, params: Mapping[str, Any]) -> dict[str, Any]:
        arn = f"arn:aws:ecs:eu-south-1:1:task-definition/{params['family']}:{len(self.calls)}"
        self.definitions[arn] = {**params, "taskDefinitionArn": arn}
        return {"taskDefinition": self.definitions[arn]}

    def _run(self, params: Mapping[str, Any]) -> dict[str, Any]:
        [override] = params["overrides"]["containerOverrides"]
        self._tasks.append((override["name"], override["command"][0]))
        return {"tasks": [{"taskArn": f"arn:task/lyo/{len(self._tasks) - 1}"}]}

    def _described(self, params: Mapping[str, Any]) -> dict[str, Any]:
        arn = params["tasks"][0]
        name, command = self._tasks[int(arn.rpartition("/")[2])]
        container = {"name": name, "exitCode": self.codes[command]}
        return {"tasks": [{"taskArn": arn, "lastStatus": "STOPPED", "containers": [container]}]}

    def _log(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params.get("nextToken"):
            return {"events": [], "nextForwardToken": params["nextToken"]}
        _, command = self._tasks[int(params["logStreamName"].rpartition("/")[2])]
        lines = [{"message": line} for line in self.logs[command]()]
        return {"events": lines, "nextForwardToken": "end"}


def backup(identifier: str, first: int = 120, last: int = 5) -> dict[str, Any]:
    """An automated backup that reaches from ``first`` to ``last`` minutes ago."""
    return {
        "DBInstanceIdentifier": identifier,
        "DbiResourceId": f"db-{identifier}",
        "RestoreWindow": {
            "EarliestTime": NOW - timedelta(minutes=first),
            "LatestTime": NOW - timedelta(minutes=last),
        },
    }


class KilledError(BaseException):
    """The run was killed at a call."""


class Killing(Rds):
    """An environment whose run is killed at its n-th write, before or after it took effect.

    :param at: which write, from 0 on.
    :param after: whether it took effect.
    """

    def __init__(self, *instances: Mapping[str, Any], at: int, after: bool, **answers: Any) -> None:
        super().__init__(*instances, **answers)
        self.at, self.after, self.count, self.killed, self.dead = at, after, 0, "", False

    def call(self, service: str, operation: str, /, **params: Any) -> Any:
        reads = ("describe_", "list_", "get_")
        if operation.startswith(reads):
            return super().call(service, operation, **params)
        if self.dead:
            raise KilledError(operation)  # what is gone tidies nothing up
        mine, self.count = self.count, self.count + 1
        if mine != self.at or self.killed:
            return super().call(service, operation, **params)
        self.killed, self.dead = operation, True
        if self.after:
            super().call(service, operation, **params)
        raise KilledError(operation)
