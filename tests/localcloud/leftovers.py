"""Everything that is in a local cloud, seen from outside: through AWS's own list and describe calls.

Which calls there are comes from botocore's models, so a service that the local cloud learns to
answer is looked into without a word here. What a new account has anyway (a default network, parameter
groups, managed keys) is told by listing before anything is made.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from localcloud import outside
from localcloud.gateway import SERVICES

# Parameters without which a list call is refused; one call for each.
PARAMETERS: Mapping[str, tuple[dict[str, Any], ...]] = {
    "wafv2": ({"Scope": "REGIONAL"}, {"Scope": "CLOUDFRONT"}),
    "application-autoscaling": ({"ServiceNamespace": "ecs"},),
    "budgets": ({"AccountId": "{account}"},),
}
# Narrower than the default, which shows what AWS offers or what is gone already.
NARROWED: Mapping[tuple[str, str], dict[str, Any]] = {
    ("ecs", "ListTaskDefinitionFamilies"): {"status": "ACTIVE"},
    ("iam", "ListPolicies"): {"Scope": "Local"},
    ("cloudfront", "ListCachePolicies"): {"Type": "custom"},
    ("cloudfront", "ListOriginRequestPolicies"): {"Type": "custom"},
    ("cloudfront", "ListResponseHeadersPolicies"): {"Type": "custom"},
}
# What can be bought, limits, and what has happened: nothing that somebody made and must delete.
NO_RESOURCES = re.compile(
    r"Offering|InstanceTypes|PriceHistory|EndpointServices|EngineVersions|EventCategories"
    r"|AvailabilityZones|Regions$|PrefixLists|AccountAttributes|Limits|SSLPolicies|SslPolicies"
    r"|DescribeEvents$|ScalingActivities|AlarmHistory|ListMetrics$|Jobs$|JobSummaries$|PhoneNumbersOptedOut"
    r"|ClassicLink|ServiceUpdates|UpdateActions|DescribeCertificates|ReusableDelegationSets"
)
# They list as well, under a verb that mostly reads one thing.
GETTERS = frozenset({"GetResources", "GetAnomalyMonitors", "GetAnomalySubscriptions"})
# The environment's, that of CloudFront and Route 53, that of the backups' copies.
REGIONS = ("eu-south-1", "us-east-1", "eu-central-1")
IDENTITY = re.compile(r"(?i)(arn|id|identifier|name|key)$")


@dataclass(frozen=True, order=True)
class Item:
    """One thing that a call lists. identity: its ids and names, joined."""

    region: str
    service: str
    operation: str
    identity: str


def operations(service_model: Any) -> Iterator[str]:
    """The calls of a service that list without being told of what."""
    known = {"Scope", "ServiceNamespace", "AccountId"}
    for name in service_model.operation_names:
        if not (name.startswith(("List", "Describe")) or name in GETTERS):
            continue
        shape = service_model.operation_model(name).input_shape
        if NO_RESOURCES.search(name) or (shape is not None and set(shape.required_members) - known):
            continue
        yield name


def items(answer: Any) -> Iterator[str]:
    """The identities of what an answer lists; a list in `{"Items": […]}` counts as well."""
    for value in answer.values() if isinstance(answer, dict) else ():
        if isinstance(value, dict):
            yield from items(value)
        for entry in value if isinstance(value, list) else ():
            yield identity(entry)


def identity(entry: Any) -> str:
    """What tells one thing from the others of its list."""
    if not isinstance(entry, dict):
        return str(entry)
    parts = [
        str(value)
        for key, value in sorted(entry.items())
        if isinstance(value, str) and IDENTITY.search(key)
    ]
    return " ".join(parts) or str(sorted(entry))


class Finder:
    """Looks into a local cloud. The first look tells which calls are answered at all."""

    def __init__(self, cloud: dict[str, Any], regions: Iterable[str] = REGIONS) -> None:
        self._cloud, self._regions = cloud, tuple(regions)
        self._session = outside.session(cloud)
        self._refused: set[tuple[str, str]] | None = None

    def look(self) -> set[Item]:
        """What is in the local cloud, without KMS keys that nobody can delete now.

        A call that the first look was refused is left out, as the local cloud cannot have made
        anything behind it; one that is refused later raises ClientError.
        """
        found, first = set[Item](), self._refused is None
        refused = self._refused or set()
        for region in self._regions:
            for service in sorted(SERVICES):
                client = self._client(service, region)
                for operation in operations(client.meta.service_model):
                    if (service, operation) in refused:
                        continue
                    try:
                        listed = set(self._list(client, service, operation))
                    except (ClientError, BotoCoreError):
                        if not first:
                            raise
                        refused.add((service, operation))
                        continue
                    found |= {Item(region, service, operation, entry) for entry in listed}
        self._refused = refused
        nobodys = self._nobodys(found)
        return {
            item
            for item in found
            if item.service not in ("kms", "resourcegroupstaggingapi")
            or not any(key in item.identity for key in nobodys)
        }

    @functools.cache  # noqa: B019 - as long as the finder
    def _client(self, service: str, region: str) -> Any:
        return self._session.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self._cloud["endpoint"],
            region_name=region,
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )

    def _list(self, client: Any, service: str, operation: str) -> Iterator[str]:
        name = xform_name(operation)
        for given in PARAMETERS.get(service, ({},)):
            parameters = given | NARROWED.get((service, operation), {})
            if "AccountId" in parameters:
                parameters["AccountId"] = self._cloud["account_id"]
            pages: Iterable[Any] = (
                client.get_paginator(name).paginate(**parameters)
                if client.can_paginate(name)
                else [getattr(client, name)(**parameters)]
            )
            for page in pages:
                page.pop("ResponseMetadata")
                yield from items(page)

    def _nobodys(self, found: set[Item]) -> set[str]:
        """Ids of KMS keys that AWS manages, and of those in the waiting period before they go.

        https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html
        """
        nobodys = set()
        for region, key in {
            (item.region, item.identity.split()[-1])
            for item in found
            if item.operation == "ListKeys"
        }:
            said = self._client("kms", region).describe_key(KeyId=key)["KeyMetadata"]
            # moto takes the keys that AWS manages for a customer's, with this description.
            managed = said["KeyManager"] == "AWS" or said["Description"] == "Default key"
            if managed or said["KeyState"] == "PendingDeletion":
                nobodys.add(key)
        return nobodys
