"""The lock's object in S3: read with its age, written only if nobody has written it since.

Conditional writes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from .decide import Found
from .record import Lock, parse

_MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
# 412: the ETag is another. 409: somebody else's write is just under way.
_OVERTAKEN = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})

_OWN_WRITES = 3


class Overtaken(Exception):  # noqa: N818 - an answer, not a defect
    """Somebody else has written the lock since it was read."""


class LockStore:
    """The lock of one environment.

    :param bucket: the state bucket.
    :param key: of the lock's object.
    """

    def __init__(self, aws: Aws, bucket: str, key: str) -> None:
        self.aws, self.bucket, self.key = aws, bucket, key

    def read(self) -> Found:
        """Return the lock as it is.

        :raises AwsFailure: it cannot be read, or is not a lock (``BadLock``).
        """
        try:
            answer = self.aws.call("s3", "get_object", Bucket=self.bucket, Key=self.key)
        except AwsFailure as failure:
            if failure.code in _MISSING:
                return Found(None)
            raise
        try:
            lock = parse(answer["Body"].read())
        except ValueError as error:
            raise AwsFailure(
                "BadLock", f"s3://{self.bucket}/{self.key} is {error}; look at it and delete it"
            ) from None
        return Found(lock, str(answer["ETag"]), _age(answer))

    def write(self, lock: Lock, found: Found) -> Found:
        """Write the lock if it is still as found; return it as written.

        Where the answer to an earlier write was lost on the way, its repetition is refused because
        of that very write: what is there now tells the two apart.

        :raises Overtaken: it is not as found.
        """
        for _ in range(_OWN_WRITES):
            try:
                return Found(lock, self._put(lock, found), 0.0)
            except Overtaken:
                now = self.read()
                if now.lock == lock:
                    return now
                if now.lock is None or now.lock != found.lock:
                    raise
                found = now  # written again by ourselves, its answer was lost
        raise Overtaken

    def _put(self, lock: Lock, found: Found) -> str:
        condition: dict[str, Any] = (
            {"IfMatch": found.etag} if found.lock is not None else {"IfNoneMatch": "*"}
        )
        try:
            answer = self.aws.call(
                "s3",
                "put_object",
                Bucket=self.bucket,
                Key=self.key,
                Body=lock.to_json(),
                ContentType="application/json",
                Metadata=lock.metadata(),
                **condition,
            )
        except AwsFailure as failure:
            if failure.code in _OVERTAKEN:
                raise Overtaken from None
            raise
        return str(answer["ETag"])


def _age(answer: dict[str, Any]) -> float:
    """Seconds since the object was written, both ends by S3's clock."""
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if not date:
        return 0.0
    age: float = (parsedate_to_datetime(date) - answer["LastModified"]).total_seconds()
    return max(0.0, age)
