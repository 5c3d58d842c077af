"""The module ``schema_migration``: plan, lint, checks, snapshot, and the migrations themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from ..lyo_aws import Aws, AwsFailure
from ..lyo_progress import Progress
from ..lyo_release import verdict
from . import checks, contraction, effects, events, targets
from .lint import Result, lint
from .snapshot import PlanSnapshot
from .squawk import SquawkError
from .task import MigrationTask, Outcome

TASK_WORD = "task"


class StopError(Exception):
    """The migration goes no further; nothing has been changed, unless the reasons say so."""

    def __init__(self, reasons: list[str], **more: Any) -> None:
        super().__init__("\n  ".join(reasons))
        self.reasons = reasons
        self.more = more


class Migrator:
    """One run of the module.

    :param params: the module's arguments.
    :ivar answer: what the module returns.
    """

    def __init__(
        self,
        aws: Aws,
        progress: Progress,
        params: Mapping[str, Any],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.aws, self.progress, self.params = aws, progress, params
        self.outputs: Mapping[str, Any] = params["outputs"]
        self.task = MigrationTask(aws, progress, params, sleep, clock)
        self._sleep = sleep
        self.answer: dict[str, Any] = {
            "changed": False,
            "exit_code": None,
            "applied": [],
            "notes": [],
            "snapshot": "",
            "log": [],
            "reasons": [],
            "diff": {},
        }

    def predict(self, *, check: bool = True) -> None:
        """Say what a run would do: by a task that changes nothing, where that is asked for.

        :param check: whether this is check mode, where ``changed`` is what would be.
        """
        if self.params["plan"] != TASK_WORD:
            self.answer |= {
                "changed": True,
                "reasons": [
                    (
                        "migrations: what is pending knows the database alone. A one-off task shows it, and"
                        " changes nothing: ansible-playbook migrate.yml -e env=… --check -e plan=task"
                    )
                ],
            }
            return
        if "@" not in self.params["image"]:
            raise StopError(
                [
                    (
                        f"the image of {self.params['release']} is not in the repository yet, so nobody knows its"
                        f" migrations. Type: ansible-playbook migrate.yml -e env=… -e release={self.params['release']}"
                        " -e plan=task (builds it, and stops before it migrates)"
                    )
                ]
            )
        outcome = self._keep(self.task.run("--plan", *self._contract()))
        if outcome.code == events.DONE:
            self.answer["reasons"] = ["migrations: nothing is pending"]
            return
        if outcome.code != events.PENDING:
            self._failed(outcome)
        plan = events.plan(outcome.events)
        self._judge(plan)
        names = ", ".join(m.revision for m in plan.migrations)
        self.answer |= {"changed": check, "reasons": [f"migrations: {names} would run"]}
        for loss in self._losses(plan):
            self.answer["reasons"].append(f"after a snapshot, because {loss}")

    def run(self) -> None:
        """Bring the schema to what is wanted, in one task where nothing is pending."""
        if not self.params["reports"]:
            self._run_plainly()
            return
        adopted = self.task.adopt()
        if adopted is not None:
            self._keep(adopted)
            self.answer["notes"].append("an interrupted run's task was followed to its end")
        outcome = self._keep(self.task.run("--approve", events.NOTHING, *self._contract()))
        if outcome.code == events.DONE:
            self.answer["changed"] = adopted is not None
            self.answer["reasons"] = ["migrations: nothing is pending"]
            return
        if outcome.code != events.PENDING:
            self._failed(outcome)
        plan = events.plan(outcome.events)
        self._judge(plan)
        losses = self._losses(plan)
        if losses:
            self._snapshot(plan)
        names = [migration.revision for migration in plan.migrations]
        self.progress("migrate", f"running {', '.join(names)}", 0)
        outcome = self._keep(self.task.run("--approve", plan.digest, *self._contract()))
        self.answer["changed"] = True
        if outcome.code != events.DONE:
            self._failed(outcome)
        self.answer |= {"applied": names, "reasons": [f"migrations: {', '.join(names)} done"]}

    def _run_plainly(self) -> None:
        """Run a tool that says nothing of its own: only time-outs, log and exit code are ours."""
        outcome = self._keep(self.task.run())
        self.answer["changed"] = True
        if outcome.code != events.DONE:
            self._failed(outcome)
        self.answer["reasons"] = ["migrations: the command ended well; it does not say what it did"]

    def _contract(self) -> list[str]:
        contract = self.params["contract"]
        return ["--contract", contract] if contract else []

    def _keep(self, outcome: Outcome) -> Outcome:
        self.answer |= {"exit_code": outcome.code, "log": list(outcome.log)}
        if outcome.schema is not None:
            found = outcome.schema
            self.answer["schema"] = asdict(found)
            # Said also by a task that failed: the ledger keeps what is, not what was hoped for.
            self.answer["record"] = {
                "schema": found.revision,
                "schema_serves": list(found.serves),
                "schema_contracted": list(found.contracted),
            }
        if outcome.running:
            raise StopError(
                [
                    (
                        f"the migration still runs after {self.params['timeout']} s ({outcome.arn}); run the"
                        " same command again to watch it"
                    )
                ],
                changed=True,
                verdict=verdict.STILL_RUNNING,
            )
        return outcome

    def _failed(self, outcome: Outcome) -> NoReturn:
        why = events.failure(outcome.events)
        reasons = [str(why["reason"])] if why.get("reason") else list(outcome.reasons)
        if outcome.code == events.PENDING:
            reasons = ["what is pending changed while it was checked: run the same command again"]
        if outcome.code == events.LOCKED:
            reasons[:1] = [
                (
                    f"no lock after {self.params['attempts']} attempts: {reasons[0]}. Nothing waits for it any"
                    " more; run the same command again once this is gone:"
                )
            ]
            reasons += [f"in the way: {line}" for line in events.blockers(why)]
        reasons += [
            f"left: the invalid index {name}. The same command again drops it first if the migration does;"
            f" else: DROP INDEX CONCURRENTLY {name};"
            for name in why.get("left") or ()
        ]
        if outcome.schema is not None and self.answer["changed"]:
            reasons.append(f"the schema is at {outcome.schema.revision or 'nothing'}")
        raise StopError(reasons, tail=list(outcome.log[-20:]))

    def _judge(self, plan: events.Plan) -> None:
        """Show the plan; stop it where lint, database or a release that is still wanted say so.

        :raises StopError: one of them does.
        """
        shown = events.shown(plan)
        self.answer["lyo_summary"] = {"report": shown}
        self.answer["diff"] = {"before": "", "after": "\n".join(shown) + "\n"}
        for migration in plan.migrations:
            self.progress("plan", f"pending {migration.revision} {migration.title}")
        if plan.problem:
            raise StopError([plan.problem])
        self.progress("lint", "reading the migrations")
        version = (
            ".".join((plan.server.split()[0].split(".") + ["0"])[:2]) if plan.server else "18.0"
        )
        findings = lint(plan.migrations, version)
        problems = (
            [] if plan.fresh else [line for f in findings if not f.reason for line in f.lines()]
        )
        found = checks.check(plan, findings, self._storage(plan), self._limits())
        self.answer["notes"] += found.notes
        problems += found.problems + self._in_the_way(plan)
        if problems:
            names = ", ".join(migration.revision for migration in plan.migrations)
            raise StopError(
                [f"not run: {names}; nothing was changed", *problems, *_how_to_allow(findings)]
            )

    def _limits(self) -> checks.Limits:
        return checks.Limits(**{k: v for k, v in self.params["limits"].items() if v is not None})

    def _storage(self, plan: events.Plan) -> checks.Storage:
        """Return the instance's storage, where the plan needs some."""
        instance = str((self.outputs.get("database") or {}).get("identifier") or "")
        if plan.fresh or not instance or sum(checks.needed(plan).values()) < checks.WORTH_BYTES:
            return checks.Storage()
        answer = self.aws.call("rds", "describe_db_instances", DBInstanceIdentifier=instance)
        allocated = int(answer["DBInstances"][0].get("AllocatedStorage", 0)) * 1024**3
        now = datetime.now(UTC)
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
        points = (
            self.aws.call(
                "cloudwatch",
                "get_metric_statistics",
                Namespace="AWS/RDS",
                MetricName="FreeStorageSpace",
                Dimensions=[{"Name": "DBInstanceIdentifier", "Value": instance}],
                StartTime=now - timedelta(minutes=15),
                EndTime=now,
                Period=60,
                Statistics=["Minimum"],
            ).get("Datapoints")
            or []
        )
        newest = max(points, key=lambda point: point["Timestamp"]) if points else None
        return checks.Storage(allocated, int(newest["Minimum"]) if newest else None)

    def _in_the_way(self, plan: events.Plan) -> list[str]:
        """Return the releases that may still be wanted and that the contracted schema would break."""
        if plan.fresh or not plan.contracts:
            return []
        if plan.after is None:
            return [
                "the migration command does not say which releases the contracted schema serves"
            ]
        found = targets.read(
            self.aws,
            str(self.outputs["cluster_name"]),
            str(self.outputs["service_name"]),
            self.params.get("ledger"),
            int(self.params["keep"]),
        )
        return contraction.broken(found, plan.after)

    def _losses(self, plan: events.Plan) -> list[str]:
        return [] if plan.fresh else effects.losses(plan.migrations, plan.tables())

    def _snapshot(self, plan: events.Plan) -> None:
        instance = str((self.outputs.get("database") or {}).get("identifier") or "")
        if not instance:
            raise StopError(
                ["the outputs name no database to take a snapshot of: run deploy.yml first"]
            )
        snapshot = PlanSnapshot(
            self.aws,
            instance,
            plan.digest,
            float(self.params["snapshot_timeout"]),
            lambda text, percent: self.progress("snapshot", text, percent),
            self._sleep,
        )
        self.progress("snapshot", f"of {instance}, because something is lost for good", 0)
        tags = {
            "Environment": str(self.outputs.get("environment") or ""),
            "lyo:purpose": "migration",
            "lyo:plan": plan.digest,
            "lyo:from": plan.current or "nothing",
            "lyo:to": plan.target,
        }
        self.answer["snapshot"] = snapshot.take(tags)
        self.answer["changed"] = True


