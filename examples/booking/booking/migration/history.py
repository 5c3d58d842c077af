"""The migrations that this image knows: which are pending, of what kind, and their SQL."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError

from booking.migration.steps import Step

ROOT = Path(__file__).resolve().parents[2]
# Alembic's own bookkeeping: it is in every migration and says nothing.
_BOOKKEEPING = re.compile(
    r"(?:CREATE TABLE|INSERT INTO|UPDATE|DELETE FROM) alembic_version\b.*?;\n\n|-- Running upgrade [^\n]*\n\n",
    re.DOTALL,
)


def configured(folders: Sequence[Path] | None = None) -> tuple[Config, ScriptDirectory]:
    """Return Alembic's configuration and the migrations.

    :param folders: where the migrations are, by default the image's own.
    """
    config = Config(str(ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.set_main_option("path_separator", "newline")
    places = folders or (ROOT / "migrations" / "versions", ROOT / "migrations" / "broken")
    config.set_main_option("version_locations", "\n".join(str(place) for place in places))
    return config, ScriptDirectory.from_config(config)


def pending(scripts: ScriptDirectory, current: str | None, target: str) -> list[Script]:
    """Return the migrations to apply, oldest first; none for a schema newer than this image.

    :raises CommandError: the image does not know the target.
    """
    known = {script.revision for script in scripts.walk_revisions()}
    if target not in known:
        raise CommandError(f"{target!r} is not among this image's migrations")
    if current is not None and current not in known:
        # Migrations only expand until no release needs the old shape: a newer schema serves us.
        return []
    applied = {script.revision for script in scripts.iterate_revisions(current or "base", "base")}
    wanted = list(scripts.iterate_revisions(target, "base"))
    return [script for script in reversed(wanted) if script.revision not in applied]


def step(config: Config, script: Script, before: str | None) -> Step:
    """Return a migration with its SQL.

    :param before: the revision it follows, None at the beginning.
    :raises CommandError: it cannot be written down without a database.
    """
    module: Any = script.module
    buffer = io.StringIO()
    config.output_buffer = buffer
    span = f"{before}:{script.revision}" if before else script.revision
    try:
        command.upgrade(config, span, sql=True)
    except CommandError:
        raise
    except Exception as error:
        raise CommandError(
            f"{script.revision} cannot be shown before it runs ({error!r}): write its SQL with"
            " op.execute, and changes of rows with booking.migration.backfill"
        ) from error
    sql = _BOOKKEEPING.sub("", buffer.getvalue()).strip()
    return Step(
        script.revision,
        script.doc,
        str(getattr(module, "lyo_kind", "")),
        re.sub(r"BEGIN;\s+COMMIT;\s*", "", sql).strip() + "\n",
        str(getattr(module, "serves_since", "")),
        dict(getattr(module, "lyo_allow", {})),
    )


def described(scripts: ScriptDirectory, current: str | None) -> dict[str, Any]:
    """Return the revision, those whose releases the schema serves, and those it no longer does.

    Of a revision that this image does not know, nothing but its name can be said.
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
