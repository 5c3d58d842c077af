"""A copy of the reference application that becomes a new release each time, migration included."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import psycopg

from tests.runbooks.harness import ROOT, Environment

SOURCE = ROOT / "examples" / "booking"
MIGRATION = '''"""a step of work that is counted (expand)"""

from __future__ import annotations

from alembic import op

revision = "{revision}"
down_revision = "{before}"
lyo_kind = "expand"


def upgrade() -> None:
    """Leave a row for each time this was done."""
    op.execute("CREATE TABLE IF NOT EXISTS counted_work (revision text NOT NULL)")
    op.execute("INSERT INTO counted_work VALUES ('{revision}')")
'''
# It meets no row; whoever plans it cannot know, and takes a snapshot before it.
LOSS = '    op.execute("DELETE FROM outbox WHERE 1 = 0")\n'
STUB = '''"""known to the database already"""

from __future__ import annotations

revision = "{revision}"
down_revision = "0002"
lyo_kind = "expand"


def upgrade() -> None:
    """Done by an application before this one."""
'''


class Application:
    """A folder like `examples/booking` whose release v2 is another one each time it is renewed.

    :ivar revision: of the schema that the present release needs.
    """

    def __init__(self, environment: Environment, folder: Path) -> None:
        self.environment = environment
        self.folder = folder
        skipped = shutil.ignore_patterns("__pycache__", "tests", ".*cache")
        shutil.copytree(SOURCE, folder, ignore=skipped)
        self._versions = folder / "migrations" / "versions"
        self._page = (folder / "dashboard" / "index.html").read_text()
        self._image = (folder / "image.toml").read_text()
        self.revision = max("0002", *self._ask("SELECT version_num FROM alembic_version"))
        if self.revision > "0002":
            (self._versions / f"{self.revision}_stub.py").write_text(
                STUB.format(revision=self.revision)
            )

    def renew(self, *, loses: bool = False) -> None:
        """Become a release that nobody has built: source, migration and dashboard are new.

        :param loses: whether a snapshot has to be taken before its migration.
        """
        before, self.revision = self.revision, f"{max(1000, int(self.revision)) + 1:04}"
        (self._versions / f"{self.revision}_counted.py").write_text(
            MIGRATION.format(revision=self.revision, before=before) + (LOSS if loses else "")
        )
        image = re.sub(r"(?m)^(\[releases\.v2\]\n)((?:.+\n)+)", self._needs, self._image)
        assert image != self._image
        (self.folder / "image.toml").write_text(image)
        (self.folder / "dashboard" / "index.html").write_text(
            f"{self._page}<!-- {self.revision} -->\n"
        )

    def _needs(self, match: re.Match[str]) -> str:
        return match.group(1) + match.group(2).replace('"0002"', f'"{self.revision}"')

    def arguments(self) -> tuple[str, ...]:
        """What a runbook is given so that it releases this."""
        content = {
            "path": str(self.folder),
            "builder": "process",
            "dashboard": "dashboard",
            "default_release": "v1",
        }
        return ("-e", "release=v2", "-e", json.dumps({"lyo_app": content}))

    def work(self) -> int:
        """How often the migration of the present release was done."""
        if self._ask("SELECT to_regclass('counted_work')::text") == [None]:
            return 0
        return len(
            self._ask("SELECT revision FROM counted_work WHERE revision = %s", self.revision)
        )

    def _ask(self, statement: str, *values: str) -> list[Any]:
        database = self.environment.outputs["database"]
        secret = self.environment.secret(database["secret_arn"])
        with psycopg.connect(
            host=database["host"],
            port=database["port"],
            dbname=database["name"],
            user=secret["username"],
            password=secret["password"],
        ) as connection:
            return [row[0] for row in connection.execute(statement, values).fetchall()]
