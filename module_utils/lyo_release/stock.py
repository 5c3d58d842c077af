"""What releases leave behind: every active task definition of the account, every image of the repository."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..lyo_aws import Aws, parallel
from ..lyo_image.reference import parse
from . import live
from .decide_retention import Definition, Image
from .task_definition import family_of, release_of

# Reads side by side.
AT_ONCE = 8


@dataclass(frozen=True)
class Stock:
    """What there is."""

    definitions: Sequence[Definition]
    images: Sequence[Image]

    @classmethod
    def of(cls, aws: Aws, outputs: Mapping[str, Any]) -> Stock:
        """Read it.

        :param outputs: with ``repository_url``.
        :raises AwsFailure: it cannot be read.
        """
        repository = parse(str(outputs["repository_url"])).repository
        definitions, images = parallel(lambda: _definitions(aws), lambda: _images(aws, repository))
        return cls(definitions, images)

    def younger_than(self, moment: datetime) -> bool:
        """Return whether nothing was made before a moment, which is aware."""
        made = [d.registered_at for d in self.definitions] + [i.pushed_at for i in self.images]
        return all(at >= moment for at in made)


def _definitions(aws: Aws) -> list[Definition]:
    arns = aws.all("ecs", "list_task_definitions", "taskDefinitionArns", status="ACTIVE")

    def reader(arn: str) -> Callable[[], Any]:
        return lambda: live.describe_definition(aws, arn)

    described: list[dict[str, Any] | None] = []
    for start in range(0, len(arns), AT_ONCE):
        described += parallel(*map(reader, arns[start : start + AT_ONCE]))
    return [
        Definition(
            str(content["taskDefinitionArn"]),
            family_of(str(content["taskDefinitionArn"])),
            tuple(str(c.get("image", "")) for c in content.get("containerDefinitions", [])),
            content["registeredAt"],
            release_of(content),
        )
        for content in described
        if content is not None
    ]


def _images(aws: Aws, repository: str) -> list[Image]:
    found = aws.all("ecr", "describe_images", "imageDetails", repositoryName=repository)
    return [
        Image(
            str(image["imageDigest"]),
            tuple(str(tag) for tag in image.get("imageTags") or ()),
            image["imagePushedAt"],
        )
        for image in found
    ]
