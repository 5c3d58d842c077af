"""The environment that the runbooks' tests share, deployed beside other tests.

Applying Terraform is mostly waiting, so it begins when the tests are collected, and whoever needs the
environment first waits for the rest.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path

from localcloud import lifecycle
from tests.localcloud.conftest import localcloud
from tests.localcloud.leftovers import Finder, Item
from tests.runbooks.harness import Environment, Run

# Cloud seconds per wall second: a bake of one minute takes six seconds.
SPEED = "10"
# Of a failed runbook's output, what is shown: every test that waited shows it again.
LINES = 40
DEPLOYMENT = (("bootstrap.yml", ()), ("deploy.yml", ("-e", "release=v1")))


class Deployment:
    """A local cloud with release v1, or the deployed one that LYO_TEST_STATE names.

    :ivar failures: how the first try of a runbook failed that was then typed again.
    """

    def __init__(self) -> None:
        self._borrowed = os.environ.get("LYO_TEST_STATE")
        self._folder = Path(tempfile.mkdtemp(prefix="lyo-runbooks-"))
        self._environment: Environment | None = None
        self._error: BaseException | None = None
        self._finder: Finder | None = None
        self._before: set[Item] = set()
        self.failures: list[str] = []
        self._thread = threading.Thread(target=self._deploy, name="deployment", daemon=True)
        self._thread.start()

    def _deploy(self) -> None:
        try:
            state = Path(self._borrowed) if self._borrowed else self._folder / "state"
            if not self._borrowed:
                localcloud("up", "--state", str(state), "--speed", SPEED)
            content = lifecycle.require_running(state)
            if not self._borrowed:
                self._finder = Finder(content)
                self._before = self._finder.look()
            environment = Environment(content, self._folder)
            for runbook, arguments in () if self._borrowed else DEPLOYMENT:
                run = environment.run(runbook, *arguments)
                if run.returncode != 0:
                    # As its user would, so that the other tests can tell more; one test asks for
                    # these failures.
                    self.failures.append(_told(runbook, run))
                    run = environment.run(runbook, *arguments)
                assert run.returncode == 0, _told(runbook, run)
            self._environment = environment
        except BaseException as error:
            self._error = error

    def environment(self) -> Environment:
        """Wait for the deployment; raises what it failed with."""
        self._thread.join()
        if self._environment is None:
            raise AssertionError(f"the environment could not be deployed: {self._error}") from None
        return self._environment

    def made(self) -> set[Item]:
        """What is in the cloud now and was not before anything was deployed."""
        assert self._finder is not None, "a borrowed environment was not looked at before"
        return self._finder.look() - self._before

    def remove(self) -> None:
        """Take down what this deployment has put up; the logs of one that failed stay."""
        failed = self.failures or self._error
        if not self._borrowed:
            state = self._folder / "state"
            if failed and (log := state / "daemon.log").is_file():
                shutil.copy(log, self._folder)
            localcloud("down", "--state", str(state), check=False)
        self._thread.join(timeout=60)
        if failed:
            print(f"\nlogs of the deployment that failed: {self._folder}")
        else:
            shutil.rmtree(self._folder, ignore_errors=True)


def _told(runbook: str, run: Run) -> str:
    """How a runbook failed."""
    end = "\n".join(run.output.splitlines()[-LINES:])
    return f"{runbook} ended with {run.returncode}:\n{end}"
