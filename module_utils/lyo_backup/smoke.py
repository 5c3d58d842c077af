"""The application's own smoke test on a restored database: a one-off task of the release that serves."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_progress import Progress
from ..lyo_release import live
from ..lyo_release.run_task import OneOff, judge
from ..lyo_release.task_definition import image_of, release_of
from .program import Target, forget

NAME = "smoke"


class Smoke:
    """Runs it.

    :param settings: ``command`` of the image, and ``task``: what a task of the application is made from,
        in which ``${target.host}``, ``${target.port}``, ``${target.name}`` and ``${target.secret_arn}``
        stand for the restored database; ``timeout`` in seconds.
    """

    def __init__(
        self,
        aws: Aws,
        progress: Progress,
        outputs: Mapping[str, Any],
        settings: Mapping[str, Any],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._aws, self._progress, self._outputs = aws, progress, outputs
        self._settings = settings
        self._sleep, self._clock = sleep, clock

    def run(self, target: Target) -> str:
        """Return why it failed, empty where it is well, or where no release serves that could try.

        :raises AwsFailure: it cannot be started, or followed.
        """
        cluster, service = str(self._outputs["cluster_name"]), str(self._outputs["service_name"])
        state = live.read(self._aws, cluster, service, "")
        image, release = image_of(state.live_definition), release_of(state.live_definition)
        if not image or not release:
            return ""
        params = {
            "outputs": {**self._outputs, "target": asdict(target)},
            "name": NAME,
            "image": image,
            "release": release,
            "command": list(self._settings["command"]),
            "task": self._settings["task"],
            "repeat": "after",
            "timeout": self._settings["timeout"],
        }
        self._progress(NAME, f"{release} on {target.host}")
        one_off = OneOff(self._aws, self._progress, params, self._sleep, self._clock)
        definition = one_off.existing_definition() or one_off.register()
        arn = one_off.running() or one_off.start(str(definition["taskDefinitionArn"]))
        task, log = one_off.follow(arn, definition)
        if task.get("lastStatus") != "STOPPED":
            raise AwsFailure("StillRunning", f"the smoke test of {release} does not end ({arn})")
        _, wrong = judge(task, str(self._outputs["container_name"]))
        return "; ".join([*wrong, *(f"log: {line}" for line in log.lines[-3:])]) if wrong else ""

    def forget(self) -> None:
        """Deregister the definitions: their databases will not come again."""
        forget(self._aws, f"{self._outputs['task_family']}-{NAME}")
