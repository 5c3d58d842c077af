"""Object lock over S3's API: what a lock keeps, and who may lift it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.conftest import RunningCloud

BUCKET, KEY = "locked", "logical/1/parts/0001"


@pytest.fixture(scope="module")
def s3(cloud: RunningCloud) -> Any:
    client = cloud.client("s3")
    client.create_bucket(
        Bucket=BUCKET,
        ObjectLockEnabledForBucket=True,
        CreateBucketConfiguration={"LocationConstraint": "eu-south-1"},
    )
    return client


def refused(call: Callable[..., Any], **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(Bucket=BUCKET, **params)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def until(days: int) -> dict[str, Any]:
    return {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(days=days)}


def test_a_locked_version_stays_whatever_happens_to_its_key(s3: Any) -> None:
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    version = s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"backup")["VersionId"]
    at = {"Key": KEY, "VersionId": version}
    assert refused(s3.get_object_retention, **at) == ("NoSuchObjectLockConfiguration", 404)
    wanted = until(2)
    s3.put_object_retention(Bucket=BUCKET, **at, Retention=wanted)
    lock = s3.get_object_retention(Bucket=BUCKET, **at)["Retention"]
    assert lock["Mode"] == "GOVERNANCE"
    assert abs(lock["RetainUntilDate"] - wanted["RetainUntilDate"]) < timedelta(seconds=1)
    assert refused(s3.delete_object, **at) == ("AccessDenied", 403)
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [at]})
    assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"]
    # Overwriting and deleting the key hide the version, and no more.
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"something else")
    s3.delete_object(Bucket=BUCKET, Key=KEY)
    assert s3.get_object(Bucket=BUCKET, **at)["Body"].read() == b"backup"


def test_a_lock_is_lifted_only_by_who_says_so(s3: Any) -> None:
    version = s3.put_object(Bucket=BUCKET, Key="other", Body=b"backup")["VersionId"]
    at = {"Key": "other", "VersionId": version}
    s3.put_object_retention(Bucket=BUCKET, **at, Retention=until(2))
    shorter = {**at, "Retention": until(1)}
    assert refused(s3.put_object_retention, **shorter) == ("AccessDenied", 403)
    s3.put_object_retention(Bucket=BUCKET, **at, Retention=until(3))
    s3.put_object_retention(Bucket=BUCKET, **shorter, BypassGovernanceRetention=True)
    s3.delete_object(Bucket=BUCKET, **at, BypassGovernanceRetention=True)
    with pytest.raises(ClientError):
        s3.get_object(Bucket=BUCKET, **at)


def test_what_would_weaken_the_bucket_is_refused(s3: Any) -> None:
    suspended = {"VersioningConfiguration": {"Status": "Suspended"}}
    assert refused(s3.put_bucket_versioning, **suspended) == ("InvalidBucketState", 409)


def test_an_upload_in_parts_is_locked_once_it_is_complete(s3: Any) -> None:
    lock = {
        "ObjectLockMode": "GOVERNANCE",
        "ObjectLockRetainUntilDate": until(1)["RetainUntilDate"],
    }
    code, status = refused(s3.create_multipart_upload, Key="parts", **lock)
    assert (code, status) == ("NotImplemented", 501)
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=BUCKET, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")
    done = s3.complete_multipart_upload(
        Bucket=BUCKET,
        Key="parts",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    at = {"Key": "parts", "VersionId": done["VersionId"]}
    s3.put_object_retention(Bucket=BUCKET, **at, Retention=until(1))
    assert refused(s3.delete_object, **at) == ("AccessDenied", 403)
