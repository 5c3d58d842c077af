"""The module ``release_preflight``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_operate import place
from ..lyo_progress import Progress
from ..lyo_release.task_definition import render
from ..lyo_release.verdict import FAILED
from . import judge
from .facts import read
from .findings import PROBLEM, UNKNOWN, WARNING, Finding

READY = "READY"
_MARKS = {PROBLEM: "!", WARNING: "~", UNKNOWN: "?"}


def report(findings: Sequence[Finding]) -> list[str]:
    """Return the findings for a terminal: what, below it why and what to do."""
    lines = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.level]} {finding.area}: {finding.what}")
        lines += [f"    {text}" for text in (finding.why, finding.todo) if text]
    return lines


def run(module: Any) -> None:
    """Run the module."""
    params = module.params
    aws = Aws(params["aws"])
    progress = Progress("preflight", aws.secrets)
    progress("read", "what the release will need")
    try:
        place.complete(params["outputs"], params["env"])
        image = params["image"] or f"{params['outputs']['repository_url']}:{params['tag']}"
        wanted = render(params["outputs"], params["task"], image, params["release"])
        found = judge.findings(read(aws, params, wanted))
    except (AwsFailure, ValueError) as failure:
        module.fail_json(msg=str(failure), verdict=FAILED, reasons=[str(failure)], changed=False)
    if params["own_lock"]:
        # In the middle of a release nobody shows the report of what went well.
        for line in report([finding for finding in found if finding.level == WARNING]):
            progress.line(f"  {line}")
    finish(module, found)


def finish(module: Any, found: Sequence[Finding]) -> None:
    """End the module: failed with a problem, else with what is worth knowing."""
    wrong = [str(finding) for finding in found if finding.level == PROBLEM]
    answer = {
        "changed": False,
        "findings": [vars(finding) for finding in found],
        "report": report(found),
    }
    if wrong:
        headline = f"{len(wrong)} things would stand in the way of the release"
        if len(wrong) == 1:
            headline = "one thing would stand in the way of the release"
        message = "\n".join([f"{FAILED}: {headline}", *report(found)])
        module.fail_json(msg=message, verdict=FAILED, reasons=wrong, **answer)
    module.exit_json(**answer)
