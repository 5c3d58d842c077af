"""The module ``ecs_restart``: every task replaced by a new one of the same revision.

``forceNewDeployment`` starts a service deployment without a change of the service, so the new tasks
come as blue/green too and read their secrets anew:
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ..lyo_aws import Aws
from ..lyo_checks import failures, run_checks
from ..lyo_progress import Progress
from ..lyo_release import decide_deploy, live, request, result, verdict
from ..lyo_release.follow import Follower, Outcome, find_new, recent
from ..lyo_release.reasons import Witness, event_lines
from ..lyo_release.task_definition import image_of, release_of
from . import decide, ending, place, spec


class Restart:
    """One run of the module.

    :param params: the module's arguments.
    """

    def __init__(
        self,
        aws: Aws,
        progress: Progress,
        params: Mapping[str, Any],
        outputs: Mapping[str, Any],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.aws, self.progress, self.params, self.outputs = aws, progress, params, outputs
        self.cluster, self.service = outputs["cluster_name"], outputs["service_name"]
        self.sleep, self.clock = sleep, clock

    @property
    def deployment(self) -> dict[str, Any]:
        """How the new tasks take over, as a release would, with the alarms that turn it back."""
        wanted = dict(self.params["deployment"])
        if self.params["release_alarms"]:
            wanted["alarms"] = list((self.outputs.get("alarms") or {}).get("release") or ())
        return wanted

    def start(self, state: live.State) -> str:
        """Start the deployment and return its ARN.

        With the configuration of the environment: the service has that of the last deployment,
        whatever was tried then.
        """
        known = {d["serviceDeploymentArn"] for d in recent(self.aws, self.cluster, self.service)}

        def find() -> dict[str, Any] | None:
            """Look for the deployment of a call whose answer was lost: repeated, it would be a second."""
            for entry in recent(self.aws, self.cluster, self.service):
                if entry["serviceDeploymentArn"] not in known:
                    return {"service": {"currentServiceDeployment": entry["serviceDeploymentArn"]}}
            return None

        answer = self.aws.create(
            "ecs",
            "update_service",
            find,
            cluster=self.cluster,
            service=self.service,
            taskDefinition=state.live,
            deploymentConfiguration=request.deployment_configuration(self.deployment),
            forceNewDeployment=True,
        )
        hint = str(answer["service"].get("currentServiceDeployment") or "")
        # The deployments of before have brought this task definition too: only a new one is meant.
        return find_new(self.aws, self.cluster, self.service, known, hint, "any", self.sleep)

    def follow(self, arn: str, definition: Mapping[str, Any]) -> Outcome:
        """Follow the deployment as a release is followed."""
        groups = list(self.outputs["target_group_arns"].values())
        limits = decide_deploy.Limits(
            max_failed_tasks=int(self.params["deployment"]["max_failed_tasks"]),
            healthy_timeout=float(self.params["deployment"]["healthy_timeout"]),
            timeout=float(self.params["deployment"]["timeout"]),
        )
        follower = Follower(
            self.aws,
            self.progress,
            limits,
            check=self.check,
            witness=Witness(self.aws, self.cluster, self.service, definition, groups),
            sleep=self.sleep,
            clock=self.clock,
        )
        return follower.follow(arn)

    def check(self) -> list[str]:
        """Run the smoke checks against the test listener and return what failed."""
        checks = self.params["smoke"]
        if not checks:
            return []
        base = str(self.outputs.get("test_url") or "")
        bundle = self.params["aws"].get("ca_bundle")
        return failures(run_checks(checks, base, self.aws, bundle, self.progress))


def seen(state: live.State) -> decide.Service:
    """Return the service as the decisions need it."""
    service, deployment = state.service or {}, state.deployment
    return decide.Service(
        desired=int(service.get("desiredCount", 0)),
        running=int(service.get("runningCount", 0)),
        deployment=live.name_of(state.target, state.definitions.get(state.target))
        if deployment
        else "",
        deployment_status=str((deployment or {}).get("status", "")),
        same=bool(deployment) and state.target == state.live,
    )


def work(
    module: Any,
    aws: Aws,
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Restart, or watch the restart that is under way."""
    outputs = place.read(aws, module.params)
    state = place.service(aws, outputs)
    step, why = decide.restart(seen(state))
    common: dict[str, Any] = {
        "release": release_of(state.live_definition),
        "task_definition": state.live,
        "deployment": "",
        "stages": [],
    }
    if step == decide.REFUSE:
        result.finish(
            module,
            verdict=verdict.FAILED,
            reasons=[why],
            changed=False,
            good=(),
            headline="nothing was restarted",
            **common,
        )
    if module.check_mode:
        result.finish(
            module,
            verdict=verdict.PREDICTED,
            reasons=[why],
            changed=True,
            good=(verdict.PREDICTED,),
            **common,
        )
    restart = Restart(aws, progress, module.params, outputs, sleep, clock)
    progress("restart", why, 0)
    if step == decide.ADOPT:
        arn = str((state.deployment or {})["serviceDeploymentArn"])
    else:
        arn = restart.start(state)
    outcome = restart.follow(arn, state.live_definition or {})
    _finish(module, restart, outcome, arn, {**common, "image": image_of(state.live_definition)})


def _finish(
    module: Any, restart: Restart, outcome: Outcome, arn: str, common: dict[str, Any]
) -> None:
    word, why = ending.judge(
        restart.aws, restart.progress, restart.outputs, outcome, restart.sleep, restart.clock
    )
    lines = [why, *outcome.reasons]
    if word == verdict.DEPLOYED:
        word, lines = verdict.RESTARTED, ["new tasks of the same revision carry all the traffic"]
    elif word == verdict.ROLLED_BACK:
        lines[0] = "the new tasks were turned back, the old ones serve"
    if word not in (verdict.RESTARTED, verdict.STILL_RUNNING):
        service = live.describe_service(restart.aws, restart.cluster, restart.service) or {}
        lines += event_lines(service, outcome.deployment.get("createdAt"))
    revision = str((outcome.deployment.get("targetServiceRevision") or {}).get("arn", ""))
    image = common.pop("image")
    result.finish(
        module,
        verdict=word,
        reasons=lines,
        changed=True,
        good=(verdict.RESTARTED,),
        headline="the restart failed",
        record={
            "release": common["release"],
            "image": image,
            "task_definition": common["task_definition"],
            "deployment": arn,
            "service_revision": revision,
        },
        **{**common, "deployment": arn, "stages": outcome.stages},
    )


def run(module: Any) -> None:
    """Run the module."""
    spec.run(module, "restart", work)
