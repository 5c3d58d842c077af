"""The losses, each with the one runbook that brings the database back."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.recovery.result import Result
from tests.recovery.site import Site
from tests.runbooks import recovery, traffic
from tests.runbooks.harness import ROOT, Run
from tests.runbooks.test_2_releases import release_of

DELETE_TENANT = f"DELETE FROM tenants WHERE id = '{traffic.TENANT}'"
APP = ROOT / "examples" / "booking"
# Revision and release of a migration that destroys what guests have booked.
REVISION, RELEASE = "0003_tidied", "tidied"
MIGRATION = f'''"""only what was booked for a try is deleted"""

from alembic import op

revision = "{REVISION}"
down_revision = "0002"
lyo_kind = "expand"
lyo_allow = {{"unbounded-delete": "nobody has booked yet, what is there was booked for a try"}}


def upgrade():
    op.execute("DELETE FROM bookings")
'''


def together(first: Run, second: Run) -> Run:
    """The second of two commands that it took, with the time of both."""
    return replace(second, seconds=first.seconds + second.seconds)


def table_dropped(site: Site) -> Result:
    """A table is dropped; back to the second before."""
    with site.losing() as loss:
        recovery.by_mistake(site.environment, loss.former, "DROP TABLE bookings CASCADE")
        loss.happens()
        site.archived(loss)
        arguments = ("from=time", f"time={loss.moment:%Y-%m-%dT%H:%M:%SZ}")
        run = site.restore(*arguments)
        result = site.judge("a table dropped", loss, run, arguments, loss.moment)
        return result.but(site.not_kept(loss, result))


def tenant_deleted(site: Site) -> Result:
    """A tenant and all that is its own is deleted; back to the second before."""
    with site.losing() as loss:
        assert recovery.by_mistake(site.environment, loss.former, DELETE_TENANT) == 1
        loss.happens()
        site.archived(loss)
        arguments = ("from=time", f"time={loss.moment:%Y-%m-%dT%H:%M:%SZ}")
        run = site.restore(*arguments)
        return site.judge("a tenant's rows deleted", loss, run, arguments, loss.moment)


def tenant_alone(site: Site) -> Result:
    """A tenant is deleted; brought back alone from a logical backup, while the others go on booking."""
    environment, tenant = site.environment, traffic.TENANT
    with site.losing() as loss, recovery.guests(environment, recovery.NEIGHBOURS["il-faro"]):
        backup, began = site.back_up()
        loss.booking.wait(20)
        assert recovery.by_mistake(environment, loss.former, DELETE_TENANT) == 1
        loss.happens()
        others = recovery.of_others(environment, loss.former, tenant)
        asked = (f"tenant={tenant}", f"backup={backup}")
        shown = site.restore(*asked)
        digests = re.findall(r"approve=([0-9a-f]{16})", shown.output)
        assert digests, shown.output
        run = site.restore(*asked, f"approve={digests[-1]}")
        again = site.restore(*asked, f"approve={digests[-1]}")
        result = site.compared(
            Result(
                "a tenant's rows deleted, everybody else goes on",
                f"-e tenant={tenant}`, then `-e tenant={tenant} -e approve=…",
            ),
            loss,
            together(shown, run),
            began,
        )
        now = recovery.of_others(environment, loss.former, tenant)
        changed = [row for row, content in others.items() if now.get(row) != content]
        return result.but(
            f"of {len(others)} rows of others, {len(changed)} were changed" if changed else "",
            "" if {table for table, _ in others} == set(recovery.KEYS) else "others have no rows",
            "" if "RESTORED" in run.output else f"it was not brought back:\n{run.output}",
            "" if "UNCHANGED" in again.output else f"a second time changes:\n{again.output}",
            "" if recovery.serving(environment) == loss.former else "another instance serves",
        )


def bad_migration(site: Site) -> Result:
    """A release whose migration deletes what it must not; back to the snapshot that it took."""
    served = release_of(site.environment)
    with site.losing() as loss, tempfile.TemporaryDirectory(prefix="lyo-tidied-") as folder:
        app = tidied(Path(folder))
        new = ("-e", f"release={RELEASE}", "-e", app)
        deploy = site.environment.run("deploy.yml", *new, *site.infra)
        loss.happens()
        assert deploy.returncode == 0, deploy.output
        snapshots = re.findall(rf"{loss.former}-migrate-[0-9a-z-]+", deploy.output)
        assert snapshots, deploy.output
        snapshot = snapshots[0]
        gone = loss.committed - recovery.rows(site.environment, loss.former)
        assert {table for table, _ in gone} == {"bookings"}, sorted(gone)[:5]
        unnamed = site.restore("from=snapshot", f"snapshot={snapshot}")
        arguments = ("from=snapshot", f"snapshot={snapshot}", f"release={served}")
        run = site.restore(*arguments)
        shown = ("from=snapshot", "snapshot=<instance>-migrate-…", f"release={served}")
        result = site.judge(
            "a migration that deletes bookings", loss, together(unnamed, run), shown, None
        )
        return result.but(
            ""
            if unnamed.returncode == 2 and f"{RELEASE} would migrate it" in unnamed.output
            else f"without the release's name it was not refused:\n{unnamed.output}",
            "" if release_of(site.environment) == served else f"{served} does not serve",
            site.not_kept(loss, result),
        )


def tidied(folder: Path) -> str:
    """Write a copy of the application with that migration; returns the extra variable that names it."""
    app = folder / "booking"
    shutil.copytree(APP, app, ignore=shutil.ignore_patterns("__pycache__"))
    (app / "migrations" / "broken" / f"{REVISION}.py").write_text(MIGRATION)
    releases = app / "booking" / "releases.py"
    releases.write_text(
        releases.read_text().replace('"v2": {},', f'"v2": {{}}, "{RELEASE}": {{}},')
    )
    with (app / "image.toml").open("a") as image:
        env = f'LYO_RELEASE = "{RELEASE}", LYO_SCHEMA_REVISION = "{REVISION}"'
        image.write(f'\n[releases.{RELEASE}]\nenv = {{ {env} }}\nschema = ["{REVISION}"]\n')
    return (
        f'{{"lyo_app": {{"path": "{app}", "builder": "process", "dashboard": "dashboard", '
        '"default_release": "v1"}}'
    )


def data_folder(site: Site) -> Result:
    """The data folder is deleted below the running server; back to what the archive has."""
    with site.losing() as loss:
        site.archived(loss)
        loss.happens()
        site.delete_data(loss.former)
        arguments = ("from=time", "time=latest")
        run = site.restore(*arguments)
        return site.judge("the data folder deleted", loss, run, arguments, None)


def instance_deleted(site: Site) -> Result:
    """The instance is deleted, its automated backups stay; back to their end."""
    with site.losing() as loss:
        loss.happens()
        site.delete_instance(loss.former, SkipFinalSnapshot=True, DeleteAutomatedBackups=False)
        arguments = ("from=time", "time=latest")
        run = site.restore(*arguments)
        name = "the instance deleted, its automated backups retained"
        return site.judge(name, loss, run, arguments, None)


def instance_and_backups_deleted(site: Site) -> Result:
    """The instance is deleted with its automated backups, after a last snapshot; back to that."""
    with site.losing() as loss:
        loss.happens()
        final = f"{loss.former}-final"
        site.delete_instance(loss.former, FinalDBSnapshotIdentifier=final)
        unreachable = site.restore("from=time", "time=latest")
        arguments = ("from=snapshot", "snapshot=latest")
        run = site.restore(*arguments)
        site.rds.delete_db_snapshot(DBSnapshotIdentifier=final)
        name = "the instance deleted with its automated backups, after a last snapshot"
        result = site.judge(name, loss, run, arguments, None)
        proposes = unreachable.returncode == 2 and "from=snapshot" in unreachable.output
        return result.but("" if proposes else f"no snapshot is proposed:\n{unreachable.output}")


def everything_deleted(site: Site) -> Result:
    """The instance is deleted with all that RDS has of it; back to the last verified logical backup."""
    with site.losing() as loss:
        backup, began = site.back_up()
        loss.booking.wait(20)
        loss.happens()
        site.delete_instance(loss.former, SkipFinalSnapshot=True, DeleteAutomatedBackups=True)
        arguments = ("from=logical", "backup=latest")
        run = site.restore(*arguments)
        name = "the instance deleted with all of RDS's backups"
        result = site.judge(name, loss, run, arguments, began)
        told = f"was restored from backup {backup}" in run.output
        return result.but(
            "" if told else f"{backup} was not the one that was restored:\n{run.output}"
        )


LOSSES: dict[str, Callable[[Site], Result]] = {
    one.__name__: one
    for one in (
        instance_deleted,
        instance_and_backups_deleted,
        everything_deleted,
        data_folder,
        table_dropped,
        tenant_deleted,
        tenant_alone,
        bad_migration,
    )
}
