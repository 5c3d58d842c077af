"""Amazon ECR: layers are really stored, checked against their digests and handed out again.

Repositories, tags and their immutability are moto's; what moto keeps only the names of (layers,
manifests' digests) is ours. https://docs.aws.amazon.com/AmazonECR/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from threading import Event
from typing import Any

from localcloud.api import AwsError, Call
from localcloud.cloud import Cloud
from localcloud.dataplane.images import BlobStore, DigestMismatchError
from localcloud.ports import ImageNotFoundError, PulledImage
from localcloud.services.ecr_lifecycle import StoredImage, expired

_PART_SIZE = 20 * 1024 * 1024
_MANIFESTS = frozenset(
    {
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    }
)
_IMAGE = re.compile(
    r"^(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/"
    r"(?P<repository>[a-z0-9][a-z0-9._/-]*?)(?:@(?P<digest>sha256:[0-9a-f]{64})|:(?P<tag>[\w.-]+))?$"
)
_LAYER_PATH = "/_localcloud/ecr/"
_DAY = 24 * 3600.0


class Registry:
    """The registry of one local cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._store = BlobStore(cloud.settings.state_dir / "ecr")
        self._uploads: dict[str, bytearray] = {}
        # Secret of the download addresses, as a presigned URL has its signature.
        self._downloads: dict[str, str] = {}

    def _repository(self, name: str) -> Any:
        repositories = self._cloud.backend("ecr").repositories
        if name not in repositories:
            raise AwsError(
                "RepositoryNotFoundException",
                f"The repository with name '{name}' does not exist in the registry with id "
                f"'{self._cloud.settings.account_id}'",
            )
        return repositories[name]

    def initiate_layer_upload(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_InitiateLayerUpload.html"""
        self._repository(call.params["repositoryName"])
        upload = str(uuid.uuid4())
        self._uploads[upload] = bytearray()
        return {"uploadId": upload, "partSize": _PART_SIZE}

    def _upload(self, call: Call) -> bytearray:
        upload = call.params["uploadId"]
        if upload not in self._uploads:
            raise AwsError(
                "UploadNotFoundException", f"The upload {upload} could not be found, or has ended."
            )
        return self._uploads[upload]

    def upload_layer_part(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UploadLayerPart.html"""
        self._repository(call.params["repositoryName"])
        parts, blob = self._upload(call), call.params["layerPartBlob"]
        first, last = call.params["partFirstByte"], call.params["partLastByte"]
        if first != len(parts) or last != first + len(blob) - 1:
            raise AwsError(
                "InvalidLayerPartException",
                f"The part {first}-{last} does not follow the {len(parts)} bytes received, or its length is another.",
            )
        parts += blob
        return {
            "registryId": call.account,
            "repositoryName": call.params["repositoryName"],
            "uploadId": call.params["uploadId"],
            "lastByteReceived": len(parts) - 1,
        }

    def complete_layer_upload(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CompleteLayerUpload.html"""
        repository = self._repository(call.params["repositoryName"])
        content = bytes(self._upload(call))
        if not content:
            raise AwsError("EmptyUploadException", "The upload has no parts.")
        try:
            digest = self._store.add(content, call.params["layerDigests"])
        except DigestMismatchError as error:
            raise AwsError(
                "InvalidLayerException",
                f"The digest {call.params['layerDigests'][0]} is not that of the layer, {error.actual}.",
            ) from error
        del self._uploads[call.params["uploadId"]]
        if digest in repository.layers:
            raise AwsError("LayerAlreadyExistsException", f"The layer {digest} exists already.")
        repository.layers[digest] = len(content)
        return {
            "registryId": call.account,
            "repositoryName": repository.name,
            "uploadId": call.params["uploadId"],
            "layerDigest": digest,
        }

    def get_download_url_for_layer(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html"""
        repository, digest = (
            self._repository(call.params["repositoryName"]),
            call.params["layerDigest"],
        )
        if digest not in repository.layers:
            raise AwsError("LayersNotFoundException", f"The layer {digest} could not be found.")
        secret = str(uuid.uuid4())
        self._downloads[secret] = digest
        return {
            "downloadUrl": f"{self._cloud.settings.endpoint}{_LAYER_PATH}{secret}",
            "layerDigest": digest,
        }

    def serve_layer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """WSGI application behind the download addresses."""
        digest = self._downloads.get(environ["PATH_INFO"].removeprefix(_LAYER_PATH))
        if digest is None or not self._store.path(digest).exists():
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"unknown or withdrawn download address\n"]
        content = self._store.path(digest).read_bytes()
        start_response(
            "200 OK",
            [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(content)))],
        )
        return [content]

    def put_image(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html"""
        repository = self._repository(call.params["repositoryName"])
        text = call.params["imageManifest"]
        digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        wanted = call.params.get("imageDigest", digest)
        if wanted != digest:
            raise AwsError(
                "ImageDigestDoesNotMatchException",
                f"The provided digest {wanted} is not that of the manifest, {digest}.",
            )
        try:
            manifest = json.loads(text)
            blobs = [
                manifest["config"]["digest"],
                *(layer["digest"] for layer in manifest["layers"]),
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise AwsError(
                "InvalidParameterException",
                "Invalid parameter at 'imageManifest' failed to satisfy constraint: 'must be an image manifest'",
            ) from error
        media_type = call.params.get("imageManifestMediaType") or manifest.get("mediaType")
        if media_type not in _MANIFESTS:
            raise AwsError(
                "InvalidParameterException",
                f"The local cloud keeps single images, not manifests of media type {media_type}.",
            )
        missing = [blob for blob in blobs if blob not in repository.layers]
        if missing:
            raise AwsError("LayersNotFoundException", f"Layers not found: {', '.join(missing)}.")
        backend = self._cloud.backend("ecr")
        tag = call.params.get("imageTag")
        if tag is None and any(image.get_image_digest() == digest for image in repository.images):
            raise AwsError(
                "ImageAlreadyExistsException",
                f"Image with digest '{digest}' already exists in the '{repository.name}' repository",
            )
        holder = next((i for i in repository.images if tag and tag in i.image_tags), None)
        if (
            holder is not None
            and holder.get_image_digest() != digest
            and repository.is_tag_immutable()
        ):
            # moto calls this ImageAlreadyExistsException, which is for an image pushed again.
            raise AwsError(
                "ImageTagAlreadyExistsException",
                f"The image tag '{tag}' already exists in the '{repository.name}' repository and "
                "cannot be overwritten because the repository is immutable.",
            )
        image = backend.put_image(repository.name, text, tag, media_type, digest)
        size = sum(repository.layers[blob] for blob in blobs[1:])
        image.get_image_size_in_bytes = lambda: size  # moto takes the configuration's
        return {
            "image": {
                "registryId": call.account,
                "repositoryName": repository.name,
                "imageId": {"imageDigest": digest} | ({"imageTag": tag} if tag else {}),
                "imageManifest": text,
                "imageManifestMediaType": image.image_manifest_media_type,
            }
        }

    def check_lifecycle_policy(self, call: Call) -> None:
        """Refuse what `expired` does not know, instead of keeping images silently."""
        try:
            rules = json.loads(call.params["lifecyclePolicyText"])["rules"]
            kinds = {rule["selection"]["countType"] for rule in rules}
        except (ValueError, KeyError, TypeError):
            return  # moto answers with ECR's error
        unknown = kinds - {"imageCountMoreThan", "sinceImagePushed"}
        if unknown:
            raise AwsError(
                "InvalidParameterException",
                f"The local cloud does not reproduce countType {', '.join(sorted(unknown))}.",
            )

    def expire_images(self) -> list[str]:
        """Apply every repository's lifecycle policy; returns the digests that went."""
        gone = []
        with self._cloud.lock:
            backend = self._cloud.backend("ecr")
            for repository in list(backend.repositories.values()):
                if not repository.lifecycle_policy:
                    continue
                images = [
                    StoredImage(
                        image.get_image_digest(),
                        tuple(image.image_tags),
                        datetime.fromtimestamp(image.image_pushed_at, UTC),
                    )
                    for image in repository.images
                ]
                policy = json.loads(repository.lifecycle_policy)
                digests = expired(policy, images, self._cloud.clock.now())
                repository.images = [
                    image for image in repository.images if image.get_image_digest() not in digests
                ]
                gone += sorted(digests)
        return gone

    def expire_daily(self, stop: Event) -> None:
        """ECR expires images within 24 hours; here every 24 hours of cloud time."""
        while not self._cloud.clock.sleep(_DAY, stop):
            self.expire_images()

    def pull(self, image: str) -> PulledImage:
        """See ports.Images."""
        match = _IMAGE.match(image)
        if match is None or match["account"] != self._cloud.settings.account_id:
            raise ImageNotFoundError(
                f"{image} is not an image of this account's registry, the only one the local cloud can pull from"
            )
        tag = match["tag"] or "latest"
        with self._cloud.lock:
            backend = self._cloud.backend("ecr", match["region"])
            repository = backend.repositories.get(match["repository"])
            if repository is None:
                raise ImageNotFoundError(f"{image}: repository does not exist")
            found = next(
                (
                    stored
                    for stored in repository.images
                    if (
                        stored.get_image_digest() == match["digest"]
                        if match["digest"]
                        else tag in stored.image_tags
                    )
                ),
                None,
            )
        if found is None:
            raise ImageNotFoundError(f"{image}: not found")
        manifest = json.loads(found.image_manifest)
        root = self._store.unpack(
            found.get_image_digest(), [layer["digest"] for layer in manifest["layers"]]
        )
        config = json.loads(self._store.path(manifest["config"]["digest"]).read_bytes())
        return PulledImage(found.get_image_digest(), root, config.get("config", {}))


def register(cloud: Cloud) -> None:
    """Put the registry in place."""
    registry = Registry(cloud)
    cloud.parts["ecr"] = registry
    cloud.routes[_LAYER_PATH] = registry.serve_layer
    for operation, handler in (
        ("InitiateLayerUpload", registry.initiate_layer_upload),
        ("UploadLayerPart", registry.upload_layer_part),
        ("CompleteLayerUpload", registry.complete_layer_upload),
        ("GetDownloadUrlForLayer", registry.get_download_url_for_layer),
        ("PutImage", registry.put_image),
    ):
        cloud.api.replace("ecr", operation, handler)
    cloud.api.before("ecr", "PutLifecyclePolicy", registry.check_lifecycle_policy)
    cloud.background("ecr-lifecycle", registry.expire_daily)
