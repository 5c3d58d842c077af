"""Which platforms an image is built for, from its manifest and configuration in Amazon ECR.

https://github.com/opencontainers/image-spec/blob/main/config.md
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_checks import Request, send, tls_context
from ..lyo_image.reference import parse

MEDIA_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_ARCHITECTURES = {"amd64": "X86_64", "arm64": "ARM64"}


def named(platform: Mapping[str, Any]) -> str:
    """``{architecture: amd64, os: linux}`` → ``LINUX/X86_64``, as a task definition has it."""
    architecture = str(platform.get("architecture", ""))
    return f"{str(platform.get('os', '')).upper()}/{_ARCHITECTURES.get(architecture, architecture)}"


def of_index(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the platforms of an image index; attestations have none."""
    return tuple(
        named(entry["platform"])
        for entry in manifest.get("manifests", [])
        if (entry.get("platform") or {}).get("os") not in (None, "", "unknown")
    )


def read(aws: Aws, image: str, ca_bundle: str | None) -> tuple[str, ...]:
    """Return the platforms of an image with digest.

    :param ca_bundle: file of CA certificates to trust, None for the system's.
    :raises AwsFailure: it cannot be read.
    """
    manifest = _manifest(aws, image)
    if "manifests" in manifest:
        return of_index(manifest)
    return (named(_configuration(aws, image, manifest, ca_bundle)),)


def configuration(aws: Aws, image: str, ca_bundle: str | None) -> dict[str, Any]:
    """Return an image's configuration, empty for an index, which has many.

    :raises AwsFailure: it cannot be read.
    """
    manifest = _manifest(aws, image)
    return {} if "manifests" in manifest else _configuration(aws, image, manifest, ca_bundle)


def _manifest(aws: Aws, image: str) -> dict[str, Any]:
    reference = parse(image)
    answer = aws.call(
        "ecr",
        "batch_get_image",
        repositoryName=reference.repository,
        imageIds=[{"imageDigest": reference.digest}],
        acceptedMediaTypes=list(MEDIA_TYPES),
    )
    if not answer.get("images"):
        why = "; ".join(str(f.get("failureReason")) for f in answer.get("failures", []))
        raise AwsFailure("NoImage", f"the image {image} cannot be read: {why or 'it is gone'}")
    manifest: dict[str, Any] = json.loads(answer["images"][0]["imageManifest"])
    return manifest


def _configuration(
    aws: Aws, image: str, manifest: Mapping[str, Any], ca_bundle: str | None
) -> dict[str, Any]:
    digest = str(manifest["config"]["digest"])
    content: dict[str, Any] = json.loads(_layer(aws, parse(image).repository, digest, ca_bundle))
    return content


def _layer(aws: Aws, repository: str, digest: str, ca_bundle: str | None) -> bytes:
    answer = aws.call(
        "ecr", "get_download_url_for_layer", repositoryName=repository, layerDigest=digest
    )
    url = str(answer["downloadUrl"])
    try:
        status, content = send(Request("GET", url, {}, b"", url), 20.0, tls_context(ca_bundle))
    except (OSError, http.client.HTTPException) as error:
        raise AwsFailure("Layer", f"the image's configuration cannot be fetched: {error}") from None
    if status != 200:
        raise AwsFailure("Layer", f"the image's configuration cannot be fetched: HTTP {status}")
    return content
