"""Clusters, capacity providers, tags and account settings.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import re
from typing import Any

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.services.ecs.shapes import cluster_shape, page, present
from localcloud.services.ecs.store import Cluster, EcsBase, checked_tags

#: The capacity providers that exist without being created
#: (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html).
FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")

#: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html
DEFAULT_ACCOUNT_SETTINGS = {
    "awsvpcTrunking": "disabled",
    "containerInsights": "disabled",
    "containerInstanceLongArnFormat": "enabled",
    "defaultLogDriverMode": "non-blocking",
    "fargateEventWindows": "disabled",
    "fargateFIPSMode": "disabled",
    "fargateTaskRetirementWaitPeriod": "7",
    "guardDutyActivate": "off",
    "serviceLongArnFormat": "enabled",
    "tagResourceAuthorization": "on",
    "taskLongArnFormat": "enabled",
}
_CLUSTER_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


class ClustersApi(EcsBase):
    """Operations on clusters, capacity providers, tags and account settings."""

    # -- clusters ------------------------------------------------------------------------------

    def create_cluster(self, call: Call) -> dict[str, Any]:
        """CreateCluster; a second one with the same name and settings returns the first.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html
        """
        p = call.params
        name = p.get("clusterName") or "default"
        if not _CLUSTER_NAME.fullmatch(name):
            raise AwsError(
                "InvalidParameterException",
                "Cluster name can contain letters, numbers, underscores and hyphens, 255 at most.",
            )
        cluster = Cluster(
            arn=self.store.arn("cluster", name),
            name=name,
            settings=_settings(p.get("settings"), self._insights_default()),
            configuration=p.get("configuration"),
            capacity_providers=_known_providers(p.get("capacityProviders", [])),
            default_capacity_provider_strategy=p.get("defaultCapacityProviderStrategy", []),
            service_connect_defaults=p.get("serviceConnectDefaults"),
            tags=checked_tags(p.get("tags")),
        )
        _check_strategy(
            cluster.default_capacity_provider_strategy, tuple(cluster.capacity_providers)
        )
        existing = self.store.clusters.get(name)
        if existing is not None and existing.status == "ACTIVE":
            if p.keys() - {"clusterName"} and existing != cluster:
                raise AwsError(
                    "InvalidParameterException",
                    "Arguments on this idempotent request are inconsistent with arguments used "
                    "in previous request(s).",
                )
            cluster = existing
        self.store.clusters[name] = cluster
        return {"cluster": self._cluster(cluster, ("SETTINGS", "TAGS", "CONFIGURATIONS"))}

    def describe_clusters(self, call: Call) -> dict[str, Any]:
        """DescribeClusters; unknown ones are failures with reason MISSING.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html
        """
        found, failures = [], []
        for ref in call.params.get("clusters") or ["default"]:
            cluster = self.store.find_cluster(ref)
            if cluster is None:
                arn = ref if ref.startswith("arn:") else self.store.arn("cluster", ref)
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append(self._cluster(cluster, call.params.get("include", ())))
        return {"clusters": found, "failures": failures}

    def list_clusters(self, call: Call) -> dict[str, Any]:
        """ListClusters: ARNs of the ACTIVE ones."""
        arns = sorted(c.arn for c in self.store.clusters.values() if c.status == "ACTIVE")
        items, token = page(arns, call.params.get("nextToken"), call.params.get("maxResults"))
        return present({"clusterArns": items, "nextToken": token})

    def update_cluster(self, call: Call) -> dict[str, Any]:
        """UpdateCluster: settings, configuration, Service Connect defaults."""
        cluster = self.store.cluster(call.params["cluster"])
        if "settings" in call.params:
            cluster.settings = _settings(call.params["settings"], self._insights_default())
        if "configuration" in call.params:
            cluster.configuration = call.params["configuration"]
        if "serviceConnectDefaults" in call.params:
            cluster.service_connect_defaults = call.params["serviceConnectDefaults"]
        return {"cluster": self._cluster(cluster, ("SETTINGS", "TAGS", "CONFIGURATIONS"))}

    def update_cluster_settings(self, call: Call) -> dict[str, Any]:
        """UpdateClusterSettings."""
        cluster = self.store.cluster(call.params["cluster"])
        cluster.settings = _settings(call.params["settings"], self._insights_default())
        return {"cluster": self._cluster(cluster, ("SETTINGS", "TAGS"))}

    def put_cluster_capacity_providers(self, call: Call) -> dict[str, Any]:
        """PutClusterCapacityProviders; only Fargate's exist.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutClusterCapacityProviders.html
        """
        cluster = self.store.cluster(call.params["cluster"])
        providers = _known_providers(call.params["capacityProviders"])
        strategy = call.params["defaultCapacityProviderStrategy"]
        _check_strategy(strategy, tuple(providers))
        used = {
            t.capacity_provider_name or ""
            for t in self.engine.tasks(cluster_arn=cluster.arn)
            if not t.stopped
        }
        if gone := sorted((used & {*cluster.capacity_providers}) - {*providers}):
            raise AwsError(
                "ResourceInUseException",
                f"The specified capacity provider is in use and cannot be removed: {gone[0]}",
            )
        cluster.capacity_providers = providers
        cluster.default_capacity_provider_strategy = strategy
        return {"cluster": self._cluster(cluster, ("SETTINGS", "TAGS"))}

    def delete_cluster(self, call: Call) -> dict[str, Any]:
        """DeleteCluster; refused while it has services or tasks. It stays describable, INACTIVE.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html
        """
        cluster = self.store.cluster(call.params["cluster"])
        if self.store.count_services(cluster.arn):
            raise AwsError(
                "ClusterContainsServicesException",
                "The Cluster cannot be deleted while Services are active.",
            )
        if any(not task.stopped for task in self.engine.tasks(cluster_arn=cluster.arn)):
            raise AwsError(
                "ClusterContainsTasksException",
                "The Cluster cannot be deleted while Tasks are active.",
            )
        cluster.status = "INACTIVE"
        return {"cluster": self._cluster(cluster, ())}

    def describe_capacity_providers(self, call: Call) -> dict[str, Any]:
        """DescribeCapacityProviders: Fargate's two, which AWS keeps in every account."""
        names = call.params.get("capacityProviders") or list(FARGATE_PROVIDERS)
        found = [
            {
                "capacityProviderArn": self.store.arn("capacity-provider", name),
                "name": name,
                "status": "ACTIVE",
                "type": name,
                "tags": [],
            }
            for name in (ref.rsplit("/", 1)[-1] for ref in names)
            if name in FARGATE_PROVIDERS
        ]
        failures = [
            {"arn": self.store.arn("capacity-provider", ref), "reason": "MISSING"}
            for ref in names
            if ref.rsplit("/", 1)[-1] not in FARGATE_PROVIDERS
        ]
        return {"capacityProviders": found, "failures": failures}

    def _cluster(self, cluster: Cluster, include: Any) -> dict[str, Any]:
        tasks = self.engine.tasks(cluster_arn=cluster.arn)
        return cluster_shape(cluster, tasks, self.store.count_services(cluster.arn), include)

    def _insights_default(self) -> str:
        return self._setting("containerInsights")

    # -- container instances: there are none, everything runs on Fargate --------------------------

    def list_container_instances(self, call: Call) -> dict[str, Any]:
        """ListContainerInstances."""
        self.store.cluster(call.params.get("cluster"))
        return {"containerInstanceArns": []}

    def describe_container_instances(self, call: Call) -> dict[str, Any]:
        """DescribeContainerInstances."""
        cluster = self.store.cluster(call.params.get("cluster"))
        refs = call.params["containerInstances"]
        prefix = self.store.arn("container-instance", f"{cluster.name}/")
        arns = [ref if ref.startswith("arn:") else prefix + ref for ref in refs]
        return {
            "containerInstances": [],
            "failures": [{"arn": arn, "reason": "MISSING"} for arn in arns],
        }

    # -- tags ----------------------------------------------------------------------------------

    def tag_resource(self, call: Call) -> dict[str, Any]:
        """TagResource: a tag of the same key is replaced."""
        tags = self.store.tags_of(call.params["resourceArn"])
        new = {tag["key"]: tag for tag in checked_tags(call.params["tags"])}
        kept = [tag for tag in tags if tag["key"] not in new]
        if len(kept) + len(new) > 50:
            raise AwsError("InvalidParameterException", "A resource has 50 tags at most.")
        tags[:] = kept + list(new.values())
        return {}

    def untag_resource(self, call: Call) -> dict[str, Any]:
        """UntagResource."""
        tags = self.store.tags_of(call.params["resourceArn"])
        tags[:] = [tag for tag in tags if tag["key"] not in call.params["tagKeys"]]
        return {}

    def list_tags_for_resource(self, call: Call) -> dict[str, Any]:
        """ListTagsForResource."""
        return {"tags": list(self.store.tags_of(call.params["resourceArn"]))}

    # -- account settings ----------------------------------------------------------------------

    def list_account_settings(self, call: Call) -> dict[str, Any]:
        """ListAccountSettings; defaults are shown with ``effectiveSettings`` only."""
        p = call.params
        names = list(DEFAULT_ACCOUNT_SETTINGS)
        if not p.get("effectiveSettings"):
            names = [name for name in names if name in self.store.account_settings]
        shown = [
            self._setting_shape(name)
            for name in names
            if p.get("name") in (None, name) and p.get("value") in (None, self._setting(name))
        ]
        items, token = page(shown, p.get("nextToken"), p.get("maxResults"))
        return present({"settings": items, "nextToken": token})

    def put_account_setting(self, call: Call) -> dict[str, Any]:
        """PutAccountSetting; there is one principal here, so it sets the account's default."""
        return self.put_account_setting_default(call)

    def put_account_setting_default(self, call: Call) -> dict[str, Any]:
        """PutAccountSettingDefault."""
        name, value = call.params["name"], call.params["value"]
        if name not in DEFAULT_ACCOUNT_SETTINGS:
            raise AwsError("InvalidParameterException", f"Invalid setting name: {name}")
        self.store.account_settings[name] = value
        return {"setting": self._setting_shape(name)}

    def delete_account_setting(self, call: Call) -> dict[str, Any]:
        """DeleteAccountSetting: back to AWS's default."""
        self.store.account_settings.pop(call.params["name"], None)
        return {"setting": self._setting_shape(call.params["name"])}

    def _setting(self, name: str) -> str:
        return self.store.account_settings.get(name, DEFAULT_ACCOUNT_SETTINGS[name])

    def _setting_shape(self, name: str) -> dict[str, str]:
        return {
            "name": name,
            "value": self._setting(name),
            "principalArn": f"arn:aws:iam::{self.store.account_id}:root",
            "type": "user",
        }


