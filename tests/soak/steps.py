"""The sequence: what happens to the environment, and how each of it must end."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.runbooks import processes
from tests.runbooks.harness import Environment, Run
from tests.runbooks.scaling import Scaling

CANARY = {
    "strategy": "CANARY",
    "canary_percent": 10,
    "canary_bake_time_minutes": 2,
    "bake_time_minutes": 1,
}
# The lock of a killed run is free within seconds; whoever types faster than that waits for it.
WAIT = ("-e", "lock_wait=60")
LINEAR = {
    "strategy": "LINEAR",
    "linear_step_percent": 25,
    "linear_step_bake_time_minutes": 1,
    "bake_time_minutes": 1,
}


class StepFailedError(AssertionError):
    """A step did not end as it must."""


@dataclass(frozen=True)
class Planned:
    """One step: what it is called, its kind (see `results.Step`), and what it does."""

    name: str
    kind: str
    do: Callable[[], None]


class Sequence:
    """The steps on one environment: v1 is live before and after, with two tasks.

    Scale-in by policies is suspended but in its own step: it would take back what another step adds.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._scaling = Scaling(environment)

    def steps(self) -> Iterator[Planned]:
        """The steps in their order."""
        deploy, scaled, broken = self._deploy, self._scaled, self._broken
        yield Planned("release v2, scaled out to 3 by hand", "release", lambda: scaled("v2", 3))
        yield Planned("rollback to v1, a new deployment", "rollback", lambda: self._roll_back("v1"))
        yield Planned("release v2 as a canary", "release", lambda: deploy("v2", CANARY))
        yield Planned("release that crashes", "broken release", lambda: broken("crash"))
        yield Planned("release that is unhealthy", "broken release", lambda: broken("unhealthy"))
        yield Planned("release that fails its smoke", "broken release", lambda: broken("badsmoke"))
        yield Planned("scale-in to 2 by hand", "scaling", lambda: self._scale(2))
        yield Planned("release v1 in steps of 25 %", "release", lambda: deploy("v1", LINEAR))
        yield Planned("release v2, rolled back in its bake", "rollback", self._rolled_back_in_bake)
        yield Planned(
            "release slow, scaled out by target tracking", "release", self._tracked_canary
        )
        yield Planned("release v2, killed and run again", "kill", self._killed_deploy)
        yield Planned("scale-in by target tracking", "scaling", self._scaled_in_by_policies)
        yield Planned("release that crashes, again", "broken release", lambda: broken("crash"))
        yield Planned("rollback to slow, killed and run again", "kill", self._killed_rollback)
        yield Planned("release v1", "release", lambda: deploy("v1"))
        yield Planned("release v2, scaled out to 4 by hand", "release", lambda: scaled("v2", 4))
        yield Planned("release v1, a last time", "release", lambda: deploy("v1"))
        yield Planned("scale-in to 2 by hand, again", "scaling", lambda: self._scale(2))

    # -- releases ------------------------------------------------------------------------------

    def _options(self, release: str, deployment: dict[str, Any] | None = None) -> list[str]:
        options = ["-e", f"release={release}"]
        if deployment:
            options += ["-e", json.dumps({"lyo_deployment": deployment})]
        return options

    def _deploy(self, release: str, deployment: dict[str, Any] | None = None) -> None:
        run = self._environment.run("deploy.yml", *self._options(release, deployment))
        self._ended(run, 0, f"DEPLOYED release {release}")

    def _scaled(self, release: str, count: int) -> None:
        deploying = self._environment.start("deploy.yml", *self._options(release))
        deploying.wait_for_output("SCALE_UP")
        self._scaling.set(count)
        self._ended(deploying.finish(), 0, f"DEPLOYED release {release}")
        self._scaling.is_kept(count)

    def _tracked_canary(self) -> None:
        self._scaling.set(2)
        self._scaling.wait_for(running=2)
        longer = {**CANARY, "canary_bake_time_minutes": 8}
        deploying = self._environment.start("deploy.yml", *self._options("slow", longer))
        deploying.wait_for_output("10 % of the traffic")
        count = self._scaling.out_by_policy()
        self._ended(deploying.finish(), 0, "DEPLOYED release slow")
        self._scaling.is_kept(count)

    def _broken(self, release: str) -> None:
        count = self._scaling.desired()
        run = self._environment.run("deploy.yml", *self._options(release))
        self._ended(run, 2, f"ROLLED_BACK release {release}")
        self._scaling.is_kept(count)

    # -- rollbacks and kills -------------------------------------------------------------------

    def _roll_back(self, release: str) -> None:
        self._ended(self._environment.run("rollback.yml"), 0, f"ROLLED_BACK release {release}")

    def _rolled_back_in_bake(self) -> None:
        long = {"bake_time_minutes": 10}
        deploying = self._environment.start("deploy.yml", *self._options("v2", long))
        deploying.wait_for_output("BAKE_TIME")
        self._ended(self._environment.run("rollback.yml"), 0, "ROLLED_BACK")
        self._ended(deploying.finish(), 2, "ROLLED_BACK")

    def _killed_deploy(self) -> None:
        self._killed("deploy.yml", *self._options("v2"), at="SCALE_UP")
        run = self._environment.run("deploy.yml", *self._options("v2"), *WAIT)
        self._ended(run, 0, "DEPLOYED release v2")

    def _killed_rollback(self) -> None:
        self._killed("rollback.yml", "-e", "to=slow", at="SCALE_UP")
        run = self._environment.run("rollback.yml", "-e", "to=slow", *WAIT)
        self._ended(run, 0, "release slow")

    def _killed(self, runbook: str, *arguments: str, at: str) -> None:
        """SIGKILL the whole controller once it has said this; nothing of it is left to clean up."""
        running = self._environment.start(runbook, *arguments)
        running.wait_for_output(at)
        processes.send(processes.tree(running.process.pid), signal.SIGKILL)
        running.process.wait(10)

    # -- scaling -------------------------------------------------------------------------------

    def _scale(self, count: int) -> None:
        self._scaling.set(count)
        self._scaling.wait_for(running=count)

    def _scaled_in_by_policies(self) -> None:
        """Fifteen cloud minutes of little to do are over: only the suspension held it back."""
        self._scaling.scale_in(suspended=False)
        try:
            self._scaling.wait_for(running=2)
        finally:
            self._scaling.scale_in(suspended=True)

    @staticmethod
    def _ended(run: Run, code: int, text: str) -> None:
        if run.returncode != code or text not in run.output:
            raise StepFailedError(
                f"exit code {run.returncode}, not {code} with {text!r}:\n{run.output[-6000:]}"
            )
