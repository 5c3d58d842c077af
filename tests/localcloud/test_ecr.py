"""ECR: pushed and pulled for real, through ECR's own API."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import urllib.request
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.conftest import RunningCloud


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def layer(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(buffer.getvalue(), mtime=0)


def upload(ecr: Any, repository: str, content: bytes) -> str:
    started = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    half = len(content) // 2
    for first, part in ((0, content[:half]), (half, content[half:])):
        if part:
            ecr.upload_layer_part(
                repositoryName=repository,
                uploadId=started,
                partFirstByte=first,
                partLastByte=first + len(part) - 1,
                layerPartBlob=part,
            )
    answer = ecr.complete_layer_upload(
        repositoryName=repository, uploadId=started, layerDigests=[digest_of(content)]
    )
    return str(answer["layerDigest"])


def manifest(config: bytes, *layers: bytes) -> str:
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest_of(config),
                "size": len(config),
            },
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                    "digest": digest_of(content),
                    "size": len(content),
                }
                for content in layers
            ],
        }
    )


@pytest.fixture
def repository(cloud: RunningCloud) -> str:
    name = f"test-{uuid.uuid4().hex[:8]}"
    cloud.client("ecr").create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    return name


def push(ecr: Any, repository: str, tag: str, text: str) -> dict[str, Any]:
    config, content = b'{"config":{}}', layer({"app/hello.txt": text})
    for blob in (config, content):
        known = ecr.batch_check_layer_availability(
            repositoryName=repository, layerDigests=[digest_of(blob)]
        )
        if not known["layers"]:
            upload(ecr, repository, blob)
    answer: dict[str, Any] = ecr.put_image(
        repositoryName=repository, imageManifest=manifest(config, content), imageTag=tag
    )["image"]
    return answer


def test_a_pushed_image_comes_back_byte_for_byte(cloud: RunningCloud, repository: str) -> None:
    ecr = cloud.client("ecr")
    pushed = push(ecr, repository, "v1", "ciao")
    found = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["images"]
    assert found[0]["imageId"]["imageDigest"] == pushed["imageId"]["imageDigest"]
    assert digest_of(found[0]["imageManifest"].encode()) == pushed["imageId"]["imageDigest"]
    content = layer({"app/hello.txt": "ciao"})
    url = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest_of(content))[
        "downloadUrl"
    ]
    with urllib.request.urlopen(url) as response:
        assert response.read() == content
    described = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "v1"}])
    assert described["imageDetails"][0]["imageSizeInBytes"] == len(content)


def test_an_immutable_tag_is_not_moved(cloud: RunningCloud, repository: str) -> None:
    ecr = cloud.client("ecr")
    push(ecr, repository, "v1", "first")
    with pytest.raises(ClientError, match="ImageTagAlreadyExistsException"):
        push(ecr, repository, "v1", "second")
    with pytest.raises(ClientError, match="ImageAlreadyExistsException"):
        push(ecr, repository, "v1", "first")


def test_bytes_that_do_not_match_their_digest_are_refused(
    cloud: RunningCloud, repository: str
) -> None:
    ecr = cloud.client("ecr")
    started = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    ecr.upload_layer_part(
        repositoryName=repository,
        uploadId=started,
        partFirstByte=0,
        partLastByte=3,
        layerPartBlob=b"ciao",
    )
    with pytest.raises(ClientError, match="InvalidLayerException"):
        ecr.complete_layer_upload(
            repositoryName=repository, uploadId=started, layerDigests=[digest_of(b"addio")]
        )


def test_a_part_out_of_order_is_refused(cloud: RunningCloud, repository: str) -> None:
    ecr = cloud.client("ecr")
    started = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    with pytest.raises(ClientError, match="InvalidLayerPartException"):
        ecr.upload_layer_part(
            repositoryName=repository,
            uploadId=started,
            partFirstByte=4,
            partLastByte=7,
            layerPartBlob=b"ciao",
        )


def test_an_image_whose_layers_were_not_pushed_is_refused(
    cloud: RunningCloud, repository: str
) -> None:
    with pytest.raises(ClientError, match="LayersNotFoundException"):
        cloud.client("ecr").put_image(
            repositoryName=repository, imageManifest=manifest(b"{}", b"absent"), imageTag="v1"
        )


def test_a_repository_that_does_not_exist(cloud: RunningCloud) -> None:
    with pytest.raises(ClientError, match="RepositoryNotFoundException"):
        cloud.client("ecr").initiate_layer_upload(repositoryName="absent-repository")
