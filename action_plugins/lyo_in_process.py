"""Runs a module of this repository in the process that Ansible has forked for the task.

Ansible starts a Python for each module, which imports Ansible's own code, botocore and ours anew: more than
half a second a task. Here ``ansible-playbook`` imports them once, and every task's process inherits them. The
module is the same file with the same arguments, and says the same; ``library/`` has its documentation.

The other names in this folder are links to this file: Ansible looks for an action by the module's name. Only
modules on the paths that have to be quick are here (docs/decisions/modules-in-process.md). Where something
is not as it has to be (another connection than ``local``, ``become``, another Python, an ansible-core without
what is used here), the module runs as any other does; ``-vvv`` says why.

https://docs.ansible.com/ansible/latest/dev_guide/developing_plugins.html#action-plugins
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

ROOT = Path(__file__).resolve().parents[1]
# What every module needs that asks AWS; the rest is imported by whoever needs it first.
BEFOREHAND = ("botocore.session", "botocore.config", "botocore.client", "botocore.httpsession")


def _prepare() -> str:
    """Import what all modules need; return why that cannot be, empty where it can."""
    try:
        import ansible.module_utils
        import ansible.module_utils.testing
        from ansible.module_utils.common.json import Direction, get_module_decoder

        get_module_decoder("legacy", Direction.MODULE_TO_CONTROLLER)
        for name in BEFOREHAND:
            importlib.import_module(name)
    except (ImportError, AttributeError, LookupError) as error:
        return f"{type(error).__name__}: {error}"
    # Where modules find ours, as when Ansible packs them.
    folder = str(ROOT / "module_utils")
    if folder not in ansible.module_utils.__path__:
        ansible.module_utils.__path__.append(folder)
    return ""


_UNPREPARED = _prepare()


def _load(name: str) -> ModuleType:
    """Import a module's file."""
    file = ROOT / "library" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"lyo_library.{name}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class ActionModule(ActionBase):  # type: ignore[misc] # Ansible has no types
    """The action of every module that has a link here."""

    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the module and return what it says."""
        super().run(tmp, task_vars)
        name = self._task.action.rpartition(".")[2]
        if reason := _UNPREPARED or self._elsewhere(task_vars or {}):
            Display().vvv(f"{name} runs in a process of its own: {reason}")
            done: dict[str, Any] = self._execute_module(task_vars=task_vars)
            return done
        return self._run_here(name)

    def _elsewhere(self, task_vars: Mapping[str, Any]) -> str:
        """Why the module would not run on this machine as this user in this Python, empty if it would."""
        task = self._task
        if self._connection.transport != "local":
            return f"connection {self._connection.transport}"
        for what in ("become", "async_val", "environment"):
            # An empty environment is a list of empty ones, one a block.
            if (value := getattr(task, what)) and (what != "environment" or any(value)):
                return what
        wanted = task_vars.get("ansible_python_interpreter")
        if wanted and self._templar.template(wanted) != sys.executable:
            return "another Python"
        return ""

    def _run_here(self, name: str) -> dict[str, Any]:
        from ansible.module_utils.common.json import Direction, get_module_decoder
        from ansible.module_utils.testing import patch_module_args

        task = self._task
        arguments = {
            **task.args,
            "_ansible_check_mode": task.check_mode,
            "_ansible_diff": task.diff,
            "_ansible_no_log": task.no_log,
            "_ansible_verbosity": Display().verbosity,
            "_ansible_module_name": name,
        }
        out = io.StringIO()
        # A module ends by leaving, after one line of JSON.
        with (
            patch_module_args(arguments),
            contextlib.redirect_stdout(out),
            contextlib.suppress(SystemExit),
        ):
            _load(name).main()
        decoder = get_module_decoder("legacy", Direction.MODULE_TO_CONTROLLER)
        answer: dict[str, Any] = json.loads(out.getvalue(), cls=decoder)
        return answer
