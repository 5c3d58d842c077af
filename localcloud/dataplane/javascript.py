"""Runs the handler of a CloudFront function, in a QuickJS engine of its own for each call.

The language is QuickJS's, which has all of what CloudFront's runtimes have and more; a function
that leans on the surplus runs here and fails on AWS. What the runtimes add is left out: modules
(`crypto`, `querystring`, `cloudfront`), so no key value stores and no origin selection.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-features.html
"""

from __future__ import annotations

import json
import re
from typing import Any

import quickjs

# CloudFront allows 2 MB and about a millisecond of its processors; the engine itself is in these.
_MEMORY_BYTES = 16 * 1024 * 1024
_CPU_SECONDS = 1.0

_RUN = """
var __answer, __error;
var console = {log: function () {}, error: function () {}};
function __run(event) {
  try {
    Promise.resolve(handler(JSON.parse(event))).then(
      function (value) { __answer = JSON.stringify(value === undefined ? null : value); },
      function (error) { __error = String(error); });
  } catch (error) { __error = String(error); }
}
"""
_IMPORT = re.compile(r"^\s*import\b|\brequire\s*\(", re.MULTILINE)


class FunctionError(Exception):
    """The function threw, ran too long, or is no function; the message says which."""


def modules_used(code: str) -> bool:
    """Whether a function imports a module of the runtime."""
    return bool(_IMPORT.search(code))


def check(code: str) -> None:
    """Raises FunctionError when the code does not compile or has no function `handler`."""
    context = _context(code)
    if context.eval("typeof handler") != "function":
        raise FunctionError("The function has no handler.")


def run(code: str, event: dict[str, Any]) -> Any:
    """What `handler(event)` returns, awaited, as parsed JSON. Raises FunctionError."""
    context = _context(code)
    try:
        context.eval(_RUN)
        context.get("__run")(json.dumps(event))
        while context.execute_pending_job():
            pass
        error, answer = context.get("__error"), context.get("__answer")
    except quickjs.JSException as problem:
        raise FunctionError(str(problem)) from problem
    if error is not None:
        raise FunctionError(str(error))
    if answer is None:
        raise FunctionError("The handler's promise was never settled.")
    return json.loads(answer)


def _context(code: str) -> Any:
    context = quickjs.Context()
    context.set_memory_limit(_MEMORY_BYTES)
    context.set_time_limit(_CPU_SECONDS)
    try:
        context.eval(code)
    except quickjs.JSException as problem:
        raise FunctionError(str(problem)) from problem
    return context
