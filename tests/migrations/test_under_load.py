"""Expand, release and contract while guests book: nothing fails, nobody waits longer than the time-out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.migrations.under_load import LOCK_TIMEOUT_MS, Report, prove


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return prove(Path(tmp_path_factory.mktemp("load")), 200_000)


def test_no_request_fails_and_no_message_is_tried_twice(report: Report) -> None:
    assert report.requests > 100
    assert report.failed == []
    assert report.undelivered == 0


def test_a_migration_gives_its_lock_up_and_tries_again(report: Report) -> None:
    assert report.retries >= 2


def test_no_write_waits_longer_than_the_lock_timeout(report: Report) -> None:
    # Seen at the server, so that a slow machine does not count; it may notice a little late.
    for phase in ("expand", "contract"):
        assert 0 < report.waits[phase] < 2 * LOCK_TIMEOUT_MS / 1000, report


def test_every_row_is_there_and_right(report: Report) -> None:
    assert report.wrong == 0
    assert report.bookings > 50
