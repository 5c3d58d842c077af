"""The module ``ecs_rollback``: back to what served before, decided within two AWS calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ..lyo_aws import Aws, AwsFailure, parallel
from ..lyo_checks import failures, run_checks
from ..lyo_progress import Progress
from . import decide_deploy as decide
from . import decide_rollback as back
from . import follow, live, patience, result, stages, verdict
from .former import HISTORY, RUNS, Former
from .outputs import read_outputs
from .reasons import Witness, event_lines
from .task_definition import image_of, release_of, schema_of

LOOKS = 15


class Rollback:
    """One run of the module.

    :param params: the module's arguments.
    :ivar service: DescribeServices' answer.
    :ivar started: whether the rollback is under way: it goes on without us.
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
        self.cluster = str(params["cluster"])
        self.name = str(params["service"])
        self.to: str | None = params.get("to") or None
        self.service: dict[str, Any] = {}
        self.started = False
        self._looks = 0
        self.former = Former(aws, self.cluster, self.name, params.get("ledger"))
        self._sleep = sleep
        self._clock = clock

    def read(self) -> None:
        """Read the service: the first call.

        :raises AwsFailure: there is no such service.
        """
        found = live.describe_service(self.aws, self.cluster, self.name)
        if found is None:
            raise AwsFailure(
                "NoService",
                f"the service {self.name} does not exist in the cluster {self.cluster}: "
                "there is nothing to roll back",
            )
        self.aws.confirm_account(str(found["serviceArn"]))
        self.service = found

    @property
    def current_deployment(self) -> str:
        """ARN of the service's current deployment, empty without one; it may have ended."""
        return str(self.service.get("currentServiceDeployment") or "")

    def definitions(self) -> tuple[str, str]:
        """Return the task definitions that the deployment brings and replaces."""
        target = source = ""
        for entry in self.service.get("deployments") or []:
            if entry.get("status") == "PRIMARY":
                target = str(entry.get("taskDefinition", ""))
            elif entry.get("status") == "ACTIVE":
                source = source or str(entry.get("taskDefinition", ""))
        return target or str(self.service.get("taskDefinition", "")), source

    def first_step(self) -> tuple[str, str]:
        """Return what to do about the current deployment, in the common case from the first answer.

        Only a named target, or a deployment that may be a rollback itself, costs further reads.
        """
        if not self.current_deployment or not in_motion(self.service):
            return "none", "no deployment is in progress"
        target, source = self.definitions()
        new, old = back.Revision("", target), back.Revision("", source)
        if self.to and source:
            new, old = parallel(
                lambda: self.former.named(target), lambda: self.former.named(source)
            )
        returning = back.may_return(target, source) and self.former.returning(target)
        return back.in_progress_step("", new, old, self.to, returning=returning)

    def choose(self) -> tuple[back.Choice, dict[str, str], list[back.Deployment]]:
        """Return what to go back to, what serves now, and the deployments that ECS remembers."""
        former = self.former
        deployments, runs = parallel(former.deployments, lambda: former.past.runs(RUNS))
        current = [str(r["arn"]) for r in self.service.get("currentServiceRevisions") or []]
        found = former.revisions([d.revision for d in deployments[:HISTORY]] + current)
        revisions = former.with_releases(found)
        serving = str(self.service.get("taskDefinition", ""))
        if len(current) == 1 and current[0] in revisions:
            serving = revisions[current[0]].task_definition
        choice = back.choose(deployments, revisions, serving, self.to, runs)
        if choice.action == "refuse" and len(runs) == RUNS:
            choice = back.choose(deployments, revisions, serving, self.to, former.past.runs())
        now = former.named(serving)
        before = {"task_definition": serving, "release": now.release, "image": now.images[0]}
        return choice, before, deployments

    def gate(self, target: back.Revision) -> tuple[str, list[str]]:
        """Return why a revision must not be deployed again (empty where it may), and remarks."""
        (why, doubt), broken = parallel(
            lambda: self.former.schema_of(target.task_definition),
            lambda: self.former.unusable(target),
        )
        if broken:
            return f"cannot go back to {target.name}: {broken}", []
        if not why:
            return "", [doubt] if doubt else []
        force = str(self.params.get("force_schema") or "")
        if back.names(force, target):
            return "", [f"forced by name: {why}"]
        word = target.release or target.task_definition.rpartition("/")[2]
        other = f" (force_schema={force} names another one)" if force else ""
        return f"{why}{other}. To go there all the same: -e force_schema={word}", []

    def deploy(self, target: back.Revision, known: Collection[str]) -> str:
        """Deploy a former revision, with the service's own deployment configuration.

        :param known: ARNs of the deployments so far.
        """
        answer = self.aws.call(
            "ecs",
            "update_service",
            cluster=self.cluster,
            service=self.name,
            taskDefinition=target.task_definition,
        )
        self.started = True
        hint = str(answer["service"].get("currentServiceDeployment") or "")
        return follow.find_new(
            self.aws, self.cluster, self.name, known, hint, target.task_definition, self._sleep
        )

    def look_again(self) -> None:
        """Wait a little, because what was read contradicts itself.

        :raises AwsFailure: it has done so for too long.
        """
        self._looks += 1
        if self._looks > LOOKS:
            raise AwsFailure(
                "Contradiction",
                f"ECS says both that a deployment of {self.name} is in progress and that none is: "
                "run the same command again",
            )
        self._sleep(min(1.0, 0.2 * self._looks))

    def read_after(self, deployment: Mapping[str, Any]) -> live.State:
        """Return the state after a deployment was followed."""
        return patience.read_after(
            self.aws,
            self.cluster,
            self.name,
            deployment,
            lambda text: self.progress("waiting", text),
            self._sleep,
            self._clock,
        )

    def follow(self, arn: str, definition: str, *, turning_back: bool) -> follow.Outcome:
        """Follow a deployment; one that brings ``definition`` is watched closely."""
        witness = None
        if not turning_back:
            content = live.describe_definition(self.aws, definition) or {}
            groups = target_groups(self.service)
            witness = Witness(self.aws, self.cluster, self.name, content, groups)
        limits = decide.Limits(
            int(self.params["max_failed_tasks"]),
            float(self.params["healthy_timeout"]),
            float(self.params["timeout"]),
        )
        follower = follow.Follower(
            self.aws,
            self.progress,
            limits,
            check=self.check,
            witness=witness,
            turning_back=turning_back,
            sleep=self._sleep,
            clock=self._clock,
        )
        return follower.follow(arn)

    def warnings(self, live_definition: str) -> list[str]:
        """Return what is wrong with what serves again: after the flip, nothing may stand before it."""
        try:
            problem, _ = self.former.schema_of(live_definition)
        except AwsFailure:
            return []
        return [f"{problem}: look at what it answers"] if problem else []

    def base_url(self) -> str:
        """Return where the checks reach what does not serve yet, empty where nobody says it."""
        if self.params.get("base_url"):
            return str(self.params["base_url"])
        name = self.params.get("outputs_parameter")
        try:
            outputs = read_outputs(self.aws, str(name)) if name else {}
        except AwsFailure:
            return ""  # a rollback does not wait for what only makes it safer
        return str(outputs.get("test_url") or "")

    def check(self) -> list[str]:
        """Run the smoke checks and return what failed."""
        checks, base = self.params["smoke"], self.base_url()
        if not checks or not base:
            return []
        bundle = self.params["aws"].get("ca_bundle")
        return failures(run_checks(checks, base, self.aws, bundle, self.progress))