def _settings(given: list[dict[str, str]] | None, insights: str) -> list[dict[str, str]]:
    settings = given if given else [{"name": "containerInsights", "value": insights}]
    for setting in settings:
        if setting.get("value") not in ("enabled", "disabled", "enhanced"):
            raise AwsError(
                "InvalidParameterException",
                f"Setting value is invalid for {setting.get('name')}: {setting.get('value')}",
            )
    return settings


def _known_providers(names: list[str]) -> list[str]:
    for name in names:
        if name not in FARGATE_PROVIDERS:
            raise NotReproducedError("ecs", f"capacity provider {name}, only Fargate's")
    return list(names)


def _check_strategy(strategy: list[dict[str, Any]], providers: tuple[str, ...]) -> None:
    """Raises ``InvalidParameterException`` for a strategy the cluster cannot have."""
    for item in strategy:
        if item["capacityProvider"] not in providers:
            raise AwsError(
                "InvalidParameterException",
                "The specified capacity provider strategy cannot contain a capacity provider "
                "that is not associated with the cluster. Associate the capacity provider with "
                "the cluster and try again.",
            )
    if sum(1 for item in strategy if item.get("base", 0) > 0) > 1:
        raise AwsError(
            "InvalidParameterException",
            "Only one capacity provider in a strategy can have a base value.",
        )


def choose_provider(
    strategy: list[dict[str, Any]], cluster: Cluster, counts: dict[str, int]
) -> str:
    """The capacity provider the next task goes to.

    The base is filled first, then tasks follow the weights; ``counts`` says how many each provider
    has (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html).
    """
    _check_strategy(strategy, tuple(cluster.capacity_providers))
    for item in strategy:
        if counts.get(item["capacityProvider"], 0) < item.get("base", 0):
            return str(item["capacityProvider"])
    weighted = [item for item in strategy if item.get("weight", 0) > 0]
    if not weighted and len(strategy) == 1:
        weighted = strategy
    if not weighted:
        raise AwsError(
            "InvalidParameterException",
            "At least one capacity provider in a strategy must have a weight greater than 0.",
        )

    def load(item: dict[str, Any]) -> float:
        beyond_base = counts.get(item["capacityProvider"], 0) - item.get("base", 0)
        return float(beyond_base + 1) / (item.get("weight") or 1)

    return str(min(weighted, key=load)["capacityProvider"])
