"""The table of a result, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench import cases
from tests.bench.figures import Figure, Samples, figure


@dataclass(frozen=True)
class Line:
    """A line of a table: a case up to a moment.

    :ivar goal: the largest ratio that is good, None where none was set.
    """

    name: str
    case: str
    moment: str = "end"
    goal: float | None = None


#: Held against the bare Ansible of the same round.
STARTS = (
    Line("bare `ansible-playbook`, one task", cases.BARE),
    Line("the same, with a module", cases.BARE_MODULE),
    Line("`deploy.yml`, nothing to do", cases.NOOP, goal=4.0),
    Line("`rollback.yml` during bake: the deciding call", cases.ROLLBACK_BAKE, "decided", 2.5),
    Line("`rollback.yml` during bake: its end", cases.ROLLBACK_BAKE),
    Line("`rollback.yml` later: the deciding call", cases.ROLLBACK_LATER, "decided"),
)
OURS = Line("`deploy.yml`", cases.RELEASE)
TRAFFIC = Line("`deploy.yml -e wait_for=bake`", cases.RELEASE_TRAFFIC)
LATER = Line("`rollback.yml` later", cases.ROLLBACK_LATER)
#: `deploy.yml` is held against each of them.
OTHERS = (
    Line("AWS CLI, migrations and deployment", cases.RELEASE_AWS, goal=1.0),
    Line("`ecs-deploy`, migrations and deployment", cases.RELEASE_ECS_DEPLOY, goal=1.0),
    Line("AWS CLI, deployment alone", cases.ALONE_AWS),
    Line("`ecs-deploy`, deployment alone", cases.ALONE_ECS_DEPLOY),
)


def table(samples: Samples, about: Mapping[str, Any]) -> str:
    """The whole page: both tables and what was measured with."""
    parts = [
        _heading(samples, about),
        _starts(samples),
        "## The same release by everybody\n",
        _releases(samples),
    ]
    return "\n".join(parts)


def _heading(samples: Samples, about: Mapping[str, Any]) -> str:
    machine, versions = about["machine"], about["versions"]
    tools = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        "# Result\n\n"
        f"Measured on {about['date']} in {about['minutes']} minutes, at revision {about['revision']}, "
        f"by `make bench`, which made this page.\n"
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['system']}. {tools}.\n"
        f"The machine's load was {figure([s.load for s in samples.all]).text()}, the local cloud's "
        f"clock ran at speed {about['speed']:g}.\n"
        "Median (smallest to largest); ratios are taken within each round.\n\n"
        "## Runbooks against bare Ansible\n"
    )


def verdict(ratio: Figure, goal: float | None) -> str:
    """Whether the median reaches the goal, in the goal's own terms."""
    if goal is None:
        return ""
    return f"≤ {goal:g} " + ("reached" if ratio.median <= goal else "**not reached**")


def rows(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *lines)) + "\n"


def _starts(samples: Samples) -> str:
    lines = []
    for line in STARTS:
        ratio = (
            samples.ratio(line.case, cases.BARE, line.moment) if line.case != cases.BARE else None
        )
        whole = line.moment == "end"
        lines.append(
            [
                line.name,
                samples.seconds(line.case, line.moment).text(2),
                ratio.text(2) if ratio else "1",
                verdict(ratio, line.goal) if ratio else "",
                samples.cpu(line.case).text(2) if whole else "",
                samples.calls(line.case) if whole else "",
                str(samples.seconds(line.case, line.moment).count),
            ]
        )
    return rows(
        ["what", "seconds", "times bare", "goal", "CPU seconds", "reads + writes", "runs"], lines
    )


def _releases(samples: Samples) -> str:
    lines = []
    for line in (OURS, *OTHERS, TRAFFIC, LATER):
        ratio = samples.ratio(OURS.case, line.case) if line in OTHERS else None
        whole = line is not TRAFFIC
        lines.append(
            [
                line.name,
                samples.seconds(line.case).text(),
                samples.ecs(line.case).text() if whole else "",
                samples.besides(line.case).text() if whole else "",
                ratio.text(2) if ratio else "",
                verdict(ratio, line.goal) if ratio else "",
                samples.cpu(line.case).text(1),
                samples.calls(line.case),
                str(samples.seconds(line.case).count),
            ]
        )
    header = ["release by", "seconds", "of these ECS", "the rest", "`deploy.yml` ÷ this", "goal"]
    return rows([*header, "CPU seconds", "reads + writes", "runs"], lines)