def in_motion(service: Mapping[str, Any]) -> bool:
    """Tell whether a deployment may be in progress: all but one finished primary counts as one.

    ``currentServiceDeployment`` alone does not tell: it stays after the deployment has ended.
    """
    entries: Sequence[Mapping[str, Any]] = service.get("deployments") or []
    return [entry.get("rolloutState") for entry in entries] != ["COMPLETED"]


def target_groups(service: Mapping[str, Any]) -> list[str]:
    """Return the ARNs of a service's target groups, both of them where it has two."""
    groups = []
    for entry in service.get("loadBalancers") or []:
        advanced = entry.get("advancedConfiguration") or {}
        groups += [entry.get("targetGroupArn"), advanced.get("alternateTargetGroupArn")]
    return [str(group) for group in groups if group]


def run(module: Any) -> None:
    """Run the module ``ecs_rollback``."""
    params = module.params
    # The account is confirmed by the first answer's ARN: one call less before the deciding one.
    aws = Aws(params["aws"], defer_account=True)
    rollback = Rollback(aws, Progress("rollback", aws.secrets), params)
    try:
        _run(module, rollback)
    except AwsFailure as failure:
        started, changed = rollback.started, aws.writes > 0
        result.interrupt(module, failure, "the rollback", started=started, changed=changed)


