"""Which task definitions and images are no longer needed: decisions without I/O."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Definition:
    """An active task definition.

    :ivar images: images of its containers, as they stand there.
    :ivar registered_at: aware.
    """

    arn: str
    family: str
    images: tuple[str, ...]
    registered_at: datetime
    release: str = ""

    @property
    def name(self) -> str:
        """Release and ``family:revision``, for people."""
        short = self.arn.rpartition("/")[2]
        return f"{self.release} ({short})" if self.release else short


@dataclass(frozen=True)
class Image:
    """An image of the repository. pushed_at: aware."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime

    @property
    def name(self) -> str:
        """Its tags, else its digest, for people."""
        return ", ".join(self.tags) or self.digest


@dataclass(frozen=True)
class Keep:
    """What stays: the last ``releases`` that served, and whatever is younger than ``days``."""

    releases: int
    days: int

    def since(self, now: datetime) -> datetime:
        """Return when what is too young to go begins."""
        return now - timedelta(days=self.days)


def surplus_definitions(
    definitions: Sequence[Definition],
    family: str,
    one_off: Collection[str],
    in_use: Collection[str],
    served: Sequence[str],
    keep: Keep,
    now: datetime,
) -> list[Definition]:
    """Return the task definitions that can go, oldest first.

    :param definitions: every active one of the account.
    :param family: the service's.
    :param one_off: families of the environment's one-off tasks.
    :param in_use: ARNs that a service of the cluster runs, or is just being moved to.
    :param served: ARNs of what served, newest first, each once.

    A one-off task's stays as long as one of the service's with the same image does. The newest of
    each family stays in any case: that is where the next release looks first.
    """
    kept = {*in_use, *served[: keep.releases]}
    newest = {d.family: d.arn for d in sorted(definitions, key=_age)}
    images = {image for d in definitions if d.arn in kept for image in d.images}
    return sorted(
        (
            d
            for d in definitions
            if d.arn not in kept
            and d.arn != newest[d.family]
            and d.registered_at < keep.since(now)
            and (d.family == family or (d.family in one_off and not images & set(d.images)))
        ),
        key=_age,
    )


def _age(definition: Definition) -> tuple[datetime, str]:
    return definition.registered_at, definition.arn


def surplus_images(
    images: Sequence[Image],
    repository_url: str,
    used: Collection[str],
    keep: Keep,
    now: datetime,
) -> list[Image]:
    """Return the images that can go, oldest first.

    :param repository_url: address that ``used`` has the images under.
    :param used: images, by digest or tag, of every task definition that stays, whose ever it is, and
        of the releases that the ledger may bring back.
    """
    names = {
        name.removeprefix(repository_url).lstrip("@:")
        for name in used
        if name.startswith((f"{repository_url}@", f"{repository_url}:"))
    }
    return sorted(
        (
            image
            for image in images
            if image.digest not in names
            and not names & set(image.tags)
            and image.pushed_at < keep.since(now)
        ),
        key=lambda image: (image.pushed_at, image.digest),
    )
