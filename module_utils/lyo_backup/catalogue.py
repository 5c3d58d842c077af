"""The logical backups in a bucket: what is there, complete or not, and what verification said.

A backup is ``<prefix><ID>/``: ``parts/…``, ``manifest.json``, which is written last (without it there is
no backup), and a ``verdict-<time>.json`` for each verification, of which the newest counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from ..lyo_aws import Aws, AwsFailure, parallel
from . import ids
from .retention import DAMAGED, VERIFIED

PREFIX = "logical/"
MANIFEST, VERDICT = "manifest.json", "verdict-"
# The program's mark that a dump or a copy is not at its end: without a manifest there are parts alone,
# with one not everything is locked yet.
BEGAN = "began.json"
READ_AT_ONCE = 12
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
KEYS_A_CALL = 1000
_MISSING = frozenset({"NoSuchKey", "404"})


class BadManifestError(Exception):
    """A manifest cannot be read; the message says which and why."""


@dataclass(frozen=True)
class Logical:
    """A logical backup, or what an interrupted one has left.

    :ivar at: when it began, aware.
    :ivar complete: whether it has its manifest.
    :ivar bytes: of all of its parts, as S3 counts them.
    :ivar verdict: VERIFIED, DAMAGED, or empty where none was written yet.
    :ivar reasons: why it is damaged.
    :ivar keys: of every object, sorted.
    """

    id: str
    at: datetime
    complete: bool
    bytes: int
    keys: tuple[str, ...]
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def marked(self) -> bool:
        """Tell whether the program's mark of a dump or a copy that has not ended is there."""
        return any(key.rpartition("/")[2] == BEGAN for key in self.keys)

    @property
    def verdict_key(self) -> str:
        """Key of the newest verdict, empty without one."""
        return max((k for k in self.keys if k.rpartition("/")[2].startswith(VERDICT)), default="")


def of_listing(objects: Iterable[Mapping[str, Any]], prefix: str) -> list[Logical]:
    """Return the backups that a listing of the bucket shows, oldest first, their verdicts unread.

    What has no ID in its key is not ours and left alone.
    """
    keys: dict[str, list[str]] = {}
    sizes: dict[str, int] = {}
    for entry in objects:
        key = str(entry["Key"])
        backup, _, rest = key.removeprefix(prefix).partition("/")
        if not key.startswith(prefix) or not rest or not ids.valid(backup):
            continue
        keys.setdefault(backup, []).append(key)
        if rest.startswith("parts/"):
            sizes[backup] = sizes.get(backup, 0) + int(entry.get("Size", 0))
    found = []
    for backup, its in sorted(keys.items()):
        at = ids.began(backup)
        assert at is not None
        complete = f"{prefix}{backup}/{MANIFEST}" in its
        found.append(Logical(backup, at, complete, sizes.get(backup, 0), tuple(sorted(its))))
    return found


def judged(backup: Logical, body: bytes) -> Logical:
    """Return the backup with what its newest verdict says; one that cannot be read says nothing."""
    try:
        said = json.loads(body)
        verdict = str(said["verdict"])
    except (ValueError, TypeError, KeyError):
        return backup
    if verdict not in (VERIFIED, DAMAGED):
        return backup
    reasons = tuple(str(reason) for reason in said.get("reasons") or ())
    try:
        seconds = float(said.get("seconds") or 0)
    except (TypeError, ValueError):
        seconds = 0.0
    return replace(backup, verdict=verdict, reasons=reasons, seconds=seconds)


