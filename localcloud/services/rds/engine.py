"""Engine versions and instance classes that the local RDS offers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from localcloud.api import Call
from localcloud.dataplane.postgres import binaries
from localcloud.services.rds.common import invalid_value, page, refused

_CLASS = re.compile(r"db\.(?P<family>[a-z][a-z0-9-]*)\.(?P<size>[0-9]*x?large|medium|small|micro)")
_OFFERED_CLASSES = (
    *(f"db.t3.{size}" for size in ("micro", "small", "medium", "large", "xlarge", "2xlarge")),
    *(f"db.t4g.{size}" for size in ("micro", "small", "medium", "large", "xlarge", "2xlarge")),
    *(f"db.m6g.{size}" for size in ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge")),
    *(f"db.m7g.{size}" for size in ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge")),
    *(f"db.r6g.{size}" for size in ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge")),
    *(f"db.r7g.{size}" for size in ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge")),
)
STORAGE_TYPES = ("gp3", "gp2", "io1", "io2")


def major() -> str:
    """Major version of the PostgreSQL that runs."""
    return binaries.version().split(".")[0]


def family() -> str:
    """The parameter group family."""
    return f"postgres{major()}"


def default_group() -> str:
    """Name of the default parameter group."""
    return f"default.{family()}"


def resolve_version(engine: str, version: str | None) -> str:
    """The version that an instance gets; only what really runs is offered."""
    if engine != "postgres":
        raise refused(f"the engine {engine}, only postgres")
    if version in (None, "", major(), binaries.version()):
        return binaries.version()
    raise refused(
        f"postgres {version}: it runs {binaries.version()}. Ask for EngineVersion {major()}"
    )


def memory_of(instance_class: str) -> int:
    """Bytes of memory of an instance class; raises AwsError for what is none."""
    found = _CLASS.fullmatch(instance_class)
    if found is None:
        raise invalid_value(f"Invalid DB Instance class: {instance_class}")
    size = found["size"]
    small = {"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16}
    gibibytes = small[size] if size in small else 16 * int(size.removesuffix("xlarge"))
    if found["family"].startswith(("r", "x")):
        gibibytes *= 2
    return int(gibibytes * 2**30)


class EngineApi:
    """DescribeDBEngineVersions and DescribeOrderableDBInstanceOptions."""

    def __init__(self, region: str) -> None:
        self._region = region

    def describe_db_engine_versions(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBEngineVersions.html"""
        version, wanted = binaries.version(), call.params
        fits = (
            wanted.get("Engine") in (None, "postgres")
            and wanted.get("EngineVersion") in (None, version, major())
            and wanted.get("DBParameterGroupFamily") in (None, family())
        )
        for entry in wanted.get("Filters") or []:
            values = {"engine": "postgres", "engine-version": version, "status": "available"}
            values["parameter-group-family"] = family()
            fits = fits and values.get(entry["Name"], "") in entry["Values"]
        offered = {
            "Engine": "postgres",
            "MajorEngineVersion": major(),
            "EngineVersion": version,
            "DBParameterGroupFamily": family(),
            "DBEngineDescription": "PostgreSQL",
            "DBEngineVersionDescription": f"PostgreSQL {version}",
            "ValidUpgradeTarget": [],
            "ExportableLogTypes": ["postgresql", "upgrade"],
            "SupportsLogExportsToCloudwatchLogs": True,
            "SupportsReadReplica": False,
            "SupportedEngineModes": ["provisioned"],
            "SupportedFeatureNames": [],
            "Status": "available",
            "SupportsParallelQuery": False,
            "SupportsGlobalDatabases": False,
            "TagList": [],
            "SupportsBabelfish": False,
            "SupportsCertificateRotationWithoutRestart": True,
            "SupportedCACertificateIdentifiers": ["rds-ca-rsa2048-g1"],
        }
        return page(call, "DBEngineVersions", [offered] if fits else [])

    def describe_orderable_db_instance_options(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeOrderableDBInstanceOptions.html"""
        wanted = call.params
        options = []
        if wanted["Engine"] == "postgres" and wanted.get("EngineVersion") in (
            None,
            binaries.version(),
        ):
            for name in _OFFERED_CLASSES:
                if wanted.get("DBInstanceClass") in (None, name):
                    options += [self._option(name, storage) for storage in STORAGE_TYPES]
        return page(call, "OrderableDBInstanceOptions", options)

    def _option(self, instance_class: str, storage: str) -> dict[str, Any]:
        return {
            "Engine": "postgres",
            "EngineVersion": binaries.version(),
            "DBInstanceClass": instance_class,
            "LicenseModel": "postgresql-license",
            "AvailabilityZones": [{"Name": f"{self._region}{letter}"} for letter in "abc"],
            "MultiAZCapable": True,
            "ReadReplicaCapable": False,
            "Vpc": True,
            "SupportsStorageEncryption": True,
            "StorageType": storage,
            "SupportsIops": storage != "gp2",
            "SupportsStorageThroughput": storage == "gp3",
            "SupportsEnhancedMonitoring": True,
            "SupportsIAMDatabaseAuthentication": False,
            "SupportsPerformanceInsights": True,
            "MinStorageSize": 20,
            "MaxStorageSize": 65536,
            "AvailableProcessorFeatures": [],
            "SupportedEngineModes": ["provisioned"],
            "SupportsStorageAutoscaling": True,
            "SupportsKerberosAuthentication": False,
            "OutpostCapable": False,
            "SupportedNetworkTypes": ["IPV4"],
            "SupportsClusters": False,
        }
