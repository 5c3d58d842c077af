"""Names of images: ``<account>.dkr.ecr.<region>.amazonaws.com/<repository>[:tag][@digest]``."""

from __future__ import annotations

import re
from dataclasses import dataclass

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_ECR = re.compile(r"\d{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")


@dataclass(frozen=True)
class Reference:
    """The parts of an image's name, empty where it has none."""

    registry: str = ""
    repository: str = ""
    tag: str = ""
    digest: str = ""

    @property
    def is_ecr(self) -> bool:
        """Whether the registry is Amazon ECR."""
        return bool(_ECR.fullmatch(self.registry))


def parse(image: str) -> Reference:
    """Return the parts of an address, a bare tag or a bare digest.

    :raises ValueError: it is none of them.
    """
    if DIGEST.fullmatch(image):
        return Reference(digest=image)
    name, _, digest = image.partition("@")
    if digest and not DIGEST.fullmatch(digest):
        raise ValueError(f"{image!r}: the digest is not sha256: and 64 hexadecimal digits")
    if "/" not in name:
        if not digest and _TAG.fullmatch(name):
            return Reference(tag=name)
        raise ValueError(f"{image!r} is not an image: name an address, a tag or a digest")
    registry, _, rest = name.partition("/")
    repository, _, tag = rest.partition(":")
    if not repository or (tag and not _TAG.fullmatch(tag)):
        raise ValueError(f"{image!r} is not the address of an image")
    return Reference(registry, repository, tag, digest)


def within(image: str, repository_url: str) -> Reference:
    """Return ``image`` as a reference into ``repository_url``.

    :raises ValueError: it names another repository, or neither tag nor digest.
    """
    home = parse(repository_url)
    reference = parse(image)
    if reference.repository and (reference.registry, reference.repository) != (
        home.registry,
        home.repository,
    ):
        raise ValueError(
            f"{image} is not in {repository_url}, the repository of this environment: push it there"
        )
    if not reference.tag and not reference.digest:
        raise ValueError(f"{image} names neither a tag nor a digest")
    return Reference(home.registry, home.repository, reference.tag, reference.digest)
