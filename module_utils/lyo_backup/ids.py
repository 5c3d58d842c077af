"""Names of backups: one ID a run, from which every part of a backup has its name.

An ID is ``YYYYMMDDTHHMMSSZ-<8 hex digits>``: it sorts by time, and two runs in one second differ.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime

_ID = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{8}")
_SNAPSHOT = re.compile(r"(?P<source>.+)-backup-(?P<time>\d{8}t\d{6}z)-(?P<token>[0-9a-f]{8})")
_MIGRATION = re.compile(r"(?P<source>.+)-migrate-[0-9a-f]{12}-(?P<time>\d{14})")
_TIME, _MIGRATION_TIME = "%Y%m%dT%H%M%SZ", "%Y%m%d%H%M%S"


def new(now: datetime, token: str | None = None) -> str:
    """Return a new ID.

    :param token: 8 hex digits, random by default.
    """
    return f"{now.astimezone(UTC):{_TIME}}-{token or secrets.token_hex(4)}"


def valid(text: str) -> bool:
    """Tell whether a text is an ID, with a time that exists."""
    return began(text) is not None


def began(backup: str) -> datetime | None:
    """Return when a backup began, None for what is no ID."""
    match = _ID.fullmatch(backup)
    return _parsed(match[1], _TIME) if match else None


def snapshot_name(source: str, backup: str) -> str:
    """Return the name of a snapshot that belongs to a backup: RDS and ElastiCache keep lower case.

    :param source: the DB instance or the replication group.
    """
    return f"{source}-backup-{backup.lower()}"


def backup_of(snapshot: str) -> tuple[str, str]:
    """Return source and ID of a snapshot of ours by its name, both empty for any other."""
    match = _SNAPSHOT.fullmatch(snapshot)
    if match is None or _parsed(match["time"].upper(), _TIME) is None:
        return "", ""
    return match["source"], f"{match['time'].upper()}-{match['token']}"


def migration_of(snapshot: str) -> tuple[str, datetime | None]:
    """Return source and time of a snapshot that a migration has taken, empty and None for any other."""
    match = _MIGRATION.fullmatch(snapshot)
    if match is None:
        return "", None
    at = _parsed(match["time"], _MIGRATION_TIME)
    return (match["source"], at) if at else ("", None)


def _parsed(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None
