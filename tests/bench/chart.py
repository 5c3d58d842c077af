"""The chart of a result, as SVG on a light card of its own: legible on a light and on a dark page."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from tests.bench import cases
from tests.bench.figures import Samples
from tests.bench.report import OTHERS, OURS, STARTS, Line

WIDTH = 980
_LABELS = 330
_BAR, _ROW = 20, 34
_PLOT = WIDTH - _LABELS - 130
_INK, _QUIET, _RULE = "#1d2733", "#46525f", "#c9d3dd"
_OURS, _THEIRS, _ECS, _GOAL = "#2d7a46", "#33608f", "#b9c6d4", "#a3261d"
_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"


@dataclass(frozen=True)
class Bar:
    """A bar of one or more parts.

    :ivar parts: length and colour of each, from the left.
    :ivar spread: where the smallest and the largest run ended.
    :ivar goal: where a bar may end at most, None where there is no goal.
    """

    name: str
    parts: tuple[tuple[float, str], ...]
    spread: tuple[float, float]
    text: str
    goal: float | None = None

    @property
    def reach(self) -> float:
        """How far it needs room."""
        return max(sum(length for length, _ in self.parts), self.spread[1], self.goal or 0.0)


def draw(samples: Samples) -> str:
    """The chart."""
    starts = [_start(samples, line) for line in STARTS]
    releases = [_release(samples, line) for line in (OURS, *OTHERS)]
    first, height = _panel(
        "Times a bare one-task ansible-playbook",
        "red: the most it may be; thin line: smallest to largest",
        starts,
        24,
    )
    second, height = _panel(
        "One release, seconds from the command to its end",
        "grey: what ECS itself takes for the deployment; coloured: before and after it",
        releases,
        height + 18,
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="{_FONT}" role="img" aria-label="{escape(_summary(samples))}">'
    )
    card = f'<rect width="{WIDTH}" height="{height}" rx="10" fill="#ffffff" stroke="{_RULE}"/>'
    return "\n".join([head, card, *first, *second, "</svg>"]) + "\n"


def _summary(samples: Samples) -> str:
    ratio = samples.ratio(cases.NOOP, cases.BARE)
    return f"Bars of the table: deploy.yml with nothing to do takes {ratio.median:.1f} times a bare run"


def _plain(name: str) -> str:
    return name.replace("`", "")


def _start(samples: Samples, line: Line) -> Bar:
    ratio = samples.ratio(line.case, cases.BARE, line.moment)
    ours = line.case not in (cases.BARE, cases.BARE_MODULE)
    return Bar(
        _plain(line.name),
        ((ratio.median, _OURS if ours else _THEIRS),),
        (ratio.low, ratio.high),
        f"{ratio.median:.2f}",
        line.goal,
    )


def _release(samples: Samples, line: Line) -> Bar:
    end, ecs = samples.seconds(line.case), samples.ecs(line.case).median
    before = samples.seconds(line.case, cases.DECIDED).median
    after = max(0.0, end.median - before - ecs)
    colour = _OURS if line is OURS else _THEIRS
    return Bar(
        _plain(line.name),
        ((before, colour), (ecs, _ECS), (after, colour)),
        (end.low, end.high),
        f"{end.median:.1f} s",
    )


def _panel(title: str, note: str, bars: list[Bar], top: int) -> tuple[list[str], int]:
    """The elements of a panel, and where it ends."""
    scale = _PLOT / max(bar.reach for bar in bars)
    lines = [
        f'<text x="24" y="{top + 14}" font-size="16" font-weight="600" fill="{_INK}">{escape(title)}</text>',
        f'<text x="24" y="{top + 34}" font-size="12" fill="{_QUIET}">{escape(note)}</text>',
    ]
    y = top + 52
    lines.append(
        f'<line x1="{_LABELS}" y1="{y - 4}" x2="{_LABELS}" y2="{y + len(bars) * _ROW - 8}" stroke="{_RULE}"/>'
    )
    for bar in bars:
        lines += _bar(bar, y, scale)
        y += _ROW
    return lines, y + 12


def _bar(bar: Bar, y: int, scale: float) -> list[str]:
    middle = y + _BAR / 2
    at = f'x="{_LABELS - 10}" y="{middle + 4:.1f}" font-size="13" text-anchor="end"'
    lines = [f'<text {at} fill="{_INK}">{escape(bar.name)}</text>']
    x = float(_LABELS)
    for length, colour in bar.parts:
        lines.append(
            f'<rect x="{x:.1f}" y="{y}" width="{length * scale:.1f}" height="{_BAR}" fill="{colour}"/>'
        )
        x += length * scale
    low, high = (_LABELS + value * scale for value in bar.spread)
    lines.append(
        f'<path d="M{low:.1f} {middle}H{high:.1f}M{low:.1f} {middle - 4}v8M{high:.1f} {middle - 4}v8" '
        f'stroke="{_INK}" fill="none"/>'
    )
    if bar.goal is not None:
        goal = _LABELS + bar.goal * scale
        lines.append(
            f'<path d="M{goal:.1f} {y - 4}v{_BAR + 8}" stroke="{_GOAL}" stroke-width="2.5" fill="none"/>'
        )
    end = _LABELS + bar.reach * scale + 8
    lines.append(
        f'<text x="{end:.1f}" y="{middle + 4:.1f}" font-size="13" fill="{_INK}">{escape(bar.text)}</text>'
    )
    return lines
