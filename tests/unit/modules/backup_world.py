"""An AWS that backup.yml can be run against in no time: it keeps state, and its time is a clock's.

Tasks of the ops program do what the program does to the buckets, after the time that each takes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from .fakes import OUTPUTS, READS, Clock, FakeAws, failure, outputs_answer

BEGIN = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
SNAPSHOT_SECONDS, INSTANCE_SECONDS, DELETING_SECONDS = 40, 90, 30
TASK_SECONDS = {"dump": 60, "copy": 20, "verify": 50, "smoke": 5, "restore": 600}
OPERATIONS = {
    "execution_role_arn": "arn:ops-exec",
    "task_role_arn": "arn:ops-task",
    "log_group": "/lyo/ops",
    "bucket": "main",
    "copy_bucket": "copy",
    "copy_region": "eu-west-1",
    "kms_key_arn": None,
    "lock_days": 1,
}
DATABASE = {
    "identifier": "lyo",
    "host": "db.internal",
    "port": 5432,
    "name": "booking",
    "username": "lyo",
    "secret_arn": "arn:secret",
}
INSTANCE = {
    "DBInstanceIdentifier": "lyo",
    "DBInstanceStatus": "available",
    "DBInstanceClass": "db.t3.micro",
    "Engine": "postgres",
    "EngineVersion": "18.6",
    "MasterUsername": "lyo",
    "AllocatedStorage": 20,
    "StorageType": "gp3",
    "StorageEncrypted": True,
    "DBSubnetGroup": {"DBSubnetGroupName": "lyo"},
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-db"}],
    "DBParameterGroups": [{"DBParameterGroupName": "lyo-postgres18"}],
    "Endpoint": {"Address": "db.internal", "Port": 5432},
    "MultiAZ": True,
    "BackupRetentionPeriod": 14,
    "TagList": [],
}


class KilledError(BaseException):
    """The process is gone; nothing catches it."""


class World:
    """Everything that there is.

    :ivar ends: how tasks end, by verb: an exit code; 0 by default.
    :ivar seconds: how long tasks take, by verb.
    :ivar cut_off: verbs whose next task dies when its manifest is there, before everything is locked.
    :ivar refuse: failures by operation.
    :ivar kill: number of the write, and whether after it, at which the run dies; None for never.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.ends: dict[str, int] = {}
        self.seconds = dict(TASK_SECONDS)
        self.cut_off: set[str] = set()
        self.refuse: dict[str, Exception] = {}
        self.kill: tuple[int, bool] | None = None
        self.dead = False
        self.writes = 0
        self.objects: dict[str, dict[str, bytes]] = {"main": {}, "copy": {}}
        self.uploads: dict[str, dict[str, str]] = {"main": {}, "copy": {}}
        self.snapshots: dict[str, dict[str, Any]] = {}
        self.cache: dict[str, dict[str, Any]] = {}
        self.instances: dict[str, dict[str, Any]] = {"lyo": {**INSTANCE, "made": -1e9}}
        self.definitions: dict[str, dict[str, Any]] = {}
        self.tasks: dict[str, dict[str, Any]] = {}
        self.metrics: list[dict[str, Any]] = []
        self.register(
            {
                "family": "lyo",
                "containerDefinitions": [
                    {"name": "app", "image": "app@sha256:1", "dockerLabels": {"lyo.release": "v1"}}
                ],
            }
        )
        self.register(
            {
                "family": "lyo-ops",
                "containerDefinitions": [{"name": "ops", "image": "ops@sha256:1"}],
            }
        )

    # Time

    def now(self) -> datetime:
        """The clock's time."""
        return BEGIN + timedelta(seconds=self.clock.now)

    def aws(self) -> FakeAws:
        """A connection; what it writes counts for the world."""
        world = self
        table = {
            name.removeprefix("op_"): getattr(self, name)
            for name in dir(self)
            if name.startswith("op_")
        }

        class Connection(FakeAws):
            region = "eu-south-1"

            def call(self, service: str, operation: str, /, **params: Any) -> Any:
                return world.called(
                    lambda: super(Connection, self).call(service, operation, **params), operation
                )

        return Connection(**table)

    def called(self, call: Callable[[], Any], operation: str) -> Any:
        """Let a call through, unless it is refused or the process dies of it."""
        self.settle()
        if self.dead:
            raise KilledError  # what would clean up afterwards is dead as well
        if operation in self.refuse:
            raise self.refuse[operation]
        if operation.startswith(READS):
            return call()
        self.writes += 1
        number, after = self.kill or (0, False)
        self.dead = number == self.writes
        if self.dead and not after:
            raise KilledError
        answer = call()
        if self.dead:
            raise KilledError
        return answer

    def revive(self) -> None:
        """Let the next run live."""
        self.kill, self.dead = None, False

    def settle(self) -> None:
        """Let everything happen that is due."""
        for task in self.tasks.values():
            if task["lastStatus"] == "RUNNING" and self.clock.now >= task["until"]:
                self._end(task)
        for name, entry in list(self.instances.items()):
            if entry["DBInstanceStatus"] == "creating" and self.clock.now >= entry["made"]:
                entry["DBInstanceStatus"] = "available"
                entry["Endpoint"] = {"Address": f"{name}.internal", "Port": 5432}
            if entry["DBInstanceStatus"] == "deleting" and self.clock.now >= entry["gone"]:
                del self.instances[name]
        for table, member in ((self.snapshots, "Status"), (self.cache, "SnapshotStatus")):
            for entry in table.values():
                if entry[member] == "creating" and self.clock.now >= entry["until"]:
                    entry[member] = "available"

    # Tasks of the program

    def _begin(self, verb: str, backup: str) -> None:
        if verb == "dump" and backup not in self.logical():
            self.objects["main"][f"logical/{backup}/began.json"] = b"{}"
            self.objects["main"][f"logical/{backup}/parts/0001-pre"] = b"x" * 10
            self.uploads["main"][f"logical/{backup}/parts/0002-data"] = "u1"

    def _end(self, task: dict[str, Any]) -> None:
        verb, backup = task["verb"], task["backup"]
        code = self.ends.get(verb, 0)
        if verb == "dump" and backup in self.logical():
            self.objects["main"].pop(f"logical/{backup}/began.json", None)
        elif verb == "dump" and f"logical/{backup}/parts/0002-data" not in self.uploads["main"]:
            code = 1  # somebody has aborted its upload
        task |= {
            "lastStatus": "STOPPED",
            "containers": [{**task["containers"][0], "exitCode": code}],
        }
        main = self.objects["main"]
        if verb == "dump" and code == 0:
            self.uploads["main"].pop(f"logical/{backup}/parts/0002-data", None)
            main.pop(f"logical/{backup}/began.json", None)
            main[f"logical/{backup}/parts/0002-data"] = b"x" * 90
            main[f"logical/{backup}/manifest.json"] = json.dumps({"id": backup}).encode()
        if verb == "copy" and code == 0:
            copied = {k: v for k, v in main.items() if f"/{backup}/" in k}
            self.objects["copy"].pop(f"logical/{backup}/began.json", None)
            self.objects["copy"] |= {k: v for k, v in copied.items() if "began" not in k}
        if verb == "verify" and code in (0, 3):
            said = {"verdict": "VERIFIED" if code == 0 else "DAMAGED", "reasons": ["a bit"] * code}
            main[f"logical/{backup}/verdict-{self.clock.now:09.0f}.json"] = json.dumps(
                said
            ).encode()
        if verb in self.cut_off:
            self.cut_off.remove(verb)
            bucket = self.objects["main" if verb == "dump" else "copy"]
            bucket[f"logical/{backup}/began.json"], code = b"{}", 137
            task["containers"][0]["exitCode"] = code
        event = (
            {"event": "done"} if code == 0 else {"event": "failed", "reasons": [f"{verb} broke"]}
        )
        task["log"] = ["backup: something for people", "lyo.backup: " + json.dumps(event)]

    # ECS, logs

    def register(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Register a definition."""
        number = 1 + sum(d["family"] == params["family"] for d in self.definitions.values())
        arn = f"arn:aws:ecs:eu-south-1:1:task-definition/{params['family']}:{number}"
        self.definitions[arn] = {**params, "taskDefinitionArn": arn, "status": "ACTIVE"}
        return self.definitions[arn]

    def active(self, family: str) -> list[str]:
        """ARNs of a family's active definitions."""
        return [
            a
            for a, d in self.definitions.items()
            if d["family"] == family and d["status"] == "ACTIVE"
        ]

    def op_register_task_definition(self, params: dict[str, Any]) -> Any:
        return {"taskDefinition": self.register(params)}

    def op_describe_task_definition(self, params: dict[str, Any]) -> Any:
        wanted = params["taskDefinition"]
        arns = [wanted] if wanted in self.definitions else self.active(wanted)
        return (
            {"taskDefinition": self.definitions[arns[-1]]} if arns else failure("ClientException")
        )

    def op_deregister_task_definition(self, params: dict[str, Any]) -> Any:
        self.definitions[params["taskDefinition"]]["status"] = "INACTIVE"
        return {}

    def op_list_task_definitions(self, params: dict[str, Any]) -> Any:
        return {"taskDefinitionArns": self.active(params["familyPrefix"])}

    def op_run_task(self, params: dict[str, Any]) -> Any:
        arn = f"arn:task/lyo/{len(self.tasks):032d}"
        command = params["overrides"]["containerOverrides"][0]["command"]
        verb, backup = (command[1], command[3]) if len(command) > 3 else (command[0], "")
        self.tasks[arn] = {
            "taskArn": arn,
            "taskDefinitionArn": params["taskDefinition"],
            "startedBy": params["startedBy"],
            "overrides": params["overrides"],
            "lastStatus": "RUNNING",
            "containers": [{"name": params["overrides"]["containerOverrides"][0]["name"]}],
            "verb": verb,
            "backup": backup,
            "until": self.clock.now + self.seconds[verb],
            "log": [],
        }
        self._begin(verb, backup)
        return {"tasks": [self.tasks[arn]]}

    def op_list_tasks(self, params: dict[str, Any]) -> Any:
        found = [
            arn
            for arn, task in self.tasks.items()
            if task["lastStatus"] == params["desiredStatus"]
            and params.get("startedBy") in (None, task["startedBy"])
            and params.get("family")
            in (None, self.definitions[task["taskDefinitionArn"]]["family"])
        ]
        return {"taskArns": found}

    def op_describe_tasks(self, params: dict[str, Any]) -> Any:
        return {"tasks": [self.tasks[arn] for arn in params["tasks"]]}

    def op_get_log_events(self, params: dict[str, Any]) -> Any:
        arn = next(a for a in self.tasks if a.endswith(params["logStreamName"].rpartition("/")[2]))
        log, begin = self.tasks[arn]["log"], int(params.get("nextToken", 0))
        return {"events": [{"message": m} for m in log[begin:]], "nextForwardToken": str(len(log))}

    def op_describe_services(self, _: dict[str, Any]) -> Any:
        return {"services": [{"status": "ACTIVE", "taskDefinition": self.active("lyo")[-1]}]}

    # RDS

    def op_describe_db_instances(self, params: dict[str, Any]) -> Any:
        name = params.get("DBInstanceIdentifier")
        if name and name not in self.instances:
            return failure("DBInstanceNotFound", status=404)
        return {"DBInstances": [self.instances[name]] if name else list(self.instances.values())}

    def op_create_db_instance(self, params: dict[str, Any]) -> Any:
        name = params["DBInstanceIdentifier"]
        entry = {
            **params,
            "DBInstanceStatus": "creating",
            "TagList": params["Tags"],
            "MasterUserSecret": {"SecretArn": f"arn:secret:{name}"},
            "made": self.clock.now + INSTANCE_SECONDS,
        }
        self.instances[name] = entry
        return {"DBInstance": entry}

    def op_delete_db_instance(self, params: dict[str, Any]) -> Any:
        entry = self.instances.get(params["DBInstanceIdentifier"])
        if entry is None:
            return failure("DBInstanceNotFound", status=404)
        entry |= {"DBInstanceStatus": "deleting", "gone": self.clock.now + DELETING_SECONDS}
        return {"DBInstance": entry}

    def op_describe_db_snapshots(self, params: dict[str, Any]) -> Any:
        name = params.get("DBSnapshotIdentifier")
        if name and name not in self.snapshots:
            return failure("DBSnapshotNotFound", status=404)
        return {"DBSnapshots": [self.snapshots[name]] if name else list(self.snapshots.values())}

    def op_create_db_snapshot(self, params: dict[str, Any]) -> Any:
        entry = {
            **params,
            "Status": "creating",
            "SnapshotCreateTime": self.now(),
            "AllocatedStorage": 20,
            "TagList": params["Tags"],
            "until": self.clock.now + SNAPSHOT_SECONDS,
        }
        self.snapshots[params["DBSnapshotIdentifier"]] = entry
        return {"DBSnapshot": entry}

    def op_delete_db_snapshot(self, params: dict[str, Any]) -> Any:
        del self.snapshots[params["DBSnapshotIdentifier"]]
        return {}

    # ElastiCache

    def op_describe_replication_groups(self, _: dict[str, Any]) -> Any:
        return {"ReplicationGroups": [{"MemberClusters": ["lyo-001"]}]}

    def op_describe_snapshots(self, params: dict[str, Any]) -> Any:
        name = params.get("SnapshotName")
        if name and name not in self.cache:
            return failure("SnapshotNotFoundFault", status=404)
        return {"Snapshots": [self.cache[name]] if name else list(self.cache.values())}

    def op_create_snapshot(self, params: dict[str, Any]) -> Any:
        entry = {
            "SnapshotName": params["SnapshotName"],
            "ReplicationGroupId": "lyo",
            "SnapshotStatus": "creating",
            "NodeSnapshots": [{"CacheSize": "5 MB", "SnapshotCreateTime": self.now()}],
            "until": self.clock.now + SNAPSHOT_SECONDS,
        }
        self.cache[params["SnapshotName"]] = entry
        return {"Snapshot": entry}

    def op_delete_snapshot(self, params: dict[str, Any]) -> Any:
        del self.cache[params["SnapshotName"]]
        return {}

    # S3, SSM, CloudWatch

    def op_list_objects_v2(self, params: dict[str, Any]) -> Any:
        found = self.objects[params["Bucket"]]
        return {"Contents": [{"Key": k, "Size": len(v)} for k, v in sorted(found.items())]}

    def op_list_multipart_uploads(self, params: dict[str, Any]) -> Any:
        found = self.uploads[params["Bucket"]]
        return {"Uploads": [{"Key": k, "UploadId": u} for k, u in found.items()]}

    def op_abort_multipart_upload(self, params: dict[str, Any]) -> Any:
        del self.uploads[params["Bucket"]][params["Key"]]
        return {}

    def op_get_object(self, params: dict[str, Any]) -> Any:
        return {"Body": io.BytesIO(self.objects[params["Bucket"]][params["Key"]])}

    def op_delete_objects(self, params: dict[str, Any]) -> Any:
        for entry in params["Delete"]["Objects"]:
            self.objects[params["Bucket"]].pop(entry["Key"], None)
        return {}

    def op_get_parameters(self, params: dict[str, Any]) -> Any:
        outputs = {**OUTPUTS, "database": DATABASE, "operations": OPERATIONS}
        return outputs_answer(outputs)(params)

    def op_put_metric_data(self, params: dict[str, Any]) -> Any:
        self.metrics.append(params)
        return {}

    # For the tests

    def logical(self, bucket: str = "main") -> list[str]:
        """IDs of the complete logical backups of a bucket, oldest first."""
        return sorted(k.split("/")[1] for k in self.objects[bucket] if k.endswith("manifest.json"))

    def verdict(self, backup: str) -> str:
        """What the newest verdict of a backup says, empty without one."""
        keys = sorted(k for k in self.objects["main"] if k.startswith(f"logical/{backup}/verdict-"))
        return str(json.loads(self.objects["main"][keys[-1]])["verdict"]) if keys else ""

    def values(self) -> dict[str, float]:
        """The metrics that were sent last, as ``logical Verified``."""
        return {
            f"{entry['Dimensions'][1]['Value']} {entry['MetricName']}": entry["Value"]
            for entry in self.metrics[-1]["MetricData"]
        }
