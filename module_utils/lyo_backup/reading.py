"""What a run of backup.yml reads before it changes anything: side by side, and only reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..lyo_aws import Aws, AwsFailure, parallel
from . import decide, scratch
from .catalogue import Catalogue
from .program import Program
from .scratch import Instances
from .snapshots import CacheSnapshots, RdsSnapshots


class Place:
    """Where an environment's backups are.

    :param name: what the environment's names begin with.
    :param copy_aws: makes the same account in another region.
    """

    def __init__(
        self,
        aws: Aws,
        env: str,
        name: str,
        outputs: Mapping[str, Any],
        prefix: str,
        copy_aws: Callable[[str], Aws],
    ) -> None:
        self.env, self.name, self.outputs = env, name, outputs
        operations = outputs["operations"]
        self.instance = str(outputs["database"]["identifier"])
        self.group = name
        self.bucket = str(operations["bucket"])
        self.logical = Catalogue(aws, self.bucket, prefix)
        self.copies: Catalogue | None = None
        if operations.get("copy_bucket"):
            region = str(operations.get("copy_region") or aws.region)
            there = aws if region == aws.region else copy_aws(region)
            self.copies = Catalogue(there, str(operations["copy_bucket"]), prefix)
        self.rds, self.cache = RdsSnapshots(aws), CacheSnapshots(aws)

    @property
    def lock_days(self) -> float:
        """How long a finished backup cannot be deleted for good."""
        return float(self.outputs["operations"].get("lock_days") or 0)

    def tags(self, backup: str, **more: str) -> dict[str, str]:
        """Return the tags of what belongs to a backup."""
        return {"Project": "lyo", "Environment": self.env, "lyo:backup": backup, **more}


def check(outputs: Mapping[str, Any], env: str) -> None:
    """Make sure that the outputs have what backups need.

    :raises AwsFailure: ``NothingYet``, they have not; the message says what to type.
    """
    missing = [
        name
        for name in (
            "cluster_name",
            "subnet_ids",
            "app_security_group_ids",
            "database",
            "operations",
        )
        if not outputs.get(name)
    ]
    if missing:
        raise AwsFailure(
            "NothingYet",
            f"{env} has nothing to back up with yet: Terraform's outputs lack {', '.join(missing)}. "
            f"Type: ansible-playbook deploy.yml -e env={env}",
        )


def read(place: Place, program: Program, instances: Instances) -> decide.Found:
    """Return what there is.

    The tasks are read first: what one of them finishes meanwhile is complete in the listings after it.

    :raises AwsFailure: something cannot be read, so nothing is decided.
    """
    running = program.running()
    copies = place.copies
    logical, uploads, copied, copy_uploads, rds, cache, all_instances = parallel(
        place.logical.read,
        place.logical.uploads,
        copies.read if copies else lambda: None,
        copies.uploads if copies else list,
        place.rds.listed,
        place.cache.listed,
        instances.listed,
    )
    return decide.Found(
        decide.ours(rds, {place.instance, place.name}, place.env),
        decide.ours(cache, {place.group}, place.env),
        logical,
        copied,
        running,
        uploads,
        copy_uploads,
        scratch.of_instances(all_instances, place.name),
    )
