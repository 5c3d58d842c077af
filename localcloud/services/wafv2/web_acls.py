"""The operations: web ACLs, what they stand in front of, their logging, their tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud
from localcloud.services.wafv2.rules import check, invalid

# What CreateWebACL and UpdateWebACL set; an update replaces all of it.
_CONTENT = ("DefaultAction", "Description", "Rules", "VisibilityConfig")
_NOT_KEPT = frozenset(
    {
        "ApplicationConfig",
        "AssociationConfig",
        "CaptchaConfig",
        "ChallengeConfig",
        "CustomResponseBodies",
        "DataProtectionConfig",
        "MonetizationConfig",
        "OnSourceDDoSProtectionConfig",
        "TokenDomains",
    }
)
MOST_TAGS = 50
_LOG_GROUP = re.compile(r"^arn:aws:logs:[^:]+:[^:]+:log-group:(?P<name>[^:]+)(:\*)?$")


@dataclass
class _WebAcl:
    arn: str
    id: str
    name: str
    region: str
    content: dict[str, Any]
    capacity: int
    lock_token: str = field(default_factory=lambda: str(uuid4()))
    tags: dict[str, str] = field(default_factory=dict)
    resources: list[str] = field(default_factory=list)
    logging: dict[str, Any] | None = None

    def summary(self) -> dict[str, Any]:
        return {
            "Name": self.name,
            "Id": self.id,
            "ARN": self.arn,
            "Description": self.content.get("Description", ""),
            "LockToken": self.lock_token,
        }

    def whole(self, account: str) -> dict[str, Any]:
        return {
            "Name": self.name,
            "Id": self.id,
            "ARN": self.arn,
            "Capacity": self.capacity,
            "ManagedByFirewallManager": False,
            "LabelNamespace": f"awswaf:{account}:webacl:{self.name}:",
            **self.content,
        }


class WebAcls:
    """Answers each operation by a method of its name in snake case."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._acls: dict[str, _WebAcl] = {}

    # -- web ACLs ------------------------------------------------------------------------------

    def create_web_acl(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/waf/latest/APIReference/API_CreateWebACL.html."""
        params = call.params
        content, capacity = self._content(params)
        name = params["Name"]
        if any(acl.name == name for acl in self._of(call.region)):
            raise AwsError(
                "WAFDuplicateItemException",
                "AWS WAF couldn't perform the operation because some resource in your request "
                "is a duplicate of an existing one.",
            )
        identifier = str(uuid4())
        arn = f"arn:aws:wafv2:{call.region}:{call.account}:regional/webacl/{name}/{identifier}"
        acl = _WebAcl(arn, identifier, name, call.region, content, capacity)
        acl.tags.update({tag["Key"]: tag["Value"] for tag in params.get("Tags", [])})
        self._acls[arn] = acl
        return {"Summary": acl.summary()}

    def get_web_acl(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/waf/latest/APIReference/API_GetWebACL.html."""
        acl = self._acl(call.params["ARN"]) if "ARN" in call.params else self._named(call)
        return {"WebACL": acl.whole(call.account), "LockToken": acl.lock_token}

    def update_web_acl(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/waf/latest/APIReference/API_UpdateWebACL.html."""
        acl = self._locked(call)
        acl.content, acl.capacity = self._content(call.params)
        acl.lock_token = str(uuid4())
        return {"NextLockToken": acl.lock_token}

    def delete_web_acl(self, call: Call) -> None:
        """https://docs.aws.amazon.com/waf/latest/APIReference/API_DeleteWebACL.html."""
        acl = self._locked(call)
        if self._resources(acl):
            raise AwsError(
                "WAFAssociatedItemException",
                "AWS WAF couldn't perform the operation because your resource is being used by "
                "another resource or it's associated with another resource.",
            )
        del self._acls[acl.arn]

    def list_web_acls(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/waf/latest/APIReference/API_ListWebACLs.html."""
        _regional(call.params)
        return {"WebACLs": [acl.summary() for acl in self._of(call.region)]}

    def check_capacity(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/waf/latest/APIReference/API_CheckCapacity.html."""
        _regional(call.params)
        return {"Capacity": check(call.params["Rules"])}

    # -- what they stand in front of -----------------------------------------------------------

    def associate_web_acl(self, call: Call) -> None:
        """https://docs.aws.amazon.com/waf/latest/APIReference/API_AssociateWebACL.html.

        A resource has one web ACL: another one takes the first one's place.
        """
        acl = self._acl(call.params["WebACLArn"])
        resource = self._load_balancer(call.params["ResourceArn"])
        self._part(resource)
        acl.resources.append(resource)

    def disassociate_web_acl(self, call: Call) -> None:
        """https://docs.aws.amazon.com/waf/latest/APIReference/API_DisassociateWebACL.html."""
        self._part(self._load_balancer(call.params["ResourceArn"]))

    def get_web_acl_for_resource(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/waf/latest/APIReference/API_GetWebACLForResource.html."""
        resource = self._load_balancer(call.params["ResourceArn"])
        for acl in self._acls.values():
            if resource in acl.resources:
                return {"WebACL": acl.whole(call.account)}
        return {}

    def list_resources_for_web_acl(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/waf/latest/APIReference/API_ListResourcesForWebACL.html."""
        return {"ResourceArns": self._resources(self._acl(call.params["WebACLArn"]))}

    # -- logging -------------------------------------------------------------------------------

    def put_logging_configuration(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/waf/latest/APIReference/API_PutLoggingConfiguration.html."""
        wanted = dict(call.params["LoggingConfiguration"])
        acl = self._acl(wanted["ResourceArn"])
        destinations = wanted["LogDestinationConfigs"]
        if len(destinations) != 1:
            raise invalid("LOG_DESTINATION", destinations, "there is exactly one destination")
        found = _LOG_GROUP.match(destinations[0])
        if found is None:
            raise NotReproducedError("wafv2", f"logging to {destinations[0]}")
        if not found["name"].startswith("aws-waf-logs-"):
            raise invalid("LOG_DESTINATION", destinations[0], "The ARN isn't valid")
        if found["name"] not in self._cloud.backend("logs", call.region).groups:
            raise invalid("LOG_DESTINATION", destinations[0], "the log group does not exist")
        wanted["LogDestinationConfigs"] = [destinations[0].removesuffix(":*")]
        acl.logging = wanted
        return {"LoggingConfiguration": wanted}

    def get_logging_configuration(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/waf/latest/APIReference/API_GetLoggingConfiguration.html."""
        acl = self._acl(call.params["ResourceArn"])
        if acl.logging is None:
            raise _missing()
        return {"LoggingConfiguration": acl.logging}

    def delete_logging_configuration(self, call: Call) -> None:
        """https://docs.aws.amazon.com/waf/latest/APIReference/API_DeleteLoggingConfiguration.html."""
        self.get_logging_configuration(call)
        self._acl(call.params["ResourceArn"]).logging = None

    # -- tags ----------------------------------------------------------------------------------

    def list_tags_for_resource(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/waf/latest/APIReference/API_ListTagsForResource.html."""
        acl = self._acl(call.params["ResourceARN"])
        tags = [{"Key": key, "Value": value} for key, value in acl.tags.items()]
        return {"TagInfoForResource": {"ResourceARN": acl.arn, "TagList": tags}}

    def tag_resource(self, call: Call) -> None:
        """https://docs.aws.amazon.com/waf/latest/APIReference/API_TagResource.html."""
        acl = self._acl(call.params["ResourceARN"])
        wanted = acl.tags | {tag["Key"]: tag["Value"] for tag in call.params["Tags"]}
        if len(wanted) > MOST_TAGS:
            raise AwsError("WAFLimitsExceededException", f"A web ACL has at most {MOST_TAGS} tags")
        acl.tags = wanted

    def untag_resource(self, call: Call) -> None:
        """https://docs.aws.amazon.com/waf/latest/APIReference/API_UntagResource.html."""
        acl = self._acl(call.params["ResourceARN"])
        for key in call.params["TagKeys"]:
            acl.tags.pop(key, None)

    # -- looking up ----------------------------------------------------------------------------

    def _content(self, params: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        _regional(params)
        unknown = sorted(_NOT_KEPT & {name for name, value in params.items() if value})
        if unknown:
            raise NotReproducedError("wafv2", ", ".join(unknown))
        content = {name: params[name] for name in _CONTENT if name in params}
        content.setdefault("Rules", [])
        return content, check(content["Rules"])

    def _of(self, region: str) -> list[_WebAcl]:
        return [acl for acl in self._acls.values() if acl.region == region]

    def _acl(self, arn: str) -> _WebAcl:
        if arn not in self._acls:
            raise _missing()
        return self._acls[arn]

    def _named(self, call: Call) -> _WebAcl:
        params = call.params
        _regional(params)
        for acl in self._of(call.region):
            if (acl.name, acl.id) == (params.get("Name"), params.get("Id")):
                return acl
        raise _missing()

    def _locked(self, call: Call) -> _WebAcl:
        """The web ACL that the call names with its present lock token."""
        acl = self._named(call)
        if call.params["LockToken"] != acl.lock_token:
            raise AwsError(
                "WAFOptimisticLockException",
                "AWS WAF couldn't save your changes because someone changed the resource after "
                "you started to edit it. Reapply your changes.",
            )
        return acl

    def _exists(self, load_balancer: str) -> bool:
        region = load_balancer.split(":")[3]
        return load_balancer in self._cloud.backend("elbv2", region).load_balancers

    def _load_balancer(self, arn: str) -> str:
        if ":loadbalancer/app/" not in arn:
            raise NotReproducedError("wafv2", f"web ACLs for {arn}")
        if not self._exists(arn):
            raise _missing()
        return arn

    def _resources(self, acl: _WebAcl) -> list[str]:
        """Whatever still exists of what the web ACL was put in front of."""
        acl.resources = [arn for arn in acl.resources if self._exists(arn)]
        return list(acl.resources)

    def _part(self, resource: str) -> None:
        for acl in self._acls.values():
            acl.resources = [arn for arn in acl.resources if arn != resource]


def _missing() -> AwsError:
    return AwsError(
        "WAFNonexistentItemException",
        "AWS WAF couldn't perform the operation because your resource doesn't exist.",
    )


def _regional(params: Mapping[str, Any]) -> None:
    if params.get("Scope") != "REGIONAL":
        raise NotReproducedError("wafv2", f"the scope {params.get('Scope')}")
