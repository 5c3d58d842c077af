"""Runs a schedule with our modules, one after the other as the runbooks have them, and judges the end."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.lyo_image.run_image import wanted_tag

from tests.chaos.control import Faults
from tests.chaos.modules import Answer, run_module
from tests.chaos.schedules import AFTER_CLEAN_UP, BAD_SMOKE, DURING_BAKE, GOOD, Schedule
from tests.chaos.site import Site
from tests.chaos.truth import Made, Truth

DEPLOYED, ROLLED_BACK, UNCHANGED = "DEPLOYED", "ROLLED_BACK", "UNCHANGED"
FAILED, STILL_RUNNING = "FAILED", "STILL_RUNNING"
# What a run that could not go on may say: a line of lyo_aws_failure, or of a watch that ended first.
HONEST = re.compile(
    r"credentials have expired|keeps throttling|nothing answers at|cannot be reached|"
    r"failed \((InternalFailure|InternalError|500)\)|goes on by itself|run the same command again"
)


@dataclass
class Verdict:
    """What a run said: its word, and the message where it failed."""

    word: str
    message: str
    ok: bool


@dataclass
class Report:
    """How a schedule went.

    :ivar first: what the run under faults said.
    :ivar second: what the plain run after it said; empty where none was needed.
    :ivar fired: how many calls a fault met, of `calls`.
    """

    schedule: Schedule
    first: str
    second: str = ""
    fired: int = 0
    calls: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        word = "WRONG" if self.problems else "ok"
        then = f", then {self.second}" if self.second else ""
        return (
            f"{word:<6} {self.seconds:5.1f} s  {self.schedule}; {self.fired} of {self.calls} calls met: "
            f"{self.first}{then}" + "".join(f"\n       {problem}" for problem in self.problems)
        )


class Runner:
    """Runs schedules on one site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.truth = Truth(site)
        self.faults = Faults(site.content["endpoint"])
        self._cache = site.state_dir.parent / "images"

    # -- runs, as the runbooks have them --------------------------------------------------------

    def deploy(self, release: str, *, bake: int = 0, wait_for: str = "complete") -> Verdict:
        """What deploy.yml does for a release, step by step; the first that fails ends it."""
        site = self.site
        common = {"aws": site.aws, "task": {}}
        # Minutes of the cloud, which are seconds here: a busy machine must not let the hook time out.
        deployment = {
            "bake_time_minutes": bake,
            "pause_timeout_minutes": 1440,
            "healthy_timeout": 60,
        }
        plan = run_module(
            "release_plan",
            **common,
            env="local",
            release=release,
            app=site.app,
            deployment=deployment,
            infra={"force": "skip", "paths": []},
        )
        if plan.failed:
            return _said(plan)
        steps, image = plan.content["steps"], plan.content["wanted"]["image"]
        if not steps:
            return Verdict(plan.content["verdict_if_nothing"], "", ok=True)
        if "image" in steps:
            made = run_module(
                "ecr_image",
                aws=site.aws,
                repository_url=site.outputs["repository_url"],
                release=release,
                app=site.app,
                cache_dir=str(self._cache),
            )
            if made.failed:
                return _said(made)
            image = made.content["image"]
        about = {**common, "outputs": site.outputs, "image": image, "release": release}
        if "migrate" in steps:
            migrated = run_module("ecs_run_task", **about, name="migrate", command=["migrate"])
            if migrated.failed:
                return _said(migrated)
        secret = {"arn": site.secret}
        return _said(
            run_module(
                "ecs_release",
                **about,
                deployment=deployment,
                smoke=[{"name": "smoke", "path": "/smoke", "secret_headers": {"X-Token": secret}}],
                wait_for=wait_for,
            )
        )

    def rollback(self) -> Verdict:
        """What rollback.yml does: the deciding call first, then the rest."""
        names = self.site.outputs
        common = {
            "aws": self.site.aws,
            "cluster": names["cluster_name"],
            "service": names["service_name"],
            "healthy_timeout": 60,
        }
        begun = run_module("ecs_rollback", **common, begin=True)
        if begun.failed or not begun.content["pending"]:
            return _said(begun)
        watch = begun.content["deployment"] if begun.content["method"] == "stop" else ""
        return _said(run_module("ecs_rollback", **common, **({"watch": watch} if watch else {})))

    # -- a schedule -----------------------------------------------------------------------------

    def run(self, schedule: Schedule) -> Report:
        """Bring about where the schedule begins, run under faults, judge, run plainly, judge again."""
        started = time.monotonic()
        former = self._begin(schedule)
        before = self.truth.made()
        wanted = self._wanted(schedule)
        self.faults.set(*schedule.rules, seed=schedule.seed)
        try:
            first = self._go(schedule)
            met = self.faults.report()
        finally:
            self.faults.clear()
        report = Report(schedule, first.word, fired=len(met["fired"]), calls=met["calls"])
        report.problems += self._judge(schedule, first, wanted, former, plain=False)
        if not self._final(schedule, first):
            self._settle()
            second = self._go(schedule)
            report.second = second.word
            report.problems += self._judge(schedule, second, wanted, former, plain=True)
        report.problems += self._made_once(schedule, before)
        report.seconds = time.monotonic() - started
        return report

    def _begin(self, schedule: Schedule) -> str:
        """What is live before the run; the task definition that a rollback has to lead to."""
        while len(self._served()) < 2 or self._served()[-1] != next(
            iter(self.truth.carrying()), ""
        ):
            self.site.renew()
            self._well(self.deploy(GOOD))
        former = self._served()[-1]
        self.site.renew()
        if schedule.scenario == DURING_BAKE:
            self._well(self.deploy(GOOD, bake=1440, wait_for="bake"))
        if schedule.scenario == AFTER_CLEAN_UP:
            self._well(self.deploy(GOOD))
        return former

    def _well(self, verdict: Verdict) -> None:
        assert verdict.word == DEPLOYED, verdict

    def _served(self) -> list[str]:
        """Task definitions that were deployed successfully, oldest first."""
        done = [d for d in self.truth.deployments() if d["status"] == "SUCCESSFUL"][:3]
        return [self.truth.target_of(d) for d in reversed(done)]

    def _wanted(self, schedule: Schedule) -> str:
        """Tag of the image that the run is about."""
        release = (
            schedule.scenario if schedule.scenario in ("crash", "unhealthy", BAD_SMOKE) else GOOD
        )
        tag, _ = wanted_tag({**self.site.app, "image_toml": "image.toml"}, release)
        return str(tag)

    def _go(self, schedule: Schedule) -> Verdict:
        if schedule.scenario in (DURING_BAKE, AFTER_CLEAN_UP):
            return self.rollback()
        return self.deploy(schedule.scenario)

    def _final(self, schedule: Schedule, verdict: Verdict) -> bool:
        return verdict.word in self._right(schedule)

    def _right(self, schedule: Schedule) -> tuple[str, ...]:
        if schedule.scenario == GOOD:
            return (DEPLOYED, UNCHANGED)
        if schedule.scenario in (DURING_BAKE, AFTER_CLEAN_UP):
            return (ROLLED_BACK, UNCHANGED)
        return (ROLLED_BACK,)

    def _settle(self) -> None:
        """A new log-in takes a moment; nothing else happens between two runs."""
        time.sleep(0.2)

    # -- the truth ------------------------------------------------------------------------------

    def _judge(
        self, schedule: Schedule, verdict: Verdict, wanted: str, former: str, *, plain: bool
    ) -> list[str]:
        """What is wrong with a verdict, given what is really so."""
        if not self._final(schedule, verdict):
            if plain:
                return [f"the plain run said {verdict.word}: {verdict.message}"]
            return self._honest(verdict)
        problems = []
        carrying = self.truth.carrying()
        tags = {arn: self.truth.image_tag(arn) for arn in carrying}
        right = (
            set(tags.values()) == {wanted} if schedule.scenario == GOOD else carrying == {former}
        )
        if not right:
            problems.append(f"{verdict.word}, but the traffic is on {tags} (asked for: {wanted})")
        under_way = [d["status"] for d in self.truth.deployments() if "finishedAt" not in d]
        if under_way:
            problems.append(f"{verdict.word}, but a deployment is {under_way}")
        if verdict.ok != (verdict.word != ROLLED_BACK or "rollback" in schedule.scenario):
            problems.append(f"{verdict.word} with the wrong exit: {verdict.message}")
        return problems

    @staticmethod
    def _honest(verdict: Verdict) -> list[str]:
        """A run that could not go on says so in one message, and says nothing else."""
        problems = []
        if verdict.ok:
            problems.append(f"{verdict.word}, and the run counts as successful")
        if verdict.word not in (FAILED, STILL_RUNNING, ""):
            problems.append(f"{verdict.word} is wrong: {verdict.message}")
        if not HONEST.search(verdict.message) or "Traceback" in verdict.message:
            problems.append(
                f"{verdict.word} with no message that says what happened: {verdict.message}"
            )
        return problems

    def _made_once(self, schedule: Schedule, before: Made) -> list[str]:
        """A good release is one deployment of one task definition, however often a call was repeated."""
        now = self.truth.made()
        problems = []
        new = {arn: s for arn, s in now.deployments.items() if arn not in before.deployments}
        if schedule.scenario == GOOD and list(new.values()) != ["SUCCESSFUL"]:
            problems.append(f"deployments made: {list(new.values())}")
        definitions = tuple(arn for arn in now.definitions if arn not in before.definitions)
        alike = self.truth.alike(definitions)
        if alike and not schedule.stale:
            problems.append(f"task definitions with the same content: {alike}")
        return problems


def _said(answer: Answer) -> Verdict:
    content: dict[str, Any] = answer.content
    word = str(content.get("verdict") or (FAILED if answer.failed else ""))
    return Verdict(word, answer.message, ok=not answer.failed)
