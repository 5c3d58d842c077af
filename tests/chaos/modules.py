"""Runs our modules inside this process, as `library/` has them, against a real local cloud.

A module is its `main()` with an AnsibleModule that takes its arguments from here: the argument spec
is applied, the answer comes back. Only waits between repeated requests are shortened.
"""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import botocore.endpoint
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from tests.runbooks.harness import ROOT

# botocore waits up to 20 s between two attempts; here the time is a tenth.
HASTE = 0.1


class Ended(BaseException):
    """The module has ended with this answer; passes every `except Exception`."""

    def __init__(self, answer: dict[str, Any], failed: bool) -> None:
        super().__init__(answer.get("msg", ""))
        self.answer, self.failed = answer, failed


@dataclass(frozen=True)
class Answer:
    """What a module returned."""

    content: dict[str, Any]
    failed: bool

    @property
    def message(self) -> str:
        """Why it failed, as a person reads it."""
        return str(self.content.get("msg", ""))


class Module:
    """AnsibleModule as far as our modules use it."""

    given: dict[str, Any] = {}

    def __init__(
        self, argument_spec: dict[str, Any], supports_check_mode: bool, **rules: Any
    ) -> None:
        assert supports_check_mode
        result = ArgumentSpecValidator(argument_spec, **rules).validate(self.given)
        if result.error_messages:
            raise AssertionError(result.error_messages)
        self.params = result.validated_parameters
        self.check_mode = False

    def exit_json(self, **answer: Any) -> None:
        raise Ended(answer, failed=False)

    def fail_json(self, msg: str, **answer: Any) -> None:
        raise Ended({"msg": msg, **answer}, failed=True)


@cache
def _library(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"library_{name}", ROOT / "library" / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.AnsibleModule = Module  # type: ignore[attr-defined]
    return module


def run_module(name: str, /, **arguments: Any) -> Answer:
    """Run a module of `library/` to its end."""
    Module.given = arguments
    try:
        _library(name).main()
    except Ended as end:
        return Answer(end.answer, end.failed)
    raise AssertionError(f"{name} ended without an answer")


class _HastyTime:
    """The module `time` with shorter sleeps."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    @staticmethod
    def sleep(seconds: float) -> None:
        time.sleep(seconds * HASTE)


def make_haste(patch: pytest.MonkeyPatch) -> None:
    """Shorten what botocore waits before it repeats a request."""
    patch.setattr(botocore.endpoint, "time", _HastyTime())
