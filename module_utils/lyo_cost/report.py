"""The whole report on an environment's cost, as data, as text for a terminal, as Markdown."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import savings as saving_tables
from . import tables
from .estimate import Estimate, Estimator, oldest, unsure
from .resources import Environment
from .savings import Saving, Way

MINIMUM_WIDTH = 50
# Amounts that are shown with two digits.
NOTHING_SHOWN = 0.005


@dataclass(frozen=True)
class Comparison:
    """A line of the budget beside its estimate. ``over`` is what it costs more, negative: less."""

    line: str
    budget: float
    estimate: float

    @property
    def over(self) -> float:
        """USD a month above the budget."""
        return self.estimate - self.budget


@dataclass(frozen=True)
class Report:
    """What is known about the cost of an environment.

    :ivar savings: the changes that save something, with the saving of each alone.
    :ivar way: the fewest acceptable changes that reach the budget, None where none do.
    """

    env: str
    region: str
    source: str
    estimate: Estimate
    budget: tables.Budget
    comparisons: tuple[Comparison, ...]
    savings: tuple[tuple[Saving, float], ...]
    way: Way | None
    usage: Mapping[str, Any]

    @property
    def over(self) -> float:
        """USD a month above the budget; negative below it."""
        return self.estimate.total - self.budget.usd

    def as_dict(self) -> dict[str, Any]:
        """Return it as data, ready for JSON."""
        return {
            "environment": self.env,
            "region": self.region,
            "source": self.source,
            "currency": "USD",
            "total": round(self.estimate.total, 2),
            "budget": round(self.budget.usd, 2),
            "over_budget": round(self.over, 2),
            "prices_as_of": oldest(self.estimate.lines),
            "share_not_published": round(unsure(self.estimate), 3),
            "lines": [line.as_dict() for line in self.estimate.lines],
            "not_priced": [vars(entry) for entry in self.estimate.unpriced],
            "comparison": [
                {
                    "line": c.line,
                    "budget": round(c.budget, 2),
                    "estimate": round(c.estimate, 2),
                    "over": round(c.over, 2),
                }
                for c in self.comparisons
            ],
            "savings": [_saving_dict(saving, usd) for saving, usd in self.savings],
            "reach_budget": None
            if self.way is None
            else {
                "changes": [saving.name for saving in self.way.savings],
                "total": round(self.way.total, 2),
            },
            "usage": dict(self.usage),
        }


def _saving_dict(saving: Saving, usd: float) -> dict[str, Any]:
    return {
        "change": saving.name,
        "usd": round(usd, 2),
        "gives_up": saving.gives_up,
        "gives_up_standby": saving.standby,
        "refused_in_production": saving.refused,
    }


def compare(estimate: Estimate, budget: tables.Budget) -> tuple[Comparison, ...]:
    """Return the budget's lines beside the estimate; lines that the budget lacks come last."""
    spent = estimate.by_budget_line()
    found = [Comparison(line.name, line.usd, spent.pop(line.name, 0.0)) for line in budget.lines]
    return (*found, *(Comparison(name, 0.0, usd) for name, usd in spent.items()))


def make(
    folder: Path,
    environment: Environment,
    env: str,
    region: str,
    source: str,
    overrides: Mapping[str, Any],
) -> Report:
    """Return the report on an environment.

    :param folder: of the tables.
    :param overrides: assumptions that differ here.
    :raises BadTableError: a table cannot be used.
    """
    usage = tables.usage(folder / "usage.toml", overrides)
    estimator = Estimator(
        tables.prices(folder / "aws.toml"), tables.free_types(folder / "types.toml"), usage, region
    )
    estimate = estimator.estimate(environment)
    budget = tables.budget(folder / "budget.toml")
    possible = saving_tables.possible(
        estimator, environment, saving_tables.load(folder / "savings.toml")
    )
    acceptable = saving_tables.acceptable(possible)
    way = saving_tables.fewest(estimator, environment, acceptable, budget.usd)
    return Report(
        env,
        region,
        source,
        estimate,
        budget,
        compare(estimate, budget),
        tuple(possible),
        way,
        usage,
    )


