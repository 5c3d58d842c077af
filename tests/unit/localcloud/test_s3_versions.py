"""Versions are listed without copying what is stored."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, cast

import pytest
from moto.s3.models import FakeBucket, FakeKey, S3Backend
from moto.s3.responses import S3Response

from localcloud.cloud import Cloud
from localcloud.services import s3


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Backend]:
    """moto's S3 with a versioned bucket."""
    monkeypatch.setattr(FakeKey, "__deepcopy__", None, raising=False)
    with contextlib.ExitStack() as stack:
        for owner, name in (
            (FakeBucket, "get_permission"),
            (S3Response, "_key_response_get"),
            (S3Response, "put_object_retention"),
            (S3Backend, "put_bucket_versioning"),
            (S3Response, "_key_response_post"),
        ):
            stack.callback(setattr, owner, name, getattr(owner, name))
        s3.register(cast(Cloud, None))
        made = S3Backend("eu-south-1", "123456789012")
        made.create_bucket("bucket", "eu-south-1")
        made.put_bucket_versioning("bucket", "Enabled")
        yield made
        made.reset()


def listed(backend: S3Backend) -> list[Any]:
    """The versions of the bucket."""
    return list(backend.list_object_versions("bucket")[0])


def test_a_listing_copies_no_content_and_keeps_nothing(backend: S3Backend) -> None:
    content = b"x" * 100_000
    stored = [backend.put_object("bucket", name, content) for name in ("a", "a", "b")]
    kept = len(FakeKey.instances_tracked)  # type: ignore[attr-defined]
    versions = listed(backend)
    assert len(FakeKey.instances_tracked) == kept  # type: ignore[attr-defined]
    assert [(v.name, v.is_latest, v.size) for v in versions] == [
        ("a", True, 100_000), ("a", False, 100_000), ("b", True, 100_000),
    ]  # fmt: skip
    assert {v.version_id for v in versions} == {key.version_id for key in stored}
    assert {v.etag for v in versions} == {stored[0].etag}
    assert [v.value for v in versions] == [b""] * 3
    del versions
    # What was listed is untouched, also when the copies are gone.
    assert [key.value for key in stored] == [content] * 3


def test_a_deleted_object_is_listed_with_its_marker(backend: S3Backend) -> None:
    key = backend.put_object("bucket", "a", b"content")
    backend.delete_object("bucket", "a")
    listing: Any = backend.list_object_versions("bucket")
    versions, markers = listing[0], listing[2]
    assert [(one.name, one.is_latest) for one in versions] == [("a", False)]
    assert [one.name for one in markers] == ["a"]
    assert key.value == b"content"
