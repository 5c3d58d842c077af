"""Whether the schema may be contracted: which releases that may still be wanted it would break. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..lyo_release.schema import Schema, cannot_serve


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
