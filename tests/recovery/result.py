"""What became of a loss: what had to come back, and whether it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True)
class Result:
    """One loss and its recovery. Seconds are wall time.

    :ivar loss: what was done to the database.
    :ivar command: the arguments of restore.yml that brought it back.
    :ivar point: what was restored: everything committed before it has to be there.
    :ivar acknowledged: messages that were acknowledged before that point.
    :ivar missing: how many of them were not there afterwards.
    :ivar rows: rows of all tables that were seen in the database before that point.
    :ivar rows_missing: how many of them were not there afterwards.
    :ivar later: messages acknowledged after that point that are not there either.
    :ivar seconds: how long the runbook took.
    :ivar silence: the longest time in which no guest got an acknowledgement, from the loss on.
    :ivar wrong: whatever else was not as it must be.
    """

    loss: str
    command: str
    point: datetime | None = None
    acknowledged: int = 0
    missing: int = 0
    rows: int = 0
    rows_missing: int = 0
    later: int = 0
    seconds: float = 0.0
    silence: float = 0.0
    wrong: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether nothing was lost, and there was something to lose."""
        something = self.acknowledged > 0 and self.rows > 0
        return something and not (self.missing or self.rows_missing or self.wrong)

    def but(self, *wrong: str) -> Result:
        """The same with more that was not as it must be; empty texts are left out."""
        return replace(self, wrong=(*self.wrong, *(text for text in wrong if text)))


def counted(
    result: Result,
    acknowledged: set[str],
    later: set[str],
    committed: set[tuple[str, str]],
    there: set[tuple[str, str]],
) -> Result:
    """The result with what was compared.

    :param acknowledged: messages acknowledged before the point.
    :param later: messages acknowledged after it.
    :param committed: table and key of the rows seen before it.
    :param there: table and key of the rows that the database has afterwards.
    """
    messages = {key for table, key in there if table == "inbox"}
    return replace(
        result,
        acknowledged=len(acknowledged),
        missing=len(acknowledged - messages),
        rows=len(committed),
        rows_missing=len(committed - there),
        later=len(later - messages),
    )


def table(results: Sequence[Result]) -> str:
    """The results for Markdown."""
    lines = [
        "| lost | `restore.yml` | acknowledged before | missing | rows before | missing | later | runbook s | silence s |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for one in results:
        lines.append(
            f"| {one.loss}{'' if one.good else ' **FAILED**'} | `{one.command}` | {one.acknowledged:,} | {one.missing} "
            f"| {one.rows:,} | {one.rows_missing} | {one.later:,} | {one.seconds:.0f} | {one.silence:.1f} |"
        )
    return "\n".join(lines)
