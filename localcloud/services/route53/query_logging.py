"""Query logging configurations: kept and checked; there are no queries here that could be logged.

moto keeps them, but does not find the log group by the ARN that AWS's documentation shows.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from moto.route53.models import QueryLoggingConfig

from localcloud.api import AwsError, Call
from localcloud.cloud import Cloud

# https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateQueryLoggingConfig.html
_REGION = "us-east-1"
_LOG_GROUP = re.compile(rf"^arn:aws:logs:{_REGION}:\d{{12}}:log-group:(?P<name>[^:*]+)(:\*)?$")
_SERVICE = "route53.amazonaws.com"


def allowed(policies: Iterable[str]) -> bool:
    """Whether one of the resource policies of CloudWatch Logs lets Route 53 in. Pure."""
    for policy in policies:
        for statement in json.loads(policy).get("Statement", []):
            principal = statement.get("Principal", {})
            services = principal.get("Service", []) if isinstance(principal, dict) else []
            if statement.get("Effect") == "Allow" and _SERVICE in (
                services if isinstance(services, list) else [services]
            ):
                return True
    return False


class QueryLogging:
    """CreateQueryLoggingConfig; the other operations are moto's."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def create(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateQueryLoggingConfig.html"""
        backend = self._cloud.backend("route53")
        zone, arn = call.params["HostedZoneId"], call.params["CloudWatchLogsLogGroupArn"]
        if zone not in backend.zones:
            raise AwsError("NoSuchHostedZone", f"No hosted zone found with ID: {zone}", status=404)
        match = _LOG_GROUP.match(arn)
        if match is None:
            raise AwsError("InvalidInput", "The ARN for the CloudWatch Logs log group is invalid.")
        logs = self._cloud.backend("logs", _REGION)
        if match["name"] not in logs.groups:
            raise AwsError(
                "NoSuchCloudWatchLogsLogGroup",
                "The specified CloudWatch Logs log group doesn't exist.",
                status=404,
            )
        if not allowed(policy.policy_document for policy in logs.resource_policies.values()):
            raise AwsError(
                "InsufficientCloudWatchLogsResourcePolicy",
                "The resource policy that you're using for Route 53 query logging doesn't grant "
                "Route 53 sufficient permission to create a log stream in the specified log group.",
            )
        configurations = backend.query_logging_configs
        if any(known.hosted_zone_id == zone for known in configurations.values()):
            raise AwsError(
                "QueryLoggingConfigAlreadyExists",
                "A query logging configuration already exists for this hosted zone.",
                status=409,
            )
        made = QueryLoggingConfig(str(uuid.uuid4()), zone, arn)
        configurations[made.id] = made
        return {
            "QueryLoggingConfig": {
                "Id": made.id,
                "HostedZoneId": zone,
                "CloudWatchLogsLogGroupArn": arn,
            },
            "Location": made.location,
        }
