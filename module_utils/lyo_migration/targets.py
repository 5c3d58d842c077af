"""Which releases may still be wanted when something is contracted, and which of them it would break."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..lyo_aws import Aws, parallel
from ..lyo_release import decide_rollback as back
from ..lyo_release import live
from ..lyo_release.former import HISTORY, RUNS, Former
from ..lyo_release.schema import Schema, cannot_serve
from ..lyo_release.task_definition import image_of, schema_of


@dataclass(frozen=True)
class Target:
    """A release that serves, or that a rollback can bring back.

    :ivar why: what it is: ``carries the traffic``, ``is being deployed``, ``served before``.
    :ivar revisions: what it runs on; empty where it does not say.
    """

    name: str
    why: str
    revisions: tuple[str, ...]


def broken(targets: Sequence[Target], after: Schema) -> list[str]:
    """Return why the schema must not be contracted yet, one line for each release in the way."""
    lines = []
    for target in targets:
        who = f"{target.name} {target.why}"
        if not target.revisions:
            lines.append(
                f"{who} and does not say which schema it runs on (label lyo.schema of its image)"
            )
            continue
        problem = cannot_serve(target.name, target.revisions, after)
        if problem:
            lines.append(
                f"{who} and runs on {' or '.join(target.revisions)}; contracted to {after.revision},"
                f" the schema serves {' or '.join(after.serves)}"
            )
    return lines


def former_releases(
    before: Iterable[str], now: Iterable[str], keep: int, image: Callable[[str], str]
) -> list[str]:
    """Return the task definitions of the last releases that served before the present one.

    The same image under another task definition (a setting was changed, it was deployed again) is
    another way back, but no other release: all of its definitions count as one.

    :param before: task definitions that served, newest first.
    :param now: those that serve or are being deployed.
    :param keep: how many releases.
    :param image: tells the image of a task definition.
    """
    present = list(now)
    seen: set[str] = set()
    own = {image(arn) for arn in present}
    found = []
    for arn in dict.fromkeys(before):
        if arn in present:
            continue
        if image(arn) not in own:
            if len(seen | {image(arn)}) > keep:
                break
            seen.add(image(arn))
        found.append(arn)
    return found


def read(
    aws: Aws, cluster: str, service: str, ledger: Mapping[str, Any] | None, keep: int
) -> list[Target]:
    """Return the releases that may still be wanted.

    :param keep: how many that served before the present one have to stay possible.
    :raises AwsFailure: AWS cannot be asked.
    """
    state = live.describe_service(aws, cluster, service)
    if state is None:
        return []
    former = Former(aws, cluster, service, ledger)
    deployments, runs = parallel(former.deployments, lambda: former.past.runs(RUNS))
    revisions = former.revisions([d.revision for d in deployments[:HISTORY]])
    now: dict[str, str] = {}
    for entry in state.get("deployments") or []:
        if entry.get("taskDefinition"):
            moving = entry.get("rolloutState") == "IN_PROGRESS"
            now.setdefault(
                str(entry["taskDefinition"]),
                "is being deployed" if moving else "carries the traffic",
            )
    if state.get("taskDefinition"):
        now.setdefault(str(state["taskDefinition"]), "carries the traffic")
    before = [
        revision.task_definition
        for revision in (
            *back.served(deployments, revisions),
            *back.remembered(runs, {d.arn for d in deployments}),
        )
    ]
    earlier = former_releases(
        before, now, keep, lambda arn: image_of(former.definition(arn)) or arn
    )
    why = {**now, **dict.fromkeys(earlier, "can be rolled back to")}
    parallel(*(lambda arn=arn: former.definition(arn) for arn in why))
    return [
        Target(former.named(arn).name, text, schema_of(former.definition(arn)))
        for arn, text in why.items()
        if former.definition(arn) is not None
    ]
