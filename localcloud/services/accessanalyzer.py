"""IAM Access Analyzer: the account's analyzer, kept as words; it never looks at a policy.

https://docs.aws.amazon.com/access-analyzer/latest/APIReference/Welcome.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud


class AccessAnalyzer:
    """Answers each operation by a method of its name in snake case."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._analyzers: dict[str, dict[str, Any]] = {}

    def create_analyzer(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_CreateAnalyzer.html.

        An account has one analyzer of external access in a region.
        """
        params = call.params
        if params["type"] != "ACCOUNT" or params.get("configuration") or params.get("archiveRules"):
            raise NotReproducedError("accessanalyzer", "anything but an account's plain analyzer")
        arn = f"arn:aws:access-analyzer:{call.region}:{call.account}:analyzer/{params['analyzerName']}"
        if arn in self._analyzers:
            raise AwsError("ConflictException", "The analyzer already exists", status=409)
        if any(other.split(":")[3] == call.region for other in self._analyzers):
            raise AwsError(
                "ServiceQuotaExceededException",
                "The account has its analyzer in this region already",
                status=402,
            )
        self._analyzers[arn] = {
            "arn": arn,
            "name": params["analyzerName"],
            "type": params["type"],
            "status": "ACTIVE",
            "createdAt": self._cloud.clock.now(),
            "tags": dict(params.get("tags") or {}),
        }
        return {"arn": arn}

    def get_analyzer(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_GetAnalyzer.html."""
        return {"analyzer": self._named(call)}

    def list_analyzers(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_ListAnalyzers.html."""
        here = [one for arn, one in self._analyzers.items() if arn.split(":")[3] == call.region]
        return {"analyzers": here}

    def delete_analyzer(self, call: Call) -> None:
        """https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_DeleteAnalyzer.html."""
        del self._analyzers[self._named(call)["arn"]]

    def list_tags_for_resource(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_ListTagsForResource.html."""
        return {"tags": self._tags(call)}

    def tag_resource(self, call: Call) -> None:
        """https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_TagResource.html."""
        self._tags(call).update(call.params["tags"])

    def untag_resource(self, call: Call) -> None:
        """https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_UntagResource.html."""
        tags = self._tags(call)
        for key in call.params["tagKeys"]:
            tags.pop(key, None)

    def _named(self, call: Call) -> dict[str, Any]:
        name = call.params["analyzerName"]
        return self._find(f"arn:aws:access-analyzer:{call.region}:{call.account}:analyzer/{name}")

    def _tags(self, call: Call) -> dict[str, str]:
        tags: dict[str, str] = self._find(call.params["resourceArn"])["tags"]
        return tags

    def _find(self, arn: str) -> dict[str, Any]:
        if arn not in self._analyzers:
            raise AwsError("ResourceNotFoundException", f"{arn} does not exist", status=404)
        return self._analyzers[arn]


def register(cloud: Cloud) -> None:
    """Answer the whole service."""
    cloud.api.replace_service("accessanalyzer", AccessAnalyzer(cloud))
