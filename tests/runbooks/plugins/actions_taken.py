"""Writes the action of every task that was run into a file, for tests that count them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: actions_taken
type: aggregate
short_description: The action of every task that was run, a line each
description:
  - Written into the file that the environment variable E(LYO_ACTIONS_TAKEN) names.
author:
  - The Lyo Ops authors (@lyo-ops)
"""


class CallbackModule(CallbackBase):  # type: ignore[misc] # Ansible has no types
    """Takes down what was run; nothing of what was skipped."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "actions_taken"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: Any) -> None:
        """Take down a task that went well."""
        with Path(os.environ["LYO_ACTIONS_TAKEN"]).open("a") as file:
            file.write(f"{result.task.action}\n")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: ARG002
        """Take down a task that failed."""
        self.v2_runner_on_ok(result)
