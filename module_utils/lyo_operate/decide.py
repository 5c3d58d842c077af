"""What restarting and scaling do next, given what is live: decisions without I/O."""

from __future__ import annotations

from dataclasses import dataclass

from ..lyo_release import stages

START = "start"
ADOPT = "adopt"
REFUSE = "refuse"
UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Service:
    """A service as far as these decisions need it.

    :ivar desired: desired number of tasks.
    :ivar running: tasks that run.
    :ivar deployment: name of what a deployment in progress brings, empty without one.
    :ivar deployment_status: its status.
    :ivar same: whether it brings the task definition that serves already: then it is a restart.
    """

    desired: int
    running: int = 0
    deployment: str = ""
    deployment_status: str = ""
    same: bool = False


@dataclass(frozen=True)
class Scaling:
    """The scalable target of the service, as Application Auto Scaling has it.

    :ivar suspended: what is suspended of it, for people; empty for nothing.
    """

    minimum: int
    maximum: int
    suspended: str = ""


def restart(service: Service) -> tuple[str, str]:
    """Return what a restart does first, and why."""
    if service.deployment:
        if service.deployment_status not in stages.FORWARD:
            return REFUSE, (
                f"the deployment of {service.deployment} is just turning back: "
                "watch.yml shows its end, then restart"
            )
        if service.same:
            return ADOPT, "a restart is already in progress: watching it"
        return REFUSE, (
            f"{service.deployment} is just being deployed, and its tasks are new anyway: "
            "watch.yml shows its end"
        )
    if service.desired == 0:
        return (
            REFUSE,
            "no task is wanted, so there is nothing to restart: deploy.yml starts the first",
        )
    return START, f"replacing {service.desired} tasks with new ones of the same revision"


def scale(service: Service, scaling: Scaling | None, tasks: int, env: str) -> tuple[str, str]:
    """Return what scaling does first, and why.

    :param scaling: None where nothing scales the service.
    :param tasks: how many are wanted.
    """
    if service.desired == 0 and not service.deployment:
        return REFUSE, "nothing is released yet: deploy.yml starts the first tasks"
    if scaling is not None and not scaling.minimum <= tasks <= scaling.maximum:
        return REFUSE, (
            f"{env} keeps {scaling.minimum} to {scaling.maximum} tasks, and Application Auto Scaling "
            f"would leave {tasks} at once. Those bounds are Terraform's: change scaling.min or "
            f"scaling.max in terraform/{env}.tfvars, then type: ansible-playbook deploy.yml "
            f"-e env={env} -e phases=application"
        )
    if scaling is None and tasks < 1:
        return REFUSE, "a service that serves needs a task at least"
    if service.deployment:
        return REFUSE, (
            f"{service.deployment} is just being deployed, on twice the tasks: "
            "watch.yml shows its end, then scale"
        )
    if service.desired == tasks and service.running == tasks:
        return UNCHANGED, f"{tasks} tasks are wanted and run already"
    if service.desired == tasks:
        return ADOPT, f"{tasks} tasks are wanted already, {service.running} run: waiting for them"
    return START, f"from {service.desired} to {tasks} tasks"


def settled(
    desired: int, running: int, healthy: int | None, tasks: int, *, accepted: bool
) -> tuple[str, str]:
    """Return what is to be said of a service on its way to a number of tasks.

    :param healthy: healthy targets; None where there is no load balancer.
    :param accepted: that number was seen as the desired count once: before, another one is an answer
        that does not show the write yet.
    :return: ``done``, ``overruled`` or ``wait``, and its words.
    """
    if desired != tasks and accepted:
        return "overruled", (
            f"{desired} tasks are wanted now: Application Auto Scaling has decided otherwise since. "
            "The number is its own; scaling.min in the tfvars raises it for good"
        )
    words = f"{running} of {tasks} tasks run"
    if healthy is not None:
        words += f", {healthy} healthy"
    if desired == running == tasks and (healthy is None or healthy == tasks):
        return "done", words
    return "wait", words