# Text for a terminal.


def cut(text: str, width: int) -> str:
    """Return ``text`` in ``width`` columns at most."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def wrapped(text: str, width: int, indent: int = 0) -> list[str]:
    """Return ``text`` in lines of ``width`` columns at most."""
    pad = " " * indent
    return textwrap.wrap(
        text, width, initial_indent=pad, subsequent_indent=pad, break_on_hyphens=False
    )


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], width: int, rule_before_last: bool = False
) -> list[str]:
    """Return aligned lines: the first column gives way to ``width``, the others are right-aligned."""
    others = [max(len(row[column]) for row in [heads, *rows]) for column in range(1, len(heads))]
    longest = max(len(row[0]) for row in [heads, *rows])
    first = max(8, min(longest, width - sum(others) - 2 * len(others)))

    def line(row: Sequence[str]) -> str:
        cells = [f"{cell:>{size}}" for cell, size in zip(row[1:], others, strict=True)]
        return "  ".join([f"{cut(row[0], first):<{first}}", *cells])

    bar = "-" * (first + sum(others) + 2 * len(others))
    lines = [line(heads), bar, *map(line, rows)]
    if rule_before_last:
        lines.insert(len(lines) - 1, bar)
    return lines


def number(value: float) -> str:
    """Return a quantity or a unit price with as many digits as it needs."""
    if value >= 100:
        return f"{value:,.0f}"
    text = f"{value:.5f}".rstrip("0").rstrip(".")
    return text or "0"


def usd(value: float) -> str:
    """Return an amount with two digits; what rounds to nothing has no sign."""
    return f"{value + 0.0:,.2f}" if abs(value) >= NOTHING_SHOWN else "0.00"


def signed(value: float) -> str:
    """Return a difference with its sign."""
    return f"{value:+,.2f}" if abs(value) >= NOTHING_SHOWN else "0.00"


def text(report: Report, width: int = 78) -> list[str]:
    """Return the report for a terminal of ``width`` columns."""
    width = max(MINIMUM_WIDTH, width)
    rows = [
        [line.price.id, number(line.quantity), number(line.price.usd), usd(line.usd)]
        for line in report.estimate.lines
    ]
    rows.append(["total", "", "", usd(report.estimate.total)])
    head = f"{report.env} in {report.region}, USD a month, from the {report.source}"
    lines = [*wrapped(head, width), ""]
    lines += table(["price", "quantity", "each", "USD"], rows, width, rule_before_last=True)
    lines += ["", *unpriced(report, width), *comparison(report, width), ""]
    lines += saving_lines(report, width)
    lines += ["", *wrapped(doubt(report), width)]
    return [line.rstrip() for line in lines]


def doubt(report: Report) -> str:
    """Return how sure the prices are."""
    share = round(100 * unsure(report.estimate))
    return (
        f"Prices as of {oldest(report.estimate.lines)} or later, without taxes; {share} % of the total "
        "rests on prices that were derived or not looked up (prices/aws.toml says which)."
    )


def unpriced(report: Report, width: int) -> list[str]:
    """Return what is not in the total; nothing where everything is."""
    entries = report.estimate.unpriced
    if not entries:
        return []
    found = [wrapped(f"{entry.address}: {entry.why}", width, 2) for entry in entries]
    return [f"Not priced, so not in the total ({len(entries)}):", *itertools.chain(*found), ""]


def comparison(report: Report, width: int) -> list[str]:
    """Return the budget line by line."""
    rows = [[c.line, usd(c.budget), usd(c.estimate), signed(c.over)] for c in report.comparisons]
    rows.append(["total", usd(report.budget.usd), usd(report.estimate.total), signed(report.over)])
    return table(["line", "budget", "estimate", "over"], rows, width, rule_before_last=True)


def saving_lines(report: Report, width: int) -> list[str]:
    """Return what could be saved, and which changes reach the budget."""
    lines = ["What would save, each alone:"]
    for saving, amount in report.savings:
        note = " (refused in production)" if saving.refused else ""
        lines.append(cut(f"{usd(amount):>8}  {saving.name}{note}", width))
        lines += wrapped(f"gives up: {saving.gives_up}", width, 10)
    if not report.savings:
        lines.append("  nothing that is known")
    head, *changes = reach(report)
    return [*lines, "", *wrapped(head, width), *changes]


def reach(report: Report) -> list[str]:
    """Return the fewest changes that reach the budget, or that there are none."""
    budget = usd(report.budget.usd)
    if report.over <= 0:
        return [f"The estimate is within the budget of {budget}."]
    if report.way is None:
        return [
            f"No set of the changes that production accepts reaches {budget}: the budget or a standby gives way."
        ]
    then = usd(report.way.total)
    return [
        f"The fewest changes that reach {budget}, with every standby kept (then {then}):",
        *(f"  {saving.name}" for saving in report.way.savings),
    ]


def one_line(report: Report) -> str:
    """Return the estimate and the budget in one line."""
    state = f"{usd(report.over)} over" if report.over > 0 else f"{usd(-report.over)} below"
    missing = len(report.estimate.unpriced)
    more = f", {missing} not priced" if missing else ""
    return (
        f"about {usd(report.estimate.total)} USD a month, "
        f"{state} the budget of {usd(report.budget.usd)}{more}"
    )


# Markdown, for docs/cost.md: what follows this line there is made by scripts/cost-docs.
MARKER = "<!-- made by scripts/cost-docs -->"


def markdown(report: Report) -> str:
    """Return the report as sections of Markdown."""
    parts = [
        f"About **{usd(report.estimate.total)} USD a month**; the budget is {usd(report.budget.usd)}.",
        doubt(report),
        "## By price",
        _rows(
            ["budget line", "price", "quantity", "unit", "each", "USD", "assumed", "basis"],
            [
                [
                    line.line,
                    f"[{line.price.id}]({line.price.source})",
                    number(line.quantity),
                    line.price.unit + (f", {number(line.price.free)} free" * bool(line.price.free)),
                    number(line.price.usd),
                    usd(line.usd),
                    ", ".join(f"`{name}`" for name in line.assumed),
                    f"{line.price.basis}, {line.price.as_of}",
                ]
                for line in report.estimate.lines
            ],
        ),
        *(["## Not priced", *_unpriced(report)] if report.estimate.unpriced else []),
        "## Against the budget",
        _rows(
            ["line", "budget", "estimate", "over", "what it was allotted for"],
            [
                *(
                    [c.line, usd(c.budget), usd(c.estimate), signed(c.over), _why(report, c.line)]
                    for c in report.comparisons
                ),
                [
                    "**total**",
                    usd(report.budget.usd),
                    usd(report.estimate.total),
                    signed(report.over),
                    "",
                ],
            ],
        ),
        "## What would save",
        _rows(
            ["change", "USD a month", "gives up", "production"],
            [
                [
                    f"`{saving.name}`",
                    usd(amount),
                    saving.gives_up,
                    "refuses it" if saving.refused else "",
                ]
                for saving, amount in report.savings
            ],
        ),
        "\n".join(
            f"- `{entry.strip()}`" if index else f"{entry}\n"
            for index, entry in enumerate(reach(report))
        ).rstrip(),
        "## Assumptions",
        _rows(
            ["assumption", "value"],
            [[f"`{name}`", f"{value}"] for name, value in sorted(report.usage.items())],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _why(report: Report, name: str) -> str:
    return next((line.why for line in report.budget.lines if line.name == name), "")


def _unpriced(report: Report) -> list[str]:
    return [
        "\n".join(f"- `{entry.address}`: {entry.why}" for entry in report.estimate.unpriced),
    ]


def _rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)
