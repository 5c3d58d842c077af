"""The kill table: every row is a run that dies at one call, and the same command typed again."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible.module_utils.lyo_release import verdict

from localcloud.recorder import RecordedCall
from tests.chaos import points
from tests.chaos.killing import Killed, kill_at, outlives, wait_until_gone
from tests.chaos.points import TASK, Point, Row
from tests.chaos.truth import LOCK, Truth
from tests.runbooks.harness import Environment, Run

# Short, so that the lock of a tree that died is free in seconds; a run renews it all the same.
LEASE_SECONDS = 6
ENDED_WELL = (
    verdict.BACKED_UP,
    verdict.DEPLOYED,
    verdict.MIGRATED,
    verdict.ROLLED_BACK,
    verdict.SUCCEEDED,
    verdict.UNCHANGED,
    # Of restore.yml.
    "RELEASED",
    "SWITCHED",
)
# What LYO_CHAOS says: every row by itself, or as a chain.
ALL, SIDES = "all", "sides"
# Of the rows, those that this regular expression finds.
ROWS = re.compile(os.environ.get("LYO_CHAOS_ROWS", ""))
_WORDS = (*ENDED_WELL, verdict.FAILED, verdict.STILL_RUNNING)

# What is wrong, given what there was before the runs, and the last of them.
Check = Callable[[Any, Run], list[str]]


@dataclass(frozen=True)
class Attempt:
    """What the runs of some rows do.

    :ivar command: the runbook and its arguments.
    :ivar check: what has to be so at the end.
    :ivar nothing_left: the command that changes nothing then; by default the same.
    """

    command: Sequence[str]
    check: Check
    nothing_left: Sequence[str] = ()


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
    """The rows of one environment, whatever its runs do.

    :param lock: key of the lock that the runs take.
    :cvar idle_writes: what a run calls that has nothing to do.
    :cvar locks_always: whether it takes the lock before it knows that there is nothing to do.
    """

    idle_writes: frozenset[str] = frozenset()
    locks_always = False

    def __init__(self, environment: Environment, lock: str = LOCK) -> None:
        self.environment = environment
        self.truth = Truth(environment, lock)
        self.results: list[Result] = []
        self.tried: set[tuple[str, ...]] = set()
        self._ended: Run | None = None

    def serve(self, *command: str) -> Run:
        """Run a command that has to end well."""
        run = self.environment.run(*command)
        assert run.returncode == 0, run.output
        return run

    def points_of(self, *command: str) -> list[Point]:
        """The mutating calls of a clean run."""
        run = self.serve(*command)
        return points.points(self.environment.calls(run.started, writes=True), self.truth.lock_key)

    def made(self) -> Any:
        """What there is, as a check compares it."""
        return self.truth.made()

    def tell(self) -> None:
        """Say how many rows there were; there may be none of those that were asked for."""
        if not self.results:
            pytest.skip(f"no row is {ROWS.pattern}")
        bad = sum(bool(result.problems) for result in self.results)
        seconds = sum(result.seconds for result in self.results)
        print(f"\n{type(self).__name__}: {len(self.results)} rows, {bad} failed, {seconds:.0f} s")

    # -- rows -----------------------------------------------------------------------------------

    def try_all(self, found: Sequence[Point], begin: Callable[[], Attempt], mode: str) -> None:
        """Try the rows of some points, then tell of those that failed.

        :param begin: brings about where the runs begin.
        :param mode: ALL, each row by itself; SIDES, the same rows as a chain; else each kind of call
            once, as a chain, without those objects of S3 that another runbook's rows have written.
        """
        before = len(self.results)
        if mode in (ALL, SIDES):
            rows = _chosen(points.every_row(found))
            if mode == SIDES:
                self.try_chain(rows, begin)
            else:
                for row in rows:
                    self.try_row(row, begin())
        else:
            new = [point for point in found if point.code not in self.tried]
            rows = _chosen(points.some_rows(new))
            self.tried |= {point.code for point in found if point.what}
            self.try_chain(rows, begin)
        done = self.results[before:]
        assert len(done) == len(rows)
        failed = [f"{r.row}: " + "\n  ".join(r.problems) for r in done if r.problems]
        assert not failed, "\n\n".join(failed)

    def try_row(self, row: Row, attempt: Attempt) -> None:
        """Kill a run at the row's point, type it again, and see what is so then."""
        before = self.made()
        link = self._kill(row, row, attempt.command)
        assert link is not None, f"the run made no {row.point}:\n{self._ended}"
        again = self.environment.run(*attempt.command)
        self._judge([link], before, again, attempt)

    def try_chain(self, rows: Sequence[Row], begin: Callable[[], Attempt]) -> None:
        """Kill a run at the first row's point, the run after it at the next row's, and so on.

        Each run has to find what the one before it has left, or it would not come to its own call.
        What has come of all of them is checked at the end. Where a run has nothing left to do, the
        rest of the rows begins anew.
        """
        waiting = list(rows)
        while waiting:
            attempt = begin()
            before, links, again = self.made(), list[Link](), None
            while waiting and again is None:
                row = waiting[0]
                where = Row(row.point.next(), row.when, row.victim)
                link = self._kill(row, where, attempt.command)
                if isinstance(link, Link):
                    links.append(link)
                    waiting.pop(0)
                    # A module that has not seen yet that it is alone could make the next row's call;
                    # for Terraform the next run waits itself.
                    if not any(outlives(pid) for pid in link.killed.left):
                        wait_until_gone(link.killed.left)
                else:
                    again = self._ended
            if not links:
                told = "\n".join(p for result in self.results for p in result.problems[-2:])
                raise AssertionError(f"no run made {waiting[0].point}:\n{self._ended}\n{told}")
            again = again or self.environment.run(*attempt.command)
            self._judge(links, before, again, attempt)

    def _kill(self, row: Row, where: Row, command: Sequence[str]) -> Link | None:
        """Kill one run; None where it has ended before that (`_ended`)."""
        started, known = time.monotonic(), set(self.truth.ledger_keys())
        killed = kill_at(self.environment, where, command)
        if isinstance(killed, Run):
            self._ended = killed
            return None
        problems = []
        code, dead = killed.run.returncode, row.dead
        if row.victim == TASK and (code, verdict_of(killed.run)) != (2, verdict.FAILED):
            problems.append(f"its task died, and the run said:\n{killed.run.output}")
        elif row.victim != TASK and code >= 0:
            problems.append(f"the controller was not killed: exit code {code}")
        if dead:
            self.outlive_the_lease()
        verdicts = self._on_record(known)
        deadline = time.monotonic() + 30
        # Whoever stays beside a run repeats what was cut off.
        while not dead and "RUNNING" in verdicts and time.monotonic() < deadline:
            time.sleep(0.5)
            verdicts = self._on_record(known)
        right: tuple[str, ...] = ("KILLED", *ENDED_WELL)
        if row.victim == TASK:
            right = (verdict.FAILED,)
        elif dead:
            right = ENDED_WELL if row.completed else ("RUNNING", "KILLED")
        if len(verdicts) > 1 or any(word not in right for word in verdicts):
            problems.append(f"the killed run is on record as {verdicts}")
        link = Link(row, killed, time.monotonic() - started, problems)
        print(f"killed  {link.seconds:5.1f} s  {row}", flush=True)
        return link

    def _on_record(self, known: set[str]) -> list[str]:
        """Verdicts of the runs that are new in the ledger."""
        keys = [key for key in self.truth.ledger_keys() if key not in known]
        return [str(self.truth.stored(key)["verdict"]) for key in keys]

    def _judge(self, links: Sequence[Link], before: Any, again: Run, attempt: Attempt) -> None:
        """Note what came of some killed runs and the one after them."""
        problems = attempt.check(before, again)
        wait_until_gone([pid for link in links for pid in link.killed.left])
        self.outlive_the_lease()
        lock, dead = self.truth.lock(), [link for link in links if link.row.dead]
        # A lock whose lease has run out stays until somebody needs it; UNCHANGED needs none.
        if lock["state"] != "free" and not (dead and verdict_of(again) == verdict.UNCHANGED):
            problems.append(f"the lock is still held: {lock}")
        last = self.truth.stored(self.truth.ledger_keys()[-1])
        # A run that changes nothing is not on record.
        ending = verdict_of(again)
        if ending != verdict.UNCHANGED and last["verdict"] != ending:
            problems.append(f"the ledger says {last['verdict']}, the run said {ending}")
        problems += self.nothing_left(attempt.nothing_left or attempt.command)
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
        if third.returncode != 0 or verdict_of(third) != verdict.UNCHANGED:
            problems.append(f"a third run is not UNCHANGED:\n{third.output}")
        wrote = [
            f"{call.service}:{call.operation} {call.resource or ''}"
            for call in self.environment.calls(third.started, writes=True)
            if call.operation not in self.idle_writes and not self._of_the_lock(call)
        ]
        if wrote:
            problems.append(f"a third run wrote: {', '.join(wrote)}")
        return problems

    def _of_the_lock(self, call: RecordedCall) -> bool:
        """Whether a call is about the lock, or the record that goes with it, as every run's first is."""
        if not self.locks_always or call.service != "s3":
            return False
        bucket, _, key = (call.resource or "").partition("/")
        return bucket == self.truth.bucket and (
            key == self.truth.lock_key or key.startswith("ledger/")
        )


def _chosen(rows: Sequence[Row]) -> list[Row]:
    """Those that were asked for, all of them unless some were."""
    assert rows
    return [row for row in rows if ROWS.search(str(row))]


def made_well(again: Run, *words: str) -> list[str]:
    """What is wrong with the end of a run that should have ended with one of these verdicts."""
    if again.returncode == 0 and verdict_of(again) in words:
        return []
    return [f"exit code {again.returncode}, verdict {verdict_of(again) or 'none'}"]


def verdict_of(run: Run) -> str:
    """The verdict that a run's last lines say; empty without one."""
    end = run.output.rpartition("PLAY RECAP")[2]
    found = [
        line.split()[0]
        for line in end.splitlines()
        if line.split()[:1] and line.split()[0] in _WORDS
    ]
    return found[0] if found else ""
