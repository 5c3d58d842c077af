"""Which backups stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ansible.module_utils.lyo_backup.retention import (
    DAMAGED,
    VERIFIED,
    Backup,
    Policy,
    keep,
    surplus,
)

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)  # a Friday
NONE = Policy(daily=0, weekly=0, monthly=0, yearly=0, hours=0)


def backup(days: float, verdict: str = "", **more: object) -> Backup:
    """One that is so many days old, named after its age."""
    return Backup(f"{days:g}", NOW - timedelta(days=days), verdict=verdict, **more)  # type: ignore[arg-type]


def gone(backups: list[Backup], policy: Policy, now: datetime = NOW) -> list[str]:
    return [one.name for one in surplus(backups, policy, now)]


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (Policy(3, 0, 0, 0, 0), ["0", "1", "2"]),
        # Weeks end on Sunday: 27 November is a Friday, so the last Sunday is 5 days ago.
        (Policy(0, 3, 0, 0, 0), ["0", "5", "12"]),
        # The last days of October and September are 27 and 58 days ago.
        (Policy(0, 0, 3, 0, 0), ["0", "27", "58"]),
        (Policy(0, 0, 0, 2, 0), ["0", "331"]),
        (Policy(0, 0, 0, 0, 49), ["0", "1", "2"]),
        (Policy(2, 2, 2, 2, 0), ["0", "1", "5", "27", "331"]),
    ],
)
def test_the_last_one_of_each_period_stays(policy: Policy, kept: list[str]) -> None:
    backups = [backup(days) for days in range(400)]
    assert sorted(keep(backups, policy, NOW), key=float) == kept


def test_periods_without_a_backup_do_not_count() -> None:
    assert gone([backup(0), backup(100), backup(200), backup(300)], Policy(3, 0, 0, 0, 0)) == [
        "300"
    ]


def test_in_a_period_a_verified_one_stays_before_a_newer_one() -> None:
    backups = [backup(0.1), backup(0.2, VERIFIED), backup(0.3)]
    assert keep(backups, Policy(1, 0, 0, 0, 0), NOW) == {
        "0.2": ["daily", "the last verified one"],
        "0.1": ["the last one"],
    }


def test_a_damaged_one_stands_for_no_period() -> None:
    backups = [backup(0.1, DAMAGED), backup(0.2)]
    assert gone(backups, Policy(1, 0, 0, 0, 0)) == ["0.1"]


@pytest.mark.parametrize("policy", [NONE, Policy(1, 0, 0, 0, 0)])
def test_the_last_verified_one_stays_whatever_came_after(policy: Policy) -> None:
    backups = [backup(900, VERIFIED), backup(800, VERIFIED), *(backup(d) for d in range(30))]
    left = keep(backups, policy, NOW)
    assert "800" in left
    assert "900" not in left
    damaged = [backup(900, VERIFIED), *(backup(d, DAMAGED) for d in range(30))]
    assert gone(damaged, policy) == [f"{d}" for d in reversed(range(30))]


def test_the_last_one_stays_where_none_is_sound() -> None:
    assert gone([backup(50, DAMAGED), backup(60, DAMAGED)], NONE) == ["60"]


def test_what_is_being_made_and_what_was_promised_stay() -> None:
    backups = [
        backup(0),
        backup(10, complete=False),
        backup(20, until=NOW + timedelta(days=1)),
        backup(30, until=NOW - timedelta(days=1)),
    ]
    assert gone(backups, NONE) == ["30"]


def test_each_one_says_why_it_stays() -> None:
    backups = [
        backup(1),
        backup(10, complete=False),
        backup(20, until=NOW + timedelta(days=1.5)),
        backup(30),
    ]
    assert keep(backups, Policy(0, 0, 0, 0, 48), NOW) == {
        "1": ["young", "the last one"],
        "10": ["not complete"],
        "20": ["promised until 2026-11-29"],
    }
    assert keep([backup(40)], Policy(1, 1, 1, 1, 0), NOW) == {
        "40": ["daily", "weekly", "monthly", "yearly", "the last one"]
    }


def test_at_the_very_end_of_its_time_it_goes() -> None:
    backups = [backup(0), backup(2), backup(3, until=NOW)]
    assert gone(backups, Policy(0, 0, 0, 0, 48)) == ["3", "2"]


def test_one_that_is_not_complete_is_never_the_last_one() -> None:
    assert "5" in keep([backup(0, complete=False), backup(5)], NONE, NOW)


def test_a_clock_that_goes_ahead_loses_nothing() -> None:
    assert gone([backup(-1), backup(0)], Policy(1, 0, 0, 0, 1)) == []


@pytest.mark.usefixtures("elsewhere")
def test_a_day_is_utcs_whatever_the_zone_of_this_machine() -> None:
    # In Tokyo it is the 28th already from 15:00 on.
    late = Backup("late", datetime(2026, 11, 27, 16, 0, tzinfo=UTC))
    early = Backup("early", datetime(2026, 11, 27, 14, 0, tzinfo=UTC))
    assert gone([early, late], Policy(2, 0, 0, 0, 0), late.at) == ["early"]


def test_a_day_is_the_same_wherever_it_is_asked() -> None:
    rome = datetime.fromisoformat("2026-11-28T00:30:00+01:00")  # 27 November, 23:30 UTC
    backups = [Backup("late", rome), Backup("noon", NOW)]
    assert gone(backups, Policy(1, 0, 0, 0, 0), rome) == ["noon"]


def test_deleted_day_by_day_it_comes_to_the_same_and_stays_bounded() -> None:
    """Three years of daily backups, every third one verified, retention after each."""
    policy = Policy(7, 5, 12, 3, 48)
    left: list[Backup] = []
    every: list[Backup] = []
    begin = NOW - timedelta(days=1100)
    for day in range(1100):
        now = begin + timedelta(days=day)
        one = Backup(f"{day}", now, verdict=VERIFIED if day % 3 == 0 else "")
        every.append(one)
        left.append(one)
        names = {b.name for b in surplus(left, policy, now)}
        left = [b for b in left if b.name not in names]
        assert len(left) <= 7 + 5 + 12 + 3 + 2 + 2
    at_once = keep(every, policy, begin + timedelta(days=1099))
    assert {b.name for b in left} >= {n for n, why in at_once.items() if "monthly" in why}
    assert len({(b.at.year, b.at.month) for b in left}) >= 12
    assert min(b.at for b in left).year == NOW.year - 2


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(ValueError, match="daily must not be negative"):
        Policy(daily=-1)
