"""One PostgreSQL server and one S3, for tests and benchmarks of logical backups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.backup.harness import BUCKET, COPIES, Bench, Postgres
from tests.backup.s3_harness import S3
from tests.localcloud import booking_harness


@contextmanager
def servers(folder: Path, *, lock: bool = False, **settings: str) -> Iterator[Bench]:
    """Both of them with their buckets, until the block ends.

    :param folder: of the server's data.
    :param lock: whether the buckets have object lock.
    :param settings: of the PostgreSQL server.
    """
    postgres, s3 = Postgres(folder, **settings), S3(f"{booking_harness.NETWORK}.8")
    postgres.start()
    try:
        s3.start()
        try:
            for bucket in (BUCKET, COPIES):
                s3.bucket(bucket, lock=lock)
            yield Bench(postgres, s3)
        finally:
            s3.stop()
    finally:
        postgres.stop()
