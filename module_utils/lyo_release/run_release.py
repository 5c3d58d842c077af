"""The module ``ecs_release``: from a wanted revision to one that carries all the traffic."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_checks import failures, run_checks
from ..lyo_progress import Progress
from . import alarm_reasons, live, request, result, verdict
from . import decide_deploy as decide
from .follow import Follower, Outcome, find_new, recent
from .options import missing_outputs
from .patience import read_after
from .reasons import Witness, event_lines
from .stock import Stock
from .task_definition import release_of, render, same, summary


class Release:
    """One run of the module.

    :param params: the module's arguments.
    :ivar started: whether a deployment of the wanted revision is under way: it goes on without us.
    :ivar verified: whether the checks from outside were right when the old tasks were being stopped.
    :ivar surplus: whether something may be there that no rollback needs any more.
    """

    def __init__(
        self,
        aws: Aws,
        progress: Progress,
        params: Mapping[str, Any],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.aws = aws
        self.progress = progress
        self.params = params
        self.outputs: Mapping[str, Any] = params["outputs"]
        self.deployment: Mapping[str, Any] = params["deployment"]
        self.cluster = str(self.outputs["cluster_name"])
        self.service = str(self.outputs["service_name"])
        self.wanted = render(
            self.outputs,
            params["task"],
            params["image"],
            params["release"],
            schema=params.get("schema") or (),
        )
        self.started = False
        self.verified = False
        self.surplus = True
        self._sleep = sleep
        self._clock = clock

    def read(self) -> live.State:
        """Read the live state."""
        return live.read(self.aws, self.cluster, self.service, self.wanted["family"])

    def register(self, state: live.State) -> str:
        """Return the ARN of a definition with the wanted content, registering it if need be."""
        found = state.equal_definition(self.wanted)
        if found:
            return found
        self.progress("register", f"task definition of {self.params['release']}", 0)
        answer = self.aws.create("ecs", "register_task_definition", self._registered, **self.wanted)
        state.latest = answer["taskDefinition"]
        arn = str(answer["taskDefinition"]["taskDefinitionArn"])
        state.definitions[arn] = answer["taskDefinition"]
        return arn

    def _registered(self) -> dict[str, Any] | None:
        """The answer of a registration whose answer was lost, None where it did nothing."""
        latest = live.describe_definition(self.aws, self.wanted["family"])
        return {"taskDefinition": latest} if latest and same(latest, self.wanted) else None

    def start(self, state: live.State, definition: str) -> str:
        """Start the service deployment and return its ARN."""
        known = {d["serviceDeploymentArn"] for d in recent(self.aws, self.cluster, self.service)}
        assert state.service is not None  # decided before
        minimum = int(self.outputs["autoscaling"].get("min", 1))
        desired = decide.desired_count(int(state.service.get("desiredCount", 0)), minimum)
        self.progress("deploy", f"{self.params['release']}: starting the deployment", 0)
        update = request.update_service(self.outputs, self.deployment, definition, desired)
        # Repeating it is safe: one that asks for what is there already starts no deployment.
        answer = self.aws.call("ecs", "update_service", **update)
        self.started = True
        hint = str(answer["service"].get("currentServiceDeployment") or "")
        return find_new(self.aws, self.cluster, self.service, known, hint, definition, self._sleep)

    def limits(self) -> decide.Limits:
        """Return the limits of following."""
        return decide.Limits(
            max_failed_tasks=int(self.deployment["max_failed_tasks"]),
            healthy_timeout=float(self.deployment["healthy_timeout"]),
            timeout=float(self.deployment["timeout"]),
            wait_for=self.params["wait_for"],
        )

    def follow(self, arn: str, definition: Mapping[str, Any]) -> Outcome:
        """Follow the deployment of the wanted revision."""
        groups = list(self.outputs["target_group_arns"].values())
        witness = Witness(self.aws, self.cluster, self.service, definition, groups)
        follower = Follower(
            self.aws,
            self.progress,
            self.limits(),
            check=self.check,
            witness=witness,
            at_clean_up=self.at_clean_up,
            sleep=self._sleep,
            clock=self._clock,
        )
        return follower.follow(arn)

    def at_clean_up(self) -> None:
        """Look, while there is nothing to do but wait, at what the tasks after this one would look at."""
        if self.params.get("outside"):
            self.look_from_outside()
        if self.params.get("keep_days") is not None:
            # What cannot be read is for the retention to say.
            with contextlib.suppress(AwsFailure):
                self.surplus = not Stock.of(self.aws, self.outputs).younger_than(
                    datetime.now(UTC) - timedelta(days=self.params["keep_days"])
                )

    def look_from_outside(self) -> None:
        """Run the checks from outside once. What is not right yet is for the verification to say."""
        checks = [{**check, "attempts": 1} for check in self.params["outside"]]
        base = str(self.outputs.get("api_url") or "")
        bundle = self.params["aws"].get("ca_bundle")
        try:
            results = run_checks(checks, base, self.aws, bundle, self.progress)
        except AwsFailure:
            return
        self.verified = not failures(results)

    def wait_for_other(self, arn: str) -> Outcome:
        """Follow another release's deployment, without touching it, until it has ended."""
        limits = decide.Limits(0, float("inf"), float(self.deployment["timeout"]))
        onlooker = Follower(
            self.aws, self.progress, limits, turning_back=True, sleep=self._sleep, clock=self._clock
        )
        return onlooker.follow(arn)

    def check(self) -> list[str]:
        """Run the smoke checks against the test listener and return what failed."""
        checks = self.params["smoke"]
        if not checks:
            return []
        base = str(self.outputs.get("test_url") or "")
        bundle = self.params["aws"].get("ca_bundle")
        return failures(run_checks(checks, base, self.aws, bundle, self.progress))

    def scale(self) -> tuple[str, list[str]]:
        """Give a live service without tasks its first ones and wait until they run."""
        minimum = max(1, int(self.outputs["autoscaling"].get("min", 1)))
        self.aws.call(
            "ecs",
            "update_service",
            cluster=self.cluster,
            service=self.service,
            desiredCount=minimum,
        )
        end = self._clock() + float(self.deployment["healthy_timeout"])
        while self._clock() < end:
            service = live.describe_service(self.aws, self.cluster, self.service) or {}
            running = int(service.get("runningCount", 0))
            self.progress("scale", f"{running} of {minimum} tasks run")
            if running >= minimum:
                return verdict.DEPLOYED, [f"scaled from 0 to {minimum} tasks"]
            self._sleep(1.0)
        return verdict.STILL_RUNNING, [f"fewer than {minimum} tasks run"]

    def look_once_more(self) -> dict[str, Any] | None:
        """Return the service for its events; None where it cannot be read: the verdict stands."""
        try:
            return live.describe_service(self.aws, self.cluster, self.service) or {}
        except AwsFailure:
            return None

    def leave_without_tasks(self) -> None:
        """After a first release that failed: ECS would go on starting what was never meant to run."""
        self.aws.call(
            "ecs", "update_service", cluster=self.cluster, service=self.service, desiredCount=0
        )

    def alarm_lines(self, outcome: Outcome) -> list[str]:
        """Return what the alarms had seen that turned the release back; nothing without one."""
        deployment = outcome.deployment
        names = (deployment.get("alarms") or {}).get("triggeredAlarmNames") or []
        balancer = str(self.outputs.get("load_balancer_arn") or "")
        if not names or not balancer:
            return []
        arn = str((deployment.get("targetServiceRevision") or {}).get("arn", ""))
        now = datetime.now(UTC)
        since = outcome.shifted_at or deployment.get("createdAt") or now - timedelta(hours=1)
        return alarm_reasons.read(
            self.aws, names, balancer, arn, (since, now), outcome.weight or None
        )

    def ending(self, outcome: Outcome, asked: str) -> verdict.Ending:
        """Return what the verdict is made from, with what really serves now."""
        deployment = outcome.deployment
        target = deployment.get("targetServiceRevision") or {}
        state = read_after(
            self.aws,
            self.cluster,
            self.service,
            deployment,
            lambda text: self.progress("waiting", text),
            self._sleep,
            self._clock,
        )
        if state.deployment is not None and state.deployment.get(
            "serviceDeploymentArn"
        ) == deployment.get("serviceDeploymentArn"):
            brought = state.target
        else:
            revisions = live.describe_revisions(self.aws, [str(target.get("arn", ""))])
            found = revisions.get(str(target.get("arn", "")), {})
            brought = str(found.get("taskDefinition", asked))
        return verdict.Ending(
            status=str(deployment.get("status")),
            stage=str(deployment.get("lifecycleStage") or ""),
            production_weight=target.get("requestedProductionTrafficWeight"),
            asked=asked,
            target=brought,
            live=state.live,
        )


