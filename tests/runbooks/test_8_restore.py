"""The database is lost while guests book, and comes back as it was at a second: nothing before it is missing.

What served before goes on serving, on a restored database; the next tests do not know the difference.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.runbooks.harness import Environment
from tests.runbooks.recovery import (
    by_mistake,
    database,
    guests,
    instances,
    messages,
    next_second,
    rows,
    serving,
    wait_until_archived,
)
from tests.runbooks.traffic import TENANT, Customer

# After everything that remembers what there was before; destroy.yml still comes later.
pytestmark = pytest.mark.late

DELETE_TENANT = f"DELETE FROM tenants WHERE id = '{TENANT}'"


def test_a_drill_measures_a_recovery_and_leaves_nothing(environment: Environment) -> None:
    before, served = instances(environment), serving(environment)
    run = environment.run("drill.yml")
    assert run.returncode == 0, run.output
    figures = re.search(r"usable after ([\d,]+) s \(RTO\), ([\d,]+) s .*\(RPO\)", run.output)
    assert figures, run.output
    assert int(figures.group(1).replace(",", "")) > 0
    assert instances(environment) == before
    assert serving(environment) == served
    status = environment.run("status.yml")
    assert re.search(rf"recovery +drilled .*: RTO {figures.group(1)} s", status.output), (
        status.output
    )


def test_a_second_that_cannot_be_reached_is_refused_and_nothing_is_changed(
    environment: Environment,
) -> None:
    run = environment.run("restore.yml", "-e", "from=time", "-e", "time=2020-01-01T00:00:00Z")
    assert run.returncode == 2
    assert "cannot be reached: the backups of" in run.output
    writes = {call.operation for call in environment.calls(run.started, writes=True)}
    assert writes <= {"PutObject"}, writes  # the lock and the ledger


def test_rows_deleted_by_mistake_come_back_as_they_were_at_the_second_before(
    environment: Environment,
) -> None:
    former = serving(environment)
    with guests(environment) as booking:
        committed = rows(environment, former)
        chosen = next_second()
        booking.wait(20)
        assert by_mistake(environment, former, DELETE_TENANT) == 1
        wait_until_archived(environment, former, chosen + timedelta(seconds=1))
        asked = ("-e", "from=time", "-e", f"time={chosen:%Y-%m-%dT%H:%M:%SZ}")
        check = environment.run("restore.yml", *asked, "--check")
        assert check.returncode == 0, check.output
        assert environment.calls(check.started, writes=True) == []
        run = environment.run("restore.yml", *asked)
    assert run.returncode == 0, run.output
    assert "SWITCHED" in run.output
    restored = serving(environment)
    assert restored != former
    # Committed before the chosen second: all of it is there.
    assert len(booking.before(chosen)) > 20
    assert booking.before(chosen) - messages(environment, restored) == set()
    assert committed - rows(environment, restored) == set()
    # What came later is still in the former one, and the mistake is not in the restored one.
    with database(environment, restored) as connection:
        there = connection.execute(
            "SELECT count(*) FROM tenants WHERE id = %s", (TENANT,)
        ).fetchone()
    assert there == (1,)
    assert former in instances(environment)
    guest = Customer(environment)
    status, message = guest.say("Mi chiamo Chiara")
    assert status == 200
    guest.reply_to(message)
    assert message in messages(environment, restored)

    again = environment.run("restore.yml", *asked)
    assert again.returncode == 0, again.output
    assert "UNCHANGED" in again.output


def test_the_former_instance_is_kept_until_it_is_released(environment: Environment) -> None:
    serves = serving(environment)
    former = [name for name in instances(environment) if name != serves]
    assert former
    run = environment.run("restore.yml", "-e", "release_old=true")
    assert run.returncode == 0, run.output
    assert instances(environment) == [serves]
    # Terraform had taken the other one over: of its plan only the logs of the former one are left to do.
    done = set(re.findall(r"(?:creating|changing|replacing|destroying) (module\S+)", run.output))
    assert {address.split("[")[0] for address in done} <= {
        "module.database.aws_cloudwatch_log_group.postgres"
    }
    deploy = environment.run("deploy.yml")
    assert deploy.returncode == 0, deploy.output
    assert "UNCHANGED" in deploy.output