def _run(module: Any, rollback: Rollback) -> None:
    rollback.read()
    begin = bool(module.params.get("begin")) and not module.check_mode
    watched = str(module.params.get("watch") or "")
    if watched:
        _watch_stopped(module, rollback, watched)
    step, why = rollback.first_step()
    arn = rollback.current_deployment
    if step == "stop":
        step, why = _stop(module, rollback, arn, why)
    if step == "refuse":
        _finish(module, verdict.FAILED, [why], "none", changed=False)
    if step in ("stop", "follow"):
        if module.check_mode:
            _finish(module, verdict.ROLLED_BACK, [why], "stop", changed=True)
        rollback.progress("rollback", why, 0)
        if begin:
            _pending(module, "stop", why, arn)
        target, _ = rollback.definitions()
        before = {"task_definition": target, "release": "", "image": ""}
        _watch(module, rollback, arn, target, "stop", [why], previous=before)
    if step == "adopt":
        described = live.describe_deployment(rollback.aws, arn) or {}
        if str(described.get("status")) not in stages.ENDED:
            if module.check_mode:
                _finish(module, verdict.ROLLED_BACK, [why], "adopt", changed=True)
            if begin:
                _pending(module, "adopt", why)
            target, _ = rollback.definitions()
            _watch(module, rollback, arn, target, "adopt", [why])
    _from_history(module, rollback)


def _pending(module: Any, method: str, why: str, deployment: str = "", aim: str = "") -> None:
    """Leave the module before the long part: the run is put on record, and locked, first."""
    module.exit_json(
        changed=method == "stop",
        pending=True,
        method=method,
        reasons=[why],
        deployment=deployment,
        task_definition=aim,
    )


def _watch_stopped(module: Any, rollback: Rollback, arn: str) -> None:
    """Follow a deployment that this run has stopped to its end."""
    described = live.describe_deployment(rollback.aws, arn) or {}
    aimed = str((described.get("targetServiceRevision") or {}).get("arn", ""))
    found = live.describe_revisions(rollback.aws, [aimed]).get(aimed, {})
    target = str(found.get("taskDefinition", ""))
    before = {"task_definition": target, "release": "", "image": ""}
    why = "a deployment was in progress: it was turned back"
    _watch(module, rollback, arn, target, "stop", [why], previous=before)


def _stop(module: Any, rollback: Rollback, arn: str, why: str) -> tuple[str, str]:
    """Make the deciding call. A deployment that has ended meanwhile leads to the history."""
    if module.check_mode:
        described = live.describe_deployment(rollback.aws, arn) or {}
        if str(described.get("status")) in stages.ENDED:
            return "none", "the last deployment has ended"
        return "stop", why
    try:
        follow.stop(rollback.aws, arn)
    except AwsFailure as failure:
        if failure.code not in follow.MOVED_ON:
            raise
        rollback.aws.writes -= 1  # it was refused
        described = live.describe_deployment(rollback.aws, arn) or {}
        status = str(described.get("status"))
        if status in stages.TURNING_BACK:
            return "follow", "the deployment is already turning back"
        if status in stages.FORWARD:
            raise
        return "none", "the last deployment has ended"
    return "stop", why


