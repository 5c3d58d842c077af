"""What was found before a release: what is wrong, why it matters, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# The release would fail, or could not be turned back.
PROBLEM = "problem"
# It would go on, but somebody should know.
WARNING = "warning"
# It could not be found out, for want of a permission or because nobody answers.
UNKNOWN = "unknown"
LEVELS = (PROBLEM, WARNING, UNKNOWN)


@dataclass(frozen=True)
class Finding:
    """One thing.

    :ivar area: what it is about, in a word.
    :ivar what: what was found.
    :ivar why: why it matters.
    :ivar todo: what to do about it.
    """

    level: str
    area: str
    what: str
    why: str = ""
    todo: str = ""

    def __str__(self) -> str:
        return "; ".join(
            part for part in (f"{self.area}: {self.what}", self.why, self.todo) if part
        )


Findings = Iterator[Finding]


@dataclass(frozen=True)
class Unread:
    """What stands in the place of something that could not be read.

    :ivar why: in AWS's or our words.
    """

    why: str

    def finding(self, area: str, todo: str = "") -> Finding:
        """That it is not known."""
        return Finding(UNKNOWN, area, f"cannot be checked: {self.why}", "", todo)


def problem(area: str, what: str, why: str, todo: str) -> Finding:
    """A finding that a release must not begin with."""
    return Finding(PROBLEM, area, what, why, todo)


def warning(area: str, what: str, why: str, todo: str) -> Finding:
    """A finding that a release may begin with."""
    return Finding(WARNING, area, what, why, todo)


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first, else as they were found."""
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))
