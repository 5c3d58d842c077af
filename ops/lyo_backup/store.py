"""The backups' bucket: objects by backup, with their versions and their lock."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, IncompleteReadError
from urllib3.exceptions import HTTPError

from . import VERSION, manifest
from .failures import DamagedError, FailedError, code_of, explain, is_key_gone, is_missing
from .settings import ID, Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MANIFEST, BEGAN = "manifest.json", "began.json"
READ_BYTES = 1 << 20
# Downloads that broke off are continued where they ended, so often in a row.
RESUMES = 5


@dataclass(frozen=True)
class Stored:
    """An object that is there.

    :ivar version_id: empty in a bucket without versions.
    """

    key: str
    version_id: str
    size: int
    latest: bool
    marker: bool = False


def client(region: str = "") -> S3Client:
    """Return a client of S3 that repeats what may be repeated."""
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 5},
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=64,
        # Parts are hashed here, all of them; botocore need not do it too.
        response_checksum_validation="when_required",
        user_agent_extra=f"lyo-ops lyo-backup/{VERSION}",
    )
    return boto3.client("s3", region_name=region or None, config=config)


class Store:
    """Backups below a prefix of one bucket.

    Methods raise FailedError for what AWS refuses, and DamagedError where an object of a finished
    backup is not there or cannot be decrypted.
    """

    def __init__(self, s3: S3Client, bucket: str, settings: Settings, kms_key: str) -> None:
        self.s3, self.bucket, self.prefix = s3, bucket, settings.prefix
        self._kms_key, self._lock_days = kms_key, settings.lock_days

    @classmethod
    def of(cls, settings: Settings, *, copy: bool = False) -> Store:
        """Return the store of an environment, or that of its copies."""
        if copy:
            region, key = settings.copy_region, settings.copy_kms_key
            return cls(client(region), settings.copy_bucket, settings, key)
        return cls(client(), settings.bucket, settings, settings.kms_key)

    def key(self, backup_id: str, name: str = "") -> str:
        """Return the key of an object of a backup."""
        return f"{self.prefix}{backup_id}/{name}"

    def encryption(self) -> dict[str, Any]:
        """Return what a write is told about encryption."""
        if not self._kms_key:
            return {}
        return {
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": self._kms_key,
            "BucketKeyEnabled": True,
        }

    def retention(self) -> dict[str, Any]:
        """Return what a finished backup is locked with, empty without a lock.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
        """
        if not self._lock_days:
            return {}
        until = datetime.now(UTC) + timedelta(days=self._lock_days)
        return {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}

    def put(
        self,
        key: str,
        body: bytes,
        *,
        locked: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Write an object that must not be there yet; returns its version.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        """
        extra = {**self.encryption(), **(self.retention() if locked else {})}
        try:
            answer = self.s3.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=body,
                IfNoneMatch="*",
                ChecksumAlgorithm="SHA256",
                Metadata=dict(metadata or {}),
                **extra,
            )
        except (ClientError, BotoCoreError) as error:
            if code_of(error) == "PreconditionFailed" and self._same(key, body):
                return self._version(key)  # ours, and only its answer was lost
            raise explain(error, f"writing {key}") from error
        return str(answer.get("VersionId", ""))

    def _same(self, key: str, body: bytes) -> bool:
        try:
            return self.get(key) == body
        except (FailedError, DamagedError):
            return False

    def known(self, key: str, metadata: Mapping[str, str], size: int) -> str | None:
        """Return the version of an object with this size and metadata, None where there is none."""
        try:
            answer = self.s3.head_object(Bucket=self.bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            if is_missing(error):
                return None
            raise explain(error, f"looking for {key}") from error
        same = (
            answer["ContentLength"] == size and dict(metadata).items() <= answer["Metadata"].items()
        )
        return str(answer.get("VersionId", "")) if same else None

    def _version(self, key: str) -> str:
        answer = self.s3.head_object(Bucket=self.bucket, Key=key)
        return str(answer.get("VersionId", ""))

    def get(self, key: str) -> bytes | None:
        """Return a small object, None where there is none."""
        try:
            return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            if is_missing(error):
                return None
            if is_key_gone(error):
                raise DamagedError([_lost(key, error)]) from error
            raise explain(error, f"reading {key}") from error

    def chunks(self, part: manifest.Part) -> Iterator[bytes]:
        """Yield a part's bytes, of the version that the manifest names.

        :raises DamagedError: it is not there, or its key cannot be used any more.
        """
        offset, tries = 0, 0
        while True:
            try:
                for chunk in self._from(part, offset):
                    offset, tries = offset + len(chunk), 0
                    yield chunk
            except ClientError as error:
                if is_missing(error):
                    raise DamagedError([f"{part.key} is missing"]) from error
                if is_key_gone(error):
                    raise DamagedError([_lost(part.key, error)]) from error
                if code_of(error) == "InvalidRange" and offset:
                    return  # shorter than it says; whoever compares sizes sees it
                raise explain(error, f"reading {part.key}") from error
            except (BotoCoreError, HTTPError, IncompleteReadError, OSError) as error:
                tries += 1
                if tries > RESUMES:
                    wrapped = error if isinstance(error, BotoCoreError) else None
                    if wrapped is not None:
                        raise explain(wrapped, f"reading {part.key}") from error
                    raise FailedError(
                        f"reading {part.key}: {error} (S3 could not be reached: run the same again)"
                    ) from error
            else:
                return

    def _from(self, part: manifest.Part, offset: int) -> Iterator[bytes]:
        which: dict[str, Any] = {"Bucket": self.bucket, "Key": part.key}
        if part.version_id:
            which["VersionId"] = part.version_id
        if offset:
            which["Range"] = f"bytes={offset}-"
        body = self.s3.get_object(**which)["Body"]
        try:
            while chunk := body.read(READ_BYTES):
                yield chunk
        finally:
            body.close()

    def manifest(self, backup_id: str) -> manifest.Manifest | None:
        """Return a backup's manifest, None where the backup does not exist.

        :raises DamagedError: it cannot be relied on.
        """
        text = self.get(self.key(backup_id, MANIFEST))
        if text is None:
            return None
        try:
            return manifest.decode(text, backup_id)
        except manifest.BadManifestError as error:
            raise DamagedError([f"{self.key(backup_id, MANIFEST)}: {error}"]) from error

    def finished(self, backup_id: str) -> bool:
        """Whether a backup exists, or did: its manifest is there, or an older version of it."""
        return any(not one.marker for one in self.versions(backup_id, MANIFEST))

    def document(self, key: str) -> Mapping[str, Any]:
        """Return a small JSON object, empty where there is none or it is no JSON."""
        try:
            found = json.loads(self.get(key) or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def ids(self) -> list[str]:
        """Return the IDs of everything below the prefix, finished or not, the oldest first."""
        found = set()
        try:
            pages = self.s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix, Delimiter="/"
            )
            for page in pages:
                for entry in page.get("CommonPrefixes", []):
                    found.add(entry["Prefix"].removeprefix(self.prefix).rstrip("/"))
            for key, _ in self._uploads(self.prefix):
                found.add(key.removeprefix(self.prefix).partition("/")[0])
        except (ClientError, BotoCoreError) as error:
            raise explain(error, f"listing {self.bucket}/{self.prefix}") from error
        return sorted(name for name in found if ID.fullmatch(name))

    def versions(self, backup_id: str, name: str = "") -> list[Stored]:
        """Return every version of a backup's objects, delete markers too."""
        found = []
        try:
            pages = self.s3.get_paginator("list_object_versions").paginate(
                Bucket=self.bucket, Prefix=self.key(backup_id, name)
            )
            for page in pages:
                for entry in page.get("Versions", []):
                    found.append(
                        Stored(
                            entry["Key"],
                            _version_id(entry.get("VersionId")),
                            entry.get("Size", 0),
                            bool(entry.get("IsLatest")),
                        )
                    )
                for mark in page.get("DeleteMarkers", []):
                    latest = bool(mark.get("IsLatest"))
                    version = _version_id(mark.get("VersionId"))
                    found.append(Stored(mark["Key"], version, 0, latest, marker=True))
        except (ClientError, BotoCoreError) as error:
            raise explain(error, f"listing {self.key(backup_id)}") from error
        return found

    def _uploads(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield key and upload ID of multipart uploads that have not been completed."""
        pages = self.s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=self.bucket, Prefix=prefix
        )
        for page in pages:
            for entry in page.get("Uploads", []):
                yield entry["Key"], entry["UploadId"]

    def remove_unfinished(self, backup_id: str) -> int:
        """Remove what a broken run has left of a backup without a manifest.

        :returns: how many objects and uploads there were.
        """
        count = self.abort_uploads(backup_id)
        try:
            found = self.versions(backup_id)
            # The mark that says what this is goes last.
            for one in sorted(found, key=lambda entry: entry.key.endswith(BEGAN)):
                self.delete(one.key, one.version_id)
                count += not one.marker
        except (ClientError, BotoCoreError) as error:
            raise explain(error, f"removing what is left of {backup_id}") from error
        return count

    def abort_uploads(self, backup_id: str) -> int:
        """Abort a backup's multipart uploads; returns how many there were."""
        count = 0
        try:
            for key, upload in list(self._uploads(self.key(backup_id))):
                self.s3.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload)
                count += 1
        except (ClientError, BotoCoreError) as error:
            raise explain(error, f"aborting uploads of {backup_id}") from error
        return count

    def delete(self, key: str, version_id: str = "") -> None:
        """Delete one version of an object."""
        which: dict[str, Any] = {"Bucket": self.bucket, "Key": key}
        if version_id:
            which["VersionId"] = version_id
        try:
            self.s3.delete_object(**which)
        except (ClientError, BotoCoreError) as error:
            raise explain(error, f"deleting {key}") from error

    def delete_if_there(self, key: str) -> None:
        """Delete the version of an object that is the latest one, if there is any."""
        try:
            version = self._version(key)
        except (ClientError, BotoCoreError) as error:
            if is_missing(error):
                return
            raise explain(error, f"looking for {key}") from error
        self.delete(key, version)

    def lock(self, key: str, version_id: str, until: datetime) -> None:
        """Protect a version of an object until a moment; longer ones stay as they are."""
        try:
            self.s3.put_object_retention(
                Bucket=self.bucket,
                Key=key,
                VersionId=version_id,
                Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until},
            )
        except (ClientError, BotoCoreError) as error:
            raise explain(error, f"locking {key}") from error

    def locked_until(self, key: str, version_id: str) -> datetime | None:
        """Return until when a version is protected, None where it is not."""
        try:
            answer = self.s3.head_object(Bucket=self.bucket, Key=key, VersionId=version_id)
        except (ClientError, BotoCoreError) as error:
            raise explain(error, f"reading the lock of {key}") from error
        return answer.get("ObjectLockRetainUntilDate")


def _version_id(text: str | None) -> str:
    """Return a version as a request names it: objects from before versioning have ``null``."""
    return text or ""


def _lost(key: str, error: Exception) -> str:
    return f"{key} cannot be decrypted, its KMS key is disabled or deleted: {error}"
