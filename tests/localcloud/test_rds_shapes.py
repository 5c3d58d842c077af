"""Every answer of our RDS and ElastiCache has the members and types that botocore's model declares.

The serializer leaves out what the model does not know, so the handlers are asked directly here.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from localcloud.api import AwsError, Call
from localcloud.cloud import Cloud
from localcloud.services import elasticache, rds
from localcloud.settings import HIGHEST_NUMBER, Addresses, Settings


def free_number() -> int:
    for number in range(HIGHEST_NUMBER, 0, -1):
        with socket.socket() as probe:
            if probe.connect_ex((Addresses(number).api, 4566)) != 0:
                return number
    raise AssertionError("every local cloud's number is in use")


class Asked:
    """Calls handlers and checks each answer against the model."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def __call__(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        model = get_session().get_service_model(service).operation_model(operation)
        settings = self.cloud.settings
        handler = self.cloud.api.handler(service, operation)
        assert handler is not None, operation
        assert model.input_shape is not None
        assert not ParamValidator().validate(params, model.input_shape).has_errors()
        with self.cloud.lock:
            answer = dict(
                handler(Call(service, operation, settings.account_id, settings.region, params))
                or {}
            )
        if model.output_shape is None:
            assert answer == {}
        else:
            report = ParamValidator().validate(answer, model.output_shape)
            assert not report.has_errors(), f"{operation}: {report.generate_report()}"
        return answer

    def until(self, operation: str, member: str, status: str, wanted: str, **params: Any) -> None:
        service = "rds" if "DB" in operation else "elasticache"
        for _ in range(1200):
            (one,) = self(service, operation, **params)[member]
            if one[status] == wanted:
                return
            time.sleep(0.05)
        raise AssertionError(f"{operation} {params} did not become {wanted}")


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    state: Path = tmp_path_factory.mktemp("direct")
    cloud = Cloud(Settings(free_number(), state, speed=100))
    rds.register(cloud)
    elasticache.register(cloud)
    yield Asked(cloud)
    cloud.stop()


def subnets(ask: Asked) -> list[str]:
    backend = ask.cloud.backend("ec2")
    return [subnet.id for subnet in backend.describe_subnets()[:2]]


def test_rds_answers_as_the_model_says(ask: Asked) -> None:
    name = {"DBInstanceIdentifier": "shaped"}

    def available() -> None:
        ask.until("DescribeDBInstances", "DBInstances", "DBInstanceStatus", "available", **name)

    group = {"DBParameterGroupName": "g"}
    ask(
        "rds",
        "CreateDBParameterGroup",
        **group,
        DBParameterGroupFamily="postgres18",
        Description="d",
    )
    ask("rds", "DescribeDBParameterGroups", **group)
    assert ask("rds", "DescribeDBParameters", **group)["Marker"] == "100"
    ask("rds", "DescribeEngineDefaultParameters", DBParameterGroupFamily="postgres18")
    work_mem = {
        "ParameterName": "work_mem",
        "ParameterValue": "100",
        "ApplyMethod": "immediate",
    }
    ask("rds", "ModifyDBParameterGroup", **group, Parameters=[work_mem])
    subnet_group = {"DBSubnetGroupName": "s"}
    ask(
        "rds",
        "CreateDBSubnetGroup",
        **subnet_group,
        DBSubnetGroupDescription="d",
        SubnetIds=subnets(ask),
    )
    ask("rds", "ModifyDBSubnetGroup", **subnet_group, SubnetIds=subnets(ask))
    ask("rds", "DescribeDBSubnetGroups", **subnet_group)
    ask("rds", "DescribeDBEngineVersions")
    ask("rds", "DescribeOrderableDBInstanceOptions", Engine="postgres")
    ask(
        "rds",
        "CreateDBInstance",
        **name,
        **group,
        **subnet_group,
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="lyo",
        ManageMasterUserPassword=True,
        StorageEncrypted=True,
        MultiAZ=True,
        EnablePerformanceInsights=True,
        EnableCloudwatchLogsExports=["postgresql"],
        MaxAllocatedStorage=100,
        Tags=[{"Key": "k", "Value": "v"}],
    )
    available()
    ask("rds", "ModifyDBInstance", **name, AllocatedStorage=30, MultiAZ=False)
    ask("rds", "RebootDBInstance", **name)
    available()
    ask("rds", "CreateDBSnapshot", **name, DBSnapshotIdentifier="snap")
    available()
    ask("rds", "DescribeDBSnapshots")
    ask("rds", "DescribeDBSnapshotAttributes", DBSnapshotIdentifier="snap")
    ask(
        "rds",
        "CopyDBSnapshot",
        SourceDBSnapshotIdentifier="snap",
        TargetDBSnapshotIdentifier="copy",
    )
    ask.until(
        "DescribeDBSnapshots", "DBSnapshots", "Status", "available", DBSnapshotIdentifier="copy"
    )
    ask("rds", "DescribeDBInstanceAutomatedBackups")
    ask(
        "rds",
        "RestoreDBInstanceFromDBSnapshot",
        DBInstanceIdentifier="from-snapshot",
        DBSnapshotIdentifier="copy",
    )
    ask(
        "rds",
        "RestoreDBInstanceToPointInTime",
        SourceDBInstanceIdentifier="shaped",
        TargetDBInstanceIdentifier="from-time",
        UseLatestRestorableTime=True,
    )
    arn = ask("rds", "DescribeDBInstances", **name)["DBInstances"][0]["DBInstanceArn"]
    ask("rds", "AddTagsToResource", ResourceName=arn, Tags=[{"Key": "a", "Value": "b"}])
    ask("rds", "RemoveTagsFromResource", ResourceName=arn, TagKeys=["k"])
    assert ask("rds", "ListTagsForResource", ResourceName=arn)["TagList"] == [
        {"Key": "a", "Value": "b"}
    ]
    ask("rds", "DescribeEvents")
    ask("rds", "DescribeEventCategories")
    ask("rds", "DescribePendingMaintenanceActions")
    (log,) = ask("rds", "DescribeDBLogFiles", **name)["DescribeDBLogFiles"]
    portion = ask("rds", "DownloadDBLogFilePortion", **name, LogFileName=log["LogFileName"])
    assert "ready to accept connections" in portion["LogFileData"]
    ask("rds", "StopDBInstance", **name)
    ask.until("DescribeDBInstances", "DBInstances", "DBInstanceStatus", "stopped", **name)
    ask("rds", "StartDBInstance", **name)
    available()
    ask("rds", "DeleteDBSnapshot", DBSnapshotIdentifier="copy")
    ask("rds", "DeleteDBInstance", **name, SkipFinalSnapshot=True)


