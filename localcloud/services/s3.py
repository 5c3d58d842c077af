"""S3: moto's, with three things set right: conditions of bucket policies, what a lock forbids, a leak.

moto evaluates a bucket policy without its conditions, so `Deny unless aws:SecureTransport` would
deny everything. A call to this cloud's endpoint counts as one over TLS, as every call to AWS's is:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-securetransport

moto keeps locked versions from being deleted, but lets anybody shorten or lift a lock, answers the
object where its lock is asked for, suspends the versions of a bucket with object lock, and takes an
upload's lock for nothing:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html

It lists versions from copies of every object with its content, and keeps the copies for ever.
"""

from __future__ import annotations

import json
import tempfile
import threading
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket, FakeKey, S3Backend
from moto.s3.responses import S3Response

from localcloud.api import AwsError, NotReproducedError
from localcloud.cloud import Cloud

INSECURE_TRANSPORT = {"Bool": {"aws:SecureTransport": "false"}}


def applicable(policy: dict[str, Any]) -> dict[str, Any]:
    """`policy` without the statements that concern calls without TLS alone."""
    statements = policy.get("Statement", [])
    if isinstance(statements, dict):
        statements = [statements]
    kept = [s for s in statements if s.get("Condition") != INSECURE_TRANSPORT]
    return {**policy, "Statement": kept}


def _permission(bucket: FakeBucket, action: str, resource: str) -> Any:
    policy = applicable(json.loads(bucket.policy)) if bucket.policy else {"Statement": []}
    if not policy["Statement"]:
        return PermissionResult.NEUTRAL
    return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)


_BYPASS = "x-amz-bypass-governance-retention"
_LOCK_HEADERS = ("x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date")


def may_change_lock(
    present: tuple[str | None, datetime | None],
    wanted: tuple[str | None, datetime | None],
    now: datetime,
    *,
    bypass: bool,
) -> bool:
    """Whether a version's lock, (mode, until), may become another.

    Anybody may make it longer. A governance lock may be made anything by who says so; a compliance lock
    is never shortened or weakened.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
    """
    mode, until = present
    if mode is None or until is None or until <= now:
        return True
    new_mode, new_until = wanted
    longer = new_mode is not None and new_until is not None and new_until >= until
    if mode == "COMPLIANCE":
        return longer and new_mode == "COMPLIANCE"
    return longer or bypass


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _put_object_retention(self: S3Response) -> Any:
    version = self.backend.get_object(
        self.bucket_name, self.parse_key_name(), version_id=self._get_param("versionId")
    )
    mode, until = self._mode_until_from_body()
    if version is not None and not may_change_lock(
        (version.lock_mode, _moment(version.lock_until)),
        (mode, _moment(until)),
        datetime.now(UTC),
        bypass=self.headers.get(_BYPASS, "").lower() == "true",
    ):
        raise AwsError(
            "AccessDenied", "Access Denied because object protected by object lock.", status=403
        )
    return _MOTO_PUT_OBJECT_RETENTION(self)


def _key_response_get(self: S3Response, query: dict[str, Any], key_name: str) -> Any:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectRetention.html"""
    if "retention" not in query:
        return _MOTO_KEY_RESPONSE_GET(self, query, key_name)
    version = self.backend.get_object(
        self.bucket_name, key_name, version_id=self._get_param("versionId")
    )
    if version is None:
        raise AwsError("NoSuchKey", "The specified key does not exist.", status=404)
    if not version.lock_mode:
        raise AwsError(
            "NoSuchObjectLockConfiguration",
            "The specified object does not have a ObjectLock configuration",
            status=404,
        )
    self.data["Action"] = "GetObjectRetention"
    lock = {"Mode": version.lock_mode, "RetainUntilDate": _moment(version.lock_until)}
    return self.serialized(ActionResult({"Retention": lock}))


def _put_bucket_versioning(self: S3Backend, bucket_name: str, status: str) -> Any:
    if status == "Suspended" and self.get_bucket(bucket_name).object_lock_enabled:
        raise AwsError(
            "InvalidBucketState",
            "An Object Lock configuration is present on this bucket, so the versioning state "
            "cannot be changed.",
            status=409,
        )
    return _MOTO_PUT_BUCKET_VERSIONING(self, bucket_name, status)


def _key_response_post(
    self: S3Response, request: Any, body: bytes, bucket_name: str, query: Any, key_name: str
) -> Any:
    if "uploads" in query and any(request.headers.get(name) for name in _LOCK_HEADERS):
        raise NotReproducedError("s3", "CreateMultipartUpload with a lock; use PutObjectRetention")
    return _MOTO_KEY_RESPONSE_POST(self, request, body, bucket_name, query, key_name)


def _without_content(self: FakeKey, _: dict[int, Any]) -> FakeKey:
    """A copy for a listing: it has no content, and nobody keeps it."""
    etag = self.etag.strip('"')  # made from the content, where nobody has asked for it yet
    copied: FakeKey = object.__new__(type(self))
    copied.__dict__ |= self.__dict__ | {
        "_etag": etag,
        "_value_buffer": tempfile.SpooledTemporaryFile(),  # noqa: SIM115 - the copy closes its own
        "multipart": None,
        "lock": threading.Lock(),
        "disposed": True,
    }
    return copied


_MOTO_KEY_RESPONSE_GET = S3Response._key_response_get
_MOTO_PUT_OBJECT_RETENTION = S3Response.put_object_retention
_MOTO_PUT_BUCKET_VERSIONING = S3Backend.put_bucket_versioning
_MOTO_KEY_RESPONSE_POST = S3Response._key_response_post


def list_without_content() -> None:
    """Let moto list versions without copying what they hold."""
    FakeKey.__deepcopy__ = _without_content  # type: ignore[attr-defined]


def register(cloud: Cloud) -> None:  # noqa: ARG001 - every service registers with its cloud
    """Extend moto's buckets."""
    FakeBucket.get_permission = _permission  # type: ignore[method-assign,assignment]
    S3Response._key_response_get = _key_response_get  # type: ignore[method-assign]
    S3Response.put_object_retention = _put_object_retention  # type: ignore[method-assign]
    S3Backend.put_bucket_versioning = _put_bucket_versioning  # type: ignore[method-assign]
    S3Response._key_response_post = _key_response_post  # type: ignore[method-assign]
    list_without_content()
