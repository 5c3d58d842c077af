"""The module ``environment_backup``: snapshots, dump, copy, verification, retention, metrics.

One kind that fails does not keep the others from being made; nothing of a kind that failed is deleted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_progress import Progress
from ..lyo_release import verdict
from ..lyo_release.outputs import read_outputs
from ..lyo_release.said import Told
from . import decide, ids, metrics, predict, reading, sweep
from .decide import CACHE, LOGICAL, SNAPSHOT
from .program import DAMAGED, DONE, REFUSED, WRITES, Program, Target, reasons, size
from .scratch import Instances
from .smoke import Smoke
from .snapshots import Snapshot, Taker
from .verification import Verifier

# Failures after which nothing more may be written, by anybody.
_FINAL = frozenset({"LockLost", "Orphan", "WrongAccount", "NoCredentials", "BadEndpoint"})


class Backup:
    """One run of the module.

    :param params: the module's arguments.
    :ivar problems: what went wrong, by kind, a list of sentences each.
    :ivar notes: what was done, in sentences.
    """

    def __init__(
        self,
        aws: Aws,
        progress: Progress,
        params: Mapping[str, Any],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        copy_aws: Callable[[str], Aws] | None = None,
    ) -> None:
        self.aws, self.progress, self.params = aws, progress, params
        self._sleep, self._clock, self.now = sleep, clock, now
        outputs = read_outputs(aws, params["outputs_parameter"] or f"/lyo/{params['env']}/outputs")
        reading.check(outputs, params["env"])
        elsewhere = copy_aws or (lambda region: Aws({**params["aws"], "region": region}))
        self.place = reading.Place(
            aws, params["env"], params["name"], outputs, params["program"]["prefix"], elsewhere
        )
        self.program = Program(
            aws, progress, outputs, f"{params['name']}-ops", params["program"], sleep, clock
        )
        self.instances = Instances(
            aws, lambda text, percent: progress("scratch", text, percent), sleep, clock
        )
        self.keep = decide.keep_of(params["retention"])
        self.kinds = [kind for kind in decide.KINDS if kind in params["kinds"]]
        self.id = ids.new(now())
        self.problems: dict[str, list[str]] = {}
        self.notes: list[str] = []
        self.removed: list[str] = []
        self.logical_id = ""
        self.still = False
        self._durations: dict[str, float] = {}
        self._begun: dict[str, Snapshot] = {}
        self._made = 0

    # What it is about

    def database(self) -> Target:
        """Return the database that serves."""
        database = self.place.outputs["database"]
        return Target(
            str(database["host"]),
            int(database["port"]),
            str(database["name"]),
            str(database["secret_arn"]),
        )

    def since(self) -> datetime | None:
        """Return when this run was started, if it had to wait for another's."""
        text = str(self.params.get("since") or "")
        return datetime.fromisoformat(text).astimezone(UTC) if text else None

    def _failed(self, kind: str, failure: AwsFailure) -> None:
        """Keep a failure for the end; one after which nothing may be written ends the run.

        :raises AwsFailure: that one.
        """
        if failure.code in _FINAL or failure.expired:
            raise failure
        self.problems.setdefault(kind, []).append(f"{kind}: {failure.message}")

    # The steps

    def run(self) -> None:
        """Make what is wanted, finish what was interrupted, remove what is no longer needed.

        :raises AwsFailure: nothing can be read, or nothing more may be written.
        """
        found = reading.read(self.place, self.program, self.instances)
        self._sweep(found)
        for kind, service, source in (
            (SNAPSHOT, self.place.rds, self.place.instance),
            (CACHE, self.place.cache, self.place.group),
        ):
            if kind in self.kinds:
                self._begin(found, kind, self._taker(kind, service), source)
        if LOGICAL in self.kinds:
            self._dump(found)
            self._end_dumps(found)
            self._copy(found)
        for kind, service in ((SNAPSHOT, self.place.rds), (CACHE, self.place.cache)):
            self._finish(kind, self._taker(kind, service))
        if LOGICAL in self.kinds and self.params["verify"]:
            self._verify(found)
        self._clean_up()

    def _taker(self, kind: str, service: Any) -> Taker:
        def tell(text: str, percent: int | None) -> None:
            self.progress(kind, text, percent)

        return Taker(service, tell, self._sleep, self._clock)

    def _sweep(self, found: decide.Found) -> None:
        """Remove what interrupted runs have left."""
        left = decide.orphans(found)
        for line in left.lines():
            self.progress("sweep", f"removing {line}")
        for step in sweep.steps(left, self.place, self.instances):
            try:
                step()
            except AwsFailure as failure:
                self._failed("sweep", failure)
        self.removed += left.lines()

    def _begin(self, found: decide.Found, kind: str, taker: Taker, source: str) -> None:
        """Ask for a snapshot, unless one is under way or another run has made one since."""
        made = decide.shared(found, kind, self.since())
        if made:
            self.notes.append(f"{kind}: another run has just made {made}")
            return
        under_way = decide.under_way(found, kind)
        if under_way is not None:
            self.progress(kind, f"{under_way.name} is under way already: waiting for it")
            self._begun[kind] = under_way
            return
        name = ids.snapshot_name(source, self.id)
        self.progress(kind, f"of {source}", 0)
        try:
            tags = self.place.tags(self.id)
            seconds = float(self.params["busy_timeout"])
            self._begun[kind] = taker.begin(name, source, tags, seconds)
        except AwsFailure as failure:
            self._failed(kind, failure)

    def _finish(self, kind: str, taker: Taker) -> None:
        """Wait for the snapshot that was begun."""
        begun = self._begun.get(kind)
        if begun is None:
            return
        try:
            done = taker.wait(begun, float(self.params["snapshot_timeout"]))
        except AwsFailure as failure:
            self.still = self.still or failure.code == "StillCreating"
            self._failed(kind, failure)
            return
        self._made += 1
        started = ids.began(ids.backup_of(done.name)[1])
        seconds = (self.now() - started).total_seconds() if started else 0.0
        self._durations[kind] = max(0.0, seconds)
        self.notes.append(f"{kind}: {done.name}, seen complete after {seconds:.0f} s")

    def _judge(self, what: str, told: Told) -> bool:
        """Keep what came of a task; returns whether it ended well."""
        if told.running:
            self.still = True
            self.problems.setdefault(LOGICAL, []).append(
                f"{what} still runs after {self.params['program']['timeout']} s; run the same command"
                " again to watch it"
            )
        elif told.code != DONE:
            how = {REFUSED: "was refused", DAMAGED: "found damage"}.get(told.code or -1, "failed")
            self.problems.setdefault(LOGICAL, []).append(
                f"{what} {how}: {'; '.join(reasons(told))}"
            )
        return told.code == DONE and not told.running

    def _dump(self, found: decide.Found) -> None:
        """Dump the database by a task, unless one is under way or another run has made a dump since."""
        made = decide.shared(found, LOGICAL, self.since())
        if made:
            self.logical_id = made
            self.notes.append(f"{LOGICAL}: another run has just made {made}")
            return
        under_way = decide.task_under_way(found, "dump")
        backup = under_way.backup if under_way else self.id
        begun = self._clock()
        try:
            if under_way is not None:
                told = self.program.adopt(under_way)
            else:
                self.progress("dump", f"{backup} to s3://{self.place.bucket}", 0)
                told = self.program.run(WRITES, self.database(), "dump", backup)
        except AwsFailure as failure:
            self._failed(LOGICAL, failure)
            return
        if self._judge(f"dump {backup}", told):
            self.logical_id = backup
            self._made += 1
            self._durations[LOGICAL] = self._clock() - begun

    def _end_dumps(self, found: decide.Found) -> None:
        """Lock what was dumped by runs whose task died before it had."""
        try:
            for backup in decide.to_end(found):
                self.progress("dump", f"{backup} is complete: locking it", 0)
                if self._judge(
                    f"dump {backup}", self.program.run(WRITES, self.database(), "dump", backup)
                ):
                    self._made += 1
                    self.notes.append(f"{LOGICAL}: {backup} locked, which may not have been")
        except AwsFailure as failure:
            self._failed(LOGICAL, failure)

    def _copy(self, found: decide.Found) -> None:
        """Copy what has no copy to the second bucket."""
        if self.place.copies is None:
            return
        under_way = decide.task_under_way(found, "copy")
        try:
            if under_way is not None:
                self._judge(f"copy {under_way.backup}", self.program.adopt(under_way))
            logical, copies = self.place.logical.read(0), self.place.copies.read(0)
            going = decide.surplus_of(found, self.keep, self.place.lock_days, self.now())[LOGICAL]
            for backup in decide.to_copy(logical, copies, self.logical_id, going):
                self.progress("copy", f"{backup} to s3://{self.place.copies.bucket}", 0)
                told = self.program.run(WRITES, self.database(), "copy", backup)
                if self._judge(f"copy {backup}", told):
                    self._made += 1
                    if backup != self.logical_id:
                        self.notes.append(f"{LOGICAL}: {backup} copied, which had no copy")
        except AwsFailure as failure:
            self._failed(LOGICAL, failure)

    def _verify(self, found: decide.Found) -> None:
        """Restore what nobody has verified yet into a scratch instance of its own, and compare."""
        verifier = Verifier(
            self.place, self.program, self.instances, self.params, self.progress, self._smoke()
        )
        try:
            under_way = decide.task_under_way(found, "verify")
            if under_way is not None:
                told = verifier.adopt(under_way, found.scratch)
                if self._judge(f"verification of {under_way.backup}", told):
                    self._made += 1
                self._judge_use(verifier, under_way.backup)
                if told.running:
                    return  # one after the other
            policy = self.keep.policies[LOGICAL]
            logical = self.place.logical.read()
            for backup in decide.to_verify(logical, self.logical_id, policy, self.now()):
                if self._judge(f"verification of {backup}", verifier.verify(backup)):
                    self._made += 1
                    if backup != self.logical_id:
                        self.notes.append(f"{LOGICAL}: {backup} VERIFIED, which had no verdict")
                self._judge_use(verifier, backup)
        except AwsFailure as failure:
            self._failed(LOGICAL, failure)
        finally:
            if not self.still:
                verifier.forget()

    def _judge_use(self, verifier: Verifier, backup: str) -> None:
        """Keep what the application has said of what was restored."""
        if verifier.smoked:
            self.problems.setdefault(LOGICAL, []).append(
                f"the application fails on what was restored of {backup}: {verifier.smoked}"
            )

    def _smoke(self) -> Smoke | None:
        """Return the application's own check, None where there is none."""
        settings = self.params["smoke"]
        if not settings.get("command"):
            return None
        return Smoke(
            self.aws, self.progress, self.place.outputs, settings, self._sleep, self._clock
        )

    def _clean_up(self) -> None:
        """Delete what retention no longer keeps, say where the backups are, and measure it."""
        found = reading.read(self.place, self.program, self.instances)
        self._say(found)
        try:
            self._retain(found)
            available = {
                k: [s for s in found.of(k) if s.status == "available"] for k in (SNAPSHOT, CACHE)
            }
            states = metrics.states(available, found.logical, self._durations)
            metrics.put(self.aws, states, self.params["env"], self.now())
        except AwsFailure as failure:
            self._failed("metrics", failure)

    def _say(self, found: decide.Found) -> None:
        last = next((one for one in found.logical if one.id == self.logical_id), None)
        if last is not None:
            copied = any(one.id == last.id and one.complete for one in found.copies or ())
            parts = [f"{LOGICAL}: {last.id}, {size(last.bytes)}"]
            parts += ["copied"] if copied else []
            parts.append(last.verdict or "not verified")
            self.notes.append(", ".join(parts))

    def _retain(self, found: decide.Found) -> None:
        going = decide.surplus_of(found, self.keep, self.place.lock_days, self.now())
        for lost in decide.lost_manifests(found, going[LOGICAL]):
            self.problems.setdefault(LOGICAL, []).append(
                f"the manifest of {lost} is gone, its parts are not: somebody has deleted it"
            )
        for kind in self.kinds:
            if kind in self.problems:
                continue  # nothing old goes where nothing new has come
            for name in going[kind]:
                self.progress("retention", f"deleting {kind} {name}")
                try:
                    self._delete(found, kind, name)
                except AwsFailure as failure:
                    self._failed(kind, failure)
                    break
                self.removed.append(f"{kind} {name}")

    def _delete(self, found: decide.Found, kind: str, name: str) -> None:
        if kind == SNAPSHOT:
            self.place.rds.delete(name)
        elif kind == CACHE:
            self.place.cache.delete(name)
        else:
            # The copy first: as long as the original is whole, the next run knows what to delete.
            for catalogue, listed in (
                (self.place.copies, found.copies or ()),
                (self.place.logical, found.logical),
            ):
                for one in listed:
                    if catalogue is not None and one.id == name:
                        catalogue.delete(one)

    # The end

    @property
    def verdict(self) -> str:
        """Return the word that the run ends with."""
        if self.problems:
            return verdict.STILL_RUNNING if self.still else verdict.FAILED
        return verdict.BACKED_UP if self._made else verdict.UNCHANGED

    @property
    def reasons(self) -> list[str]:
        """Return why, for people: what went wrong first."""
        wrong = [line for lines in self.problems.values() for line in lines]
        removed = [f"removed: {line}" for line in self.removed]
        return wrong + self.notes + removed


def run(module: Any) -> None:
    """Run the module."""
    aws = Aws(module.params["aws"])
    finish(module, aws, lambda: Backup(aws, Progress("backup", aws.secrets), module.params))


def finish(module: Any, aws: Aws, make: Callable[[], Backup]) -> None:
    """Run it, or predict it, and end the module."""
    try:
        backup = make()
        if module.check_mode:
            module.exit_json(**predict.predict(backup))
        backup.run()
    except AwsFailure as failure:
        text = failure.message
        module.fail_json(msg=text, verdict=verdict.FAILED, reasons=[text], changed=aws.writes > 0)
    answer = {
        "changed": aws.writes > 0,
        "verdict": backup.verdict,
        "reasons": backup.reasons,
        "backup": backup.logical_id or backup.id,
        "removed": backup.removed,
        "record": {"backup": backup.logical_id or backup.id},
        "diff": predict.difference(backup.removed, []) if backup.removed else {},
    }
    if backup.problems:
        module.fail_json(msg="\n  ".join([backup.verdict, *backup.reasons]), **answer)
    module.exit_json(**answer)