def run(module: Any) -> None:
    """Run the module ``ecs_release``."""
    params = module.params
    missing = missing_outputs(params["outputs"])
    if missing:
        module.fail_json(
            msg=f"outputs has no {', '.join(missing)}: run the infrastructure phases first",
            verdict=verdict.FAILED,
        )
    aws = Aws(params["aws"])
    progress = Progress(f"release {params['release']}", aws.secrets)
    release = Release(aws, progress, params)
    try:
        _run(module, release)
    except AwsFailure as failure:
        started, changed = release.started, aws.writes > 0
        result.interrupt(module, failure, "the deployment", started=started, changed=changed)


def _run(module: Any, release: Release) -> None:
    params = module.params
    waited = ""
    state = release.read()
    step, why = decide.first_step(state.decided_from(release.wanted), params["in_progress"])
    while step == decide.WAIT and not module.check_mode:
        assert state.deployment is not None
        waited = str(state.deployment["serviceDeploymentArn"])
        release.progress("wait", why)
        outcome = release.wait_for_other(waited)
        if outcome.gave_up:
            result.finish(
                module,
                verdict=verdict.STILL_RUNNING,
                reasons=[why, *outcome.reasons],
                changed=False,
                good=(),
            )
        state = release.read()
        step, why = decide.first_step(state.decided_from(release.wanted), params["in_progress"])
    before = result.previous(state.live, state.live_definition)
    after = summary(release.wanted)
    common: dict[str, Any] = {
        "previous": before,
        "deployment": "",
        "service_revision": "",
        "stages": [],
        "verified": False,
        "surplus": True,
        "task_definition": state.equal_definition(release.wanted),
        "diff": result.diff(summary(state.live_definition), after, "task definition"),
    }
    good = (verdict.UNCHANGED, verdict.DEPLOYED)
    if step == decide.REFUSE:
        result.finish(
            module, verdict=verdict.FAILED, reasons=[why], changed=False, good=(), **common
        )
    if step == decide.UNCHANGED:
        common["diff"] = {}
        common["service_revision"] = state.live_revision
        result.finish(
            module, verdict=verdict.UNCHANGED, reasons=[why], changed=False, good=good, **common
        )
    if module.check_mode:
        result.finish(
            module, verdict=verdict.DEPLOYED, reasons=[why], changed=True, good=good, **common
        )
    if step == decide.SCALE:
        word, lines = release.scale()
        result.finish(module, verdict=word, reasons=lines, changed=True, good=good, **common)
    _deploy(module, release, state, step, common)