class Catalogue:
    """The logical backups of one bucket.

    :param aws: in the bucket's region.
    """

    def __init__(self, aws: Aws, bucket: str, prefix: str = PREFIX) -> None:
        self.aws, self.bucket, self.prefix = aws, bucket, prefix

    def read(self, verdicts: int | None = None) -> list[Logical]:
        """Return every backup, complete or not, oldest first.

        :param verdicts: of how many, from the newest, the verdict is read; of all by default.
        :raises AwsFailure: the bucket cannot be read.
        """
        listed = self.aws.all(
            "s3", "list_objects_v2", "Contents", Bucket=self.bucket, Prefix=self.prefix
        )
        found = of_listing(listed, self.prefix)
        with_verdict = [backup for backup in found if backup.verdict_key]
        if verdicts is not None:
            with_verdict = with_verdict[-verdicts:] if verdicts else []
        read: dict[str, Logical] = {}
        for start in range(0, len(with_verdict), READ_AT_ONCE):
            some = with_verdict[start : start + READ_AT_ONCE]
            for backup in parallel(*(partial(self._judge, one) for one in some)):
                read[backup.id] = backup
        return [read.get(backup.id, backup) for backup in found]

    def _judge(self, backup: Logical) -> Logical:
        body = self._body(backup.verdict_key)
        return backup if body is None else judged(backup, body)

    def _body(self, key: str) -> bytes | None:
        try:
            answer = self.aws.call("s3", "get_object", Bucket=self.bucket, Key=key)
        except AwsFailure as failure:
            if failure.code in _MISSING:
                return None
            raise
        body: bytes = answer["Body"].read()
        return body

    def manifest(self, backup: str) -> dict[str, Any]:
        """Return the manifest of a backup.

        :raises BadManifestError: there is none, or it cannot be read.
        """
        key = f"{self.prefix}{backup}/{MANIFEST}"
        body = self._body(key)
        if body is None:
            raise BadManifestError(
                f"s3://{self.bucket}/{key} does not exist: there is no such backup"
            )
        try:
            content = json.loads(body)
        except ValueError:
            content = None
        if not isinstance(content, dict) or content.get("id") != backup:
            raise BadManifestError(f"s3://{self.bucket}/{key} is not the manifest of {backup}")
        return content

    def uploads(self) -> list[tuple[str, str, str]]:
        """Return the multipart uploads that have not ended: ID, key and upload ID of each.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
        """
        listed = self.aws.all(
            "s3", "list_multipart_uploads", "Uploads", Bucket=self.bucket, Prefix=self.prefix
        )
        found = []
        for entry in listed:
            key = str(entry["Key"])
            backup = key.removeprefix(self.prefix).partition("/")[0]
            if ids.valid(backup):
                found.append((backup, key, str(entry["UploadId"])))
        return found

    def abort(self, key: str, upload: str) -> None:
        """End a multipart upload and its parts; one that is gone already is no failure."""
        try:
            self.aws.call(
                "s3", "abort_multipart_upload", Bucket=self.bucket, Key=key, UploadId=upload
            )
        except AwsFailure as failure:
            if failure.code not in ("NoSuchUpload", "404"):
                raise

    def delete(self, backup: Logical) -> None:
        """Delete a backup: its manifest first, so that a backup without all of its parts never shows.

        What is locked stays as an older version until its lock ends:
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html

        :raises AwsFailure: not everything could be deleted; the next run goes on.
        """
        first = [key for key in backup.keys if key.rpartition("/")[2] == MANIFEST]
        rest = [key for key in backup.keys if key not in first]
        for keys in (first, *_chunks(rest)):
            if keys:
                self._delete(keys)

    def _delete(self, keys: Sequence[str]) -> None:
        answer = self.aws.call(
            "s3",
            "delete_objects",
            Bucket=self.bucket,
            Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True},
        )
        errors = answer.get("Errors") or []
        if errors:
            first = errors[0]
            raise AwsFailure(
                str(first.get("Code")),
                f"{first.get('Key')} cannot be deleted: {first.get('Message')}",
            )


def _chunks(keys: Sequence[str]) -> list[Sequence[str]]:
    return [keys[start : start + KEYS_A_CALL] for start in range(0, len(keys), KEYS_A_CALL)]