def _from_history(module: Any, rollback: Rollback) -> None:
    choice, before, history = rollback.choose()
    if history and history[0].status not in stages.ENDED:
        # The service was read from before that deployment began.
        rollback.look_again()
        _run(module, rollback)
    if choice.action == "none":
        _finish(module, verdict.UNCHANGED, [choice.reason], "none", changed=False)
    if choice.target is None:
        _finish(module, verdict.FAILED, _noted(choice, rollback), "none", changed=False)
        return
    refusal, remarks = rollback.gate(choice.target)
    if refusal:
        others = [name for name in choice.candidates if name != choice.target.name]
        more = [f"what else has served: {', '.join(others)} (-e to=<release>)"] if others else []
        _finish(module, verdict.FAILED, [refusal, *more], "none", changed=False)
    definition = choice.target.task_definition
    lines = [choice.reason, *remarks]
    if module.check_mode:
        _finish(
            module,
            verdict.ROLLED_BACK,
            lines,
            "deploy",
            changed=True,
            previous=before,
            task_definition=definition,
        )
    if module.params.get("begin"):
        _pending(module, "deploy", choice.reason, aim=definition)
    rollback.progress("rollback", choice.reason, 0)
    arn = rollback.deploy(choice.target, {d.arn for d in history})
    _watch(module, rollback, arn, definition, "deploy", lines, previous=before)


def _noted(choice: back.Choice, rollback: Rollback) -> list[str]:
    """A refusal, and why the ledger could not help."""
    problem = rollback.former.past.problem
    return [choice.reason, *([problem] if problem else [])]


def _watch(
    module: Any,
    rollback: Rollback,
    arn: str,
    asked: str,
    method: str,
    lines: list[str],
    **more: Any,
) -> None:
    rollback.started = True
    outcome = rollback.follow(arn, asked, turning_back=method == "stop")
    deployment = outcome.deployment
    target = deployment.get("targetServiceRevision") or {}
    state = rollback.read_after(deployment)
    ending = verdict.Ending(
        status=str(deployment.get("status")),
        stage=str(deployment.get("lifecycleStage") or ""),
        production_weight=target.get("requestedProductionTrafficWeight"),
        asked=asked,
        target=asked,
        live=state.live,
    )
    word, line = verdict.of_rollback(ending, method)
    # A deployment that was stopped on purpose needs no explanation of its end.
    found = [] if method == "stop" and word == verdict.ROLLED_BACK else outcome.reasons
    lines = [line, *lines, *found]
    if word == verdict.ROLLED_BACK and method != "deploy":
        lines += rollback.warnings(state.live)
    if word == verdict.FAILED and state.service is not None:
        lines += event_lines(state.service, deployment.get("createdAt"))
    _finish(
        module,
        word,
        lines,
        method,
        changed=True,
        deployment=arn,
        service_revision=str(target.get("arn", "")),
        stages=outcome.stages,
        task_definition=state.live,
        record={
            "image": image_of(state.live_definition),
            "release": release_of(state.live_definition),
            "task_definition": state.live,
            "deployment": arn,
            "schema_range": list(schema_of(state.live_definition)),
        },
        diff=result.diff(
            {"task_definition": more.get("previous", {}).get("task_definition", asked)},
            {"task_definition": state.live},
            "service",
        ),
        **more,
    )


def _finish(
    module: Any, word: str, lines: list[str], method: str, *, changed: bool, **more: Any
) -> None:
    empty: dict[str, Any] = {
        "pending": False,
        "deployment": "",
        "service_revision": "",
        "stages": [],
        "task_definition": "",
        "previous": {},
    }
    result.finish(
        module,
        verdict=word,
        reasons=lines,
        changed=changed,
        good=(verdict.ROLLED_BACK, verdict.UNCHANGED),
        headline="the rollback did not succeed",
        method=method,
        **{**empty, **more},
    )
