"""Tags of scalable targets, which moto lacks.

https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TagResource.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from localcloud.api import AwsError, Call
from localcloud.cloud import Cloud

SERVICE = "application-autoscaling"
MOST_TAGS = 50


class ScalableTargetTags:
    """Keeps each target's tags on moto's own object, so they go when it goes."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def _targets(self, region: str) -> Iterator[Any]:
        for by_resource in self._cloud.backend("applicationautoscaling", region).targets.values():
            yield from by_resource.values()

    def _tags(self, call: Call) -> dict[str, str]:
        """The tags of the target that the call names. Raises ResourceNotFoundException."""
        arn = call.params["ResourceARN"]
        for target in self._targets(call.region):
            if target.arn == arn:
                return _tags_of(target)
        raise AwsError("ResourceNotFoundException", f"The resource {arn} does not exist")

    def registered(self, call: Call) -> None:
        """Tags given at registration are for a new target; AWS leaves those of a known one alone."""
        for target in self._targets(call.region):
            same = (target.scalable_dimension, target.resource_id) == (
                call.params["ScalableDimension"],
                call.params["ResourceId"],
            )
            if same and not hasattr(target, "kept_tags"):
                _tags_of(target).update(call.params.get("Tags") or {})

    def list_tags(self, call: Call) -> Mapping[str, Any]:
        """ListTagsForResource."""
        return {"Tags": dict(self._tags(call))}

    def tag(self, call: Call) -> Mapping[str, Any]:
        """TagResource. Raises TooManyTagsException above 50 tags."""
        tags = self._tags(call)
        wanted = tags | call.params["Tags"]
        if len(wanted) > MOST_TAGS:
            raise AwsError("TooManyTagsException", f"A resource can have {MOST_TAGS} tags at most")
        tags.update(wanted)
        return {}

    def untag(self, call: Call) -> Mapping[str, Any]:
        """UntagResource."""
        tags = self._tags(call)
        for key in call.params["TagKeys"]:
            tags.pop(key, None)
        return {}


def _tags_of(target: Any) -> dict[str, str]:
    if not hasattr(target, "kept_tags"):
        target.kept_tags = {}
    tags: dict[str, str] = target.kept_tags
    return tags
