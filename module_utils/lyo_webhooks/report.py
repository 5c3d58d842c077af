"""What people read at the end: a table of outcomes, the tenants that failed, the whole list as a file."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence

from .decide import Step
from .graph import Counts
from .plan import FAILED, Outcome

COLUMNS = ("tenant", "waba_id", "phone_number_id", "level", "url", "outcome", "code", "message")


def table(
    outcomes: Mapping[str, Outcome],
    routes: Sequence[Mapping[str, str]],
    counts: Counts,
    seconds: float,
    limit: int,
) -> list[str]:
    """Return the summary, a line an element.

    :param limit: failing tenants that are named; how many more there are is said.
    """
    by_outcome = Counter(_kind(outcome) for outcome in outcomes.values())
    levels = Counter(row["level"] for row in routes)
    lines = [f"webhooks of {len(outcomes)} tenants, {len(routes)} numbers"]
    width = max((len(name) for name in by_outcome), default=0)
    lines += [f"  {name:<{width}}  {number:>6}" for name, number in sorted(by_outcome.items())]
    if levels:
        shown = ", ".join(f"{level} {number}" for level, number in sorted(levels.items()))
        lines.append(f"  routes by level: {shown}")
    rate = counts.calls / seconds if seconds > 0 else 0.0
    lines.append(
        f"  {counts.calls} calls to Meta, {counts.writes} of them writes, {counts.retried} tried again, "
        f"{counts.limited} refused for a limit; {rate:.0f}/s"
    )
    failing = [(name, o) for name, o in outcomes.items() if o.outcome == FAILED]
    lines += [f"! {failed_line(name, outcome)}" for name, outcome in failing[:limit]]
    if len(failing) > limit:
        lines.append(f"! and {len(failing) - limit} more, see the whole report")
    return lines


def failed_line(name: str, outcome: Outcome) -> str:
    """Return what is said of a tenant that failed."""
    remedy = f": {outcome.remedy}" if outcome.remedy else ""
    return f"{name}: {outcome.message}{remedy}"


def _kind(outcome: Outcome) -> str:
    return f"{outcome.outcome} ({outcome.code})" if outcome.outcome == FAILED else outcome.outcome


def whole(outcomes: Mapping[str, Outcome], routes: Sequence[Mapping[str, str]]) -> str:
    """Return every number with its route and its tenant's outcome, as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    told = set()
    for row in routes:
        told.add(row["tenant"])
        writer.writerow({**row, **_cells(outcomes.get(row["tenant"]))})
    for name, outcome in outcomes.items():
        if name not in told:
            writer.writerow({"tenant": name, **_cells(outcome)})
    return text.getvalue()


def _cells(outcome: Outcome | None) -> dict[str, str]:
    if outcome is None:
        return {}
    message = failed_line("", outcome)[2:] if outcome.message else ""
    return {"outcome": outcome.outcome, "code": outcome.code, "message": message}


def predicted(app: Step | None, steps: Mapping[str, Sequence[Step]], limit: int) -> list[str]:
    """Return what would be written and why, a line a write."""
    lines = [f"app {app.target}: {app.kind} {app.url}, for {app.why}"] if app is not None else []
    lines += [
        f"{name}: {step.kind} {step.target}{' ' + step.url if step.url else ''}, for {step.why}"
        for name, entries in steps.items()
        for step in entries
    ]
    if len(lines) > limit:
        return [*lines[:limit], f"and {len(lines) - limit} more writes"]
    return lines
