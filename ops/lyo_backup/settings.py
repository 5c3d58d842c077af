"""What the program is told, read from its environment once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .failures import RefusedError

ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
COMPRESSION = re.compile(r"none|(?:zstd|gzip):\d{1,2}")
PART_BYTES = 32 << 20
_NAME = re.compile(r"[A-Za-z0-9_.\-]+")


@dataclass(frozen=True)
class Settings:
    """Everything that differs between environments.

    :ivar bucket: bucket of the backups.
    :ivar prefix: what the keys begin with, ending in a slash, or empty.
    :ivar kms_key: key that objects are encrypted with, empty for the bucket's own default.
    :ivar copy_bucket: bucket of the copies, empty for none.
    :ivar copy_region: its region, empty for the program's own.
    :ivar copy_kms_key: key of the copies, empty for that bucket's default.
    :ivar lock_days: days that a finished backup cannot be deleted (governance mode), 0 for no lock.
    :ivar jobs: parts at a time.
    :ivar part_bytes: tables smaller than this share parts up to this size (on disk); 0: none do.
    :ivar compression: ``zstd:<level>``, ``gzip:<level>`` or ``none``.
    :ivar tenant_table: table of the tenants, with or without its schema; empty for none.
    :ivar tenant_columns: column that holds the tenant, by table, where foreign keys do not tell.
    :ivar schema_table: where Alembic keeps the schema's revision.
    """

    bucket: str
    prefix: str = "logical/"
    kms_key: str = ""
    copy_bucket: str = ""
    copy_region: str = ""
    copy_kms_key: str = ""
    lock_days: int = 0
    jobs: int = 2
    part_bytes: int = PART_BYTES
    compression: str = "zstd:3"
    tenant_table: str = "tenants"
    tenant_columns: Mapping[str, str] = field(default_factory=dict)
    schema_table: str = "alembic_version"


def read(environment: Mapping[str, str], *, bucket_needed: bool = True) -> Settings:
    """Return the settings of an environment.

    :param bucket_needed: whether the verb has to do with backups.
    :raises RefusedError: naming everything that is missing or malformed.
    """
    wrong: list[str] = []

    def whole(name: str, default: int, least: int, most: int) -> int:
        text = environment.get(name, "") or str(default)
        if not text.isdecimal() or not least <= int(text) <= most:
            wrong.append(f"{name} is {text!r}, not a number from {least} to {most}")
            return default
        return int(text)

    bucket = environment.get("LYO_BACKUP_BUCKET", "")
    if not bucket and bucket_needed:
        wrong.append("LYO_BACKUP_BUCKET is not set: it names the bucket of the backups")
    prefix = environment.get("LYO_BACKUP_PREFIX", "logical/")
    if prefix and not prefix.endswith("/"):
        wrong.append(f"LYO_BACKUP_PREFIX is {prefix!r}: it has to end in a slash")
    compression = environment.get("LYO_BACKUP_COMPRESSION", "") or "zstd:3"
    if not COMPRESSION.fullmatch(compression):
        wrong.append(
            f"LYO_BACKUP_COMPRESSION is {compression!r}, not zstd:<level>, gzip:<level> or none"
        )
    columns = {}
    for entry in filter(None, environment.get("LYO_TENANT_COLUMNS", "").split(",")):
        table, equals, column = entry.strip().partition("=")
        if not equals or not _NAME.fullmatch(table) or not column:
            wrong.append(f"LYO_TENANT_COLUMNS has {entry!r}: it wants table=column,table=column")
        columns[table] = column
    jobs = whole("LYO_BACKUP_JOBS", min(4, len(os.sched_getaffinity(0))), 1, 64)
    part_bytes = whole("LYO_BACKUP_PART_BYTES", PART_BYTES, 0, 1 << 40)
    lock_days = whole("LYO_BACKUP_LOCK_DAYS", 0, 0, 36500)
    if wrong:
        raise RefusedError("; ".join(wrong))
    return Settings(
        bucket=bucket,
        prefix=prefix,
        kms_key=environment.get("LYO_BACKUP_KMS_KEY", ""),
        copy_bucket=environment.get("LYO_BACKUP_COPY_BUCKET", ""),
        copy_region=environment.get("LYO_BACKUP_COPY_REGION", ""),
        copy_kms_key=environment.get("LYO_BACKUP_COPY_KMS_KEY", ""),
        lock_days=lock_days,
        jobs=jobs,
        part_bytes=part_bytes,
        compression=compression,
        tenant_table=environment.get("LYO_TENANT_TABLE", "tenants"),
        tenant_columns=columns,
        schema_table=environment.get("LYO_SCHEMA_TABLE", "") or "alembic_version",
    )


def require_database(environment: Mapping[str, str]) -> None:
    """Refuse to let libpq guess which database is meant.

    :raises RefusedError: PGHOST or PGDATABASE is not set.
    """
    missing = [name for name in ("PGHOST", "PGDATABASE") if not environment.get(name)]
    if missing:
        raise RefusedError(
            f"{' and '.join(missing)} not set: the database is named by libpq's variables"
            " (PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD, PGSSLMODE)"
        )


def valid_id(text: str) -> str:
    """Return a backup's ID.

    :raises RefusedError: it is none.
    """
    if not ID.fullmatch(text):
        raise RefusedError(f"{text!r} is no ID of a backup: YYYYMMDDTHHMMSSZ-<8 hex digits>")
    return text
