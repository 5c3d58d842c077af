"""Follows one service deployment to its end, answers its hook, turns it back where it must."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_progress import Progress
from . import decide_deploy as decide
from . import live, reasons, stages
from .patience import PATIENCE_SECONDS

# Codes of an answer that came too late: the deployment has moved on, the next look tells where.
MOVED_ON = frozenset(
    {
        "ConflictException",
        "InvalidParameterException",
        "ClientException",
        "ServiceDeploymentNotFoundException",
        "UnsupportedFeatureException",
    }
)
_MAX_REFUSALS = 5
_BRINGING = stages.FORWARD | {"SUCCESSFUL"}
# AWS asks that these reads be few; the deployment itself is looked at more often.
_WITNESS_SECONDS = 1.0


@dataclass
class Outcome:
    """What following a deployment ended with.

    :ivar deployment: its last description.
    :ivar reasons: why it was turned back, or what it said itself, one line each.
    :ivar gave_up: whether watching ended before the deployment did.
    :ivar shifted_at: when production traffic was first seen on it, aware; None if it never was.
    :ivar weight: the most production traffic that it was seen with, in percent.
    """

    deployment: dict[str, Any]
    reasons: list[str] = field(default_factory=list)
    stages: list[dict[str, Any]] = field(default_factory=list)
    gave_up: bool = False
    shifted_at: datetime | None = None
    weight: float = 0.0


class Follower:
    """Follows one deployment.

    :param check: runs the smoke checks and returns what failed; None continues at the hook.
    :param witness: watches tasks and targets; None where nobody needs the reasons.
    :param at_clean_up: called once while the old tasks are stopped: what would otherwise be done after
        the end, and needs nothing but that all traffic is on the new ones.
    :param turning_back: the deployment was already told to turn back.
    """

    def __init__(
        self,
        aws: Aws,
        progress: Progress,
        limits: decide.Limits,
        *,
        check: Callable[[], list[str]] | None = None,
        witness: reasons.Witness | None = None,
        at_clean_up: Callable[[], None] | None = None,
        turning_back: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._aws = aws
        self._progress = progress
        self._limits = limits
        self._check = check
        self._witness = witness
        self._at_clean_up = at_clean_up
        self._turning_back = turning_back
        self._clock = clock
        self._sleep = sleep
        self._answered: set[str] = set()
        self._found: dict[str, list[str]] = {}  # by hook, what its checks found wrong
        self._refusals = 0
        self._reasons: list[str] = []
        self._stages: list[dict[str, Any]] = []
        self._stage_since = self._started = clock()
        self._looked = self._started - _WITNESS_SECONDS
        self._position = -1.0
        self._pause, self._last = 0.2, ""
        self._shifted_at: datetime | None = None
        self._weight = 0.0

    def follow(self, arn: str) -> Outcome:
        """Follow the deployment ``arn``.

        A spell in which AWS throttles, fails or cannot be reached is waited out.

        :raises AwsFailure: AWS refuses, or has not answered for ``PATIENCE_SECONDS`` or, longer than
            the limits' ``timeout`` after the beginning, at all.
        """
        self._stage_since = self._started = self._clock()
        self._looked = self._started - _WITNESS_SECONDS
        self._position, self._pause, self._last = -1.0, 0.2, ""
        deployment: dict[str, Any] = {"serviceDeploymentArn": arn, "status": "PENDING"}
        trouble: float | None = None
        while True:
            try:
                deployment = live.describe_deployment(self._aws, arn) or deployment
                outcome = self._act(arn, deployment)
            except AwsFailure as failure:
                now = self._clock()
                trouble = now if trouble is None else trouble
                spent = now - trouble >= PATIENCE_SECONDS or self._watched_enough(now)
                if not failure.passing or spent:
                    raise
                self._progress("waiting", f"the deployment goes on unwatched: {failure.message}")
                self._pause = decide.pause_after(self._pause, changed=False)
            else:
                trouble = None
                if outcome is not None:
                    return outcome
            self._sleep(self._pause)

    def _watched_enough(self, now: float) -> bool:
        return now - self._started > self._limits.timeout

    def _act(self, arn: str, deployment: dict[str, Any]) -> Outcome | None:
        """Do what one look at the deployment asks for; return the outcome at its end."""
        now = self._clock()
        if self._witness and self._witness.since is None:
            self._witness.since = deployment.get("createdAt")
        stage = str(deployment.get("lifecycleStage") or "")
        if stage:
            # Never back: a read may be older than the one before it.
            self._position = max(self._position, stages.position(stage, self._position))
        if self._witness and now - self._looked >= _WITNESS_SECONDS and self._worth_looking():
            self._witness.look()
            self._looked = now
        seen = self._observe(deployment, stage, now - self._started)
        self._note_stage(seen, now)
        self._note_traffic(seen)
        self._show(deployment, seen)
        step, why = decide.next_step(seen, self._limits, self._answered, self._turning_back)
        if step in (decide.END, decide.GIVE_UP):
            return self._end(deployment, step, why)
        if step == decide.CHECK:
            self._answer(arn, why)
        elif step == decide.TURN_BACK:
            self._turn_back(arn, why)
        elif seen.status in stages.FORWARD and seen.stage == "CLEAN_UP" and self._at_clean_up:
            self._at_clean_up()
            self._at_clean_up = None
        marker = f"{seen.status} {stage} {seen.production_weight}"
        self._pause = decide.pause_after(self._pause, marker != self._last or step != decide.POLL)
        self._last = marker
        return None

    def _worth_looking(self) -> bool:
        return stages.before(self._position, "BAKE_TIME") and not self._turning_back

    def _observe(
        self, deployment: dict[str, Any], stage: str, elapsed: float
    ) -> decide.Observation:
        target = deployment.get("targetServiceRevision") or {}
        return decide.Observation(
            status=str(deployment.get("status")),
            stage=stage,
            position=self._position,
            production_weight=target.get("requestedProductionTrafficWeight"),
            waiting_hooks=waiting_hooks(deployment),
            failed_tasks=len(self._witness.failed) if self._witness else 0,
            elapsed=elapsed,
        )

    def _note_stage(self, seen: decide.Observation, now: float) -> None:
        name = seen.stage if seen.status in stages.FORWARD else seen.status
        if self._stages:
            self._stages[-1]["seconds"] = round(now - self._stage_since, 2)
        if name and (not self._stages or self._stages[-1]["stage"] != name):
            self._stages.append({"stage": name, "seconds": 0.0})
            self._stage_since = now

    def _note_traffic(self, seen: decide.Observation) -> None:
        if seen.production_weight and seen.status in stages.FORWARD:
            self._shifted_at = self._shifted_at or datetime.now(UTC)
            self._weight = max(self._weight, seen.production_weight)

    def _show(self, deployment: dict[str, Any], seen: decide.Observation) -> None:
        target = deployment.get("targetServiceRevision") or {}
        parts = [stages.words(seen.stage) if seen.stage else "starting"]
        if seen.status in stages.TURNING_BACK:
            parts = ["turning back"]
        if seen.status in stages.ENDED:
            parts = [seen.status.replace("_", " ").lower()]
        if "requestedTaskCount" in target and seen.status in stages.FORWARD:
            running = target.get("runningTaskCount", 0)
            parts.append(f"{running} of {target['requestedTaskCount']} tasks run")
        if seen.production_weight:
            parts.append(f"{seen.production_weight:.0f} % of the traffic")
        if seen.failed_tasks:
            parts.append(f"{seen.failed_tasks} failed")
        if seen.waiting_hooks and not self._turning_back:
            parts.append("waiting for the checks")
        stage = seen.stage if seen.status in stages.FORWARD else seen.status
        percent = 100 if seen.status in stages.ENDED else stages.percent(seen.position)
        self._progress(stage or seen.status, ", ".join(parts), percent)

    def _answer(self, arn: str, hook: str) -> None:
        if hook not in self._found:
            self._found[hook] = self._check() if self._check else []
        problems = self._found[hook]
        action = "ROLLBACK" if problems else "CONTINUE"
        self._note(*problems)
        try:
            self._aws.call(
                "ecs",
                "continue_service_deployment",
                serviceDeploymentArn=arn,
                hookId=hook,
                action=action,
            )
        except AwsFailure as failure:
            if failure.code not in MOVED_ON:
                raise  # where it is passing, the hook is answered once more
            if problems:
                # The hook is gone but the release is bad all the same.
                self._stop(arn)
            elif self._refusals < _MAX_REFUSALS:
                self._refusals += 1
                return  # if it still waits, it is answered once more
        self._answered.add(hook)
        self._turning_back = self._turning_back or bool(problems)

    def _turn_back(self, arn: str, why: str) -> None:
        self._note(why)
        self._stop(arn)
        self._turning_back = True

    def _note(self, *why: str) -> None:
        self._reasons += [line for line in why if line not in self._reasons]

    def _stop(self, arn: str) -> None:
        try:
            stop(self._aws, arn)
        except AwsFailure as failure:
            if failure.code not in MOVED_ON:
                raise

    def _end(self, deployment: dict[str, Any], step: str, why: str) -> Outcome:
        lines = list(self._reasons)
        status = str(deployment.get("status"))
        if step == decide.GIVE_UP:
            lines.append(why)
        if status in stages.ENDED and status != "SUCCESSFUL":
            lines += [x for x in reasons.deployment_lines(deployment) if x not in lines]
            if self._witness:
                if self._worth_looking_back():
                    self._witness.look()
                lines += self._witness.lines()
        return Outcome(
            deployment,
            lines,
            self._stages,
            gave_up=step == decide.GIVE_UP,
            shifted_at=self._shifted_at,
            weight=self._weight,
        )

    def _worth_looking_back(self) -> bool:
        return self._witness is not None and not self._witness.failed


def waiting_hooks(deployment: dict[str, Any]) -> tuple[str, ...]:
    """Return the ids of the PAUSE hooks that wait for ContinueServiceDeployment."""
    hooks: Collection[dict[str, Any]] = deployment.get("lifecycleHookDetails") or []
    return tuple(
        str(hook["hookId"])
        for hook in hooks
        if hook.get("status") == "AWAITING_ACTION" and hook.get("hookId")
    )


def stop(aws: Aws, arn: str) -> None:
    """Turn a deployment back.

    :raises AwsFailure: AWS refuses.
    """
    aws.call("ecs", "stop_service_deployment", serviceDeploymentArn=arn, stopType="ROLLBACK")


def find_new(
    aws: Aws,
    cluster: str,
    service: str,
    known: Collection[str],
    hint: str,
    definition: str,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Return the ARN of the deployment that an UpdateService has just started.

    :param known: ARNs of before.
    :param hint: ``currentServiceDeployment`` of UpdateService's answer, which may still be old.
    :param definition: task definition that was asked for. An UpdateService that asks for nothing
        new starts nothing: then a deployment of it was in progress before, and is the one.
    :raises AwsFailure: none has appeared within 30 seconds.
    """
    if hint and hint not in known:
        return hint
    for attempt in range(40):
        found = recent(aws, cluster, service)
        new = [entry["serviceDeploymentArn"] for entry in found]
        new = [arn for arn in new if arn not in known]
        if new:
            return str(new[0])
        # The list may lag behind, so it is given some time to show a new one first.
        if attempt >= 3 and found and _brings(aws, found[0]) == definition:
            return str(found[0]["serviceDeploymentArn"])
        sleep(min(1.0, 0.1 * (attempt + 1)))
    raise AwsFailure(
        "NoDeployment",
        f"ECS has started no deployment of {service}; run the same command again to look anew",
    )


def _brings(aws: Aws, deployment: dict[str, Any]) -> str:
    """Return the task definition that a listed deployment brings or has brought."""
    if str(deployment.get("status")) not in _BRINGING:
        return ""
    arn = str(deployment.get("targetServiceRevisionArn", ""))
    return str(live.describe_revisions(aws, [arn]).get(arn, {}).get("taskDefinition", ""))


def recent(aws: Aws, cluster: str, service: str) -> list[dict[str, Any]]:
    """Return the service's last deployments, newest first."""
    answer = aws.call(
        "ecs", "list_service_deployments", cluster=cluster, service=service, maxResults=100
    )
    found: list[dict[str, Any]] = answer.get("serviceDeployments", [])
    return sorted(
        found, key=lambda d: (d.get("createdAt") is not None, d.get("createdAt")), reverse=True
    )
