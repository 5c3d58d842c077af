"""The module ``phase_validation``: reads what AWS says about phases and judges it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..lyo_aws import AwsFailure, parallel
from ..lyo_progress import Progress
from ..lyo_release.verdict import FAILED
from . import application, database, dns_and_tls, foundation, security_and_monitoring
from .findings import Finding, Findings
from .target import Target

Read = Callable[[Target], dict[str, Any]]
Judge = Callable[[Mapping[str, Any], Mapping[str, Any]], Findings]

PHASES: dict[str, tuple[Read, Judge]] = {
    "foundation": (foundation.read, foundation.problems),
    "database": (database.read, database.problems),
    "application": (application.read, application.problems),
    "security_and_monitoring": (security_and_monitoring.read, security_and_monitoring.problems),
    "dns_and_tls": (dns_and_tls.read, dns_and_tls.problems),
}


def validate(target: Target, names: list[str]) -> dict[str, list[Finding]]:
    """Return the findings of each phase; all phases are read side by side.

    :raises AwsFailure: AWS cannot be asked.
    """
    facts = parallel(*(lambda read=PHASES[name][0]: read(target) for name in names))
    return {
        name: list(PHASES[name][1](found, target.expected))
        for name, found in zip(names, facts, strict=True)
    }


def run(module: Any) -> None:
    """Validate the phases that the module's parameters name and leave the module."""
    params = module.params
    try:
        target = Target.of(params)
        Progress("validation", target.aws.secrets)("validate", ", ".join(params["phases"]))
        # The first call of all asks whose account this is.
        target.aws.call("sts", "get_caller_identity")
        findings = validate(target, params["phases"])
    except AwsFailure as failure:
        module.fail_json(msg=failure.message, verdict=FAILED, reasons=[failure.message])
    else:
        wrong = [name for name, found in findings.items() if found]
        reasons = [f"{name}: {finding}" for name, found in findings.items() for finding in found]
        if reasons:
            module.fail_json(
                msg=f"{params['env']} is not as it should be in {', '.join(wrong)}",
                verdict=FAILED,
                reasons=reasons,
            )
        module.exit_json(changed=False, phases=params["phases"])
