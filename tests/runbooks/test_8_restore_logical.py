"""Back from a logical backup, while guests book: a whole database beside the one that serves, and one tenant alone.

What serves before serves after. The other ways back are in test_8_restore.py; all of them through a switch, `make recovery`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import pytest

from tests.runbooks.harness import Environment
from tests.runbooks.recovery import (
    KEYS,
    NEIGHBOURS,
    by_mistake,
    guests,
    instances,
    manifest,
    messages,
    of_others,
    rows,
    serving,
)
from tests.runbooks.test_8_backups import backups
from tests.runbooks.traffic import TENANT, Customer

pytestmark = [pytest.mark.late, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Backup:
    """A verified backup, and what was there when it began.

    committed: table and key of the rows of all tenants. acknowledged: messages of the tenant's guests.
    """

    id: str
    committed: set[tuple[str, str]]
    acknowledged: set[str]


@pytest.fixture(scope="module")
def backup(environment: Environment) -> Backup:
    """Made while guests of two restaurants book; a third one's have booked before."""
    image = environment.run("ops_image.yml")
    assert image.returncode == 0, image.output
    quiet = Customer(environment, NEIGHBOURS["nonna-rosa"])
    assert quiet.say("Tavolo per 2 domani alle 20:00")[0] == 200
    with guests(environment) as booking, guests(environment, NEIGHBOURS["il-faro"]):
        committed = rows(environment, serving(environment))
        run = environment.run("backup.yml", "-e", "kinds=logical")
        assert run.returncode == 0, run.output
        made = backups(environment)[-1]
        began = datetime.fromisoformat(manifest(environment, made)["began"])
    return Backup(made, committed, booking.before(began))


def test_all_that_was_committed_when_the_newest_backup_began_is_in_a_new_instance(
    environment: Environment, backup: Backup
) -> None:
    before, served = instances(environment), serving(environment)
    with guests(environment) as booking:
        run = environment.run(
            "restore.yml", "-e", "from=logical", "-e", "backup=latest", "-e", "switch=false"
        )
    assert run.returncode == 0, run.output
    assert "RESTORED" in run.output
    assert f"was restored from backup {backup.id}" in run.output
    [restored] = set(instances(environment)) - set(before)
    assert len(backup.acknowledged) > 20
    there = messages(environment, restored)
    assert backup.acknowledged - there == set()
    assert backup.committed - rows(environment, restored) == set()
    # It is the backup, not the database of now: that one goes on.
    later = booking.before(run.started)
    assert len(later) > 20
    assert later & there == set()
    assert serving(environment) == served
    assert later - messages(environment, served) == set()
    gone = environment.run("restore.yml", "-e", "discard=true")
    assert gone.returncode == 0, gone.output
    assert instances(environment) == before


def test_one_tenant_comes_back_and_nobody_elses_rows_are_touched(
    environment: Environment, backup: Backup
) -> None:
    served = serving(environment)
    asked = ("-e", f"tenant={TENANT}", "-e", f"backup={backup.id}")
    with guests(environment, NEIGHBOURS["il-faro"]) as neighbours:
        assert by_mistake(environment, served, f"DELETE FROM tenants WHERE id = '{TENANT}'") == 1
        others = of_others(environment, served, TENANT)
        assert {table for table, _ in others} == set(KEYS)

        shown = environment.run("restore.yml", *asked)
        assert shown.returncode == 0, shown.output
        assert "PREDICTED" in shown.output
        missing = manifest_rows(environment, backup.id)
        for table, count in missing.items():
            assert re.search(rf"{table}: {count} missing, 0 different", shown.output), shown.output
        [digest] = set(re.findall(r"-e approve=([0-9a-f]{16})", shown.output))

        wrong = environment.run("restore.yml", *asked, "-e", f"approve={'0' * 16}")
        assert wrong.returncode == 2, wrong.output
        assert f"is not what was approved ({'0' * 16})" in wrong.output
        assert ("tenants", TENANT) not in rows(environment, served)

        run = environment.run("restore.yml", *asked, "-e", f"approve={digest}")
        assert run.returncode == 0, run.output
        assert "RESTORED" in run.output
        again = environment.run("restore.yml", *asked, "-e", f"approve={digest}")
        assert again.returncode == 0, again.output
        assert "UNCHANGED" in again.output
        neighbours.wait(1)
    now = of_others(environment, served, TENANT)
    assert {row: now.get(row) for row in others} == others
    assert backup.committed - rows(environment, served) == set()
    assert backup.acknowledged - messages(environment, served) == set()
    assert neighbours.before(run.started) - messages(environment, served) == set()
    assert serving(environment) == served
    guest = Customer(environment)
    status, message = guest.say("Buonasera, mi chiamo Chiara")
    assert status == 200
    guest.reply_to(message)


def manifest_rows(environment: Environment, backup: str) -> dict[str, int]:
    """Rows of the tenant by table, as the backup's manifest has them."""
    tables = manifest(environment, backup)["tables"]
    found = {table["name"]: int(table["rows_per_tenant"].get(TENANT, 0)) for table in tables}
    return {name: count for name, count in found.items() if count}
