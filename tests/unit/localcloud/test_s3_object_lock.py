"""Who may change a lock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from localcloud.services.s3 import may_change_lock

NOW = datetime(2026, 11, 27, tzinfo=UTC)
SOON, LATER = NOW + timedelta(days=1), NOW + timedelta(days=2)
NONE = (None, None)


@pytest.mark.parametrize(
    ("present", "wanted", "plain", "bypass"),
    [
        (NONE, ("GOVERNANCE", SOON), True, True),
        (("GOVERNANCE", SOON), ("GOVERNANCE", LATER), True, True),
        (("GOVERNANCE", LATER), ("GOVERNANCE", SOON), False, True),
        (("GOVERNANCE", LATER), NONE, False, True),
        (("GOVERNANCE", SOON), ("COMPLIANCE", SOON), True, True),
        (("GOVERNANCE", NOW), NONE, True, True),
        (("COMPLIANCE", SOON), ("COMPLIANCE", LATER), True, True),
        (("COMPLIANCE", LATER), ("COMPLIANCE", SOON), False, False),
        (("COMPLIANCE", SOON), ("GOVERNANCE", LATER), False, False),
        (("COMPLIANCE", SOON), NONE, False, False),
        (("COMPLIANCE", NOW), NONE, True, True),
    ],
)
def test_a_lock_is_made_longer_by_anybody_and_weaker_by_few(
    present: tuple[str | None, datetime | None],
    wanted: tuple[str | None, datetime | None],
    plain: bool,
    bypass: bool,
) -> None:
    assert may_change_lock(present, wanted, NOW, bypass=False) is plain
    assert may_change_lock(present, wanted, NOW, bypass=True) is bypass
