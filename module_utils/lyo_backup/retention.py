"""Which backups stay, grandfather-father-son: decisions without I/O.

Of each of the last days, weeks, months and years that have a backup, the newest one stays: a verified
one where the period has any. Periods are UTC's; weeks are ISO's and begin on Monday.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

VERIFIED, DAMAGED = "VERIFIED", "DAMAGED"


@dataclass(frozen=True)
class Backup:
    """A backup, of whatever kind, as far as it matters how long it stays.

    :ivar at: when it was made, aware.
    :ivar complete: whether it can be restored; one that is being made is never surplus.
    :ivar verdict: VERIFIED, DAMAGED, or empty where nobody has tried it.
    :ivar until: stays until then at least, aware; None for no such promise.
    """

    name: str
    at: datetime
    complete: bool = True
    verdict: str = ""
    until: datetime | None = None


@dataclass(frozen=True)
class Policy:
    """How many periods keep a backup each.

    :ivar hours: whatever is younger stays.
    """

    daily: int = 7
    weekly: int = 5
    monthly: int = 12
    yearly: int = 0
    hours: float = 48

    def __post_init__(self) -> None:
        """Refuse a policy that would keep nothing of a kind by mistake.

        :raises ValueError: a number is negative.
        """
        for name in ("daily", "weekly", "monthly", "yearly", "hours"):
            if getattr(self, name) < 0:
                raise ValueError(f"retention: {name} must not be negative")


_TIERS: tuple[tuple[str, Callable[[datetime], tuple[int, ...]]], ...] = (
    ("daily", lambda at: (at.year, at.month, at.day)),
    ("weekly", lambda at: at.isocalendar()[:2]),
    ("monthly", lambda at: (at.year, at.month)),
    ("yearly", lambda at: (at.year,)),
)


def keep(backups: Sequence[Backup], policy: Policy, now: datetime) -> dict[str, list[str]]:
    """Return the backups that stay, by name, each with why.

    The newest verified backup always stays, so does the newest that is not known to be damaged, and
    where every one is damaged, the newest of all.
    """
    reasons: dict[str, list[str]] = {}

    def stays(backup: Backup | None, why: str) -> None:
        if backup is not None:
            reasons.setdefault(backup.name, []).append(why)

    for backup in backups:
        if not backup.complete:
            stays(backup, "not complete")
        elif now - backup.at < timedelta(hours=policy.hours):
            stays(backup, "young")
        if backup.until is not None and now < backup.until:
            stays(backup, f"promised until {backup.until:%Y-%m-%d}")
    complete = [backup for backup in backups if backup.complete]
    sound = [backup for backup in complete if backup.verdict != DAMAGED]
    for tier, period in _TIERS:
        best: dict[tuple[int, ...], Backup] = {}
        for backup in sorted(sound, key=_rank):
            best[period(backup.at.astimezone(UTC))] = backup
        for key in sorted(best, reverse=True)[: int(getattr(policy, tier))]:
            stays(best[key], tier)
    stays(newest([b for b in sound if b.verdict == VERIFIED]), "the last verified one")
    stays(newest(sound or complete), "the last one")
    return reasons


def surplus(backups: Sequence[Backup], policy: Policy, now: datetime) -> list[Backup]:
    """Return the backups that can go, oldest first."""
    kept = keep(backups, policy, now)
    return sorted((b for b in backups if b.name not in kept), key=lambda b: (b.at, b.name))


def newest(backups: Sequence[Backup]) -> Backup | None:
    """Return the newest one, None of none."""
    return max(backups, key=lambda b: (b.at, b.name), default=None)


def _rank(backup: Backup) -> tuple[bool, datetime, str]:
    """What is best of a period comes last: a verified one before any other, then the newest."""
    return backup.verdict == VERIFIED, backup.at, backup.name
