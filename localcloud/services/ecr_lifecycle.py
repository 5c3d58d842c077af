"""Which images a lifecycle policy expires. Pure.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True)
class StoredImage:
    """An image as a lifecycle policy sees it. pushed_at: aware."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime


def expired(policy: Mapping[str, Any], images: Sequence[StoredImage], now: datetime) -> set[str]:
    """Digests of the images that the policy's rules expire at `now`.

    Rules apply in the order of their priority; an image is taken by the first rule that selects
    it, and is then out of reach of the later ones, whether it is expired or kept.
    """
    taken: set[str] = set()
    gone: set[str] = set()
    for rule in sorted(policy["rules"], key=lambda rule: int(rule["rulePriority"])):
        selection = rule["selection"]
        selected = [
            image
            for image in sorted(images, key=lambda image: image.pushed_at, reverse=True)
            if image.digest not in taken and _selects(selection, image)
        ]
        taken |= {image.digest for image in selected}
        count = int(selection["countNumber"])
        if selection["countType"] == "imageCountMoreThan":
            gone |= {image.digest for image in selected[count:]}
        else:  # sinceImagePushed; ECR knows days only
            limit = now - timedelta(days=count)
            gone |= {image.digest for image in selected if image.pushed_at < limit}
    return gone


def _selects(selection: Mapping[str, Any], image: StoredImage) -> bool:
    status = selection["tagStatus"]
    if status == "any":
        return True
    if status == "untagged":
        return not image.tags
    prefixes = selection.get("tagPrefixList", [])
    patterns = selection.get("tagPatternList", [])
    # Every prefix or pattern of the list must be met by some tag.
    return (
        bool(image.tags)
        and all(any(tag.startswith(prefix) for tag in image.tags) for prefix in prefixes)
        and all(
            any(fnmatch.fnmatchcase(tag, pattern) for tag in image.tags) for pattern in patterns
        )
    )
