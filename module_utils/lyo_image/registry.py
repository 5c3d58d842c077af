"""Amazon ECR through its API: what is there, and what has to be pushed.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from .build import Blob, Image
from .reference import Reference

# Parts of an upload must be 5 MiB at least, except for the last one; ECR says how large it likes
# them.
_MINIMUM_PART = 5 * 1024 * 1024
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UploadLayerPart.html
_UPLOAD_MOVED_ON = frozenset(
    {"InvalidLayerPartException", "UploadNotFoundException", "EmptyUploadException"}
)
_UPLOADS = 5
DOWNLOAD_SECONDS = 20
_NOT_THERE = frozenset({"ImageNotFoundException", "RepositoryNotFoundException"})


def find(aws: Aws, reference: Reference) -> dict[str, Any] | None:
    """Return what ECR knows of an image, None where it or the repository does not exist."""
    name = {"imageDigest": reference.digest} if reference.digest else {"imageTag": reference.tag}
    try:
        answer = aws.call(
            "ecr", "describe_images", repositoryName=reference.repository, imageIds=[name]
        )
    except AwsFailure as failure:
        if failure.code in _NOT_THERE:
            return None
        raise
    found: list[dict[str, Any]] = answer.get("imageDetails", [])
    return found[0] if found else None


def labels(aws: Aws, repository: str, digest: str) -> dict[str, str]:
    """Return the labels of an image, read from its config; empty where it has none.

    Of an image for several architectures, those of the first: they are of one build.
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html

    :raises AwsFailure: ``NoImage``, the image cannot be read.
    """
    manifest = _manifest(aws, repository, digest)
    if "config" not in manifest and manifest.get("manifests"):
        manifest = _manifest(aws, repository, str(manifest["manifests"][0]["digest"]))
    config = str(manifest.get("config", {}).get("digest", ""))
    if not config:
        return {}
    url = aws.call(
        "ecr", "get_download_url_for_layer", repositoryName=repository, layerDigest=config
    )["downloadUrl"]
    try:
        # An address of AWS's own, from its answer.
        with urllib.request.urlopen(str(url), timeout=DOWNLOAD_SECONDS) as answer:  # noqa: S310
            content = json.loads(answer.read())
        found = (content.get("config") or {}).get("Labels") or {}
    except (OSError, ValueError, AttributeError) as error:
        raise AwsFailure("NoImage", f"the labels of {digest} cannot be read: {error}") from None
    return {str(name): str(value) for name, value in found.items()}


def _manifest(aws: Aws, repository: str, digest: str) -> dict[str, Any]:
    answer = aws.call(
        "ecr", "batch_get_image", repositoryName=repository, imageIds=[{"imageDigest": digest}]
    )
    found = answer.get("images") or []
    if not found:
        raise AwsFailure("NoImage", f"the image {digest} in {repository} cannot be read")
    manifest: dict[str, Any] = json.loads(found[0]["imageManifest"])
    return manifest


def newest(aws: Aws, repository: str, limit: int = 8) -> list[str]:
    """Return the tags pushed last, newest first; empty where the repository does not exist."""
    try:
        images = aws.all("ecr", "describe_images", "imageDetails", repositoryName=repository)
    except AwsFailure as failure:
        if failure.code in _NOT_THERE:
            return []
        raise
    images.sort(key=lambda image: str(image.get("imagePushedAt", "")), reverse=True)
    return [tag for image in images for tag in image.get("imageTags", [])][:limit]


def resolve(aws: Aws, reference: Reference) -> dict[str, Any]:
    """Return what ECR knows of an image that must exist.

    :raises AwsFailure: ``NoImage``, with the newest tags there are.
    """
    found = find(aws, reference)
    if found is not None:
        return found
    name = reference.digest or reference.tag
    tags = newest(aws, reference.repository)
    known = f"the newest tags are: {', '.join(tags)}" if tags else "the repository is empty"
    raise AwsFailure(
        "NoImage",
        f"there is no image {name} in {reference.repository}; {known}",
        "ecr:DescribeImages",
    )


def missing(aws: Aws, repository: str, blobs: Mapping[str, Blob]) -> list[Blob]:
    """Return the blobs that the repository does not have."""
    answer = aws.call(
        "ecr",
        "batch_check_layer_availability",
        repositoryName=repository,
        layerDigests=list(blobs),
    )
    there = {
        entry["layerDigest"]
        for entry in answer.get("layers", [])
        if entry.get("layerAvailability") == "AVAILABLE"
    }
    return [blob for digest, blob in blobs.items() if digest not in there]


def upload(aws: Aws, repository: str, blob: Blob, say: Callable[[int], None]) -> None:
    """Upload one blob in parts.

    A part whose answer was lost is refused when it is sent again, because the upload has moved on:
    then the blob is uploaded anew, unless ECR has it by now.

    :param say: told the bytes sent so far.
    """
    for attempt in range(1, _UPLOADS + 1):
        try:
            _upload(aws, repository, blob, say)
        except AwsFailure as failure:
            if failure.code not in _UPLOAD_MOVED_ON or attempt == _UPLOADS:
                raise
            if not missing(aws, repository, {blob.digest: blob}):
                return
        else:
            return


def _upload(aws: Aws, repository: str, blob: Blob, say: Callable[[int], None]) -> None:
    begun = aws.call("ecr", "initiate_layer_upload", repositoryName=repository)
    size = max(_MINIMUM_PART, int(begun.get("partSize") or _MINIMUM_PART))
    for start in range(0, len(blob.data), size):
        part = blob.data[start : start + size]
        aws.call(
            "ecr",
            "upload_layer_part",
            repositoryName=repository,
            uploadId=begun["uploadId"],
            partFirstByte=start,
            partLastByte=start + len(part) - 1,
            layerPartBlob=part,
        )
        say(start + len(part))
    try:
        aws.call(
            "ecr",
            "complete_layer_upload",
            repositoryName=repository,
            uploadId=begun["uploadId"],
            layerDigests=[blob.digest],
        )
    except AwsFailure as failure:
        if failure.code != "LayerAlreadyExistsException":  # somebody else was faster
            raise


def push(
    aws: Aws, repository: str, tag: str, image: Image, say: Callable[[str, int], None]
) -> tuple[str, list[Blob]]:
    """Push an image under an immutable tag; return the digest it has there, and what was sent.

    The tag names the inputs. Where it exists already, made by somebody else at the same time,
    theirs is the image of these inputs and its digest is returned.

    :param say: told what is being done, and its percentage.
    """
    blobs = {blob.digest: blob for blob in (*image.layers, image.config)}
    wanted = missing(aws, repository, blobs)
    total = sum(len(blob.data) for blob in wanted) or 1
    sent = 0
    for blob in wanted:
        base = sent

        def report(done: int, base: int = base) -> None:
            say(f"{(base + done) // 1024} of {total // 1024} KiB", (base + done) * 100 // total)

        upload(aws, repository, blob, report)
        sent += len(blob.data)
    try:
        aws.call(
            "ecr",
            "put_image",
            repositoryName=repository,
            imageManifest=image.manifest.decode(),
            imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
            imageTag=tag,
            imageDigest=image.digest,
        )
    except AwsFailure as failure:
        if failure.code == "ImageAlreadyExistsException":
            return image.digest, wanted
        if failure.code != "ImageTagAlreadyExistsException":
            raise
        theirs = resolve(aws, Reference(repository=repository, tag=tag))
        return str(theirs["imageDigest"]), wanted
    return image.digest, wanted
