"""What a rollback can go back to: the service's past by ECS and by the ledger, and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..lyo_aws import Aws, AwsFailure, parallel
from ..lyo_image.reference import parse
from . import decide_rollback as back
from . import follow, live, schema
from .past import Past
from .task_definition import image_of, log_group_of, release_of, schema_of

# Deployments whose revisions are described; the ledger remembers the others.
HISTORY = 20
RUNS = 60


class Former:
    """The past of one service.

    :param ledger: ``bucket`` and ``prefix`` of the ledger; None where there is none.
    :ivar definitions: the task definitions read so far, by ARN; None where there is no such one.
    """

    def __init__(
        self, aws: Aws, cluster: str, service: str, ledger: Mapping[str, Any] | None
    ) -> None:
        self.aws, self.cluster, self.service = aws, cluster, service
        self.past = Past(aws, ledger)
        self.definitions: dict[str, dict[str, Any] | None] = {}

    def definition(self, arn: str) -> dict[str, Any] | None:
        """Return a task definition, read once; None where there is no such one."""
        if arn not in self.definitions:
            self.definitions[arn] = live.describe_definition(self.aws, arn)
        return self.definitions[arn]

    def named(self, arn: str) -> back.Revision:
        """Return a task definition as a revision, with its release and image."""
        definition = self.definition(arn)
        image = image_of(definition)
        return back.Revision("", arn, (image,), (image.partition("@")[2],), release_of(definition))

    def deployments(self) -> list[back.Deployment]:
        """Return the deployments that ECS remembers, newest first."""
        return [
            back.Deployment(
                str(entry["serviceDeploymentArn"]),
                str(entry.get("status")),
                str(entry.get("targetServiceRevisionArn", "")),
            )
            for entry in follow.recent(self.aws, self.cluster, self.service)
        ]

    def revisions(self, arns: Sequence[str]) -> dict[str, back.Revision]:
        """Return service revisions by ARN, as far as ECS remembers, without their releases."""
        described = live.describe_revisions(self.aws, arns)
        return {arn: revision(entry) for arn, entry in described.items()}

    def with_releases(self, revisions: Mapping[str, back.Revision]) -> dict[str, back.Revision]:
        """Return the revisions with the names of their releases."""
        arns = list({r.task_definition for r in revisions.values()})

        def reader(arn: str) -> Callable[[], Any]:
            return lambda: self.definition(arn)

        parallel(*map(reader, arns))
        return {
            arn: replace(r, release=release_of(self.definition(r.task_definition)))
            for arn, r in revisions.items()
        }

    def returning(self, target: str) -> bool:
        """Tell whether a deployment of ``target`` brings back what served before."""
        deployments, runs = parallel(self.deployments, lambda: self.past.runs(RUNS))
        revisions = self.revisions([d.revision for d in deployments[:HISTORY]])
        before = {r.task_definition for r in back.served(deployments, revisions)}
        return back.returns(target, before, runs)

    def unusable(self, target: back.Revision) -> str:
        """Return why a revision cannot be deployed again, empty where it can.

        :raises AwsFailure: it cannot be found out.
        """
        definition = self.definition(target.task_definition)
        if definition is None or definition.get("status", "ACTIVE") != "ACTIVE":
            return "its task definition is deregistered"
        return self._missing_image(target)

    def _missing_image(self, target: back.Revision) -> str:
        for image, digest in zip(target.images, target.digests, strict=False):
            reference = parse(image)
            if not reference.repository or not reference.is_ecr:
                continue
            wanted = digest or reference.digest
            name = {"imageDigest": wanted} if wanted else {"imageTag": reference.tag}
            try:
                self.aws.call(
                    "ecr",
                    "describe_images",
                    repositoryName=reference.repository,
                    imageIds=[name],
                )
            except AwsFailure as failure:
                if failure.code in ("ImageNotFoundException", "RepositoryNotFoundException"):
                    return f"its image {image} no longer exists"
                raise
        return ""

    def schema_of(self, arn: str) -> tuple[str, str]:
        """Return why the schema cannot serve a task definition, and why that is in doubt.

        Both are empty where it is known to be served.
        """
        definition = self.definition(arn)
        name, revisions = self.named(arn).name, schema_of(definition)
        present, doubt = self.past.present(log_group_of(definition))
        problem = schema.cannot_serve(name, revisions, present)
        return problem, "" if problem else doubt or schema.unknown(name, revisions, present)


def revision(entry: Mapping[str, Any]) -> back.Revision:
    """Return a described service revision as the decision code wants it."""
    images: Sequence[Mapping[str, Any]] = entry.get("containerImages") or []
    return back.Revision(
        arn=str(entry["serviceRevisionArn"]),
        task_definition=str(entry.get("taskDefinition", "")),
        images=tuple(str(i.get("image", "")) for i in images),
        digests=tuple(str(i.get("imageDigest", "")) for i in images),
    )
