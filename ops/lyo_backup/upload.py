"""An object streamed to S3 without knowing its length beforehand, hashed on the way.

Bytes are collected into parts of a multipart upload and sent by a thread of their own, so that
whoever writes does not wait for the network. Memory: one part being filled, one waiting, one sent.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from .failures import FailedError, explain
from .store import Store

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

LEAST_PART, MOST_PARTS = 8 << 20, 9500


def part_size(expected: int) -> int:
    """Return the size of a multipart upload's parts, for an object of about so many bytes.

    Up to 74 GiB it is 8 MiB; above, the most parts that an upload may have decide.
    """
    return max(LEAST_PART, -(-expected // MOST_PARTS))


@dataclass(frozen=True)
class Uploaded:
    """What an upload has become."""

    bytes: int
    sha256: str
    version_id: str


class Upload:
    """One object: `write` as often as there is something, then `finish` or `abort`.

    :raises FailedError: from any of them, when S3 refuses it.
    """

    def __init__(
        self, store: Store, key: str, expected: int, metadata: Mapping[str, str] | None = None
    ) -> None:
        self._store, self.key = store, key
        self._metadata = dict(metadata or {})
        self._size = part_size(expected)
        self._buffer = bytearray()
        self._hash, self._total = hashlib.sha256(), 0
        self._id = ""
        self._parts: list[CompletedPartTypeDef] = []
        self._queue: queue.Queue[bytes | None] = queue.Queue(maxsize=1)
        self._error: FailedError | None = None
        self._sender: threading.Thread | None = None
        self._finished = False

    def write(self, chunk: bytes) -> None:
        """Take some bytes; waits while two parts are on their way."""
        if not chunk:
            return
        self._hash.update(chunk)
        self._total += len(chunk)
        self._buffer += chunk
        while len(self._buffer) >= self._size:
            part = bytes(memoryview(self._buffer)[: self._size])
            del self._buffer[: self._size]
            self._give(part)

    def finish(self) -> Uploaded:
        """Complete the object, which must not be there yet; returns what it is."""
        if self._sender is None:
            version = self._store.put(self.key, bytes(self._buffer), metadata=self._metadata)
            return Uploaded(self._total, self._hash.hexdigest(), version)
        if self._buffer:
            self._give(bytes(self._buffer))
        self._stop()
        self._raise()
        try:
            answer = self._store.s3.complete_multipart_upload(
                Bucket=self._store.bucket,
                Key=self.key,
                UploadId=self._id,
                MultipartUpload={"Parts": self._parts},
                IfNoneMatch="*",
            )
        except (ClientError, BotoCoreError) as error:
            raise explain(error, f"completing {self.key}") from error
        self._finished = True
        return Uploaded(self._total, self._hash.hexdigest(), str(answer.get("VersionId", "")))

    def abort(self) -> None:
        """Give it up, unless it is finished; what cannot be removed now the next run removes."""
        if self._sender is None or self._finished:
            return
        self._stop()
        with contextlib.suppress(ClientError, BotoCoreError):
            self._store.s3.abort_multipart_upload(
                Bucket=self._store.bucket, Key=self.key, UploadId=self._id
            )

    def _give(self, part: bytes) -> None:
        self._raise()
        if self._sender is None:
            self._begin()
        self._queue.put(part)

    def _begin(self) -> None:
        try:
            answer = self._store.s3.create_multipart_upload(
                Bucket=self._store.bucket,
                Key=self.key,
                ChecksumAlgorithm="SHA256",
                Metadata=self._metadata,
                **self._store.encryption(),
            )
        except (ClientError, BotoCoreError) as error:
            raise explain(error, f"uploading {self.key}") from error
        self._id = answer["UploadId"]
        self._sender = threading.Thread(target=self._send_all, name=self.key, daemon=True)
        self._sender.start()

    def _send_all(self) -> None:
        while (part := self._queue.get()) is not None:
            if self._error is None:  # else only taken, so that nobody waits for room
                try:
                    self._send(part)
                except (ClientError, BotoCoreError) as error:
                    self._error = explain(error, f"uploading {self.key}")
                except Exception as error:
                    self._error = FailedError(f"uploading {self.key}: {error}")

    def _send(self, part: bytes) -> None:
        digest: Any = base64.b64encode(hashlib.sha256(part).digest()).decode()
        number = len(self._parts) + 1
        answer = self._store.s3.upload_part(
            Bucket=self._store.bucket,
            Key=self.key,
            UploadId=self._id,
            PartNumber=number,
            Body=part,
            ChecksumSHA256=digest,
        )
        self._parts.append({"ETag": answer["ETag"], "PartNumber": number, "ChecksumSHA256": digest})

    def _stop(self) -> None:
        if self._sender is not None and self._sender.is_alive():
            self._queue.put(None)
            self._sender.join()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