def test_elasticache_answers_as_the_model_says(ask: Asked) -> None:
    name = {"ReplicationGroupId": "shaped"}

    def available() -> None:
        ask.until("DescribeReplicationGroups", "ReplicationGroups", "Status", "available", **name)

    group, subnet_group = {"CacheParameterGroupName": "g"}, {"CacheSubnetGroupName": "s"}
    ask(
        "elasticache",
        "CreateCacheParameterGroup",
        **group,
        CacheParameterGroupFamily="valkey8",
        Description="d",
    )
    ask("elasticache", "DescribeCacheParameterGroups")
    ask("elasticache", "DescribeCacheParameters", **group)
    ask("elasticache", "DescribeEngineDefaultParameters", CacheParameterGroupFamily="valkey8")
    ask(
        "elasticache",
        "CreateCacheSubnetGroup",
        **subnet_group,
        CacheSubnetGroupDescription="d",
        SubnetIds=subnets(ask),
    )
    ask("elasticache", "ModifyCacheSubnetGroup", **subnet_group, SubnetIds=subnets(ask))
    ask("elasticache", "DescribeCacheSubnetGroups")
    ask("elasticache", "DescribeCacheEngineVersions")
    ask(
        "elasticache",
        "CreateReplicationGroup",
        **name,
        **group,
        **subnet_group,
        ReplicationGroupDescription="d",
        Engine="valkey",
        EngineVersion="8.1",
        CacheNodeType="cache.t4g.micro",
        AuthToken="0123456789abcdef",
        SecurityGroupIds=["sg-1"],
    )
    available()
    change = {"ParameterName": "timeout", "ParameterValue": "30"}
    ask("elasticache", "ModifyCacheParameterGroup", **group, ParameterNameValues=[change])
    ask("elasticache", "ResetCacheParameterGroup", **group, ResetAllParameters=True)
    ask("elasticache", "ModifyReplicationGroup", **name, SnapshotRetentionLimit=2)
    ask("elasticache", "DescribeCacheClusters", ShowCacheNodeInfo=True)
    ask("elasticache", "CreateSnapshot", **name, SnapshotName="snap")
    available()
    ask("elasticache", "CopySnapshot", SourceSnapshotName="snap", TargetSnapshotName="copy")
    ask("elasticache", "DescribeSnapshots")
    ask("elasticache", "DeleteSnapshot", SnapshotName="snap")
    ask("elasticache", "RebootCacheCluster", CacheClusterId="shaped-001", CacheNodeIdsToReboot=[])
    available()
    ask("elasticache", "DescribeEvents")
    ask("elasticache", "DeleteReplicationGroup", **name)


def test_every_other_operation_is_refused_or_known_to_be_moto(ask: Asked) -> None:
    for service in ("rds", "elasticache"):
        for operation in get_session().get_service_model(service).operation_names:
            handler = ask.cloud.api.handler(service, operation)
            if handler is None:
                assert "OptionGroup" in operation or "EventSubscription" in operation
            elif handler.__name__ == "refuse":
                with pytest.raises(AwsError) as caught:
                    handler(Call(service, operation, "", "", {}))
                assert caught.value.status == 501
