"""The kill table: every row is a run that dies at one call, and the same command typed again."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible.module_utils.lyo_image.run_image import wanted_tag

from tests.chaos import points
from tests.chaos.application import Application
from tests.chaos.killing import Killed, kill_at, wait_until_gone
from tests.chaos.points import TREE, Point, Row
from tests.chaos.truth import Made, Truth
from tests.runbooks.harness import Environment, Run

# Short, so that the lock of a tree that died is free in seconds; a run renews it all the same.
LEASE_SECONDS = 6
# Local: no bake, because nothing is told by it here.
DEPLOYMENT = {
    "strategy": "BLUE_GREEN",
    "bake_time_minutes": 0,
    "pause_timeout_minutes": 30,
    "healthy_timeout": 180,
}
ENDED_WELL = ("DEPLOYED", "ROLLED_BACK", "UNCHANGED")


def settings(**deployment: object) -> tuple[str, ...]:
    """The variables that every command of the table has."""
    values = {
        "lyo_lock_lease": LEASE_SECONDS,
        "lyo_deployment": {**DEPLOYMENT, **deployment},
    }
    return ("-e", json.dumps(values))


@dataclass
class Result:
    """How a row went: what was wrong (nothing), and how long it took, in wall seconds."""

    row: str
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class Link:
    """One killed run: its row, what was wrong at once, how long it took."""

    row: Row
    killed: Killed
    seconds: float
    problems: list[str]


class Table:
    """The rows of one environment.

    :param folder: for the application's copy.
    """

    def __init__(self, environment: Environment, folder: Path) -> None:
        self.environment = environment
        self.truth = Truth(environment)
        self.application = Application(environment, folder / "booking")
        self.results: list[Result] = []
        self.tried: set[tuple[str, ...]] = set()
        self._ended: Run | None = None

    # -- commands -------------------------------------------------------------------------------

    def deploy(self, *more: str) -> tuple[str, ...]:
        """The command that releases the application as it is now."""
        return ("deploy.yml", *self.application.arguments(), *settings(), *more)

    def renew(self) -> None:
        """Let there be something to do for every step: image, migration, dashboard, release."""
        self.application.renew()
        bucket = self.environment.outputs["dashboard_bucket"]
        self.truth.client("s3").delete_object(Bucket=bucket, Key="config.json")

    def serve(self, *command: str) -> Run:
        """Run a command that has to end well."""
        run = self.environment.run(*command)
        assert run.returncode == 0, run.output
        return run

    def points_of(self, *command: str) -> list[Point]:
        """The mutating calls of a clean run."""
        run = self.serve(*command)
        return points.points(self.environment.calls(run.started, writes=True))

    def carrying(self) -> str:
        """The task definition that carries the traffic, which is one."""
        (arn,) = self.truth.carrying()
        return arn

    # -- rows -----------------------------------------------------------------------------------

    def try_row(
        self,
        row: Row,
        command: Sequence[str],
        check: Callable[[Made, Run], list[str]],
        nothing_left: Sequence[str] = (),
    ) -> None:
        """Kill a run of `command` at the row's point, type it again, and see what is so then.

        :param nothing_left: the command that changes nothing then; by default the same.
        """
        before = self.truth.made()
        link = self._kill(row, row, command)
        assert link is not None, f"the run made no {row.point}"
        again = self.environment.run(*command)
        self._judge([link], check(before, again), again, nothing_left or command)

    def try_chain(
        self,
        rows: Sequence[Row],
        command: Sequence[str],
        begin: Callable[[], Callable[[Made, Run], list[str]]],
        nothing_left: Sequence[str] = (),
    ) -> None:
        """Kill a run at the first row's point, the run after it at the next row's, and so on.

        Each run has to find what the one before it has left, or it would not come to its own call.
        What has come of all of them is checked at the end. Where a run has nothing left to do, the
        rest of the rows begins anew.

        :param begin: brings about where the runs begin, and returns what is to be checked then.
        """
        waiting = list(rows)
        while waiting:
            check = begin()
            before, links, again = self.truth.made(), list[Link](), None
            while waiting and again is None:
                row = waiting[0]
                link = self._kill(row, Row(row.point.next(), row.when, row.victim), command)
                if isinstance(link, Link):
                    links.append(link)
                    waiting.pop(0)
                else:
                    again = self._ended
            assert links, f"no run made {waiting[0].point}:\n{self._ended}"
            again = again or self.environment.run(*command)
            self._judge(links, check(before, again), again, nothing_left or command)

    def _kill(self, row: Row, where: Row, command: Sequence[str]) -> Link | None:
        """Kill one run; None where it has ended before that (`_ended`)."""
        started, known = time.monotonic(), set(self.truth.ledger_keys())
        killed = kill_at(self.environment, where, command)
        if isinstance(killed, Run):
            self._ended = killed
            return None
        problems = []
        if killed.run.returncode >= 0:
            problems.append(f"the controller was not killed: exit code {killed.run.returncode}")
        if row.victim == TREE:
            self.outlive_the_lease()
        verdicts = self._on_record(known)
        deadline = time.monotonic() + 30
        # Whoever stays beside a run repeats what was cut off.
        while row.victim != TREE and "RUNNING" in verdicts and time.monotonic() < deadline:
            time.sleep(0.5)
            verdicts = self._on_record(known)
        dead = ("RUNNING", "KILLED") if row.victim == TREE else ("KILLED", *ENDED_WELL)
        if len(verdicts) > 1 or any(verdict not in dead for verdict in verdicts):
            problems.append(f"the killed run is on record as {verdicts}")
        link = Link(row, killed, time.monotonic() - started, problems)
        print(f"killed  {link.seconds:5.1f} s  {row}", flush=True)
        return link

    def _on_record(self, known: set[str]) -> list[str]:
        """Verdicts of the runs that are new in the ledger."""
        keys = [key for key in self.truth.ledger_keys() if key not in known]
        return [str(self.truth.stored(key)["verdict"]) for key in keys]

    def _judge(
        self, links: Sequence[Link], problems: list[str], again: Run, nothing_left: Sequence[str]
    ) -> None:
        """Note what came of some killed runs and the one after them."""
        wait_until_gone([pid for link in links for pid in link.killed.left])
        self.outlive_the_lease()
        lock, dead = self.truth.lock(), [link for link in links if link.row.victim == TREE]
        # A lock whose lease has run out stays until somebody needs it; UNCHANGED needs none.
        if lock["state"] != "free" and not (dead and verdict_of(again) == "UNCHANGED"):
            problems.append(f"the lock is still held: {lock}")
        last = self.truth.stored(self.truth.ledger_keys()[-1])
        # A run that changes nothing is not on record.
        ending = verdict_of(again)
        if ending != "UNCHANGED" and last["verdict"] != ending:
            problems.append(f"the ledger says {last['verdict']}, the run said {ending}")
        problems += self.nothing_left(nothing_left)
        if problems:
            problems.append(f"the last run:\n{again.output}")
        for link in links:
            result = Result(str(link.row), [*link.problems, *problems], link.seconds)
            word = "FAILED" if result.problems else "ok"
            print(f"{word:<7} {result.seconds:5.1f} s  {result.row}", flush=True)
            self.results.append(result)

    def outlive_the_lease(self) -> None:
        """Wait until the lock of a run that died with its guardian can be taken over."""
        deadline = time.monotonic() + 20 * LEASE_SECONDS
        while self.truth.lock()["state"] == "held" and self.truth.lock_age() <= LEASE_SECONDS:
            assert time.monotonic() < deadline, f"somebody renews it: {self.truth.lock()}"
            time.sleep(0.25)

    def nothing_left(self, command: Sequence[str]) -> list[str]:
        """What is wrong with a run that has nothing to do."""
        third = self.environment.run(*command)
        problems = []
        if third.returncode != 0 or verdict_of(third) != "UNCHANGED":
            problems.append(f"a third run is not UNCHANGED:\n{third.output}")
        wrote = [
            f"{call.service}:{call.operation} {call.resource or ''}"
            for call in self.environment.calls(third.started, writes=True)
        ]
        if wrote:
            problems.append(f"a third run wrote: {', '.join(wrote)}")
        return problems

    # -- what is right --------------------------------------------------------------------------

    def released(self, before: Made, again: Run) -> list[str]:
        """What is wrong after the application was released by a killed run and the one after it."""
        problems = []
        if again.returncode != 0 or verdict_of(again) not in ("DEPLOYED", "UNCHANGED"):
            problems.append(f"exit code {again.returncode}, verdict {verdict_of(again)}")
        app = {
            "path": str(self.application.folder),
            "builder": "process",
            "image_toml": "image.toml",
        }
        wanted, _ = wanted_tag(app, "v2")
        carrying = self.truth.carrying()
        tags = {self.truth.image_tag(arn) for arn in carrying}
        if len(carrying) != 1 or tags != {wanted}:
            problems.append(f"{carrying} with {tags} carry the traffic, not {wanted} alone")
        problems += self._made_once(before, carrying)
        new = self._new(before)
        families = Counter(arn.rpartition("/")[2].partition(":")[0] for arn in new.definitions)
        family = self.truth.names["task_family"]
        # A migration is looked at and then done by two one-off tasks, each with a definition.
        if families.keys() != {family, f"{family}-migrate"} or families[family] != 1:
            problems.append(f"task definitions made: {new.definitions}")
        if self.application.work() != 1:
            problems.append(f"the migration was done {self.application.work()} times")
        return problems

    def turned_back(self, former: str) -> Callable[[Made, Run], list[str]]:
        """What is wrong after a rollback to the task definition `former`."""

        def check(before: Made, again: Run) -> list[str]:
            problems = []
            if again.returncode != 0 or verdict_of(again) not in ("ROLLED_BACK", "UNCHANGED"):
                problems.append(f"exit code {again.returncode}, verdict {verdict_of(again)}")
            carrying = self.truth.carrying()
            if carrying != {former}:
                problems.append(f"{carrying} carry the traffic, not {former} alone")
            if self._new(before).definitions:
                problems.append(f"task definitions made: {self._new(before).definitions}")
            return problems + self._made_once(before, carrying)

        return check

    def _new(self, before: Made) -> Made:
        now = self.truth.made()
        return Made(
            {arn: s for arn, s in now.deployments.items() if arn not in before.deployments},
            tuple(arn for arn in now.definitions if arn not in before.definitions),
            tuple(arn for arn in now.one_offs if arn not in before.one_offs),
            tuple(key for key in now.runs if key not in before.runs),
        )

    def _made_once(self, before: Made, carrying: set[str]) -> list[str]:
        """At most one new deployment, of what carries the traffic, and no two definitions alike."""
        problems = []
        new = self._new(before)
        under_way = [d for d in self.truth.deployments() if d["status"] == "IN_PROGRESS"]
        if under_way:
            problems.append(f"still in progress: {under_way}")
        if list(new.deployments.values()) not in ([], ["SUCCESSFUL"]):
            problems.append(f"deployments made: {new.deployments}")
        newest = self.truth.deployments()[0]
        if newest["status"] == "SUCCESSFUL" and {self.truth.target_of(newest)} != carrying:
            problems.append(f"the last deployment is of {self.truth.target_of(newest)}")
        alike = self.truth.alike(new.definitions)
        if alike:
            problems.append(f"task definitions with the same content: {alike}")
        return problems


def verdict_of(run: Run) -> str:
    """The verdict that a run's last lines say; empty without one."""
    end = run.output.rpartition("PLAY RECAP")[2]
    words = ("UNCHANGED", "DEPLOYED", "ROLLED_BACK", "STILL_RUNNING", "FAILED")
    found = [
        line.split()[0]
        for line in end.splitlines()
        if line.split()[:1] and line.split()[0] in words
    ]
    return found[0] if found else ""
