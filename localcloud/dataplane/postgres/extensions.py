"""Extensions that a user who is no superuser may create, as on RDS.

RDS lets members of rds_superuser create extensions that PostgreSQL itself gives to superusers only,
and use their functions. Here: copies of their control files marked `trusted`, on
extension_control_path, with a script that ends by granting.
https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-extensions.html
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

PRIVILEGED = (
    "amcheck",
    "bloom",
    "pg_buffercache",
    "pg_freespacemap",
    "pg_prewarm",
    "pg_stat_statements",
    "pg_visibility",
    "pg_walinspect",
    "pgrowlocks",
    "pgstattuple",
    "vector",
)

_GRANT = """
DO $grant$
DECLARE
    routine regprocedure;
BEGIN
    FOR routine IN
        SELECT d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_proc'::regclass
          AND d.deptype = 'e' AND e.extname = '%s'
    LOOP
        EXECUTE format('GRANT EXECUTE ON ROUTINE %%s TO rds_superuser', routine);
    END LOOP;
END
$grant$;
"""


def make(share: Path, target: Path) -> None:
    """Fill `target/extension` with the control files and scripts; `share` is PostgreSQL's."""
    folder = target / "extension"
    folder.mkdir(parents=True)
    for name in PRIVILEGED:
        control = share / "extension" / f"{name}.control"
        if not control.exists():
            continue
        text = control.read_text()
        (folder / control.name).write_text(f"{text.rstrip()}\ntrusted = true\n")
        default = re.search(r"default_version\s*=\s*'([^']+)'", text)
        for script in (share / "extension").glob(f"{name}--*.sql"):
            copied = Path(shutil.copy(script, folder))
            # Every way to the default version ends in a script that is named for it.
            if default is not None and script.stem.endswith(f"--{default[1]}"):
                copied.write_text(copied.read_text() + _GRANT % name)