def _how_to_allow(findings: list[Result]) -> list[str]:
    if not any(not finding.reason for finding in findings):
        return []
    return [
        "where it is safe here all the same, say why, beside the statement: -- lyo: allow <rule>: <reason>"
    ]


def run(module: Any) -> None:
    """Run the module ``schema_migration``."""
    params = module.params
    aws = Aws(params["aws"])
    progress = Progress(f"migrate {params['release']}", aws.secrets)
    migrator = Migrator(aws, progress, params)
    finish(module, migrator)


def finish(module: Any, migrator: Migrator) -> None:
    """Run to the end that the module has."""
    answer = migrator.answer
    try:
        if module.check_mode or module.params["plan"] == TASK_WORD:
            migrator.predict(check=module.check_mode)
        else:
            migrator.run()
    except StopError as stop:
        answer["changed"] = bool(stop.more.get("changed", answer["changed"]))
        tail = [f"log: {line}" for line in stop.more.get("tail", ())]
        _fail(module, answer, stop.reasons, tail, str(stop.more.get("verdict", verdict.FAILED)))
    except (events.BadReportError, SquawkError) as error:
        _fail(module, answer, [str(error)])
    except AwsFailure as failure:
        answer["changed"] = migrator.aws.writes > 0
        _fail(module, answer, [failure.message])
    module.exit_json(**answer)


def _fail(
    module: Any,
    answer: dict[str, Any],
    reasons: list[str],
    tail: list[str] | None = None,
    word: str = verdict.FAILED,
) -> None:
    answer["reasons"] = reasons
    answer["lyo_summary"] = {
        **answer.get("lyo_summary", {}),
        "verdict": word,
        "reasons": reasons,
    }
    message = "\n  ".join(["the migration stopped", *reasons, *(tail or [])])
    module.fail_json(msg=message, verdict=word, **answer)
