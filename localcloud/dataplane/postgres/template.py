"""An initialised, empty cluster, made once per machine and version; instances are copies of it."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from localcloud.dataplane.postgres import binaries, extensions

ADMIN = "rdsadmin"
"""The superuser of every server; its password never leaves the local cloud."""

_INITDB = (
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--auth=scram-sha-256",
    # Small segments: what is archived every few seconds is a segment, however little it holds.
    "--wal-segsize=1",
    "--no-sync",
    "--no-instructions",
)

# Roles of every RDS for PostgreSQL instance.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.html
_ROLES = (
    "CREATE ROLE rds_superuser NOLOGIN",
    "CREATE ROLE rds_password NOLOGIN",
    "CREATE ROLE rds_replication NOLOGIN",
    "CREATE ROLE rds_iam NOLOGIN",
    "GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO rds_superuser WITH ADMIN OPTION",
    "GRANT pg_use_reserved_connections, pg_create_subscription TO rds_superuser WITH ADMIN OPTION",
    "GRANT rds_password, rds_replication TO rds_superuser WITH ADMIN OPTION",
)

# One line of single-user mode's output holds the whole answer: jsonb has no line breaks.
_CATALOGUE = (
    "SELECT jsonb_agg(jsonb_build_object('name', name, 'unit', unit, 'context', context, "
    "'type', vartype, 'minimum', min_val, 'maximum', max_val, 'values', enumvals, "
    "'default', boot_val, 'description', short_desc)) AS catalogue FROM pg_settings"
)


class TemplateError(RuntimeError):
    """initdb failed; the message has its output."""


@dataclass(frozen=True)
class Template:
    """A made template: `folder/data`, the administrator's first password, the settings it knows."""

    folder: Path

    @property
    def data(self) -> Path:
        """The data folder to copy."""
        return self.folder / "data"

    @cached_property
    def password(self) -> str:
        """Password of ADMIN in a fresh copy."""
        return (self.folder / "password").read_text()

    @cached_property
    def settings(self) -> list[dict[str, Any]]:
        """Every row of pg_settings: name, unit, context, type, minimum, maximum, values, default."""
        rows: list[dict[str, Any]] = json.loads((self.folder / "settings.json").read_text())
        return rows


class Templates:
    """Makes the template when it is first asked for, and finds it again afterwards."""

    def __init__(self, cache: Path) -> None:
        """`cache` is a folder that outlives local clouds."""
        self._cache = cache
        self._lock = threading.Lock()
        self._made: Template | None = None

    def get(self) -> Template:
        """The template, made in about a second when there is none. Raises TemplateError."""
        with self._lock:
            if self._made is None:
                self._made = self._find_or_make()
            return self._made

    def _find_or_make(self) -> Template:
        recipe = "\n".join(
            [binaries.version(), *_INITDB, *_ROLES, _CATALOGUE, inspect.getsource(extensions)]
        )
        mark = hashlib.sha256(recipe.encode()).hexdigest()[:12]
        final = self._cache / f"postgres-{binaries.version()}-{os.geteuid()}-{mark}"
        if not (final / "settings.json").exists():
            self._cache.mkdir(parents=True, exist_ok=True)
            making = Path(tempfile.mkdtemp(prefix="postgres-making-", dir=self._cache))
            try:
                _make(making)
                making.rename(final)
            except OSError:
                # Another local cloud was faster.
                if not (final / "settings.json").exists():
                    raise
            finally:
                shutil.rmtree(making, ignore_errors=True)
        return Template(final)


def _make(folder: Path) -> None:
    password = secrets.token_urlsafe(24)
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    data = folder / "data"
    _run([binaries.program("initdb"), "-D", str(data), "-U", ADMIN, f"--pwfile={secret}", *_INITDB])
    extensions.make(binaries.folder().parent / "share", folder)
    # Loaded so that their parameters are in the catalogue too.
    libraries = "shared_preload_libraries=pg_stat_statements,auto_explain,pg_prewarm"
    postgres = binaries.program("postgres")
    single = [postgres, "--single", "-F", "-D", str(data), "-c", libraries, "postgres"]
    output = _run(single, "\n".join([*_ROLES, _CATALOGUE]) + "\n")
    answers = [line for line in output.splitlines() if 'catalogue = "' in line]
    if not answers:
        raise TemplateError(f"PostgreSQL did not list its settings:\n{output[-2000:]}")
    text = answers[-1].split('catalogue = "', 1)[1].rsplit('"\t(typeid', 1)[0]
    (folder / "settings.json").write_text(json.dumps(json.loads(text), indent=1))


def _run(argv: list[str], text: str = "") -> str:
    done = subprocess.run(
        binaries.as_server(argv),
        input=text,
        capture_output=True,
        text=True,
        env=binaries.environment(),
        check=False,
    )
    if done.returncode != 0 or "ERROR:" in done.stderr:
        raise TemplateError(f"{Path(argv[0]).name} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout
