"""What the modules of this package return, and how they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..lyo_aws import AwsFailure
from . import verdict as v
from .task_definition import image_of, release_of


def previous(arn: str, definition: Mapping[str, Any] | None) -> dict[str, str]:
    """Return what carried the traffic before, as the modules return it."""
    return {
        "task_definition": arn,
        "image": image_of(definition),
        "release": release_of(definition),
    }


def finish(
    module: Any,
    *,
    verdict: str,
    reasons: Sequence[str],
    changed: bool,
    good: Sequence[str],
    headline: str = "the release failed",
    **more: Any,
) -> None:
    """End the module: success only with a verdict in ``good``, else failed with the reasons.

    :param headline: what the message of a failure begins with, unless the verdict says more.
    """
    answer = {"verdict": verdict, "reasons": list(reasons), "changed": changed, **more}
    if verdict in good:
        module.exit_json(**answer)
    headline = {
        v.ROLLED_BACK: "the release was turned back",
        v.STILL_RUNNING: "the deployment is still running",
    }.get(verdict, headline)
    module.fail_json(msg="\n  ".join([f"{verdict}: {headline}", *reasons]), **answer)


def interrupt(module: Any, failure: AwsFailure, what: str, *, started: bool, changed: bool) -> None:
    """End the module because AWS could not be asked any further.

    :param what: what goes on by itself.
    :param started: whether it has begun. Only who has lost the lock has lost that as well.
    """
    watched = started and failure.code != "LockLost"
    reasons = [failure.message] + [f"{what} goes on by itself meanwhile"] * watched
    module.fail_json(
        msg="; ".join(reasons),
        verdict=v.STILL_RUNNING if watched else v.FAILED,
        reasons=reasons,
        changed=changed,
    )


def yaml_like(value: Any, indent: int = 0) -> str:
    """Return nested data as lines for a diff, one member a line."""
    pad = "  " * indent
    if isinstance(value, Mapping):
        lines = []
        for key, entry in value.items():
            if isinstance(entry, (Mapping, list)) and entry:
                lines.append(f"{pad}{key}:\n{yaml_like(entry, indent + 1)}")
            else:
                lines.append(f"{pad}{key}: {entry}\n")
        return "".join(lines)
    if isinstance(value, list):
        return "".join(
            f"{pad}-\n{yaml_like(entry, indent + 1)}"
            if isinstance(entry, Mapping)
            else f"{pad}- {entry}\n"
            for entry in value
        )
    return f"{pad}{value}\n"


def diff(before: Any, after: Any, header: str) -> dict[str, str]:
    """Return Ansible's diff of two values."""
    return {
        "before": yaml_like(before),
        "after": yaml_like(after),
        "before_header": f"{header} (live)",
        "after_header": f"{header} (wanted)",
    }
