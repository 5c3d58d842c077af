"""The module ``release_retention``: removes what no rollback can need any more, as best effort."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..lyo_aws import Aws, AwsFailure, parallel
from ..lyo_image.reference import parse
from ..lyo_ledger.record import Run
from ..lyo_progress import Progress
from . import decide_retention as decide
from . import decide_rollback as back
from .former import Former
from .result import diff
from .stock import Stock

# What one run removes at most: a release does not wait for a spring cleaning.
MOST = 50
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html
IMAGES_A_CALL = 100


class Retention:
    """One run of the module.

    :param params: the module's arguments.
    :ivar problems: what could not be read or removed, one line each.
    """

    def __init__(
        self, aws: Aws, progress: Progress, params: Mapping[str, Any], now: datetime | None = None
    ) -> None:
        self.aws, self.progress, self.params = aws, progress, params
        self.outputs: Mapping[str, Any] = params["outputs"]
        self.keep = decide.Keep(int(params["keep_releases"]), int(params["keep_days"]))
        self.now = now or datetime.now(UTC)
        self.problems: list[str] = []
        self.url = str(self.outputs["repository_url"])
        self.repository = parse(self.url).repository
        self.family = str(self.outputs["task_family"])
        self.one_off = [f"{self.family}-{name}" for name in params["one_off"]]

    def plan(self) -> tuple[list[decide.Definition], list[decide.Image]]:
        """Return what can go.

        :raises AwsFailure: it is not known for certain, so nothing goes.
        """
        cluster = str(self.outputs["cluster_name"])
        service = str(self.outputs["service_name"])
        stock = Stock.of(self.aws, self.outputs)
        if stock.younger_than(self.keep.since(self.now)):
            return [], []  # a year's ledger need not be read
        definitions, images = stock.definitions, stock.images
        former = Former(self.aws, cluster, service, self.params.get("ledger"))
        in_use, deployments, runs = parallel(
            lambda: self._in_use(cluster), former.deployments, former.past.runs
        )
        if former.past.problem:
            raise AwsFailure("NoLedger", former.past.problem)
        served = self._served(former, deployments, runs)
        going = decide.surplus_definitions(
            definitions,
            self.family,
            self.one_off,
            in_use,
            [r.task_definition for r in served],
            self.keep,
            self.now,
        )[:MOST]
        gone = {d.arn for d in going}
        used = [image for d in definitions if d.arn not in gone for image in d.images]
        for revision in served[: self.keep.releases]:
            used += [*revision.images, *(f"{self.url}@{digest}" for digest in revision.digests)]
        return going, decide.surplus_images(images, self.url, used, self.keep, self.now)[:MOST]

    def _served(
        self, former: Former, deployments: Sequence[back.Deployment], runs: Sequence[Run]
    ) -> list[back.Revision]:
        found = former.revisions([d.revision for d in deployments])
        by_ecs = back.served(deployments, found)
        known = {r.task_definition for r in by_ecs}
        by_ledger = back.remembered(runs, {d.arn for d in deployments})
        return [*by_ecs, *(r for r in by_ledger if r.task_definition not in known)]

    def _in_use(self, cluster: str) -> list[str]:
        """Return the task definitions of every service of the cluster, and of their deployments."""
        arns = self.aws.all("ecs", "list_services", "serviceArns", cluster=cluster)
        found: list[str] = []
        for start in range(0, len(arns), 10):  # the API's limit
            answer = self.aws.call(
                "ecs", "describe_services", cluster=cluster, services=arns[start : start + 10]
            )
            for service in answer["services"]:
                found.append(str(service["taskDefinition"]))
                for entry in (*service.get("deployments", []), *service.get("taskSets", [])):
                    found.append(str(entry.get("taskDefinition", "")))
        return found

    def remove(
        self, definitions: Sequence[decide.Definition], images: Sequence[decide.Image]
    ) -> tuple[list[str], list[str]]:
        """Remove them, definitions first, and return the names of what went."""
        gone: list[str] = []
        for definition in definitions:
            try:
                self.aws.call("ecs", "deregister_task_definition", taskDefinition=definition.arn)
            except AwsFailure as failure:
                # Its image may be needed now, and the lock may be another's: no further.
                self.problems.append(f"{definition.name} stays: {failure.message}")
                return gone, []
            gone.append(definition.name)
        deleted: list[str] = []
        for some in _chunks(images, IMAGES_A_CALL):
            try:
                answer = self.aws.call(
                    "ecr",
                    "batch_delete_image",
                    repositoryName=self.repository,
                    imageIds=[{"imageDigest": image.digest} for image in some],
                )
            except AwsFailure as failure:
                self.problems.append(f"images stay: {failure.message}")
                break
            stay = {str(f.get("imageId", {}).get("imageDigest")): f for f in answer["failures"]}
            deleted += [image.name for image in some if image.digest not in stay]
            for digest, why in stay.items():
                # Also how ECR keeps the parts of an image for several architectures.
                if why.get("failureCode") != "ImageReferencedByManifestList":
                    self.problems.append(f"{digest} stays: {why.get('failureReason')}")
        return gone, deleted


def _chunks(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def run(module: Any) -> None:
    """Run the module ``release_retention``. It never fails: a release does not depend on it."""
    aws = Aws(module.params["aws"])
    task = Retention(aws, Progress("retention", aws.secrets), module.params)
    definitions: list[decide.Definition] = []
    images: list[decide.Image] = []
    try:
        definitions, images = task.plan()
    except AwsFailure as failure:
        task.problems.append(f"nothing was removed: {failure.message}")
    removed = [d.name for d in definitions], [image.name for image in images]
    if not module.check_mode:
        removed = task.remove(definitions, images)
    for problem in task.problems:
        module.warn(f"retention: {problem}")
    before = {"task definitions": removed[0], "images": removed[1]}
    module.exit_json(
        changed=bool(removed[0] or removed[1]),
        task_definitions=removed[0],
        images=removed[1],
        problems=task.problems,
        diff=diff(before, {"task definitions": [], "images": []}, "what is no longer needed")
        if removed[0] or removed[1]
        else {},
    )
