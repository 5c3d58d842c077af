"""One registration from reading to proof."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ..lyo_progress import Progress
from . import decide, handover, plan, prove, record, report
from .decide import Step, Wanted
from .errors import GraphError
from .plan import FAILED, REGISTERED, UNCHANGED, Outcome, Plan
from .record import LAST, Kept, Registered
from .state import AppFound, Found
from .work import each

if TYPE_CHECKING:
    from .run import Run

NOTE_SECONDS = 5.0
PROVE_CONCURRENCY = 8


class StoppedError(Exception):
    """Something that concerns all tenants stopped the run."""

    def __init__(self, message: str, *, changed: bool) -> None:
        super().__init__(message)
        self.changed = changed


@dataclass
class Settled:
    """How it ended, for the module's answer."""

    verdict: str = "UNCHANGED"
    changed: bool = False
    pending: bool = False
    writes: int = 0
    kept: str = ""
    reasons: list[str] = field(default_factory=list)
    table: list[str] = field(default_factory=list)
    report: str = ""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    routes: list[dict[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    diff: dict[str, Any] = field(default_factory=dict)


class Registration:
    """Reads, plans, keeps, writes, reads back, proves, notes."""

    def __init__(self, run: Run, progress: Progress) -> None:
        self.run_, self.progress, self.work = run, progress, run.work
        self.params, self.store = run.params, run.store
        self.started = time.monotonic()
        self.mark = decide.token_mark(run.app.secret, run.app.verify_tokens[0])
        params = run.params
        self.wanted: dict[str, Wanted] = {
            t.id: decide.wanted_of(t, params["level"], run.url, self.mark)
            for t in run.tenants
            if t.id not in run.without_token
        }
        self.tenants = {name: wanted.tenant for name, wanted in self.wanted.items()}
        self.found: dict[str, Found] = {}
        self.app = AppFound()
        self.plan = Plan()
        self.outcomes: dict[str, Outcome] = {}
        self.registered: Registered | None = None
        self.restore = ""
        self._noted = 0.0

    @property
    def aims(self) -> tuple[str, str, str]:
        """What is registered: URL, version of the Graph API, version of the verify token."""
        return self.run_.url, self.run_.version, self.params["token_version"]

    def run(self, *, begin: bool, check_mode: bool) -> Settled:
        """Do all of it, or with ``begin`` and in check mode only what reads.

        :raises GraphError: Meta does not accept the app.
        :raises StoppedError: something that concerns all tenants is wrong.
        """
        self.registered = self.store.registered()
        self.restore = self._record()
        kept = self.store.kept(self.restore) if self.restore else None
        if kept is not None and kept.app_id != self.run_.app.id:
            raise StoppedError(
                f"{self.restore} is of app {kept.app_id}, not of {self.run_.app.id}", changed=False
            )
        self._read(begin=begin)
        self._plan(kept)
        pending = self.plan.writes > 0 or self._note(done=[]) != self.registered
        if check_mode or (begin and pending):
            return self._predicted(pending=pending and not check_mode)
        if not pending:
            self._handshake(always=True)
            return self._settled("")
        return self._carry_out(kept)

    def _record(self) -> str:
        """Return the key of the record to bring back, empty without one.

        A run that was killed while it brought back what was last has itself kept what was before
        it: the next one goes on with the same record.
        """
        name = self.params["restore"]
        if name == LAST and self.registered is not None and self.registered.restoring:
            return self.registered.restored
        return self.store.key_of(name) if name else ""

    def _goes_on(self) -> bool:
        """Whether a run before has begun with the same and has not come to its end."""
        begun = self.registered
        if begun is None or begun.restored != self.restore:
            return False
        if self.restore:
            # Killed before it had kept anything, there is nothing to go on with.
            return begun.restoring and self.store.key_of(LAST) != self.restore
        return not begun.complete and begun.aims_at(*self.aims)

    def _say(self, stage: str, what: str) -> Any:
        return lambda text, percent: self.progress(stage, f"{what}: {text}", percent)

    @property
    def _concurrency(self) -> int:
        return int(self.params["graph"]["concurrency"])

    def _read(self, *, begin: bool) -> None:
        fresh = begin or self.params["reread"]
        taken = None if fresh else handover.take(self.run_.key)
        if taken is not None:
            self.app, self.found, failures = taken
        else:
            self.app = self.work.read_app()
            # Who was not as wanted at the end of a run that a limit has stopped comes first.
            confirmed = set(self.registered.confirmed) if self.registered else set()
            order = sorted(self.tenants, key=lambda name: name in confirmed)
            self.found, failures = each(
                order,
                lambda name: self.work.read(self.tenants[name]),
                self._concurrency,
                self._say("read", "reading accounts"),
            )
            if begin:
                handover.leave(self.run_.key, self.app, self.found, failures)
        self.outcomes |= {name: plan.failure(error) for name, error in failures.items()}
        for name, text in {**self.run_.invalid, **self.run_.without_token}.items():
            code = "invalid" if name in self.run_.invalid else "secret"
            self.outcomes[name] = Outcome(
                FAILED, code, text, "correct the list of tenants or the secret"
            )

    def _plan(self, kept: Kept | None) -> None:
        if kept is not None:
            self.plan = plan.restore(self.wanted, self.found, self.app, self.run_.app.id, kept)
            return
        self.plan = plan.make(
            self.wanted,
            self.found,
            self.app,
            self.run_.app.id,
            url=self.run_.url,
            fields=self.params["fields"],
            other_apps=self.params["other_apps"],
            registered=self.registered,
            mark=self.mark,
        )
        self.outcomes |= self.plan.failed

    def _note(self, done: list[str], *, ended: bool = True) -> Registered:
        """What is to be remembered: as it is now, or in the middle of writing."""
        return plan.note(
            self.registered,
            self.aims,
            record.now(),
            self.plan,
            failed={name for name, o in self.outcomes.items() if o.outcome == FAILED},
            found=self.found,
            done=done,
            mark=self.mark,
            ended=ended,
            restored=self.restore,
            partial=bool(self.params["tenants"].get("partial")),
        )

    def _predicted(self, *, pending: bool) -> Settled:
        for name in self.found:
            self.outcomes.setdefault(
                name, Outcome("would register" if name in self.plan.steps else UNCHANGED)
            )
        settled = self._settled("PREDICTED" if self.plan.writes else "UNCHANGED")
        settled.pending = pending
        settled.changed = self.plan.writes > 0
        limit = int(self.params["max_lines"])
        settled.reasons = report.predicted(self.plan.app, self.plan.steps, limit)
        settled.diff = self._diff()
        return settled

    def _carry_out(self, kept: Kept | None) -> Settled:
        before = self.registered
        key = ""
        if self.plan.writes:
            if kept is None:
                self._handshake(always=False)
            now = Kept(record.now(), self.run_.app.id, self.run_.version, self.app)
            now.found = {n: self.found[n] for n in self.found}
            now.accounts = {n: self.tenants[n].waba_id for n in self.found}
            self.progress("keep", "keeping what was registered before")
            goes_on, note = self._goes_on(), self._note(done=[], ended=False)
            if kept is not None:
                # First: what is kept now becomes the last record, and another than is brought back.
                self.store.register(note)
            key = self.store.keep(now, goes_on=goes_on)
            self.store.register(note)
        done = self._write_app()
        done += self._write_tenants(done)
        written = {n: self.plan.steps[n] for n in done if n in self.plan.steps}
        self._read_back(written)
        self._prove(
            [n for n in written if self.outcomes.get(n, Outcome(REGISTERED)).outcome != FAILED]
        )
        for name in self.found:
            self.outcomes.setdefault(name, Outcome(REGISTERED if name in written else UNCHANGED))
        good = [n for n in done if n == plan.APP_MARK or self.outcomes[n].outcome != FAILED]
        note = self._note(done=good)
        # What was noted on the way is not what is true at the end, even where that is nothing new.
        if note is not before or self.plan.writes:
            self.store.register(note)
        if self.params["tenants"].get("database"):
            self.store.keep_tenants(self.run_.rows)
        verdict = "RESTORED" if kept is not None else "REGISTERED"
        settled = self._settled(verdict if self.plan.writes else "UNCHANGED")
        settled.kept = key
        settled.changed = self.work.graph.counts.writes > 0
        settled.diff = self._diff()
        if key:
            settled.reasons.append(f"what was registered before is kept: -e restore={key}")
        return settled

    def _handshake(self, *, always: bool) -> None:
        """Ask the deployed URL as Meta will, before Meta does: a refusal would stop every tenant."""
        steps = [s for entries in self.plan.steps.values() for s in entries]
        needed = [s for s in [*steps, self.plan.app] if s is not None and s.url == self.run_.url]
        if not (needed or always):
            return
        self.progress("prove", f"handshake with {self.run_.url}")
        run = self.run_
        wrong = prove.handshake(run.aws, run.url, run.secret_name, run.context)
        if wrong:
            raise StoppedError(
                f"the deployed application does not answer Meta's handshake with the verify token of "
                f"{run.secret_name} ({wrong}): deploy it first. Nothing was written",
                changed=False,
            )

    def _write_app(self) -> list[str]:
        step = self.plan.app
        if step is None:
            return []
        self.progress("app", f"the app's URL becomes {step.url}")
        try:
            self.work.write_app(step)
            found = self.work.app_read_back(step, float(self.params["consistency_timeout"]))
        except GraphError as error:
            outcome = plan.failure(error)
            raise StoppedError(
                f"the app's own subscription could not be written: {outcome.message}: "
                f"{outcome.remedy}. No tenant was touched",
                changed=self.work.graph.counts.writes > 0,
            ) from None
        if not decide.app_matches(step, found):
            raise StoppedError(
                f"the app's URL still reads {found.callback_url!r}: run the same command again",
                changed=True,
            )
        self.app = found
        return [plan.APP_MARK]

    def _write_tenants(self, before: list[str]) -> list[str]:
        done: list[str] = []

        def one(name: str) -> bool:
            written = self.work.write(self.tenants[name], self.plan.steps[name])
            done.append(name)
            return written

        def tick() -> None:
            if time.monotonic() - self._noted > NOTE_SECONDS:
                self._noted = time.monotonic()
                self.store.register(self._note(done=[*before, *done], ended=False))

        self._noted = time.monotonic()
        _, failures = each(
            self.plan.steps, one, self._concurrency, self._say("write", "registering"), tick
        )
        self.outcomes |= {name: plan.failure(error) for name, error in failures.items()}
        return [name for name in done if name not in failures]

    def _read_back(self, written: Mapping[str, list[Step]]) -> None:
        if not written:
            return
        timeout = float(self.params["consistency_timeout"])
        found, failures = self.work.read_back(
            self.tenants,
            written,
            self._concurrency,
            timeout,
            self._say("read back", "reading back"),
        )
        self.found |= found
        self.outcomes |= {name: plan.failure(error) for name, error in failures.items()}
        for name, steps in written.items():
            if name in found and not decide.matches(steps, found[name], self.run_.app.id):
                self.outcomes[name] = Outcome(
                    FAILED,
                    "not_readable",
                    f"what was written cannot be read after {timeout:g} s",
                    "run the same command again",
                )

    def _prove(self, changed: list[str]) -> None:
        how = self.params["prove"]
        names = list(self.found) if how == "all" else []
        if how == "changed":
            # Those included of which a run before did not come to prove it.
            open_ = plan.unconfirmed(self.registered, self.found)
            names = [*changed, *(n for n in open_ if n not in changed and n not in self.outcomes)]
        app_id, url = self.run_.app.id, self.run_.url
        chosen = [
            (self.tenants[name], url)
            for name in names
            if all(
                row["url"] == url
                for row in plan.routes([self.wanted[name]], self.found, self.app, app_id)
            )
        ]
        if not chosen:
            return
        self.progress("prove", f"a signed message for each of {len(chosen)} tenants")
        probes = prove.Probes(self.run_.app.secret, self.run_.context)
        wrong = probes.send(chosen, PROVE_CONCURRENCY)
        log_group = str(self.run_.outputs["log_group"])
        self.progress("prove", f"looking for them in {log_group}")
        wrong = {
            **probes.arrived(self.run_.aws, log_group, float(self.params["prove_timeout"])),
            **wrong,
        }
        for name, text in wrong.items():
            self.outcomes[name] = Outcome(
                FAILED, "not_proven", text, "see that the application knows the tenant and runs"
            )

    def _diff(self) -> dict[str, Any]:
        before: dict[str, str] = {}
        after: dict[str, str] = {}
        steps = [s for entries in self.plan.steps.values() for s in entries]
        if self.plan.app is not None:
            steps.insert(0, self.plan.app)
        for step in steps[: 10 * int(self.params["max_lines"])]:
            line = f"{step.kind} {step.target}"
            before[line], after[line] = step.why, step.url or "done"
        return {
            "before": before,
            "after": after,
            "before_header": "Meta",
            "after_header": "inventory",
        }

    def _settled(self, verdict: str) -> Settled:
        for name in self.found:
            self.outcomes.setdefault(name, Outcome(UNCHANGED))
        order = [t.id for t in self.run_.tenants] + list(self.run_.invalid)
        outcomes = {name: self.outcomes[name] for name in dict.fromkeys(order)}
        routes = plan.routes(self.wanted.values(), self.found, self.app, self.run_.app.id)
        counts, seconds = self.work.graph.counts, time.monotonic() - self.started
        limit = int(self.params["max_lines"])
        failed = [(n, o) for n, o in outcomes.items() if o.outcome == FAILED]
        return Settled(
            verdict="FAILED" if failed and verdict != "PREDICTED" else verdict or "UNCHANGED",
            writes=self.plan.writes,
            reasons=[report.failed_line(name, outcome) for name, outcome in failed[:limit]],
            table=report.table(outcomes, routes, counts, seconds, limit),
            report=report.whole(outcomes, routes),
            outcomes=outcomes,
            routes=routes,
            counts=asdict(counts),
        )
