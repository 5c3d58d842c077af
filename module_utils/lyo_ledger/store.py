"""The ledger in the state bucket: one object a run, below a folder for each month."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import islice

from ..lyo_aws import Aws, AwsFailure, parallel
from .record import Run, months_back, parse

MONTHS_SEARCHED = 12
READ_AT_ONCE = 12


class Ledger:
    """The runs of one environment.

    :param bucket: the state bucket, which is versioned: a record that was changed can be seen.
    :param prefix: folder of the ledger.
    """

    def __init__(self, aws: Aws, bucket: str, prefix: str = "ledger/") -> None:
        self.aws, self.bucket, self.prefix = aws, bucket, prefix

    def write(self, run: Run) -> None:
        """Write a run's record, its beginning or its end."""
        self.aws.call(
            "s3",
            "put_object",
            Bucket=self.bucket,
            Key=f"{self.prefix}{run.key}",
            Body=run.to_json(),
            ContentType="application/json",
        )

    def recent(self, count: int, now: datetime | None = None) -> list[Run]:
        """Return the last ``count`` runs, newest first; a record that cannot be read is left out."""
        return list(islice(self.walk(now, at_once=count), count))

    def walk(self, now: datetime | None = None, at_once: int = READ_AT_ONCE) -> Iterator[Run]:
        """Yield the runs of a year, newest first, and read no more of them than are taken.

        :param at_once: how many are read side by side.
        """
        month = (now or datetime.now(UTC)).strftime("%Y-%m")
        for folder in months_back(month, MONTHS_SEARCHED):
            found = self.aws.all(
                "s3",
                "list_objects_v2",
                "Contents",
                Bucket=self.bucket,
                Prefix=f"{self.prefix}{folder}/",
            )
            keys = sorted((str(item["Key"]) for item in found), reverse=True)
            for start in range(0, len(keys), at_once):
                some = keys[start : start + at_once]
                for run in parallel(*(partial(self._read, key) for key in some)):
                    if run is not None:
                        yield run

    def _read(self, key: str) -> Run | None:
        try:
            answer = self.aws.call("s3", "get_object", Bucket=self.bucket, Key=key)
            return parse(answer["Body"].read())
        except ValueError:
            return None
        except AwsFailure as failure:
            if failure.code in ("NoSuchKey", "404"):
                return None
            raise
