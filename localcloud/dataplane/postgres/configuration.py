"""postgresql.conf and pg_hba.conf of an instance."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from localcloud.dataplane.postgres.template import ADMIN

LEAN: Mapping[str, str] = {
    "shared_buffers": "32MB",
    "max_connections": "200",
    "io_method": "sync",  # no I/O worker processes
    "max_logical_replication_workers": "0",  # no launcher process
    "max_wal_size": "256MB",
    "min_wal_size": "8MB",
    "jit": "off",
    "log_line_prefix": "%t:%r:%u@%d:[%p]:",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "log_checkpoints": "off",
    "password_encryption": "scram-sha-256",
    "shared_preload_libraries": "pg_stat_statements",  # as in RDS's default groups
}
"""What a parameter group may override: small, since many servers share one machine."""

FIXED: Mapping[str, str] = {
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "on",
    "dynamic_shared_memory_type": "mmap",  # nothing left in /dev/shm by SIGKILL
    "huge_pages": "off",
    "allow_alter_system": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "archive_mode": "on",
    "archive_library": "basic_archive",
    "max_wal_senders": "10",
    "ssl": "off",
}
"""What the local cloud alone decides."""

_HBA = f"""\
# TYPE  DATABASE     USER      ADDRESS      METHOD
host    replication  {ADMIN}  127.0.0.0/8  scram-sha-256
host    all          all       127.0.0.0/8  scram-sha-256
"""


@dataclass(frozen=True)
class Endpoint:
    """Where a server listens."""

    address: str
    port: int


@dataclass(frozen=True)
class Places:
    """Folders a server uses beside its data.

    wal: receives archived segments. extensions: what `extensions.make` made.
    """

    wal: Path
    extensions: Path


@dataclass(frozen=True)
class Recovery:
    """How far a copy of a base backup is rolled forward.

    wal: folder of archived segments. until: the moment to stop at; what was committed then is in.
    """

    wal: Path
    until: datetime


def quote(value: str) -> str:
    """A value as postgresql.conf wants it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def render(settings: Mapping[str, str]) -> str:
    """The text of postgresql.conf. Raises ValueError for a line break in a value."""
    for name, value in settings.items():
        if "\n" in value or "\r" in value:
            raise ValueError(f"the value of {name} has a line break")
    return "".join(f"{name} = {quote(value)}\n" for name, value in sorted(settings.items()))


def settings_for(
    endpoint: Endpoint,
    places: Places,
    parameters: Mapping[str, str],
    recovery: Recovery | None = None,
) -> dict[str, str]:
    """Every setting of a server, in the order of precedence: lean, asked for, ours."""
    settings = {
        **LEAN,
        **parameters,
        **FIXED,
        "listen_addresses": endpoint.address,
        "port": str(endpoint.port),
        "basic_archive.archive_directory": str(places.wal),
        "extension_control_path": f"{places.extensions}:$system",
        "wal_level": "logical" if parameters.get("rds.logical_replication") == "1" else "replica",
    }
    if parameters.get("rds.logical_replication") == "1":
        settings["max_logical_replication_workers"] = parameters.get(
            "max_logical_replication_workers", "4"
        )
    if recovery is not None:
        # Nobody may connect before the chosen moment is reached.
        settings["hot_standby"] = "off"
        settings["recovery_target_action"] = "promote"
        source = shlex.quote(str(recovery.wal)).replace("%", "%%")
        settings["restore_command"] = f'cp {source}/%f "%p"'
        settings["recovery_target_time"] = recovery.until.isoformat(sep=" ")
    return settings


def write(
    data: Path,
    endpoint: Endpoint,
    places: Places,
    parameters: Mapping[str, str],
    recovery: Recovery | None = None,
) -> None:
    """Write the configuration into a data folder; with `recovery` the next start recovers."""
    text = render(settings_for(endpoint, places, parameters, recovery))
    (data / "postgresql.conf").write_text(text)
    (data / "pg_hba.conf").write_text(_HBA)
    (data / "postgresql.auto.conf").write_text("")
    if recovery is not None:
        (data / "recovery.signal").touch()