def _deploy(
    module: Any, release: Release, state: live.State, step: str, common: dict[str, Any]
) -> None:
    if step == decide.ADOPT:
        assert state.deployment is not None
        asked, arn = state.target, str(state.deployment["serviceDeploymentArn"])
        release.started = True
        release.progress("adopt", "a deployment of this release is in progress: watching it")
    else:
        asked = release.register(state)
        arn = release.start(state, asked)
    common |= {"task_definition": asked, "deployment": arn}
    outcome = release.follow(arn, state.definitions.get(asked, release.wanted))
    word, line = verdict.of_release(release.ending(outcome, asked), module.params["wait_for"])
    lines = [line, *outcome.reasons]
    if word not in (verdict.DEPLOYED, verdict.STILL_RUNNING):
        lines[1:1] = release.alarm_lines(outcome)
        service = release.look_once_more()
        lines += event_lines(service or {}, outcome.deployment.get("createdAt"))
        first = not release_of(state.live_definition)
        if first and service is not None and not service.get("runningCount"):
            release.leave_without_tasks()
            lines[0] = "the deployment was turned back; no release served before, so no task runs"
    target = outcome.deployment.get("targetServiceRevision") or {}
    common |= {"service_revision": str(target.get("arn", "")), "stages": outcome.stages}
    common["verified"] = release.verified and word == verdict.DEPLOYED
    common["surplus"] = release.surplus
    common["record"] = {
        "image": module.params["image"],
        "task_definition": asked,
        "deployment": arn,
        "service_revision": common["service_revision"],
        "schema_range": list(module.params.get("schema") or ()),
        "baking": word == verdict.DEPLOYED and outcome.deployment.get("status") != "SUCCESSFUL",
    }
    result.finish(
        module, verdict=word, reasons=lines, changed=True, good=(verdict.DEPLOYED,), **common
    )
