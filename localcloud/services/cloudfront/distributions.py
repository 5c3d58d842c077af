"""CloudFront distributions: the configuration as it was given, served for real."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud
from localcloud.dataplane.cdn import Cdn
from localcloud.services.cloudfront.collections import Collection, Entry, check_etag, new_id
from localcloud.services.cloudfront.defaults import complete
from localcloud.services.cloudfront.policies import (
    CACHE_POLICIES,
    ORIGIN_REQUEST_POLICIES,
    RESPONSE_HEADERS_POLICIES,
)
from localcloud.services.cloudfront.serving import Site

# How long CloudFront takes to bring a change to its edges, in cloud seconds.
_DEPLOY_SECONDS = 30.0


@dataclass
class Distribution(Entry):
    """A distribution with what serves it."""

    arn: str = ""
    address: str = ""
    status: str = "InProgress"
    tags: dict[str, str] = field(default_factory=dict)
    invalidations: dict[str, dict[str, Any]] = field(default_factory=dict)
    cdn: Cdn | None = None


class CloudFront:
    """The operations; https://docs.aws.amazon.com/cloudfront/latest/APIReference/Welcome.html."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._distributions: dict[str, Distribution] = {}
        self.oacs = Collection(
            "OriginAccessControl",
            "NoSuchOriginAccessControl",
            "OriginAccessControlAlreadyExists",
            plural="OriginAccessControls",
            timed=False,
        )
        self.cache_policies = Collection(
            "CachePolicy",
            "NoSuchCachePolicy",
            "CachePolicyAlreadyExists",
            plural="CachePolicies",
            managed=CACHE_POLICIES,
        )
        self.headers_policies = Collection(
            "ResponseHeadersPolicy",
            "NoSuchResponseHeadersPolicy",
            "ResponseHeadersPolicyAlreadyExists",
            plural="ResponseHeadersPolicies",
            managed=RESPONSE_HEADERS_POLICIES,
        )
        self.request_policies = Collection(
            "OriginRequestPolicy",
            "NoSuchOriginRequestPolicy",
            "OriginRequestPolicyAlreadyExists",
            plural="OriginRequestPolicies",
            managed=ORIGIN_REQUEST_POLICIES,
        )
        for collection in (
            self.oacs,
            self.cache_policies,
            self.headers_policies,
            self.request_policies,
        ):
            self._publish(collection)
        cloud.on_stop(self.stop)

    def _publish(self, collection: Collection) -> None:
        """Give a collection's operations the names under which the operation table finds them."""
        replace = self._cloud.api.replace
        replace("cloudfront", f"Create{collection.kind}", collection.create)
        replace("cloudfront", f"Get{collection.kind}", collection.get)
        replace("cloudfront", f"Get{collection.kind}Config", collection.get_config)
        replace("cloudfront", f"Update{collection.kind}", collection.update)
        replace("cloudfront", f"Delete{collection.kind}", collection.delete)
        if collection is not self.oacs:  # its list has another shape
            replace("cloudfront", f"List{collection.plural}", collection.list)

    def stop(self) -> None:
        """Stop serving."""
        for distribution in self._distributions.values():
            if distribution.cdn:
                distribution.cdn.stop()

    # Distributions

    def create_distribution(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateDistribution.html"""
        return self._create(call.params["DistributionConfig"], {})

    def create_distribution_with_tags(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateDistributionWithTags.html"""
        both = call.params["DistributionConfigWithTags"]
        return self._create(both["DistributionConfig"], _tags(both["Tags"]))

    def _create(self, config: dict[str, Any], tags: dict[str, str]) -> Mapping[str, Any]:
        if any(d.config["CallerReference"] == config["CallerReference"] for d in self._all()):
            raise AwsError(
                "DistributionAlreadyExists", "The caller reference is used already.", status=409
            )
        self._check(config)
        config = complete(config)
        identifier = new_id()
        used = {distribution.address for distribution in self._all()}
        address = next(a for k in range(1, 255) if (a := self._cloud.addresses.cdn(k)) not in used)
        distribution = Distribution(
            identifier,
            config,
            arn=f"arn:aws:cloudfront::{self._cloud.settings.account_id}:distribution/{identifier}",
            address=address,
            tags=tags,
        )
        self._distributions[identifier] = distribution
        self._deploy(distribution)
        return self._answer(distribution) | {"Location": f"/2020-05-31/distribution/{identifier}"}

    def _check(self, config: dict[str, Any]) -> None:
        """Refuse what would be accepted and then not happen."""
        for origin in config["Origins"]["Items"]:
            if "CustomOriginConfig" in origin:
                raise NotReproducedError("cloudfront", "custom origins")
            control = origin.get("OriginAccessControlId")
            if control:
                self.oacs.entry(control)
        if config.get("CacheBehaviors", {}).get("Quantity"):
            raise NotReproducedError("cloudfront", "cache behaviours besides the default one")
        behaviour = config["DefaultCacheBehavior"]
        for member in ("LambdaFunctionAssociations", "FunctionAssociations"):
            if behaviour.get(member, {}).get("Quantity"):
                raise NotReproducedError("cloudfront", member)
        if behaviour.get("CachePolicyId"):
            self.cache_policies.entry(behaviour["CachePolicyId"])
        if behaviour.get("ResponseHeadersPolicyId"):
            self.headers_policies.entry(behaviour["ResponseHeadersPolicyId"])
        names = {origin["Id"] for origin in config["Origins"]["Items"]}
        if behaviour["TargetOriginId"] not in names:
            raise AwsError(
                "NoSuchOrigin",
                f"No origin exists with the specified Origin Id {behaviour['TargetOriginId']}.",
                status=404,
            )

    def _deploy(self, distribution: Distribution) -> None:
        distribution.status = "InProgress"

        def run(stop: Any) -> None:
            waited = self._cloud.clock.sleep(_DEPLOY_SECONDS, stop)
            with self._cloud.lock:
                if waited or distribution.id not in self._distributions:
                    return
                enabled = distribution.config["Enabled"]
                if enabled and distribution.cdn is None:
                    distribution.cdn = Cdn(
                        distribution.address, Site(self._cloud, distribution, self), self._cloud
                    )
                if not enabled and distribution.cdn is not None:
                    distribution.cdn.stop()
                    distribution.cdn = None
                if distribution.cdn is not None:
                    distribution.cdn.configuration_changed()
                distribution.status = "Deployed"

        self._cloud.background(f"cloudfront-{distribution.id}", run)

    def _all(self) -> list[Distribution]:
        return list(self._distributions.values())

    def _distribution(self, identifier: str) -> Distribution:
        if identifier not in self._distributions:
            raise AwsError(
                "NoSuchDistribution", "The specified distribution does not exist.", status=404
            )
        return self._distributions[identifier]

    def _answer(self, distribution: Distribution) -> dict[str, Any]:
        return {
            "Distribution": {
                "Id": distribution.id,
                "ARN": distribution.arn,
                "Status": distribution.status,
                "LastModifiedTime": distribution.modified,
                "InProgressInvalidationBatches": 0,
                "DomainName": distribution.address,
                "ActiveTrustedSigners": {"Enabled": False, "Quantity": 0},
                "ActiveTrustedKeyGroups": {"Enabled": False, "Quantity": 0},
                "DistributionConfig": distribution.config,
            },
            "ETag": distribution.etag,
        }

    def get_distribution(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetDistribution.html"""
        return self._answer(self._distribution(call.params["Id"]))

    def get_distribution_config(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetDistributionConfig.html"""
        distribution = self._distribution(call.params["Id"])
        return {"DistributionConfig": distribution.config, "ETag": distribution.etag}

    def update_distribution(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_UpdateDistribution.html"""
        distribution = self._distribution(call.params["Id"])
        check_etag(call, distribution.etag)
        self._check(call.params["DistributionConfig"])
        distribution.update(complete(call.params["DistributionConfig"]))
        self._deploy(distribution)
        return self._answer(distribution)

    def delete_distribution(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DeleteDistribution.html"""
        distribution = self._distribution(call.params["Id"])
        check_etag(call, distribution.etag)
        if distribution.config["Enabled"] or distribution.status != "Deployed":
            raise AwsError(
                "DistributionNotDisabled",
                "The distribution you are trying to delete has not been disabled.",
                status=409,
            )
        del self._distributions[distribution.id]
        return {}

    def list_distributions(self, _: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListDistributions.html"""
        items = [
            {
                **{
                    key: value
                    for key, value in d.config.items()
                    if key not in ("CallerReference", "Logging")
                },
                "Id": d.id,
                "ARN": d.arn,
                "Status": d.status,
                "LastModifiedTime": d.modified,
                "DomainName": d.address,
            }
            for d in self._all()
        ]
        return {
            "DistributionList": {
                "Marker": "",
                "MaxItems": 100,
                "IsTruncated": False,
                "Quantity": len(items),
                "Items": items,
            }
        }

    # Invalidations

    def create_invalidation(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html"""
        distribution = self._distribution(call.params["DistributionId"])
        batch = call.params["InvalidationBatch"]
        if distribution.cdn is not None:
            distribution.cdn.invalidate(batch["Paths"].get("Items", []))
        invalidation = {
            "Id": new_id(),
            "Status": "Completed",
            "CreateTime": datetime.now(UTC),
            "InvalidationBatch": batch,
        }
        distribution.invalidations[invalidation["Id"]] = invalidation
        return {
            "Invalidation": invalidation,
            "Location": f"/2020-05-31/distribution/{distribution.id}/invalidation/{invalidation['Id']}",
        }

    def get_invalidation(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetInvalidation.html"""
        distribution = self._distribution(call.params["DistributionId"])
        if call.params["Id"] not in distribution.invalidations:
            raise AwsError(
                "NoSuchInvalidation", "The specified invalidation does not exist.", status=404
            )
        return {"Invalidation": distribution.invalidations[call.params["Id"]]}

    # Tags and origin access controls

    def _tagged(self, call: Call) -> Distribution:
        for distribution in self._all():
            if distribution.arn == call.params["Resource"]:
                return distribution
        raise AwsError("NoSuchResource", "The specified resource does not exist.", status=404)

    def list_tags_for_resource(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListTagsForResource.html"""
        tags = self._tagged(call).tags
        return {"Tags": {"Items": [{"Key": key, "Value": value} for key, value in tags.items()]}}

    def tag_resource(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_TagResource.html"""
        self._tagged(call).tags.update(_tags(call.params["Tags"]))
        return {}

    def untag_resource(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_UntagResource.html"""
        tags = self._tagged(call).tags
        for key in call.params["TagKeys"].get("Items", []):
            tags.pop(key, None)
        return {}

    def list_origin_access_controls(self, _: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListOriginAccessControls.html"""
        items = [{"Id": entry.id, "Description": "", **entry.config} for entry in self.oacs]
        return {
            "OriginAccessControlList": {
                "Marker": "",
                "MaxItems": 100,
                "IsTruncated": False,
                "Quantity": len(items),
                "Items": items,
            }
        }


def _tags(tags: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in tags.get("Items", [])}
