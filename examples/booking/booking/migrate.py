"""`migrate`: brings the schema to the revision that the release needs, never down."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, create_engine, pool, text
from sqlalchemy.exc import DBAPIError

from booking.config import DatabaseConfig, ReleaseConfig

ROOT = Path(__file__).resolve().parent.parent
EXIT_PENDING = 3
# Sent by libpq, so that it holds for every statement; PGOPTIONS in the environment wins.
# How the line begins that says, in JSON, where the schema is; the release's operators read it.
SAID = "lyo.schema: "
TIMEOUTS = "-c lock_timeout=5s -c statement_timeout=10min"


def migrate(database: DatabaseConfig, release: ReleaseConfig, *, check: bool) -> int:
    """Upgrade, or with `check` only tell what is pending.

    Returns 0 when the schema is at (or beyond) the release's revision, 3 when `check` finds
    something pending, 1 when it failed; the last line on stderr says why. A migration that fails
    leaves the schema at the revision before it.
    """
    options = os.environ.get("PGOPTIONS") or TIMEOUTS
    arguments = {**database.connect_args("booking-migrate"), "options": options}
    # NullPool: the one connection is all there is, and it is closed at the end.
    engine = create_engine(
        URL.create("postgresql+psycopg"), connect_args=arguments, poolclass=pool.NullPool
    )
    try:
        with engine.connect() as connection:
            config, scripts = _scripts(connection)
            try:
                return _migrate(connection, config, scripts, release, check=check)
            finally:
                _say(connection, scripts)
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        return _failed(reason)
    except (CommandError, TimeoutError) as error:
        return _failed(str(error))
    finally:
        engine.dispose()


def _failed(reason: str) -> int:
    print(f"migrate: failed: {reason}", file=sys.stderr, flush=True)
    return 1


def _scripts(connection: Connection) -> tuple[Config, ScriptDirectory]:
    config = Config(str(ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option(
        "version_locations", f"{ROOT}/migrations/versions\n{ROOT}/migrations/broken"
    )
    config.attributes["connection"] = connection
    return config, ScriptDirectory.from_config(config)


def _migrate(
    connection: Connection,
    config: Config,
    scripts: ScriptDirectory,
    release: ReleaseConfig,
    *,
    check: bool,
) -> int:
    current = MigrationContext.configure(connection).get_current_revision()
    connection.rollback()
    pending = _pending(scripts, current, release.schema_revision)
    shown = current or "nothing"
    print(f"migrate: release {release.name} needs {release.schema_revision}, schema is at {shown}")
    for revision, doc in pending:
        print(f"migrate: pending {revision} {doc}", flush=True)
    if not pending:
        print("migrate: nothing to do")
        return 0
    if check:
        return EXIT_PENDING
    command.upgrade(config, release.schema_revision)
    if not connection.in_transaction():
        connection.execute(text("SELECT 1"))
    after = MigrationContext.configure(connection).get_current_revision()
    print(f"migrate: done, schema is at {after}")
    return 0


def _say(connection: Connection, scripts: ScriptDirectory) -> None:
    """Say where the schema is, also after a failure, for whoever has to know what it serves."""
    connection.rollback()
    current = MigrationContext.configure(connection).get_current_revision()
    connection.rollback()
    print(f"{SAID}{json.dumps(_described(scripts, current))}", flush=True)


def _described(scripts: ScriptDirectory, current: str | None) -> dict[str, str | list[str] | None]:
    """Return the revision, those whose releases the schema serves, and those it no longer does.

    A migration that contracts names the oldest revision it still serves as `serves_since`. Of a
    revision that this image does not know, nothing but its name can be said.
    """
    if current is not None and current not in {s.revision for s in scripts.walk_revisions()}:
        return {"revision": current}
    applied = list(scripts.iterate_revisions(current or "base", "base"))[::-1]
    names = [script.revision for script in applied]
    since = 0
    for script in applied:
        if hasattr(script.module, "serves_since"):
            since = max(since, names.index(script.module.serves_since))
    return {"revision": current, "serves": names[since:], "contracted": names[:since]}


def _pending(scripts: ScriptDirectory, current: str | None, target: str) -> list[tuple[str, str]]:
    """Return the revisions to apply, oldest first; none for a schema newer than the release."""
    known = {script.revision for script in scripts.walk_revisions()}
    if target not in known:
        raise CommandError(f"LYO_SCHEMA_REVISION={target!r} is not among this image's migrations")
    if current is not None and current not in known:
        # Migrations only expand until no release needs the old shape: a newer schema serves us.
        return []
    applied = {script.revision for script in scripts.iterate_revisions(current or "base", "base")}
    wanted = list(scripts.iterate_revisions(target, "base"))
    return [(s.revision, s.doc) for s in reversed(wanted) if s.revision not in applied]
