"""CloudFront distributions: the configuration as it was given, served for real."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from localcloud.api import AwsError, Call
from localcloud.cloud import Cloud
from localcloud.dataplane.cdn import Cdn
from localcloud.services.cloudfront import checks, headers
from localcloud.services.cloudfront.collections import Collection, Entry, check_etag, new_id
from localcloud.services.cloudfront.defaults import complete
from localcloud.services.cloudfront.functions import Functions
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
    """A distribution with what serves it; deployed: the configuration that is served."""

    arn: str = ""
    address: str = ""
    status: str = "InProgress"
    tags: dict[str, str] = field(default_factory=dict)
    invalidations: dict[str, dict[str, Any]] = field(default_factory=dict)
    deployed: dict[str, Any] = field(default_factory=dict)
    site: Site | None = None
    cdn: Cdn | None = None

    def functions(self) -> list[str]:
        """ARNs of the functions it is associated with."""
        behaviour = self.config["DefaultCacheBehavior"]
        items = behaviour.get("FunctionAssociations", {}).get("Items", [])
        return [association["FunctionARN"] for association in items]


class CloudFront:
    """The operations; https://docs.aws.amazon.com/cloudfront/latest/APIReference/Welcome.html."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._distributions: dict[str, Distribution] = {}
        self.functions = Functions(
            cloud.settings.account_id,
            lambda: (arn for entry in self._all() for arn in entry.functions()),
        )
        self.oacs = Collection(
            "OriginAccessControl",
            "NoSuchOriginAccessControl",
            "OriginAccessControlAlreadyExists",
            plural="OriginAccessControls",
            timed=False,
            used=self._access_controls,
        )
        self.cache_policies = Collection(
            "CachePolicy",
            "NoSuchCachePolicy",
            "CachePolicyAlreadyExists",
            plural="CachePolicies",
            managed=CACHE_POLICIES,
            used=self._used_as("CachePolicyId"),
        )
        self.headers_policies = Collection(
            "ResponseHeadersPolicy",
            "NoSuchResponseHeadersPolicy",
            "ResponseHeadersPolicyAlreadyExists",
            plural="ResponseHeadersPolicies",
            managed=RESPONSE_HEADERS_POLICIES,
            check=headers.check,
            used=self._used_as("ResponseHeadersPolicyId"),
        )
        self.request_policies = Collection(
            "OriginRequestPolicy",
            "NoSuchOriginRequestPolicy",
            "OriginRequestPolicyAlreadyExists",
            plural="OriginRequestPolicies",
            managed=ORIGIN_REQUEST_POLICIES,
            used=self._used_as("OriginRequestPolicyId"),
        )
        for collection in (
            self.oacs,
            self.cache_policies,
            self.headers_policies,
            self.request_policies,
        ):
            self._publish(collection)
        for verb in ("create", "update", "publish", "describe", "get", "delete"):
            cloud.api.replace(
                "cloudfront", f"{verb.capitalize()}Function", getattr(self.functions, verb)
            )
        cloud.api.replace("cloudfront", "ListFunctions", self.functions.list)
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

    def _used_as(self, member: str) -> Callable[[], set[str]]:
        """Gives the identifiers that distributions name in a member of their cache behaviour."""
        return lambda: {
            str(entry.config["DefaultCacheBehavior"].get(member)) for entry in self._all()
        }

    def _access_controls(self) -> set[str]:
        return {
            str(origin.get("OriginAccessControlId"))
            for entry in self._all()
            for origin in entry.config["Origins"]["Items"]
        }

    def users_of_certificate(self, arn: str) -> list[str]:
        """ARNs of the distributions that serve a certificate of ACM's."""
        return [entry.arn for entry in self._all() if checks.certificate_arn(entry.config) == arn]

    def has_domain(self, domain: str) -> bool:
        """Whether a domain name (here an address) is a distribution's."""
        return any(entry.address == domain for entry in self._all())

    def refresh(self) -> None:
        """Serve the certificates as ACM has them now."""
        for entry in self._all():
            if entry.cdn is not None:
                entry.cdn.configuration_changed()

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

    def _check(self, config: dict[str, Any], own: Distribution | None = None) -> None:
        """Refuse what AWS refuses, and what would be accepted and then not happen."""
        checks.check_reproduced(config)
        checks.check_members(config)
        for origin in config["Origins"]["Items"]:
            if origin.get("OriginAccessControlId"):
                self.oacs.entry(origin["OriginAccessControlId"])
        behaviour = config["DefaultCacheBehavior"]
        if behaviour.get("CachePolicyId"):
            self.cache_policies.entry(behaviour["CachePolicyId"])
        if behaviour.get("OriginRequestPolicyId"):
            self.request_policies.entry(behaviour["OriginRequestPolicyId"])
        if behaviour.get("ResponseHeadersPolicyId"):
            self.headers_policies.entry(behaviour["ResponseHeadersPolicyId"])
        for association in behaviour.get("FunctionAssociations", {}).get("Items", []):
            if self.functions.by_arn(association["FunctionARN"]) is None:
                raise AwsError(
                    "InvalidFunctionAssociation",
                    "The specified function does not exist or has not been published: "
                    f"{association['FunctionARN']}",
                )
        taken = [name for d in self._all() if d is not own for name in checks.aliases(d.config)]
        checks.check_aliases(checks.aliases(config), taken)
        checks.check_certificate(
            config, self._cloud.parts["acm"].issued_names(checks.CERTIFICATE_REGION)
        )

    def _deploy(self, distribution: Distribution) -> None:
        """Bring a change to the edge after CloudFront's time; a later change overtakes it."""
        distribution.status = "InProgress"
        etag = distribution.etag

        def run(stop: Any) -> None:
            waited = self._cloud.clock.sleep(_DEPLOY_SECONDS, stop)
            with self._cloud.lock:
                if waited or distribution.id not in self._distributions:
                    return
                if distribution.etag == etag:
                    self._serve(distribution)

        self._cloud.background(f"cloudfront-{distribution.id}", run)

    def _serve(self, distribution: Distribution) -> None:
        """Serve the configuration as it is now."""
        distribution.deployed = distribution.config
        if not distribution.config["Enabled"] and distribution.cdn is not None:
            distribution.cdn.stop()
            distribution.cdn = distribution.site = None
        elif distribution.cdn is not None and distribution.site is not None:
            # Headers and error pages may have changed.
            distribution.site.cache.invalidate(["*"])
            distribution.cdn.configuration_changed()
        elif distribution.config["Enabled"]:
            distribution.site = Site(self._cloud, distribution, self)
            distribution.cdn = Cdn(distribution.address, distribution.site, self._cloud)
        distribution.status = "Deployed"

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
        self._check(call.params["DistributionConfig"], distribution)
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
        if distribution.site is not None:
            distribution.site.cache.invalidate(batch["Paths"].get("Items", []))
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
