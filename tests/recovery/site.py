"""The environment that is broken again and again, and how a recovery of it is judged."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.recovery.result import Result, counted
from tests.runbooks import recovery
from tests.runbooks.harness import Environment, Run
from tests.runbooks.recovery import Guests
from tests.runbooks.test_8_backups import backups
from tests.runbooks.traffic import Customer

# The local cloud's PostgreSQL looks once a minute whether its data are still there.
NOTICED_SECONDS = 120.0
_POINT = re.compile(
    r"was restored from (?:snapshot \S+ of )?(\d{4}-\d\d-\d\dT[\d:]+Z) and can be used"
)


@dataclass
class Loss:
    """A loss that is being recovered from.

    :ivar former: the instance that served.
    :ivar booking: guests who go on.
    :ivar committed: table and key of the rows that it had, read before ``moment``.
    :ivar moment: a whole second before the loss.
    :ivar at: when it was lost.
    """

    former: str
    booking: Guests
    committed: set[tuple[str, str]]
    moment: datetime
    at: datetime

    def happens(self) -> None:
        """Now."""
        self.at = datetime.now(UTC)


class Site:
    """A deployed environment.

    :param terraform_last: whether Terraform takes the new instances over at the end of all, not in each run.
    """

    def __init__(self, environment: Environment, *, terraform_last: bool = False) -> None:
        self.environment = environment
        self.infra = ("-e", "infra=skip") if terraform_last else ()

    @property
    def rds(self) -> Any:
        """A client of RDS."""
        return self.environment.client("rds")

    @contextmanager
    def losing(self) -> Iterator[Loss]:
        """Guests book, some rows are committed before a whole second and some after it."""
        former = recovery.serving(self.environment)
        with recovery.guests(self.environment) as booking:
            committed = recovery.rows(self.environment, former)
            loss = Loss(former, booking, committed, recovery.next_second(), datetime.now(UTC))
            booking.wait(20)
            yield loss

    def archived(self, loss: Loss) -> None:
        """Wait until point-in-time recovery reaches what was read."""
        recovery.wait_until_archived(self.environment, loss.former, loss.moment)

    def delete_data(self, identifier: str) -> None:
        """Delete the data folder below a running server, and wait until RDS has noticed."""
        resource = recovery.described(self.environment, identifier)["DbiResourceId"]
        folder = self.environment.state_dir / "rds" / "instances" / resource / "data"
        assert (folder / "PG_VERSION").exists(), folder
        self._remove(folder)
        end = time.monotonic() + NOTICED_SECONDS
        while (status := self._status(identifier)) != "failed":
            assert time.monotonic() < end, f"{identifier} is still {status}"
            time.sleep(0.5)

    @staticmethod
    def _remove(folder: Path) -> None:
        while folder.exists():
            # The server may still make a file in it.
            shutil.rmtree(folder, ignore_errors=True)

    def _status(self, identifier: str) -> str:
        return str(recovery.described(self.environment, identifier)["DBInstanceStatus"])

    def delete_instance(self, identifier: str, **how: Any) -> None:
        """Delete an instance, and wait until it is gone."""
        self.rds.delete_db_instance(DBInstanceIdentifier=identifier, **how)
        end = time.monotonic() + NOTICED_SECONDS
        while identifier in recovery.instances(self.environment):
            assert time.monotonic() < end, f"{identifier} is still there"
            time.sleep(0.5)

    def restore(self, *arguments: str) -> Run:
        """Run restore.yml."""
        words = [word for argument in arguments for word in ("-e", argument)]
        return self.environment.run("restore.yml", *words, *self.infra)

    def judge(
        self, name: str, loss: Loss, run: Run, arguments: tuple[str, ...], point: datetime | None
    ) -> Result:
        """Compare what serves now with what was committed before the point.

        :param point: what was restored, None to take it from what the runbook says.
        """
        result = Result(name, " ".join(f"-e {a}" for a in arguments))
        if run.returncode != 0 or "SWITCHED" not in run.output:
            return result.but(f"it ended with {run.returncode}:\n{run.output}")
        told = _POINT.search(run.output)
        if point is None and told is None:
            return result.but(f"it does not say what was restored:\n{run.output}")
        point = point or datetime.fromisoformat(told.group(1) if told else "")
        same = recovery.serving(self.environment) == loss.former
        return self.compared(result, loss, run, point).but(
            "the instance that was lost still serves" if same else ""
        )

    def compared(self, result: Result, loss: Loss, run: Run, point: datetime) -> Result:
        """A result with what serves now compared with what was committed before the point."""
        serves = recovery.serving(self.environment)
        end = datetime.now(UTC)
        result = replace(
            result, point=point, seconds=run.seconds, silence=loss.booking.silence(loss.at)
        )
        result = counted(
            result,
            loss.booking.before(point),
            loss.booking.between(point, end),
            loss.committed if loss.moment <= point else set(),
            recovery.rows(self.environment, serves),
        )
        return result.but(self._still_answers(serves))

    def not_kept(self, loss: Loss, result: Result) -> str:
        """What of the messages after the point the former instance has not kept, empty where it has all."""
        if result.point is None:
            return ""
        later = loss.booking.between(result.point, datetime.now(UTC))
        serves = recovery.messages(self.environment, recovery.serving(self.environment))
        gone = later - serves - recovery.messages(self.environment, loss.former)
        return (
            f"{len(gone)} of {len(later)} messages after the point are in no database"
            if gone
            else ""
        )

    def _still_answers(self, restored: str) -> str:
        """What is wrong with a guest's conversation on what was restored, empty where it is well."""
        guest = Customer(self.environment)
        status, message = guest.say("Buonasera, mi chiamo Chiara")
        if status != 200:
            return f"a message afterwards is answered with {status}"
        guest.reply_to(message)
        known = message in recovery.messages(self.environment, restored)
        return "" if known else "a message afterwards is not in what was restored"

    def release_old(self) -> Run:
        """Delete the former instances; what serves goes on serving alone."""
        served = recovery.serving(self.environment)
        run = self.environment.run("restore.yml", "-e", "release_old=true")
        assert run.returncode == 0, run.output
        assert recovery.instances(self.environment) == [served]
        return run

    def back_up(self) -> tuple[str, datetime]:
        """Make a verified logical backup; returns its ID, and when its dump began."""
        run = self.environment.run("backup.yml", "-e", "kinds=logical")
        assert run.returncode == 0, run.output
        made = backups(self.environment)[-1]
        began = recovery.manifest(self.environment, made)["began"]
        return made, datetime.fromisoformat(began).astimezone(UTC)
